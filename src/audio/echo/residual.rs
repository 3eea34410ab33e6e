//! Non-linear processor: puts comfort noise in the place of the echo that is left (ITU-T G.168 clause 8).
//!
//! The near talker comes first. A period is replaced only if all of its blocks are so weak that what is known of the
//! residual explains them, and only while there is echo at all; it opens for a period as a whole, so the begin of a word
//! passes, and it stays open for a while after the last block that was louder.

use super::{PERIOD, comfort_noise::ComfortNoise, kernel::energy, projection::ORDER};

/// Energy over the expected residual above which a block is the near talker.
const NEAR_TALKER: f32 = 8.0;
/// Periods for which the near talker is expected to go on: 200 ms, the pauses inside of words.
const HANGOVER_PERIODS: u16 = 20;
/// What each period of the near talker adds to that, so that a single loud block of echo does not open for long.
const HANGOVER_STEP: u16 = 3;
/// Part of the echo that the linear canceller leaves before it is known, and at most: 20 dB.
const MOST_LEFT: f32 = 0.01;
/// At least: 40 dB, below µ-law quantisation.
const LEAST_LEFT: f32 = 1e-4;
/// How far that part follows what a period shows, and how far it creeps up against a near talker.
const FOLLOW: f32 = 0.05;
const CREEP: f32 = 0.005;
/// Echo over noise from which a period shows it.
const ECHO_OVER_NOISE: f32 = 30.0;
/// Part of the expected echo that is left a period later; the line rings on.
const RINGING: f32 = 0.5;
/// Residual below this part of the noise is not heard.
const UNHEARD: f32 = 0.1;

/// Non-linear processor of one port.
#[derive(Clone, Debug)]
pub(super) struct Residual {
    noise: ComfortNoise,
    /// Part of the echo that the linear canceller leaves.
    left: f32,
    /// Expected energy of the loudest block of echo.
    echo: f32,
    hangover_periods: u16,
    /// Whether the last period was replaced.
    closed: bool,
}

/// What the processor made of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// No echo to speak of.
    NoEcho,
    /// Echo alone.
    Echo,
    /// The near talker, with or without echo.
    NearTalker,
}

impl Residual {
    pub(super) const fn new() -> Self {
        Self { noise: ComfortNoise::new(), left: MOST_LEFT, echo: 0.0, hangover_periods: 0, closed: false }
    }

    /// A call begins: noise and residual of the line stay known.
    pub(super) fn begin(&mut self) {
        (self.echo, self.hangover_periods, self.closed) = (0.0, 0, false);
    }

    /// Energy per sample of the line's noise.
    pub(super) fn noise(&self) -> f32 {
        self.noise.energy() / PERIOD as f32
    }

    /// Decides what a period is. `residual` is the near signal without `echo`.
    pub(super) fn hear(&mut self, residual: &[f32; PERIOD], echo: &[f32; PERIOD]) -> Heard {
        let (loudest, echo_energy, all) = (loudest_block(residual), loudest_block(echo), energy(residual));
        self.noise.learn(residual, all);
        self.echo = (self.echo * RINGING).max(echo_energy);
        let noise = self.noise.energy() * (ORDER as f32 / PERIOD as f32);
        let expected = self.left * self.echo;
        let near_talker = loudest > NEAR_TALKER * (expected + noise) + f32::MIN_POSITIVE;
        if near_talker {
            self.hangover_periods = (self.hangover_periods + HANGOVER_STEP).min(HANGOVER_PERIODS);
        } else {
            self.hangover_periods = self.hangover_periods.saturating_sub(1);
        }
        self.adjust(all, energy(echo), near_talker);
        match (self.hangover_periods > 0, expected > UNHEARD * noise) {
            (true, _) => Heard::NearTalker,
            (false, true) => Heard::Echo,
            (false, false) => Heard::NoEcho,
        }
    }

    /// Follows the part that is left. While there seems to be a near talker it only creeps up, so that a residual that
    /// has grown is not taken for one forever.
    fn adjust(&mut self, residual: f32, echo: f32, near_talker: bool) {
        if echo > ECHO_OVER_NOISE * self.noise.energy() {
            let left = residual / echo;
            self.left += if near_talker { CREEP * self.left.min(left) } else { FOLLOW * (left - self.left) };
            self.left = self.left.clamp(LEAST_LEFT, MOST_LEFT);
        }
    }

    /// Replaces the period if it is echo alone. It fades in over the first period; it ends at once, since a faded
    /// word would begin late.
    pub(super) fn suppress(&mut self, heard: Heard, residual: &mut [f32; PERIOD]) {
        let close = heard == Heard::Echo;
        if close {
            let noise = self.noise.make();
            for (n, (sample, noise)) in residual.iter_mut().zip(&noise).enumerate() {
                let share = if self.closed { 1.0 } else { n as f32 / PERIOD as f32 };
                *sample += share * (noise - *sample);
            }
        }
        self.closed = close;
    }
}

/// Energy of the loudest of the blocks of a period.
fn loudest_block(samples: &[f32; PERIOD]) -> f32 {
    samples.as_chunks::<ORDER>().0.iter().fold(0.0, |most, block| most.max(energy(block)))
}
