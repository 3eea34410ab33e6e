//! A SIP provider on loopback: a registrar with digest, callers and callees that talk and listen.
//!
//! It is the box's counterpart in `ringside demo` and in tests, and shares no code with the box's own SIP.

mod audio;
mod call;
mod message;
mod registrar;
mod taken;

pub use audio::Speech;
pub use registrar::{Account, Binding};

use call::{Board, Call};
use message::Message;
use registrar::Registrar;
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use taken::Taken;

/// Largest datagram that is read.
const MAX_DATAGRAM: usize = 65_535;
/// How finely calls keep their times.
const TICK: Duration = Duration::from_millis(5);

/// One call to place.
#[derive(Clone, Debug)]
pub struct CallPlan {
    /// The caller's number.
    pub from: String,
    /// The caller's name; empty for none.
    pub display_name: String,
    /// Whether the caller withholds the number.
    pub anonymous: bool,
    /// The number called.
    pub to: String,
    /// What the caller says once somebody answers.
    pub speech: Speech,
    /// How long the caller talks; `None` until the other side hangs up.
    pub hang_up_after: Option<Duration>,
    /// How long the caller lets it ring; `None` for ever.
    pub give_up_after: Option<Duration>,
    /// Further headers of the INVITE.
    pub headers: Vec<(String, String)>,
}

impl CallPlan {
    /// A patient, silent call that ends when the other side hangs up.
    #[must_use]
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            display_name: String::new(),
            anonymous: false,
            to: to.to_owned(),
            speech: Speech::Silence,
            hang_up_after: None,
            give_up_after: None,
            headers: Vec::new(),
        }
    }
}

/// What the provider does with the calls that the box places.
#[derive(Clone, Debug)]
pub struct AnswerPlan {
    /// Whether the box must know the password of its account.
    pub challenges: bool,
    /// Whether the callee is heard while it rings (183 with a session description instead of 180).
    pub announces: bool,
    /// How long it rings; `None` for ever.
    pub rings_for: Option<Duration>,
    /// The final status with which the call is refused after it rang; `None` answers it.
    pub refuses_with: Option<u16>,
    /// What the callee says.
    pub speech: Speech,
    /// How long the callee talks; `None` until the box hangs up.
    pub hang_up_after: Option<Duration>,
}

impl AnswerPlan {
    /// Answers at once and is silent until the box hangs up.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            challenges: false,
            announces: false,
            rings_for: Some(Duration::ZERO),
            refuses_with: None,
            speech: Speech::Silence,
            hang_up_after: None,
        }
    }
}

impl Default for AnswerPlan {
    fn default() -> Self {
        Self::new()
    }
}

/// A call that the box has placed.
#[derive(Clone)]
pub struct TakenCall {
    /// The Request-URI.
    pub target: String,
    /// Headers of its INVITE: name and value.
    pub headers: Vec<(String, String)>,
    /// What became of it; its statuses are those that the box heard.
    pub handle: CallHandle,
}

impl TakenCall {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The calls taken by one plan.
#[derive(Clone)]
pub struct TakenCalls(Arc<Takings>);

#[derive(Default)]
struct Takings {
    calls: Mutex<Vec<TakenCall>>,
    changed: Condvar,
}

impl TakenCalls {
    /// Waits for the call with this index, 0-based in the order they came; `None` if it does not come.
    #[must_use]
    pub fn wait(&self, index: usize, patience: Duration) -> Option<TakenCall> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(calls, patience, |calls| calls.len() <= index);
        waited.unwrap_or_else(PoisonError::into_inner).0.get(index).cloned()
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this final status.
    Refused(u16),
    /// The caller gave up while it rang.
    Cancelled,
    /// The caller hung up.
    CallerHungUp,
    /// The other side hung up.
    CalleeHungUp,
    /// Nothing was heard of the other side.
    NoAnswer,
}

/// What became of a call, so far.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Statuses of the INVITE, in the order they came or, of a taken call, were sent.
    pub statuses: Vec<u16>,
    /// INVITE to the first 18x.
    pub rang_after: Option<Duration>,
    /// INVITE to 200.
    pub answered_after: Option<Duration>,
    /// INVITE to the end.
    pub ended_after: Option<Duration>,
    /// How it ended; `None` while it goes on.
    pub end: Option<End>,
    /// What the provider's side heard, 8 kHz; whole once the call has ended.
    pub heard: Vec<i16>,
    /// Packets the provider's side heard.
    pub packets_heard: u64,
}

