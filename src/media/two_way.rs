//! Proof of a conversation: both legs have had speech. Where a line does not say that it was answered, this does.
//!
//! Speech is sound that moves as a voice does: neither a tone of the exchange nor a caller's noisy car is any.

use super::tap::Leg;
use crate::audio::{
    PERIOD,
    meter::{Energy, VOICE_DBM0},
    progress::Voice,
};

/// Periods of speech that each leg must have had: 2 s.
const PERIODS: u32 = 200;

/// Waits until both have talked.
#[derive(Debug)]
pub(super) struct TwoWay {
    voice_from: Energy,
    caller: Talker,
    office: Talker,
    is_told: bool,
}

#[derive(Debug)]
struct Talker {
    voice: Voice,
    /// Periods of speech so far.
    periods: u32,
}

impl TwoWay {
    pub(super) fn new() -> Self {
        let [caller, office] = [0; 2].map(|periods| Talker { voice: Voice::new(), periods });
        Self { voice_from: Energy::from_dbm0(VOICE_DBM0), caller, office, is_told: false }
    }

    /// Takes a period of one leg, with its energy and whether a key sounds in it.
    pub(super) fn hear(&mut self, leg: Leg, period: &[i16; PERIOD], energy: Energy, is_key: bool) {
        let talker = match leg {
            Leg::Caller => &mut self.caller,
            Leg::Office => &mut self.office,
        };
        if talker.periods < PERIODS && talker.voice.listen(period, energy.mean_square()) {
            talker.periods += u32::from(energy >= self.voice_from && !is_key);
        }
    }

    /// Whether both have talked now; said once.
    pub(super) const fn is_news(&mut self) -> bool {
        let is_proven = self.caller.periods >= PERIODS && self.office.periods >= PERIODS;
        let is_news = is_proven && !self.is_told;
        self.is_told |= is_proven;
        is_news
    }
}
