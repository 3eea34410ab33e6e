//! What the chip reports, and what the line makes of it.

use super::*;
use crate::{audio::caller_id::Timing, chip::LineChange};

impl Fxo {
    pub(super) fn changed(
        &mut self,
        state: State,
        change: LineChange,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        match change {
            LineChange::Up => self.up(state, now, out),
            LineChange::Down => self.failed(state, Loss::ChipDown, out),
            LineChange::Reset => self.failed(state, Loss::ChipReset, out),
            LineChange::LinkLost => self.failed(state, Loss::LinkLost, out),
            LineChange::RingBegan => self.ring_began(state, now, out),
            LineChange::RingEnded => ring_ended(state, now.after_ms(self.settings.ring_over_ms())),
            LineChange::BatteryLost => self.battery_lost(state, now, out),
            LineChange::LineDead => self.line_dead(state, out),
            LineChange::BatteryReturned => self.battery_returned(state, now, out),
            LineChange::PolarityReversed { .. } => self.reversed(state, now, out),
            LineChange::ParallelLifted => self.parallel_lifted(state, now, out),
            LineChange::ParallelHungUp => self.parallel_hung_up(state, out),
            LineChange::OffHook => self.settled(state, now, out),
            // The line settles, and tells with `OffHook`.
            LineChange::Flashed => state,
            LineChange::Pulsed => self.pulsed(state, now, out),
            LineChange::Overload => self.overload(state, now, out),
        }
    }

    /// The chip came up with its line on hook. If that ended a call, the chip has not said why.
    fn up(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        let _ = self.failed(state, Loss::ChipReset, out);
        State::Waking { until: now.after_ms(WAKE_MS) }
    }

    /// The chip is gone, and with it the line, on hook.
    fn failed(&mut self, state: State, loss: Loss, out: &mut Vec<Command>) -> State {
        self.wires = Wires::default();
        self.alarm_over(Alarm::LineHeld, out);
        self.ignore(out);
        match state {
            State::Ringing(_) | State::Caught(_) => out.push(Command::RingStopped),
            State::Seizing { .. }
            | State::Answering { .. }
            | State::AwaitingDialTone(_)
            | State::Dialling(_)
            | State::Proceeding(_)
            | State::Talking(_) => out.push(Command::Lost(loss)),
            State::Releasing(Releasing { then: Some(_), .. }) => out.push(Command::Refused(Refusal::Down)),
            State::Releasing(Releasing { then: None, .. })
            | State::Down
            | State::Waking { .. }
            | State::NoBattery { .. }
            | State::Idle
            | State::Announced(_) => {}
        }
        State::Down
    }

