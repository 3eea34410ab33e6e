//! INVITEs, and what tracked calls want.

use super::{
    Output, Placed, Switchboard, Words,
    input::Report,
    jack::{Jack, User},
    translate,
};
use crate::{
    audio::caller_id::CallerId,
    call::{
        event::{Command as CallCommand, Event as CallEvent, LineFault},
        machine::Call,
        our_own::is_our_own,
        ring_group::{Availability, RingGroup},
    },
    id::{CallId, PortId},
    line::{
        fxo::{self, Dial, Digits, Urgency},
        fxs,
    },
    media::control as media,
    number::E164,
    recording::lifecycle as storage,
    sip::event::{self as sip, DialogId},
    time::Instant,
};
use std::sync::Arc;

impl Switchboard {
    /// An INVITE: the first candidate number that the directory knows makes it a call.
    pub(super) fn offered(
        &mut self,
        dialog: DialogId,
        offered: &sip::Offered,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let directory = Arc::clone(&self.directory);
        let Some((called, tracker)) =
            offered.called.iter().find_map(|called| Some((called, directory.lookup(&called.number)?)))
        else {
            return self.reject(dialog, 404, now);
        };
        let route = translate::route(tracker, self.jacks.iter().map(|jack| &jack.port));
        let identity = self.numbering.take(self.wall.at(now), now);
        let group = if self.stopping {
            RingGroup::Closed
        } else if is_our_own(&translate::arrived(offered), &self.dialled(), &self.settings.line_numbers) {
            out.push(Output::Report(Report::Loop { tracking_number: tracker.number.clone() }));
            RingGroup::Loop
        } else {
            self.callers_come_first(now);
            // A call that rings holds an RTP port, so that it can be answered.
            self.ring_group(&route.ports, !self.rtp_free.is_empty())
        };
        let rtp = matches!(group, RingGroup::Rings(_)).then(|| self.rtp_free.pop()).flatten();
        let incoming = translate::incoming(offered, called, tracker, &directory);
        let mut commands = Vec::new();
        let call = Call::offer(&identity, incoming, &route, group, &self.settings.call, now, &mut commands);
        self.calls.insert(identity.call, Placed { call, dialog, rtp, patched: false });
        self.dialogs.insert(dialog, User::Call(identity.call));
        self.steps.extend(commands.into_iter().map(|command| super::Step::Call(identity.call, command)));
    }

    /// What of a call's group can ring now.
    pub(super) fn ring_group(&self, ports: &[PortId], room: bool) -> RingGroup {
        let group = ports.iter().filter_map(|port| self.jacks.get(*port));
        RingGroup::choose(group.map(|jack| (jack.port.clone(), self.availability(jack))), room)
    }

    /// Whether a call may have a port: a busy phone too, if the person on it may be told of another call.
    pub(super) fn availability(&self, jack: &Jack) -> Availability {
        let talks =
            self.settings.call_waiting && jack.calls.active().is_some_and(|user| self.is_talking(user));
        match jack.availability(talks) {
            // A test gives its line back to whoever needs it.
            Availability::Busy if self.is_tested(jack) => Availability::Idle,
            is => is,
        }
    }

    fn is_talking(&self, user: User) -> bool {
        match user {
            User::Call(call) => self.calls.get(&call).is_some_and(|placed| placed.call.is_talking()),
            User::Untracked(call) => self.passed.get(&call).is_some_and(|passed| passed.call.is_talking()),
        }
    }

    /// The numbers of the tracked calls that are out on office lines now.
    fn dialled(&self) -> Vec<&E164> {
        let off_hook = self.jacks.iter().filter(|jack| jack.fxo().is_some_and(fxo::Fxo::is_off_hook));
        let dialled = |jack: &Jack| match jack.calls.active()? {
            User::Call(call) => self.calls.get(&call)?.call.record().business_phone_number.as_ref(),
            User::Untracked(_) => None,
        };
        off_hook.filter_map(dialled).collect()
    }

    /// What tracked call shows on a phone's display; a direct call's caller comes from the line itself.
    pub(super) fn caller_id(&self, user: User, now: Instant) -> Option<CallerId> {
        let User::Call(call) = user else { return None };
        let placed = self.calls.get(&call)?;
        Some(translate::caller_id(&placed.call, self.wall.at(now), &self.settings.time_zone))
    }

    /// The office line is the last hop. The only numbers that can get here are those of the directory.
    pub(super) fn dial_forwarding_number(&mut self, line: PortId, user: User, now: Instant) {
        let User::Call(call) = user else { return };
        let Some(placed) = self.calls.get(&call) else { return };
        let Some(number) = placed.call.record().business_phone_number.as_ref() else {
            return self.tell_call(call, CallEvent::LineRefused(line, LineFault::Broken), now);
        };
        let digits = Digits::of_number(number, &self.settings.dialplan);
        self.seize(line, Dial { digits, urgency: Urgency::Ordinary }, now);
    }

