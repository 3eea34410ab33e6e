//! What phones and lines report, what is heard on them, and which call that concerns.

use super::{
    Output, Switchboard,
    input::{Listening, Report},
    jack::{Machine, User},
    translate,
};
use crate::{
    audio::{caller_id::waiting::Outcome, line_ear::Heard, progress::Progress},
    call::{
        event::Event as CallEvent,
        untracked::{Direct, Event as Passing, Untracked},
    },
    id::{PortId, Slot},
    line::{
        fxo::{self, Alarm},
        fxs, line_test,
        two_calls::{Back, Gone, Switch},
    },
    media::control as media,
    time::Instant,
};

impl Switchboard {
    /// The media thread reports.
    pub(super) fn on_media(&mut self, event: media::Event, now: Instant) {
        match event {
            media::Event::Heard { slot, heard } => return self.on_heard(slot, heard, now),
            media::Event::Probed { slot, probe } => {
                let port = self.jacks.at_slot(slot).map(|jack| jack.port.id);
                return port
                    .into_iter()
                    .zip([probe])
                    .for_each(|(port, probe)| self.tell_test(port, line_test::Event::Probed(probe), now));
            }
            media::Event::Interjected { slot } => {
                let port = self.jacks.at_slot(slot).map(|jack| jack.port.id);
                return port
                    .into_iter()
                    .for_each(|port| self.tell_every_call(CallEvent::ReasonSaid(port), now));
            }
            media::Event::Announced { slot, outcome: Some(Outcome::Shown), .. } => {
                return self.on_announced(slot, now);
            }
            _ => {}
        }
        let Some((rtp, event)) = translate::media(&event) else { return };
        let user = if matches!(event, CallEvent::Unpatched { .. }) {
            self.rtp_free.push(rtp);
            self.patches.remove(&rtp)
        } else {
            self.patches.get(&rtp).copied()
        };
        if let Some(User::Call(call)) = user {
            self.tell_call(call, event, now);
        }
    }

