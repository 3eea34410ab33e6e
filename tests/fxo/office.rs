//! A line machine with its chip and its ear, in virtual time, and the copper and the sound behind them.

use super::chip::{Chip, Copper};
use ringside::{
    audio::{
        fsk::Variant,
        level,
        line_ear::{Heard, LineEar},
        tone::{Generator, Tone},
    },
    chip::LineChange,
    line::fxo::{Command, Event, Fxo, Settings},
    time::Instant,
};
use std::{collections::VecDeque, rc::Rc};

/// From the ear on the media thread to the machine on another one, ms.
const HEARD_LATE_MS: u64 = 20;
/// Noise of a good line, dBm0.
const NOISE_DBM0: f32 = -58.0;

/// What the far end of the line sounds like.
#[derive(Clone, Debug)]
pub(crate) enum Sound {
    Silence,
    Voice(Rc<Vec<i16>>, usize),
    Tone(Box<Generator>),
}

impl Sound {
    pub(crate) fn tone(tone: &Tone) -> Self {
        Self::Tone(Box::new(Generator::new(tone)))
    }

    fn next(&mut self) -> i16 {
        match self {
            Self::Silence => 0,
            Self::Voice(voice, at) => {
                *at = (*at + 1) % voice.len();
                voice[*at]
            }
            Self::Tone(tone) => tone.advance(),
        }
    }
}

/// Uniform noise, the same in each run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// Between -1 and 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f32 / (1_u64 << 30) as f32 - 1.0
    }
}

pub(crate) struct Office {
    pub(crate) line: Fxo,
    chip: Chip,
    pub(crate) copper: Copper,
    pub(crate) far: Sound,
    settings: Settings,
    ear: Option<LineEar>,
    heard: VecDeque<(u64, Heard)>,
    noise: Noise,
    pub(crate) ms: u64,
    pub(crate) log: Vec<(u64, Command)>,
}

impl Office {
    /// A line that is up and fed.
    pub(crate) fn new(settings: Settings) -> Self {
        let mut office = Self {
            line: Fxo::new(settings),
            chip: Chip::new(),
            copper: Copper { volts: -48, rings: false },
            far: Sound::Silence,
            settings,
            ear: None,
            heard: VecDeque::new(),
            noise: Noise(1),
            ms: 0,
            log: Vec::new(),
        };
        office.give(Event::Chip(LineChange::Up));
        office.run(500);
        assert!(office.line.is_free());
        office
    }

    pub(crate) fn give(&mut self, event: Event) {
        let mut out = Vec::new();
        self.line.handle(event, Instant::ZERO.after_ms(self.ms), &mut out);
        for command in out {
            match &command {
                Command::Order(order) => {
                    let mut changes = Vec::new();
                    self.chip.order(*order, self.ms, &mut changes);
                    changes.into_iter().for_each(|change| self.give(Event::Chip(change)));
                }
                Command::Listen => {
                    self.ear = Some(LineEar::for_line(self.settings.tones, Variant::Bell202));
                }
                Command::Ignore => {
                    self.ear = None;
                    self.heard.clear();
                }
                _ => {}
            }
            self.log.push((self.ms, command));
        }
    }

    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.ms += 1;
            let mut changes = Vec::new();
            self.chip.tick(self.ms, self.copper, &mut changes);
            changes.into_iter().for_each(|change| self.give(Event::Chip(change)));
            if self.ms.is_multiple_of(10) {
                self.period();
            }
            while self.heard.front().is_some_and(|(due, _)| *due <= self.ms) {
                let heard = self.heard.pop_front().map(|(_, heard)| heard);
                heard.into_iter().for_each(|heard| self.give(Event::Heard(heard)));
            }
            let mut rounds = 0;
            while self.line.deadline().is_some_and(|at| at <= Instant::ZERO.after_ms(self.ms)) {
                self.give(Event::Deadline);
                rounds += 1;
                assert!(rounds < 10, "a deadline does not pass");
            }
        }
    }

    fn period(&mut self) {
        let peak = level::amplitude(NOISE_DBM0) * 1.5_f32.sqrt();
        let is_fed = self.copper.volts != 0;
        let period = std::array::from_fn(|_| {
            let sample = self.far.next();
            let noise = peak * self.noise.next();
            if is_fed { sample.saturating_add(noise.round() as i16) } else { 0 }
        });
        let due = self.ms + HEARD_LATE_MS;
        if let Some(ear) = &mut self.ear {
            ear.hear(&period, &mut |heard| self.heard.push_back((due, heard)));
        }
    }

    /// Runs until the log has such a command; the time from now.
    pub(crate) fn until(&mut self, most_ms: u64, is_it: impl Fn(&Command) -> bool) -> u64 {
        let (since, seen) = (self.ms, self.log.len());
        while !self.log[seen..].iter().any(|(_, command)| is_it(command)) {
            assert!(self.ms - since < most_ms, "not within {most_ms} ms; {:#?}", self.log);
            self.run(1);
        }
        self.ms - since
    }

    pub(crate) fn holds_line(&self) -> bool {
        self.chip.holds_line()
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Command) -> bool) -> usize {
        self.log.iter().filter(|(_, command)| is_it(command)).count()
    }
}
