//! Time as the machines see it: a monotonic instant and a wall clock, both handed in by the edges.

use std::{fmt, ops::Sub};

/// A monotonic point in time in microseconds since the daemon (or the simulation) started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment the clock started.
    pub const ZERO: Self = Self(0);

    /// This instant moved `ms` milliseconds into the future.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1000)))
    }

    /// Whole milliseconds from `earlier` to this instant; 0 if `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

impl Sub for Instant {
    type Output = std::time::Duration;

    fn sub(self, earlier: Self) -> Self::Output {
        std::time::Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z. It may jump; order and durations come
/// from sequence numbers and [`Instant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub u64);

impl WallTime {
    /// Parses RFC 3339 text; `None` if it is not a time between 1970 and 9999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(stamp.as_millisecond()).ok().map(Self)
    }
}

/// The wall clock as last read; between two readings it runs with the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    read_at: Instant,
    wall: WallTime,
}

impl WallClock {
    /// Takes a reading.
    pub const fn set(&mut self, wall: WallTime, now: Instant) {
        (self.wall, self.read_at) = (wall, now);
    }

    /// The wall-clock time at `now`.
    #[must_use]
    pub const fn at(&self, now: Instant) -> WallTime {
        WallTime(self.wall.0 + now.ms_since(self.read_at))
    }
}

/// RFC 3339, UTC, milliseconds: `2026-11-22T13:05:09.120Z`.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        let stamp = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{stamp:.3}")
    }
}

impl serde::Serialize for WallTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WallTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_and_reads_back_with_milliseconds() {
        let t = WallTime(1_763_816_709_007);
        assert_eq!(t.to_string(), "2025-11-22T13:05:09.007Z");
        assert_eq!(WallTime::parse(&t.to_string()), Some(t));
    }

    #[test]
    fn an_earlier_instant_is_never_negative() {
        assert_eq!(Instant::ZERO.ms_since(Instant(5_000)), 0);
    }
}
