//! How a called party is known to have answered.
//!
//! | evidence | what it has to show |
//! |---|---|
//! | polarity | turned, on a line that is known to turn it for an answer |
//! | voice | somebody talks, and goes on: [`Settings::voice_ms`] without a tone or a second of silence, or once more |
//! | assumed | [`Settings::assumed_ms`] since everything was dialled, and no ringback for one and a half of its cycles |
//!
//! A phone that rings is never assumed to have been answered, however long it rings.

use super::{Evidence, Learned};
use crate::{
    audio::{line_ear::Heard, progress::Progress, tone_plan::TonePlan},
    time::Instant,
};

/// "Hello?", a pause, "hello?". The ear tells at most once a second.
const TWICE: u32 = 2;

/// Whether a reversal is an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reversal {
    /// Once the line has shown it.
    #[default]
    Learned,
    /// The installer knows that it is.
    Answers,
    /// The installer knows that it is not.
    Ignored,
}

/// What makes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Reversals of the polarity.
    pub reversal: Reversal,
    /// How long somebody talks, in ms, 1,100 to 3,000: below, a second of silence would refute nothing. The ear has heard
    /// 200 ms before it says so.
    pub voice_ms: u64,
    /// After how long an answer is assumed, in ms.
    pub assumed_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reversal: Reversal::Learned, voice_ms: 1_200, assumed_ms: 30_000 }
    }
}

/// The watch for an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    settings: Settings,
    trusts_reversal: bool,
    /// When an answer is assumed.
    assumed: Instant,
    /// What a ringback puts that off by, in ms.
    rings_ms: u64,
    /// Since when somebody talks without a second of silence.
    speaks_since: Option<Instant>,
    /// How often somebody was heard since the last tone.
    spoken: u32,
}

impl Answer {
    pub(super) fn new(settings: Settings, learned: &Learned, tones: &TonePlan, now: Instant) -> Self {
        let trusts_reversal = match settings.reversal {
            Reversal::Learned => learned.trusts_answers(),
            Reversal::Answers => true,
            Reversal::Ignored => false,
        };
        let cycle: u32 =
            tones.ringback.cadence.bursts_ms().iter().map(|&(on, off)| u32::from(on) + u32::from(off)).sum();
        Self {
            settings,
            trusts_reversal,
            assumed: now.after_ms(settings.assumed_ms),
            rings_ms: u64::from(cycle) * 3 / 2,
            speaks_since: None,
            spoken: 0,
        }
    }

    /// The polarity turned.
    pub(super) const fn reversed(&self) -> Option<Evidence> {
        if self.trusts_reversal { Some(Evidence::Polarity) } else { None }
    }

    pub(super) fn heard(&mut self, heard: &Heard, now: Instant) {
        match heard {
            Heard::Speech => {
                self.speaks_since.get_or_insert(now);
                self.spoken += 1;
            }
            Heard::Silent { .. } => self.speaks_since = None,
            Heard::Progress(progress) => {
                (self.speaks_since, self.spoken) = (None, 0);
                if let Progress::Ringback { .. } = progress {
                    self.assumed = self.assumed.max(now.after_ms(self.rings_ms));
                }
            }
            Heard::Key(_) | Heard::KeyEnded(_) | Heard::CallerId(_) => {}
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.speaks_until().map_or(self.assumed, |voice| voice.min(self.assumed))
    }

    pub(super) fn due(&self, now: Instant) -> Option<Evidence> {
        if self.spoken >= TWICE || self.speaks_until().is_some_and(|voice| now >= voice) {
            return Some(Evidence::Voice);
        }
        (now >= self.assumed).then_some(Evidence::Assumed)
    }

    fn speaks_until(&self) -> Option<Instant> {
        self.speaks_since.map(|since| since.after_ms(self.settings.voice_ms))
    }
}
