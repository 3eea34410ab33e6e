//! What the box itself has to say, and to which phone.

use super::{
    Switchboard,
    jack::{Jack, User},
};
use crate::{
    audio::prompt::Prompt,
    call::{
        ring_group::{Availability, PortKind},
        untracked::{Announcement, Event, Untracked},
    },
    time::Instant,
};

impl Switchboard {
    /// Says something to the first phone that can be told: one with dial tone hears it at once, an idle one rings.
    pub(super) fn announce(&mut self, prompt: Prompt, now: Instant) {
        let phones = || {
            self.jacks.iter().filter(|jack| jack.fxs().is_some() && matches!(jack.port.kind, PortKind::Phone))
        };
        let speaks = |untracked: &Untracked| matches!(untracked, Untracked::Announcement(_));
        if self.stopping || self.passed.values().any(|passed| speaks(&passed.call)) {
            return;
        }
        let listens = phones().find_map(|jack| Some((jack.port.id, self.dial_tone_on(jack)?)));
        let idle = phones().find(|jack| self.availability(jack) == Availability::Idle);
        if let Some((phone, dialler)) = listens {
            let User::Untracked(call) = dialler else { return };
            if let Some(jack) = self.jacks.get_mut(phone) {
                jack.calls.gone(dialler);
            }
            self.tell_untracked(call, Event::Taken, now);
            let call = Announcement::speak(phone, prompt, now);
            self.pass(Untracked::Announcement(call), phone, Vec::new(), now);
        } else if let Some(phone) = idle.map(|jack| jack.port.id) {
            let mut commands = Vec::new();
            let call = Announcement::ring(phone, prompt, now, &mut commands);
            self.pass(Untracked::Announcement(call), phone, commands, now);
        }
    }

    /// Somebody calls: a phone that only rings to be told something is his.
    pub(super) fn callers_come_first(&mut self, now: Instant) {
        let rings = self.passed.iter().filter_map(|(id, passed)| match &passed.call {
            Untracked::Announcement(call) if call.is_ringing() => Some(*id),
            Untracked::Announcement(_) | Untracked::Direct(_) | Untracked::DialOut(_) => None,
        });
        // At once, not step by step: the caller looks for an idle phone now.
        for id in rings.collect::<Vec<_>>() {
            self.forget_untracked(id, now);
        }
    }

    /// The use of a phone that has dial tone and nothing else.
    fn dial_tone_on(&self, jack: &Jack) -> Option<User> {
        let user = jack.calls.active()?;
        let User::Untracked(call) = user else { return None };
        self.passed.get(&call)?.call.has_dial_tone().then_some(user)
    }
}
