//! What the line hears where audio is missing, and where the playout depth is corrected.
//!
//! A correction leaves out or inserts some 10 ms and costs nothing to hear in silence, which is as loud as the
//! background or nearly so. Where there is no silence for [`PATIENCE`], one pitch period is left out or inserted. Both
//! are the same cross-fade, from what comes next to what comes a little later or came a little earlier.

use crate::audio::PERIOD;
use crate::{
    audio::{
        conceal::{Concealer, HISTORY},
        g711::{self, Law},
        interleaved::ColumnMut,
    },
    rtp::playout::{Playout, Wish},
};

/// Samples between two corrections that shorten: 1 s.
const SHORTEN_EVERY: u32 = 8_000;
/// Samples above the target that are left from a stall of the network, and taken back sooner: 40 ms.
const STALLED: u32 = 320;
/// Samples between two corrections that lengthen, or take back a stall: 100 ms.
const SOON: u32 = 800;
/// Samples between two looks for silence: 40 ms. A pause between two words is longer.
const LOOK_EVERY: u32 = 320;
/// Codes of which one is looked at to tell silence.
const LOOK_AT: usize = 4;
/// Samples that a correction waits for silence: 5 s.
const PATIENCE: u32 = 40_000;
/// Samples that the depth must be off for a correction outside silence: 20 ms.
const URGENT: u32 = 160;
/// Longest and shortest pitch period that is left out or inserted; one that is inserted is no longer than a period of
/// the line, since what was played is not played again.
const PITCHES: std::ops::RangeInclusive<usize> = 20..=PERIOD;
/// Least likeness of two pitch periods.
const ALIKE: f32 = 0.6;
/// Mean magnitude of the quietest background that is told from silence, −62 dBm0, and of the loudest, −40 dBm0.
const FLOORS: (f32, f32) = (10.0, 65.0);
/// Silence is at most so much louder than the background: 6 dB.
const MARGIN: f32 = 2.0;
/// The background is believed to grow by this from look to look without silence: twice as loud after 1.4 s.
const FLOOR_GROWTH: f32 = 1.02;

/// Concealment and corrections of one stream.
#[derive(Debug)]
pub(super) struct Mending {
    concealer: Concealer,
    /// Mean magnitude of the background.
    floor: f32,
    /// The line's time when a correction was first wished for, and when last.
    wished: (u32, u32),
    /// The line's time at the last correction.
    corrected: Option<u32>,
    /// The line's time at the last look for silence, and for a pitch period.
    looked: (u32, u32),
    concealed_samples: u64,
    corrections: u64,
    in_silence: u64,
}

impl Default for Mending {
    fn default() -> Self {
        Self {
            concealer: Concealer::default(),
            floor: FLOORS.0,
            wished: (0, 0),
            corrected: None,
            looked: (0, 0),
            concealed_samples: 0,
            corrections: 0,
            in_silence: 0,
        }
    }
}

impl Mending {
    pub(super) const fn concealed_samples(&self) -> u64 {
        self.concealed_samples
    }

    pub(super) const fn corrections(&self) -> u64 {
        self.corrections
    }

    pub(super) const fn corrections_in_silence(&self) -> u64 {
        self.in_silence
    }

    /// Another stream begins; what was counted stays.
    pub(super) fn clear(&mut self) {
        self.concealer.clear();
    }

    /// The peer pauses; its background is `level` dB below the overload point.
    pub(super) fn pause(&mut self, level: u8) {
        self.concealer.set_background(level);
    }

    /// Whether nothing is being concealed.
    #[inline]
    pub(super) const fn is_idle(&self) -> bool {
        self.concealer.is_idle()
    }

