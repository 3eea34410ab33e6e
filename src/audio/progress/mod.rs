//! Call-progress detection: what the telephone company's tones on a line say, and whether anybody talks.
//!
//! A tone is known by its frequencies and its cadence together, both from the country's [`TonePlan`]. What has to be
//! right of a burst: each frequency within 2 %, all of them within 8 dB of each other, nothing else in the sound down
//! to 10 dB below it, a steady level; of a pause: silence. That is what neither speech nor music does three times in
//! the same rhythm.
//!
//! ```text
//!            ┌► spectrum (lines) ─► watch (sounds) ─► burst ─► cadence ─► Busy, Reorder, DialTone, Ringback
//! 80 samples ┤                   └► information ────► burst ────────────► SpecialInformation
//!            └► voice, silence
//! ```

mod burst;
mod cadence;
mod information;
mod spectrum;
mod voice;
mod watch;

use super::{level, tone_plan::TonePlan};
use burst::Sight;
use information::Information;
use spectrum::{HANN, HANN_SUM, Line, PERIOD, Reading, WINDOW, Width, dot};
pub use voice::Voice;
use watch::Watch;

/// Mean squares of a tone that are believed: -43 to 3 dBm0, 3 dB beyond the levels of [`Detector::hear`] on both sides.
const BELIEVED: (f32, f32) = (13_060.0, 520e6);
/// A period softer than this is not searched for tones, in dBm0.
const IDLE_DBM0: f32 = -58.0;
/// Share of all energy that a sine has beside noise 15 dB below it is 0.97; beside music it has less than this.
const PURE: f32 = 0.9;
/// The same of a modulated tone, whose outer side frequencies are not seen in full.
const PURE_WIDE: f32 = 0.8;
/// Share of all energy below which a frequency is no part of a tone: one that is 8 dB softer than the other and 2 % off
/// still has 0.03.
const NEGLIGIBLE: f32 = 0.02;
/// Share of the mean energy that any 30 ms of an even window have at least: a modulated tone is never softer for so
/// long, and a gap is.
const EVEN: f32 = 0.2;
/// Most lines: four tones of two frequencies, and the special information tone's three.
const MOST_LINES: usize = 11;

/// What a line's tones say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Dialling may begin: the tone is continuous for the time of [`Settings::dial_tone_ms`], or keeps its cadence for
    /// two cycles. Told once for each tone.
    DialTone,
    /// The called phone rings: told in the pause of each cycle, once it is as long as a ringing phone's.
    Ringback {
        /// Cycles so far, from 1; a break in the cadence starts again.
        cycle: u32,
    },
    /// The called party is busy: three cycles. Told once for each tone.
    Busy,
    /// Congestion, or the far end has hung up: three cycles. Told once for each tone.
    Reorder,
    /// An announcement follows that the call cannot be completed.
    SpecialInformation,
}

/// What an installation may want different.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Length after which a continuous tone is dial tone, in ms, 300 to 10,000. Where a country's ringback or busy
    /// tone sounds the same, a dial tone has to outlast their longest burst (France: 1.5 s) as well.
    pub dial_tone_ms: u32,
    /// Level below which a line is silent, in dBm0, -60 to -30.
    pub silence_dbm0: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dial_tone_ms: 1_000, silence_dbm0: -45.0 }
    }
}

/// Listens to one line; allocates in [`Detector::new`] only.
#[derive(Clone, Debug)]
pub struct Detector {
    lines: Vec<Line>,
    readings: [Reading; MOST_LINES],
    watches: Vec<Watch>,
    information: Information,
    /// Lines of the special information tone: these three.
    information_at: usize,
    voice: Voice,
    /// Mean squares of the window's periods, oldest first.
    energies: [f32; WINDOW],
    idle_below: f32,
    silent_below: f32,
    silent_periods: u32,
    speech_periods: u32,
    /// Periods since one was searched for tones.
    idle_periods: u32,
}

impl Detector {
    /// Listens for the tones of `plan`.
    #[must_use]
    pub fn new(plan: &TonePlan, settings: &Settings) -> Self {
        let mut lines = Vec::new();
        let watches = Watch::all(plan, settings.dial_tone_ms, &mut lines);
        let information_at = lines.len();
        lines.extend(Information::lines(&plan.special_information));
        Self {
            lines,
            readings: [Reading::default(); MOST_LINES],
            watches,
            information: Information::new(&plan.special_information),
            information_at,
            voice: Voice::new(),
            energies: [0.0; WINDOW],
            idle_below: mean_square(IDLE_DBM0),
            silent_below: mean_square(settings.silence_dbm0),
            silent_periods: 0,
            speech_periods: 0,
            idle_periods: 0,
        }
    }

