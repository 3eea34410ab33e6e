//! What direct calls want, and phones that dial.

use super::{
    Output, Passed, Step, Switchboard, Words,
    input::{Listening, Report},
    jack::User,
};
use crate::{
    audio::dtmf::Key,
    call::{
        event::Event as CallEvent,
        ring_group::Availability,
        untracked::{Command, DialOut, Event, Kind, Untracked, UntrackedId},
    },
    id::PortId,
    line::{
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

    /// The phones that a direct call rings: the idle ones, else one on which a person hears that it waits.
    pub(super) fn phones_for_direct(&self) -> Vec<PortId> {
        let phones = self.settings.direct_phones.iter().filter_map(|port| self.jacks.get(*port));
        let phones: Vec<_> = phones.map(|jack| (jack.port.id, self.availability(jack))).collect();
        let are = |wanted| phones.iter().filter(move |(_, is)| *is == wanted).map(|(port, _)| *port);
        let idle: Vec<PortId> = are(Availability::Idle).collect();
        if idle.is_empty() { are(Availability::InConversation).take(1).collect() } else { idle }
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
            Command::FindLine { keys, emergency } => self.find_line(call, &keys, emergency, now),
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

    /// Gives a line to whoever dialled; an emergency takes one away if none is free.
    fn find_line(&mut self, call: UntrackedId, keys: &[Key], emergency: bool, now: Instant) {
        let user = User::Untracked(call);
        let free = self
            .jacks
            .iter()
            .filter(|jack| jack.fxo().is_some() && self.availability(jack) == Availability::Idle)
            .min_by_key(|jack| self.tests.contains_key(&jack.port.id));
        let taken = || {
            // Off hook on a line that rings would answer the caller, and give no dial tone.
            let usable = |jack: &&super::jack::Jack| {
                jack.fxo().is_some_and(|fxo| fxo.is_up() && fxo.is_fed() && !fxo.is_ringing())
            };
            self.jacks
                .iter()
                .filter(usable)
                .find(|jack| jack.calls.active().is_none_or(|user| self.yields(user)))
        };
        let line =
            free.or_else(|| emergency.then(taken).flatten()).map(|jack| (jack.port.id, jack.calls.active()));
        let (Some((line, before)), Some(digits)) = (line, Digits::pressed(keys)) else {
            return self.tell_untracked(call, Event::NoLine, now);
        };
        if let Some(before) = before {
            self.tell(before, (CallEvent::Taken(line), Event::Taken), now);
            self.tell_fxo(line, fxo::Event::Release, now);
        }
        if let Some(jack) = self.jacks.get_mut(line) {
            jack.calls = Default::default();
            jack.calls.attach(user);
        }
        self.tell_untracked(call, Event::LineGiven(line), now);
        let urgency = if emergency { Urgency::Urgent } else { Urgency::Ordinary };
        self.seize(line, Dial { digits, urgency }, now);
    }

    /// Whether an emergency may take a call's line away: of another emergency it may not.
    fn yields(&self, user: User) -> bool {
        match user {
            User::Call(_) => true,
            User::Untracked(call) => {
                let kind = self.passed.get(&call).map(|passed| passed.call.kind());
                kind != Some(Kind::Emergency)
            }
        }
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
