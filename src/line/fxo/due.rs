//! What becomes due on an office line, and when.

use super::{dial::Part, state::DiallingNow, *};
use crate::line::fxo::answer::Answer;

impl Fxo {
    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let of_state = match &self.state {
            State::Down => None,
            State::Waking { until } | State::Answering { until } | State::Seizing { until, .. } => {
                Some(*until)
            }
            State::NoBattery { back } => *back,
            State::Idle => None,
            State::Announced(announced) => Some(announced.until),
            State::Ringing(ringing) => ringing.over,
            State::Caught(caught) => {
                let supervised = caught.supervision.as_ref().and_then(|supervision| supervision.deadline());
                sooner(Some(caught.until), supervised)
            }
            State::AwaitingDialTone(waiting) => sooner(Some(waiting.until), waiting.supervision.deadline()),
            State::Dialling(dialling) => sooner(dialling.sent, dialling.supervision.deadline()),
            State::Proceeding(call) => sooner(Some(call.answer.deadline()), call.supervision.deadline()),
            State::Talking(supervision) => supervision.deadline(),
            State::Releasing(releasing) => self.released_at(releasing),
        };
        sooner(of_state, self.held_at())
    }

    /// When a parallel phone has been off hook for too long.
    fn held_at(&self) -> Option<Instant> {
        let is_known = self.is_alarmed(Alarm::LineHeld) || self.state.is_off_hook();
        self.wires.shared_since.filter(|_| !is_known).map(|since| since.after_ms(self.settings.held_ms))
    }

    /// When something is to be done about a line that is being released.
    fn released_at(&self, releasing: &Releasing) -> Option<Instant> {
        match (self.wires.dead_since, &releasing.then) {
            (Some(_), None) => {
                Some(releasing.until.max(releasing.since.after_ms(self.settings.battery_back_ms)))
            }
            // An emergency call has no time to wait for battery.
            (Some(_), Some(_)) | (None, _) => Some(releasing.until),
        }
    }

    pub(super) fn due(&mut self, mut state: State, now: Instant, out: &mut Vec<Command>) -> State {
        if self.held_at().is_some_and(|at| now >= at) && !state.is_off_hook() {
            self.alarm(Alarm::LineHeld, out);
        }
        if let Some(end) = state.supervision().and_then(|supervision| supervision.due(now)) {
            return self.ended(state, end, now, out);
        }
        match state {
            State::Waking { until } if now >= until => {
                self.fed(out);
                self.idle(out)
            }
            State::NoBattery { back: Some(back) } if now >= back => self.idle(out),
            State::Announced(announced) if now >= announced.until => self.idle(out),
            State::Ringing(ringing) if ringing.over.is_some_and(|over| now >= over) => {
                out.push(Command::RingStopped);
                self.idle(out)
            }
            State::Answering { until } if now >= until => {
                out.push(Command::Lost(Loss::LinkLost));
                self.hang_up(now, out)
            }
            State::Seizing { until, .. } if now >= until => self.give_up(Refusal::Down, now, out),
            State::Caught(caught) if now >= caught.until => {
                out.push(Command::RingStopped);
                self.hang_up(now, out)
            }
            State::AwaitingDialTone(waiting) if now >= waiting.until => {
                self.dial_or_refuse(*waiting, now, out)
            }
            State::Dialling(dialling) if dialling.sent.is_some_and(|sent| now >= sent) => {
                self.next_part(dialling, now, out)
            }
            State::Proceeding(call) => match call.answer.due(now) {
                Some(evidence) => self.answered(call.supervision, evidence, now, out),
                None => State::Proceeding(call),
            },
            State::Releasing(releasing) if self.released_at(&releasing).is_some_and(|at| now >= at) => {
                self.released(releasing, now, out)
            }
            // The timer of a state that is gone.
            same => same,
        }
    }

    fn ended(&mut self, state: State, end: End, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            // Nobody had taken the call.
            State::Caught(_) => {
                out.push(Command::RingStopped);
                self.hang_up(now, out)
            }
            State::AwaitingDialTone(waiting) => self.end(&waiting.supervision, end, now, out),
            State::Dialling(dialling) => self.end(&dialling.supervision, end, now, out),
            State::Proceeding(call) => self.end(&call.supervision, end, now, out),
            State::Talking(supervision) => self.end(&supervision, end, now, out),
            unsupervised => unsupervised,
        }
    }

    fn dial_or_refuse(&mut self, waiting: Waiting, now: Instant, out: &mut Vec<Command>) -> State {
        let Waiting { dial, supervision, has_tone, .. } = waiting;
        let is_dialled =
            has_tone || dial.is_urgent() || self.settings.without_dial_tone == WithoutDialTone::Dial;
        if !is_dialled {
            return self.give_up(Refusal::NoDialTone, now, out);
        }
        let rest = self.settings.dialling.parts(&dial.digits).into();
        self.next_part(Box::new(DiallingNow { supervision, rest, sent: None }), now, out)
    }

    fn next_part(&mut self, mut dialling: Box<DiallingNow>, now: Instant, out: &mut Vec<Command>) -> State {
        dialling.sent = match dialling.rest.pop_front() {
            Some(Part::Pulses(digits)) => {
                out.push(Command::Order(LineOrder::Pulse { digits }));
                Some(now.after_ms(digits.ms() + PULSES_LATE_MS))
            }
            Some(Part::Tones(keys)) => {
                let sent = now.after_ms(dial::sent_ms(&keys));
                out.push(Command::Send(keys));
                Some(sent)
            }
            None => return self.proceed(dialling.supervision, now, out),
        };
        State::Dialling(dialling)
    }

    /// The chip has pulsed its digits.
    pub(super) fn pulsed(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Dialling(dialling) => self.next_part(dialling, now, out),
            other => other,
        }
    }

    fn proceed(&mut self, mut supervision: Supervision, now: Instant, out: &mut Vec<Command>) -> State {
        out.push(Command::Dialled);
        supervision.dialled();
        let answer = Answer::new(self.settings.answer, &self.learned, self.settings.tones, now);
        State::Proceeding(Box::new(Proceeding { supervision, answer }))
    }

    pub(super) fn answered(
        &mut self,
        mut supervision: Supervision,
        evidence: Evidence,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        out.push(Command::Answered(evidence));
        if evidence == Evidence::Voice && supervision.has_turned() {
            self.learned.reversed_on_answer();
            out.push(Command::LearnedReversal);
        }
        supervision.answered(now);
        State::Talking(Box::new(supervision))
    }

    fn released(&mut self, releasing: Releasing, now: Instant, out: &mut Vec<Command>) -> State {
        match (self.wires.dead_since, releasing.then) {
            (Some(_), Some(_)) => {
                out.push(Command::Refused(Refusal::NoBattery));
                State::Releasing(Releasing { then: None, ..releasing })
            }
            (Some(_), None) => {
                if !self.is_alarmed(Alarm::Unplugged) {
                    self.alarm(Alarm::BatteryNotBack, out);
                }
                State::NoBattery { back: None }
            }
            (None, Some(dial)) => self.off_hook_for(dial, now, out),
            (None, None) => self.idle(out),
        }
    }
}

/// The earlier of two times.
fn sooner(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
