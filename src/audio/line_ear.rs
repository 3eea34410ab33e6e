//! All that is listened for on one slot, whatever the slot carries: keys, tones, speech, silence, caller ID.
//!
//! ```text
//!            ┌► dtmf::Receiver ────────────────────────────► Key, KeyEnded
//! 80 samples ┼► progress::Detector (line) ─► tones ────────► Progress
//!            │                           └─► pace, a count ► Speech, Silent
//!            └► caller_id::Receiver (line) ────────────────► CallerId
//! ```
//! Time is told in periods, so that a machine that acts on it needs no clock of its own.

use super::{
    PERIOD, caller_id,
    dtmf::{self, Key},
    fsk,
    progress::{Detector, Progress, Settings},
    tone_plan::TonePlan,
};

/// Periods of speech after which somebody talks: 200 ms, which neither a cough nor a click lasts.
const TALKS: u32 = 20;
/// Periods from one report of speech to the next at least: 1 s.
const BETWEEN: u32 = 100;
/// Milliseconds of silence that are told, and each multiple of them.
const SILENCE_MS: u32 = 1_000;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a box would be a heap call on the media thread")]
pub enum Heard {
    /// A key began, some 40 ms ago. On a line, key D is what some exchanges send when the far end has hung up.
    Key(Key),
    /// It is over.
    KeyEnded(Key),
    /// A tone of the exchange is known.
    Progress(Progress),
    /// Somebody talks: told once 200 ms of it were heard, then at most once a second while it goes on.
    Speech,
    /// Nothing was heard: told at each full second of silence.
    Silent {
        /// Its length so far in ms, a multiple of 1,000.
        ms: u32,
    },
    /// A caller ID, or one that cannot be read. In speech, what sounds like one now and then cannot be read.
    CallerId(caller_id::Heard),
}

/// Listens to one slot; allocates when it is made and never again.
#[derive(Clone, Debug)]
pub struct LineEar {
    keys: dtmf::Receiver,
    line: Option<Line>,
}

/// What an exchange has to say beside keys.
#[derive(Clone, Debug)]
struct Line {
    tones: Detector,
    pace: Pace,
    caller_id: caller_id::Receiver,
}

/// Says that somebody talks, and how often.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Periods of speech since somebody began to talk.
    talked: u32,
    /// Periods since it was told.
    told: u32,
}

impl LineEar {
    /// For a handset: hears keys, also under a dial tone whose echo is 8 dB weaker than they are, tone for tone.
    #[must_use]
    pub fn for_phone() -> Self {
        Self { keys: dtmf::Receiver::new(), line: None }
    }

    /// For an exchange's line: hears everything. `tones` are those of the exchange, `caller_id` is how it modulates.
    ///
    /// A caller ID in DTMF comes as keys, for a [`caller_id::dtmf::Collector`].
    #[must_use]
    pub fn for_line(tones: &TonePlan, caller_id: fsk::Variant) -> Self {
        let line = Line {
            tones: Detector::new(tones, &Settings::default()),
            pace: Pace { talked: 0, told: BETWEEN },
            caller_id: caller_id::Receiver::new(caller_id),
        };
        Self { keys: dtmf::Receiver::new(), line: Some(line) }
    }

    /// Takes one period of what comes from the slot.
    pub fn hear(&mut self, period: &[i16; PERIOD], out: &mut impl FnMut(Heard)) {
        match self.keys.hear(period) {
            dtmf::Heard::Began { key, .. } => out(Heard::Key(key)),
            dtmf::Heard::Ended { key, .. } => out(Heard::KeyEnded(key)),
            dtmf::Heard::Nothing | dtmf::Heard::Suspected { .. } | dtmf::Heard::Held(_) => {}
        }
        if let Some(line) = &mut self.line {
            line.hear(period, out);
        }
    }
}

impl Line {
    fn hear(&mut self, period: &[i16; PERIOD], out: &mut impl FnMut(Heard)) {
        if let Some(progress) = self.tones.hear(period) {
            out(Heard::Progress(progress));
        }
        let silent_ms = self.tones.silence_ms();
        if silent_ms > 0 && silent_ms.is_multiple_of(SILENCE_MS) {
            out(Heard::Silent { ms: silent_ms });
        }
        // Half a second of a pause counts as speech to the detector, and does not here.
        if self.pace.pass(self.tones.is_speech(), silent_ms == 0) {
            out(Heard::Speech);
        }
        if let Some(heard) = self.caller_id.feed(period) {
            out(Heard::CallerId(heard));
        }
    }
}

impl Pace {
    /// One period; whether speech is told in it.
    fn pass(&mut self, is_speech: bool, is_loud: bool) -> bool {
        self.talked = if is_speech { self.talked.saturating_add(u32::from(is_loud)) } else { 0 };
        self.told = self.told.saturating_add(1);
        let is_due = is_loud && self.talked >= TALKS && self.told >= BETWEEN;
        if is_due {
            self.told = 0;
        }
        is_due
    }
}
