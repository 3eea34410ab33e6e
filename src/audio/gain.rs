//! Gain of a port, for loops that are too long or phones that are too loud.

/// Fraction bits of the factor.
const FRACTION: u32 = 12;
/// Largest gain or loss of a port, in dB; more is a fault of the wiring.
pub const MAX_DB: f32 = 12.0;

/// A fixed gain in dB; 0 dB costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain {
    /// Factor in units of 2^-12; 4,096 is 0 dB.
    factor: i32,
}

impl Gain {
    /// 0 dB.
    pub const UNITY: Self = Self { factor: 1 << FRACTION };

    /// A gain of `db`, held within ±[`MAX_DB`]; not a number is 0 dB.
    #[must_use]
    pub fn from_db(db: f32) -> Self {
        let db = if db.is_finite() { db.clamp(-MAX_DB, MAX_DB) } else { 0.0 };
        Self { factor: (10_f32.powf(db / 20.0) * (1 << FRACTION) as f32).round() as i32 }
    }

    /// Whether samples pass unchanged.
    #[must_use]
    pub const fn is_unity(self) -> bool {
        self.factor == 1 << FRACTION
    }

    /// One sample, held at the ends of the range where it would leave it.
    #[inline]
    #[must_use]
    pub const fn of(self, sample: i16) -> i16 {
        let scaled = (sample as i32 * self.factor + (1 << (FRACTION - 1))) >> FRACTION;
        if scaled > i16::MAX as i32 {
            i16::MAX
        } else if scaled < i16::MIN as i32 {
            i16::MIN
        } else {
            scaled as i16
        }
    }

    /// All samples in place.
    pub fn apply<'s>(self, samples: impl Iterator<Item = &'s mut i16>) {
        if !self.is_unity() {
            samples.for_each(|sample| *sample = self.of(*sample));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_decibels_are_twice_and_half() {
        assert_eq!(Gain::from_db(6.0206).of(1_000), 2_000);
        assert_eq!(Gain::from_db(-6.0206).of(-1_000), -500);
    }

    #[test]
    fn zero_decibels_change_nothing() {
        let gain = Gain::from_db(0.0);
        assert!(gain.is_unity());
        assert!((i16::MIN..=i16::MAX).all(|sample| gain.of(sample) == sample));
    }

    #[test]
    fn too_much_is_clipped_and_never_wraps() {
        let gain = Gain::from_db(1_000.0);
        assert_eq!((gain.of(i16::MAX), gain.of(i16::MIN)), (i16::MAX, i16::MIN));
        assert_eq!(gain, Gain::from_db(MAX_DB));
        assert_eq!(Gain::from_db(f32::NAN), Gain::UNITY);
    }
}
