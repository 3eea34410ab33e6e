//! Many callers at once from one socket, on a path that may lose datagrams: RFC 3261 17.1.1 for each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// RFC 3261 17.1.1.2: the first pause before an INVITE is repeated, and when the caller gives up.
const T1: Duration = Duration::from_millis(500);
const TIMER_B: Duration = Duration::from_secs(32);
/// A call that has waited this long between two INVITEs loses nothing more. Otherwise one call in 100,000 would lose
/// each of its seven INVITEs or their answers, and luck would decide the test.
const SURE_FROM: Duration = Duration::from_secs(8);
/// How long the callers still listen when each has its answer: longer than a repetition of it takes.
const LINGER: Duration = Duration::from_secs(5);

/// What the callers do.
pub(crate) struct Plan {
    /// How many INVITEs.
    pub(crate) calls: usize,
    /// How many of them in a second.
    pub(crate) per_s: f64,
    /// Datagrams lost, of a hundred, in each direction.
    pub(crate) lost_percent: u64,
    /// Tracking numbers called in turn.
    pub(crate) numbers: &'static [&'static str],
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Statuses of final answers, each counted once for each call.
    pub(crate) finals: BTreeMap<u16, usize>,
    /// Calls with two different final answers.
    pub(crate) contradicted: usize,
    /// Calls without a final answer.
    pub(crate) unanswered: usize,
    /// INVITEs sent again.
    pub(crate) repeated: usize,
    /// Copies of final answers beyond the first.
    pub(crate) copies: usize,
    /// From the first INVITE to the last.
    pub(crate) sent_in: Duration,
    /// Pauses from the first copy of each INVITE to the first answer of any kind that was heard, shortest first.
    pub(crate) answered_after: Vec<Duration>,
}

struct Call {
    invite: Vec<u8>,
    ack: Option<Vec<u8>>,
    first_sent: Instant,
    answered: bool,
    rings: bool,
    pause: Duration,
    /// Final answers by status and To tag.
    finals: BTreeSet<(u16, String)>,
}

/// A path that loses datagrams, the same ones for the same seed (SplitMix64).
struct Path {
    socket: UdpSocket,
    peer: SocketAddr,
    lost_percent: u64,
    state: u64,
}

impl Path {
    fn loses(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < self.lost_percent
    }

    /// Sends, or loses it; what is `sure` is not lost.
    fn send(&mut self, bytes: &[u8], sure: bool) {
        if sure || !self.loses() {
            // A full buffer loses a datagram, too.
            let _ = self.socket.send_to(bytes, self.peer);
        }
    }
}

/// Everything that one flood is made of.
pub(crate) struct Flood {
    path: Path,
    calls: Vec<Call>,
    /// Calls whose INVITE may have to be repeated.
    timers: BTreeSet<(Instant, usize)>,
    result: Outcome,
}

impl Flood {
    /// Callers of the box at `peer`.
    pub(crate) fn new(peer: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        // Answers wait here while INVITEs are written.
        let _ = socket.set_recv_buffer_size(4 << 20);
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let path = Path { socket: socket.into(), peer, lost_percent: 0, state: 1 };
        Self { path, calls: Vec::new(), timers: BTreeSet::new(), result: Outcome::default() }
    }

    /// The Call-ID of the `n`-th call of [`Flood::run`].
    pub(crate) fn call_id(n: usize) -> String {
        format!("{n}@flood")
    }

