//! What a disk that fills up costs, in steps: first quality, then new recordings, never a call or its record.
//!
//! ```text
//!          < 10 % free             < 5 % or 64 MiB free
//!  Enough -------------> Low -------------------------> Full
//!     ^---- >= 12 % ------'^---- >= 6 % and 80 MiB ------'
//! ```
//! Every step comes back by itself; the marks of the way back are higher, so that a disk at a mark does not flutter.

pub use crate::status::Room;

use super::encoder::Encoding;

/// Share of free space in percent below which new recordings get half the bits.
pub const LOW_PERCENT: u64 = 10;
/// Share at which they get all of them again.
pub const NOT_LOW_PERCENT: u64 = 12;
/// Share below which there is no new recording: what is left is for the recordings of calls that are up, and records.
pub const FULL_PERCENT: u64 = 5;
/// Share at which there is one again.
pub const NOT_FULL_PERCENT: u64 = 6;
/// The same in bytes: five hours of one recording. An eighth of a disk that is smaller than eight times this.
pub const FULL_BYTES: u64 = 64 << 20;
/// Bytes at which there is one again.
pub const NOT_FULL_BYTES: u64 = 80 << 20;

/// The word on the record of a call that is not recorded because of this.
pub const WHY_NONE: &str = "disk_low";

impl Room {
    /// The room after a look at the disk. A disk of which nothing is known changes nothing.
    #[must_use]
    pub fn after(self, free_bytes: u64, total_bytes: u64) -> Self {
        let Some(percent) = free_bytes.saturating_mul(100).checked_div(total_bytes) else { return self };
        let small = total_bytes / 8;
        let full = percent < FULL_PERCENT || free_bytes < FULL_BYTES.min(small);
        let still_full = percent < NOT_FULL_PERCENT || free_bytes < NOT_FULL_BYTES.min(small);
        let (low, still_low) = (percent < LOW_PERCENT, percent < NOT_LOW_PERCENT);
        match self {
            _ if full => Self::Full,
            Self::Full if still_full => Self::Full,
            _ if low => Self::Low,
            Self::Full | Self::Low if still_low => Self::Low,
            Self::Full | Self::Low | Self::Enough => Self::Enough,
        }
    }

    /// The encoding of a recording that begins now, of what the site wants; `None` if none begins.
    #[must_use]
    pub fn encoding(self, wanted: Encoding) -> Option<Encoding> {
        match self {
            Self::Enough => Some(wanted),
            Self::Low => Some(wanted.halved()),
            Self::Full => None,
        }
    }

    /// The room in a number, to be kept in an atomic.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The room of a number.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Enough,
            1 => Self::Low,
            _ => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_disk_that_fills_costs_quality_then_recordings_and_all_comes_back() {
        let mut room = Room::default();
        // Percent free of 100 GiB, in the order of time.
        for (percent, expected) in [
            (50, Room::Enough),
            (10, Room::Enough),
            (9, Room::Low),
            (11, Room::Low),
            (12, Room::Enough),
            (9, Room::Low),
            (5, Room::Low),
            (4, Room::Full),
            (5, Room::Full),
            (6, Room::Low),
            (4, Room::Full),
            (50, Room::Enough),
        ] {
            room = room.after(percent * GIB, 100 * GIB);
            assert_eq!(room, expected, "{percent} %");
        }
    }

    #[test]
    fn bytes_count_on_a_small_disk_and_an_eighth_on_a_tiny_one() {
        let mib = |free: u64, total: u64| Room::default().after(free << 20, total << 20);
        assert_eq!(mib(63, 600), Room::Full, "10.5 % of it");
        assert_eq!(mib(64, 600), Room::Enough);
        assert_eq!(Room::Full.after(79 << 20, 640 << 20), Room::Full);
        assert_eq!(Room::Full.after(80 << 20, 640 << 20), Room::Enough);
        assert_eq!(mib(40, 96), Room::Enough);
        assert_eq!(mib(11, 96), Room::Full);
    }

    #[test]
    fn an_unknown_disk_changes_nothing() {
        for room in [Room::Enough, Room::Low, Room::Full] {
            assert_eq!(room.after(0, 0), room);
            assert_eq!(Room::from_code(room.code()), room);
        }
    }

    #[test]
    fn bits_are_halved_before_recordings_are_refused() {
        let wanted = Encoding { bitrate_bps: 32_000, complexity: 5 };
        assert_eq!(Room::Enough.encoding(wanted), Some(wanted));
        assert_eq!(Room::Low.encoding(wanted).map(|one| one.bitrate_bps), Some(16_000));
        assert_eq!(Room::Full.encoding(wanted), None);
    }
}
