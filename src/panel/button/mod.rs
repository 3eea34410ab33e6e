//! The one button of the front panel: what a press means depends on how long it lasts, and the LEDs say so before it
//! is released.
//!
//! ```text
//!        pressed            30 ms             released             30 ms: the press acts
//!   Up ──────────► Closing ───────► Held ──────────────────► Opening ──────► Up
//!   ▲ ▲               │             │ │ ▲                       │
//!   │ └── released ◄──┘  3, 10, 20 s└─┘ └────── pressed ◄───────┘
//!   │                    next stage   │
//!   │                                 │ 60 s (reported as stuck); a call while a factory reset is armed
//!   │     1 s          released       ▼
//!   └───────── Clearing ◄────────── Spent ── 60 s: reported as stuck
//!                  └── pressed ──────►
//! ```
//!
//! | released after | with no call up | while a call is up |
//! |---|---|---|
//! | < 30 ms | nothing: the switch bounced | nothing |
//! | < 1 s | speaks the status; ends set-up mode if that is on | ends set-up mode |
//! | < 3 s | nothing: who hesitates may let go | nothing |
//! | < 10 s | set-up mode for 15 min | the same |
//! | < 20 s | factory reset, recordings kept | nothing |
//! | < 60 s | factory reset, recordings erased | nothing |
//! | later | nothing: held too long, or stuck | nothing |
//!
//! From 3 s on the stage that was *shown* counts, not the clock: a late loop never does what no LED has announced.

use crate::time::Instant;

/// Contacts bounce for less than this.
const BOUNCE_MS: u64 = 30;
/// A press shorter than this is a short one.
const SHORT_MS: u64 = 1_000;
/// From here on a release enters set-up mode.
const SET_UP_MS: u64 = 3_000;
/// From here on a release resets the configuration.
const RESET_MS: u64 = 10_000;
/// From here on a release erases the recordings as well.
const ERASE_MS: u64 = 20_000;
/// Nobody holds a button for so long: it is stuck, or the press was given up.
const STUCK_MS: u64 = 60_000;
/// A switch that was stuck must be open for so long before it counts again, so that its chatter does not.
const CLEAR_MS: u64 = 1_000;
/// Set-up mode ends by itself: a page that changes everything is not left open.
const SET_UP_ENDS_MS: u64 = 15 * 60 * 1_000;

/// What releasing the button now would do, as far as it is dangerous enough to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing that is shown.
    #[default]
    Rest,
    /// Set-up mode.
    SetUp,
    /// Factory reset, recordings kept.
    FactoryReset,
    /// Factory reset, recordings erased.
    EraseRecordings,
}

/// What a factory reset does with the recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recordings {
    /// They stay.
    Keep,
    /// They go.
    Erase,
}

/// What happens to the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The contact closed.
    Pressed,
    /// The contact opened.
    Released,
    /// Whether any call, tracked or not, is up has changed.
    CallUp(bool),
    /// A deadline passed.
    Deadline,
}

/// What the button wants done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let the LEDs show what a release would do.
    Show(Stage),
    /// Speak the address to a phone, and take the alarm as seen.
    SpeakStatus,
    /// Open the set-up page; if it is open, its 15 minutes have begun anew.
    EnterSetUp,
    /// Close the set-up page.
    LeaveSetUp,
    /// Forget the configuration and start again.
    FactoryReset {
        /// What becomes of the recordings.
        recordings: Recordings,
    },
    /// Report that the button has been down for a minute.
    ReportStuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Closing { since: Instant },
    Held { since: Instant, stage: Stage },
    Opening { since: Instant, stage: Stage, released: Instant },
    Spent { since: Instant, is_stuck: bool },
    Clearing { since: Instant, is_stuck: bool, released: Instant },
}

/// The button.
#[derive(Debug)]
pub struct Button {
    state: State,
    call_up: bool,
    /// When set-up mode ends.
    set_up_until: Option<Instant>,
}

impl Default for Button {
    fn default() -> Self {
        Self::new()
    }
}

