//! Line tests: beside the calls, and given up for every call, emergency and handset.
//!
//! A tested line is no call's, but its own machine has seized it. A call that is given it in the middle of a test waits
//! for the exchange to let go, some 1.5 s, and is dialled then.

use super::{
    Output, Step, Switchboard,
    input::Report,
    jack::{Jack, Machine},
};
use crate::{
    audio::dtmf::Key,
    call::event::{Event as CallEvent, LineFault},
    call::untracked::Event as Passing,
    chip::si3050::Balance,
    id::PortId,
    line::{
        fxo::{self, Dial, Digits, Refusal, Urgency},
        line_test::{BREAKING_KEY, Command, Event, Found, LineTest, Untested, UsedBy},
    },
    media::control as media,
    time::Instant,
};

impl Switchboard {
    /// Somebody wants a port tested; one that is not there is as good as in use.
    pub(super) fn begin_test(&mut self, port: PortId, balance: Balance, now: Instant, out: &mut Vec<Output>) {
        let begun = self.jacks.get(port).map_or(Err(Untested::InUse), |jack| {
            let used_by = if self.stopping {
                Some(UsedBy::Stopping)
            } else if self.tests.contains_key(&port) {
                Some(UsedBy::Test)
            } else {
                jack.calls.active().map(|_| UsedBy::Call)
            };
            let found = match &jack.machine {
                Machine::Fxo(fxo) => Found::line(fxo, balance, used_by),
                Machine::Fxs(fxs) => Found::phone(fxs, used_by),
            };
            LineTest::begin(found, now)
        });
        match begun {
            Ok(test) => drop(self.tests.insert(port, test)),
            Err(refused) => out.push(Output::Report(Report::LineTested { port, result: Err(refused) })),
        }
    }

    /// Whether a port is being tested, and no call has it.
    pub(super) fn is_tested(&self, jack: &Jack) -> bool {
        self.tests.contains_key(&jack.port.id) && jack.calls.active().is_none()
    }

    /// Somebody needs the port.
    pub(super) fn end_test(&mut self, port: PortId, now: Instant) {
        self.tell_test(port, Event::Taken, now);
    }

    pub(super) fn tell_test(&mut self, port: PortId, event: Event, now: Instant) {
        let Some(test) = self.tests.get_mut(&port) else { return };
        let mut commands = Vec::new();
        test.handle(event, now, &mut commands);
        for command in commands {
            match command {
                // At once: whoever needs the line goes on as soon as this returns.
                Command::Release => self.tell_fxo(port, fxo::Event::Release, now),
                Command::Seize => self.seize_for_test(port, now),
                other => self.steps.push_back(Step::Test(port, other)),
            }
        }
    }

    fn seize_for_test(&mut self, port: PortId, now: Instant) {
        let keys: Vec<Key> = Key::from_sign(BREAKING_KEY).into_iter().collect();
        if let Some(digits) = Digits::pressed(&keys) {
            self.tell_fxo(port, fxo::Event::Seize(Dial { digits, urgency: Urgency::Ordinary }), now);
        }
    }

    pub(super) fn on_test(&mut self, port: PortId, command: Command, out: &mut Vec<Output>) {
        let Some(slot) = self.jacks.get(port).map(|jack| jack.slot) else { return };
        match command {
            Command::Balance(balance) => out.push(Output::Balance { port, balance }),
            Command::Probe(probe) => out.push(Output::Media(media::Command::Probe { slot, probe })),
            Command::Send(key) => out.push(Output::Dial { slot, keys: vec![key] }),
            Command::Hush => out.push(Output::Media(media::Command::Hush { slot })),
            Command::Done(result) => {
                self.tests.remove(&port);
                out.push(Output::Report(Report::LineTested { port, result }));
            }
            // Done when they were ordered.
            Command::Seize | Command::Release => {}
        }
    }

    /// What the line's own machine says, in the words of the test.
    pub(super) fn tell_test_of(&mut self, port: PortId, command: &fxo::Command, now: Instant) {
        let event = match command {
            fxo::Command::Seized => Event::Seized,
            fxo::Command::Dialled => Event::Dialled,
            fxo::Command::Rings => Event::Taken,
            fxo::Command::Refused(Refusal::NoDialTone) => Event::NoDialTone,
            fxo::Command::Refused(Refusal::InUse | Refusal::Busy | Refusal::Glare | Refusal::NotRinging) => {
                Event::Refused(Untested::InUse)
            }
            fxo::Command::Refused(Refusal::Down) => {
                Event::Refused(Untested::Failed("the line does not go off hook"))
            }
            fxo::Command::Refused(Refusal::NoBattery) => {
                Event::Refused(Untested::Failed("the battery comes and goes"))
            }
            fxo::Command::Gone(_) => Event::Ended,
            fxo::Command::Lost(_) => Event::Lost,
            fxo::Command::Free => Event::Free,
            _ => return,
        };
        self.tell_test(port, event, now);
    }

    /// A line was given to a call: it dials, as soon as a test has let go.
    pub(super) fn seize(&mut self, line: PortId, dial: Dial, now: Instant) {
        self.after_test.remove(&line);
        let was_tested = self.tests.contains_key(&line);
        self.end_test(line, now);
        let is_at_rest = self.jacks.get(line).and_then(Jack::fxo).is_some_and(fxo::Fxo::is_at_rest);
        if was_tested && !is_at_rest && dial.urgency == Urgency::Ordinary {
            self.after_test.insert(line, dial);
        } else {
            self.tell_fxo(line, fxo::Event::Seize(dial), now);
        }
    }

    /// The call that waits for the end of a test is dialled, or another one was quicker.
    pub(super) fn call_after_test(&mut self, line: PortId, command: &fxo::Command, now: Instant) {
        let is_free = match command {
            fxo::Command::Free => true,
            fxo::Command::Rings | fxo::Command::Alarm(_) => false,
            _ => return,
        };
        let Some(dial) = self.after_test.remove(&line) else { return };
        let Some(jack) = self.jacks.get_mut(line) else { return };
        // Whoever waited may have hung up.
        let Some(user) = jack.calls.active() else { return };
        if is_free {
            return self.tell_fxo(line, fxo::Event::Seize(dial), now);
        }
        jack.calls.gone(user);
        self.tell(user, (CallEvent::LineRefused(line, LineFault::Glare), Passing::LineRefused), now);
    }

    /// Tests whose time has come.
    pub(super) fn tests_due(&mut self, now: Instant) {
        let is_due = |test: &LineTest| test.deadline().is_some_and(|at| at <= now);
        let due: Vec<PortId> =
            self.tests.iter().filter(|(_, test)| is_due(test)).map(|(port, _)| *port).collect();
        due.into_iter().for_each(|port| self.tell_test(port, Event::Deadline, now));
    }
}
