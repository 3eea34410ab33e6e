//! The sender: bits to samples at 8 kHz.

use super::{BIT_RATE, Variant};
use crate::audio::{
    level,
    sine::{Phase, SAMPLE_HZ},
};

/// Turns bits into samples at 8 kHz.
#[derive(Debug)]
pub struct Modulator {
    samples: Vec<i16>,
    amplitude: f32,
    /// How far the phase moves with each sample of a space and of a mark.
    steps: [u32; 2],
    phase: Phase,
    /// Bits so far; one bit is 6 2/3 samples, so the length of a bit comes from where it ends.
    bits: u32,
}

impl Modulator {
    /// A signal of `dbm0`.
    #[must_use]
    pub fn new(variant: Variant, dbm0: f32) -> Self {
        Self {
            samples: Vec::new(),
            amplitude: level::amplitude(dbm0),
            steps: [variant.space_hz(), variant.mark_hz()].map(Phase::step),
            phase: Phase::default(),
            bits: 0,
        }
    }

    /// Sends one bit.
    pub fn bit(&mut self, mark: bool) {
        let [space, one] = self.steps;
        let step = if mark { one } else { space };
        self.bits += 1;
        let end = (u64::from(self.bits) * u64::from(SAMPLE_HZ) / u64::from(BIT_RATE)) as usize;
        while self.samples.len() < end {
            self.samples.push((self.amplitude * self.phase.advance(step)).round() as i16);
        }
    }

    /// Sends one byte: start bit, eight bits beginning with the lowest, stop bit.
    pub fn byte(&mut self, byte: u8) {
        self.bit(false);
        for n in 0..8 {
            self.bit(byte >> n & 1 == 1);
        }
        self.bit(true);
    }

    /// The samples of all that was sent.
    #[must_use]
    pub fn finish(self) -> Vec<i16> {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIANTS: [Variant; 2] = [Variant::Bell202, Variant::V23];

    #[test]
    fn a_thousand_bits_take_exactly_their_time() {
        for variant in VARIANTS {
            let mut modulator = Modulator::new(variant, -13.5);
            (0..1_200).for_each(|n| modulator.bit(n % 3 == 0));
            let samples = modulator.finish();
            assert_eq!(samples.len(), 8_000);
            assert!((level::dbm0(&samples) + 13.5).abs() < 0.1);
        }
    }

    #[test]
    fn mark_and_space_have_their_frequencies() {
        for (variant, mark, hz) in [
            (Variant::Bell202, true, 1_200),
            (Variant::Bell202, false, 2_200),
            (Variant::V23, true, 1_300),
            (Variant::V23, false, 2_100),
        ] {
            let mut modulator = Modulator::new(variant, -13.5);
            (0..1_200).for_each(|_| modulator.bit(mark));
            let samples = modulator.finish();
            let rises = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
            assert!(rises.abs_diff(hz) <= 1, "{variant:?} {mark}: {rises}");
        }
    }

    #[test]
    fn the_phase_never_jumps() {
        let mut modulator = Modulator::new(Variant::Bell202, -13.5);
        b"\x55\x00\xffphase".iter().for_each(|&byte| modulator.byte(byte));
        let samples = modulator.finish();
        // The steepest step of a 2,200 Hz sine.
        let most =
            f64::from(level::amplitude(-13.5)) * 2.0 * (std::f64::consts::PI * 2_200.0 / 8_000.0).sin();
        let steepest =
            samples.windows(2).map(|w| (f64::from(w[1]) - f64::from(w[0])).abs()).fold(0.0, f64::max);
        assert!(steepest <= most + 1.0, "{steepest} {most}");
    }
}
