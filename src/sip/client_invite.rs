//! INVITE client transaction (RFC 3261 17.1.1 with the Accepted state of RFC 6026 7.2), over UDP, and its CANCEL.
//!
//! ```text
//!            INVITE           1xx                   2xx
//!   new ────────────► Calling ─────► Proceeding ◄┐ ─────► Accepted ◄┐ ──M──► over
//!                     │ A: again     │  └───1xx──┘        └──2xx────┘ (the call sends each ACK)
//!                     │ 2xx ─────────┼───────────────────────▲
//!                     │ 300-699 ─────┴──► Completed ◄──┐ ──D──► over
//!                     │                   └──300-699───┘ (ACK each time)
//!                     └──B──► over, timed out
//!
//!   given up (RFC 3261 9.1): in Proceeding CANCEL may go at once, in Calling with the first 1xx;
//!   no final answer within 64*T1 of it ──► over, timed out
//! ```
//! Proceeding has no timer of its own: a call may ring for as long as somebody holds the handset.

use super::{
    event::Command,
    message::{Message, Method, NameAddr, Outgoing},
    timer::{ABSORB_MS, GIVE_UP_MS, T1_MS},
    uri::Uri,
};
use crate::time::Instant;
use std::net::SocketAddr;

/// What of an INVITE its ACK and its CANCEL repeat.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Branch of its Via.
    pub branch: String,
    /// Its only Via.
    pub via: String,
    /// Request-URI.
    pub uri: Uri,
    /// From, with our tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// Call-ID.
    pub call_id: String,
    /// Sequence number.
    pub cseq: u32,
}

impl Invite {
    /// Whether `response` answers this INVITE: the branch and the method (RFC 3261 17.1.3), and all that a response
    /// must repeat (8.2.6.2).
    #[must_use]
    pub fn is_answered_by(&self, response: &Message) -> bool {
        response.via().branch() == Some(&self.branch)
            && *response.method() == Method::Invite
            && response.cseq() == self.cseq
            && response.call_id() == self.call_id
            && response.from_tag() == self.from.tag()
    }

    /// The CANCEL (RFC 3261 9.1), without its optional headers.
    #[must_use]
    pub fn cancel(&self) -> Outgoing {
        self.in_transaction(&Method::Cancel, &self.to.to_string())
    }

    /// The ACK of a final answer other than 2xx, with that answer's To (RFC 3261 17.1.1.3).
    fn ack(&self, response: &Message) -> Vec<u8> {
        let to = response.header("To").map_or_else(|| response.to().to_string(), str::to_owned);
        self.in_transaction(&Method::Ack, &to).to_bytes()
    }

    fn in_transaction(&self, method: &Method, to: &str) -> Outgoing {
        Outgoing::request(method, &self.uri)
            .with_header("Via", &self.via)
            .with_header("Max-Forwards", "70")
            .with_header("From", &self.from.to_string())
            .with_header("To", to)
            .with_header("Call-ID", &self.call_id)
            .with_header("CSeq", &format!("{} {method}", self.cseq))
    }
}

/// One INVITE of ours, until no answer to it can arrive any more.
#[derive(Debug)]
pub struct ClientInvite {
    peer: SocketAddr,
    invite: Invite,
    state: State,
}

#[derive(Debug)]
enum State {
    Calling { request: Vec<u8>, resend_at: Instant, interval_ms: u64, give_up_at: Instant, given_up: bool },
    Proceeding { give_up_at: Option<Instant> },
    Completed { ack: Vec<u8>, until: Instant },
    Accepted { until: Instant },
    Over,
}

/// What happens to the transaction.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A response to it came.
    Response(&'a Message),
    /// The call is not wanted any more.
    GivenUp,
    /// Time has passed.
    Deadline,
}

/// What its owner learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response is a provisional one.
    Progress,
    /// The response is a 2xx, the first or a further one: ACK it.
    Accepted,
    /// The response is the final one and no 2xx; its ACK is sent.
    Refused,
    /// The call was given up, and its CANCEL may be sent now.
    MayCancel,
    /// Timer B, or a CANCEL that changed nothing: there will be no answer.
    TimedOut,
}

impl ClientInvite {
    /// Sends `request`, of which `invite` is the part to repeat, to `peer`.
    #[must_use]
    pub fn new(
        peer: SocketAddr,
        invite: Invite,
        request: Vec<u8>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Self {
        out.push(Command::Send { to: peer, bytes: request.clone() });
        let state = State::Calling {
            request,
            resend_at: now.after_ms(T1_MS),
            interval_ms: T1_MS,
            give_up_at: now.after_ms(GIVE_UP_MS),
            given_up: false,
        };
        Self { peer, invite, state }
    }

    /// What its ACK and CANCEL repeat.
    #[must_use]
    pub const fn invite(&self) -> &Invite {
        &self.invite
    }

    /// Where it goes.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Advances the transaction; a pair that the RFC does not know changes nothing.
    pub fn handle(&mut self, event: Event<'_>, now: Instant, out: &mut Vec<Command>) -> Option<Outcome> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (state, outcome) = match event {
            Event::Response(response) => self.answered(state, response, now, out),
            Event::GivenUp => give_up(state, now),
            Event::Deadline if state.deadline().is_some_and(|at| at <= now) => self.expire(state, now, out),
            Event::Deadline => (state, None),
        };
        self.state = state;
        outcome
    }