/// A call that was placed or taken.
#[derive(Clone)]
pub struct CallHandle(Arc<Board>);

impl CallHandle {
    /// What became of the call so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.lock().outcome.clone()
    }

    /// Makes the provider's side hang up, or give up while it rings.
    pub fn hang_up(&self) {
        self.0.lock().hang_up = true;
    }

    /// Waits until `enough` of the call has happened, it has ended, or `patience` is over.
    pub fn wait(&self, patience: Duration, enough: impl Fn(&Outcome) -> bool) -> Outcome {
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), patience, |state| {
            state.outcome.end.is_none() && !enough(&state.outcome)
        });
        waited.unwrap_or_else(PoisonError::into_inner).0.outcome.clone()
    }
}

/// The provider.
pub struct Provider {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    taking: Arc<Taking>,
    bindings: Arc<Bindings>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Order {
    plan: CallPlan,
    /// Who is called, where nobody has registered.
    to: Option<SocketAddr>,
    board: Arc<Board>,
}

/// By which plan calls of the box are taken, if at all.
type Taking = Mutex<Option<(AnswerPlan, Arc<Takings>)>>;

#[derive(Default)]
struct Bindings {
    current: Mutex<Option<Binding>>,
    changed: Condvar,
}

impl Provider {
    /// Starts a provider on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be bound or no thread started.
    pub fn start(address: SocketAddr, account: Account) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_read_timeout(Some(TICK))?;
        let address = socket.local_addr()?;
        let (orders, inbox) = mpsc::channel();
        let taking = Arc::new(Taking::default());
        let (bindings, over) = (Arc::new(Bindings::default()), Arc::new(AtomicBool::new(false)));
        let mut switch = Switch {
            socket,
            address,
            inbox,
            registrar: Registrar::new(account),
            calls: Vec::new(),
            taking: Arc::clone(&taking),
            taken: Vec::new(),
            bindings: Arc::clone(&bindings),
        };
        let stop = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("provider".to_owned()).spawn(move || {
            let mut buffer = vec![0; MAX_DATAGRAM];
            while !stop.load(Ordering::Relaxed) {
                switch.turn(&mut buffer);
            }
        })?;
        Ok(Self { address, orders, taking, bindings, over, thread: Some(thread) })
    }

    /// Where the provider is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a box has registered.
    #[must_use]
    pub fn wait_registered(&self, patience: Duration) -> Option<Binding> {
        let current = self.bindings.current.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bindings.changed.wait_timeout_while(current, patience, |binding| binding.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Places a call to the registered box, with the number called in To only.
    #[must_use]
    pub fn place(&self, plan: CallPlan) -> CallHandle {
        self.order(plan, None)
    }

    /// Places a call to a box that knows this provider by its address.
    #[must_use]
    pub fn place_at(&self, to: SocketAddr, plan: CallPlan) -> CallHandle {
        self.order(plan, Some(to))
    }

    /// From now on takes the calls that the box places, by `plan`; without one they hear 481.
    #[must_use]
    pub fn take_calls(&self, plan: AnswerPlan) -> TakenCalls {
        let takings = Arc::new(Takings::default());
        *self.taking.lock().unwrap_or_else(PoisonError::into_inner) = Some((plan, Arc::clone(&takings)));
        TakenCalls(takings)
    }

    fn order(&self, plan: CallPlan, to: Option<SocketAddr>) -> CallHandle {
        let board = Arc::new(Board::default());
        // The thread ends only with `self`.
        let _ = self.orders.send(Order { plan, to, board: Arc::clone(&board) });
        CallHandle(board)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            let _ = thread.join();
        }
    }
}

/// The provider's thread: the socket, the registrar and every call.
struct Switch {
    socket: UdpSocket,
    address: SocketAddr,
    inbox: mpsc::Receiver<Order>,
    registrar: Registrar,
    calls: Vec<Call>,
    taking: Arc<Taking>,
    taken: Vec<Taken>,
    bindings: Arc<Bindings>,
}

impl Switch {
    fn turn(&mut self, buffer: &mut [u8]) {
        let now = Instant::now();
        while let Ok(order) = self.inbox.try_recv() {
            self.place(order, now);
        }
        // A time-out is the usual end of a turn; after any other error the next turn tries again.
        if let Ok((length, source)) = self.socket.recv_from(buffer)
            && let Some(message) = buffer.get(..length).and_then(Message::parse)
        {
            self.receive(&message, source, Instant::now());
        }
        let mut out = Vec::new();
        for call in &mut self.calls {
            call.tick(now, &mut out);
            send(&self.socket, call.peer, &mut out);
        }
        for call in &mut self.taken {
            call.tick(now, &mut out);
            send(&self.socket, call.peer, &mut out);
        }
        self.calls.retain(|call| !call.is_forgotten(now));
        self.taken.retain(|call| !call.is_forgotten(now));
    }

