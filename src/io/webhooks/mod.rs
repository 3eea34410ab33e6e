//! The thread that tells others what happens: does what the webhook machine says, one request at a time.
//!
//! Nothing waits for this thread. Which calls each receiver has been told of is kept in `webhooks.json` in the data
//! directory, so that after a restart the rest is told from the stored records. The file is written a second after it
//! changed: what was told meanwhile is told again under the same id, which a receiver knows.

mod post;
#[cfg(test)]
pub(in crate::io) mod tests;

pub use post::{Poster, Sending};

use crate::{
    id::CallId,
    io::{clock::Clock, files},
    record::CallRecord,
    time::{Instant, WallTime},
    webhook::{
        Kind,
        cursor::Cursor,
        desk::{Desk, Refused, Report, Tested},
        event::{Command, Event, Outcome},
        happening::{Data, Happening},
        machine::{MAX_REPLAY, MAX_WAITING, Machine, Settings, Standing},
        signing::Signer,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver as Inbox, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Orders that may wait: a burst of refused calls.
const MAX_ORDERS: usize = 1_024;
/// The cursors are written so long after they changed.
const WRITE_AFTER_MS: u64 = 1_000;
/// What could not be read is asked for again after this.
const LIST_AGAIN_MS: u64 = 1_000;
/// The longest sleep of the thread.
const LOOK: Duration = Duration::from_secs(1);
/// How long a stopping daemon waits for a request to end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// How long somebody waits who asks.
const ASK_PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "webhooks.json";

/// The stored calls.
pub trait Records: Send {
    /// At most `limit`, oldest first, numbered above `seq`; `None` if they cannot be read now.
    fn after(&self, seq: u64, limit: usize) -> Option<Vec<CallRecord>>;
    /// At most `limit`, newest first, that came in at `from` or later.
    fn since(&self, from: WallTime, limit: usize) -> Vec<CallRecord>;
    /// One, if it is there.
    ///
    /// # Errors
    /// They cannot be read now.
    fn get(&self, call: CallId) -> io::Result<Option<CallRecord>>;
    /// Number of the newest; 0 before the first, or if they cannot be read now.
    fn last(&self) -> u64;
}

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where.
    pub url: String,
    /// What signs.
    pub signer: Signer,
    /// What of.
    pub events: Vec<Kind>,
}

/// What the thread is given.
pub struct Options {
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// The data directory.
    pub data: PathBuf,
    /// Number of the last call before this start: a receiver that is new is told of those after it.
    pub last_call: u64,
    /// Random, fresh at every start.
    pub seed: u64,
}

/// What the thread is told.
enum Order {
    Happened(Happening),
    Test { receiver: usize, answer: SyncSender<Tested> },
    Replay { receiver: usize, range: (WallTime, WallTime), answer: SyncSender<Result<usize, Refused>> },
}

/// The way to the thread; a clone is the same way.
#[derive(Clone)]
pub struct Orders {
    sender: SyncSender<Order>,
    shared: Arc<Shared>,
}

struct Shared {
    receivers: Vec<Receiver>,
    standings: Mutex<Vec<Standing>>,
    /// Something found no room.
    overrun: AtomicBool,
}

impl Orders {
    /// Something happened. Never waits.
    pub fn happened(&self, happening: Happening) {
        if self.sender.try_send(Order::Happened(happening)).is_err() {
            self.shared.overrun.store(true, Ordering::Relaxed);
        }
    }

    fn ask<T>(&self, n: usize, order: impl FnOnce(usize, SyncSender<T>) -> Order) -> Result<T, Refused> {
        let receiver = n.checked_sub(1).filter(|n| *n < self.shared.receivers.len());
        let (answer, answered) = sync_channel(1);
        let order = order(receiver.ok_or(Refused::Unknown)?, answer);
        self.sender.try_send(order).map_err(|_| Refused::Busy)?;
        answered.recv_timeout(ASK_PATIENCE).map_err(|_| Refused::Busy)
    }
}

impl Desk for Orders {
    fn reports(&self) -> Vec<Report> {
        let standings = self.shared.standings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let both = self.shared.receivers.iter().zip(standings).enumerate();
        both.map(|(n, (receiver, standing))| report(n + 1, receiver, standing)).collect()
    }

    fn test(&self, n: usize) -> Result<Tested, Refused> {
        self.ask(n, |receiver, answer| Order::Test { receiver, answer })
    }

    fn replay(&self, n: usize, from: WallTime, to: WallTime) -> Result<usize, Refused> {
        self.ask(n, |receiver, answer| Order::Replay { receiver, range: (from, to), answer })?
    }
}

fn report(n: usize, receiver: &Receiver, standing: Standing) -> Report {
    let public_key = receiver.signer.public_key();
    let state = match (standing.given_up, standing.failures) {
        (true, _) => "given_up",
        (false, 0) => "working",
        (false, _) => "failing",
    };
    Report {
        n,
        url: receiver.url.split('?').next().unwrap_or_default().to_owned(),
        events: receiver.events.clone(),
        signing: if public_key.is_some() { "v1a" } else { "v1" }.to_owned(),
        public_key,
        state: state.to_owned(),
        last: standing.last.as_ref().map(Outcome::words),
        failures: standing.failures,
        waiting: standing.waiting,
        accepted: standing.accepted,
        dropped: standing.dropped,
        expired: standing.expired,
    }
}

/// The running thread.
pub struct Webhooks {
    orders: Orders,
    stopping: Arc<AtomicBool>,
    ended: Inbox<()>,
    thread: Option<JoinHandle<()>>,
}

impl Webhooks {
    /// The way to the thread.
    #[must_use]
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if self.ended.recv_timeout(STOP_PATIENCE) != Err(RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Starts the thread `webhooks`.
///
/// # Errors
/// There is no thread to be had.
pub fn start(options: Options, records: impl Records + 'static, clock: Clock) -> io::Result<Webhooks> {
    let Options { receivers, data, last_call, seed } = options;
    let (sender, inbox) = sync_channel(MAX_ORDERS);
    let (alive, ended) = sync_channel(0);
    let stopping = Arc::new(AtomicBool::new(false));
    let settings = Settings { receivers: receivers.iter().map(|one| one.events.clone()).collect(), seed };
    let machine = Machine::new(settings);
    let standings = vec![Standing::default(); receivers.len()];
    let shared =
        Arc::new(Shared { receivers, standings: Mutex::new(standings), overrun: AtomicBool::new(false) });
    let mut told = Told {
        cursors: Cursors::open(&data, &shared.receivers, last_call),
        machine,
        records: Box::new(records),
        clock,
        poster: Poster::new(post::PATIENCE),
        shared: Arc::clone(&shared),
        stopping: Arc::clone(&stopping),
        pending: VecDeque::new(),
        unlisted: BTreeSet::new(),
        list_at: Instant::ZERO,
        tests: 0,
        seed,
    };
    let thread = thread::Builder::new().name("webhooks".to_owned()).spawn(move || {
        told.run(&inbox);
        drop(alive);
    })?;
    Ok(Webhooks { orders: Orders { sender, shared }, stopping, ended, thread: Some(thread) })
}

/// The thread.
struct Told {
    machine: Machine,
    cursors: Cursors,
    records: Box<dyn Records>,
    clock: Clock,
    poster: Poster,
    shared: Arc<Shared>,
    stopping: Arc<AtomicBool>,
    /// What the machine is to be told.
    pending: VecDeque<Event>,
    /// Receivers whose calls could not be listed, and when that is tried again.
    unlisted: BTreeSet<usize>,
    list_at: Instant,
    tests: u64,
    seed: u64,
}

impl Told {
    fn run(&mut self, inbox: &Inbox<Order>) {
        self.pending.push_back(Event::Deadline);
        while !self.stopping.load(Ordering::Relaxed) {
            // Between two requests whatever has happened meanwhile is taken in.
            let left = if self.pending.is_empty() {
                self.machine.deadline().map_or(LOOK, |at| at - self.clock.now()).min(LOOK)
            } else {
                Duration::ZERO
            };
            match inbox.recv_timeout(left) {
                Ok(order) => self.order(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.shared.overrun.swap(false, Ordering::Relaxed) {
                self.pending.push_back(Event::Overrun);
            }
            let event = self.pending.pop_front().unwrap_or(Event::Deadline);
            self.give(event);
            self.list_again();
            self.cursors.write(self.clock.now(), WRITE_AFTER_MS);
        }
        self.cursors.write(self.clock.now(), 0);
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Happened(happening) => self.pending.push_back(Event::Happened(happening)),
            Order::Test { receiver, answer } => {
                let tested = self.test(receiver);
                // Whoever asked may have gone.
                let _ = answer.try_send(tested);
            }
            Order::Replay { receiver, range, answer } => {
                let _ = answer.try_send(self.replay(receiver, range));
            }
        }
    }

    fn test(&mut self, receiver: usize) -> Tested {
        self.tests += 1;
        let id = format!("test-{:016x}-{}", self.seed, self.tests);
        let body = format!("{{\"type\":\"test\",\"timestamp\":\"{}\",\"data\":{{}}}}", self.clock.wall());
        let outcome = self.post(receiver, &id, &body);
        let accepted = matches!(outcome, Outcome::Accepted(_));
        if accepted {
            self.pending.push_back(Event::Revived { receiver });
        }
        Tested { accepted, said: outcome.words() }
    }

    fn replay(&mut self, receiver: usize, (from, to): (WallTime, WallTime)) -> Result<usize, Refused> {
        let mut records = self.records.since(from, MAX_REPLAY + 1);
        if records.len() > MAX_REPLAY {
            return Err(Refused::TooMany);
        }
        records.retain(|record| record.start_time <= to);
        records.reverse();
        self.pending.push_back(Event::Revived { receiver });
        let happenings: Vec<Happening> = records.iter().map(Happening::post_call_of).collect();
        let count = happenings.len();
        self.pending.push_back(Event::Replayed { receiver, happenings });
        Ok(count)
    }

    /// Gives an event to the machine and does what it says; what comes of that waits for its turn.
    fn give(&mut self, event: Event) {
        let mut out = Vec::new();
        self.machine.handle(event, self.clock.now(), &mut out);
        self.show();
        for command in out {
            let next = self.perform(command);
            self.pending.extend(next);
        }
    }

    fn perform(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Send { receiver, happening } => {
                let outcome = match self.body(&happening) {
                    Ok(body) => self.post(receiver, &happening.id, &body),
                    Err(outcome) => outcome,
                };
                Some(Event::Answered { receiver, id: happening.id, outcome })
            }
            Command::Settle { receiver, happening } => {
                if let (Kind::PostCall, Data::Record { seq, .. }) = (happening.kind, &happening.data) {
                    self.cursors.told(receiver, *seq, self.clock.now());
                }
                None
            }
            Command::List { receiver } => {
                let cursor = self.cursors.of(receiver);
                let limit = MAX_WAITING + cursor.beyond.len() + 1;
                let Some(records) = self.records.after(cursor.up_to, limit) else {
                    // The index is being opened, which may take a minute.
                    self.unlisted.insert(receiver);
                    self.list_at = self.clock.now().after_ms(LIST_AGAIN_MS);
                    return None;
                };
                let mut calls: Vec<Happening> = records
                    .iter()
                    .filter(|record| !cursor.has(record.seq))
                    .map(Happening::post_call_of)
                    .collect();
                let is_all = calls.len() <= MAX_WAITING;
                calls.truncate(MAX_WAITING);
                Some(Event::Listed { receiver, calls, is_all })
            }
            Command::GiveUp { receiver } => {
                tracing::warn!(
                    webhook = receiver + 1,
                    "the receiver is given up: it did not accept anything for five days, or said that it is gone; \
                     when it works again: ringside webhook test {}",
                    receiver + 1
                );
                None
            }
        }
    }

    /// What is said of a happening; without anything to say, how that went.
    fn body(&self, happening: &Happening) -> Result<String, Outcome> {
        let unreadable = || Outcome::Failed {
            status: None,
            why: "the box cannot read the record now".to_owned(),
            retry_after_ms: None,
        };
        let record = match happening.data {
            Data::Record { call, seq } => match self.records.get(call) {
                // A call that the index has not got yet is not one that was erased.
                Ok(None) if self.records.last() < seq => return Err(unreadable()),
                Ok(record) => record,
                Err(_) => return Err(unreadable()),
            },
            Data::Written(_) => None,
        };
        happening.body(|_| record).ok_or(Outcome::Void)
    }

    /// Asks again for what could not be listed.
    fn list_again(&mut self) {
        if self.unlisted.is_empty() || self.clock.now() < self.list_at {
            return;
        }
        for receiver in std::mem::take(&mut self.unlisted) {
            let next = self.perform(Command::List { receiver });
            self.pending.extend(next);
        }
    }

    fn post(&self, receiver: usize, id: &str, body: &str) -> Outcome {
        let Some(Receiver { url, signer, .. }) = self.shared.receivers.get(receiver) else {
            return Outcome::Void;
        };
        let outcome = self.poster.post(&Sending { url, signer, id, body, at: self.clock.wall() });
        if !matches!(outcome, Outcome::Accepted(_)) {
            tracing::debug!(webhook = receiver + 1, id, outcome = outcome.words(), "not accepted");
        }
        outcome
    }

    fn show(&self) {
        let standings = (0..self.shared.receivers.len()).filter_map(|n| self.machine.standing(n)).collect();
        *self.shared.standings.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }
}

/// Which calls each receiver has been told of, on the disk.
struct Cursors {
    path: PathBuf,
    /// By the digest of the address, which may have a secret in it.
    names: Vec<String>,
    of: BTreeMap<String, Cursor>,
    changed_at: Option<Instant>,
}

impl Cursors {
    fn open(data: &Path, receivers: &[Receiver], last_call: u64) -> Self {
        let path = data.join(NAME);
        let name = |one: &Receiver| blake3::hash(one.url.as_bytes()).to_hex()[..16].to_owned();
        let names: Vec<String> = receivers.iter().map(name).collect();
        let known: BTreeMap<String, Cursor> = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "{}: not readable; calls of before are not told again", path.display());
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        let of = names
            .iter()
            .map(|name| (name.clone(), known.get(name).cloned().unwrap_or_else(|| Cursor::after(last_call))));
        Self { path, of: of.collect(), names, changed_at: Some(Instant::ZERO) }
    }

    fn of(&self, receiver: usize) -> Cursor {
        self.names.get(receiver).and_then(|name| self.of.get(name)).cloned().unwrap_or_default()
    }

    fn told(&mut self, receiver: usize, seq: u64, now: Instant) {
        if let Some(cursor) = self.names.get(receiver).and_then(|name| self.of.get_mut(name)) {
            cursor.told(seq);
            self.changed_at.get_or_insert(now);
        }
    }

    /// Writes them if they changed at least so long ago.
    fn write(&mut self, now: Instant, after_ms: u64) {
        if self.changed_at.is_none_or(|at| now.ms_since(at) < after_ms) {
            return;
        }
        let written = serde_json::to_vec(&self.of).map_err(io::Error::other);
        match written.and_then(|bytes| files::write_whole(&self.path, &bytes)) {
            Ok(()) => self.changed_at = None,
            Err(error) => {
                tracing::debug!(%error, "{}", self.path.display());
                self.changed_at = Some(now);
            }
        }
    }
}
