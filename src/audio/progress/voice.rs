//! Evidence of a voice: sound that rises above the noise and whose spectrum moves.
//!
//! A tone, a modem's carrier and steady noise keep their spectrum; speech changes it with every sound, several times a
//! second. One number stands for the spectrum: the correlation of neighbouring samples, near 1 for vowels, below 0 for
//! hisses. It says "somebody talks", not who; music counts as talking.

use super::{
    Settings, mean_square,
    spectrum::{PERIOD, WINDOW, dot},
};

/// Energy that is above all noise of a line, as a ratio to the noise floor: 6 dB.
const ABOVE_FLOOR: f32 = 4.0;
/// How fast the floor rises to a steady sound: 6 dB in a second.
const FLOOR_RISE: f32 = 1.014;
/// Change of the correlation between two windows of 80 ms that a steady sound does not reach.
const MOVES: f32 = 0.06;
/// Energy of a window that goes on in the next, as a ratio to it: -10 dB.
const CONTINUES: f32 = 0.1;
/// Share of the last half second or so that must move.
const SHARE: f32 = 0.15;
/// Weight of a period in that share: 1/50 of it is forgotten in 10 ms.
const WEIGHT: f32 = 0.02;

/// The ear for voices: a detector's, or alone where the tones of the line are not known.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Energy, and correlation of neighbours, of the last two windows, newest last.
    periods: [(f32, f32); 2 * WINDOW],
    floor: f32,
    share: f32,
    /// Mean square below which nothing is a voice where nobody says so.
    least: f32,
}

impl Default for Voice {
    fn default() -> Self {
        Self::new()
    }
}

impl Voice {
    /// Has heard silence so far.
    #[must_use]
    pub fn new() -> Self {
        let least = mean_square(Settings::default().silence_dbm0);
        Self { periods: [(0.0, 0.0); 2 * WINDOW], floor: f32::MAX, share: 0.0, least }
    }

    /// Takes 10 ms with its mean square; whether somebody talked, or music played, in the last half second.
    pub fn listen(&mut self, samples: &[i16; PERIOD], mean_square: f32) -> bool {
        let wave = samples.map(f32::from);
        self.hear(&wave, mean_square, self.least);
        self.is_speech()
    }

    /// Takes a period with its mean square; `least` is the mean square below which nothing is a voice.
    pub(super) fn hear(&mut self, samples: &[f32; PERIOD], energy: f32, least: f32) {
        // Lanes of eight; the last few samples do not matter.
        let neighbours = dot(&samples[1..], samples);
        self.periods.copy_within(1.., 0);
        self.periods[2 * WINDOW - 1] = (energy, neighbours / (PERIOD - 8) as f32);
        // The floor follows what is softer at once, what is louder slowly.
        self.floor = (self.floor * FLOOR_RISE).min(energy.max(1.0));
        let (before, now) = self.periods.split_at(WINDOW);
        let (before, now) = (Window::of(before), Window::of(now));
        let speaks = energy > least && energy > ABOVE_FLOOR * self.floor;
        let moves = (now.correlation() - before.correlation()).abs() > MOVES;
        // From noise to a tone the spectrum moves as well, once.
        let goes_on = before.energy > CONTINUES * now.energy;
        let heard = if speaks && moves && goes_on { 1.0 } else { 0.0 };
        self.share += WEIGHT * (heard - self.share);
    }

    /// A known tone sounds: what changed was its beginning and end.
    pub(super) fn discount(&mut self) {
        self.share *= 1.0 - 3.0 * WEIGHT;
    }

    pub(super) fn is_speech(&self) -> bool {
        self.share > SHARE
    }
}

/// Sums over a window of 80 ms.
struct Window {
    energy: f32,
    neighbours: f32,
}

impl Window {
    fn of(periods: &[(f32, f32)]) -> Self {
        let zero = Self { energy: 0.0, neighbours: 0.0 };
        periods.iter().fold(zero, |sum, (energy, neighbours)| Self {
            energy: sum.energy + energy,
            neighbours: sum.neighbours + neighbours,
        })
    }

    /// Correlation of neighbours, -1 to 1.
    fn correlation(&self) -> f32 {
        self.neighbours / self.energy.max(1.0)
    }
}
