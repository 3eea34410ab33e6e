//! Registration client of one trunk (RFC 3261 section 10; back-off of RFC 5626 4.5).
//!
//! ```text
//!   Idle ──first deadline──► Trying ──200──► Registered ──50 to 90 % of the granted time──► Trying
//!                            │ ▲ └──401, 407: again with digest; 423: again with Min-Expires
//!                            │ └──back-off──┐
//!                            └──refused, no answer──► Waiting
//!   Shutdown: Registered ──► Leaving ──any answer or none──► Off;   other states ──► Off
//! ```

use super::{
    auth,
    event::{self, TrunkId},
    message::{Message, Method, NameAddr, Outgoing},
    settings::Account,
    tokens::Tokens,
};
use crate::time::Instant;
use std::net::{IpAddr, SocketAddr};

/// First back-off in seconds (RFC 5626 4.5, base-time-all-fail).
const FIRST_BACK_OFF_S: u64 = 30;
/// Longest back-off in seconds (RFC 5626 4.5, max-time).
const LONGEST_BACK_OFF_S: u64 = 1_800;
/// Longest Retry-After honoured, in seconds: a wrong one must not silence a trunk for a day.
const LONGEST_RETRY_AFTER_S: u64 = 3_600;
/// Shortest time between refreshes in seconds, however little was granted.
const SHORTEST_REFRESH_S: u64 = 5;
/// Longest interval accepted from 423, in seconds: a day.
const LONGEST_EXPIRES_S: u32 = 86_400;
/// Interval between keep-alives in milliseconds, chosen anew each time (RFC 5626 4.4.2: NATs forget UDP after 30 s).
const KEEP_ALIVE_MS: (u64, u64) = (25_000, 30_000);
/// The keep-alive datagram (RFC 5626 3.5.1).
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

/// What happens to a registration.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed; the first time starts it.
    Deadline,
    /// The registrar's final answer.
    Answer(&'a Message),
    /// Timer F: no answer.
    TimedOut,
    /// The daemon stops.
    Shutdown,
}

