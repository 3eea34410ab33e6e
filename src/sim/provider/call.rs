//! One call that the provider places: RFC 3261 as a caller needs it, on UDP.
//!
//! ```text
//! Calling ──1xx──► Proceeding ──2xx──► Talking ──BYE from the box──► Over
//!    │                 │ gives up         │ hangs up
//!    │                 ▼                  ▼
//!    │             Cancelling ──2xx──► Closing ──answer──► Over
//!    └──── 3xx..6xx, time-out ───────────────────────────► Over
//! ```

use super::{
    CallPlan, End, Outcome,
    audio::Audio,
    message::{Message, token},
};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// RFC 3261 17.1.1.1: estimate of the round-trip time.
const T1: Duration = Duration::from_millis(500);
/// RFC 3261 17.1.2.1: longest pause between retransmissions of anything but INVITE.
pub(super) const T2: Duration = Duration::from_secs(4);
/// How long a call that is over still answers retransmissions.
pub(super) const AFTERLIFE: Duration = Duration::from_secs(5);

/// A call as its [`super::CallHandle`] sees it.
#[derive(Default)]
pub(super) struct Board {
    pub(super) state: Mutex<BoardState>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct BoardState {
    pub(super) outcome: Outcome,
    pub(super) hang_up: bool,
}

impl Board {
    pub(super) fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Outcome)) {
        change(&mut self.lock().outcome);
        self.changed.notify_all();
    }
}

/// A request that is repeated until it is answered, or a final answer until it is acknowledged.
pub(super) struct Repeat {
    request: Vec<u8>,
    next: Instant,
    pause: Duration,
    longest_pause: Duration,
    pub(super) until: Instant,
}

impl Repeat {
    pub(super) fn new(request: Vec<u8>, longest_pause: Duration, now: Instant) -> Self {
        Self { request, next: now + T1, pause: T1, longest_pause, until: now + 64 * T1 }
    }

    /// The request, if its time has come again.
    pub(super) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.next {
            return None;
        }
        self.pause = (self.pause * 2).min(self.longest_pause);
        self.next = now + self.pause;
        Some(self.request.clone())
    }
}

enum State {
    Calling(Repeat),
    Proceeding { rang_at: Option<Instant> },
    Cancelling(Repeat),
    Talking { since: Instant },
    Closing(Repeat),
    Over { since: Instant },
}

pub(super) struct Call {
    plan: CallPlan,
    pub(super) peer: SocketAddr,
    target: String,
    local: SocketAddr,
    pub(super) id: String,
    branch: String,
    from: String,
    to: String,
    state: State,
    started: Instant,
    audio: Option<Audio>,
    board: Arc<Board>,
}

impl Call {
    /// A call to the Request-URI `target`, sent to `peer`.
    pub(super) fn new(
        plan: CallPlan,
        target: String,
        peer: SocketAddr,
        local: SocketAddr,
        board: Arc<Board>,
        now: Instant,
    ) -> std::io::Result<Self> {
        let audio = Audio::open(local.ip(), plan.speech.clone())?;
        let from = if plan.anonymous {
            // RFC 3323 4.1.1.3: what a withheld caller puts in From.
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned()
        } else {
            format!("{}<sip:{}@{local}>", quoted(&plan.display_name), plan.from)
        };
        let to = format!("<sip:{}@{local}>", plan.to);
        let mut call = Self {
            from: format!("{from};tag={}", token()),
            plan,
            peer,
            target,
            local,
            id: format!("{}@{}", token(), local.ip()),
            branch: branch(),
            to,
            state: State::Over { since: now },
            started: now,
            audio: Some(audio),
            board,
        };
        // RFC 3261 17.1.1.2: INVITE has no longest pause.
        call.state = State::Calling(Repeat::new(call.invite(), 64 * T1, now));
        Ok(call)
    }

    /// The first INVITE.
    pub(super) fn first_request(&self) -> Vec<u8> {
        self.invite()
    }

