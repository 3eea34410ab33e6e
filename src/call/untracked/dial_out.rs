//! A call that somebody dials on a phone: dial tone, digits, the office line. An emergency number goes out at once, on
//! whatever works.
//!
//! ```text
//!   lifted ──► Dialling ── number complete ──► Seeking ── line ──► Seizing ── dialled ──► Talking ⇄ Parked
//!                 │                               │ no line            │ refused             │
//!                 │                               ├── emergency: next line, then the trunk ──┤
//!                 │ nothing begins so             │                                          │
//!                 └────────► reorder ◄────────────┘          Trunk ── over ──► Saying ───────┤
//!                               │                                                            │
//!                               └──────────────────────────► Ended ◄─────────────────────────┘
//! ```

use super::{Command, Event, Kind, Via};
use crate::{
    audio::dtmf::Key,
    dialling::{CRITICAL_MS, DialPlan, Dialled, PARTIAL_MS},
    id::PortId,
    rtp::session::Trunk,
    time::Instant,
};

/// Lines that an emergency call tries before it takes the trunk.
const LINES_TRIED_MAX: u8 = 2;
/// How long the trunk may take to offer audio for an emergency call.
const TRUNK_PATIENCE_MS: u64 = 12_000;

/// What every phone of the site dials by.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Complete numbers and emergency numbers.
    pub plan: &'static DialPlan,
    /// Whether an emergency call may go out over the trunk when no line works.
    pub emergency_trunk: bool,
    /// How long it takes to tell a person that the emergency call could not be placed, in ms.
    pub unplaced_ms: u64,
}

#[derive(Clone, Debug)]
enum State {
    Dialling {
        until: Instant,
    },
    /// A line was asked for.
    Seeking,
    Seizing {
        line: PortId,
    },
    Talking {
        line: PortId,
    },
    Parked {
        line: PortId,
    },
    /// On the trunk; `until` while it has no audio.
    Trunk {
        until: Option<Instant>,
    },
    /// The person is told that nothing works.
    Saying {
        until: Instant,
    },
    Ended,
}

/// One call of a phone.
#[derive(Debug)]
pub struct DialOut {
    settings: Settings,
    phone: PortId,
    keys: Vec<Key>,
    emergency: bool,
    joined: bool,
    tried: u8,
    line_used: Option<PortId>,
    state: State,
}

impl DialOut {
    /// A handset was lifted: dial tone.
    pub fn begin(phone: PortId, settings: Settings, now: Instant, out: &mut Vec<Command>) -> Self {
        out.push(Command::DialTone(phone));
        let state = State::Dialling { until: now.after_ms(PARTIAL_MS) };
        Self {
            settings,
            phone,
            keys: Vec::new(),
            emergency: false,
            joined: false,
            tried: 0,
            line_used: None,
            state,
        }
    }

