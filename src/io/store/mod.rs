//! The index of calls: what the journal's facts fold into. Derived, rebuildable at any time, versioned.
//!
//! ```text
//! calls              call number                  -> the call record, JSON, as it was journaled
//! states             call id, text                -> what is known beside the record, JSON; see `state`
//! by_time            start time in ms, number     -> the call in brief; see `ledger::brief`
//! by_caller          E.164 number, 0, number      -> nothing
//! by_hq_seq          upstream's number, call id   -> nothing              receipts that stand
//! by_recording       recording id, text           -> call id              recordings that the upstream has
//! unsent_records     call number                  -> start time in ms
//! unsent_recordings  call number                  -> start time in ms
//! refused            time in ms, number, part     -> 1 if tried again, call id
//! erasures           due in ms, number, part      -> call id
//! holds              time in ms, number         -> call id              legal holds
//! audit              time in ms, digest           -> the note, JSON
//! names              kind, key                    -> what briefs refer to, JSON; see `ledger::names`
//! meta               "applied"                    -> number of the last journal entry that is in here
//!                    "schema", "readable_by", "written_by", "counts", "live_bytes", "built_bytes"
//! ```
//! Numbers in keys are big-endian u64: keys sort as what they mean, and every question is a walk over a range of keys.
//! The rows from `by_caller` to `holds` follow from the states alone (`state`), briefs and names from the records.
//! Facts change states (`fold`); all rows of up to 100 calls go in by one transaction (`trees`). The rows of every tree
//! but `calls` and `meta` lie many together in one row of sled (`blocks`). Labels in briefs are derived: whoever changes
//! how gives the schema a new number.
//!
//! `flush()` of sled 0.34 does not survive a power cut: it writes without asking for the file's size and extents to
//! be kept. A commit here is `flush()` and then `fdatasync` of `<dir>/db` by a descriptor of our own.
//!
//! An index that fails, panics or takes more than 10 s to open is put aside as `index.bad-<time>` and an empty one
//! takes its place; [`Index::catch_up`] fills it from the journal. One of an older schema, or one whose file has
//! grown far beyond what lives in it, is built anew beside the old one (`rebuild`). One of a later schema that says
//! in `readable_by` that this version may use it is used; its trees that are not known here stay as they are, and
//! `written_by` tells the later version to rebuild it. Nothing in a call waits for the index.
//!
//! Another store, such as redb, would replace `trees` and nothing else: a name for each tree, get, a range from either
//! end, one transaction over all trees, and a durable commit, which redb's is by itself. The lock, the cache's size and
//! [`IndexError::is_passing`] go by sled's ways and would have to be looked at.

mod blocks;
mod fold;
mod opening;
mod outbox;
mod rebuild;
mod search;
mod standing;
mod state;
mod trees;

pub use opening::Opening;
pub use outbox::{AuditKey, Backlog, Erasure, Refusal};
pub use standing::Standing;
pub use state::Hold;

use crate::{
    id::CallId,
    io::journal::{Fact, reader},
    record::{CallRecord, Ended},
    time::WallTime,
};
use opening::guarded;
use std::{
    fs::File,
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use trees::{Tree, Trees, number};

/// Key in [`Tree::Meta`].
const APPLIED: &[u8] = b"applied";

/// The index cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled failed; every call after it will, until the index is opened again.
    #[error("index: {0}")]
    Sled(#[from] sled::Error),
    /// It is being opened or filled from the journal.
    #[error("index: being opened")]
    Closed,
    /// A file of the index or the journal could not be used.
    #[error("index: {0}")]
    Io(#[from] io::Error),
    /// A record could not be written as JSON.
    #[error("index: {0}")]
    Json(#[from] serde_json::Error),
    /// sled panicked.
    #[error("index: sled panicked")]
    Panicked,
    /// sled did not open within 10 s.
    #[error("index: did not open within 10 s")]
    Slow,
    /// It got nothing done for 30 s.
    #[error("index: nothing done for 30 s; it is left alone until the daemon is started again")]
    Stuck,
}

impl IndexError {
    /// Whether nothing is wrong with the index itself: the disk is full, or sled's lock is not free yet.
    fn is_passing(&self) -> bool {
        self.is_locked() || self.io().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
    }

    /// Whether another handle has sled's lock.
    fn is_locked(&self) -> bool {
        // sled gives the lock no kind of its own.
        self.io().is_some_and(|error| error.to_string().contains("could not acquire lock"))
    }

    fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Sled(sled::Error::Io(error)) | Self::Io(error) => Some(error),
            Self::Sled(_) | Self::Closed | Self::Json(_) | Self::Panicked | Self::Slow | Self::Stuck => None,
        }
    }
}

/// When an index is built anew to give space back, and what has to be left for others meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// An index of at most this many bytes stays as it is.
    pub small_bytes: u64,
    /// A larger one is built anew if it takes this many times what lives in it.
    pub ratio: u64,
    /// Free bytes of the disk below which nothing is built.
    pub spare_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { small_bytes: 16 << 20, ratio: 4, spare_bytes: 32 << 20 }
    }
}

