//! What the box itself has to say, and to which phone.

use super::{
    Switchboard,
    jack::{Jack, User},
};
use crate::{
    audio::prompt::Prompt,
    call::{
        ring_group::{Availability, PortKind},
        untracked::{Announcement, Event, Found, Untracked},
    },
    time::Instant,
};

impl Switchboard {
    /// Says something to a phone, if one can be told.
    pub(super) fn announce(&mut self, prompt: Prompt, now: Instant) {
        if self.stopping {
            return;
        }
        let phones =
            self.jacks.iter().filter(|jack| jack.fxs().is_some() && jack.port.kind == PortKind::Phone);
        let phones: Vec<_> = phones.map(|jack| (jack.port.id, self.found(jack))).collect();
        let calls = self.untracked_calls().map(Untracked::kind);
        let mut commands = Vec::new();
        let Some(call) = Announcement::begin(prompt, &phones, calls, now, &mut commands) else { return };
        let phone = call.phone();
        if let Some(jack) = self.jacks.get_mut(phone)
            && let Some(User::Untracked(dialler)) = jack.calls.active()
        {
            jack.calls.gone(User::Untracked(dialler));
            self.tell_untracked(dialler, Event::Taken, now);
        }
        self.pass(Untracked::Announcement(call), phone, commands, now);
    }

    /// A phone as the announcement finds it.
    fn found(&self, jack: &Jack) -> Found {
        if self.untracked_on(jack).is_some_and(Untracked::has_dial_tone) {
            return Found::DialTone;
        }
        match self.availability(jack) {
            Availability::Idle => Found::Idle,
            Availability::Down | Availability::Dead | Availability::Busy | Availability::InConversation => {
                Found::Taken
            }
        }
    }

    /// Somebody calls: whatever is to make room for him is forgotten.
    pub(super) fn callers_come_first(&mut self, now: Instant) {
        let yields = self.passed.iter().filter(|(_, passed)| passed.call.yields_to_callers());
        // At once, not step by step: the caller looks for an idle phone now.
        for id in yields.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.forget_untracked(id, now);
        }
    }
}