    /// Whether the call may be forgotten.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        matches!(self.state, State::Over { since } if now - since >= AFTERLIFE)
    }

    /// Takes a response to one of our requests.
    pub(super) fn response(&mut self, response: &Message, now: Instant, out: &mut Vec<Vec<u8>>) {
        let Some(status) = response.status() else { return };
        match response.sequence_method() {
            Some("INVITE") => self.invite_answered(response, status, now, out),
            Some("BYE") if status >= 200 && matches!(self.state, State::Closing(_)) => {
                self.state = State::Over { since: now };
            }
            // The answer to CANCEL tells nothing: the INVITE's own 487 or 200 does.
            _ => {}
        }
    }

    fn invite_answered(&mut self, response: &Message, status: u16, now: Instant, out: &mut Vec<Vec<u8>>) {
        let elapsed = now - self.started;
        match (&mut self.state, status) {
            (State::Calling(_) | State::Proceeding { .. }, 100..=199) => {
                let rang_before = match self.state {
                    State::Proceeding { rang_at } => rang_at,
                    _ => None,
                };
                let rang_at = rang_before.or_else(|| (status >= 180).then_some(now));
                self.state = State::Proceeding { rang_at };
                self.board.update(|outcome| {
                    outcome.statuses.push(status);
                    if status >= 180 {
                        outcome.rang_after.get_or_insert(elapsed);
                    }
                });
            }
            (State::Calling(_) | State::Proceeding { .. }, 200..=299) => {
                self.join_dialog(response);
                out.push(self.request("ACK", 1, &branch()));
                self.state = State::Talking { since: now };
                if let (Some(audio), Some(peer)) = (&self.audio, audio_address(&response.body)) {
                    audio.speak_to(peer);
                }
                self.board.update(|outcome| {
                    outcome.statuses.push(status);
                    outcome.answered_after = Some(elapsed);
                });
            }
            // The CANCEL came too late: RFC 3261 9.1 leaves us with a call, which we end.
            (State::Cancelling(_), 200..=299) => {
                self.join_dialog(response);
                out.push(self.request("ACK", 1, &branch()));
                self.board.update(|outcome| outcome.statuses.push(status));
                self.hang_up(End::Cancelled, now, out);
            }
            (_, 300..) => {
                let end = match self.state {
                    State::Cancelling(_) => End::Cancelled,
                    _ => End::Refused(status),
                };
                self.to = response.header("To").unwrap_or(&self.to).to_owned();
                // RFC 3261 17.1.1.3: this ACK belongs to the INVITE's transaction.
                out.push(self.request("ACK", 1, &self.branch));
                if !matches!(self.state, State::Over { .. }) {
                    self.board.update(|outcome| outcome.statuses.push(status));
                    self.over(end, now);
                }
            }
            // RFC 3261 13.2.2.4: each 200 that comes again is acknowledged again.
            (_, 200..=299) => out.push(self.request("ACK", 1, &branch())),
            _ => {}
        }
    }

    /// Takes a request of the box within this call.
    pub(super) fn request_received(&mut self, request: &Message, now: Instant, out: &mut Vec<Vec<u8>>) {
        match request.method() {
            Some("BYE") => {
                out.push(request.answer(200, "OK", &[]));
                if !matches!(self.state, State::Over { .. }) {
                    self.over(End::CalleeHungUp, now);
                }
            }
            Some("ACK") | None => {}
            Some(_) => out.push(request.answer(405, "Method Not Allowed", &["Allow: ACK, BYE".to_owned()])),
        }
    }

    /// Repeats, gives up and hangs up when it is time.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let told_to_hang_up = self.board.lock().hang_up;
        match &mut self.state {
            State::Calling(repeat) | State::Cancelling(repeat) if now >= repeat.until => {
                self.over(End::NoAnswer, now);
            }
            State::Closing(repeat) if now >= repeat.until => self.state = State::Over { since: now },
            State::Calling(repeat) | State::Cancelling(repeat) | State::Closing(repeat) => {
                out.extend(repeat.due(now));
            }
            State::Proceeding { rang_at } => {
                let patience_over = match (*rang_at, self.plan.give_up_after) {
                    (Some(rang_at), Some(patience)) => now - rang_at >= patience,
                    _ => false,
                };
                if patience_over || told_to_hang_up {
                    let cancel = self.request("CANCEL", 1, &self.branch);
                    out.push(cancel.clone());
                    self.state = State::Cancelling(Repeat::new(cancel, T2, now));
                }
            }
            State::Talking { since } => {
                let said_all = self.plan.hang_up_after.is_some_and(|talk| now - *since >= talk);
                if said_all || told_to_hang_up {
                    self.hang_up(End::CallerHungUp, now, out);
                }
            }
            State::Over { .. } => {}
        }
    }

    fn hang_up(&mut self, end: End, now: Instant, out: &mut Vec<Vec<u8>>) {
        let bye = self.request("BYE", 2, &branch());
        out.push(bye.clone());
        self.over(end, now);
        self.state = State::Closing(Repeat::new(bye, T2, now));
    }

    fn over(&mut self, end: End, now: Instant) {
        let (heard, packets) = self.audio.take().map(Audio::close).unwrap_or_default();
        self.state = State::Over { since: now };
        let elapsed = now - self.started;
        self.board.update(|outcome| {
            outcome.heard = heard;
            outcome.packets_heard = packets;
            outcome.ended_after = Some(elapsed);
            outcome.end = Some(end);
        });
    }

    /// RFC 3261 12.1.2: the peer's tag and Contact are what later requests go to.
    fn join_dialog(&mut self, response: &Message) {
        self.to = response.header("To").unwrap_or(&self.to).to_owned();
        self.target = response.uri("Contact").unwrap_or(&self.target).to_owned();
    }

    fn invite(&self) -> Vec<u8> {
        let sdp = description(self.local.ip(), self.audio.as_ref());
        let mut out = self.head("INVITE", 1, &self.branch);
        let asserted = format!("<sip:{}@{}>", self.plan.from, self.local);
        let _ = write!(out, "Contact: <sip:provider@{}>\r\nP-Asserted-Identity: {asserted}\r\n", self.local);
        if self.plan.anonymous {
            // RFC 3323 4.2, RFC 3325 7: the network knows the number, and must not show it.
            out.push_str("Privacy: id\r\n");
        }
        for (name, value) in &self.plan.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        out.into_bytes()
    }

    /// A request without a body.
    fn request(&self, method: &str, sequence: u32, branch: &str) -> Vec<u8> {
        let mut out = self.head(method, sequence, branch);
        out.push_str("Content-Length: 0\r\n\r\n");
        out.into_bytes()
    }

    fn head(&self, method: &str, sequence: u32, branch: &str) -> String {
        let Self { target, local, from, to, id, .. } = self;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {sequence} {method}\r\nUser-Agent: demo-provider\r\n"
        )
    }
}

/// The session description of an audio side: µ-law and telephone-events.
pub(super) fn description(ip: IpAddr, audio: Option<&Audio>) -> String {
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let port = audio.map_or(9, |audio| audio.local().port());
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
    )
}

/// A new transaction's branch (RFC 3261 8.1.1.7).
pub(super) fn branch() -> String {
    format!("z9hG4bK{}", token())
}

/// `"Name" ` for a header, empty without a name.
fn quoted(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("\"{}\" ", name.replace(['"', '\\'], "")) }
}

/// Where a session description wants audio.
pub(super) fn audio_address(sdp: &str) -> Option<SocketAddr> {
    let line = |prefix: &str| sdp.lines().find_map(|line| line.strip_prefix(prefix));
    let ip: IpAddr =
        line("c=IN IP4 ").or_else(|| line("c=IN IP6 "))?.split('/').next()?.trim().parse().ok()?;
    let port: u16 = line("m=audio ")?.split_whitespace().next()?.parse().ok()?;
    (port != 0).then_some(SocketAddr::new(ip, port))
}