    fn place(&mut self, Order { plan, to, board }: Order, now: Instant) {
        let way = match to {
            Some(peer) => Some((format!("sip:{}@{peer}", plan.to), peer)),
            None => self.registrar.binding(now).map(|binding| (binding.contact.clone(), binding.source)),
        };
        let call = way.and_then(|(target, peer)| {
            Call::new(plan, target, peer, self.address, Arc::clone(&board), now).ok()
        });
        let Some(call) = call else {
            // As a real switch does when it cannot reach the subscriber.
            let mut state = board.lock();
            state.outcome.end = Some(End::NoAnswer);
            board.changed.notify_all();
            return;
        };
        send(&self.socket, call.peer, &mut vec![call.first_request()]);
        self.calls.push(call);
    }

    fn receive(&mut self, message: &Message, source: SocketAddr, now: Instant) {
        let mut out = Vec::new();
        let taken = message.header("Call-ID").and_then(|id| self.taken.iter_mut().find(|call| call.id == id));
        if let Some(call) = taken {
            match message.method() {
                Some(_) => call.request_received(message, now, &mut out),
                None => call.response(message, now),
            }
            return send(&self.socket, source, &mut out);
        }
        let call = message.header("Call-ID").and_then(|id| self.calls.iter_mut().find(|call| call.id == id));
        match (message.method(), call) {
            (None, Some(call)) => call.response(message, now, &mut out),
            (Some(_), Some(call)) => call.request_received(message, now, &mut out),
            (Some("REGISTER"), None) => {
                out.push(self.registrar.answer(message, source, now));
                *self.bindings.current.lock().unwrap_or_else(PoisonError::into_inner) =
                    self.registrar.binding(now).cloned();
                self.bindings.changed.notify_all();
            }
            (Some("OPTIONS"), None) => out.push(message.answer(200, "OK", &[])),
            (Some("INVITE"), None) if message.parameter("To", "tag").is_none() => {
                out.extend(self.take(message, source, now));
            }
            (Some("ACK"), None) | (None, None) => {}
            (Some(_), None) => out.push(message.answer(481, "Call Does Not Exist", &[])),
        }
        send(&self.socket, source, &mut out);
    }
}

impl Switch {
    /// A new call of the box: what it hears first.
    fn take(&mut self, invite: &Message, source: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        let taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((plan, takings)) = taking else {
            return Some(invite.answer(481, "Call Does Not Exist", &[]));
        };
        let turned_away = if plan.challenges { self.registrar.turned_away(invite, now) } else { None };
        if turned_away.is_some() {
            return turned_away;
        }
        let board = Arc::new(Board::default());
        // Without a port for its audio the call is lost as a datagram would be; the box repeats it.
        let call = Taken::new(plan, invite.clone(), source, self.address, Arc::clone(&board), now).ok()?;
        let first = call.last_answer();
        self.taken.push(call);
        let target = invite.target().unwrap_or_default().to_owned();
        let call = TakenCall { target, headers: invite.headers().to_vec(), handle: CallHandle(board) };
        takings.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        takings.changed.notify_all();
        Some(first)
    }
}

/// Sends and forgets; a datagram that is lost is repeated by its call.
fn send(socket: &UdpSocket, to: SocketAddr, out: &mut Vec<Vec<u8>>) {
    for datagram in out.drain(..) {
        let _ = socket.send_to(&datagram, to);
    }
}

#[cfg(test)]
mod tests;
