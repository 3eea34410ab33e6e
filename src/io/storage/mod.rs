//! The storage thread and the way to it: recordings, sidecars, the index, and through the journal's own thread the
//! truth.
//!
//! ```text
//! send ----------------> journal thread ---(durable)---> storage thread ---> index, sidecar, events
//! start_recording -----------------------(tap)---------> storage thread ---> Opus file --(recorded)--> journal
//! ```
//! Nothing here makes a caller wait: queues are bounded, what does not fit is counted and logged, and a recording
//! that cannot be written leaves its reason on the record.

mod books;
mod erasing;
mod facts;
mod handled;
mod indexing;
mod keeping;
mod orphans;
mod recorded;
mod recovery;
mod worker;

pub use keeping::{Desk, audit, kept_until};
pub use recovery::{Recovered, recover};

use crate::{
    audio::tap_frame::TapFrame,
    config::{Config, Retention},
    id::{BoxId, CallId, RecordingId},
    io::{
        box_key::BoxKey,
        clock::Clock,
        files::{self, Ballast, INDEX_DIR, JOURNAL_DIR},
        journal::{
            Fact, Kind,
            chain::Head,
            commit::{Journal, JournalCounters, JournalFull},
            writer::{Disk, Opened, RealDisk, Writer},
        },
        store::{Index, SyncFile},
    },
    note::Note,
    record::{CallRecord, Recording, RecordingState},
    recording::{
        encoder::Encoding,
        lifecycle::{Command, Event, Tags},
        retention::{Policy, Upstream},
        vault::{CIPHER, Vault},
    },
};
use books::IndexBooks;
use handled::Handlings;
use keeping::Keeping;
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use worker::{Work, Worker};

/// Work that may wait for the storage thread. Durable entries that do not fit are read from the journal later.
const INBOX: usize = 4_096;
/// Calls with a recording that are not over: far above what a board has lines for.
const MAX_BEGUN: usize = 256;
/// How long a start waits for the index; after that it is filled while calls go on.
const INDEX_WAIT: Duration = Duration::from_secs(3);

/// How long the journal may take to sign its end; a failing disk does not hold up what goes upstream.
const HEAD_PATIENCE: Duration = Duration::from_secs(1);

/// What a site may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes kept free for the journal on a full disk.
    pub ballast_bytes: usize,
    /// The keys of encrypted recordings: those that a crash left open need them also when new ones are plain.
    pub vault: Option<Vault>,
    /// Whether new recordings are encrypted. Without a vault there are none then, rather than plain ones.
    pub encrypt: bool,
    /// How long things are kept. Default: for ever.
    pub policy: Policy,
    /// What a recording may cost while there is room.
    pub encoding: Encoding,
}

impl Default for Options {
    fn default() -> Self {
        let (policy, encoding) = (Policy::default(), Encoding::default());
        Self { ballast_bytes: 16 << 20, vault: None, encrypt: false, policy, encoding }
    }
}

impl Options {
    /// What a site's configuration says; its vault is opened by whoever has the data directory.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let Retention { recordings_days, records_days, missed_days, grace_days } = config.retention;
        let upstream = if config.upstream.is_some() { Upstream::Configured } else { Upstream::None };
        Self {
            encrypt: config.recording.encrypt,
            policy: Policy { recordings_days, records_days, missed_days, grace_days, upstream },
            encoding: Encoding {
                bitrate_bps: config.recording.bitrate_bps,
                complexity: config.recording.complexity,
            },
            ..Self::default()
        }
    }
}

/// What journal and index are kept on; a test may stand in for either.
pub struct Disks {
    /// The journal's.
    pub journal: Box<dyn Disk>,
    /// What makes a commit of the index durable.
    pub index: SyncFile,
}

impl Default for Disks {
    fn default() -> Self {
        Self { journal: Box::new(RealDisk), index: File::sync_data }
    }
}