    /// Cross-fades what was concealed into the audio after it.
    #[cold]
    pub(super) fn join<'s>(&mut self, samples: impl Iterator<Item = &'s mut i16>) {
        self.concealer.join(samples);
    }

    /// Makes up `samples` samples that are missing. A modem hears silence instead.
    #[cold]
    pub(super) fn fill(&mut self, law: Law, playout: &Playout, samples: usize, line: &mut ColumnMut<'_>) {
        if playout.is_fixed() || !playout.is_running() {
            return;
        }
        if !self.concealer.is_filling() {
            if playout.is_pausing() {
                self.concealer.begin_pause();
            } else {
                let mut codes = [0; HISTORY];
                let mut heard = [0; HISTORY];
                let some = playout.look_back(&mut codes);
                if some == 0 {
                    // Nothing was heard yet that could be carried on.
                    return;
                }
                let heard = &mut heard[..some];
                expand(law, &codes[HISTORY - some..], heard);
                self.concealer.begin(heard);
            }
        }
        let mut period = [0; PERIOD];
        let period = &mut period[..samples.min(PERIOD)];
        self.concealed_samples += u64::from(self.concealer.fill(period));
        line.write(period, |&sample| sample);
    }

    /// Whether it is time to look for a moment in which a correction is not heard.
    #[inline]
    pub(super) const fn is_due(&self, line: u32) -> bool {
        line.wrapping_sub(self.looked.0) >= LOOK_EVERY
    }

    /// Shortens or lengthens what comes next, if this is the moment; gives the period to be played instead.
    #[cold]
    pub(super) fn correct(&mut self, wish: Wish, law: Law, playout: &mut Playout) -> Option<[i16; PERIOD]> {
        let line = playout.line();
        if line.wrapping_sub(self.wished.1) > LOOK_EVERY + PERIOD as u32 {
            self.wished.0 = line;
        }
        self.wished.1 = line;
        let (off, every) = match wish {
            Wish::Nothing => return None,
            Wish::Shorten(off) if off < STALLED => (off, SHORTEN_EVERY),
            Wish::Shorten(off) | Wish::Lengthen(off) => (off, SOON),
        };
        let since = |then: Option<u32>| then.is_none_or(|then| line.wrapping_sub(then) >= every);
        self.looked.0 = line;
        if !self.concealer.is_idle() || !since(self.corrected) {
            return None;
        }
        let codes = match wish {
            Wish::Lengthen(_) => before(playout)?,
            Wish::Shorten(_) | Wish::Nothing => after(playout)?,
        };
        let silent = self.is_silent(law, &codes);
        let urgent = off >= URGENT
            && line.wrapping_sub(self.wished.0) >= PATIENCE
            && line.wrapping_sub(self.looked.1) >= SOON;
        if !silent && !urgent {
            return None;
        }
        let audio = Around::new(law, &codes, matches!(wish, Wish::Lengthen(_)));
        let lag = if silent {
            PERIOD
        } else {
            self.looked.1 = line;
            audio.pitch()?
        };
        self.corrections += 1;
        self.in_silence += u64::from(silent);
        self.corrected = Some(line);
        playout.pass(PERIOD as u32, audio.samples_passed(lag));
        Some(audio.cross_fade(lag))
    }

    /// Whether both sides of a correction are as quiet as the background; learns that from what it sees.
    fn is_silent(&mut self, law: Law, codes: &[u8; 2 * PERIOD]) -> bool {
        let magnitude = |half: &[u8]| {
            let some = half.iter().step_by(LOOK_AT);
            let sum: u32 = some.map(|&code| u32::from(g711::expand(law, code).unsigned_abs())).sum();
            sum as f32 / (PERIOD / LOOK_AT) as f32
        };
        let (first, second) = codes.split_at(PERIOD);
        let level = magnitude(first).max(magnitude(second));
        self.floor = (self.floor * FLOOR_GROWTH).min(level).clamp(FLOORS.0, FLOORS.1);
        level <= self.floor * MARGIN
    }
}

/// Two periods around a correction.
struct Around {
    samples: [i16; 2 * PERIOD],
    /// Whether the second of them comes next, and the first was played; else both come.
    lengthens: bool,
}

/// The two periods that come next.
fn after(playout: &Playout) -> Option<[u8; 2 * PERIOD]> {
    let mut codes = [0; 2 * PERIOD];
    (playout.peek(&mut codes) == codes.len()).then_some(codes)
}

/// The period that was played and the one that comes next.
fn before(playout: &Playout) -> Option<[u8; 2 * PERIOD]> {
    let mut codes = [0; 2 * PERIOD];
    let (before, after) = codes.split_at_mut(PERIOD);
    let whole = playout.is_seamless() && playout.look_back(before) == PERIOD && playout.peek(after) == PERIOD;
    whole.then_some(codes)
}

impl Around {
    fn new(law: Law, codes: &[u8; 2 * PERIOD], lengthens: bool) -> Self {
        let mut samples = [0; 2 * PERIOD];
        expand(law, codes, &mut samples);
        Self { samples, lengthens }
    }

    /// The period of the line's time `lag` samples after, or before, the one that comes next.
    fn other(&self, lag: usize) -> &[i16] {
        let from = if self.lengthens { PERIOD - lag } else { lag };
        &self.samples[from..from + PERIOD]
    }

    /// The lag within the range of pitches at which both are most alike.
    fn pitch(&self) -> Option<usize> {
        let next = self.other(0);
        // In eighths, a sum of 80 products fits 32 bits.
        let product = |a: &[i16], b: &[i16]| -> f32 {
            let sum: i32 = a.iter().zip(b).map(|(&a, &b)| i32::from(a >> 3) * i32::from(b >> 3)).sum();
            sum as f32
        };
        let own = product(next, next);
        let likeness = |lag: usize| {
            let other = self.other(lag);
            product(next, other) / (own * product(other, other)).sqrt().max(1.0)
        };
        let lags = PITCHES.map(|lag| (lag, likeness(lag)));
        let (best, alike) = lags.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (alike >= ALIKE).then_some(best)
    }

    fn cross_fade(&self, lag: usize) -> [i16; PERIOD] {
        let (next, other) = (self.other(0), self.other(lag));
        std::array::from_fn(|n| {
            let share = (n + 1) as f32 / (PERIOD + 1) as f32;
            (f32::from(next[n]) * (1.0 - share) + f32::from(other[n]) * share) as i16
        })
    }

    /// Samples of the timeline that the period of a correction takes.
    const fn samples_passed(&self, lag: usize) -> u32 {
        if self.lengthens { (PERIOD - lag) as u32 } else { (PERIOD + lag) as u32 }
    }
}

fn expand(law: Law, codes: &[u8], samples: &mut [i16]) {
    samples.iter_mut().zip(codes).for_each(|(sample, &code)| *sample = g711::expand(law, code));
}
