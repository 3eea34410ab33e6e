//! A sine source at 8 kHz without a table and without drift.
//!
//! The phase is a 32-bit fraction of a turn, so it wraps for free and a tone that sounds for hours stays as exact as
//! in its first period (a two-term recurrence would not).

use super::level;
use std::f32::consts::FRAC_PI_2;

/// Samples per second everywhere in this crate.
pub const SAMPLE_HZ: u32 = 8_000;

/// Phase of a sine in turns of 2^-32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase(u32);

impl Phase {
    /// How far the phase moves from one sample to the next at `hz`, 0 to 4,000.
    #[must_use]
    pub fn step(hz: f32) -> u32 {
        (f64::from(hz) / f64::from(SAMPLE_HZ) * 4_294_967_296.0) as u32
    }

    /// The sine at this phase, -1 to 1; then moves on by `step`.
    pub fn advance(&mut self, step: u32) -> f32 {
        let now = sine(self.0);
        self.0 = self.0.wrapping_add(step);
        now
    }
}

/// One frequency at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oscillator {
    phase: Phase,
    step: u32,
    amplitude: f32,
}

impl Oscillator {
    /// Starts at phase 0; `hz` 0 is silence.
    #[must_use]
    pub fn new(hz: f32, dbm0: f32) -> Self {
        Self { phase: Phase::default(), step: Phase::step(hz), amplitude: level::amplitude(dbm0) }
    }

    /// The next sample, not yet rounded so that frequencies can be added.
    pub fn advance(&mut self) -> f32 {
        self.amplitude * self.phase.advance(self.step)
    }

    /// Goes back to phase 0: a burst that starts there does not click.
    pub fn restart(&mut self) {
        self.phase = Phase::default();
    }
}

/// Sine of a phase, by its Taylor series on a quarter turn; the error is below -105 dB.
fn sine(phase: u32) -> f32 {
    const QUARTER: i32 = 1 << 30;
    let turn = phase as i32;
    // Reflect the second and third quarter: sin(half - x) = sin(x).
    let quarter = if (-QUARTER..=QUARTER).contains(&turn) { turn } else { i32::MIN.wrapping_sub(turn) };
    let x = quarter as f32 * (FRAC_PI_2 / QUARTER as f32);
    let square = x * x;
    x * (1.0
        + square
            * (-1.0 / 6.0 + square * (1.0 / 120.0 + square * (-1.0 / 5_040.0 + square * (1.0 / 362_880.0)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_follows_the_sine_all_around() {
        for i in 0..4_096_u32 {
            let exact = (f64::from(i) / 4_096.0 * std::f64::consts::TAU).sin();
            let ours = f64::from(sine(i << 20));
            assert!((ours - exact).abs() < 5e-6, "{i}: {ours} {exact}");
        }
    }

    #[test]
    fn an_oscillator_has_its_frequency_and_level() {
        let mut tone = Oscillator::new(440.0, -10.0);
        let samples: Vec<i16> = (0..8_000).map(|_| tone.advance().round() as i16).collect();
        let rises = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        assert!((438..=440).contains(&rises), "{rises}");
        assert!((level::dbm0(&samples) + 10.0).abs() < 0.01);
    }
}
