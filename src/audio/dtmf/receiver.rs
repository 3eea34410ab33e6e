//! Reads keys out of a voice path: ITU-T Q.24, with the limits of its national variants.
//!
//! Every period of 10 ms is fitted with the strongest frequency of each group. A period *passes* if the two explain
//! it: loud enough, alike enough, and little else there. The first that passes makes a candidate; it becomes a key
//! when the tone has filled [`SHORTEST`] samples, did so in [`PASSES`] periods, and its frequencies are right and
//! steady, which their phase tells from period to period. How much of its first and last period a tone fills is seen
//! in its amplitude there, so its length is known to a fraction of a period.
//!
//! ```text
//!        passes                    long enough, right and steady
//! Idle ---------> Candidate ------------------------------------> Key
//!  ^                  | does not pass before that                   |
//!  +------------------+---------------------------------------------+ gone for GONE samples, or another key
//! ```

use super::{
    Key,
    spectrum::{Fit, Highpass, PERIOD, Place, Spectrum, Tables, conjugate, size, times},
};
use crate::audio::level;

/// Weakest frequency of a key. Q.24 asks for -25 (AT&T) to -27 dBm0 (Australia).
const WEAKEST_DBM0: f32 = -30.0;
/// The high frequency over the low one, as a ratio of amplitudes: -11 to +7 dB. Q.24 asks for -8 to +4 dB; the rest
/// is for what a fit loses at a frequency that is 1.5 % off.
const TWIST: [f32; 2] = [0.28, 2.24];
/// Share of its energy above the high-pass that a period must owe to the two frequencies to pass.
const PURE: f32 = 0.76;
/// The same of all periods of a candidate, after what frequencies that are off lose.
const PURE_IN_ALL: f32 = 0.87;
/// Energy below the high-pass, relative to the two frequencies, that a period may have.
const BELOW: f32 = 0.15;
/// Samples of tone that make a key: between the 23 ms that Q.24 lets nobody accept and the 40 ms that all must.
const SHORTEST: f32 = 252.0;
/// Periods that must pass: a key of 40 ms fills three, however it lies.
const PASSES: u32 = 3;
/// Samples without tone that end a key: between an interruption of 10 ms and a pause of 40 ms.
const GONE: f32 = 176.0;
/// What a frequency may be off: 2 % and 2 Hz. Q.24 asks for at least 1.5 % and 2 Hz, and at most 3.5 %.
const OFF: (f32, f32) = (0.02, 2.0);
/// How steady a frequency must be: cosine of the angle between its slips from one period to the next, about 9 Hz.
const STEADY: f32 = 0.85;
/// Share of a period that a tone must fill to go on there.
const FILLED: f32 = 0.7;
/// Share of its energy that a period of a key owes to the key.
const OWN: f32 = 0.5;
/// Periods of a candidate, the two before it included; what is no key by then is none.
const LONGEST: usize = 12;
/// Periods over which a low tone is watched: 80 ms, and the newest.
const WATCHED: usize = 9;

/// What a period has told. Offsets are in samples from the first one of that period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No key.
    Nothing,
    /// It looks like the start of a key.
    Suspected {
        /// Where it began, 0 to -800; within ±3 ms.
        start: i32,
    },
    /// This is a key.
    Began {
        /// The key.
        key: Key,
        /// Where it began, -160 to -880; within ±3 ms.
        start: i32,
    },
    /// The key goes on, or was just released.
    Held(Key),
    /// The key is over, since 22 to 32 ms or because another one began.
    Ended {
        /// The key.
        key: Key,
        /// Its length in samples.
        samples: u32,
    },
}

/// Reads one direction of a call.
#[derive(Clone, Debug)]
pub struct Receiver {
    tables: &'static Tables,
    highpass: Highpass,
    state: State,
    /// The two periods before this one, the later one first.
    before: [Spectrum; 2],
    /// Energies below the high-pass of the last periods without a tone.
    below: [f32; WATCHED],
    /// Amplitude of the weakest frequency.
    weakest: f32,
    /// Cosines of the angles by which the eight frequencies may slip in a period.
    slips: [f32; 8],
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Candidate(Candidate),
    Key(Press),
}

/// A tone that may become a key.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    place: Place,
    /// Sums of both amplitudes of its periods; the first two are of those before it passed.
    sizes: [f32; LONGEST],
    periods: usize,
    passes: u32,
    /// Largest sum of both amplitudes in a period that passed.
    full: f32,
    /// The waves of its last period.
    waves: [[f32; 2]; 2],
    /// Sums of the slips of both waves.
    slips: [[f32; 2]; 2],
    /// Energy above the high-pass, and what of it was explained.
    energy: f32,
    explained: f32,
}

