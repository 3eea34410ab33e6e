//! The box as one value: inputs and `now` in, outputs out, nothing else.
//!
//! It routes each input to the machine that owns it and each machine's command to the next machine or to an edge.
//! It has no states of its own, only maps between identities: dialog, call, port, RTP port.
//!
//! | folder's file | routes |
//! |---|---|
//! | `tracked` | INVITEs and what tracked calls want |
//! | `untracked` | what direct calls and the phones that dial want |
//! | `announce` | what the box itself has to say |
//! | `ports` | what phones and lines report, and what is heard on them |
//! | `testing` | line tests, which give way to every call |

mod announce;
mod counts;
pub mod input;
mod jack;
mod ports;
mod testing;
mod tracked;
mod translate;
mod untracked;
mod view;

pub use input::{Input, JackSettings, Listening, MachineSettings, Output, Report, Settings, Words};
pub use view::{LineView, PassedView, PhoneView};

use crate::{
    call::{
        event::{Command as CallCommand, Event as CallEvent},
        incoming::Numbering,
        machine::Call,
        untracked::{self as passing, Untracked, UntrackedId},
    },
    chip::LineChange,
    directory::Directory,
    id::{CallId, PortId, RtpPort},
    line::{
        fxo, fxs,
        line_test::{self, LineTest},
    },
    recording::lifecycle as storage,
    sip::{
        endpoint::Endpoint,
        event::{self as sip, DialogId, Rejection},
    },
    time::{Instant, WallClock},
};
use jack::{Jacks, Machine, User};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// A tracked call and what it holds.
struct Placed {
    call: Call,
    dialog: DialogId,
    rtp: Option<RtpPort>,
    patched: bool,
}

/// An untracked call, and what it holds of the trunk if it is an emergency call without a line.
struct Passed {
    call: Untracked,
    since: Instant,
    dialog: Option<DialogId>,
    rtp: Option<RtpPort>,
    patched: bool,
}

enum Step {
    Sip(sip::Command),
    Fxs(PortId, fxs::Command),
    Fxo(PortId, fxo::Command),
    Call(CallId, CallCommand),
    Untracked(UntrackedId, passing::Command),
    Test(PortId, line_test::Command),
}

