//! A line test: what one port measures of its line, and the balance with the least echo.
//!
//! ```text
//!   line ─► Reading ─► Seizing ─► Listening ─► Dialling ─► Balancing ◄──────────┐
//!             │ volts    │ seized   │ dial tone   │ dialled   │ the chip settles │
//!             │ too low  │          │ none        │           ▼                  │ next balance
//!             ▼          │          ▼             │        Probing ──────────────┤
//!            Done        │       Releasing ◄──────┼───────────┘ nothing left     │
//!             ▲          │          │ line free   │                              │
//!             ├──────────┼──────────┘             │        Renewing ◄────────────┘ the exchange waits for long
//!   phone ─► Resting     │                        │           └──────────────────► Balancing
//!                        ▼                        ▼
//!     somebody needs the line, or it fails, at any time: the balance before, released, not tested
//! ```
//! Dial tone would drown the echo, so it is broken with the key 5, and again before the exchange gives the call up: no
//! number of any dial plan is that short, and no emergency number begins with a 5. Behind a private exchange it may be
//! somebody's extension, which then rings for three seconds. The line is silent until the exchange loses patience.
//!
//! The user of the line seizes and releases it by its own machine; this one only says when.

mod admission;
mod sweep;
#[cfg(test)]
mod tests;

use crate::{
    audio::{dtmf::Key, probe::Probe},
    chip::si3050::Balance,
    status::{DialTone, LineMeasurement, Measured, PhoneMeasurement},
    time::Instant,
};
use sweep::Sweep;

pub use admission::{Found, Kind, UsedBy};

/// What breaks the dial tone.
pub const BREAKING_KEY: char = '5';

/// Below this the line is not seized, V: it is not fed, or another phone on it is off hook.
const SEIZABLE_VOLTS: f32 = 20.0;
/// A port tells its readings once a second.
const READINGS_MS: u64 = 2_500;
/// The line's own machine gives up sooner.
const SEIZED_MS: u64 = 2_000;
/// Patience for dial tone: what is slow, 3 s, and the time of the detector.
const DIAL_TONE_MS: u64 = 3_500;
/// The key and the pause before it; pulses need more than tones.
const DIALLED_MS: u64 = 4_000;
/// From the order to the chip until its filters have settled.
const SETTLES_MS: u64 = 15;
/// From the order of a probe, 120 ms long, until it is back.
const PROBED_MS: u64 = 2_000;
/// Times that a probe is played again because samples were lost.
const MOST_REPEATS: u8 = 4;
/// An exchange waits for the next digit for at least 3 s, most for 10 s and more.
const RENEWED_MS: u64 = 1_400;
/// What a key and its way to the line take.
const KEY_MS: u64 = 210;
/// After this time no further impedance is tried, so that the whole test takes 8 s.
const HURRY_MS: u64 = 5_800;
/// The line's own machine has let go by then.
const FREE_MS: u64 = 7_000;

/// What happens in a test.
#[derive(Debug)]
pub enum Event {
    /// The port tells its voltage in V, signed, and its loop current in mA.
    Readings {
        /// Between the wires.
        volts: f32,
        /// Of an FXO port only while it is off hook.
        milliamps: Option<f32>,
    },
    /// The line is off hook and settled.
    Seized,
    /// Dial tone was heard.
    DialTone,
    /// The key is out.
    Dialled,
    /// The probe is back.
    Probed(Box<Probe>),
    /// Somebody needs the port: a call comes in or goes out, a handset was lifted.
    Taken,
    /// The line cannot be seized; it is not the test's any more.
    Refused(Untested),
    /// The exchange gave something else than dial tone; the line hangs up by itself.
    NoDialTone,
    /// The exchange has given the call up; the line hangs up by itself.
    Ended,
    /// The line failed and hangs up by itself.
    Lost,
    /// The line can be used again.
    Free,
    /// A deadline passed.
    Deadline,
}

/// What a test wants done, in order.
#[derive(Debug)]
pub enum Command {
    /// Seize the line and dial [`BREAKING_KEY`].
    Seize,
    /// Hang up.
    Release,
    /// Balance the chip.
    Balance(Balance),
    /// Play the probe on the port's slot.
    Probe(Box<Probe>),
    /// Play this key on the port's slot.
    Send(Key),
    /// End what is played on the slot.
    Hush,
    /// Tell who asked; the last command of a test.
    Done(Result<Measured, Untested>),
}

/// Why a port was not tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untested {
    /// Somebody uses it, or needed it meanwhile.
    InUse,
    /// What went wrong.
    Failed(&'static str),
}

