//! INVITE server transaction (RFC 3261 17.2.1 with the Accepted state of RFC 6026 7.1), over UDP.
//!
//! ```text
//!            INVITE            1xx                  2xx
//!   new ───────────► Proceeding ◄┐  ───────────────────────► Accepted ──L──► over
//!                    │   └───────┘                            (INVITEs absorbed)
//!                    │ 300-699                   ACK
//!                    └────────────► Completed ─────────► Confirmed ──I──► over
//!                                   │ G: send again       (ACKs absorbed)
//!                                   └──H──► over, unacknowledged
//! ```
//! The 2xx itself is retransmitted by the dialog, not by this transaction.

use super::{
    event::Command,
    timer::{GIVE_UP_MS, PROVISIONAL_REFRESH_MS, T1_MS, T4_MS, backed_off},
};
use crate::time::Instant;
use std::net::SocketAddr;

/// One INVITE that came in, until no retransmission of it can arrive any more.
#[derive(Debug)]
pub struct ServerInvite {
    peer: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Proceeding { last: Vec<u8>, refresh_at: Instant },
    Completed { last: Vec<u8>, resend_at: Instant, interval_ms: u64, give_up_at: Instant },
    Confirmed { until: Instant },
    Accepted { until: Instant },
    Over,
}

/// What happens to the transaction.
#[derive(Debug)]
pub enum Event {
    /// The INVITE came again.
    Invite,
    /// The ACK of a final answer other than 2xx came.
    Ack,
    /// A provisional answer is to be sent.
    Provisional(Vec<u8>),
    /// A 2xx is to be sent; the dialog repeats it.
    Success(Vec<u8>),
    /// A final answer of 300 to 699 is to be sent.
    Failure(Vec<u8>),
    /// Time has passed.
    Deadline,
}

impl ServerInvite {
    /// An INVITE whose answers go to `peer`; the first one follows.
    #[must_use]
    pub const fn new(peer: SocketAddr, now: Instant) -> Self {
        Self { peer, state: State::proceeding(Vec::new(), now) }
    }

    /// Advances the transaction; a pair that the RFC does not know changes nothing.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (state, event) {
            (State::Proceeding { .. }, Event::Provisional(bytes)) => {
                self.send(&bytes, out);
                State::proceeding(bytes, now)
            }
            (State::Proceeding { .. }, Event::Success(bytes)) => {
                self.send(&bytes, out);
                State::Accepted { until: now.after_ms(GIVE_UP_MS) }
            }
            (State::Proceeding { .. }, Event::Failure(bytes)) => {
                self.send(&bytes, out);
                State::Completed {
                    last: bytes,
                    resend_at: now.after_ms(T1_MS),
                    interval_ms: T1_MS,
                    give_up_at: now.after_ms(GIVE_UP_MS),
                }
            }
            (State::Proceeding { last, refresh_at }, Event::Invite) => {
                self.send(&last, out);
                State::Proceeding { last, refresh_at }
            }
            (State::Completed { last, resend_at, interval_ms, give_up_at }, Event::Invite) => {
                self.send(&last, out);
                State::Completed { last, resend_at, interval_ms, give_up_at }
            }
            (State::Completed { .. }, Event::Ack) => State::Confirmed { until: now.after_ms(T4_MS) },
            (state, Event::Deadline) if state.deadline().is_some_and(|at| at <= now) => {
                self.expire(state, now, out)
            }
            (unchanged, _) => unchanged,
        };
    }

    /// When the state changes by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    /// Whether nothing was sent yet, so that the caller still repeats its INVITE by itself.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(&self.state, State::Proceeding { last, .. } if last.is_empty())
    }

    /// Whether a 2xx was sent; its ACK then belongs to the dialog.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// Whether the transaction may be forgotten.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn expire(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Proceeding { last, .. } => {
                self.send(&last, out);
                State::proceeding(last, now)
            }
            State::Completed { last, interval_ms, give_up_at, .. } if now < give_up_at => {
                self.send(&last, out);
                let interval_ms = backed_off(interval_ms);
                State::Completed { last, resend_at: now.after_ms(interval_ms), interval_ms, give_up_at }
            }
            State::Completed { .. } | State::Confirmed { .. } | State::Accepted { .. } | State::Over => {
                State::Over
            }
        }
    }

    /// Sends an answer; there is none yet (`bytes` is empty) while a crowded box thinks.
    fn send(&self, bytes: &[u8], out: &mut Vec<Command>) {
        if !bytes.is_empty() {
            out.push(Command::Send { to: self.peer, bytes: bytes.to_vec() });
        }
    }
}

