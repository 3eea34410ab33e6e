//! What the ear on the line's slot hears, and what the line makes of it.

use super::*;
use crate::audio::{
    caller_id::{self, Kind},
    line_ear::Heard,
    progress::Progress,
};

impl Fxo {
    pub(super) fn heard(
        &mut self,
        state: State,
        heard: &Heard,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        match state {
            State::Announced(mut announced) => {
                announced.caller_id = caller(heard, &mut announced.keys).or(announced.caller_id);
                State::Announced(announced)
            }
            State::Ringing(mut ringing) => {
                let caller_id = caller(heard, &mut ringing.keys).filter(|_| !ringing.has_caller_id);
                ringing.has_caller_id |= caller_id.is_some();
                out.extend(caller_id.map(Command::CallerId));
                State::Ringing(ringing)
            }
            State::AwaitingDialTone(waiting) => self.heard_before_dialling(waiting, heard, now, out),
            State::Proceeding(proceeding) => self.heard_of_the_call(proceeding, heard, now, out),
            State::Talking(mut supervision) => {
                supervision.heard(heard, now);
                match supervision.due(now) {
                    Some(end) => self.end(&supervision, end, now, out),
                    None => State::Talking(supervision),
                }
            }
            mut other => {
                if let Some(supervision) = other.supervision() {
                    supervision.heard(heard, now);
                }
                other
            }
        }
    }

    fn heard_before_dialling(
        &mut self,
        mut waiting: Box<Waiting>,
        heard: &Heard,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        let is_urgent = waiting.dial.is_urgent();
        match heard {
            Heard::Progress(Progress::DialTone) if !waiting.has_tone => {
                waiting.has_tone = true;
                let pause_ms = if is_urgent { 0 } else { self.settings.dial_tone_pause_ms };
                waiting.until = now.after_ms(pause_ms);
                State::AwaitingDialTone(waiting)
            }
            // What an emergency call meets, it dials into: the exchange may take it nevertheless.
            Heard::Progress(Progress::Busy | Progress::Reorder | Progress::SpecialInformation)
                if !is_urgent =>
            {
                self.give_up(Refusal::NoDialTone, now, out)
            }
            Heard::Speech if !is_urgent && !waiting.has_tone => {
                let supervision = self.supervise(Direction::In, now);
                self.caught(Some(Box::new(supervision)), now, out)
            }
            Heard::Progress(_)
            | Heard::Speech
            | Heard::Silent { .. }
            | Heard::Key(_)
            | Heard::KeyEnded(_)
            | Heard::CallerId(_) => State::AwaitingDialTone(waiting),
        }
    }

    fn heard_of_the_call(
        &mut self,
        mut proceeding: Box<Proceeding>,
        heard: &Heard,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        let had_turned = proceeding.supervision.has_turned();
        proceeding.supervision.heard(heard, now);
        proceeding.answer.heard(heard, now);
        if had_turned && !proceeding.supervision.has_turned() && self.learned.answers > 0 {
            self.learned.reversed_for_nothing();
            out.push(Command::LearnedReversal);
        }
        match (proceeding.supervision.due(now), proceeding.answer.due(now)) {
            (Some(end), _) => self.end(&proceeding.supervision, end, now, out),
            (None, Some(evidence)) => self.answered(proceeding.supervision, evidence, now, out),
            (None, None) => State::Proceeding(proceeding),
        }
    }
}

/// The caller, if that is what was heard.
fn caller(heard: &Heard, keys: &mut Collector) -> Option<Received> {
    let received = match heard {
        Heard::CallerId(caller_id::Heard::Frame(frame)) => frame.parse().ok(),
        Heard::Key(key) => keys.push(key.sign()),
        Heard::CallerId(caller_id::Heard::Garbled)
        | Heard::KeyEnded(_)
        | Heard::Progress(_)
        | Heard::Speech
        | Heard::Silent { .. } => None,
    };
    received.filter(|received| received.kind == Kind::Call)
}