/// A key that sounds.
#[derive(Clone, Copy, Debug)]
struct Press {
    place: Place,
    key: Key,
    full: f32,
    /// Samples from its start to the end of this period, and those of the gap at the end.
    samples: f32,
    gap: f32,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// Has heard silence so far.
    #[must_use]
    pub fn new() -> Self {
        let hz = |n: usize| if n < 4 { super::LOW_HZ[n & 3] } else { super::HIGH_HZ[n & 3] };
        Self {
            tables: Tables::get(),
            highpass: Highpass::default(),
            state: State::Idle,
            before: [Spectrum::SILENCE; 2],
            below: [0.0; WATCHED],
            weakest: level::amplitude(WEAKEST_DBM0),
            slips: std::array::from_fn(|n| ((OFF.0 * hz(n) + OFF.1) * std::f32::consts::TAU * 0.01).cos()),
        }
    }

    /// Hears the next period.
    pub fn hear(&mut self, period: &[i16; PERIOD]) -> Heard {
        let spectrum = Spectrum::of(period, self.tables, &mut self.highpass);
        let place = spectrum.strongest();
        let fit = spectrum.fit(place, self.tables);
        let passed = self.passes(&fit).then_some((place, fit));
        let (state, heard) = match self.state {
            State::Idle => self.idle(&spectrum, passed),
            State::Candidate(candidate) => self.candidate(candidate, &spectrum, passed),
            State::Key(press) => self.key(press, &spectrum, passed),
        };
        self.state = state;
        self.before = [spectrum, self.before[0]];
        heard
    }

    fn idle(&mut self, spectrum: &Spectrum, passed: Option<(Place, Fit)>) -> (State, Heard) {
        if let Some((place, fit)) = passed {
            // The newest period held the beginning of the key, and must not count at the next one.
            self.below.copy_within(1.., 0);
            return self.suspect(place, &fit);
        }
        self.below.rotate_right(1);
        self.below[0] = spectrum.below();
        (State::Idle, Heard::Nothing)
    }

    fn candidate(
        &self,
        mut tone: Candidate,
        spectrum: &Spectrum,
        passed: Option<(Place, Fit)>,
    ) -> (State, Heard) {
        if let Some((place, fit)) = passed
            && place != tone.place
        {
            return self.suspect(place, &fit);
        }
        let fit = passed.map_or_else(|| spectrum.fit(tone.place, self.tables), |(_, fit)| fit);
        let share = fit.size() / tone.full;
        if share >= FILLED && !tone.follow(&fit, self.tables) {
            return match passed {
                Some((place, fit)) => self.suspect(place, &fit),
                None => (State::Idle, Heard::Nothing),
            };
        }
        tone.add(&fit, passed.is_some());
        if tone.is_key(&self.slips) {
            let press = Press::new(&tone);
            let start = (PERIOD as f32 - press.samples) as i32;
            return (State::Key(press), Heard::Began { key: press.key, start });
        }
        if share < FILLED || tone.periods == LONGEST {
            return (State::Idle, Heard::Nothing);
        }
        let start = (PERIOD as f32 - tone.samples()) as i32;
        (State::Candidate(tone), Heard::Suspected { start })
    }

    fn key(&self, mut press: Press, spectrum: &Spectrum, passed: Option<(Place, Fit)>) -> (State, Heard) {
        let fit = spectrum.fit(press.place, self.tables);
        press.hear(&fit);
        let ended = Heard::Ended { key: press.key, samples: (press.samples - press.gap) as u32 };
        match passed {
            Some((place, fit)) if place != press.place && press.gap > 0.0 => {
                let (state, _) = self.suspect(place, &fit);
                (state, ended)
            }
            Some(_) | None if press.gap >= GONE => (State::Idle, ended),
            Some(_) | None => (State::Key(press), Heard::Held(press.key)),
        }
    }

    /// A candidate begins.
    fn suspect(&self, place: Place, fit: &Fit) -> (State, Heard) {
        let before = self.before.map(|spectrum| spectrum.fit(place, self.tables).size());
        let tone = Candidate::new(place, fit, before);
        let start = (PERIOD as f32 - tone.samples()) as i32;
        (State::Candidate(tone), Heard::Suspected { start })
    }

    /// Whether a period may be filled by the two waves that are fitted to it.
    fn passes(&self, fit: &Fit) -> bool {
        let [low, high] = fit.waves.map(size);
        low.min(high) >= self.weakest
            && high >= TWIST[0] * low
            && high <= TWIST[1] * low
            && fit.explained >= PURE * (fit.explained + fit.rest)
            && fit.below <= self.allowed_below(fit.explained)
    }

    /// Energy that a period may have below the high-pass: little, or as much as a steady tone had before.
    fn allowed_below(&self, explained: f32) -> f32 {
        // The newest period may hold the beginning of the key.
        let watched = &self.below[1..];
        let least = watched.iter().fold(f32::INFINITY, |least, &energy| least.min(energy));
        let most = watched.iter().fold(0.0, |most: f32, &energy| most.max(energy));
        let steady = if most <= 1.6 * least { 1.25 * most } else { 0.0 };
        BELOW * explained + steady
    }
}