impl State {
    const fn proceeding(last: Vec<u8>, now: Instant) -> Self {
        Self::Proceeding { last, refresh_at: now.after_ms(PROVISIONAL_REFRESH_MS) }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proceeding { refresh_at, .. } => Some(*refresh_at),
            Self::Completed { resend_at, give_up_at, .. } => Some(*resend_at.min(give_up_at)),
            Self::Confirmed { until } | Self::Accepted { until } => Some(*until),
            Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> ServerInvite {
        let mut transaction = ServerInvite::new(([127, 0, 0, 1], 5060).into(), Instant::ZERO);
        transaction.handle(Event::Provisional(b"100".to_vec()), Instant::ZERO, &mut Vec::new());
        transaction
    }

    fn sent(out: &mut Vec<Command>) -> Vec<String> {
        out.drain(..)
            .map(|command| match command {
                Command::Send { bytes, .. } => String::from_utf8(bytes).unwrap(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    /// Milliseconds at which something is sent until the transaction is over, and that moment.
    fn run_out(transaction: &mut ServerInvite) -> (Vec<u64>, u64) {
        let (mut times, mut last) = (Vec::new(), 0);
        while let Some(at) = transaction.deadline() {
            let mut out = Vec::new();
            transaction.handle(Event::Deadline, at, &mut out);
            last = at.ms_since(Instant::ZERO);
            times.extend(out.iter().map(|_| last));
        }
        (times, last)
    }

    #[test]
    fn an_unacknowledged_refusal_is_sent_at_the_times_of_g_until_h() {
        let mut transaction = started();
        transaction.handle(Event::Failure(b"486".to_vec()), Instant::ZERO, &mut Vec::new());
        let (times, over) = run_out(&mut transaction);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(over, 32_000);
    }

    #[test]
    fn an_acknowledged_refusal_is_forgotten_after_i() {
        let mut transaction = started();
        transaction.handle(Event::Failure(b"486".to_vec()), Instant::ZERO, &mut Vec::new());
        let mut out = Vec::new();
        transaction.handle(Event::Ack, Instant::ZERO.after_ms(40), &mut out);
        transaction.handle(Event::Ack, Instant::ZERO.after_ms(50), &mut out);
        transaction.handle(Event::Invite, Instant::ZERO.after_ms(60), &mut out);
        assert!(out.is_empty(), "{out:?}");
        assert_eq!(run_out(&mut transaction), (vec![], 5_040));
    }

    #[test]
    fn an_accepted_invite_is_absorbed_until_l() {
        let mut transaction = started();
        let mut out = Vec::new();
        transaction.handle(Event::Success(b"200".to_vec()), Instant::ZERO, &mut out);
        transaction.handle(Event::Invite, Instant::ZERO.after_ms(500), &mut out);
        assert_eq!(sent(&mut out), ["200"]);
        assert_eq!(run_out(&mut transaction), (vec![], 32_000));
    }

    #[test]
    fn a_repeated_invite_gets_the_last_provisional_answer() {
        let mut transaction = started();
        let mut out = Vec::new();
        transaction.handle(Event::Invite, Instant::ZERO, &mut out);
        transaction.handle(Event::Provisional(b"180".to_vec()), Instant::ZERO, &mut out);
        transaction.handle(Event::Invite, Instant::ZERO, &mut out);
        assert_eq!(sent(&mut out), ["100", "180", "180"]);
    }

    #[test]
    fn a_ringing_call_repeats_its_180_every_minute() {
        let mut transaction = started();
        let mut out = Vec::new();
        transaction.handle(Event::Deadline, Instant::ZERO.after_ms(59_999), &mut out);
        assert!(out.is_empty());
        transaction.handle(Event::Deadline, Instant::ZERO.after_ms(60_000), &mut out);
        assert_eq!(sent(&mut out), ["100"]);
        assert_eq!(transaction.deadline(), Some(Instant::ZERO.after_ms(120_000)));
    }

    #[test]
    fn a_second_final_answer_changes_nothing() {
        let mut transaction = started();
        let mut out = Vec::new();
        transaction.handle(Event::Failure(b"486".to_vec()), Instant::ZERO, &mut out);
        transaction.handle(Event::Success(b"200".to_vec()), Instant::ZERO, &mut out);
        transaction.handle(Event::Invite, Instant::ZERO, &mut out);
        assert_eq!(sent(&mut out), ["486", "486"]);
    }
}