    fn ring_began(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Idle => self.rings(None, out),
            State::Waking { .. } | State::NoBattery { .. } => {
                // Who rings feeds the line.
                self.fed(out);
                self.rings(None, out)
            }
            State::Announced(announced) => self.rings(announced.caller_id, out),
            State::Ringing(mut ringing) => {
                ringing.over = None;
                ringing.keys.reset();
                State::Ringing(ringing)
            }
            State::Seizing { .. } => self.caught(None, now, out),
            State::Releasing(Releasing { then, .. }) => {
                out.extend(then.map(|_| Command::Refused(Refusal::Glare)));
                self.fed(out);
                self.rings(None, out)
            }
            // Off hook there is no ring: it is one that was seen before.
            off_hook => off_hook,
        }
    }

    fn rings(&mut self, caller_id: Option<Received>, out: &mut Vec<Command>) -> State {
        out.push(Command::Rings);
        let has_caller_id = caller_id.is_some();
        out.extend(caller_id.map(Command::CallerId));
        self.listen(out);
        State::Ringing(Box::new(Ringing { over: None, has_caller_id, keys: Collector::default() }))
    }

    fn battery_lost(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        self.wires = Wires { dead_since: Some(now), shared_since: None };
        self.alarm_over(Alarm::LineHeld, out);
        match state {
            State::Idle | State::Waking { .. } | State::NoBattery { .. } | State::Announced(_) => {
                self.ignore(out);
                State::NoBattery { back: None }
            }
            State::Ringing(_) => {
                out.push(Command::RingStopped);
                self.ignore(out);
                State::NoBattery { back: None }
            }
            mut other => {
                if let Some(supervision) = other.supervision() {
                    supervision.battery_lost(now);
                }
                other
            }
        }
    }

    fn line_dead(&mut self, state: State, out: &mut Vec<Command>) -> State {
        let is_exchanges_doing = match &state {
            // It went after the line was hung up: the exchange's doing.
            State::Releasing(releasing) => self.wires.dead_since.is_some_and(|dead| dead > releasing.since),
            State::NoBattery { .. } => self.is_alarmed(Alarm::BatteryNotBack),
            _ => false,
        };
        if !is_exchanges_doing && self.wires.dead_since.is_some() {
            self.alarm(Alarm::Unplugged, out);
        }
        state
    }

    fn battery_returned(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        let dead_since = self.wires.dead_since;
        self.fed(out);
        match state {
            State::NoBattery { .. } => State::NoBattery { back: Some(now.after_ms(STAYS_MS)) },
            State::Releasing(mut releasing) => {
                if std::mem::take(&mut releasing.is_cpc) && !self.was_unplugged(dead_since, now) {
                    let open_ms = dead_since.map_or(0, |since| now.ms_since(since));
                    self.learn(HangUp::Cpc, open_ms, out);
                }
                releasing.until = releasing.until.max(now.after_ms(STAYS_MS));
                State::Releasing(releasing)
            }
            mut other => {
                if let Some(supervision) = other.supervision() {
                    supervision.battery_returned();
                }
                other
            }
        }
    }

    /// Whether battery that has come back was away for longer than an exchange takes it away to end a call.
    fn was_unplugged(&self, dead_since: Option<Instant>, now: Instant) -> bool {
        dead_since.is_none_or(|since| now.ms_since(since) > LONGEST_CPC_MS)
    }

    /// There is battery.
    pub(super) fn fed(&mut self, out: &mut Vec<Command>) {
        self.wires.dead_since = None;
        self.alarm_over(Alarm::Unplugged, out);
        self.alarm_over(Alarm::BatteryNotBack, out);
    }

    fn reversed(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Idle if matches!(self.settings.caller_id.timing, Timing::BeforeFirstRing(_)) => {
                self.listen(out);
                let until = now.after_ms(Settings::ANNOUNCED_MS);
                State::Announced(Box::new(Announced { until, ..Announced::default() }))
            }
            State::Proceeding(mut proceeding) => {
                proceeding.supervision.reversed(now);
                match proceeding.answer.reversed() {
                    Some(evidence) if proceeding.supervision.has_turned() => {
                        self.answered(proceeding.supervision, evidence, now, out)
                    }
                    Some(_) | None => State::Proceeding(proceeding),
                }
            }
            mut other => {
                if let Some(supervision) = other.supervision() {
                    supervision.reversed(now);
                }
                other
            }
        }
    }

    fn parallel_lifted(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        self.wires.shared_since.get_or_insert(now);
        match state {
            // Somebody took the call at another phone.
            State::Ringing(_) => {
                out.push(Command::RingStopped);
                self.ignore(out);
                State::Idle
            }
            State::Announced(_) => {
                self.ignore(out);
                State::Idle
            }
            // Who lifted at the same moment is about to dial, or talks to the caller that was to be dialled past.
            State::AwaitingDialTone(waiting) if !waiting.dial.is_urgent() => {
                self.give_up(Refusal::InUse, now, out)
            }
            // In a conversation somebody joins in.
            other => other,
        }
    }

    fn parallel_hung_up(&mut self, state: State, out: &mut Vec<Command>) -> State {
        let was_shared = self.wires.shared_since.take().is_some();
        self.alarm_over(Alarm::LineHeld, out);
        if was_shared && matches!(state, State::Idle) {
            out.push(Command::Free);
        }
        state
    }

    fn settled(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Seizing { dial, .. } => {
                self.alarm_over(Alarm::Overload, out);
                out.push(Command::Seized);
                self.listen(out);
                let wait_ms = if dial.is_urgent() { URGENT_WAIT_MS } else { self.settings.dial_tone_wait_ms };
                let supervision = self.supervise(Direction::Out, now);
                let until = now.after_ms(wait_ms);
                State::AwaitingDialTone(Box::new(Waiting { dial, supervision, has_tone: false, until }))
            }
            State::Answering { .. } => {
                self.alarm_over(Alarm::Overload, out);
                out.push(Command::Seized);
                self.listen(out);
                State::Talking(Box::new(self.supervise(Direction::In, now)))
            }
            State::Caught(Caught { until, supervision: None }) => {
                self.listen(out);
                let supervision = Some(Box::new(self.supervise(Direction::In, now)));
                State::Caught(Caught { until, supervision })
            }
            // Behind a flash or pulses.
            other => other,
        }
    }

    fn overload(&mut self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        if !state.is_off_hook() {
            // The order to hang up was on its way.
            return state;
        }
        self.alarm(Alarm::Overload, out);
        out.push(match state {
            State::Caught(_) => Command::RingStopped,
            _ => Command::Lost(Loss::Overload),
        });
        self.hang_up(now, out)
    }
}

fn ring_ended(state: State, over: Instant) -> State {
    match state {
        State::Ringing(mut ringing) => {
            ringing.over = Some(over);
            State::Ringing(ringing)
        }
        // The line was answered or seized.
        other => other,
    }
}
