//! The two clocks of the box: the only file that reads them.

use crate::{
    rtp::ntp::NtpTime,
    time::{Instant, WallTime},
};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A monotonic clock that started at zero, and the wall clock beside it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
    /// Milliseconds by which the wall clock is wrong.
    wrong_by_ms: Option<&'static AtomicI64>,
}

impl Clock {
    /// A clock that starts now. Copies of it agree.
    #[must_use]
    pub fn start() -> Self {
        Self { start: std::time::Instant::now(), wrong_by_ms: None }
    }

    /// A clock that starts now, whose wall clock is wrong by as many milliseconds as `wrong_by_ms` says at the time:
    /// a board without a battery, a wrong time server.
    #[must_use]
    pub fn start_wrong_by(wrong_by_ms: &'static AtomicI64) -> Self {
        Self { wrong_by_ms: Some(wrong_by_ms), ..Self::start() }
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
        let right_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let wrong_by_ms = self.wrong_by_ms.map_or(0, |ms| ms.load(Ordering::Relaxed));
        WallTime(right_ms.saturating_add_signed(wrong_by_ms))
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