    /// Tells something of a port that a call has just lost: each call is asked whether it concerns it.
    fn tell_every_call(&mut self, event: CallEvent, now: Instant) {
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.tell_call(call, event, now);
        }
    }

    /// A phone has shown who waits.
    fn on_announced(&mut self, slot: Slot, now: Instant) {
        let Some(jack) = self.jacks.at_slot(slot) else { return };
        let (port, waiting) = (jack.port.id, jack.calls.waiting());
        if let Some(User::Call(call)) = waiting {
            self.tell_call(call, CallEvent::CallerIdSent(port), now);
        }
    }

    fn on_heard(&mut self, slot: Slot, heard: Heard, now: Instant) {
        let Some(jack) = self.jacks.at_slot(slot) else { return };
        let (port, active) = (jack.port.id, jack.calls.active());
        match (&jack.machine, heard, active) {
            (Machine::Fxo(_), heard, _) => {
                self.tell_fxo(port, fxo::Event::Heard(heard), now);
                if heard == Heard::Progress(Progress::DialTone) {
                    self.tell_test(port, line_test::Event::DialTone, now);
                }
            }
            (Machine::Fxs(_), Heard::Key(key), Some(User::Untracked(call))) => {
                self.tell_untracked(call, Passing::Key(key), now);
            }
            (Machine::Fxs(_), ..) => {}
        }
    }

    /// A phone wants something.
    pub(super) fn on_fxs(
        &mut self,
        port: PortId,
        command: fxs::Command,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(jack) = self.jacks.get_mut(port) else { return };
        let (slot, active) = (jack.slot, jack.calls.active());
        match command {
            fxs::Command::OffHook => match active {
                Some(user) => self.tell(user, (CallEvent::OffHook(port), Passing::OffHook(port)), now),
                None => self.dial_out(port, now),
            },
            fxs::Command::OnHook => {
                let left = jack.calls.hang_up();
                if let Some(user) = left.ended {
                    self.tell(user, (CallEvent::OnHook(port), Passing::OnHook(port)), now);
                }
                if let Some(Back::Waiting(user) | Back::Held(user)) = left.rings {
                    self.ring(port, user, now, out);
                }
            }
            fxs::Command::Flash => self.on_flash(port, now),
            fxs::Command::Lost => {
                let left = jack.calls.hang_up();
                let other = left.rings.map(|(Back::Waiting(user) | Back::Held(user))| user);
                for user in left.ended.into_iter().chain(other) {
                    self.tell(user, (CallEvent::PortLost(port), Passing::PhoneLost(port)), now);
                }
            }
            sent => {
                let (output, event) = translate::fxs(sent, port, slot);
                out.extend(output);
                if let (Some(User::Call(call)), Some(event)) = (active, event) {
                    self.tell_call(call, event, now);
                }
            }
        }
    }

    /// The hook was flashed: for the call that waits or is held, else for the exchange.
    fn on_flash(&mut self, port: PortId, now: Instant) {
        let Some(jack) = self.jacks.get_mut(port) else { return };
        match jack.calls.flash() {
            Switch::Answered { parked, answered: heard } | Switch::Swapped { parked, resumed: heard } => {
                self.tell(parked, (CallEvent::Parked, Passing::Parked), now);
                self.tell(heard, (CallEvent::OffHook(port), Passing::OffHook(port)), now);
            }
            Switch::Nothing => {
                let Some(User::Untracked(call)) = jack.calls.active() else { return };
                if let Some(line) = self.passed.get(&call).and_then(|passed| passed.call.line()) {
                    self.tell_fxo(line, fxo::Event::Flash, now);
                }
            }
        }
    }

    /// An office line wants something.
    pub(super) fn on_fxo(
        &mut self,
        port: PortId,
        command: fxo::Command,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        self.tell_test_of(port, &command, now);
        self.call_after_test(port, &command, now);
        let Some(jack) = self.jacks.get_mut(port) else { return };
        let (slot, active) = (jack.slot, jack.calls.active());
        match command {
            fxo::Command::Order(order) => out.push(Output::Fxo { port, order }),
            fxo::Command::Listen => out.push(Output::Listen { slot, to: Listening::Line }),
            fxo::Command::Ignore => out.push(Output::Media(media::Command::Ignore { slot })),
            fxo::Command::Send(keys) => out.push(Output::Dial { slot, keys }),
            fxo::Command::Rings if active.is_none() => self.direct(port, now),
            fxo::Command::CallerId(received) => {
                if let Some(user) = active {
                    let id = translate::relayed(&received, self.wall.at(now), &self.settings.time_zone);
                    for phone in self.jacks.of(user) {
                        self.tell_fxs(phone, fxs::Event::ShowCaller(id.clone()), now);
                    }
                }
            }
            fxo::Command::Free => self.tell_every_call(CallEvent::LineFree(port), now),
            fxo::Command::Alarm(alarm) => {
                out.push(Output::Report(Report::LineAlarm { line: port, alarm, on: true }));
                if matches!(alarm, Alarm::Unplugged | Alarm::BatteryNotBack) {
                    self.tell_every_call(CallEvent::LineDead(port), now);
                }
            }
            fxo::Command::AlarmOver(alarm) => {
                out.push(Output::Report(Report::LineAlarm { line: port, alarm, on: false }));
            }
            fxo::Command::Learned(..) | fxo::Command::LearnedReversal => {
                if let Machine::Fxo(fxo) = &jack.machine {
                    out.push(Output::Report(Report::Learned { line: port, learned: fxo.learned() }));
                }
            }
            told => {
                let Some(user) = active else { return };
                let Some(events) = translate::fxo(&told, port) else { return };
                // The line has ended its use by itself.
                if matches!(told, fxo::Command::Refused(_) | fxo::Command::Gone(_) | fxo::Command::Lost(_)) {
                    jack.calls.gone(user);
                }
                self.tell(user, events, now);
            }
        }
    }

    /// Rings a phone for a call, or announces the call to whoever talks on it; dials the forwarding number on a line.
    pub(super) fn ring(&mut self, port: PortId, user: User, now: Instant, out: &mut Vec<Output>) {
        let id = self.caller_id(user, now);
        let Some(jack) = self.jacks.get_mut(port) else { return };
        match &jack.machine {
            Machine::Fxs(fxs) if fxs.is_idle() => {
                jack.calls.attach(user);
                self.tell_fxs(port, fxs::Event::Ring(id), now);
            }
            Machine::Fxs(_) => {
                let slot = jack.slot;
                if jack.calls.announce(user) {
                    out.extend(id.map(|id| Output::Announce { slot, id }));
                    self.tell(user, (CallEvent::RingBegan(port), Passing::Deadline), now);
                }
            }
            Machine::Fxo(_) => {
                jack.calls.attach(user);
                self.dial_forwarding_number(port, user, now);
            }
        }
    }

    /// A call no longer wants a port that rings for it, or waits.
    pub(super) fn stop_ring(&mut self, port: PortId, user: User, now: Instant) {
        let Some(jack) = self.jacks.get_mut(port) else { return };
        let was_active = jack.calls.active() == Some(user);
        jack.calls.gone(user);
        if was_active {
            match jack.machine {
                Machine::Fxs(_) => self.tell_fxs(port, fxs::Event::StopRing, now),
                Machine::Fxo(_) => self.tell_fxo(port, fxo::Event::Release, now),
            }
        }
    }

    /// A call lets a port go whose far end is gone; a call that is held there is heard again.
    pub(super) fn release(&mut self, port: PortId, user: User, event: fxs::Event, now: Instant) {
        let Some(jack) = self.jacks.get_mut(port) else { return };
        match (jack.calls.gone(user), &jack.machine) {
            (Gone::Unheard, _) => {}
            (Gone::Resumed(held), _) => {
                self.tell(held, (CallEvent::OffHook(port), Passing::OffHook(port)), now)
            }
            (Gone::Alone, Machine::Fxs(_)) => self.tell_fxs(port, event, now),
            (Gone::Alone, Machine::Fxo(_)) => self.tell_fxo(port, fxo::Event::Release, now),
        }
    }

    /// Somebody calls the office line.
    fn direct(&mut self, line: PortId, now: Instant) {
        if self.stopping {
            return;
        }
        self.callers_come_first(now);
        // A phone and a line are joined without the trunk: there is always room.
        let group = self.ring_group(&self.settings.direct_phones, true);
        let mut commands = Vec::new();
        let call = Untracked::Direct(Direct::offer(line, group, &mut commands));
        self.pass(call, line, commands, now);
    }
}