    /// When the state changes by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    /// Whether only repeated answers can still come.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        matches!(self.state, State::Completed { .. } | State::Accepted { .. } | State::Over)
    }

    /// Whether the transaction may be forgotten.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn answered(
        &self,
        state: State,
        response: &Message,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> (State, Option<Outcome>) {
        match (state, response.status().unwrap_or_default()) {
            (State::Calling { given_up: true, .. }, 100..=199) => {
                (State::Proceeding { give_up_at: Some(now.after_ms(GIVE_UP_MS)) }, Some(Outcome::MayCancel))
            }
            (State::Calling { .. }, 100..=199) => {
                (State::Proceeding { give_up_at: None }, Some(Outcome::Progress))
            }
            (State::Proceeding { give_up_at: None }, 100..=199) => {
                (State::Proceeding { give_up_at: None }, Some(Outcome::Progress))
            }
            (State::Calling { .. } | State::Proceeding { .. }, 200..=299) => {
                (State::Accepted { until: now.after_ms(GIVE_UP_MS) }, Some(Outcome::Accepted))
            }
            // RFC 6026 7.2: 2xx are passed on, from the same callee or from another one.
            (State::Accepted { until }, 200..=299) => (State::Accepted { until }, Some(Outcome::Accepted)),
            (State::Calling { .. } | State::Proceeding { .. }, 300..) => {
                let ack = self.invite.ack(response);
                out.push(Command::Send { to: self.peer, bytes: ack.clone() });
                (State::Completed { ack, until: now.after_ms(ABSORB_MS) }, Some(Outcome::Refused))
            }
            (State::Completed { ack, until }, 300..) => {
                out.push(Command::Send { to: self.peer, bytes: ack.clone() });
                (State::Completed { ack, until }, None)
            }
            (unchanged, _) => (unchanged, None),
        }
    }

    fn expire(&self, state: State, now: Instant, out: &mut Vec<Command>) -> (State, Option<Outcome>) {
        match state {
            State::Calling { request, interval_ms, give_up_at, given_up, .. } if now < give_up_at => {
                out.push(Command::Send { to: self.peer, bytes: request.clone() });
                // RFC 3261 17.1.1.2: unlike timer E, timer A has no longest interval.
                let interval_ms = interval_ms.saturating_mul(2);
                let resend_at = now.after_ms(interval_ms);
                (State::Calling { request, resend_at, interval_ms, give_up_at, given_up }, None)
            }
            State::Calling { .. } | State::Proceeding { .. } => (State::Over, Some(Outcome::TimedOut)),
            State::Completed { .. } | State::Accepted { .. } | State::Over => (State::Over, None),
        }
    }
}

fn give_up(state: State, now: Instant) -> (State, Option<Outcome>) {
    match state {
        State::Calling { request, resend_at, interval_ms, give_up_at, .. } => {
            (State::Calling { request, resend_at, interval_ms, give_up_at, given_up: true }, None)
        }
        State::Proceeding { give_up_at: None } => {
            (State::Proceeding { give_up_at: Some(now.after_ms(GIVE_UP_MS)) }, Some(Outcome::MayCancel))
        }
        unchanged => (unchanged, None),
    }
}

impl State {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Calling { resend_at, give_up_at, .. } => Some(*resend_at.min(give_up_at)),
            Self::Proceeding { give_up_at } => *give_up_at,
            Self::Completed { until, .. } | Self::Accepted { until } => Some(*until),
            Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::parse;

