//! Bursts of one tone: when it begins and ends to a few milliseconds, whether it was pure and steady, and whether the
//! pauses were silent.
//!
//! ```text
//!          tone seen             3 periods later
//!   Silent ─────────► Rising ───────────────────► Sounding ──┐
//!     ▲ ▲               │ gone                        │      │ something else sounds as well for 120 ms
//!     │ └───────────────┘      below half its height  │      │
//!     └───────────────────────────────────────────────┴──────┘
//! ```

use super::spectrum::WINDOW;

/// Periods of history: a beginning is looked for in them.
const HISTORY: usize = 16;
/// Periods from the first sight of a tone to its full height: half the window is outside at first.
const RISE: u8 = 3;
/// Of a pause, this period is judged when it is so long past: the window then still sees it when the next burst shows.
const JUDGED_LATE: usize = 10;
/// Periods from a burst's end to the first that is judged, and the same in ages of the pause.
const FIRST_JUDGED: f32 = JUDGED_LATE as f32 - 2.0;
/// Periods that may be impure or soft in a burst: the window leaves it in 4, and a click takes as many.
const IMPURE: u16 = 8;
/// Periods of another sound on top after which a tone is given up.
const GIVEN_UP: u8 = 12;
/// Periods of a pause that may be loud: the edges of a burst that a line smears.
const LOUD: u16 = 2;
/// A pause is loud where it is less than 9 dB below the burst; noise is 15 dB below it.
const LOUD_SHARE: f32 = 0.125;
/// Largest ratio of amplitudes in one burst: 2 dB.
const STEADY: f32 = 1.26;

/// What is seen of a tone in one period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// Height: half of it is left where an edge is in the middle of the window.
    pub(super) height: f32,
    /// Amplitude, for comparison with other bursts.
    pub(super) amplitude: f32,
    /// All frequencies are there, at one level, and nothing else.
    pub(super) is_pure: bool,
    /// Mean square of the period's samples, whatever they are.
    pub(super) energy: f32,
}

/// A burst and the pause after it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Burst {
    /// Length in periods.
    pub(super) on: f32,
    /// Pause in periods, to the next burst or so far.
    pub(super) off: f32,
    pub(super) amplitude: f32,
    /// Pure, steady, and followed by silence.
    pub(super) is_clean: bool,
}

/// What happened in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// The tone ended; the pause has begun.
    Ended(Burst),
    /// The pause ended; this is the burst before it.
    Began(Burst),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Silent,
    Rising { since: u8 },
    Sounding,
}

/// Follows one tone.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    state: State,
    /// Heights, newest last.
    heights: [f32; HISTORY],
    /// Energies, newest last.
    energies: [f32; HISTORY],
    /// Periods since the last edge.
    age: f32,
    /// The burst that sounds, or the one before the pause.
    burst: Burst,
    /// Full height of the burst.
    height: f32,
    /// Smallest amplitude since the burst is fully seen; the largest is that of `burst`.
    least: f32,
    impure: u16,
    impure_run: u8,
    loud: u16,
}

impl Tracker {
    pub(super) fn new() -> Self {
        Self {
            state: State::Silent,
            heights: [0.0; HISTORY],
            energies: [0.0; HISTORY],
            age: 0.0,
            burst: Burst::default(),
            height: 0.0,
            least: 0.0,
            impure: 0,
            impure_run: 0,
            loud: 0,
        }
    }

    /// Periods that the tone sounds, if it does and is clean so far.
    pub(super) fn sounding(&self) -> Option<f32> {
        matches!(self.state, State::Sounding).then_some(self.age).filter(|_| self.is_steady())
    }

    /// The last burst and its pause so far; `None` while the tone sounds.
    pub(super) fn pausing(&self) -> Option<Burst> {
        matches!(self.state, State::Silent).then_some(self.finished(self.age))
    }

    pub(super) fn see(&mut self, sight: Sight) -> Option<Change> {
        self.heights.copy_within(1.., 0);
        self.heights[HISTORY - 1] = sight.height;
        self.energies.copy_within(1.., 0);
        self.energies[HISTORY - 1] = sight.energy;
        self.age += 1.0;
        match self.state {
            State::Silent => {
                self.judge_pause();
                if sight.is_pure {
                    self.state = State::Rising { since: 0 };
                }
                None
            }
            // It was only as tall as its window is wide.
            State::Rising { .. } if !sight.is_pure => {
                self.state = State::Silent;
                None
            }
            State::Rising { since } if since < RISE => {
                self.state = State::Rising { since: since + 1 };
                None
            }
            State::Rising { .. } => Some(self.begin(sight)),
            State::Sounding => self.sound(sight),
        }
    }

    /// The pause's silence, once the window has left the burst.
    fn judge_pause(&mut self) {
        let energy = self.energies[HISTORY - 1 - JUDGED_LATE];
        if self.age >= FIRST_JUDGED && energy > LOUD_SHARE * self.burst.amplitude * self.burst.amplitude {
            self.loud = self.loud.saturating_add(1);
        }
    }

    fn begin(&mut self, sight: Sight) -> Change {
        let half = sight.height / 2.0;
        let low = self.heights.iter().rposition(|height| *height < half);
        // Where the height crosses its half, between two periods.
        let since_edge = low.map_or(HISTORY as f32, |low| {
            let (below, above) = (self.heights[low], self.heights[(low + 1).min(HISTORY - 1)]);
            (HISTORY - 1 - low) as f32 - (half - below) / (above - below).max(f32::MIN_POSITIVE)
        });
        let before = self.finished(self.age - since_edge);
        self.state = State::Sounding;
        self.age = since_edge;
        self.burst = Burst { is_clean: low.is_some(), ..Burst::default() };
        (self.height, self.least) = (sight.height, sight.amplitude);
        (self.impure, self.impure_run) = (0, 0);
        self.burst.amplitude = sight.amplitude;
        Change::Began(before)
    }

    fn sound(&mut self, sight: Sight) -> Option<Change> {
        let half = self.height / 2.0;
        if sight.height < half {
            let before = self.heights[HISTORY - 2].max(half);
            let part = (before - half) / (before - sight.height).max(f32::MIN_POSITIVE);
            return Some(self.end(self.age - 1.0 + part, 1.0 - part));
        }
        let is_whole = sight.is_pure && STEADY * sight.amplitude >= self.burst.amplitude;
        if is_whole {
            self.impure_run = 0;
            self.height = self.height.max(sight.height);
            self.least = self.least.min(sight.amplitude);
            self.burst.amplitude = self.burst.amplitude.max(sight.amplitude);
            return None;
        }
        self.impure = self.impure.saturating_add(1);
        self.impure_run = self.impure_run.saturating_add(1);
        if self.impure_run < GIVEN_UP {
            return None;
        }
        self.burst.is_clean = false;
        Some(self.end(self.age, 0.0))
    }

    fn end(&mut self, on: f32, age: f32) -> Change {
        self.burst.is_clean &= self.is_steady();
        self.burst.on = on;
        self.state = State::Silent;
        (self.age, self.loud) = (age, 0);
        Change::Ended(self.burst)
    }

    fn is_steady(&self) -> bool {
        self.impure <= IMPURE && self.burst.amplitude <= STEADY * self.least
    }

    fn finished(&self, off: f32) -> Burst {
        Burst { off, is_clean: self.burst.is_clean && self.loud <= LOUD, ..self.burst }
    }
}

const _: () = assert!(JUDGED_LATE < HISTORY && WINDOW < HISTORY);