impl Button {
    /// A button that nobody touches.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Up, call_up: false, set_up_until: None }
    }

    /// Whether set-up mode is on.
    #[must_use]
    pub const fn is_set_up(&self) -> bool {
        self.set_up_until.is_some()
    }

    /// Whether the button has been down for a minute and is still.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        matches!(self.state, State::Spent { is_stuck: true, .. } | State::Clearing { is_stuck: true, .. })
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline().into_iter().chain(self.set_up_until).min()
    }

    /// Takes one event; every (state, event) pair has an answer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        self.state = match event {
            Event::Pressed => self.pressed(now, out),
            Event::Released => self.released(now),
            Event::CallUp(call_up) => self.call(call_up, out),
            Event::Deadline => {
                if self.set_up_until.is_some_and(|until| now >= until) {
                    self.leave_set_up(out);
                }
                self.due(now, out)
            }
        };
    }

    fn pressed(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        match self.state {
            State::Up => State::Closing { since: now },
            State::Opening { since, stage, released } if now < released.after_ms(BOUNCE_MS) => {
                State::Held { since, stage }
            }
            // The loop is late: the press before this one is over.
            State::Opening { since, stage, released } => {
                self.act(stage, released.ms_since(since), now, out);
                State::Closing { since: now }
            }
            State::Clearing { since, is_stuck, .. } => State::Spent { since, is_stuck },
            // A repeated report.
            same @ (State::Closing { .. } | State::Held { .. } | State::Spent { .. }) => same,
        }
    }

    const fn released(&self, now: Instant) -> State {
        match self.state {
            State::Closing { since } if now.ms_since(since) < BOUNCE_MS => State::Up,
            State::Closing { since } => State::Opening { since, stage: Stage::Rest, released: now },
            State::Held { since, stage } => State::Opening { since, stage, released: now },
            State::Spent { since, is_stuck } => State::Clearing { since, is_stuck, released: now },
            // A repeated report.
            same @ (State::Up | State::Opening { .. } | State::Clearing { .. }) => same,
        }
    }

    fn call(&mut self, call_up: bool, out: &mut Vec<Command>) -> State {
        self.call_up = call_up;
        match self.state {
            // It is not armed again when the call ends: only a new press is meant for what it shows.
            State::Held { since, stage: Stage::FactoryReset | Stage::EraseRecordings } if call_up => {
                out.push(Command::Show(Stage::Rest));
                State::Spent { since, is_stuck: false }
            }
            same @ (State::Up
            | State::Closing { .. }
            | State::Held { .. }
            | State::Opening { .. }
            | State::Spent { .. }
            | State::Clearing { .. }) => same,
        }
    }

    fn due(&mut self, now: Instant, out: &mut Vec<Command>) -> State {
        if self.state.deadline().is_none_or(|deadline| now < deadline) {
            // The timer of set-up mode, or of a state that is gone.
            return self.state;
        }
        match self.state {
            State::Closing { since } => State::Held { since, stage: Stage::Rest },
            State::Held { since, stage } => match (stage.next(), self.call_up) {
                (None, _) => {
                    out.extend([Command::Show(Stage::Rest), Command::ReportStuck]);
                    State::Spent { since, is_stuck: true }
                }
                (Some(Stage::FactoryReset | Stage::EraseRecordings), true) => {
                    out.push(Command::Show(Stage::Rest));
                    State::Spent { since, is_stuck: false }
                }
                (Some(stage), _) => {
                    out.push(Command::Show(stage));
                    State::Held { since, stage }
                }
            },
            State::Opening { since, stage, released } => {
                self.act(stage, released.ms_since(since), now, out);
                State::Up
            }
            State::Spent { since, .. } => {
                out.push(Command::ReportStuck);
                State::Spent { since, is_stuck: true }
            }
            State::Clearing { .. } | State::Up => State::Up,
        }
    }

    /// A press that lasted `held_ms` is over.
    fn act(&mut self, stage: Stage, held_ms: u64, now: Instant, out: &mut Vec<Command>) {
        if stage != Stage::Rest {
            out.push(Command::Show(Stage::Rest));
        }
        match stage {
            Stage::Rest if held_ms >= SHORT_MS => {}
            Stage::Rest if self.set_up_until.is_some() => self.leave_set_up(out),
            Stage::SetUp => {
                self.set_up_until = Some(now.after_ms(SET_UP_ENDS_MS));
                out.push(Command::EnterSetUp);
            }
            // A call that came up as the button was let go.
            Stage::Rest | Stage::FactoryReset | Stage::EraseRecordings if self.call_up => {}
            Stage::Rest => out.push(Command::SpeakStatus),
            Stage::FactoryReset => self.reset(Recordings::Keep, out),
            Stage::EraseRecordings => self.reset(Recordings::Erase, out),
        }
    }

    fn reset(&mut self, recordings: Recordings, out: &mut Vec<Command>) {
        if self.set_up_until.is_some() {
            self.leave_set_up(out);
        }
        out.push(Command::FactoryReset { recordings });
    }

    fn leave_set_up(&mut self, out: &mut Vec<Command>) {
        self.set_up_until = None;
        out.push(Command::LeaveSetUp);
    }
}

impl State {
    const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Up | Self::Spent { is_stuck: true, .. } => None,
            Self::Closing { since } => Some(since.after_ms(BOUNCE_MS)),
            Self::Held { since, stage } => Some(since.after_ms(stage.ends_ms())),
            Self::Opening { released, .. } => Some(released.after_ms(BOUNCE_MS)),
            Self::Spent { since, is_stuck: false } => Some(since.after_ms(STUCK_MS)),
            Self::Clearing { released, .. } => Some(released.after_ms(CLEAR_MS)),
        }
    }
}

impl Stage {
    /// The name on pages and in `ringside status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::SetUp => "set-up mode",
            Self::FactoryReset => "factory reset",
            Self::EraseRecordings => "factory reset and erase",
        }
    }

    /// Milliseconds after the press at which the next stage begins.
    const fn ends_ms(self) -> u64 {
        match self {
            Self::Rest => SET_UP_MS,
            Self::SetUp => RESET_MS,
            Self::FactoryReset => ERASE_MS,
            Self::EraseRecordings => STUCK_MS,
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Rest => Some(Self::SetUp),
            Self::SetUp => Some(Self::FactoryReset),
            Self::FactoryReset => Some(Self::EraseRecordings),
            Self::EraseRecordings => None,
        }
    }
}

#[cfg(test)]
mod tests;
