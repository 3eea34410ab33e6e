//! The background filter: learns the echo path and knows how well it knows it.
//!
//! Each step weighs two energies: the misalignment, what is not yet known of the path, and the noise, that part of the
//! error which the misalignment cannot explain. While both ends talk the noise is the near talker, and the steps shrink
//! by themselves from the first 2 ms on; once the path is known they are so small that they are left out.

use super::{
    PERIOD, TAPS,
    history::History,
    kernel::{add_rows, correlate, energy},
    projection::{self, ORDER},
};

/// Misalignment of a filter that knows nothing: an echo path of 3 dB return loss, spread over all taps.
pub(super) const UNKNOWN: f32 = 0.5 / TAPS as f32;
/// What a path that stands still drifts in a block (2 ms): 50 dB below what was sent, in a second.
const DRIFT: f32 = 1e-5 / 500.0 / TAPS as f32;
/// Part of the settled dimensions by which the misalignment falls. Speech excites the same ones again and again, so
/// that less is new in a step than its own equations say.
const NEWS: f32 = 0.5;
/// Energy of µ-law quantisation relative to the signal: -37 dB (ITU-T G.711).
const QUANTISATION: f32 = 2e-4;
/// Energy per sample of the smallest µ-law steps, 8 units wide.
const SMALLEST_STEPS: f32 = 6.0;
/// Part of the noise that is still expected a block later.
const NOISE_MEMORY: f32 = 0.93;
/// A step is left out if misalignment explains no more than this part of the error.
const NEGLIGIBLE: f32 = 0.25;

/// Noise energy per sample that every `near` has: the line's `own` and that of its companding.
pub(super) fn noise_floor(near: &[f32], own: f32) -> f32 {
    own + SMALLEST_STEPS + QUANTISATION * energy(near) / near.len() as f32
}

/// An adaptive filter.
#[derive(Clone, Debug)]
pub(super) struct AdaptiveFilter {
    /// In order of time, oldest first.
    pub(super) taps: [f32; TAPS],
    /// Expected square of the error of one tap.
    pub(super) misalignment: f32,
    /// Noise energy per sample.
    noise: f32,
}

/// What a period taught.
pub(super) struct Lesson {
    /// Energy of the errors, each made before learning from it.
    pub(super) error: f32,
    /// Whether the taps moved.
    pub(super) moved: bool,
}

impl AdaptiveFilter {
    pub(super) const fn new() -> Self {
        Self { taps: [0.0; TAPS], misalignment: UNKNOWN, noise: SMALLEST_STEPS }
    }

    /// Learns from a period. `known` are the errors of these very taps, if somebody has them already.
    pub(super) fn learn(
        &mut self,
        far: &History,
        near: &[f32; PERIOD],
        known: Option<&[f32; PERIOD]>,
        own_noise: f32,
    ) -> Lesson {
        let mut lesson = Lesson { error: 0.0, moved: false };
        for (block, near) in near.as_chunks::<ORDER>().0.iter().enumerate() {
            let window = far.window(block * ORDER);
            let known = known.filter(|_| !lesson.moved).and_then(|errors| errors.as_chunks().0.get(block));
            let errors = known.copied().unwrap_or_else(|| {
                let echo = correlate::<ORDER>(&self.taps, window);
                std::array::from_fn(|i| near[i] - echo[i])
            });
            lesson.error += energy(&errors);
            lesson.moved |= self.step(window, far.energy(block), &errors, noise_floor(near, own_noise));
        }
        lesson
    }

    /// Takes one step, unless there is nothing to learn; whether it did.
    fn step(&mut self, window: &[f32], far: f32, errors: &[f32; ORDER], floor: f32) -> bool {
        let explained = self.misalignment * far;
        let unexplained = energy(errors) / ORDER as f32 - explained;
        self.noise = (self.noise * NOISE_MEMORY).max(unexplained).max(floor);
        self.misalignment = (self.misalignment + DRIFT).min(UNKNOWN);
        if explained < NEGLIGIBLE * self.noise {
            return false;
        }
        let Some(step) = projection::step(window, TAPS, errors, self.noise / self.misalignment) else {
            return false;
        };
        add_rows(&mut self.taps, &step.gains, window);
        self.misalignment *= 1.0 - NEWS * step.settled / TAPS as f32;
        true
    }
}
