//! A call that waits, announced to the phone of this one: tone and caller ID in the conversation (Type II).
//!
//! The phone's acknowledgement is a key that is meant for us: the far end hears neither its tone nor a telephone-event.

use super::{control::Event, ears::OfficeKey};
use crate::{
    audio::{
        PERIOD,
        caller_id::waiting::{CallWaiting, Outcome, Step},
        dtmf::Key,
        interleaved::ColumnMut,
    },
    id::Slot,
};

/// One announcement.
#[derive(Debug)]
pub(super) struct Waiting {
    slot: Slot,
    announcing: Box<CallWaiting>,
    /// Key that the phone began in the period before.
    ack: Option<Key>,
    step: Step,
}

impl Waiting {
    /// To the phone on a slot.
    pub(super) const fn new(slot: Slot, announcing: Box<CallWaiting>) -> Self {
        Self { slot, announcing, ack: None, step: Step::Beeping }
    }

    /// Puts what the phone is to hear of it over what it hears of its talker.
    pub(super) fn sound(&mut self, playback: &mut ColumnMut<'_>) {
        let mut period = [0; PERIOD];
        playback.as_column().read(&mut period);
        self.step = self.announcing.tick(self.ack.take(), &mut period);
        playback.write(&period, |&sample| sample);
    }

    /// Takes what the phone said in this period; the rest is for the far end.
    pub(super) fn hear(&mut self, key: OfficeKey, said: &mut [i16; PERIOD]) -> OfficeKey {
        if !self.step.mutes_phone() {
            return key;
        }
        if let OfficeKey::Began(key, _) = key {
            self.ack = Some(key);
        }
        said.fill(0);
        OfficeKey::None
    }

    /// How it ended, once it has.
    pub(super) const fn outcome(&self) -> Option<Outcome> {
        match self.step {
            Step::Done(outcome) => Some(outcome),
            Step::Beeping | Step::Alerting | Step::Listening | Step::Pausing | Step::Sending => None,
        }
    }

    /// It is over; `None` if it was cut short.
    pub(super) fn end(self, outcome: Option<Outcome>, events: &mut impl FnMut(Event)) {
        events(Event::Announced { slot: self.slot, outcome, waiting: self.announcing });
    }
}