/// Storage cannot start.
#[derive(Debug, thiserror::Error)]
#[error("data directory {}: {call}: {error}; check that the disk is mounted, writable and not full", dir.display())]
pub struct StorageError {
    dir: PathBuf,
    call: &'static str,
    error: io::Error,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct StorageCounters {
    /// Turns of the storage thread's loop, at least one a second: its sign of life.
    pub turns: AtomicU64,
    /// Bytes that may still be written to the data directory's disk, and bytes of it in all; 0 until looked at.
    pub free_bytes: AtomicU64,
    /// See `free_bytes`.
    pub total_bytes: AtomicU64,
    /// What the disk's room allows, a [`crate::status::Room`] by its code.
    pub room: AtomicU8,
    /// Recordings not begun because the disk is nearly full.
    pub refused_low: AtomicU64,
    /// Erasures done: recordings, and records.
    pub erased: AtomicU64,
    /// Recordings closed whole.
    pub recordings: AtomicU64,
    /// Recordings cut short or not written at all.
    pub failed_recordings: AtomicU64,
    /// Milliseconds of silence written where audio was lost between the line and the file.
    pub gap_ms: AtomicU64,
    /// Times the index failed and was opened again.
    pub index_failures: AtomicU64,
    /// Whether the index is not level with the journal.
    pub index_behind: AtomicBool,
    /// Sidecars that could not be written.
    pub failed_sidecars: AtomicU64,
    /// Panics caught.
    pub panics: AtomicU64,
    /// Recordings refused because the storage thread's queue was full.
    pub refused: AtomicU64,
}

/// What the worker reports to; runs on the journal and storage threads.
type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// The running storage. Dropped, it writes out everything and ends its threads.
pub struct Storage {
    journal: Option<Arc<Journal>>,
    inbox: Option<SyncSender<Work>>,
    index: Index,
    /// Recordings begun for calls that are not over.
    begun: Mutex<BTreeMap<CallId, Recording>>,
    encrypt: bool,
    journal_counters: Arc<JournalCounters>,
    counters: Arc<StorageCounters>,
    desk: Desk,
    handlings: Handlings,
    worker: Option<JoinHandle<()>>,
    /// Keeps a second daemon out of the data directory.
    _lock: File,
}

/// Starts the journal and storage threads; [`recover`] must have run before. `on_event` is called on both threads and
/// must not block.
///
/// # Errors
/// If the journal cannot be opened or a thread cannot be started. A bad index is no error: it is rebuilt.
pub fn start(
    data_dir: &Path,
    options: &Options,
    clock: Clock,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Storage, StorageError> {
    start_on(Disks::default(), data_dir, options, clock, on_event)
}

/// As [`start`], on other disks than the machine's.
///
/// # Errors
/// As [`start`].
pub fn start_on(
    disks: Disks,
    data_dir: &Path,
    options: &Options,
    clock: Clock,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Storage, StorageError> {
    let failed = |call| move |error| StorageError { dir: data_dir.to_owned(), call, error };
    let lock = lock(data_dir)?;
    let OpenJournal { writer, key, .. } = open_journal(data_dir, disks.journal, clock)?;
    let ballast = Ballast::new(data_dir, options.ballast_bytes);
    ballast.take();
    let on_event: OnEvent = Arc::new(on_event);
    let (inbox, work) = sync_channel(INBOX);
    let last_seq = writer.next_seq() - 1;
    let (forward, report) = (inbox.clone(), on_event.clone());
    let journal = Journal::start(writer, clock, ballast.clone(), move |durable| {
        match &durable.fact {
            Fact::Call(Kind::Ringing, record) => {
                report(Event::Journaled { call: record.id, ms: durable.ms });
            }
            Fact::Call(Kind::Handled, record) => {
                let handling = Box::new(record.handling.clone());
                let revision = Some((record.seq, record.rev));
                report(Event::Handled { call: record.id, handling, revision });
            }
            Fact::Call(..) | Fact::Note(_) => {}
        }
        // A full inbox is no loss: the gap in the numbers makes the storage thread read the journal.
        let _ = forward.try_send(Work::Durable(durable));
    })
    .map_err(failed("start the journal's thread"))?;
    let index = Index::synced_by(&data_dir.join(INDEX_DIR), disks.index);
    let counters = Arc::new(StorageCounters::default());
    let journal_counters = journal.counters().clone();
    let (ready, index_ready) = sync_channel(1);
    let keeping = Keeping::new(data_dir, IndexBooks::new(index.clone(), options.policy), options.policy);
    let desk = Desk::new(journal.clone(), &keeping, options.policy, clock);
    let handlings = keeping.handlings().clone();
    let (of, work_on) = ((data_dir, key), (journal.clone(), ballast, index.clone()));
    let mut worker = Worker::new(of, clock, work_on, (keeping, options.encoding), on_event, counters.clone())
        .encrypting(options);
    let worker = thread::Builder::new()
        .name("storage".to_owned())
        .spawn(move || worker.run(&work, last_seq, ready))
        .map_err(failed("start the storage thread"))?;
    let _ = index_ready.recv_timeout(INDEX_WAIT);
    Ok(Storage {
        journal: Some(Arc::new(journal)),
        inbox: Some(inbox),
        index,
        begun: Mutex::default(),
        encrypt: options.encrypt,
        journal_counters,
        counters,
        desk,
        handlings,
        worker: Some(worker),
        _lock: lock,
    })
}

impl Storage {
    /// Takes a fact for the journal. Never waits; an entry that cannot be queued is counted and logged.
    ///
    /// A [`Command::Start`] belongs to [`Storage::start_recording`]; without its tap it is a recording that failed.
    pub fn send(&self, command: Command) {
        match command {
            Command::Ringing(record) => self.append(Kind::Ringing, record),
            Command::Answered { call: _, record } => self.append(Kind::Answered, record),
            Command::Start { call, recording, tags } => self.begin(call, recording, tags, None),
            Command::Save(mut record) => {
                if let Some(begun) = self.begun().remove(&record.id) {
                    let expected_ms = record.recording.expected_ms;
                    record.recording = Recording { expected_ms, ..begun };
                }
                self.append(Kind::Ended, record);
            }
        }
    }

    /// Begins a recording of what comes from `tap`; it is closed when the tap is abandoned and empty. Never waits.
    pub fn start_recording(
        &self,
        call: CallId,
        recording: RecordingId,
        tags: Tags,
        tap: rtrb::Consumer<TapFrame>,
    ) {
        self.begin(call, recording, tags, Some(tap));
    }

    /// The journal's thread, for notes, its signed head, and erasures; gone when storage ends.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_deref()
    }

    /// The index of finished calls.
    #[must_use]
    pub fn index(&self) -> Index {
        self.index.clone()
    }

    /// Where owners ask for erasures and holds.
    #[must_use]
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// A way to the journal for notes.
    #[must_use]
    pub fn notes(&self) -> Notes {
        Notes { journal: self.journal.as_ref().map(Arc::downgrade).unwrap_or_default() }
    }

    /// Counters of the storage thread.
    #[must_use]
    pub fn counters(&self) -> &StorageCounters {
        &self.counters
    }

    /// Counters of the journal.
    #[must_use]
    pub fn journal_counters(&self) -> &JournalCounters {
        &self.journal_counters
    }

    /// Writes out everything and ends: recordings are closed as far as their taps hold audio.
    pub fn shutdown(self) {
        drop(self);
    }

    fn append(&self, kind: Kind, record: Box<CallRecord>) {
        // The journal counts and logs what it refuses; there is nobody else to tell.
        let _ = self.journal.as_ref().map(|journal| self.handlings.append(journal, kind, record));
    }

    fn begin(&self, call: CallId, recording: RecordingId, tags: Tags, tap: Option<rtrb::Consumer<TapFrame>>) {
        let begun = facts::begun(call, tags.start_time, self.encrypt.then_some(CIPHER));
        let mut begun = Recording { id: Some(recording), ..begun };
        let work = Work::Start { call, recording, tags, tap };
        if self.inbox.as_ref().is_none_or(|inbox| inbox.try_send(work).is_err()) {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%call, "recording lost: the storage thread does not keep up");
            begun = facts::failed(recording, RecordingState::None, "storage_busy");
        }
        let mut all = self.begun();
        all.insert(call, begun);
        if all.len() > MAX_BEGUN {
            // Ids sort by time: the oldest is of a call that never was saved. The next start settles it.
            all.pop_first();
        }
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<CallId, Recording>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A way to the journal for notes, that does not keep its thread alive.
#[derive(Clone)]
pub struct Notes {
    journal: Weak<Journal>,
}

impl Notes {
    /// Queues a note; never waits.
    ///
    /// # Errors
    /// [`JournalFull`], also once storage has ended.
    pub fn note(&self, note: Note) -> Result<(), JournalFull> {
        self.journal.upgrade().ok_or(JournalFull)?.note(note)
    }

    /// The signed end of the journal, if it has one to give within a second.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.journal.upgrade()?.head_at_most(HEAD_PATIENCE)
    }

    /// Waits until what was noted before is durable, but no longer than `patience`; tells whether it is.
    #[must_use]
    pub fn wait_at_most(&self, patience: Duration) -> bool {
        self.journal.upgrade().is_some_and(|journal| journal.wait_at_most(patience))
    }

    /// Waits until what was noted before is durable.
    pub fn wait(&self) {
        if let Some(journal) = self.journal.upgrade() {
            journal.wait();
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.desk.close();
        self.journal = None;
        if let Some(inbox) = self.inbox.take() {
            let _ = inbox.send(Work::Close);
        }
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn lock(data_dir: &Path) -> Result<File, StorageError> {
    let call = "lock it (is another ringside running on it?)";
    files::lock(data_dir).map_err(|error| StorageError { dir: data_dir.to_owned(), call, error })
}

/// The journal as opened at a start, and who writes it.
struct OpenJournal {
    writer: Writer,
    opened: Opened,
    box_id: BoxId,
    /// None if it cannot be used: calls go on, and nothing is signed.
    key: Option<BoxKey>,
}

/// Opens the journal of a data directory, making the directory and the box's identity at the first start.
fn open_journal(data_dir: &Path, disk: Box<dyn Disk>, clock: Clock) -> Result<OpenJournal, StorageError> {
    let failed = |call| move |error| StorageError { dir: data_dir.to_owned(), call, error };
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(io::Error::other).map_err(failed("draw a random number"))?;
    let [for_box @ .., _, _, _, _, _, _, _, _] = random;
    let fresh = BoxId::from_parts(clock.wall(), u128::from_le_bytes(for_box));
    // A disk that fails once must not leave a whole run unsigned.
    let key = BoxKey::open_locked(data_dir).or_else(|_| BoxKey::open_locked(data_dir));
    let key = key.inspect_err(|error| tracing::error!(%error, "nothing is signed: no key")).ok();
    let public_key = key.as_ref().map(BoxKey::public_key);
    let box_id = files::identity(data_dir, fresh, public_key.as_deref());
    let box_id = box_id.map_err(failed("read or write box.json"))?;
    let boot_id = random.last_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes));
    let (writer, opened) = Writer::open(&data_dir.join(JOURNAL_DIR), box_id, boot_id, disk)
        .map_err(failed("open the journal"))?;
    Ok(OpenJournal { writer: writer.signed_with(key.clone()), opened, box_id, key })
}
