//! Bell 202 modulation as caller ID uses it: 1,200 bit/s, mark (1) 1,200 Hz, space (0) 2,200 Hz, phase continuous
//! (Telcordia GR-30-CORE section 2.1).

use super::{
    level,
    sine::{Phase, SAMPLE_HZ},
};

/// Bits per second.
pub const BIT_RATE: u32 = 1_200;
const MARK_HZ: f32 = 1_200.0;
const SPACE_HZ: f32 = 2_200.0;

/// Turns bits into samples at 8 kHz.
#[derive(Debug)]
pub struct Modulator {
    samples: Vec<i16>,
    amplitude: f32,
    phase: Phase,
    /// Bits so far; one bit is 6 2/3 samples, so the length of a bit comes from where it ends.
    bits: u32,
}

impl Modulator {
    /// A signal of `dbm0`.
    #[must_use]
    pub fn new(dbm0: f32) -> Self {
        Self { samples: Vec::new(), amplitude: level::amplitude(dbm0), phase: Phase::default(), bits: 0 }
    }

    /// Sends one bit.
    pub fn bit(&mut self, mark: bool) {
        let step = Phase::step(if mark { MARK_HZ } else { SPACE_HZ });
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

    #[test]
    fn a_thousand_bits_take_exactly_their_time() {
        let mut modulator = Modulator::new(-13.5);
        (0..1_200).for_each(|n| modulator.bit(n % 3 == 0));
        let samples = modulator.finish();
        assert_eq!(samples.len(), 8_000);
        assert!((level::dbm0(&samples) + 13.5).abs() < 0.1);
    }

    #[test]
    fn the_phase_never_jumps() {
        let mut modulator = Modulator::new(-13.5);
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