    /// Takes 10 ms of the line's receive audio. Tones are known at -40 to 0 dBm0 with noise 15 dB below them.
    pub fn hear(&mut self, samples: &[i16; 80]) -> Option<Progress> {
        let mut wave = [0.0; PERIOD];
        for (place, &sample) in wave.iter_mut().zip(samples) {
            *place = f32::from(sample);
        }
        let energy = dot(&wave, &wave) / PERIOD as f32;
        self.silent_periods =
            if energy < self.silent_below { self.silent_periods.saturating_add(1) } else { 0 };
        self.voice.hear(&wave, energy, self.silent_below);
        self.energies.copy_within(1.., 0);
        self.energies[WINDOW - 1] = energy;
        let heard = (energy >= self.idle_below).then_some(&wave);
        self.idle_periods = if heard.is_none() { self.idle_periods.saturating_add(1) } else { 0 };
        // Lines whose window is empty, and was, read nothing and need no turning.
        if self.idle_periods <= WINDOW as u32 + 1 {
            let least = NEGLIGIBLE * Window::new(&self.energies).energy;
            for (line, reading) in self.lines.iter_mut().zip(&mut self.readings) {
                line.hear(heard);
                *reading = line.read(least);
            }
        }
        let progress = self.recognise();
        if self.tone_present() {
            self.voice.discount();
        }
        self.speech_periods = self.speech_periods.saturating_add(u32::from(self.is_speech()));
        progress
    }

    fn recognise(&mut self) -> Option<Progress> {
        let window = Window::new(&self.energies);
        let mut progress = None;
        for watch in &mut self.watches {
            progress = watch.hear(&self.readings, &window).or(progress);
        }
        let steps = self.readings.get(self.information_at..).and_then(|readings| readings.first_chunk::<3>());
        if let Some(steps) = steps
            && self.information.hear(steps.map(|reading| step_sight(&reading, &window)))
        {
            return Some(Progress::SpecialInformation);
        }
        progress
    }

    /// Milliseconds since the line was last louder than [`Settings::silence_dbm0`].
    #[must_use]
    pub const fn silence_ms(&self) -> u32 {
        self.silent_periods.saturating_mul(10)
    }

    /// Whether a tone of the plan sounds now, whatever its cadence is going to be; told some 80 ms after it began.
    #[must_use]
    pub fn tone_present(&self) -> bool {
        self.watches.iter().any(|watch| watch.sounding().is_some()) || self.information.is_sounding()
    }

    /// Whether somebody talked, or music played, in the last half second: the line is louder than
    /// [`Settings::silence_dbm0`] and than its noise, its spectrum moves, and no tone of the plan sounds.
    #[must_use]
    pub fn is_speech(&self) -> bool {
        self.voice.is_speech() && !self.tone_present()
    }

    /// Milliseconds of such sound since the beginning.
    #[must_use]
    pub const fn speech_ms(&self) -> u32 {
        self.speech_periods.saturating_mul(10)
    }
}

/// Mean square of a sine of `dbm0`.
fn mean_square(dbm0: f32) -> f32 {
    level::amplitude(dbm0).powi(2) / 2.0
}

/// All that the window holds, whatever it is.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Mean square of the newest period.
    newest: f32,
    /// Mean square, weighted as the readings are.
    energy: f32,
    /// Whether the sound goes through from the beginning to the end without a gap.
    is_even: bool,
}

impl Window {
    fn new(energies: &[f32; WINDOW]) -> Self {
        let energy =
            energies.iter().zip(HANN).map(|(energy, weight)| energy * weight).sum::<f32>() / HANN_SUM;
        let is_even = energies.windows(3).all(|three| three.iter().sum::<f32>() > 3.0 * EVEN * energy);
        Self { newest: energies[WINDOW - 1], energy, is_even }
    }

    /// Whether tones of this power in sum are nearly all there is, at a level that is believed.
    fn is_filled_by(&self, power: f32, width: Width) -> bool {
        let is_alone = match width {
            Width::Narrow => power >= PURE * self.energy,
            // The energy of a band, unlike a sine, is all there is in a window that is half empty as well.
            Width::Wide => power >= PURE_WIDE * self.energy && self.is_even,
        };
        let (softest, loudest) = BELIEVED;
        is_alone && (softest..=loudest).contains(&power)
    }
}

fn step_sight(reading: &Reading, window: &Window) -> Sight {
    Sight {
        height: reading.height,
        amplitude: reading.power.sqrt(),
        is_pure: window.is_filled_by(reading.power, Width::Wide) && Information::is_near(reading),
        energy: window.newest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_levels_that_are_believed_are_3_db_beyond_those_of_tones() {
        assert!((BELIEVED.0 / mean_square(-43.0) - 1.0).abs() < 0.01);
        assert!((BELIEVED.1 / mean_square(3.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn no_plan_has_more_lines_than_there_is_room_for() {
        for (country, plan) in TonePlan::all() {
            let detector = Detector::new(plan, &Settings::default());
            assert!(detector.lines.len() <= MOST_LINES, "{country}: {}", detector.lines.len());
        }
    }
}