    const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 5062);

    fn started() -> ClientInvite {
        let address = |text: &str| NameAddr::parse(text).unwrap();
        let invite = Invite {
            branch: "z9hG4bK1".to_owned(),
            via: "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport".to_owned(),
            uri: "sip:911@127.0.0.1:5062".parse().unwrap(),
            from: address("<sip:office@127.0.0.1>;tag=us"),
            to: address("<sip:911@127.0.0.1:5062>"),
            call_id: "c1".to_owned(),
            cseq: 7,
        };
        ClientInvite::new(PEER.into(), invite, b"INVITE".to_vec(), Instant::ZERO, &mut Vec::new())
    }

    fn response(status: u16) -> Message {
        let text = format!(
            "SIP/2.0 {status} Said\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\n\
             From: <sip:office@127.0.0.1>;tag=us\r\nTo: \"P\" <sip:911@127.0.0.1:5062>;tag=them;x=1\r\n\
             Call-ID: c1\r\nCSeq: 7 INVITE\r\n\r\n"
        );
        parse(text.as_bytes(), PEER.into()).unwrap()
    }

    fn hear(transaction: &mut ClientInvite, status: u16, ms: u64) -> (Option<Outcome>, Vec<String>) {
        let mut out = Vec::new();
        let outcome =
            transaction.handle(Event::Response(&response(status)), Instant::ZERO.after_ms(ms), &mut out);
        (outcome, sent(out))
    }

    fn sent(out: Vec<Command>) -> Vec<String> {
        out.into_iter()
            .map(|command| match command {
                Command::Send { bytes, .. } => String::from_utf8(bytes).unwrap(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    /// Milliseconds at which something is sent until the transaction is over; that moment, and the outcome.
    fn run_out(transaction: &mut ClientInvite) -> (Vec<u64>, u64, Option<Outcome>) {
        let (mut times, mut last, mut outcome) = (Vec::new(), 0, None);
        while let Some(at) = transaction.deadline() {
            let mut out = Vec::new();
            outcome = transaction.handle(Event::Deadline, at, &mut out).or(outcome);
            last = at.ms_since(Instant::ZERO);
            times.extend(out.iter().map(|_| last));
        }
        (times, last, outcome)
    }

    #[test]
    fn an_unanswered_invite_is_sent_at_the_times_of_a_until_b() {
        let (times, over, outcome) = run_out(&mut started());
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!((over, outcome), (32_000, Some(Outcome::TimedOut)));
    }

    #[test]
    fn a_provisional_answer_stops_the_clock() {
        let mut transaction = started();
        assert_eq!(hear(&mut transaction, 180, 100), (Some(Outcome::Progress), vec![]));
        assert_eq!(transaction.deadline(), None);
        assert_eq!(hear(&mut transaction, 183, 900_000).0, Some(Outcome::Progress));
    }

    #[test]
    fn each_refusal_is_acknowledged_and_told_once_until_d() {
        let mut transaction = started();
        let (outcome, acks) = hear(&mut transaction, 486, 100);
        assert_eq!((outcome, acks.len()), (Some(Outcome::Refused), 1));
        let ack = parse(acks[0].as_bytes(), PEER.into()).unwrap();
        assert_eq!((ack.method(), ack.cseq(), ack.to_tag()), (&Method::Ack, 7, Some("them")));
        assert_eq!(ack.via().branch(), Some("z9hG4bK1"));
        assert_eq!(ack.header("To"), Some("\"P\" <sip:911@127.0.0.1:5062>;tag=them;x=1"));
        assert_eq!(hear(&mut transaction, 486, 600), (None, acks));
        assert_eq!(hear(&mut transaction, 200, 700), (None, vec![]), "too late");
        assert_eq!(run_out(&mut transaction), (vec![], 32_100, None));
    }

    #[test]
    fn every_2xx_is_passed_on_until_m() {
        let mut transaction = started();
        for ms in [100, 600, 1_600] {
            assert_eq!(hear(&mut transaction, 200, ms), (Some(Outcome::Accepted), vec![]));
        }
        assert_eq!(hear(&mut transaction, 486, 1_700), (None, vec![]), "too late");
        assert_eq!(run_out(&mut transaction), (vec![], 32_100, None));
    }

    #[test]
    fn a_cancel_waits_for_the_first_provisional_answer() {
        let mut transaction = started();
        let now = Instant::ZERO.after_ms(100);
        assert_eq!(transaction.handle(Event::GivenUp, now, &mut Vec::new()), None);
        assert_eq!(hear(&mut transaction, 100, 200).0, Some(Outcome::MayCancel));
        assert_eq!(hear(&mut transaction, 180, 300).0, None, "once, and nothing more is told");
        assert_eq!(hear(&mut transaction, 487, 400).0, Some(Outcome::Refused));
    }

    #[test]
    fn a_cancel_that_changes_nothing_ends_the_invite_after_64_t1() {
        let mut transaction = started();
        hear(&mut transaction, 180, 100);
        let now = Instant::ZERO.after_ms(5_000);
        assert_eq!(transaction.handle(Event::GivenUp, now, &mut Vec::new()), Some(Outcome::MayCancel));
        assert_eq!(transaction.handle(Event::GivenUp, now, &mut Vec::new()), None);
        assert_eq!(run_out(&mut transaction), (vec![], 37_000, Some(Outcome::TimedOut)));
    }

    #[test]
    fn a_cancel_can_lose_the_race() {
        let mut transaction = started();
        hear(&mut transaction, 180, 100);
        transaction.handle(Event::GivenUp, Instant::ZERO.after_ms(5_000), &mut Vec::new());
        assert_eq!(hear(&mut transaction, 200, 5_010).0, Some(Outcome::Accepted));
    }

    #[test]
    fn an_answer_must_repeat_what_it_answers() {
        let invite = started().invite;
        assert!(invite.is_answered_by(&response(180)));
        for other in [
            Invite { branch: "z9hG4bK2".to_owned(), ..invite.clone() },
            Invite { cseq: 8, ..invite.clone() },
            Invite { call_id: "c2".to_owned(), ..invite.clone() },
            Invite { from: invite.from.clone().with_tag("them"), ..invite },
        ] {
            assert!(!other.is_answered_by(&response(180)));
        }
    }
}
