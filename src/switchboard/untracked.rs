//! What direct calls want, and phones that dial.

use super::{
    Output, Passed, Step, Switchboard, Words,
    input::{Listening, Report},
    jack::{Jack, User},
    translate,
};
use crate::{
    audio::dtmf::Key,
    call::{
        event::Event as CallEvent,
        untracked::{Command, DialOut, Event, Kind, Untracked, UntrackedId},
    },
    id::PortId,
    line::{
        allocation::{Candidate, Holder, allocate},
        fxo::{self, Dial, Digits, Urgency},
        fxs,
    },
    media::control::{self as media, Sound},
    sip::event as sip,
    time::Instant,
};

impl Switchboard {
    /// A handset was lifted and nobody called: dial tone.
    pub(super) fn dial_out(&mut self, phone: PortId, now: Instant) {
        if self.stopping {
            return self.tell_fxs(phone, fxs::Event::Reorder, now);
        }
        let mut commands = Vec::new();
        let call = DialOut::begin(phone, self.settings.dial_out, now, &mut commands);
        self.pass(Untracked::DialOut(call), phone, commands, now);
    }

    /// Keeps a new untracked call, which begins at `port`.
    pub(super) fn pass(&mut self, call: Untracked, port: PortId, commands: Vec<Command>, now: Instant) {
        let id = UntrackedId(self.next_untracked);
        self.next_untracked = self.next_untracked.wrapping_add(1);
        if let Some(jack) = self.jacks.get_mut(port) {
            jack.calls.attach(User::Untracked(id));
        }
        self.passed.insert(id, Passed { call, since: now, dialog: None, rtp: None, patched: false });
        self.steps.extend(commands.into_iter().map(|command| Step::Untracked(id, command)));
    }

    pub(super) fn on_untracked(
        &mut self,
        call: UntrackedId,
        command: Command,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let user = User::Untracked(call);
        match command {
            Command::Ring(port) => self.ring(port, user, now, out),
            Command::StopRing(port) => self.stop_ring(port, user, now),
            Command::Release(port) => self.release(port, user, fxs::Event::Release, now),
            Command::Reorder(port) => self.release(port, user, fxs::Event::Reorder, now),
            Command::AnswerLine(line) => self.tell_fxo(line, fxo::Event::Answer, now),
            Command::HangUpLine(line) => self.hang_up_line(line, user, now),
            Command::FindLine { keys, emergency } => {
                self.find_line(call, &keys, translate::urgency(emergency), now);
            }
            Command::PlaceOnTrunk(keys) => self.place_on_trunk(call, &keys, now),
            Command::PatchTrunk { phone, trunk } => self.patch_trunk(call, phone, trunk, out),
            Command::UnpatchTrunk => {
                let rtp = self.passed.get(&call).and_then(|passed| passed.rtp);
                out.extend(rtp.map(|rtp| Output::Media(media::Command::Unpatch { rtp })));
            }
            Command::HangUpTrunk => {
                if let Some(dialog) = self.passed.get(&call).and_then(|passed| passed.dialog) {
                    self.tell_sip(sip::Event::HangUp { dialog, reason: None }, now);
                }
            }
            Command::ReportEmergency { phone, keys, via } => {
                out.push(Output::Report(Report::EmergencyDialled { phone, keys, via }));
            }
            Command::End { kind, joined } => {
                // A handset that was lifted and put down again is no call.
                if kind != Kind::Announcement && (joined || kind != Kind::DialOut) {
                    let line = self.passed.get(&call).and_then(|passed| passed.call.line_used());
                    out.push(Output::Report(Report::Untracked { kind, joined, line }));
                }
                self.forget_untracked(call, now);
            }
            sound => self.on_sound(sound, out),
        }
    }

    /// What an untracked call wants played, joined or heard.
    fn on_sound(&self, command: Command, out: &mut Vec<Output>) {
        let slot = |port: PortId| self.jacks.get(port).map(|jack| jack.slot);
        let output = match command {
            Command::DialTone(port) => slot(port).map(|slot| {
                out.push(Output::Listen { slot, to: Listening::Phone });
                let sound = Sound::Tone(self.settings.dial_tone);
                Output::Media(media::Command::Play { slot, sound })
            }),
            Command::Quiet(port) => slot(port).map(|slot| Output::Media(media::Command::Hush { slot })),
            Command::Ignore(port) => slot(port).map(|slot| Output::Media(media::Command::Ignore { slot })),
            Command::SayUnplaced(port) => slot(port).map(|slot| Output::Say { slot, words: Words::Unplaced }),
            Command::Say { phone, prompt } => {
                slot(phone).map(|slot| Output::Say { slot, words: Words::Asked(prompt) })
            }
            Command::Join { phone, line } => slot(phone)
                .zip(slot(line))
                .map(|(phone, line)| Output::Media(media::Command::Join { phone, line })),
            Command::Part(phone) => slot(phone).map(|phone| Output::Media(media::Command::Part { phone })),
            _ => None,
        };
        out.extend(output);
    }

