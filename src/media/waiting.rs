//! A call that waits, announced to the phone of this one: tone and caller ID in the conversation (Type II).
//!
//! The phone's acknowledgement is a key that is meant for us: the trunk hears neither its tone nor a telephone-event.

use super::ears::{OfficeKey, Said};
use crate::audio::{
    PERIOD,
    caller_id::waiting::{CallWaiting, Outcome, Step},
    dtmf::Key,
    interleaved::ColumnMut,
};

/// One announcement.
#[derive(Debug)]
pub(super) struct Waiting {
    announcing: Box<CallWaiting>,
    /// Key that the phone began in the period before.
    ack: Option<Key>,
    step: Step,
}

impl Waiting {
    pub(super) const fn new(announcing: Box<CallWaiting>) -> Self {
        Self { announcing, ack: None, step: Step::Beeping }
    }

    /// Puts what the phone is to hear of it over what it hears of its talker.
    pub(super) fn sound(&mut self, playback: &mut ColumnMut<'_>) {
        let mut period = [0; PERIOD];
        playback.as_column().read(&mut period);
        self.step = self.announcing.tick(self.ack.take(), &mut period);
        playback.write(&period, |&sample| sample);
    }

    /// Takes what the phone said in this period; the rest is for the trunk.
    pub(super) fn hear(&mut self, said: Said, office: &mut [i16; PERIOD]) -> Said {
        if !self.step.mutes_phone() {
            return said;
        }
        if let OfficeKey::Began(key, _) = said.key {
            self.ack = Some(key);
        }
        office.fill(0);
        Said { key: OfficeKey::None, ..said }
    }

    /// How it ended, once it has.
    pub(super) const fn outcome(&self) -> Option<Outcome> {
        match self.step {
            Step::Done(outcome) => Some(outcome),
            Step::Beeping | Step::Alerting | Step::Listening | Step::Pausing | Step::Sending => None,
        }
    }

    /// To be freed off the media thread.
    pub(super) fn into_spent(self) -> Box<CallWaiting> {
        self.announcing
    }
}
