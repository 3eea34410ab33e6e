//! The thread that brings records and recordings upstream: does what the sync machine says, one request at a time.
//!
//! ```text
//!   index ──(what waits)──► machine ──► HTTPS ──► answers ──► machine ──► notes ──► journal ──► index
//! ```
//! Nothing waits for this thread, and it only ever reads what calls have left behind.

mod body;
mod file;
mod http;
mod requests;
pub mod site;
pub mod socket;

pub use http::{ANSWER_PATIENCE, Access, AccessError};

use crate::{
    id::{BoxId, RecordingId},
    io::{box_key::BoxKey, clock::Clock, storage::Notes},
    note::Note,
    record::{CallRecord, Sync},
    recording::vault::Kek,
    status::{SyncState, SyncStatus},
    sync::{
        Backlog,
        budget::{Budget, Rates},
        event::{Command, Event, Listing, RecordDue, RecordingDue},
        machine::{Contact, Machine, Settings},
    },
    time::{Instant, WallTime},
};
use file::{Outgoing, Source};
use http::Http;
use site::Sites;
use socket::Sockets;
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Orders that may wait; more of the same say nothing new.
const MAX_ORDERS: usize = 64;
/// Notes kept while the journal takes none.
const MAX_UNSAVED: usize = 1_024;
/// Calls are looked at so often while nothing is due.
const LOOK: Duration = Duration::from_secs(1);
/// How long a stopping daemon waits for a request to end; what was sent by then is sent again.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// A backlog older than this is shown as one.
const BEHIND_MS: u64 = 900_000;

/// What waits, as the index has it.
pub trait Outbox: Send {
    /// Records without a receipt, newest first.
    fn unsent_records(&self, limit: usize) -> Vec<CallRecord>;
    /// Records of calls whose recordings have no receipt, oldest first.
    fn unsent_recordings(&self, limit: usize) -> Vec<CallRecord>;
    /// All of it, counted.
    fn backlog(&self) -> Backlog;
    /// Highest number among the receipts.
    fn last_hq_seq(&self) -> u64;
    /// Number of the newest call; 0 before the first.
    fn last_call(&self) -> u64;
}

/// What the client is given.
pub struct Options {
    /// The way to the upstream.
    pub access: Access,
    /// How fast.
    pub rates: Rates,
    /// The box.
    pub box_id: BoxId,
    /// The run of the daemon, 16 hex digits.
    pub boot_id: String,
    /// Name of the site.
    pub site: String,
    /// The data directory.
    pub data: PathBuf,
    /// Random, fresh at every start.
    pub seed: u64,
}

/// What the daemon and the client share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// Calls that are up, of any kind.
    pub calls_up: Arc<AtomicUsize>,
    /// Names of the alarms of the box.
    pub alarms: Arc<Mutex<Vec<String>>>,
    shown: Arc<Mutex<SyncStatus>>,
}

impl Shared {
    /// How syncing does; [`SyncState::Off`] without a client.
    #[must_use]
    pub fn status(&self) -> SyncStatus {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, status: SyncStatus) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// What the thread is told.
#[derive(Clone, Copy, Debug)]
enum Order {
    Stored,
    Now,
}

/// The way to the thread; a clone is the same way.
#[derive(Clone, Debug)]
pub struct Orders(SyncSender<Order>);

impl Orders {
    /// The index has something new. Never waits.
    pub fn stored(&self) {
        let _ = self.0.try_send(Order::Stored);
    }

