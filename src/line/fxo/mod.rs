//! One FXO port: an office line of the telephone company, in both directions, and let go when the call is over.
//!
//! ```text
//!            chip up          100 ms, battery            Seize: off hook            settled
//!   Down ──────────► Waking ────────────────► Idle ──────────────────► Seizing ─────────────► AwaitingDialTone
//!     ▲ chip down,     │ no battery          ▲ │ ▲                        │ ring                 │ tone, or no wait
//!     │ reset          ▼       battery stays │ │ │ no ring                │      voice, no tone  │ any more
//!    any           NoBattery ────────────────┘ │ │ any more               ▼ ◄────────────────────┤
//!                      ▲                  ring ▼ │       Answer       Caught                     ▼
//!                      │                     Ringing ─────────┐         │ Answer            Dialling
//!                      │                       ▲              ▼         ▼                       │ digits are out
//!                      │                  ring │          Answering ──► Talking ◄─── Proceeding ◄┘
//!       no battery for │                       │            settled       │    evidence  │
//!      battery_back_ms │                       │                          ▼              ▼
//!                      └────────────────── Releasing ◄── Release, or supervision ends it ─┘
//!                                              │ the exchange has let go, battery stays
//!                                              └──► Idle, or Seizing for an emergency call that waits
//! ```
//!
//! Glare, a call that comes in while one goes out, in its four orders:
//!
//! | order | answer |
//! |---|---|
//! | the ring is seen, then [`Event::Seize`] comes | refused with [`Refusal::Glare`]; nothing is ordered, the line rings on |
//! | off hook is ordered, the ring is seen before it has settled | off hook has answered the caller: refused, and [`Command::Rings`] offers the call, which [`Event::Answer`] takes at once |
//! | the caller was connected before any ring: no dial tone, but a voice | the same |
//! | on hook is ordered, the exchange rings before it has let go | the line rings; [`Command::Rings`] stands for [`Command::Free`] |
//!
//! The line hangs up by itself whenever supervision ([`supervision`]) ends a call: nobody has to ask for it.

pub mod answer;
mod change;
mod dial;
mod due;
mod heard;
mod learned;
mod settings;
mod state;
pub mod supervision;
mod words;

pub use dial::{Dial, Dialling, Digits, Urgency};
pub use learned::{Learned, Lesson};
pub use settings::{Settings, WithoutDialTone};
pub use supervision::HangUp;
pub use words::{Alarm, Command, Event, Evidence, Loss, Refusal};

use crate::{
    audio::caller_id::{Received, dtmf::Collector},
    chip::LineOrder,
    status::LineState,
    time::Instant,
};
use state::{Announced, Caught, Proceeding, Releasing, Ringing, State, Waiting};
use supervision::{Direction, End, Supervision};

/// An emergency call waits this long for dial tone, from the moment that the loop has settled.
pub const URGENT_WAIT_MS: u64 = 300;
/// The chip tells of missing battery within this time after it has come up.
const WAKE_MS: u64 = 100;
/// Off hook settles in 200 ms; a chip that has not said so by then does not work.
const SETTLE_MS: u64 = 1_000;
/// The chip tells that its pulses are out; if it does not within this time, they are taken to be.
const PULSES_LATE_MS: u64 = 1_000;
/// Battery that has come back is there to stay after this time.
const STAYS_MS: u64 = 300;
/// A caller who was caught by accident is held this long for somebody to take the call.
const CAUGHT_MS: u64 = 20_000;
/// The longest dead loop with which an exchange ends a call; beyond it the cable was out (the chip needs 300 ms to
/// see the battery of a line that was hung up meanwhile).
const LONGEST_CPC_MS: u64 = 2_000;

/// What the chip says of the wires.
#[derive(Clone, Copy, Debug, Default)]
struct Wires {
    /// Since when there is no battery.
    dead_since: Option<Instant>,
    /// Since when a parallel phone is off hook.
    shared_since: Option<Instant>,
}

/// One FXO port.
#[derive(Debug)]
pub struct Fxo {
    settings: Settings,
    learned: Learned,
    wires: Wires,
    listens: bool,
    /// Which of [`Alarm::ALL`] are on.
    alarms: [bool; Alarm::ALL.len()],
    state: State,
}

