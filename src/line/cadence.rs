//! Ring cadences (ITU-T E.180; for North America GR-506): bursts of ringing voltage with pauses between.

/// Bursts and pauses of a ring, repeated from the start when the list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Milliseconds of ringing and of the pause after it, one pair per burst.
    pub bursts_ms: &'static [(u16, u16)],
}

impl Cadence {
    /// North America: 2 s of ringing, 4 s of silence.
    pub const NORTH_AMERICA: Self = Self { bursts_ms: &[(2000, 4000)] };
    /// United Kingdom and much of the Commonwealth: 0.4 s, 0.2 s, 0.4 s, 2 s.
    pub const UNITED_KINGDOM: Self = Self { bursts_ms: &[(400, 200), (400, 2000)] };
    /// Most of continental Europe: 1 s of ringing, 4 s of silence.
    pub const EUROPE: Self = Self { bursts_ms: &[(1000, 4000)] };

    /// The cadence of a country (ISO 3166-1 alpha-2); North America's where the country is not listed.
    #[must_use]
    pub fn for_country(country: &str) -> Self {
        match country {
            "GB" | "IE" | "AU" | "NZ" | "IN" | "SG" | "HK" | "ZA" => Self::UNITED_KINGDOM,
            "DE" | "FR" | "ES" | "IT" | "NL" | "BE" | "AT" | "CH" | "PL" | "PT" | "SE" | "NO" | "DK"
            | "FI" => Self::EUROPE,
            _ => Self::NORTH_AMERICA,
        }
    }

    /// Milliseconds of burst number `n` (0-based) and of the pause after it.
    #[must_use]
    pub fn burst_ms(&self, n: u32) -> (u64, u64) {
        let turn = n as usize % self.bursts_ms.len().max(1);
        self.bursts_ms.get(turn).map_or((2000, 4000), |&(on, off)| (u64::from(on), u64::from(off)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cadence_repeats_from_its_start() {
        assert_eq!(Cadence::UNITED_KINGDOM.burst_ms(0), (400, 200));
        assert_eq!(Cadence::UNITED_KINGDOM.burst_ms(1), (400, 2000));
        assert_eq!(Cadence::UNITED_KINGDOM.burst_ms(2), (400, 200));
        assert_eq!(Cadence::for_country("US").burst_ms(7), (2000, 4000));
    }
}
