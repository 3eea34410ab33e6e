//! The two clocks of the box: the only file that reads them.

use crate::{
    rtp::ntp::NtpTime,
    time::{Instant, WallTime},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// A monotonic clock that started at zero, and the wall clock beside it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that starts now. Copies of it agree.
    #[must_use]
    pub fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The wall clock; 0 if it stands before 1970, as on a board without a battery.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The wall clock as RTCP writes it.
    #[must_use]
    pub fn ntp() -> NtpTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        NtpTime::from_unix(since.as_secs(), since.subsec_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_clock_agree_and_go_forward() {
        let clock = Clock::start();
        let copy = clock;
        let earlier = clock.now();
        assert!(copy.now() >= earlier);
        assert!(clock.wall() > WallTime::parse("2020-01-01T00:00:00Z").unwrap());
    }
}