    /// What kind of call it has become.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        if self.emergency { Kind::Emergency } else { Kind::DialOut }
    }

    /// The line that it holds.
    #[must_use]
    pub const fn line(&self) -> Option<PortId> {
        match self.state {
            State::Seizing { line } | State::Talking { line } | State::Parked { line } => Some(line),
            State::Dialling { .. }
            | State::Seeking
            | State::Trunk { .. }
            | State::Saying { .. }
            | State::Ended => None,
        }
    }

    pub(super) const fn phone(&self) -> PortId {
        self.phone
    }

    pub(super) const fn is_dialling(&self) -> bool {
        matches!(self.state, State::Dialling { .. })
    }

    pub(super) const fn has_dial_tone(&self) -> bool {
        self.is_dialling() && self.keys.is_empty()
    }

    pub(super) const fn line_used(&self) -> Option<PortId> {
        self.line_used
    }

    pub(super) const fn is_talking(&self) -> bool {
        matches!(self.state, State::Talking { .. }) && !self.emergency
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Dialling { until } | State::Trunk { until: Some(until) } | State::Saying { until } => {
                Some(until)
            }
            State::Seeking
            | State::Seizing { .. }
            | State::Talking { .. }
            | State::Parked { .. }
            | State::Trunk { until: None }
            | State::Ended => None,
        }
    }

    pub(super) fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let phone = self.phone;
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (state, event) {
            (State::Ended, _) => State::Ended,
            (state, Event::OnHook(by) | Event::PhoneLost(by)) if by == phone => self.hang_up(&state, out),
            (state, Event::Stopped) => self.let_go(&state, out),
            (State::Dialling { until }, Event::Key(key)) => self.press(key, until, now, out),
            (State::Dialling { until }, Event::Deadline) if now >= until => {
                match self.settings.plan.judge(&self.keys) {
                    Dialled::MayEnd => self.complete(out),
                    _ => self.reorder(out),
                }
            }
            (State::Seeking, Event::LineGiven(line)) => self.seize(line, out),
            (State::Seeking, Event::NoLine) => self.without_line(now, out),
            (State::Seizing { line }, Event::Dialled) => {
                self.joined = true;
                out.push(Command::Join { phone, line });
                State::Talking { line }
            }
            (State::Seizing { line }, Event::LineRefused | Event::LineLost | Event::LineGone) => {
                out.push(Command::HangUpLine(line));
                if self.emergency && self.tried < LINES_TRIED_MAX {
                    self.seek(out)
                } else {
                    self.without_line(now, out)
                }
            }
            (State::Talking { line }, Event::Parked) => {
                out.push(Command::Part(phone));
                State::Parked { line }
            }
            (State::Parked { line }, Event::OffHook(_)) => {
                out.push(Command::Join { phone, line });
                State::Talking { line }
            }
            // The box has something to say to whoever listens to its dial tone.
            (state @ State::Dialling { .. }, Event::Taken) => self.hang_up(&state, out),
            // Another emergency call needs the line of an ordinary one.
            (
                state @ (State::Seizing { .. } | State::Talking { .. } | State::Parked { .. }),
                Event::Taken,
            ) if !self.emergency => {
                let ended = self.hang_up(&state, out);
                out.push(Command::Reorder(phone));
                ended
            }
            (state @ (State::Talking { .. } | State::Parked { .. }), Event::LineGone | Event::LineLost) => {
                self.let_go(&state, out)
            }
            (State::Trunk { .. }, Event::TrunkMedia(trunk)) => self.talk_on_trunk(trunk, out),
            (State::Trunk { until: Some(until) }, Event::Deadline) if now >= until => {
                out.push(Command::HangUpTrunk);
                self.say_unplaced(now, out)
            }
            (State::Trunk { until: Some(_) }, Event::TrunkEnded) => self.say_unplaced(now, out),
            (state @ State::Trunk { until: None }, Event::TrunkEnded) => self.let_go(&state, out),
            (State::Saying { until }, Event::Deadline) if now >= until => self.reorder(out),
            (same, _) => same,
        };
    }

    fn press(&mut self, key: Key, until: Instant, now: Instant, out: &mut Vec<Command>) -> State {
        if self.keys.is_empty() {
            out.push(Command::Quiet(self.phone));
        }
        // Behind a number that may be whole, # says that it is (RFC 3435 2.1.5 leaves the sign to the plan).
        if key.sign() == '#' && self.settings.plan.judge(&self.keys) == Dialled::MayEnd {
            return self.complete(out);
        }
        self.keys.push(key);
        match self.settings.plan.judge(&self.keys) {
            Dialled::Emergency => {
                self.emergency = true;
                self.complete(out)
            }
            Dialled::Complete => self.complete(out),
            Dialled::MayEnd => State::Dialling { until: now.after_ms(CRITICAL_MS) },
            Dialled::Partial => State::Dialling { until: now.after_ms(PARTIAL_MS).max(until) },
            Dialled::Nothing => self.reorder(out),
        }
    }

    fn complete(&mut self, out: &mut Vec<Command>) -> State {
        out.push(Command::Ignore(self.phone));
        self.seek(out)
    }

    fn seek(&mut self, out: &mut Vec<Command>) -> State {
        self.tried += 1;
        out.push(Command::FindLine { keys: self.keys.clone(), emergency: self.emergency });
        State::Seeking
    }

    fn seize(&mut self, line: PortId, out: &mut Vec<Command>) -> State {
        self.line_used = Some(line);
        self.report(Via::Line(line), out);
        State::Seizing { line }
    }

    /// No line works, or all are taken.
    fn without_line(&self, now: Instant, out: &mut Vec<Command>) -> State {
        if !self.emergency {
            return self.reorder(out);
        }
        if !self.settings.emergency_trunk {
            return self.say_unplaced(now, out);
        }
        self.report(Via::Trunk, out);
        out.push(Command::PlaceOnTrunk(self.keys.clone()));
        State::Trunk { until: Some(now.after_ms(TRUNK_PATIENCE_MS)) }
    }

    fn talk_on_trunk(&mut self, trunk: Trunk, out: &mut Vec<Command>) -> State {
        self.joined = true;
        out.push(Command::PatchTrunk { phone: self.phone, trunk });
        State::Trunk { until: None }
    }

    fn say_unplaced(&self, now: Instant, out: &mut Vec<Command>) -> State {
        self.report(Via::Nothing, out);
        out.push(Command::SayUnplaced(self.phone));
        State::Saying { until: now.after_ms(self.settings.unplaced_ms) }
    }

    fn report(&self, via: Via, out: &mut Vec<Command>) {
        if self.emergency {
            out.push(Command::ReportEmergency { phone: self.phone, keys: self.keys.clone(), via });
        }
    }

    /// What was dialled leads nowhere.
    fn reorder(&self, out: &mut Vec<Command>) -> State {
        // Once it asks for a line it listens to the keys no more.
        out.extend((self.tried == 0).then_some(Command::Ignore(self.phone)));
        out.push(Command::Reorder(self.phone));
        self.end(out)
    }

    /// Ends what the person at the phone has not ended.
    fn let_go(&self, state: &State, out: &mut Vec<Command>) -> State {
        let ended = self.hang_up(state, out);
        out.push(Command::Release(self.phone));
        ended
    }

    /// Undoes whatever a state holds.
    fn hang_up(&self, state: &State, out: &mut Vec<Command>) -> State {
        match state {
            State::Dialling { .. } => out.extend([Command::Quiet(self.phone), Command::Ignore(self.phone)]),
            State::Seeking | State::Ended => {}
            State::Seizing { line } => out.push(Command::HangUpLine(*line)),
            State::Talking { line } | State::Parked { line } => {
                out.extend([Command::Part(self.phone), Command::HangUpLine(*line)]);
            }
            State::Trunk { until } => {
                out.extend(until.is_none().then_some(Command::UnpatchTrunk));
                out.push(Command::HangUpTrunk);
            }
            State::Saying { .. } => out.push(Command::Quiet(self.phone)),
        }
        self.end(out)
    }

    fn end(&self, out: &mut Vec<Command>) -> State {
        out.push(Command::End { kind: self.kind(), joined: self.joined });
        State::Ended
    }
}

#[cfg(test)]
mod tests;
