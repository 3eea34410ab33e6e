//! One call that the provider takes from the box: RFC 3261 as a callee needs it, on UDP.
//!
//! ```text
//! Ringing ──answers──► Answered ──ACK──► Talking ──BYE from the box──► Over
//!    │                 200 again            │ hangs up
//!    │ refuses, CANCEL                      ▼
//!    ▼                                   Closing ──answer──► Over
//! Refused ──ACK──► Over
//! final answer again
//! ```

use super::{
    AnswerPlan, End, Outcome,
    audio::Audio,
    call::{AFTERLIFE, Board, Repeat, T2, audio_address, branch, description},
    message::Message,
};
use std::{net::SocketAddr, sync::Arc, time::Instant};

enum State {
    Ringing,
    Refused(Repeat, End),
    Answered(Repeat),
    Talking { since: Instant },
    Closing(Repeat),
    Over { since: Instant },
}

pub(super) struct Taken {
    plan: AnswerPlan,
    pub(super) peer: SocketAddr,
    local: SocketAddr,
    pub(super) id: String,
    invite: Message,
    /// The last answer to the INVITE.
    last: Vec<u8>,
    state: State,
    started: Instant,
    audio: Option<Audio>,
    board: Arc<Board>,
}

impl Taken {
    /// The call of `invite`, which came from `peer`: it begins to ring.
    pub(super) fn new(
        plan: AnswerPlan,
        invite: Message,
        peer: SocketAddr,
        local: SocketAddr,
        board: Arc<Board>,
        now: Instant,
    ) -> std::io::Result<Self> {
        let audio = Audio::open(local.ip(), plan.speech.clone())?;
        let mut call = Self {
            id: invite.header("Call-ID").unwrap_or_default().to_owned(),
            last: Vec::new(),
            state: State::Ringing,
            started: now,
            audio: Some(audio),
            plan,
            peer,
            local,
            invite,
            board,
        };
        let status = if call.plan.announces { 183 } else { 180 };
        let sdp = if call.plan.announces { call.speak() } else { String::new() };
        call.last = call.invite.answer_with(status, "Proceeding", &call.contact(), &sdp);
        call.board.update(|outcome| outcome.statuses.push(status));
        Ok(call)
    }

    /// The answer to the INVITE as it stands.
    pub(super) fn last_answer(&self) -> Vec<u8> {
        self.last.clone()
    }

    /// Whether the call may be forgotten.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        matches!(self.state, State::Over { since } if now - since >= AFTERLIFE)
    }

    /// Takes a request of the box within this call.
    pub(super) fn request_received(&mut self, request: &Message, now: Instant, out: &mut Vec<Vec<u8>>) {
        match (request.method(), &self.state) {
            (Some("INVITE"), _) if request.header("Via") == self.invite.header("Via") => {
                out.push(self.last.clone());
            }
            (Some("CANCEL"), State::Ringing) => {
                out.push(request.answer(200, "OK", &[]));
                self.refuse(487, End::Cancelled, now, out);
            }
            (Some("CANCEL"), _) => out.push(request.answer(200, "OK", &[])),
            (Some("ACK"), State::Refused(_, end)) => self.over(*end, now),
            (Some("ACK"), State::Answered(_)) => self.state = State::Talking { since: now },
            (Some("ACK") | None, _) => {}
            (Some("BYE"), State::Over { .. }) => out.push(request.answer(200, "OK", &[])),
            (Some("BYE"), _) => {
                out.push(request.answer(200, "OK", &[]));
                self.over(End::CallerHungUp, now);
            }
            (Some(_), _) => {
                let allow = "Allow: INVITE, ACK, CANCEL, BYE".to_owned();
                out.push(request.answer(405, "Method Not Allowed", &[allow]));
            }
        }
    }

    /// Takes a response to our BYE.
    pub(super) fn response(&mut self, response: &Message, now: Instant) {
        let is_final = response.status().is_some_and(|status| status >= 200);
        if is_final && matches!(self.state, State::Closing(_)) {
            self.state = State::Over { since: now };
        }
    }

    /// Repeats, answers and hangs up when it is time.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let told_to_hang_up = self.board.lock().hang_up;
        match &mut self.state {
            State::Ringing => {
                let rang_enough =
                    self.plan.rings_for.is_some_and(|rings_for| now - self.started >= rings_for);
                match self.plan.refuses_with {
                    _ if told_to_hang_up => self.refuse(480, End::CalleeHungUp, now, out),
                    Some(status) if rang_enough => self.refuse(status, End::Refused(status), now, out),
                    None if rang_enough => self.answer(now, out),
                    _ => {}
                }
            }
            State::Refused(repeat, _) | State::Answered(repeat) if now >= repeat.until => {
                self.over(End::NoAnswer, now);
            }
            State::Closing(repeat) if now >= repeat.until => self.state = State::Over { since: now },
            State::Refused(repeat, _) | State::Answered(repeat) | State::Closing(repeat) => {
                out.extend(repeat.due(now));
            }
            State::Talking { since } => {
                let said_all = self.plan.hang_up_after.is_some_and(|talk| now - *since >= talk);
                if said_all || told_to_hang_up {
                    let bye = self.bye();
                    out.push(bye.clone());
                    self.over(End::CalleeHungUp, now);
                    self.state = State::Closing(Repeat::new(bye, T2, now));
                }
            }
            State::Over { .. } => {}
        }
    }

    fn answer(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let sdp = self.speak();
        self.last = self.invite.answer_with(200, "OK", &self.contact(), &sdp);
        out.push(self.last.clone());
        self.state = State::Answered(Repeat::new(self.last.clone(), T2, now));
        let elapsed = now - self.started;
        self.board.update(|outcome| {
            outcome.statuses.push(200);
            outcome.answered_after = Some(elapsed);
        });
    }

    fn refuse(&mut self, status: u16, end: End, now: Instant, out: &mut Vec<Vec<u8>>) {
        self.last = self.invite.answer(status, "Refused", &[]);
        out.push(self.last.clone());
        self.state = State::Refused(Repeat::new(self.last.clone(), T2, now), end);
        self.board.update(|outcome| outcome.statuses.push(status));
    }

    fn over(&mut self, end: End, now: Instant) {
        let (heard, packets) = self.audio.take().map(Audio::close).unwrap_or_default();
        self.state = State::Over { since: now };
        let elapsed = now - self.started;
        self.board.update(|outcome: &mut Outcome| {
            outcome.heard = heard;
            outcome.packets_heard = packets;
            outcome.ended_after = Some(elapsed);
            outcome.end = Some(end);
        });
    }

    /// Begins to speak to where the box listens; gives our side's description.
    fn speak(&self) -> String {
        if let (Some(audio), Some(peer)) = (&self.audio, audio_address(&self.invite.body)) {
            audio.speak_to(peer);
        }
        description(self.local.ip(), self.audio.as_ref())
    }

    fn contact(&self) -> [String; 1] {
        [format!("Contact: <sip:callee@{}>", self.local)]
    }

    /// RFC 3261 12.2.1.1: From and To have changed places.
    fn bye(&self) -> Vec<u8> {
        let header = |name| self.invite.header(name).unwrap_or_default();
        let target = self.invite.uri("Contact").unwrap_or_default();
        let (local, branch) = (self.local, branch());
        format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: {};tag=provider\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            header("To"),
            header("From"),
            self.id
        )
        .into_bytes()
    }
}