    /// Everything is to be sent now, whatever was refused or failed. Never waits.
    pub fn now(&self) {
        let _ = self.0.try_send(Order::Now);
    }
}

/// The running client.
pub struct Upstream {
    orders: Option<Orders>,
    stopping: Arc<AtomicBool>,
    sockets: Sockets,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// The way to the thread.
    #[must_use]
    pub fn orders(&self) -> Option<Orders> {
        self.orders.clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.orders = None;
        self.sockets.shut();
        // The end of the thread closes the channel.
        if self.ended.recv_timeout(STOP_PATIENCE) != Err(RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Starts the thread `upstream`.
///
/// # Errors
/// A file of the access cannot be used, or there is no thread to be had.
pub fn start(
    options: Options,
    outbox: impl Outbox + 'static,
    notes: Notes,
    sites: Option<Sites>,
    clock: Clock,
    shared: Shared,
) -> io::Result<Upstream> {
    let sockets = Sockets::new(options.access.dscp);
    let http = Http::new(&options.access, options.box_id, sockets.clone()).map_err(io::Error::other)?;
    // Without it the recordings that only this box opens stay here, and say so.
    let key = BoxKey::find(&options.data).inspect_err(|error| tracing::error!(%error, "no key of the box"));
    let kek = key.ok().flatten().map(|key| key.kek());
    let (sender, orders) = sync_channel(MAX_ORDERS);
    let (alive, ended) = sync_channel(0);
    let stopping = Arc::new(AtomicBool::new(false));
    let settings = Settings {
        seed: options.seed,
        takes_sites: sites.is_some(),
        pauses_in_calls: options.rates.calls_kbps == 0,
        last_hq_seq: outbox.last_hq_seq(),
    };
    let mut client = Client {
        machine: Machine::new(settings, clock.now()),
        budget: Budget::new(options.rates, clock.now()),
        options,
        outbox: Box::new(outbox),
        notes,
        sites,
        site_error: None,
        clock,
        shared,
        http,
        stopping: Arc::clone(&stopping),
        listed: BTreeMap::new(),
        outgoing: BTreeMap::new(),
        kek,
        source: None,
        calls_up: 0,
        unsaved: VecDeque::new(),
    };
    let thread = thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        client.run(&orders);
        drop(alive);
    })?;
    Ok(Upstream { orders: Some(Orders(sender)), stopping, sockets, ended, thread: Some(thread) })
}

struct Client {
    machine: Machine,
    budget: Budget,
    options: Options,
    outbox: Box<dyn Outbox>,
    notes: Notes,
    sites: Option<Sites>,
    site_error: Option<String>,
    clock: Clock,
    shared: Shared,
    http: Http,
    stopping: Arc<AtomicBool>,
    /// The records of the last listing, by the number of the call.
    listed: BTreeMap<u64, CallRecord>,
    /// What goes of the recordings of the last listing.
    outgoing: BTreeMap<RecordingId, Outgoing>,
    /// What opens recordings that are under the box's key only.
    kek: Option<Kek>,
    /// The recording that is being read.
    source: Option<(RecordingId, Source)>,
    calls_up: usize,
    /// Notes that the journal's full queue did not take.
    unsaved: VecDeque<Note>,
}

impl Client {
    fn run(&mut self, orders: &Receiver<Order>) {
        self.show();
        while !self.is_stopping() {
            let now = self.clock.now();
            let left = self.machine.deadline().map_or(LOOK, |at| at - now).min(LOOK);
            match orders.recv_timeout(left) {
                Ok(Order::Stored) => self.give(Event::Stored),
                Ok(Order::Now) => self.give(Event::SyncNow),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let calls_up = self.shared.calls_up.load(Ordering::Relaxed);
            if calls_up != self.calls_up {
                self.calls_up = calls_up;
                self.give(Event::CallsUp(calls_up));
            }
            if self.machine.deadline().is_some_and(|at| at <= self.clock.now()) {
                self.give(Event::Deadline);
            }
            self.save();
            self.show();
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Gives an event to the machine and does what it says, until it has nothing more to say.
    fn give(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            if self.is_stopping() {
                return;
            }
            let (mut out, now) = (Vec::new(), self.clock.now());
            let calls_up = self.shared.calls_up.load(Ordering::Relaxed);
            if calls_up != self.calls_up && !matches!(event, Event::CallsUp(_)) {
                self.calls_up = calls_up;
                // Before the answer, so that what comes next suits the calls.
                self.machine.handle(Event::CallsUp(calls_up), now, &mut out);
            }
            self.machine.handle(event, now, &mut out);
            for command in out {
                next = self.perform(command).or(next);
            }
        }
    }

    fn perform(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Note(what) => {
                self.unsaved.push_back(Note { at: self.clock.wall(), what });
                self.save();
                return None;
            }
            Command::List { records, recordings } => {
                return Some(Event::Listed(self.list(records, recordings)));
            }
            Command::SendBatch { .. }
            | Command::AskOffset { .. }
            | Command::Upload { .. }
            | Command::AskGaps { .. }
            | Command::AskSite { .. } => {}
        }
        self.show();
        let event = self.request(command);
        if let Some(Event::Failed(request, failure)) = &event {
            tracing::debug!(?request, ?failure, "upstream");
        }
        event
    }

    /// Gives the journal what it has not taken yet, in order.
    fn save(&mut self) {
        while let Some(note) = self.unsaved.front() {
            if self.notes.note(note.clone()).is_err() {
                break;
            }
            self.unsaved.pop_front();
        }
        if self.unsaved.len() > MAX_UNSAVED {
            // A receipt, most likely: what it was for is sent again, and received again.
            self.unsaved.pop_front();
        }
    }

    fn list(&mut self, records: usize, recordings: usize) -> Listing {
        let (unsent, waiting) =
            (self.outbox.unsent_records(records), self.outbox.unsent_recordings(recordings));
        let due = |record: &CallRecord| RecordDue { seq: record.seq, call: record.id, rev: record.rev };
        let mut due_recordings = Vec::new();
        let mut known = std::mem::take(&mut self.outgoing);
        for record in &waiting {
            let Some(id) = record.recording.id else { continue };
            let known = known.remove(&id).filter(|known| record.recording.hash.as_ref() == Some(&known.of));
            let look = || Outgoing::look(&self.options.data, &record.recording, self.kek.as_ref()).ok();
            let outgoing = known.or_else(look);
            // What cannot be looked at now says why when it is to go.
            let bytes = outgoing.as_ref().map_or(record.recording.bytes, |outgoing| outgoing.bytes);
            self.outgoing.extend(outgoing.map(|outgoing| (id, outgoing)));
            due_recordings.push(RecordingDue { seq: record.seq, call: record.id, recording: id, bytes });
        }
        let listing = Listing {
            records: unsent.iter().map(due).collect(),
            all_records: unsent.len() < records,
            recordings: due_recordings,
            all_recordings: waiting.len() < recordings,
            last_call: self.outbox.last_call(),
        };
        // What the upstream has confirmed is no part of a revision: sent again, it has to be the same to the byte.
        let as_written = |record: CallRecord| (record.seq, CallRecord { sync: Sync::default(), ..record });
        self.listed = waiting.into_iter().chain(unsent).map(as_written).collect();
        listing
    }

    fn show(&self) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let at = |then: Instant| WallTime(wall.0.saturating_sub(now.ms_since(then)));
        let backlog = self.outbox.backlog();
        let age_ms = backlog.oldest.map_or(0, |oldest| wall.0.saturating_sub(oldest.0));
        let state = match self.machine.contact() {
            Contact::UnknownBox => SyncState::UnknownBox,
            Contact::Failing => SyncState::Unreachable,
            Contact::New | Contact::Fine if backlog.refused > 0 => SyncState::Refusing,
            Contact::New | Contact::Fine if age_ms > BEHIND_MS => SyncState::Behind,
            Contact::New | Contact::Fine if backlog.records + backlog.recordings > 0 => SyncState::Sending,
            Contact::New | Contact::Fine => SyncState::UpToDate,
        };
        self.shared.show(SyncStatus {
            state,
            records_waiting: backlog.records,
            recordings_waiting: backlog.recordings,
            refused: backlog.refused,
            oldest: backlog.oldest,
            oldest_age_ms: age_ms,
            last_contact: self.machine.last_contact().map(at),
            last_error: self.machine.last_error().map(str::to_owned),
            site_version: self.sites.as_ref().map(Sites::version).filter(|version| *version > 0),
            site_error: self.site_error.clone(),
        });
    }
}
