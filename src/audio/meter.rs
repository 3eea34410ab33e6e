//! The level of a leg, period by period and over the call.

use super::{PERIOD, level::FULL_SCALE_DBM0};

/// What is weaker than this, in dBm0, is silence: noise of a quiet line and room.
pub const SILENCE_DBM0: f32 = -55.0;
/// What is louder than this, in dBm0, is somebody talking (ITU-T P.56: active speech lies about 15 dB above).
pub const VOICE_DBM0: f32 = -40.0;
/// Largest magnitude that µ-law can say (ITU-T G.711 table 2a); what reaches it was probably cut.
const OVERLOAD: i16 = 32_124;

/// Sum of the squares of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Energy(u64);

impl Energy {
    /// Of one period.
    #[inline]
    #[must_use]
    pub fn of(period: &[i16; PERIOD]) -> Self {
        // In eighths, the sum of 80 squares fits 32 bits, and processors multiply and add such pairs in one step.
        let coarse: i32 = period.iter().map(|&s| i32::from(s >> 3) * i32::from(s >> 3)).sum();
        if coarse > FINE_BELOW {
            return Self(u64::from(coarse.unsigned_abs()) << 6);
        }
        // So weak that no sample is beyond 1,456: now whole squares fit, too.
        let fine: i32 = period.iter().map(|&s| i32::from(s) * i32::from(s)).sum();
        Self(u64::from(fine.unsigned_abs()))
    }

    /// Mean square of the samples.
    #[must_use]
    pub fn mean_square(self) -> f32 {
        self.0 as f32 / PERIOD as f32
    }

    /// That of a steady `dbm0`, to compare with.
    #[must_use]
    pub fn from_dbm0(dbm0: f32) -> Self {
        let mean_square = full_scale_square() * 10_f64.powf(f64::from(dbm0 - FULL_SCALE_DBM0) / 10.0);
        Self((mean_square * PERIOD as f64) as u64)
    }
}

/// Coarse sums up to here are taken again in full.
const FINE_BELOW: i32 = 1 << 15;

/// Mean square of a sine that just fills 16 bits.
fn full_scale_square() -> f64 {
    32_767.0 * 32_767.0 / 2.0
}

/// Follows one leg of a call.
#[derive(Clone, Debug)]
pub struct Meter {
    voice: Energy,
    /// Squares of all periods with voice in them.
    sum: u64,
    periods: u64,
    clipped: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self { voice: Energy::from_dbm0(VOICE_DBM0), sum: 0, periods: 0, clipped: 0 }
    }
}

impl Meter {
    /// Takes one period and gives its energy.
    #[inline]
    pub fn hear(&mut self, period: &[i16; PERIOD]) -> Energy {
        let energy = Energy::of(period);
        if energy >= self.voice {
            self.sum = self.sum.saturating_add(energy.0);
            self.periods += 1;
            // One sample at the end of the range has this much alone.
            if energy.0 >= u64::from(OVERLOAD.unsigned_abs()).pow(2) / 2 {
                self.clipped +=
                    period.iter().filter(|s| s.unsigned_abs() >= OVERLOAD.unsigned_abs()).count() as u64;
            }
        }
        energy
    }

    /// Mean level in dBm0 of the periods in which somebody talked; `None` if nobody did.
    #[must_use]
    pub fn active_dbm0(&self) -> Option<f32> {
        let mean_square = self.sum as f64 / (self.periods * PERIOD as u64).max(1) as f64;
        (self.periods > 0)
            .then(|| (10.0 * (mean_square / full_scale_square()).log10()) as f32 + FULL_SCALE_DBM0)
    }

    /// Samples at the end of the range.
    #[must_use]
    pub const fn clipped(&self) -> u64 {
        self.clipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{level, sine::Oscillator};

    fn sine(dbm0: f32) -> [i16; PERIOD] {
        let mut oscillator = Oscillator::new(1_000.0, dbm0);
        std::array::from_fn(|_| oscillator.advance().round() as i16)
    }

    #[test]
    fn the_meter_agrees_with_the_level_at_every_loudness() {
        for dbm0 in [-39.0, -30.0, -20.0, -10.0, 0.0, 3.0] {
            let mut meter = Meter::default();
            meter.hear(&sine(dbm0));
            let (shown, right) = (meter.active_dbm0().unwrap(), level::dbm0(&sine(dbm0)));
            assert!((shown - right).abs() < 0.05, "{dbm0}: {shown} {right}");
        }
    }

    #[test]
    fn weak_signals_are_told_from_silence() {
        for dbm0 in [-70.0, -60.0, -56.0, -54.0, -50.0] {
            let is_silent = Energy::of(&sine(dbm0)) < Energy::from_dbm0(SILENCE_DBM0);
            assert_eq!(is_silent, dbm0 < SILENCE_DBM0, "{dbm0}");
        }
    }

    #[test]
    fn silence_has_no_level() {
        let mut meter = Meter::default();
        meter.hear(&[0; PERIOD]);
        meter.hear(&sine(-60.0));
        assert_eq!(meter.active_dbm0(), None);
    }

    #[test]
    fn samples_at_the_end_of_the_range_are_counted() {
        let mut meter = Meter::default();
        let mut period = [0; PERIOD];
        (period[3], period[40]) = (32_124, i16::MIN);
        meter.hear(&period);
        meter.hear(&sine(0.0));
        assert_eq!(meter.clipped(), 2);
    }

    #[test]
    fn the_loudest_period_does_not_overflow() {
        assert!(Energy::of(&[i16::MIN; PERIOD]) > Energy::of(&[32_000; PERIOD]));
    }
}