impl Fxo {
    /// A port whose chip has not come up yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let learned = settings.learned.unwrap_or_default();
        let wires = Wires::default();
        Self { settings, learned, wires, listens: false, alarms: Default::default(), state: State::Down }
    }

    /// Whether [`Event::Seize`] would be accepted now.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.state, State::Idle) && self.wires.shared_since.is_none()
    }

    /// Whether the line is on hook and nothing goes on: it does not ring, no use of it ends, and it may not be fed.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Idle | State::NoBattery { .. })
    }

    /// Whether the chip is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        !matches!(self.state, State::Down)
    }

    /// Whether the exchange feeds the line, as far as is known.
    #[must_use]
    pub const fn is_fed(&self) -> bool {
        !matches!(self.state, State::Waking { .. } | State::NoBattery { .. })
    }

    /// Whether a call waits to be answered.
    #[must_use]
    pub const fn is_ringing(&self) -> bool {
        matches!(self.state, State::Ringing(_) | State::Caught(_))
    }

    /// Whether the line is, or is ordered to be, off hook.
    #[must_use]
    pub fn is_off_hook(&self) -> bool {
        self.state.is_off_hook()
    }

    /// Whether an alarm is on.
    #[must_use]
    pub fn is_alarmed(&self, alarm: Alarm) -> bool {
        self.alarms.get(alarm as usize).copied().unwrap_or_default()
    }

    /// What the line does, in the words of every screen.
    #[must_use]
    pub const fn shown(&self) -> LineState {
        self.state.shown()
    }

    /// Whether a parallel phone is off hook.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.wires.shared_since.is_some()
    }

    /// What the line has shown so far, to be given to [`Settings::learned`] at the next start.
    #[must_use]
    pub const fn learned(&self) -> Learned {
        self.learned
    }

    /// Takes one event; every (state, event) pair has an answer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let state = std::mem::replace(&mut self.state, State::Down);
        self.state = match event {
            Event::Chip(change) => self.changed(state, change, now, out),
            Event::Heard(heard) => self.heard(state, &heard, now, out),
            Event::Seize(dial) => self.seize(state, dial, now, out),
            Event::Answer => self.answer(state, now, out),
            Event::Release => self.release(state, now, out),
            Event::Flash => self.flash(state, out),
            Event::FarLegEnded => far_leg_ended(state, now),
            Event::Deadline => self.due(state, now, out),
        };
    }

    fn seize(&mut self, state: State, dial: Dial, now: Instant, out: &mut Vec<Command>) -> State {
        let refusal = match state {
            State::Idle if self.wires.shared_since.is_none() || dial.is_urgent() => {
                return self.off_hook_for(dial, now, out);
            }
            // Not every reversal announces a call, and battery that has come back is likely to stay.
            State::Announced(ref announced) if announced.caller_id.is_none() && dial.is_urgent() => {
                self.ignore(out);
                return self.off_hook_for(dial, now, out);
            }
            State::NoBattery { back: Some(_) } if dial.is_urgent() => {
                return self.off_hook_for(dial, now, out);
            }
            State::Releasing(Releasing { since, until, is_cpc, then: None }) if dial.is_urgent() => {
                return State::Releasing(Releasing { since, until, is_cpc, then: Some(dial) });
            }
            State::Idle => Refusal::InUse,
            State::Down | State::Waking { .. } => Refusal::Down,
            State::NoBattery { .. } => Refusal::NoBattery,
            State::Announced(_) | State::Ringing(_) | State::Caught(_) => Refusal::Glare,
            State::Answering { .. }
            | State::Seizing { .. }
            | State::AwaitingDialTone(_)
            | State::Dialling(_)
            | State::Proceeding(_)
            | State::Talking(_)
            | State::Releasing(_) => Refusal::Busy,
        };
        out.push(Command::Refused(refusal));
        state
    }

    fn answer(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Ringing(_) => {
                self.ignore(out);
                out.push(Command::Order(LineOrder::OffHook));
                State::Answering { until: now.after_ms(SETTLE_MS) }
            }
            State::Caught(Caught { supervision: Some(supervision), .. }) => {
                out.push(Command::Seized);
                State::Talking(supervision)
            }
            State::Caught(Caught { supervision: None, .. }) => {
                State::Answering { until: now.after_ms(SETTLE_MS) }
            }
            // The caller was quicker.
            other => {
                out.push(Command::Refused(Refusal::NotRinging));
                other
            }
        }
    }

    fn release(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Answering { .. }
            | State::Caught(_)
            | State::Seizing { .. }
            | State::AwaitingDialTone(_)
            | State::Dialling(_)
            | State::Proceeding(_)
            | State::Talking(_) => self.hang_up(now, out),
            // The emergency call that waited is given up.
            State::Releasing(releasing) => State::Releasing(Releasing { then: None, ..releasing }),
            // On hook already; a ringing line cannot be refused, only left alone.
            on_hook @ (State::Down
            | State::Waking { .. }
            | State::NoBattery { .. }
            | State::Idle
            | State::Announced(_)
            | State::Ringing(_)) => on_hook,
        }
    }

    fn flash(&self, state: State, out: &mut Vec<Command>) -> State {
        match state {
            State::Talking(mut supervision) => {
                supervision.flashed();
                out.push(Command::Order(LineOrder::Flash { open_ms: self.settings.flash_ms }));
                State::Talking(supervision)
            }
            // Before the answer a flash would end the call.
            other => other,
        }
    }

    /// Closes the loop for a call that goes out.
    fn off_hook_for(&mut self, dial: Dial, now: Instant, out: &mut Vec<Command>) -> State {
        out.push(Command::Order(LineOrder::OffHook));
        State::Seizing { dial, until: now.after_ms(SETTLE_MS) }
    }

    /// Opens the loop, without a dead loop to be explained.
    fn hang_up(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        self.on_hook(now, false, out)
    }

    fn on_hook(&mut self, now: Instant, is_cpc: bool, out: &mut Vec<Command>) -> State {
        self.ignore(out);
        out.push(Command::Order(LineOrder::Monitor));
        let until = now.after_ms(self.settings.release_ms);
        State::Releasing(Releasing { since: now, until, is_cpc, then: None })
    }

    /// Refuses a call that was to go out over a line that is off hook by now.
    fn give_up(&mut self, refusal: Refusal, now: Instant, out: &mut Vec<Command>) -> State {
        out.push(Command::Refused(refusal));
        self.hang_up(now, out)
    }

    /// Supervision has ended a call.
    fn end(&mut self, supervision: &Supervision, end: End, now: Instant, out: &mut Vec<Command>) -> State {
        match end {
            End::Gone(how) => {
                out.push(Command::Gone(how));
                for (how, ms) in supervision.lessons(how, now) {
                    self.learn(how, ms, out);
                }
            }
            End::Lost(loss) => out.push(Command::Lost(loss)),
        }
        let is_cpc = supervision.may_be_cpc(end);
        self.on_hook(now, is_cpc, out)
    }

    fn learn(&mut self, how: HangUp, ms: u64, out: &mut Vec<Command>) {
        self.learned.ended(how, ms);
        out.push(Command::Learned(how, ms));
    }

    /// On hook, fed and released.
    fn idle(&mut self, out: &mut Vec<Command>) -> State {
        self.ignore(out);
        if self.wires.shared_since.is_none() {
            out.push(Command::Free);
        }
        State::Idle
    }

    /// A call that goes out has met one that comes in.
    fn caught(
        &mut self,
        supervision: Option<Box<Supervision>>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        out.extend([Command::Refused(Refusal::Glare), Command::Rings]);
        State::Caught(Caught { until: now.after_ms(CAUGHT_MS), supervision })
    }

    fn supervise(&self, direction: Direction, now: Instant) -> Supervision {
        Supervision::new(&self.settings, self.learned, direction, now)
    }

    fn listen(&mut self, out: &mut Vec<Command>) {
        if !std::mem::replace(&mut self.listens, true) {
            out.push(Command::Listen);
        }
    }

    fn ignore(&mut self, out: &mut Vec<Command>) {
        if std::mem::replace(&mut self.listens, false) {
            out.push(Command::Ignore);
        }
    }

    fn alarm(&mut self, alarm: Alarm, out: &mut Vec<Command>) {
        if self.set_alarm(alarm, true) {
            out.push(Command::Alarm(alarm));
        }
    }

    fn alarm_over(&mut self, alarm: Alarm, out: &mut Vec<Command>) {
        if self.set_alarm(alarm, false) {
            out.push(Command::AlarmOver(alarm));
        }
    }

    /// Whether that changed anything.
    fn set_alarm(&mut self, alarm: Alarm, on: bool) -> bool {
        self.alarms.get_mut(alarm as usize).is_some_and(|is_on| std::mem::replace(is_on, on) != on)
    }
}

fn far_leg_ended(state: State, now: Instant) -> State {
    match state {
        State::Talking(mut supervision) => {
            supervision.far_leg_ended(now);
            State::Talking(supervision)
        }
        // Nobody was patched to it yet.
        other => other,
    }
}
