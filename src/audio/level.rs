//! Levels: dBm0 as telephony writes them, amplitudes as samples carry them.
//!
//! ITU-T G.711 puts the overload point of µ-law at +3.17 dBm0 and of A-law at +3.14 dBm0. Samples here are linear and
//! shared by both laws, so one reference is used: a sine that just fills 16 bits has +3.14 dBm0.

/// Level of a sine whose peak is 32,767, in dBm0 (ITU-T G.711 table 1a).
#[expect(clippy::approx_constant, reason = "decibels, not pi")]
pub const FULL_SCALE_DBM0: f32 = 3.14;

/// Peak amplitude of a sine of `dbm0`, in sample units; levels above the overload point are cut to it.
#[must_use]
pub fn amplitude(dbm0: f32) -> f32 {
    (32_767.0 * 10_f32.powf((dbm0 - FULL_SCALE_DBM0) / 20.0)).min(32_767.0)
}

/// Mean level of `samples` in dBm0; silence is negative infinity.
#[must_use]
pub fn dbm0(samples: &[i16]) -> f32 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    let mean_square = energy / samples.len().max(1) as f64;
    let full_scale_square = 32_767.0_f64 * 32_767.0 / 2.0;
    (10.0 * (mean_square / full_scale_square).log10()) as f32 + FULL_SCALE_DBM0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_dbm0_is_3_14_db_below_full_scale() {
        assert!((amplitude(0.0) - 22_827.0).abs() < 5.0, "{}", amplitude(0.0));
        assert_eq!(amplitude(10.0), 32_767.0);
    }

    #[test]
    fn the_measured_level_of_a_square_wave_is_3_db_above_the_sine_of_its_peak() {
        let square = [8_192_i16, -8_192].repeat(100);
        assert!((dbm0(&square) - (FULL_SCALE_DBM0 - 12.04 + 3.01)).abs() < 0.01);
        assert_eq!(dbm0(&[0; 80]), f32::NEG_INFINITY);
    }
}
