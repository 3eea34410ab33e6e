//! The box as one value: inputs and `now` in, outputs out, nothing else.
//!
//! It routes each input to the machine that owns it and each machine's command to the next machine or to an edge.
//! It has no states of its own, only maps between identities: dialog, call, port, RTP port.

mod counts;
pub mod input;
mod translate;

pub use input::{Input, Output, Settings};

use crate::{
    call::{
        event::{Command as CallCommand, Event as CallEvent},
        incoming::{Numbering, Route},
        machine::{Call, Port, RingGroup},
    },
    directory::Directory,
    id::{CallId, PortId, RtpPort, Slot},
    line::fxs::{self, Fxs},
    media::control as media,
    recording::lifecycle as storage,
    sip::{
        endpoint::Endpoint,
        event::{self as sip, DialogId, Rejection},
    },
    time::{Instant, WallClock},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

struct Line {
    port: Port,
    slot: Slot,
    fxs: Fxs,
    call: Option<CallId>,
}

struct Placed {
    call: Call,
    dialog: DialogId,
    rtp: Option<RtpPort>,
    patched: bool,
}

enum Step {
    Sip(sip::Command),
    Line(PortId, fxs::Command),
    Call(CallId, CallCommand),
}

/// The whole control plane.
pub struct Switchboard {
    settings: Settings,
    directory: Arc<Directory>,
    sip: Endpoint,
    lines: BTreeMap<PortId, Line>,
    calls: BTreeMap<CallId, Placed>,
    dialogs: BTreeMap<DialogId, CallId>,
    patches: BTreeMap<RtpPort, CallId>,
    rtp_free: Vec<RtpPort>,
    numbering: Numbering,
    wall: WallClock,
    stopping: bool,
    steps: VecDeque<Step>,
}

impl Switchboard {
    /// A box with every chip still down and no call.
    #[must_use]
    pub fn new(settings: Settings, directory: Arc<Directory>, sip: Endpoint, numbering: Numbering) -> Self {
        let line = |(port, slot): &(Port, Slot)| {
            (port.id, Line { port: port.clone(), slot: *slot, fxs: Fxs::new(settings.line), call: None })
        };
        Self {
            lines: settings.ports.iter().map(line).collect(),
            rtp_free: (0..settings.rtp.len())
                .rev()
                .filter_map(|n| u8::try_from(n).ok().map(RtpPort))
                .collect(),
            settings,
            directory,
            sip,
            calls: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            patches: BTreeMap::new(),
            numbering,
            wall: WallClock::default(),
            stopping: false,
            steps: VecDeque::new(),
        }
    }

    /// Takes one input and appends what must be done, in order.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Vec<Output>) {
        match input {
            Input::Sip { source, bytes } => self.tell_sip(sip::Event::Datagram { source, bytes }, now),
            Input::Fxs { port, change } => self.tell_line(port, fxs::Event::Chip(change), now),
            Input::Media(event) => self.media(event, now),
            Input::Storage(storage::Event::Journaled { call, ms }) => {
                self.tell_call(call, CallEvent::Journaled(ms), now);
            }
            Input::Storage(storage::Event::Recorded { .. } | storage::Event::Saved { .. }) => {}
            Input::BubbleShown(call) => self.tell_call(call, CallEvent::BubbleShown, now),
            Input::WallTime(wall) => self.wall.set(wall, now),
            Input::Stop => self.stop(now, out),
            Input::Deadline => self.due(now, out),
        }
        self.run(now, out);
    }

    /// Takes every step that the last events asked for.
    fn run(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Sip(command) => self.on_sip(command, now, out),
                Step::Line(port, command) => self.on_line(port, command, now, out),
                Step::Call(call, command) => self.on_call(call, command, now, out),
            }
        }
    }

    /// When [`Input::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let lines = self.lines.values().filter_map(|line| line.fxs.deadline());
        let calls = self.calls.values().filter_map(|placed| placed.call.deadline());
        lines.chain(calls).chain(self.sip.deadline()).min()
    }

    /// SIP transactions that are kept.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.sip.transactions()
    }

    fn tell_sip(&mut self, event: sip::Event<'_>, now: Instant) {
        let mut commands = Vec::new();
        self.sip.handle(event, now, &mut commands);
        self.steps.extend(commands.into_iter().map(Step::Sip));
    }

    fn reject(&mut self, dialog: DialogId, status: u16, now: Instant) {
        // A trunk that rolls over on 503 comes back within the minute.
        let retry_after_s = (status == 503).then_some(60);
        self.tell_sip(sip::Event::Reject { dialog, rejection: Rejection { status, retry_after_s } }, now);
    }

    fn tell_line(&mut self, port: PortId, event: fxs::Event, now: Instant) {
        let Some(line) = self.lines.get_mut(&port) else { return };
        let mut commands = Vec::new();
        line.fxs.handle(event, now, &mut commands);
        self.steps.extend(commands.into_iter().map(|command| Step::Line(port, command)));
    }

    fn tell_call(&mut self, call: CallId, event: CallEvent, now: Instant) {
        let wall = self.wall.at(now);
        let Some(placed) = self.calls.get_mut(&call) else { return };
        let mut commands = Vec::new();
        placed.call.handle(event, now, wall, &mut commands);
        self.steps.extend(commands.into_iter().map(|command| Step::Call(call, command)));
    }

    fn media(&mut self, event: media::Event, now: Instant) {
        let Some((rtp, event)) = translate::media(&event) else { return };
        let call = if matches!(event, CallEvent::Unpatched { .. }) {
            self.rtp_free.push(rtp);
            self.patches.remove(&rtp)
        } else {
            self.patches.get(&rtp).copied()
        };
        if let Some(call) = call {
            self.tell_call(call, event, now);
        }
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.stopping = true;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.tell_call(call, CallEvent::Stopped, now);
        }
        self.run(now, out);
        self.tell_sip(sip::Event::Shutdown, now);
    }

    fn due(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.sip.deadline().is_some_and(|at| at <= now) {
            self.tell_sip(sip::Event::Deadline, now);
        }
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        // Calls first: one that ends now starts no further ring burst.
        let calls = self.calls.iter().filter(|(_, placed)| is_due(placed.call.deadline()));
        for call in calls.map(|(call, _)| *call).collect::<Vec<_>>() {
            self.tell_call(call, CallEvent::Deadline, now);
        }
        self.run(now, out);
        let lines = self.lines.iter().filter(|(_, line)| is_due(line.fxs.deadline()));
        for port in lines.map(|(port, _)| *port).collect::<Vec<_>>() {
            self.tell_line(port, fxs::Event::Deadline, now);
        }
    }

    fn on_sip(&mut self, command: sip::Command, now: Instant, out: &mut Vec<Output>) {
        let (dialog, event) = match command {
            sip::Command::Send { to, bytes } => return out.push(Output::Sip { to, bytes }),
            sip::Command::Offered { dialog, call } => return self.offered(dialog, &call, now),
            sip::Command::Registration { trunk, state } => return out.push(Output::Trunk { trunk, state }),
            sip::Command::Acked { .. } => return,
            // No machine places calls yet.
            sip::Command::Progress { .. } | sip::Command::Answered { .. } | sip::Command::Refused { .. } => {
                return;
            }
            sip::Command::Media { dialog, media } => (dialog, CallEvent::Media(media)),
            sip::Command::Cancelled { dialog } => (dialog, CallEvent::Cancelled),
            sip::Command::Ended { dialog, why } => (dialog, CallEvent::TrunkEnded(translate::trunk_end(why))),
        };
        if let Some(&call) = self.dialogs.get(&dialog) {
            self.tell_call(call, event, now);
        }
    }

    /// An INVITE: the first candidate number that the directory knows makes it a call.
    fn offered(&mut self, dialog: DialogId, offered: &sip::Offered, now: Instant) {
        let directory = Arc::clone(&self.directory);
        let Some((called, tracker)) =
            offered.called.iter().find_map(|called| Some((called, directory.lookup(&called.number)?)))
        else {
            return self.reject(dialog, 404, now);
        };
        let route = translate::route(tracker, self.lines.values().map(|line| &line.port));
        let identity = self.numbering.take(self.wall.at(now));
        let group = if self.stopping { RingGroup::Closed } else { self.ring_group(&route) };
        let rtp = matches!(group, RingGroup::Idle(_)).then(|| self.rtp_free.pop()).flatten();
        let incoming = translate::incoming(offered, called, tracker);
        let mut commands = Vec::new();
        let call = Call::offer(&identity, incoming, &route, group, &self.settings.call, now, &mut commands);
        self.calls.insert(identity.call, Placed { call, dialog, rtp, patched: false });
        self.dialogs.insert(dialog, identity.call);
        self.steps.extend(commands.into_iter().map(|command| Step::Call(identity.call, command)));
    }

    /// What of a route's group can ring now. A call that rings holds an RTP port, so that it can be answered.
    fn ring_group(&self, route: &Route) -> RingGroup {
        let group = route.ports.iter().filter_map(|port| self.lines.get(port));
        let state = |line: &Line| (line.port.clone(), line.fxs.is_up(), line.fxs.is_idle());
        RingGroup::choose(group.map(state), !self.rtp_free.is_empty())
    }

    fn on_line(&mut self, port: PortId, command: fxs::Command, now: Instant, out: &mut Vec<Output>) {
        let Some(line) = self.lines.get(&port) else { return };
        let (output, event) = translate::line(command, port, line.slot);
        out.extend(output);
        if let (Some(call), Some(event)) = (line.call, event) {
            self.tell_call(call, event, now);
        }
    }

    fn on_call(&mut self, call: CallId, command: CallCommand, now: Instant, out: &mut Vec<Output>) {
        let Some(placed) = self.calls.get_mut(&call) else { return };
        let dialog = placed.dialog;
        match command {
            CallCommand::Ringing => self.tell_sip(sip::Event::Ring { dialog }, now),
            CallCommand::Answer => {
                let rtp = placed.rtp.and_then(|rtp| self.settings.rtp.get(usize::from(rtp.0)).copied());
                match rtp {
                    Some(rtp) => self.tell_sip(sip::Event::Answer { dialog, rtp }, now),
                    None => self.reject(dialog, 503, now),
                }
            }
            CallCommand::Reject { status } => self.reject(dialog, status, now),
            CallCommand::HangUp => self.tell_sip(sip::Event::HangUp { dialog, reason: None }, now),
            CallCommand::Ring(port) => {
                let id = translate::caller_id(&placed.call, self.wall.at(now), &self.settings.time_zone);
                self.attach(port, Some(call));
                self.tell_line(port, fxs::Event::Ring(Some(id)), now);
            }
            CallCommand::StopRing(port) => {
                self.attach(port, None);
                self.tell_line(port, fxs::Event::StopRing, now);
            }
            CallCommand::Release(port) => self.tell_line(port, fxs::Event::Release, now),
            CallCommand::Patch { port, trunk, record } => self.patch(call, port, trunk, record, out),
            CallCommand::Change(trunk) => {
                let rtp = placed.rtp;
                out.extend(rtp.map(|rtp| Output::Media(media::Command::Change { rtp, trunk })));
            }
            CallCommand::Unpatch => {
                let rtp = placed.rtp;
                out.extend(rtp.map(|rtp| Output::Media(media::Command::Unpatch { rtp })));
            }
            CallCommand::Show(bubble) => out.push(Output::Show(bubble)),
            CallCommand::JournalRinging(record) => out.push(Output::Store(storage::Command::Ringing(record))),
            CallCommand::JournalAnswered(record) => {
                out.push(Output::Store(storage::Command::Answered { call, record }));
            }
            CallCommand::Save(record) => {
                out.push(Output::Store(storage::Command::Save(record)));
                self.forget(call);
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
        let mut random = || (self.numbering.random_u64(), self.numbering.random_u64());
        let (source, rtcp_seed) = (translate::rtp_source(random()), translate::rtcp_seed(random()));
        let (Some(line), Some(placed)) = (self.lines.get(&port), self.calls.get_mut(&call)) else { return };
        let Some(rtp) = placed.rtp else { return };
        placed.patched = true;
        self.patches.insert(rtp, call);
        let recording = record.then(|| translate::start_recording(placed.call.record())).flatten();
        out.push(Output::Patch { call, rtp, slot: line.slot, trunk, source, rtcp_seed, recording });
    }

    fn attach(&mut self, port: PortId, call: Option<CallId>) {
        if let Some(line) = self.lines.get_mut(&port) {
            line.call = call;
        }
    }

    /// The call is saved: its port and dialog are free; its RTP port too, once the media thread has let it go.
    fn forget(&mut self, call: CallId) {
        let Some(placed) = self.calls.remove(&call) else { return };
        self.dialogs.remove(&placed.dialog);
        for line in self.lines.values_mut().filter(|line| line.call == Some(call)) {
            line.call = None;
        }
        if !placed.patched {
            self.rtp_free.extend(placed.rtp);
        }
    }
}
