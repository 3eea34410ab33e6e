//! Non-INVITE client transaction (RFC 3261 17.1.2), over UDP.
//!
//! ```text
//!            request          1xx                 200-699
//!   new ────────────► Trying ─────► Proceeding ──────────► Completed ──K──► over
//!                     │ E: again    │ E: again every T2    (answers absorbed)
//!                     │ 200-699 ────┼──────────────────────▲
//!                     └──────F──────┴──► over, timed out
//! ```

use super::{
    event::Command,
    timer::{GIVE_UP_MS, T1_MS, T2_MS, T4_MS, backed_off},
};
use crate::time::Instant;
use std::net::SocketAddr;

/// One request of ours.
#[derive(Debug)]
pub struct ClientRequest {
    peer: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying { request: Vec<u8>, resend_at: Instant, interval_ms: u64, give_up_at: Instant },
    Proceeding { request: Vec<u8>, resend_at: Instant, give_up_at: Instant },
    Completed { until: Instant },
    Over,
}

/// What happens to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A response with this status came.
    Response(u16),
    /// Time has passed.
    Deadline,
}

/// What its owner learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This response is the final one.
    Answered,
    /// Timer F: nobody answered.
    TimedOut,
}

impl ClientRequest {
    /// Sends the request to `peer`.
    #[must_use]
    pub fn new(peer: SocketAddr, request: Vec<u8>, now: Instant, out: &mut Vec<Command>) -> Self {
        out.push(Command::Send { to: peer, bytes: request.clone() });
        let state = State::Trying {
            request,
            resend_at: now.after_ms(T1_MS),
            interval_ms: T1_MS,
            give_up_at: now.after_ms(GIVE_UP_MS),
        };
        Self { peer, state }
    }

    /// Advances the transaction; the outcome is given exactly once.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) -> Option<Outcome> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (state, outcome) = match (state, event) {
            (State::Trying { request, give_up_at, .. }, Event::Response(100..=199)) => {
                (State::Proceeding { request, resend_at: now.after_ms(T2_MS), give_up_at }, None)
            }
            (State::Trying { .. } | State::Proceeding { .. }, Event::Response(200..)) => {
                (State::Completed { until: now.after_ms(T4_MS) }, Some(Outcome::Answered))
            }
            (state, Event::Deadline) if state.deadline().is_some_and(|at| at <= now) => {
                self.expire(state, now, out)
            }
            (unchanged, _) => (unchanged, None),
        };
        self.state = state;
        outcome
    }

    /// When the state changes by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    /// Whether the transaction may be forgotten.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn expire(&self, state: State, now: Instant, out: &mut Vec<Command>) -> (State, Option<Outcome>) {
        match state {
            State::Trying { give_up_at, .. } | State::Proceeding { give_up_at, .. } if give_up_at <= now => {
                (State::Over, Some(Outcome::TimedOut))
            }
            State::Trying { request, interval_ms, give_up_at, .. } => {
                out.push(Command::Send { to: self.peer, bytes: request.clone() });
                let interval_ms = backed_off(interval_ms);
                (
                    State::Trying { request, resend_at: now.after_ms(interval_ms), interval_ms, give_up_at },
                    None,
                )
            }
            State::Proceeding { request, give_up_at, .. } => {
                out.push(Command::Send { to: self.peer, bytes: request.clone() });
                (State::Proceeding { request, resend_at: now.after_ms(T2_MS), give_up_at }, None)
            }
            State::Completed { .. } | State::Over => (State::Over, None),
        }
    }
}

impl State {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Trying { resend_at, give_up_at, .. } | Self::Proceeding { resend_at, give_up_at, .. } => {
                Some(*resend_at.min(give_up_at))
            }
            Self::Completed { until } => Some(*until),
            Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> ClientRequest {
        ClientRequest::new(([127, 0, 0, 1], 5060).into(), b"BYE".to_vec(), Instant::ZERO, &mut Vec::new())
    }

    /// Milliseconds of the retransmissions, and of the outcome if there is one.
    fn run_out(transaction: &mut ClientRequest) -> (Vec<u64>, Option<(u64, Outcome)>) {
        let (mut times, mut end) = (Vec::new(), None);
        while let Some(at) = transaction.deadline() {
            let mut out = Vec::new();
            let ms = at.ms_since(Instant::ZERO);
            end = transaction.handle(Event::Deadline, at, &mut out).map(|outcome| (ms, outcome)).or(end);
            times.extend(out.iter().map(|_| ms));
        }
        (times, end)
    }

    #[test]
    fn an_unanswered_request_is_sent_at_the_times_of_e_until_f() {
        let (times, end) = run_out(&mut started());
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(end, Some((32_000, Outcome::TimedOut)));
    }

    #[test]
    fn a_provisional_answer_slows_the_request_to_t2() {
        let mut transaction = started();
        assert_eq!(transaction.handle(Event::Response(100), Instant::ZERO, &mut Vec::new()), None);
        let (times, end) = run_out(&mut transaction);
        assert_eq!(times, [4_000, 8_000, 12_000, 16_000, 20_000, 24_000, 28_000]);
        assert_eq!(end, Some((32_000, Outcome::TimedOut)));
    }

    #[test]
    fn an_answer_is_told_once_and_absorbed_until_k() {
        let mut transaction = started();
        let mut out = Vec::new();
        let at = Instant::ZERO.after_ms(20);
        assert_eq!(transaction.handle(Event::Response(200), at, &mut out), Some(Outcome::Answered));
        assert_eq!(transaction.handle(Event::Response(200), at, &mut out), None);
        assert_eq!(transaction.deadline(), Some(Instant::ZERO.after_ms(5_020)));
        assert_eq!(run_out(&mut transaction), (vec![], None));
        assert!(transaction.is_over());
    }
}