/// The whole control plane.
pub struct Switchboard {
    settings: Settings,
    directory: Arc<Directory>,
    sip: Endpoint,
    jacks: Jacks,
    tests: BTreeMap<PortId, LineTest>,
    /// Calls that go out once their line, which was being tested, is free.
    after_test: BTreeMap<PortId, fxo::Dial>,
    calls: BTreeMap<CallId, Placed>,
    passed: BTreeMap<UntrackedId, Passed>,
    next_untracked: u32,
    dialogs: BTreeMap<DialogId, User>,
    patches: BTreeMap<RtpPort, User>,
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
        Self {
            jacks: Jacks::new(&settings.jacks),
            rtp_free: (0..settings.rtp.len())
                .rev()
                .filter_map(|n| u8::try_from(n).ok().map(RtpPort))
                .collect(),
            settings,
            directory,
            sip,
            tests: BTreeMap::new(),
            after_test: BTreeMap::new(),
            calls: BTreeMap::new(),
            passed: BTreeMap::new(),
            next_untracked: 0,
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
            Input::Fxs { port, change } => self.tell_fxs(port, fxs::Event::Chip(change), now),
            Input::Fxo { port, change } => {
                self.tell_fxo(port, fxo::Event::Chip(change), now);
                if change == LineChange::ParallelLifted {
                    self.end_test(port, now);
                }
            }
            Input::Readings { port, volts, milliamps } => {
                self.tell_test(port, line_test::Event::Readings { volts, milliamps }, now);
            }
            Input::TestLine { port, balance } => self.begin_test(port, balance, now, out),
            Input::Media(event) => self.on_media(event, now),
            Input::Storage(storage::Event::Journaled { call, ms }) => {
                self.tell_call(call, CallEvent::Journaled(ms), now);
            }
            Input::Storage(
                storage::Event::Recorded { .. }
                | storage::Event::Saved { .. }
                | storage::Event::Handled { .. },
            ) => {}
            Input::PauseRecording(call) => self.tell_call(call, CallEvent::PauseAsked, now),
            Input::ResumeRecording(call) => self.tell_call(call, CallEvent::ResumeAsked, now),
            Input::BubbleShown(call) => self.tell_call(call, CallEvent::BubbleShown, now),
            Input::Announce(prompt) => self.announce(prompt, now),
            Input::WallTime(wall) => self.wall.set(wall, now),
            Input::ClockState(state) => self.numbering.set_clock(state),
            // Calls that are up have taken from the old one all that they need.
            Input::Directory(directory) => self.directory = directory,
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
                Step::Fxs(port, command) => self.on_fxs(port, command, now, out),
                Step::Fxo(port, command) => self.on_fxo(port, command, now, out),
                Step::Call(call, command) => self.on_call(call, command, now, out),
                Step::Untracked(call, command) => self.on_untracked(call, command, now, out),
                Step::Test(port, command) => self.on_test(port, command, out),
            }
        }
    }

    /// When [`Input::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let jacks = self.jacks.iter().filter_map(jack::Jack::deadline);
        let calls = self.calls.values().filter_map(|placed| placed.call.deadline());
        let passed = self.passed.values().filter_map(|passed| passed.call.deadline());
        let tests = self.tests.values().filter_map(LineTest::deadline);
        jacks.chain(calls).chain(passed).chain(tests).chain(self.sip.deadline()).min()
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

    fn tell_fxs(&mut self, port: PortId, event: fxs::Event, now: Instant) {
        let Some(Machine::Fxs(fxs)) = self.jacks.get_mut(port).map(|jack| &mut jack.machine) else { return };
        let mut commands = Vec::new();
        fxs.handle(event, now, &mut commands);
        let is_idle = fxs.is_idle();
        self.steps.extend(commands.into_iter().map(|command| Step::Fxs(port, command)));
        if !is_idle {
            self.end_test(port, now);
        }
    }

    fn tell_fxo(&mut self, port: PortId, event: fxo::Event, now: Instant) {
        let Some(Machine::Fxo(fxo)) = self.jacks.get_mut(port).map(|jack| &mut jack.machine) else { return };
        let mut commands = Vec::new();
        fxo.handle(event, now, &mut commands);
        self.steps.extend(commands.into_iter().map(|command| Step::Fxo(port, command)));
    }

    fn tell_call(&mut self, call: CallId, event: CallEvent, now: Instant) {
        let wall = self.wall.at(now);
        let Some(placed) = self.calls.get_mut(&call) else { return };
        let mut commands = Vec::new();
        placed.call.handle(event, now, wall, &mut commands);
        self.steps.extend(commands.into_iter().map(|command| Step::Call(call, command)));
    }

    fn tell_untracked(&mut self, call: UntrackedId, event: passing::Event, now: Instant) {
        let Some(passed) = self.passed.get_mut(&call) else { return };
        let mut commands = Vec::new();
        passed.call.handle(event, now, &mut commands);
        self.steps.extend(commands.into_iter().map(|command| Step::Untracked(call, command)));
    }

    /// Tells a call of either kind the same thing in its own words.
    fn tell(&mut self, user: User, (tracked, untracked): (CallEvent, passing::Event), now: Instant) {
        match user {
            User::Call(call) => self.tell_call(call, tracked, now),
            User::Untracked(call) => self.tell_untracked(call, untracked, now),
        }
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.stopping = true;
        for port in self.tests.keys().copied().collect::<Vec<_>>() {
            self.end_test(port, now);
        }
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.tell_call(call, CallEvent::Stopped, now);
        }
        for call in self.passed.keys().copied().collect::<Vec<_>>() {
            self.tell_untracked(call, passing::Event::Stopped, now);
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
        let passed = self.passed.iter().filter(|(_, passed)| is_due(passed.call.deadline()));
        for call in passed.map(|(call, _)| *call).collect::<Vec<_>>() {
            self.tell_untracked(call, passing::Event::Deadline, now);
        }
        self.tests_due(now);
        self.run(now, out);
        for port in self.jacks.due(now) {
            match self.jacks.get(port).map(|jack| &jack.machine) {
                Some(Machine::Fxs(_)) => self.tell_fxs(port, fxs::Event::Deadline, now),
                Some(Machine::Fxo(_)) => self.tell_fxo(port, fxo::Event::Deadline, now),
                None => {}
            }
        }
    }

    fn on_sip(&mut self, command: sip::Command, now: Instant, out: &mut Vec<Output>) {
        let (dialog, events) = match command {
            sip::Command::Send { to, bytes } => return out.push(Output::Sip { to, bytes }),
            sip::Command::Offered { dialog, call } => return self.offered(dialog, &call, now, out),
            sip::Command::Registration { trunk, state } => return out.push(Output::Trunk { trunk, state }),
            sip::Command::Acked { .. } | sip::Command::Progress { .. } | sip::Command::Answered { .. } => {
                return;
            }
            sip::Command::Media { dialog, media } => {
                (dialog, (CallEvent::Media(media), passing::Event::TrunkMedia(media)))
            }
            sip::Command::Cancelled { dialog } => {
                (dialog, (CallEvent::Cancelled, passing::Event::TrunkEnded))
            }
            sip::Command::Refused { dialog, .. } => {
                (dialog, (CallEvent::Cancelled, passing::Event::TrunkEnded))
            }
            sip::Command::Ended { dialog, why } => {
                let ended = CallEvent::TrunkEnded(translate::trunk_end(why));
                (dialog, (ended, passing::Event::TrunkEnded))
            }
        };
        if let Some(&user) = self.dialogs.get(&dialog) {
            self.tell(user, events, now);
        }
    }
}