impl Candidate {
    fn new(place: Place, fit: &Fit, before: [f32; 2]) -> Self {
        let size = fit.size();
        let mut sizes = [0.0; LONGEST];
        sizes[..3].copy_from_slice(&[before[1], before[0], size]);
        Self {
            place,
            sizes,
            periods: 3,
            passes: 1,
            full: size,
            waves: fit.waves,
            slips: [[0.0; 2]; 2],
            energy: fit.explained + fit.rest,
            explained: fit.explained,
        }
    }

    /// Adds the slip since the last period; false if the pitch is another one.
    fn follow(&mut self, fit: &Fit, tables: &Tables) -> bool {
        let places = [usize::from(self.place.row), 4 + usize::from(self.place.column)];
        let mut steady = true;
        for (n, frequency) in places.into_iter().enumerate() {
            let slip = tables.slip(frequency, self.waves[n], fit.waves[n]);
            let slip = slip.map(|x| x / size(slip).max(f32::MIN_POSITIVE));
            let sum = self.slips[n];
            steady &= times(slip, conjugate(sum))[0] >= STEADY * size(sum);
            self.slips[n] = [sum[0] + slip[0], sum[1] + slip[1]];
        }
        self.waves = fit.waves;
        steady
    }

    fn add(&mut self, fit: &Fit, passed: bool) {
        let size = fit.size();
        if let Some(place) = self.sizes.get_mut(self.periods) {
            *place = size;
            self.periods += 1;
        }
        if passed {
            self.passes += 1;
            self.full = self.full.max(size);
            self.energy += fit.explained + fit.rest;
            self.explained += fit.explained;
        }
    }

    /// Whether it is long enough, pure, and of the right frequencies.
    fn is_key(&self, slips: &[f32; 8]) -> bool {
        let places = [usize::from(self.place.row & 3), 4 + usize::from(self.place.column & 3)];
        let right = places.iter().zip(self.slips).all(|(&n, sum)| sum[0] >= slips[n] * size(sum));
        right
            && self.passes >= PASSES
            && self.explained >= PURE_IN_ALL * self.kept() * self.energy
            && self.filled() >= SHORTEST
    }

    /// Share of its energy that a fit finds at frequencies that are as much off as these.
    fn kept(&self) -> f32 {
        let [low, high] = [0, 1].map(|n| {
            let [re, im] = self.slips[n];
            let half = (im.atan2(re) / 2.0).abs().max(1e-3);
            // Energy that is there, for what is seen of it: the sine of half the slip over that half, squared.
            let seen = self.waves[n].map(|x| x * x).iter().sum::<f32>();
            (seen, seen * (half / half.sin()).powi(2))
        });
        (low.0 + high.0) / (low.1 + high.1).max(f32::MIN_POSITIVE)
    }

    /// Samples that the tone fills.
    fn filled(&self) -> f32 {
        let later: f32 = self.sizes[2..self.periods].iter().map(|&size| self.share(size)).sum();
        (self.lead() + later) * PERIOD as f32
    }

    /// Samples from its start to the end of the last period.
    fn samples(&self) -> f32 {
        (self.lead() + (self.periods - 2) as f32) * PERIOD as f32
    }

    /// Periods that it began before it passed.
    fn lead(&self) -> f32 {
        let [earlier, before] = [self.share(self.sizes[0]), self.share(self.sizes[1])];
        before + if before >= FILLED { earlier } else { 0.0 }
    }

    /// How much of a period it fills, 0 to 1.
    fn share(&self, size: f32) -> f32 {
        (size / self.full).min(1.0)
    }
}

impl Press {
    fn new(tone: &Candidate) -> Self {
        let Place { row, column } = tone.place;
        let last = tone.share(tone.sizes[tone.periods - 1]);
        let gap = if last < FILLED { (1.0 - last) * PERIOD as f32 } else { 0.0 };
        Self { place: tone.place, key: Key::at(row, column), full: tone.full, samples: tone.samples(), gap }
    }

    fn hear(&mut self, fit: &Fit) {
        self.samples += PERIOD as f32;
        let share = fit.size() / self.full;
        if share < FILLED {
            self.gap += (1.0 - share) * PERIOD as f32;
        } else if fit.explained >= OWN * (fit.explained + fit.rest) {
            self.gap = 0.0;
            // A line may fade.
            self.full += 0.2 * (fit.size() - self.full);
        } else {
            // As loud, but something else.
            self.gap += PERIOD as f32;
        }
    }
}

impl Fit {
    /// Sum of both amplitudes.
    fn size(&self) -> f32 {
        self.waves.iter().map(|&wave| size(wave)).sum()
    }
}