    pub(super) fn on_call(
        &mut self,
        call: CallId,
        command: CallCommand,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(placed) = self.calls.get_mut(&call) else { return };
        let (dialog, rtp, user) = (placed.dialog, placed.rtp, User::Call(call));
        let order =
            |command: fn(crate::id::RtpPort) -> media::Command| rtp.map(|rtp| Output::Media(command(rtp)));
        match command {
            CallCommand::Ringing => self.tell_sip(sip::Event::Ring { dialog }, now),
            CallCommand::Answer => {
                match rtp.and_then(|rtp| self.settings.rtp.get(usize::from(rtp.0)).copied()) {
                    Some(rtp) => self.tell_sip(sip::Event::Answer { dialog, rtp }, now),
                    None => self.reject(dialog, 503, now),
                }
            }
            CallCommand::Reject { status } => self.reject(dialog, status, now),
            CallCommand::HangUp => self.tell_sip(sip::Event::HangUp { dialog, reason: None }, now),
            CallCommand::Ring(port) => self.ring(port, user, now, out),
            CallCommand::StopRing(port) => self.stop_ring(port, user, now),
            CallCommand::Release(port) => self.release(port, user, fxs::Event::Release, now),
            CallCommand::Patch { port, trunk, record } => self.patch(call, port, trunk, record, out),
            CallCommand::Change(trunk) => {
                out.extend(rtp.map(|rtp| Output::Media(media::Command::Change { rtp, trunk })));
            }
            CallCommand::Pause => out.extend(order(|rtp| media::Command::Pause { rtp })),
            CallCommand::Resume => out.extend(order(|rtp| media::Command::Resume { rtp })),
            CallCommand::Park => out.extend(order(|rtp| media::Command::Park { rtp })),
            CallCommand::Unpark(port) => {
                let slot = self.jacks.get(port).map(|jack| jack.slot);
                out.extend(
                    rtp.zip(slot).map(|(rtp, slot)| Output::Media(media::Command::Unpark { rtp, slot })),
                );
            }
            CallCommand::SayTaken(port) => {
                let slot = self.jacks.get(port).map(|jack| jack.slot);
                out.extend(slot.map(|slot| Output::Interject { slot, words: Words::Taken }));
            }
            CallCommand::Unpatch => out.extend(order(|rtp| media::Command::Unpatch { rtp })),
            CallCommand::Show(bubble) => out.push(Output::Show(bubble)),
            CallCommand::JournalRinging(record) => out.push(Output::Store(storage::Command::Ringing(record))),
            CallCommand::JournalAnswered(record) => {
                out.push(Output::Store(storage::Command::Answered { call, record }));
            }
            CallCommand::Save(record) => {
                out.push(Output::Store(storage::Command::Save(record)));
                self.forget(call, now);
            }
        }
    }

    fn patch(
        &mut self,
        call: CallId,
        port: PortId,
        trunk: media::Trunk,
        record: bool,
        out: &mut Vec<Output>,
    ) {
        let (Some(jack), Some(placed)) = (self.jacks.get(port), self.calls.get_mut(&call)) else { return };
        let Some(rtp) = placed.rtp else { return };
        placed.patched = true;
        let recording = record.then(|| translate::start_recording(placed.call.record())).flatten();
        let slot = jack.slot;
        let (source, rtcp_seed) = self.new_stream();
        self.patches.insert(rtp, User::Call(call));
        out.push(Output::Patch { rtp, slot, trunk, source, rtcp_seed, recording, notice: true });
    }

    /// What a new RTP stream begins with.
    pub(super) fn new_stream(&mut self) -> ((u32, u16, u32), u128) {
        let mut random = || (self.numbering.random_u64(), self.numbering.random_u64());
        (translate::rtp_source(random()), translate::rtcp_seed(random()))
    }

    /// The call is saved: its ports and dialog are free; its RTP port too, once the media thread has let it go.
    fn forget(&mut self, call: CallId, now: Instant) {
        let Some(placed) = self.calls.remove(&call) else { return };
        self.dialogs.remove(&placed.dialog);
        self.leave_ports(User::Call(call), now);
        if !placed.patched {
            self.rtp_free.extend(placed.rtp);
        }
    }

    /// A call is over: phones that ring for it stop. One that is off hook is let go by what the call itself wants.
    pub(super) fn leave_ports(&mut self, user: User, now: Instant) {
        for port in self.jacks.of(user) {
            let is_off_hook = self.jacks.get(port).and_then(Jack::fxs).is_some_and(fxs::Fxs::is_off_hook);
            if !is_off_hook {
                self.stop_ring(port, user, now);
            }
        }
    }
}
