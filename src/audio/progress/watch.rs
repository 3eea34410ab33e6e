//! One sound of a plan and the tones that it is, by cadence: 425 Hz may be dial tone, ringback, busy and reorder.

use super::{
    Progress, Window,
    burst::{Burst, Change, Sight, Tracker},
    cadence::{self, CYCLES, Heard},
    spectrum::{Line, Reading, Width},
};
use crate::audio::{
    tone::{Cadence, MAX_FREQUENCIES, Tone},
    tone_plan::TonePlan,
};

/// How far a frequency may be from its nominal one.
const TOLERANCE: f32 = 0.02;
/// What a frequency may be measured wrong by, in Hz.
const BLUR_HZ: f32 = 2.5;
/// Largest ratio of the powers of two frequencies of one tone: 8 dB.
const TWIST: f32 = 6.3;
/// Cycles of a dial tone with pauses after which it is believed; it has to be noticed before the caller gives up.
const DIAL_CYCLES: usize = 2;
/// A burst of ringback may be this much longer than nominal before it is a continuous tone.
const LONGEST_BURST: f32 = 1.15;
/// Milliseconds beyond it.
const AND_MS: f32 = 100.0;

/// A sound and what it may mean.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    hz: [f32; MAX_FREQUENCIES],
    modulated_hz: f32,
    /// Places of the frequencies among the detector's lines.
    lines: [Option<u8>; MAX_FREQUENCIES],
    width: Width,
    busy: Option<Cadence>,
    reorder: Option<Cadence>,
    dial: Option<Cadence>,
    ringback: Option<Cadence>,
    /// Periods after which the sound is a continuous dial tone.
    dial_after: f32,
    tracker: Tracker,
    heard: Heard,
    reported: Option<Progress>,
    cycles: u32,
    /// Whether the pause that lasts has been counted as the end of a ringback cycle.
    is_counted: bool,
}

impl Watch {
    /// The sounds of a plan; the lines that they need are appended to `lines`. A continuous dial tone is one after
    /// `dial_tone_ms`.
    pub(super) fn all(plan: &TonePlan, dial_tone_ms: u32, lines: &mut Vec<Line>) -> Vec<Self> {
        let mut watches: Vec<Self> = Vec::new();
        for (tone, place) in [
            (&plan.dial, (|watch| &mut watch.dial) as fn(&mut Self) -> &mut Option<Cadence>),
            (&plan.ringback, |watch| &mut watch.ringback),
            (&plan.busy, |watch| &mut watch.busy),
            (&plan.reorder, |watch| &mut watch.reorder),
        ] {
            let known = watches.iter().position(|watch| watch.is_of(tone));
            let at = known.unwrap_or_else(|| {
                watches.push(Self::new(tone, lines));
                watches.len() - 1
            });
            if let Some(watch) = watches.get_mut(at) {
                *place(watch) = Some(tone.cadence);
            }
        }
        for watch in &mut watches {
            let longest = watch.longest_burst_ms() * LONGEST_BURST;
            let least_ms = if longest > 0.0 { longest + AND_MS } else { 0.0 };
            watch.dial_after = least_ms.max(dial_tone_ms as f32) / 10.0;
        }
        watches
    }

    fn new(tone: &Tone, lines: &mut Vec<Line>) -> Self {
        let width = if tone.modulated_hz > 0.0 { Width::Wide } else { Width::Narrow };
        let mut line_of = |hz: f32| {
            let known = lines.iter().position(|line| line.hz == hz && line.width == width);
            let at = known.unwrap_or_else(|| {
                lines.push(Line::new(hz, width));
                lines.len() - 1
            });
            at as u8
        };
        Self {
            hz: tone.hz,
            modulated_hz: tone.modulated_hz,
            lines: tone.hz.map(|hz| (hz > 0.0).then(|| line_of(hz))),
            width,
            busy: None,
            reorder: None,
            dial: None,
            ringback: None,
            dial_after: 0.0,
            tracker: Tracker::new(),
            heard: Heard::new(),
            reported: None,
            cycles: 0,
            is_counted: false,
        }
    }

