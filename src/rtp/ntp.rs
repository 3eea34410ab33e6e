//! Time as RTCP writes it: NTP timestamps (RFC 3550 section 4).

/// Seconds from 1900, where NTP begins, to 1970.
const UNIX_EPOCH_S: u64 = 2_208_988_800;

/// Seconds since 1900 as 32.32 fixed point; wraps in 2036, so only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From Unix time: whole seconds since 1970 and nanoseconds, 0 to 999,999,999.
    #[must_use]
    pub const fn from_unix(seconds: u64, nanoseconds: u32) -> Self {
        let fraction = ((nanoseconds as u64) << 32) / 1_000_000_000;
        Self((seconds.wrapping_add(UNIX_EPOCH_S) << 32) | fraction)
    }

    /// The middle 32 bits, in units of 1/65,536 s: what LSR carries (RFC 3550 6.4.1).
    #[must_use]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Time since `earlier` in units of 1/65,536 s, the unit of DLSR; 0 if the clock was set back meanwhile.
    #[must_use]
    pub const fn units_since(self, earlier: Self) -> u32 {
        let passed = self.0.wrapping_sub(earlier.0) as i64;
        if passed < 0 { 0 } else { (passed >> 16) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 3550 6.4.1, figure 2: the middle of 0xb44db7052000000 is b705:2000, 20.125 s are 0x142000.
    #[test]
    fn times_are_those_of_the_example_of_the_rfc() {
        let sent = NtpTime(0xb44d_b705_2000_0000);
        assert_eq!(sent.middle(), 0xb705_2000);
        let arrived = NtpTime(sent.0 + (6 << 32));
        assert_eq!(arrived.middle(), 0xb70b_2000);
        assert_eq!(NtpTime(arrived.0 + (5 << 32) + (1 << 30)).units_since(arrived), 0x0005_4000);
    }

    #[test]
    fn unix_time_is_seventy_years_behind() {
        assert_eq!(NtpTime::from_unix(0, 0).0, 0x83aa_7e80_0000_0000);
        assert_eq!(NtpTime::from_unix(1, 500_000_000).0, 0x83aa_7e81_8000_0000);
    }

    #[test]
    fn a_clock_that_was_set_back_measures_nothing() {
        assert_eq!(NtpTime::from_unix(10, 0).units_since(NtpTime::from_unix(11, 0)), 0);
    }

    #[test]
    fn differences_survive_the_wrap_of_2036() {
        assert_eq!(NtpTime(1 << 31).units_since(NtpTime(u64::MAX - (1 << 31) + 1)), 65_536);
    }
}
