//! The storage thread: writes recordings, joins them with their records, keeps sidecars and the index.
//!
//! ```text
//! Save before the tap is dry: ENDED durable -> Saved, record waits -> recording closed -> RECORDED durable -> Recorded
//! tap dry before Save:        recording closed, facts wait -> ENDED durable -> Saved   -> RECORDED durable -> Recorded
//! ```

use super::{
    OnEvent, Options, StorageCounters,
    erasing::Next,
    facts,
    indexing::Indexing,
    keeping::Keeping,
    recorded::{Active, Fault, Progress},
};
use crate::{
    audio::tap_frame::TapFrame,
    id::{CallId, RecordingId},
    io::{
        box_key::BoxKey,
        clock::Clock,
        disk,
        files::{self, Ballast},
        journal::{
            Fact, Kind,
            commit::{Durable, Journal},
            is_settled,
        },
        store::Index,
    },
    record::{CallRecord, Ended, Recording, RecordingState},
    recording::{
        encoder::Encoding,
        lifecycle::{Event, Tags},
        recorder::Output,
        retention, room,
        vault::Vault,
    },
    status::Room,
    time::Instant,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

/// Recordings at once; a board has at most 24 ports.
const MAX_RECORDINGS: usize = 64;
/// Closed recordings whose calls are not over yet.
const MAX_CLOSED: usize = 256;
/// Work taken before recordings get their turn.
const WORK_PER_TURN: usize = 256;
/// Records kept while the journal's queue is full.
const MAX_UNSENT: usize = 1_024;
/// How often taps are emptied. They cannot wake this thread: the media thread makes no system call for it.
const TAP_POLL: Duration = Duration::from_millis(100);
/// How often an idle thread looks after the index.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// After its call is over a tap should run dry at once; the recording is closed after this long anyway.
const TAP_GRACE_MS: u64 = 10_000;

/// Earlier calls of one number that are counted.
const MAX_PRIOR_CALLS: usize = 10_000;

pub(super) enum Work {
    Start { call: CallId, recording: RecordingId, tags: Tags, tap: Option<rtrb::Consumer<TapFrame>> },
    Durable(Durable),
    Close,
}

/// How new recordings are encrypted.
enum Encryption {
    Off,
    On(Vault),
    /// They are to be, and there is no key.
    NoKey,
}

/// A finished call whose recording is still being written.
struct Waiting {
    record: Box<CallRecord>,
    close_at: Instant,
}

pub(super) struct Worker {
    data_dir: PathBuf,
    /// What recordings are sealed with.
    key: Option<BoxKey>,
    clock: Clock,
    /// Gone when everything is written at the end.
    journal: Option<Journal>,
    ballast: Ballast,
    indexing: Indexing,
    keeping: Keeping,
    encoding: Encoding,
    room: Room,
    on_event: OnEvent,
    counters: Arc<StorageCounters>,
    active: BTreeMap<CallId, Active>,
    closed: BTreeMap<CallId, Recording>,
    waiting: BTreeMap<CallId, Waiting>,
    /// Records that the journal's full queue did not take.
    unsent: Vec<CallRecord>,
    /// Durable facts for the next index commit, and what to report after it.
    fresh: Vec<Fact>,
    events: Vec<Event>,
    output: Output,
    encryption: Encryption,
    /// The recording being worked on: the one to give up after a panic.
    at_work: Option<CallId>,
    closing: bool,
}

impl Worker {
    pub(super) fn new(
        (data_dir, key): (&Path, Option<BoxKey>),
        clock: Clock,
        (journal, ballast, index): (Journal, Ballast, Index),
        (keeping, encoding): (Keeping, Encoding),
        on_event: OnEvent,
        counters: Arc<StorageCounters>,
    ) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            key,
            clock,
            journal: Some(journal),
            ballast,
            indexing: Indexing::new(index, data_dir, clock),
            keeping,
            encoding,
            room: Room::default(),
            on_event,
            counters,
            active: BTreeMap::new(),
            closed: BTreeMap::new(),
            waiting: BTreeMap::new(),
            unsent: Vec::new(),
            fresh: Vec::new(),
            events: Vec::new(),
            output: Output::with_room(),
            encryption: Encryption::Off,
            at_work: None,
            closing: false,
        }
    }

    /// Encrypts new recordings if that is asked for.
    pub(super) fn encrypting(self, options: &Options) -> Self {
        let encryption = match &options.vault {
            _ if !options.encrypt => Encryption::Off,
            Some(vault) => Encryption::On(vault.clone()),
            None => Encryption::NoKey,
        };
        Self { encryption, ..self }
    }

    /// Works until the journal's thread has ended, which it does when this one lets go of it.
    pub(super) fn run(&mut self, inbox: &Receiver<Work>, last_seq: u64, index_ready: SyncSender<()>) {
        self.indexing.saw(last_seq);
        let mut index_ready = Some(index_ready);
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn(inbox))) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => self.after_panic(),
            }
            if self.indexing.is_level() {
                index_ready = None;
            }
        }
        drop(index_ready);
        self.indexing.close();
    }

    fn look_at_disk(&mut self) {
        let Some(disk) = disk::room(&self.data_dir) else { return };
        self.counters.free_bytes.store(disk.free_bytes, Ordering::Relaxed);
        self.counters.total_bytes.store(disk.total_bytes, Ordering::Relaxed);
        let room = self.room.after(disk.free_bytes, disk.total_bytes);
        if room != self.room {
            tracing::warn!(?room, free_bytes = disk.free_bytes, "the room on the disk changed");
            self.room = room;
            self.counters.room.store(room.code(), Ordering::Relaxed);
        }
    }

    /// Erases what is due, in a small slice; not while the daemon stops or the index lags behind.
    fn keep(&mut self, now: Instant) {
        let Some(journal) = self.journal.as_ref().filter(|_| !self.closing && self.indexing.is_level())
        else {
            return;
        };
        let erased = self.keeping.turn(journal, self.room, now, self.clock.wall());
        self.counters.erased.fetch_add(erased, Ordering::Relaxed);
        let erasing = self.keeping.erasing();
        if erasing.turn(journal, self.active.is_empty(), now) == Next::RenewIndex {
            self.indexing.renew(erasing.renewed());
        }
    }

    /// One round; false when there is nothing more to come.
    fn turn(&mut self, inbox: &Receiver<Work>) -> bool {
        count(&self.counters.turns);
        self.look_at_disk();
        let mut going = true;
        let wait = if self.active.is_empty() && self.indexing.is_level() { IDLE_POLL } else { TAP_POLL };
        match inbox.recv_timeout(if self.closing { Duration::from_millis(1) } else { wait }) {
            Ok(work) => self.take(work),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => going = false,
        }
        for work in inbox.try_iter().take(WORK_PER_TURN) {
            self.take(work);
        }
        let now = self.clock.now();
        self.stop_on_full_disk();
        self.write_recordings(now);
        self.send_unsent();
        self.index(now);
        self.keeping.books().set_level(self.indexing.is_level());
        self.counters.index_behind.store(!self.indexing.is_level(), Ordering::Relaxed);
        if self.indexing.is_level() {
            self.keeping.handlings().let_go_of_indexed();
        }
        self.keep(now);
        if self.closing && self.active.is_empty() && self.unsent.is_empty() {
            self.let_go_of_journal();
        }
        going
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Start { call, recording, tags, tap } => {
                self.at_work = Some(call);
                self.start(call, recording, &tags, tap);
                self.at_work = None;
            }
            Work::Durable(durable) => {
                if self.indexing.wants(durable.seq, &durable.fact) {
                    self.fresh.push(durable.fact.clone());
                }
                durable.fact.record().inspect(|record| self.keeping.handlings().is_durable(record));
                match durable.fact {
                    Fact::Call(Kind::Answered, _) | Fact::Note(_) => {}
                    Fact::Call(Kind::Ringing, record) => self.count_prior_calls(&record),
                    Fact::Call(Kind::Ended | Kind::Interrupted, record) => self.ended(record),
                    Fact::Call(Kind::Recorded, record) => self.recorded(record),
                    Fact::Call(Kind::Erased, record) => self.erased(record),
                    Fact::Call(Kind::Handled, record) => self.handled(&record),
                }
            }
            Work::Close => {
                self.closing = true;
                // What was saved before is durable and in the inbox after this.
                if let Some(journal) = &self.journal {
                    journal.stop();
                    journal.wait();
                }
            }
        }
    }

    fn start(
        &mut self,
        call: CallId,
        recording: RecordingId,
        tags: &Tags,
        tap: Option<rtrb::Consumer<TapFrame>>,
    ) {
        let Some(tap) = tap else {
            return self.refuse(call, recording, "no_tap");
        };
        if self.is_disk_full() {
            return self.refuse(call, recording, "disk_full");
        }
        if self.active.len() >= MAX_RECORDINGS {
            return self.refuse(call, recording, "too_many_recordings");
        }
        let vault = match &self.encryption {
            Encryption::Off => None,
            Encryption::On(vault) => Some(vault),
            Encryption::NoKey => return self.refuse(call, recording, "no_key"),
        };
        let Some(encoding) = self.room.encoding(self.encoding) else {
            count(&self.counters.refused_low);
            return self.refuse(call, recording, room::WHY_NONE);
        };
        let (ids, now) = ((call, recording), self.clock.now());
        match Active::begin((&self.data_dir, vault), ids, (tags, encoding), tap, now, &mut self.output) {
            Ok(active) => {
                self.active.insert(call, active);
            }
            Err(fault) => {
                tracing::error!(%call, %fault, "recording lost; check the disk of the data directory");
                self.closed(call, facts::failed(recording, RecordingState::Failed, fault.why()));
            }
        }
    }

    fn refuse(&mut self, call: CallId, recording: RecordingId, why: &'static str) {
        tracing::error!(%call, why, "recording refused");
        self.closed(call, facts::failed(recording, RecordingState::None, why));
    }

    fn ended(&mut self, record: Box<CallRecord>) {
        let call = record.id;
        self.events.push(Event::Saved { call });
        if self.active.contains_key(&call) {
            let close_at = self.clock.now().after_ms(TAP_GRACE_MS);
            self.waiting.insert(call, Waiting { record, close_at });
        } else if let Some(recording) = self.closed.remove(&call) {
            self.save_recorded(record, recording);
        }
    }

    /// The phones ring already, and the call's first entry is safe: now there is time to look who calls.
    fn count_prior_calls(&mut self, record: &CallRecord) {
        let Some(number) = &record.customer_phone_number else { return };
        let Some(prior) = self.keeping.books().count_of(number, MAX_PRIOR_CALLS) else { return };
        let prior = u32::try_from(prior).unwrap_or(u32::MAX);
        let handling = self.keeping.handlings().found_prior_calls(record.id, prior).map(Box::new);
        self.events.extend(handling.map(|handling| Event::Handled {
            call: record.id,
            handling,
            revision: None,
        }));
    }

    /// A person changed something; of a call that is up nobody else is to be told.
    fn handled(&mut self, record: &CallRecord) {
        if record.outcome.ended == Ended::InProgress {
            return;
        }
        if record.recording.path.is_some() && is_settled(record) {
            self.write_sidecar(record);
        }
        self.events.push(Event::Saved { call: record.id });
    }

    fn recorded(&mut self, record: Box<CallRecord>) {
        self.write_sidecar(&record);
        self.events.push(Event::Recorded { call: record.id, recording: Box::new(record.recording.clone()) });
    }

    /// Something of a call is gone from the disk, and the journal says so.
    fn erased(&mut self, record: Box<CallRecord>) {
        self.write_sidecar(&record);
        if retention::is_erased(&record) {
            self.keeping.erase_frames(&record, self.clock.now());
        }
        self.events.push(Event::Saved { call: record.id });
    }

    fn write_sidecar(&self, record: &CallRecord) {
        if let Err(error) = files::write_sidecar(&self.data_dir, record) {
            count(&self.counters.failed_sidecars);
            tracing::warn!(call = %record.id, %error, "sidecar not written; the journal has the record");
        }
    }

    /// Gives every recording its turn and closes those that are over.
    fn write_recordings(&mut self, now: Instant) {
        let mut over = Vec::new();
        for (&call, active) in &mut self.active {
            self.at_work = Some(call);
            match active.turn(now, &mut self.output) {
                Err(fault) => over.push((call, Some(fault))),
                Ok(Progress::Over) => over.push((call, None)),
                Ok(Progress::Going) => {
                    let late = self.waiting.get(&call).is_some_and(|waiting| waiting.close_at <= now);
                    if late || self.closing {
                        over.push((call, None));
                    }
                }
            }
        }
        for (call, fault) in over {
            self.at_work = Some(call);
            self.close(call, fault);
        }
        self.at_work = None;
    }

    fn close(&mut self, call: CallId, fault: Option<Fault>) {
        let Some(active) = self.active.remove(&call) else { return };
        let (recording, fault) = match fault {
            Some(fault) => (active.stop(&fault), Some(fault)),
            None => active.close(&mut self.output),
        };
        if let Some(fault) = fault {
            tracing::error!(%call, %fault, kept_ms = recording.duration_ms, "recording cut short");
        }
        self.closed(call, recording);
    }

    /// A recording is closed, or there is none: its facts go to its record, now or when the call is over.
    fn closed(&mut self, call: CallId, recording: Recording) {
        match recording.state {
            RecordingState::Closed => count(&self.counters.recordings),
            RecordingState::None
            | RecordingState::Writing
            | RecordingState::Recovered
            | RecordingState::Failed
            | RecordingState::Erased => count(&self.counters.failed_recordings),
        }
        self.counters.gap_ms.fetch_add(recording.gap_ms, Ordering::Relaxed);
        if let Some(waiting) = self.waiting.remove(&call) {
            return self.save_recorded(waiting.record, recording);
        }
        self.closed.insert(call, recording);
        if self.closed.len() > MAX_CLOSED {
            // Ids sort by time: the oldest is of a call that never was saved. The next start settles it.
            self.closed.pop_first();
        }
    }

    fn save_recorded(&mut self, mut record: Box<CallRecord>, recording: Recording) {
        facts::merge(&mut record, recording, self.key.as_ref());
        if self.unsent.len() < MAX_UNSENT {
            self.unsent.push(*record);
        } else {
            // The file is whole; the next start finds it and journals it.
            tracing::error!(call = %record.id, "recording not journaled: the disk does not take entries");
        }
    }

    fn send_unsent(&mut self) {
        let Some(journal) = &self.journal else { return };
        let handlings = self.keeping.handlings();
        self.unsent.retain(|record| {
            handlings.append_after(journal, Kind::Recorded, Box::new(record.clone())).is_err()
        });
    }

    /// What is left on a full disk is the journal's.
    fn stop_on_full_disk(&mut self) {
        if !self.journal_says_full() {
            return;
        }
        for call in self.active.keys().copied().collect::<Vec<_>>() {
            self.close(call, Some(Fault::Io(std::io::ErrorKind::StorageFull.into())));
        }
    }

    /// Whether recordings are refused; the ballast taken back means that there is room again.
    fn is_disk_full(&mut self) -> bool {
        if !self.journal_says_full() || !self.ballast.take() {
            return self.journal_says_full();
        }
        if let Some(journal) = &self.journal {
            journal.counters().disk_full.store(false, Ordering::Relaxed);
        }
        false
    }

    fn journal_says_full(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.counters().disk_full.load(Ordering::Relaxed))
    }

    fn index(&mut self, now: Instant) {
        let put = self.indexing.put(std::mem::take(&mut self.fresh));
        for error in [put.err(), self.indexing.turn(now).err()].into_iter().flatten() {
            count(&self.counters.index_failures);
            tracing::warn!(%error, "index failed; calls go on, it is opened again and filled from the journal");
        }
        self.events.drain(..).for_each(&*self.on_event);
    }

    fn let_go_of_journal(&mut self) {
        let Some(journal) = self.journal.take() else { return };
        journal.wait();
    }

    fn after_panic(&mut self) {
        count(&self.counters.panics);
        let call = self.at_work.take();
        tracing::error!(call = ?call, "storage thread panicked; its work goes on");
        // The encoder or file that panicked is not touched again; a start repairs what it left.
        if let Some(call) = call
            && let Some(active) = self.active.remove(&call)
        {
            let recording = active.give_up();
            self.closed(call, recording);
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