    /// Gives a line to whoever dialled; the call that has it loses it.
    fn find_line(&mut self, call: UntrackedId, keys: &[Key], urgency: Urgency, now: Instant) {
        let lines: Vec<_> = self.jacks.iter().filter_map(|jack| self.candidate(jack)).collect();
        let (Some(line), Some(digits)) = (allocate(&lines, urgency), Digits::pressed(keys)) else {
            return self.tell_untracked(call, Event::NoLine, now);
        };
        if let Some(before) = self.jacks.get(line).and_then(|jack| jack.calls.active()) {
            self.tell(before, (CallEvent::Taken(line), Event::Taken), now);
            self.tell_fxo(line, fxo::Event::Release, now);
        }
        if let Some(jack) = self.jacks.get_mut(line) {
            jack.calls = Default::default();
            jack.calls.attach(User::Untracked(call));
        }
        self.tell_untracked(call, Event::LineGiven(line), now);
        self.seize(line, Dial { digits, urgency }, now);
    }

    /// An office line as a call finds it.
    fn candidate(&self, jack: &Jack) -> Option<Candidate> {
        let is_emergency = self.untracked_on(jack).is_some_and(|call| call.kind() == Kind::Emergency);
        let holder = match jack.calls.active() {
            Some(_) => Holder::Call(translate::urgency(is_emergency)),
            None if self.is_tested(jack) => Holder::Test,
            None => Holder::Nobody,
        };
        jack.fxo().map(|fxo| Candidate::of(jack.port.id, fxo, holder))
    }

    /// The call on a port, if it is not tracked.
    pub(super) fn untracked_on(&self, jack: &Jack) -> Option<&Untracked> {
        let Some(User::Untracked(call)) = jack.calls.active() else { return None };
        self.passed.get(&call).map(|passed| &passed.call)
    }

    fn hang_up_line(&mut self, line: PortId, user: User, now: Instant) {
        let Some(jack) = self.jacks.get_mut(line) else { return };
        // An emergency call may have it by now.
        if jack.calls.involves(user) {
            jack.calls.gone(user);
            self.tell_fxo(line, fxo::Event::Release, now);
        }
    }

    fn place_on_trunk(&mut self, call: UntrackedId, keys: &[Key], now: Instant) {
        let rtp = self.rtp_free.pop();
        let address = rtp.and_then(|rtp| self.settings.rtp.get(usize::from(rtp.0)).copied());
        let (Some(passed), Some(address)) = (self.passed.get_mut(&call), address) else {
            return self.tell_untracked(call, Event::TrunkEnded, now);
        };
        let dialog = self.sip.reserve();
        (passed.rtp, passed.dialog) = (rtp, Some(dialog));
        self.dialogs.insert(dialog, User::Untracked(call));
        let to: String = keys.iter().map(|key| key.sign()).collect();
        let (trunk, priority) = (sip::TrunkId(0), sip::Priority::Emergency);
        self.tell_sip(sip::Event::Place { dialog, trunk, to: &to, rtp: address, priority }, now);
    }

    fn patch_trunk(&mut self, call: UntrackedId, phone: PortId, trunk: media::Trunk, out: &mut Vec<Output>) {
        let slot = self.jacks.get(phone).map(|jack| jack.slot);
        let (Some(passed), Some(slot)) = (self.passed.get_mut(&call), slot) else { return };
        let Some(rtp) = passed.rtp else { return };
        if std::mem::replace(&mut passed.patched, true) {
            return out.push(Output::Media(media::Command::Change { rtp, trunk }));
        }
        let (source, rtcp_seed) = self.new_stream();
        self.patches.insert(rtp, User::Untracked(call));
        out.push(Output::Patch { rtp, slot, trunk, source, rtcp_seed, recording: None, notice: false });
    }

    pub(super) fn forget_untracked(&mut self, call: UntrackedId, now: Instant) {
        let Some(passed) = self.passed.remove(&call) else { return };
        if let Some(dialog) = passed.dialog {
            self.dialogs.remove(&dialog);
        }
        self.leave_ports(User::Untracked(call), now);
        if !passed.patched {
            self.rtp_free.extend(passed.rtp);
        }
    }
}
