//! Comfort noise: what the near line sounds like when nobody speaks, in level and in colour.
//!
//! The level is the least of the residual's energy over the last seconds. The colour is an all-pole model of order
//! [`ORDER`], from the autocorrelation of the periods that are not louder than that: hum and hiss of the line come out
//! as hum and hiss.

use super::{PERIOD, kernel};

/// Poles of the model.
const ORDER: usize = 8;
/// Periods of one half of the window in which the least energy is looked for: 1 s.
const HALF_WINDOW: u16 = 100;
/// Energy of a period of the loudest noise that is taken for one: -50 dBm0.
const LOUDEST: f32 = 2_603.0 * PERIOD as f32;
/// Mean energy of a period of noise over the least of some hundred.
const MEAN_OVER_LEAST: f32 = 1.4;
/// A period up to this part of the level is noise alone.
const NOISE_ALONE: f32 = 2.0;
/// Part of the autocorrelation that is left a period later.
const MEMORY: f32 = 0.95;
/// White noise added to the model, so that no pole comes near the circle: -40 dB.
const WHITENING: f32 = 1.0001;

/// Model and source of one port's noise.
#[derive(Clone, Debug)]
pub(super) struct ComfortNoise {
    /// Least energy of a period in the present and in the last half window.
    least: [f32; 2],
    periods: u16,
    autocorrelation: [f32; ORDER + 1],
    coefficients: [f32; ORDER],
    /// Energy of the model's input for an output of energy 1.
    input: f32,
    past: [f32; ORDER],
    seed: u32,
}

impl ComfortNoise {
    pub(super) const fn new() -> Self {
        Self {
            least: [LOUDEST / MEAN_OVER_LEAST; 2],
            periods: 0,
            autocorrelation: [0.0; ORDER + 1],
            coefficients: [0.0; ORDER],
            input: 1.0,
            past: [0.0; ORDER],
            seed: 1,
        }
    }

    /// Energy of the noise in a period.
    pub(super) fn energy(&self) -> f32 {
        self.least[0].min(self.least[1]) * MEAN_OVER_LEAST
    }

    /// Learns from a period of the near signal without echo.
    pub(super) fn learn(&mut self, samples: &[f32; PERIOD], energy: f32) {
        let energy_or_most = energy.min(LOUDEST / MEAN_OVER_LEAST);
        self.least[0] = self.least[0].min(energy_or_most);
        self.periods += 1;
        if self.periods >= HALF_WINDOW {
            self.periods = 0;
            self.least = [energy_or_most, self.least[0]];
        }
        if energy <= NOISE_ALONE * self.energy() {
            self.colour(samples);
        }
    }

    fn colour(&mut self, samples: &[f32; PERIOD]) {
        for (lag, value) in self.autocorrelation.iter_mut().enumerate() {
            let products = samples.iter().zip(&samples[lag..]).map(|(a, b)| a * b);
            *value = MEMORY * *value + products.sum::<f32>();
        }
        self.fit();
    }

    /// The Levinson-Durbin recursion.
    fn fit(&mut self) {
        let r = &self.autocorrelation;
        let all = r[0] * WHITENING;
        let mut error = all;
        let mut a = [0.0; ORDER];
        for i in 0..ORDER {
            if error.is_nan() || error <= 0.0 {
                return;
            }
            let predicted: f32 = (0..i).map(|j| a[j] * r[i - j]).sum();
            let reflection = (r[i + 1] - predicted) / error;
            let before = a;
            a[i] = reflection;
            for j in 0..i {
                a[j] = before[j] - reflection * before[i - 1 - j];
            }
            error *= 1.0 - reflection * reflection;
        }
        if error > 0.0 && a.iter().all(|a| a.is_finite()) {
            (self.coefficients, self.input) = (a, error / all);
        }
    }

    /// A period of noise.
    pub(super) fn make(&mut self) -> [f32; PERIOD] {
        // A uniform distribution from -1 to 1 has a third of its peak's energy.
        let peak = (self.energy() / PERIOD as f32 * self.input * 3.0).sqrt();
        let mut out = [0.0; PERIOD];
        for sample in &mut out {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let input = self.seed as i32 as f32 * (peak / 2_147_483_648.0);
            let predicted: f32 = self.past.iter().zip(&self.coefficients).map(|(past, a)| past * a).sum();
            *sample = input + predicted;
            self.past.copy_within(..ORDER - 1, 1);
            self.past[0] = *sample;
        }
        if !kernel::energy(&out).is_finite() {
            self.past = [0.0; ORDER];
            return [0.0; PERIOD];
        }
        out
    }
}