/// The index of calls; copies share it.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

/// Makes what was written to a file durable; a test may stand in for [`File::sync_data`].
pub type SyncFile = fn(&File) -> io::Result<()>;

struct Shared {
    dir: PathBuf,
    sync: SyncFile,
    limits: Limits,
    trees: RwLock<Option<Trees>>,
    /// One writer at a time: a state is read and replaced under it.
    writing: Mutex<()>,
    /// Counts what is done.
    steps: Arc<AtomicU64>,
}

impl Index {
    /// The index in `dir`, to be opened.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self::with_limits(dir, Limits::default())
    }

    /// As [`Index::new`]; its commits are made durable by `sync`.
    #[must_use]
    pub fn synced_by(dir: &Path, sync: SyncFile) -> Self {
        Self::with(dir, Limits::default(), sync)
    }

    /// As [`Index::new`], with other limits.
    #[must_use]
    pub fn with_limits(dir: &Path, limits: Limits) -> Self {
        Self::with(dir, limits, File::sync_data)
    }

    fn with(dir: &Path, limits: Limits, sync: SyncFile) -> Self {
        let (trees, writing) = (RwLock::new(None), Mutex::new(()));
        let (dir, steps) = (dir.to_owned(), Arc::default());
        Self { shared: Arc::new(Shared { dir, sync, limits, trees, writing, steps }) }
    }

    /// Opens it, replacing one that cannot be opened; `wall` names what is put aside. What has grown too large or is of
    /// an older schema is built anew from the journal in `journal`, which takes a minute for years of calls; an index
    /// that is only too large answers meanwhile.
    ///
    /// # Errors
    /// If the disk is full, or not even an empty index can be made.
    pub fn open(&self, journal: &Path, wall: WallTime) -> Result<Opening, IndexError> {
        // sled locks its file: what is open has to go first.
        self.close();
        let Shared { dir, limits, steps, .. } = &*self.shared;
        let (trees, opening) = opening::open(dir, journal, wall, limits, steps)?;
        let is_due = guarded(|| rebuild::is_due(dir, &trees, limits)).unwrap_or(false);
        self.install(trees);
        if is_due {
            match guarded(|| rebuild::build(dir, journal, limits, steps)) {
                Ok(()) => {
                    self.close();
                    rebuild::finish(dir)?;
                    self.install(opening::open_in_time(dir, steps)?);
                }
                Err(error) => tracing::warn!(%error, "the index is not made smaller; it works as it is"),
            }
        }
        Ok(opening)
    }

    /// Counts commits and journal entries read: while something is under way and this stands still, the index hangs.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.shared.steps.load(Ordering::Relaxed)
    }

    fn install(&self, trees: Trees) {
        *self.shared.trees.write().unwrap_or_else(PoisonError::into_inner) = Some(trees);
    }

    /// Closes it, as after an error; readers get [`IndexError::Closed`].
    pub fn close(&self) {
        *self.shared.trees.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts facts, in the order of the journal, and makes them durable at once. A record replaces one of a lower or
    /// equal revision, never of a higher one; calls in progress are left out. `applied` is the number of the last
    /// journal entry that is in. What the upstream has lost is taken back in commits of 100 calls.
    ///
    /// # Errors
    /// If sled or the disk fails; the index should be opened again.
    pub fn apply(&self, facts: &[Fact], applied: Option<u64>) -> Result<(), IndexError> {
        self.write(|trees| {
            fold::apply(trees, facts, applied)?;
            trees.sync_by(self.shared.sync)
        })
    }

    /// The record of a call.
    ///
    /// # Errors
    /// If sled fails.
    pub fn get(&self, call: CallId) -> Result<Option<CallRecord>, IndexError> {
        self.read(|trees| {
            let call = call.to_string();
            let Some(state) = fold::state(trees, call.as_bytes())? else { return Ok(None) };
            let json = trees.get(Tree::Calls, state.seq.to_be_bytes())?;
            json.map_or(Ok(None), |json| outbox::record(trees, &json))
        })
    }

    /// At most `limit` records, newest first, of calls numbered below `before`; of all calls if it is `None`.
    ///
    /// # Errors
    /// If sled fails.
    pub fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let end = before.map(u64::to_be_bytes);
            let end = end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()));
            let mut records = Vec::new();
            for row in trees.range(Tree::Calls, Bound::Unbounded, end)?.rev().take(limit) {
                records.extend(outbox::record(trees, &row?.1)?);
            }
            Ok(records)
        })
    }

    /// At most `limit` records, oldest first, of calls numbered above `seq`.
    ///
    /// # Errors
    /// If sled fails.
    pub fn after(&self, seq: u64, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let start = seq.to_be_bytes();
            let mut records = Vec::new();
            for row in
                trees.range(Tree::Calls, Bound::Excluded(start.as_slice()), Bound::Unbounded)?.take(limit)
            {
                records.extend(outbox::record(trees, &row?.1)?);
            }
            Ok(records)
        })
    }

    /// At most `limit` records, newest first, of calls that came in at `start` or later.
    ///
    /// # Errors
    /// If sled fails.
    pub fn since(&self, start: WallTime, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let start = start.0.to_be_bytes();
            let rows = trees.range(Tree::ByTime, Bound::Included(start.as_slice()), Bound::Unbounded)?;
            outbox::numbered(trees, rows.rev().map(|row| row.map(|(key, _)| outbox::tail(key))), limit)
        })
    }

    /// Number of the next call as far as the index knows; the journal knows best.
    ///
    /// # Errors
    /// If sled fails.
    pub fn next_seq(&self) -> Result<u64, IndexError> {
        let last = self.read(|trees| trees.last(Tree::Calls))?;
        Ok(last.and_then(|(key, _)| number(&key)).map_or(1, |seq| seq.saturating_add(1)))
    }

    /// Number of the last journal entry that is in the index; 0 if none is.
    ///
    /// # Errors
    /// If sled fails.
    pub fn applied(&self) -> Result<u64, IndexError> {
        self.read(|trees| Ok(trees.number(APPLIED)?.unwrap_or(0)))
    }

    /// Puts what the journal has after entry `after` and returns the number of the last entry put.
    ///
    /// # Errors
    /// If the journal cannot be read or the index fails.
    pub fn catch_up(&self, journal: &Path, after: u64) -> Result<u64, IndexError> {
        let mut batch = Vec::with_capacity(rebuild::BATCH_FACTS);
        let mut last = after;
        for entry in reader::Reader::open(journal, reader::segment_with(journal, after + 1)?)? {
            let entry = entry?;
            self.shared.steps.fetch_add(1, Ordering::Relaxed);
            if entry.seq <= after {
                continue;
            }
            last = entry.seq;
            batch.extend(Some(entry.fact).filter(is_indexed));
            if batch.len() >= rebuild::BATCH_FACTS {
                self.apply(&batch, Some(last))?;
                batch.clear();
            }
        }
        self.apply(&batch, Some(last))?;
        Ok(last)
    }

    fn trees(&self) -> Result<Trees, IndexError> {
        let trees = self.shared.trees.read().unwrap_or_else(PoisonError::into_inner);
        trees.clone().ok_or(IndexError::Closed)
    }

    fn read<T>(&self, work: impl FnOnce(&Trees) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let trees = self.trees()?;
        guarded(|| work(&trees))
    }

    fn write<T>(&self, work: impl FnOnce(&Trees) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let trees = self.trees()?;
        let _writing = self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        guarded(|| work(&trees))
    }
}

/// Whether a fact changes the index: a call that is still going on does not.
#[must_use]
pub fn is_indexed(fact: &Fact) -> bool {
    fact.record().is_none_or(|record| record.outcome.ended != Ended::InProgress)
}