/// What a registration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start a client transaction with this request.
    Request {
        /// Branch of its Via.
        branch: String,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Send this datagram to the registrar, no answer is expected.
    KeepAlive(&'static [u8]),
    /// Tell how the registration stands.
    Changed(event::Registration),
}

/// The registration of one trunk.
#[derive(Debug)]
pub struct Registration {
    trunk: TrunkId,
    account: Account,
    user_agent: String,
    local: SocketAddr,
    contact_user: String,
    /// Where the registrar sees us; [`Self::local`] until it has told.
    address: SocketAddr,
    call_id: String,
    from_tag: String,
    cseq: u32,
    expires_s: u32,
    failures: u32,
    round: Round,
    login: Option<(auth::Login, &'static str)>,
    told: event::Registration,
    state: State,
}

/// What was tried since the last success or back-off, so that nothing is tried in a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// Challenges met.
    tries: auth::Tries,
    /// Whether 423 was honoured.
    lengthened: bool,
    /// Whether the request was repeated for a newly learned address.
    moved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The client transaction carries the deadline; keep-alives go on if the trunk was registered.
    Trying {
        keep_alive_at: Option<Instant>,
    },
    Registered {
        refresh_at: Instant,
        keep_alive_at: Instant,
    },
    Waiting {
        retry_at: Instant,
    },
    Leaving,
    Off,
}

impl Registration {
    /// A registration that starts with the first deadline. `contact_user` names us in our Contact.
    #[must_use]
    pub fn new(
        trunk: TrunkId,
        account: Account,
        local: SocketAddr,
        user_agent: &str,
        contact_user: &str,
        tokens: &mut Tokens,
    ) -> Self {
        Self {
            trunk,
            user_agent: user_agent.to_owned(),
            local,
            contact_user: contact_user.to_owned(),
            address: local,
            call_id: tokens.word(),
            from_tag: tokens.word(),
            cseq: 0,
            expires_s: account.expires_s,
            failures: 0,
            round: Round::default(),
            login: None,
            told: event::Registration::Unregistered,
            state: State::Idle,
            account,
        }
    }

    /// The trunk.
    #[must_use]
    pub const fn trunk(&self) -> TrunkId {
        self.trunk
    }

    /// Where requests go.
    #[must_use]
    pub const fn registrar(&self) -> SocketAddr {
        self.account.registrar
    }

    /// Our address as the registrar sees it.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Advances the registration; a pair that makes no sense changes nothing.
    pub fn handle(&mut self, event: Event<'_>, now: Instant, tokens: &mut Tokens, out: &mut Vec<Command>) {
        match (self.state, event) {
            (State::Idle, Event::Deadline) => {
                self.tell(event::Registration::Trying, out);
                self.start_round(None, tokens, out);
            }
            (State::Waiting { retry_at }, Event::Deadline) if retry_at <= now => {
                self.tell(event::Registration::Trying, out);
                self.start_round(None, tokens, out);
            }
            (State::Trying { keep_alive_at: Some(at) }, Event::Deadline) if at <= now => {
                self.state = State::Trying { keep_alive_at: Some(keep_alive(now, tokens, out)) };
            }
            (State::Registered { refresh_at, keep_alive_at }, Event::Deadline) => {
                let keep_alive_at =
                    if keep_alive_at <= now { keep_alive(now, tokens, out) } else { keep_alive_at };
                self.state = State::Registered { refresh_at, keep_alive_at };
                if refresh_at <= now {
                    self.start_round(Some(keep_alive_at), tokens, out);
                }
            }
            (State::Trying { keep_alive_at }, Event::Answer(answer)) => {
                self.answered(answer, keep_alive_at, now, tokens, out);
            }
            (State::Trying { .. }, Event::TimedOut) => {
                self.fail(event::Registration::Unreachable, None, now, tokens, out);
            }
            (State::Registered { .. }, Event::Shutdown) => self.leave(tokens, out),
            (State::Leaving, Event::Answer(answer)) if self.accept_challenge(answer, tokens) => {
                self.register(0, tokens, out);
            }
            (State::Leaving, Event::Answer(_) | Event::TimedOut) | (_, Event::Shutdown) => {
                self.state = State::Off;
                self.tell(event::Registration::Unregistered, out);
            }
            (_, Event::Deadline | Event::Answer(_) | Event::TimedOut) => {}
        }
    }

    /// When time matters; its transaction has its own deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle => Some(Instant::ZERO),
            State::Trying { keep_alive_at } => keep_alive_at,
            State::Registered { refresh_at, keep_alive_at } => Some(refresh_at.min(keep_alive_at)),
            State::Waiting { retry_at } => Some(retry_at),
            State::Leaving | State::Off => None,
        }
    }

    fn answered(
        &mut self,
        answer: &Message,
        keep_alive_at: Option<Instant>,
        now: Instant,
        tokens: &mut Tokens,
        out: &mut Vec<Command>,
    ) {
        let moved = self.learn_address(answer);
        match answer.status().unwrap_or_default() {
            200..=299 if moved && !self.round.moved => {
                self.round.moved = true;
                self.register(self.expires_s, tokens, out);
            }
            200..=299 => self.registered(answer, keep_alive_at, now, tokens, out),
            401 | 407 if self.accept_challenge(answer, tokens) => self.register(self.expires_s, tokens, out),
            423 if !self.round.lengthened && answer.min_expires().is_some_and(|min| min > self.expires_s) => {
                self.round.lengthened = true;
                self.expires_s = answer.min_expires().unwrap_or(self.expires_s).min(LONGEST_EXPIRES_S);
                self.register(self.expires_s, tokens, out);
            }
            status => {
                self.login = None;
                let refused = event::Registration::Refused { status, reason: answer.reason().to_owned() };
                self.fail(refused, answer.retry_after(), now, tokens, out);
            }
        }
    }

    fn registered(
        &mut self,
        answer: &Message,
        keep_alive_at: Option<Instant>,
        now: Instant,
        tokens: &mut Tokens,
        out: &mut Vec<Command>,
    ) {
        let granted_s = self.granted(answer);
        if granted_s == 0 {
            // 200 without our binding: the registrar keeps nothing for us.
            let refused = event::Registration::Refused { status: 200, reason: "not kept".to_owned() };
            return self.fail(refused, None, now, tokens, out);
        }
        self.failures = 0;
        self.round = Round::default();
        let wait_ms = u64::from(granted_s) * tokens.between(500, 900);
        self.state = State::Registered {
            refresh_at: now.after_ms(wait_ms.max(SHORTEST_REFRESH_S * 1_000)),
            keep_alive_at: keep_alive_at.unwrap_or_else(|| next_keep_alive(now, tokens)),
        };
        self.tell(event::Registration::Registered { expires_s: granted_s }, out);
    }

    /// Seconds granted: our own Contact's `expires`, else Expires, else what we asked for (RFC 3261 10.2.4).
    fn granted(&self, answer: &Message) -> u32 {
        let ours = |contact: &&NameAddr| contact.uri().user() == Some(&self.contact_user);
        let binding = answer.contacts().iter().find(ours);
        let own = binding.and_then(|contact| contact.params().value("expires")?.parse().ok());
        own.or_else(|| answer.expires()).unwrap_or(self.expires_s).min(LONGEST_EXPIRES_S)
    }

    fn start_round(&mut self, keep_alive_at: Option<Instant>, tokens: &mut Tokens, out: &mut Vec<Command>) {
        self.round = Round::default();
        self.state = State::Trying { keep_alive_at };
        self.register(self.expires_s, tokens, out);
    }

    fn leave(&mut self, tokens: &mut Tokens, out: &mut Vec<Command>) {
        self.round = Round::default();
        self.state = State::Leaving;
        self.register(0, tokens, out);
    }

    fn fail(
        &mut self,
        why: event::Registration,
        retry_after_s: Option<u32>,
        now: Instant,
        tokens: &mut Tokens,
        out: &mut Vec<Command>,
    ) {
        let longest_s = (FIRST_BACK_OFF_S << self.failures.min(10)).min(LONGEST_BACK_OFF_S);
        self.failures += 1;
        let back_off_ms = longest_s * tokens.between(500, 1_000);
        let asked_ms = retry_after_s.map(|seconds| u64::from(seconds).min(LONGEST_RETRY_AFTER_S) * 1_000);
        self.state = State::Waiting { retry_at: now.after_ms(asked_ms.unwrap_or(0).max(back_off_ms)) };
        self.tell(why, out);
    }

    /// Takes a challenge up: the first of a round, and one more if it says that only the nonce was old.
    fn accept_challenge(&mut self, answer: &Message, tokens: &mut Tokens) -> bool {
        let Some((challenge, header)) = auth::challenge(answer) else { return false };
        let worth_it = self.round.tries.allow(&challenge);
        if worth_it {
            let Account { auth_user, password, .. } = &self.account;
            self.login = Some((auth::Login::new(challenge, auth_user, password, &tokens.word()), header));
        }
        worth_it
    }

    /// The address in the Via that came back (RFC 3581 4); true if it is news.
    fn learn_address(&mut self, answer: &Message) -> bool {
        let via = answer.via();
        let seen_ip: Option<IpAddr> = via.received();
        let seen = SocketAddr::new(
            seen_ip.unwrap_or_else(|| self.address.ip()),
            via.rport().unwrap_or_else(|| self.address.port()),
        );
        let news = seen != self.address;
        self.address = seen;
        news
    }

    fn register(&mut self, expires_s: u32, tokens: &mut Tokens, out: &mut Vec<Command>) {
        self.cseq += 1;
        let branch = tokens.branch();
        let Account { user, domain, .. } = &self.account;
        let record = format!("<sip:{user}@{}>", domain.as_str().trim_start_matches("sip:"));
        let request = Outgoing::request(&Method::Register, domain)
            .with_header("Via", &format!("SIP/2.0/UDP {};branch={branch};rport", self.local))
            .with_header("Max-Forwards", "70")
            .with_header("From", &format!("{record};tag={}", self.from_tag))
            .with_header("To", &record)
            .with_header("Call-ID", &self.call_id)
            .with_header("CSeq", &format!("{} REGISTER", self.cseq))
            .with_header("Contact", &format!("<sip:{}@{}>", self.contact_user, self.address))
            .with_header("Expires", &expires_s.to_string())
            .with_header("User-Agent", &self.user_agent);
        let request = match &mut self.login {
            None => request,
            Some((login, header)) => {
                request.with_header(header, &login.authorize("REGISTER", domain.as_str(), b""))
            }
        };
        out.push(Command::Request { branch, bytes: request.to_bytes() });
    }

    fn tell(&mut self, state: event::Registration, out: &mut Vec<Command>) {
        if self.told != state {
            self.told = state.clone();
            out.push(Command::Changed(state));
        }
    }
}

fn keep_alive(now: Instant, tokens: &mut Tokens, out: &mut Vec<Command>) -> Instant {
    out.push(Command::KeepAlive(KEEP_ALIVE));
    next_keep_alive(now, tokens)
}

fn next_keep_alive(now: Instant, tokens: &mut Tokens) -> Instant {
    now.after_ms(tokens.between(KEEP_ALIVE_MS.0, KEEP_ALIVE_MS.1))
}