#[derive(Debug)]
enum State {
    /// On hook, until the port tells its readings.
    Reading {
        until: Instant,
    },
    Seizing {
        until: Instant,
    },
    /// Off hook since then, for dial tone.
    Listening {
        since: Instant,
        until: Instant,
    },
    Dialling {
        until: Instant,
    },
    /// The chip settles.
    Balancing {
        run: Run,
        probe: Box<Probe>,
        until: Instant,
    },
    /// The probe is out.
    Probing {
        run: Run,
        until: Instant,
    },
    /// The exchange is given another digit.
    Renewing {
        run: Run,
        probe: Box<Probe>,
        until: Instant,
    },
    /// Hung up.
    Releasing {
        until: Instant,
    },
    /// A phone on hook, until its port tells its readings.
    Resting {
        until: Instant,
    },
    Over,
}

/// A balance that is being tried.
#[derive(Clone, Copy, Debug)]
struct Run {
    balance: Balance,
    repeats: u8,
    /// When the exchange wants another digit.
    renewed_by: Instant,
}

/// A test of one port.
#[derive(Debug)]
pub struct LineTest {
    began: Instant,
    before: Balance,
    sweep: Sweep,
    measured: LineMeasurement,
    /// Whether the chip is set otherwise than before.
    is_set: bool,
    state: State,
}

impl LineTest {
    /// Of an office line that is on hook and whose chip is up and set like this.
    fn of_line(before: Balance, now: Instant) -> Self {
        Self::new(before, State::Reading { until: now.after_ms(READINGS_MS) }, now)
    }

    /// Of a phone that is on hook.
    fn of_phone(now: Instant) -> Self {
        Self::new(Balance::default(), State::Resting { until: now.after_ms(READINGS_MS) }, now)
    }

    fn new(before: Balance, state: State, now: Instant) -> Self {
        let (sweep, measured) = (Sweep::new(before), LineMeasurement::default());
        Self { began: now, before, sweep, measured, is_set: false, state }
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        due_at(&self.state)
    }

