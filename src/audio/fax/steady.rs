//! Pure tones: the calling tone by the length of its burst, the answer tones by their modulation.
//!
//! Both are followed in halves of a period, 5 ms: short enough that a tone 38 Hz beside its place still counts as
//! pure, and that a phase reversal spoils only one.

use super::{FaxTone, PERIOD, Wave};

/// Share of its energy that a half owes to its tone: 12 dB over noise, 38 Hz beside its place.
const PURE: f32 = 0.78;
/// Halves that may be spoilt in a row: by a phase reversal, or a click.
const SPOILT: u32 = 1;
/// Cosine of the angle that 48 Hz make in a half, for 1,100 ± 38 Hz.
const CALLING_SLIP: f32 = 0.063;
/// Cosine of the angle that 30 Hz make in a half, for 2,100 ± 15 Hz.
const ANSWER_SLIP: f32 = 0.588;
/// Halves of a burst of the calling tone: 0.5 s ± 15 %, and 15 ms.
const BURST: std::ops::RangeInclusive<u32> = 82..=118;
/// Halves after it that must be quiet: 100 ms.
const QUIET: u32 = 20;
/// Energy around a burst, relative to it.
const AROUND: f32 = 0.12;
/// Halves of a look at an answer tone: 400 ms, six turns of its modulation.
const LOOK: u32 = 80;
/// How far the modulation of 15 Hz turns in a half.
const TURN: Wave = [0.891_006_5, 0.453_990_5];
/// Depths of modulation: V.8 has 0.2 ± 0.01, V.25 none.
const MODULATED: std::ops::RangeInclusive<f32> = 0.12..=0.3;
const PLAIN: std::ops::RangeInclusive<f32> = 0.0..=0.06;
/// Mean square of the amplitude over the square of its mean; 0.2 of modulation has 1.02.
const EVEN: f32 = 1.06;

/// Half a period, mixed down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Half {
    pub(super) wave: Wave,
    pub(super) energy: f32,
}

impl Half {
    /// Energy of the tone.
    fn tone(&self) -> f32 {
        let [re, im] = self.wave;
        (re * re + im * im) * (4.0 / PERIOD as f32)
    }

    fn is_pure(&self) -> bool {
        self.energy > 0.0 && self.tone() >= PURE * self.energy
    }

    /// Whether the phase went on from the half before, but for an angle with this cosine.
    fn continues(&self, before: Wave, slip: f32) -> bool {
        let [re, im] = self.wave;
        let size = (re * re + im * im) * (before[0] * before[0] + before[1] * before[1]);
        re * before[0] + im * before[1] >= slip * size.sqrt()
    }
}

/// A tone that goes on.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Halves of it, those spoilt and followed by a pure one included.
    halves: u32,
    spoilt: u32,
    last: Wave,
}

impl Run {
    /// Adds a half; false if the tone is over.
    fn add(&mut self, half: &Half, slip: f32) -> bool {
        let follows = self.halves == 0 || self.spoilt > 0 || half.continues(self.last, slip);
        self.last = half.wave;
        if half.is_pure() && follows {
            self.halves += 1 + self.spoilt;
            self.spoilt = 0;
            return true;
        }
        self.spoilt += 1;
        self.halves > 0 && self.spoilt <= SPOILT
    }
}

/// Follows the calling tone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calling {
    run: Run,
    /// Energy of the run.
    energy: f32,
    /// Mean energy of a half before the run.
    before: f32,
    after: Option<After>,
}

/// A burst is over, and quiet has to follow.
#[derive(Clone, Copy, Debug)]
struct After {
    halves: u32,
    energy: f32,
    most: f32,
}

impl Calling {
    pub(super) fn hear(&mut self, halves: [Half; 2]) -> Option<FaxTone> {
        let [first, second] = halves.map(|half| self.hear_half(&half));
        (first || second).then_some(FaxTone::Cng)
    }

    pub(super) fn silence(&mut self) -> Option<FaxTone> {
        self.hear([Half::default(); 2])
    }

    fn hear_half(&mut self, half: &Half) -> bool {
        let found = self.wait_for_quiet(half.energy);
        if self.run.add(half, CALLING_SLIP) {
            self.energy += half.energy;
            return found;
        }
        let mean = self.energy / self.run.halves.max(1) as f32;
        if BURST.contains(&self.run.halves) && self.before <= AROUND * mean {
            self.after = Some(After { halves: 0, energy: 0.0, most: AROUND * mean * QUIET as f32 });
        }
        if self.run.halves > 0 {
            self.before = mean;
        }
        self.before += (half.energy - self.before) / 8.0;
        (self.run, self.energy) = (Run::default(), 0.0);
        found
    }

    /// True when enough quiet followed a burst.
    fn wait_for_quiet(&mut self, energy: f32) -> bool {
        let Some(after) = &mut self.after else { return false };
        after.halves += 1;
        after.energy += energy;
        let (quiet, over) = (after.energy <= after.most, after.halves == QUIET);
        if over || !quiet {
            self.after = None;
        }
        over && quiet
    }
}

/// Follows the answer tones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    run: Run,
    /// Halves of this look.
    looked: u32,
    /// Sums of the amplitude and of its square.
    sum: f32,
    squares: f32,
    /// The modulation's phase, and the amplitude correlated with it.
    phase: Wave,
    modulation: Wave,
    /// Looks in a row that saw no modulation.
    plain: u32,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            run: Run::default(),
            looked: 0,
            sum: 0.0,
            squares: 0.0,
            phase: [1.0, 0.0],
            modulation: [0.0; 2],
            plain: 0,
        }
    }
}

impl Answer {
    pub(super) fn hear(&mut self, halves: [Half; 2]) -> Option<FaxTone> {
        let [first, second] = halves.map(|half| self.hear_half(&half));
        first.or(second)
    }

    fn hear_half(&mut self, half: &Half) -> Option<FaxTone> {
        if !self.run.add(half, ANSWER_SLIP) {
            *self = Self::default();
            return None;
        }
        // What a reversal spoilt is taken to be as loud as the rest.
        let mean = self.sum / self.looked.max(1) as f32;
        let size = if self.run.spoilt > 0 { mean } else { half.tone().sqrt() };
        self.sum += size;
        self.squares += size * size;
        let [re, im] = self.phase;
        self.modulation = [self.modulation[0] + size * re, self.modulation[1] + size * im];
        self.phase = [re * TURN[0] - im * TURN[1], re * TURN[1] + im * TURN[0]];
        self.looked += 1;
        if self.looked < LOOK {
            return None;
        }
        let depth = 2.0 * self.modulation[0].hypot(self.modulation[1]) / self.sum;
        let even = self.squares * LOOK as f32 <= EVEN * self.sum * self.sum;
        let plain = if even && PLAIN.contains(&depth) { self.plain + 1 } else { 0 };
        *self = Self { run: self.run, plain, ..Self::default() };
        match plain {
            0 if even && MODULATED.contains(&depth) => Some(FaxTone::Ansam),
            2.. => Some(FaxTone::Ced),
            _ => None,
        }
    }
}
