//! Plays the scenario: places the calls, does what people do, and checks what comes of it.

use super::{Failure, RunningBox, calls, failed, print};
use crate::{
    audio::wav,
    record::{CallRecord, Ended, Presentation, RecordingState},
    sim::{
        exchange::{LineSnapshot, State},
        observe::PhoneSnapshot,
        provider::{CallHandle, Provider},
        scenario::{Act, Deed, Kept, Scene, Seen, Step, TrunkCall, When, office_morning},
        world::SharedWorld,
    },
    status::BoxStatus,
};
use std::{
    cell::RefCell,
    net::SocketAddr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

const CALLER: &[u8] = include_bytes!("../../../board/sim/caller.wav");

/// How long anything in the demo may take before it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
/// How long the last records may take to be written.
const STORAGE_PATIENCE: Duration = Duration::from_secs(15);
/// Volts between the wires of a phone that is fed and on hook, at least.
const IDLE_VOLTS: f32 = 30.0;
/// The office is quiet once nothing has happened for this long, in samples: 2 s. The box keeps a line open for 1.5 s
/// until the exchange has surely let go.
const QUIET: u64 = 16_000;
/// How often slow things are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A moment between two things, so that a person can follow.
const BREATH: Duration = Duration::from_millis(600);

/// The scenario being played.
pub(super) struct Play {
    provider: Provider,
    world: SharedWorld,
    data: PathBuf,
    web: SocketAddr,
    started: Instant,
    placed: RefCell<Vec<Placed>>,
}

/// A call over the trunk.
struct Placed {
    words: &'static str,
    call: Box<TrunkCall>,
    handle: CallHandle,
}

/// What there was when a scene began.
struct Begin {
    at: u64,
    events: u64,
    dialled: Vec<usize>,
}

impl Play {
    pub(super) fn new(provider: Provider, world: SharedWorld, data: PathBuf, web: SocketAddr) -> Self {
        Self { provider, world, data, web, started: Instant::now(), placed: RefCell::default() }
    }

    pub(super) fn play(&self, calls: u32) -> Result<(), Failure> {
        if self.provider.wait_registered(PATIENCE).is_none() {
            return Err(failed("the box did not register at its provider"));
        }
        self.say("The box has registered at its provider.");
        let speech = wav::decode(CALLER).map_err(failed)?.into();
        let mornings = std::iter::repeat_with(|| office_morning(&speech)).flatten();
        let mut untracked = Vec::new();
        for scene in mornings.take(calls as usize) {
            untracked.extend(scene.untracked);
            self.scene(scene)?;
        }
        self.every_call_ended()?;
        self.say("Every call has ended.\n");
        self.wait_stored()?;
        self.check_records()?;
        self.check_untracked(&untracked)
    }

    fn say(&self, words: &str) {
        let seconds = self.started.elapsed().as_secs();
        print(format_args!("{:>2}:{:02}  {words}", seconds / 60, seconds % 60));
    }

    fn scene(&self, scene: Scene) -> Result<(), Failure> {
        let mut begin = None;
        for Step { words, when, deed } in scene.steps {
            self.wait_until(when, words)?;
            self.say(words);
            let begin = begin.get_or_insert_with(|| self.begin());
            match deed {
                Deed::Call(call) => {
                    let handle = self.provider.place(call.plan.clone());
                    self.placed.borrow_mut().push(Placed { words, call, handle });
                }
                Deed::Act(act) => self.act(words, &act, begin)?,
                Deed::Look(look) => self.look(words, look)?,
            }
        }
        Ok(())
    }

    fn begin(&self) -> Begin {
        let world = self.world.lock();
        let dialled = world.line_snapshots().iter().map(|line| line.dialled.len()).collect();
        Begin { at: world.samples(), events: world.events_since(0).1, dialled }
    }

    fn act(&self, words: &str, act: &Act, begin: &Begin) -> Result<(), Failure> {
        let step_began = {
            let mut world = self.world.lock();
            (act.act)(&mut world);
            world.samples()
        };
        let seen = || {
            let world = self.world.lock();
            Seen {
                scene_began: begin.at,
                step_began,
                now: world.samples(),
                dialled: begin.dialled.clone(),
                events: world.events_since(begin.events).0,
                phones: world.snapshot(),
                lines: world.line_snapshots(),
            }
        };
        let Some(told) = eventually(PATIENCE, || (act.outcome)(&seen())) else {
            return Err(failed(format!("\"{words}\" came to nothing; there was {:?}", seen().events)));
        };
        self.say(&format!("    {told}"));
        Ok(())
    }

    /// Looks at the box as `ringside status` does.
    fn look(&self, words: &str, look: fn(&BoxStatus) -> Option<String>) -> Result<(), Failure> {
        let told = eventually(PATIENCE, || look(&RunningBox::at(self.web).status().ok()?));
        let told = told.ok_or_else(|| failed(format!("\"{words}\" is not so")))?;
        self.say(&format!("    {told}"));
        Ok(())
    }

    fn wait_until(&self, when: When, words: &str) -> Result<(), Failure> {
        let late = |what: &str| failed(format!("before \"{words}\": {what}"));
        let previous = self.placed.borrow().last().map(|placed| placed.handle.clone());
        match (when, previous) {
            (When::OfficeIsQuiet, _) => {
                self.every_call_ended()?;
                if eventually(PATIENCE, || self.is_quiet().then_some(())).is_none() {
                    return Err(late("a phone or a line is not on hook, or its port not fed"));
                }
                return Ok(());
            }
            (When::CallAnswered, Some(previous)) => {
                if previous.wait(PATIENCE, |call| call.answered_after.is_some()).answered_after.is_none() {
                    return Err(late("the call was not answered"));
                }
            }
            (When::CallRings, Some(previous)) => {
                if previous.wait(PATIENCE, |call| call.rang_after.is_some()).rang_after.is_none() {
                    return Err(late("the call did not ring"));
                }
            }
            (When::Now | When::CallAnswered | When::CallRings, _) => {}
        }
        thread::sleep(BREATH);
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let world = self.world.lock();
        let phone = |phone: &PhoneSnapshot| !phone.off_hook && phone.volts.abs() >= IDLE_VOLTS;
        let line = |line: &LineSnapshot| !line.off_hook && line.state == State::Idle;
        let last = world.events_since(0).0.last().map_or(0, |event| event.at);
        let quiet_for = world.samples().saturating_sub(last);
        quiet_for >= QUIET && world.snapshot().iter().all(phone) && world.line_snapshots().iter().all(line)
    }

    /// Waits for the end of every call; each must be the one that the scenario tells.
    fn every_call_ended(&self) -> Result<(), Failure> {
        self.placed.borrow().iter().try_for_each(|Placed { words, call, handle }| {
            let outcome = handle.wait(PATIENCE, |_| false);
            if call.expected.is_met(&outcome) {
                return Ok(());
            }
            let (end, statuses) = (outcome.end, outcome.statuses);
            Err(failed(format!(
                "\"{words}\" ended as {end:?} after {statuses:?}, not as {:?}",
                call.expected
            )))
        })
    }

    /// Waits until the journal holds every tracked call, all of them closed.
    fn wait_stored(&self) -> Result<(), Failure> {
        let closed = |record: &CallRecord| {
            record.outcome.ended != Ended::InProgress && record.recording.state != RecordingState::Writing
        };
        let tracked = self.placed.borrow().iter().filter(|placed| placed.call.kept != Kept::Nothing).count();
        let all_stored = || {
            let records = calls::load(&self.data).ok()?;
            (records.iter().filter(|record| closed(record)).count() >= tracked).then_some(())
        };
        eventually(STORAGE_PATIENCE, all_stored)
            .ok_or_else(|| failed(format!("fewer than {tracked} calls were kept in {}", self.data.display())))
    }

    /// Every record is one that the scenario tells.
    fn check_records(&self) -> Result<(), Failure> {
        let records = calls::load(&self.data)?;
        let newest = |call: &TrunkCall| {
            records.iter().rev().find(|record| match &record.customer_phone_number {
                Some(number) => number.to_string() == call.plan.from,
                None => {
                    call.plan.anonymous && record.customer_number_presentation == Presentation::Restricted
                }
            })
        };
        self.placed.borrow().iter().try_for_each(|Placed { words, call, .. }| match newest(call) {
            None if call.kept == Kept::Nothing => Ok(()),
            Some(record) if call.kept.is_met(record) => Ok(()),
            Some(record) => {
                let (outcome, by) = (&record.outcome, &record.answered_by);
                let recorded = &record.recording;
                Err(failed(format!("\"{words}\" was kept as {outcome:?}, {by:?}, {recorded:?}")))
            }
            None => Err(failed(format!("\"{words}\" has no record"))),
        })
    }

    /// The untracked calls were counted, each once.
    fn check_untracked(&self, played: &[&str]) -> Result<(), Failure> {
        let counters = || RunningBox::at(self.web).counters("ringside_untracked_calls_total");
        let counted = || {
            let counters = counters().ok()?;
            let of = |kind: &str| -> u64 {
                let label = format!("kind=\"{kind}\",answered=\"yes\"");
                counters.iter().filter(|(labels, _)| *labels == label).map(|(_, count)| count).sum()
            };
            let all = counters.iter().map(|(_, count)| count).sum::<u64>() == played.len() as u64;
            let each = |kind: &&str| of(kind) == played.iter().filter(|other| *other == kind).count() as u64;
            (all && played.iter().all(each)).then_some(())
        };
        eventually(STORAGE_PATIENCE, counted).ok_or_else(|| {
            failed(format!("{played:?} were passed through, but counted as {:?}", counters().ok()))
        })
    }
}

/// Waits for something; `None` if it did not come in time.
pub(super) fn eventually<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + patience;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= until {
            return found;
        }
        thread::sleep(LOOK);
    }
}