    /// Takes one event; every (state, event) pair has an answer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (event, state) {
            (_, State::Over) => State::Over,
            (Event::Readings { volts, milliamps }, state) => {
                self.read(state, volts.abs(), milliamps, now, out)
            }
            (Event::Seized, State::Seizing { .. }) => {
                State::Listening { since: now, until: now.after_ms(DIAL_TONE_MS) }
            }
            (Event::DialTone, State::Listening { since, .. }) => {
                let after_ms = u32::try_from(now.ms_since(since)).unwrap_or(u32::MAX);
                self.measured.dial_tone = Some(DialTone::Yes { after_ms });
                State::Dialling { until: now.after_ms(DIALLED_MS) }
            }
            // The line's own machine has lost patience with the dial tone.
            (Event::Dialled, State::Listening { .. }) => self.without_dial_tone(now, out),
            (Event::Dialled, State::Dialling { .. }) => {
                self.try_next(Box::default(), now.after_ms(RENEWED_MS), now, out)
            }
            (Event::Probed(probe), State::Probing { run, .. }) => self.probed(run, probe, now, out),
            (Event::Taken, state) => self.give_back(&state, Untested::InUse, out),
            // It is not the test's any more, or is released already.
            (Event::Refused(_) | Event::Ended | Event::Lost, State::Releasing { until }) => {
                State::Releasing { until }
            }
            (Event::Refused(why), _) => self.stop(why, out),
            (Event::NoDialTone, State::Seizing { .. } | State::Listening { .. }) => {
                self.measured.dial_tone = Some(DialTone::No);
                State::Releasing { until: now.after_ms(FREE_MS) }
            }
            (Event::Ended, _) => self.finish(now, out),
            (Event::Lost, _) => self.stop(Untested::Failed("the line failed during the test"), out),
            (Event::Free, State::Releasing { .. }) => self.done(out),
            (Event::Deadline, state) => self.due(state, now, out),
            (
                Event::Seized
                | Event::DialTone
                | Event::Dialled
                | Event::Probed(_)
                | Event::NoDialTone
                | Event::Free,
                same,
            ) => same,
        };
    }

    fn read(
        &mut self,
        state: State,
        volts: f32,
        milliamps: Option<f32>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        match state {
            State::Reading { .. } => {
                self.measured.battery_volts = Some(volts);
                if volts < SEIZABLE_VOLTS {
                    return self.done(out);
                }
                out.push(Command::Seize);
                State::Seizing { until: now.after_ms(SEIZED_MS) }
            }
            State::Resting { .. } => {
                let phone =
                    PhoneMeasurement { battery_volts: Some(volts), leak_milliamps: milliamps, ren: None };
                out.push(Command::Done(Ok(Measured::Phone(phone))));
                State::Over
            }
            off_hook => {
                self.measured.loop_milliamps = milliamps.or(self.measured.loop_milliamps);
                off_hook
            }
        }
    }

    fn due(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        if due_at(&state).is_some_and(|at| now < at) {
            // The timer of a state that is gone.
            return state;
        }
        match state {
            State::Reading { .. } | State::Resting { .. } => {
                self.stop(Untested::Failed("its chip tells no readings"), out)
            }
            State::Seizing { .. } => {
                self.give_back(&state, Untested::Failed("the line does not go off hook"), out)
            }
            State::Listening { .. } => self.without_dial_tone(now, out),
            State::Dialling { .. } => self.give_back(&state, Untested::Failed("the line does not dial"), out),
            State::Balancing { run, probe, .. } => {
                out.push(Command::Probe(probe));
                State::Probing { run, until: now.after_ms(PROBED_MS) }
            }
            State::Probing { .. } => {
                self.give_back(&state, Untested::Failed("the sound card does not play"), out)
            }
            State::Renewing { run, probe, .. } => self.balance(run, probe, now, out),
            State::Releasing { .. } => self.done(out),
            State::Over => State::Over,
        }
    }

    fn without_dial_tone(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        self.measured.dial_tone = Some(DialTone::No);
        self.release(now, out)
    }

    fn probed(&mut self, run: Run, mut probe: Box<Probe>, now: Instant, out: &mut Vec<Command>) -> State {
        if probe.is_whole() {
            self.sweep.heard(run.balance, &probe);
            return self.try_next(probe, run.renewed_by, now, out);
        }
        if run.repeats >= MOST_REPEATS {
            let why = Untested::Failed("the sound card loses samples");
            return self.give_back(&State::Probing { run, until: now }, why, out);
        }
        probe.rewind();
        self.balance(Run { repeats: run.repeats + 1, ..run }, probe, now, out)
    }

    /// The next balance, if there is one, and another digit before it if the exchange has waited for long.
    fn try_next(
        &mut self,
        mut probe: Box<Probe>,
        renewed_by: Instant,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        let is_in_hurry = now >= self.began.after_ms(HURRY_MS);
        let Some(balance) = self.sweep.next(is_in_hurry) else {
            self.finish_balance(out);
            return self.release(now, out);
        };
        probe.rewind();
        if now < renewed_by {
            return self.balance(Run { balance, repeats: 0, renewed_by }, probe, now, out);
        }
        out.extend(Key::from_sign(BREAKING_KEY).map(Command::Send));
        let run = Run { balance, repeats: 0, renewed_by: now.after_ms(RENEWED_MS) };
        State::Renewing { run, probe, until: now.after_ms(KEY_MS) }
    }

    fn balance(&mut self, run: Run, probe: Box<Probe>, now: Instant, out: &mut Vec<Command>) -> State {
        self.is_set = true;
        out.push(Command::Balance(run.balance));
        State::Balancing { run, probe, until: now.after_ms(SETTLES_MS) }
    }

    /// The exchange ended it: what was measured until then counts.
    fn finish(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        self.finish_balance(out);
        State::Releasing { until: now.after_ms(FREE_MS) }
    }

    fn finish_balance(&mut self, out: &mut Vec<Command>) {
        self.measured.echo = self.sweep.echo();
        self.measured.chosen = self.sweep.chosen();
        let chosen = self.measured.chosen.map(|best| Balance { acim: best.acim, hybrid: best.hybrid });
        if self.is_set {
            out.push(Command::Balance(chosen.unwrap_or(self.before)));
        }
    }

    fn release(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        out.push(Command::Release);
        State::Releasing { until: now.after_ms(FREE_MS) }
    }

    fn done(&mut self, out: &mut Vec<Command>) -> State {
        out.push(Command::Done(Ok(Measured::Line(std::mem::take(&mut self.measured)))));
        State::Over
    }

    /// Lets go of a port that may be the test's.
    fn give_back(&mut self, state: &State, why: Untested, out: &mut Vec<Command>) -> State {
        match state {
            // The measurement is complete.
            State::Releasing { .. } => return self.done(out),
            State::Reading { .. } | State::Resting { .. } | State::Over => {}
            State::Seizing { .. }
            | State::Listening { .. }
            | State::Dialling { .. }
            | State::Balancing { .. }
            | State::Probing { .. }
            | State::Renewing { .. } => out.extend([Command::Hush, Command::Release]),
        }
        self.stop(why, out)
    }

    /// Ends a test that has no line any more.
    fn stop(&mut self, why: Untested, out: &mut Vec<Command>) -> State {
        if self.is_set {
            out.push(Command::Balance(self.before));
        }
        out.push(Command::Done(Err(why)));
        State::Over
    }
}

const fn due_at(state: &State) -> Option<Instant> {
    match state {
        State::Reading { until }
        | State::Seizing { until }
        | State::Listening { until, .. }
        | State::Dialling { until }
        | State::Balancing { until, .. }
        | State::Probing { until, .. }
        | State::Renewing { until, .. }
        | State::Releasing { until }
        | State::Resting { until } => Some(*until),
        State::Over => None,
    }
}