    /// Places the calls; ends those that ring; returns when every one has its answer and has lingered.
    pub(crate) fn run(mut self, plan: &Plan) -> Outcome {
        self.path.lost_percent = plan.lost_percent;
        let start = Instant::now();
        let mut quiet_since = None;
        let mut cancelled = false;
        loop {
            let due = ((start.elapsed().as_secs_f64() * plan.per_s) as usize + 1).min(plan.calls);
            while self.calls.len() < due {
                self.invite(plan.numbers);
                self.result.sent_in = start.elapsed();
            }
            self.listen();
            self.repeat();
            let all_sent = self.calls.len() == plan.calls;
            if all_sent && !cancelled && start.elapsed() > self.result.sent_in + T1 {
                cancelled = true;
                self.cancel();
            }
            let open = self.calls.iter().any(|call| call.finals.is_empty());
            if all_sent && (!open || start.elapsed() > self.result.sent_in + TIMER_B) {
                let since = *quiet_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LINGER {
                    return self.counted();
                }
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn invite(&mut self, numbers: &[&str]) {
        let n = self.calls.len();
        let invite = request("INVITE", n, numbers[n % numbers.len()], &self.path, "", SDP);
        self.path.send(&invite, false);
        let now = Instant::now();
        self.timers.insert((now + T1, n));
        self.calls.push(Call {
            invite,
            ack: None,
            first_sent: now,
            answered: false,
            rings: false,
            pause: T1,
            finals: BTreeSet::new(),
        });
    }

    fn repeat(&mut self) {
        let now = Instant::now();
        while let Some(&(at, n)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            let call = &mut self.calls[n];
            if call.answered || now > call.first_sent + TIMER_B {
                continue;
            }
            call.pause *= 2;
            self.timers.insert((now + call.pause, n));
            self.result.repeated += 1;
            self.path.send(&call.invite, call.pause >= SURE_FROM);
        }
    }

    fn listen(&mut self) {
        let mut buffer = [0; 4_096];
        while let Ok((length, _)) = self.path.socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.answer(&text);
        }
    }

    fn answer(&mut self, text: &str) {
        let header =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let status = text.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        let n = header("Call-ID:").split('@').next().and_then(|n| n.parse::<usize>().ok());
        let (Some(status), Some(n)) = (status, n) else { return };
        if !header("CSeq:").ends_with("INVITE") {
            return;
        }
        let Some(call) = self.calls.get_mut(n) else { return };
        let sure = call.pause >= SURE_FROM;
        if !sure && self.path.loses() {
            return;
        }
        if !call.answered {
            call.answered = true;
            self.result.answered_after.push(call.first_sent.elapsed());
        }
        call.rings |= status == 180;
        if status < 200 {
            return;
        }
        let to = header("To:");
        let fresh = call.finals.insert((status, to.to_owned()));
        self.result.copies += usize::from(!fresh);
        let number = to.split([':', '@']).nth(1).unwrap_or_default();
        let ack = call.ack.get_or_insert_with(|| request("ACK", n, number, &self.path, to, ""));
        self.path.send(ack, sure);
    }

    /// Nobody waits for a phone that nobody answers.
    fn cancel(&mut self) {
        for n in 0..self.calls.len() {
            if self.calls[n].rings {
                let invite = String::from_utf8_lossy(&self.calls[n].invite).into_owned();
                let number = invite.split([':', '@']).nth(1).unwrap_or_default();
                let cancel = request("CANCEL", n, number, &self.path, "", "");
                self.path.send(&cancel, true);
            }
        }
    }

    fn counted(mut self) -> Outcome {
        for call in &self.calls {
            match call.finals.len() {
                0 => self.result.unanswered += 1,
                1 => {}
                _ => self.result.contradicted += 1,
            }
            if let Some((status, _)) = call.finals.first() {
                *self.result.finals.entry(*status).or_default() += 1;
            }
        }
        self.result.answered_after.sort_unstable();
        self.result
    }
}

const SDP: &str = "v=0\r\no=flood 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 39000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// A request of the `n`-th call; ACK of a refusal and CANCEL share the INVITE's branch (RFC 3261 9.1, 17.1.1.3).
fn request(method: &str, n: usize, number: &str, path: &Path, to: &str, body: &str) -> Vec<u8> {
    let (peer, local) = (path.peer, path.socket.local_addr().unwrap());
    let own_to = format!("<sip:{number}@{peer}>");
    let to = if to.is_empty() { own_to.as_str() } else { to };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:{number}@{peer} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-flood-{n}\r\n\
         From: <sip:+13125550142@{local}>;tag=flood{n}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:flood@{local}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        Flood::call_id(n),
        body.len(),
    )
    .into_bytes()
}
