//! The two clocks of the box: the only file that reads them.

use crate::{
    record::ClockState,
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
    /// The wall clock at the start, in ms since 1970.
    start_wall: u64,
    /// Milliseconds by which the wall clock is wrong.
    wrong_by_ms: Option<&'static AtomicI64>,
}

/// A wall clock that went this much further than the monotonic one since the start has been set.
const STEP_MS: u64 = 1_000;

impl Clock {
    /// A clock that starts now. Copies of it agree.
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// A clock that starts now, whose wall clock is wrong by as many milliseconds as `wrong_by_ms` says at the time:
    /// a board without a battery, a wrong time server.
    #[must_use]
    pub fn start_wrong_by(wrong_by_ms: &'static AtomicI64) -> Self {
        Self::with(Some(wrong_by_ms))
    }

    fn with(wrong_by_ms: Option<&'static AtomicI64>) -> Self {
        let mut clock = Self { start: std::time::Instant::now(), start_wall: 0, wrong_by_ms };
        clock.start_wall = clock.wall().0;
        clock
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

    /// How far the wall clock can be trusted.
    #[must_use]
    pub fn state(&self) -> ClockState {
        let expected = self.start_wall.saturating_add(self.now().0 / 1000);
        if self.wall().0.abs_diff(expected) > STEP_MS {
            ClockState::Stepped
        } else if is_kept_by_ntp() {
            ClockState::Synced
        } else {
            ClockState::Unsynced
        }
    }

    /// The wall clock as RTCP writes it.
    #[must_use]
    pub fn ntp() -> NtpTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        NtpTime::from_unix(since.as_secs(), since.subsec_nanos())
    }
}

/// Whether the kernel says that something keeps its clock right (adjtimex(2): `STA_UNSYNC` is not set).
#[allow(unsafe_code)]
fn is_kept_by_ntp() -> bool {
    // SAFETY: zeroes are a valid `timex`; with no mode set the kernel only fills it.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    // -1 where the call is forbidden, as in some containers; TIME_ERROR says unsynchronised as well.
    state >= 0 && timex.status & libc::STA_UNSYNC == 0
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

    #[test]
    fn a_wall_clock_that_was_set_since_the_start_has_stepped() {
        let mut clock = Clock::start();
        assert_ne!(clock.state(), ClockState::Stepped);
        clock.start_wall -= 2_000;
        assert_eq!(clock.state(), ClockState::Stepped);
        clock.start_wall += 4_000;
        assert_eq!(clock.state(), ClockState::Stepped);
    }
}