    fn is_of(&self, tone: &Tone) -> bool {
        self.hz == tone.hz && self.modulated_hz == tone.modulated_hz
    }

    /// The longest burst among the tones with this sound, in ms.
    fn longest_burst_ms(&self) -> f32 {
        let cadences = [&self.busy, &self.reorder, &self.dial, &self.ringback];
        let bursts = cadences.into_iter().flatten().flat_map(|cadence| cadence.bursts_ms());
        bursts.map(|(on, _)| f32::from(*on)).fold(0.0, f32::max)
    }

    /// Whether the sound is there, alone.
    pub(super) fn sounding(&self) -> Option<f32> {
        self.tracker.sounding()
    }

    /// Takes the readings of a period.
    pub(super) fn hear(&mut self, readings: &[Reading], window: &Window) -> Option<Progress> {
        let sight = self.sight(readings, window);
        match self.tracker.see(sight) {
            Some(Change::Began(before)) => self.began(before),
            Some(Change::Ended(_)) => {
                self.is_counted = false;
                None
            }
            None => self.dial_tone().or_else(|| self.ringback()),
        }
    }

    fn sight(&self, readings: &[Reading], window: &Window) -> Sight {
        let (mut power, mut height, mut on_frequency) = (0.0, 0.0, true);
        let (mut strongest, mut weakest) = (0.0_f32, f32::MAX);
        for (hz, line) in self.hz.iter().zip(&self.lines) {
            let Some(reading) = line.and_then(|line| readings.get(usize::from(line))) else { continue };
            power += reading.power;
            height += reading.height;
            on_frequency &= reading.off_hz.abs() <= TOLERANCE * hz + BLUR_HZ;
            (strongest, weakest) = (strongest.max(reading.power), weakest.min(reading.power));
        }
        let is_alone = window.is_filled_by(power, self.width);
        Sight {
            height: match self.width {
                Width::Narrow => f32::sqrt(height),
                Width::Wide => height,
            },
            amplitude: power.sqrt(),
            is_pure: is_alone && on_frequency && strongest <= TWIST * weakest,
            energy: window.newest,
        }
    }

    fn began(&mut self, before: Burst) -> Option<Progress> {
        self.heard.push(before);
        if !self.ringback.as_ref().is_some_and(|ringback| cadence::belongs(&before, ringback)) {
            self.cycles = 0;
        }
        let follows = |cadence: &Option<Cadence>, cycles| {
            cadence.as_ref().is_some_and(|cadence| self.heard.follows(cadence, cycles))
        };
        let now = if follows(&self.busy, CYCLES) {
            Some(Progress::Busy)
        } else if follows(&self.reorder, CYCLES) {
            Some(Progress::Reorder)
        } else if follows(&self.dial, DIAL_CYCLES) {
            Some(Progress::DialTone)
        } else {
            None
        };
        let is_news = now != self.reported;
        self.reported = now;
        now.filter(|_| is_news)
    }

    fn dial_tone(&mut self) -> Option<Progress> {
        if self.reported.is_some() || !self.dial.as_ref().is_some_and(Cadence::is_continuous) {
            return None;
        }
        self.tracker.sounding().filter(|periods| *periods >= self.dial_after)?;
        self.reported = Some(Progress::DialTone);
        self.reported
    }

    fn ringback(&mut self) -> Option<Progress> {
        let cadence = self.ringback.as_ref()?;
        let pausing = self.tracker.pausing()?;
        if self.is_counted || !self.heard.ends_cycle(&pausing, cadence) {
            return None;
        }
        self.is_counted = true;
        self.cycles = self.cycles.saturating_add(1);
        Some(Progress::Ringback { cycle: self.cycles })
    }
}
