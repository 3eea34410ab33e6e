//! The index of calls: derived from the journal, rebuildable at any time. The only file that names `sled`.
//!
//! ```text
//! calls     call number, big-endian u64            -> the call record, JSON
//! by_id     call id, text                          -> call number
//! by_time   start time in ms, call number, both BE -> nothing
//! meta      "applied"                              -> number of the last journal entry that is in here
//! ```
//! `flush()` of sled 0.34 does not survive a power cut: it writes without asking for the file's size and extents to
//! be kept. A commit here is `flush()` and then `fdatasync` of `<dir>/db` by a descriptor of our own.
//!
//! An index that fails, panics or takes more than 10 s to open is put aside as `index.bad-<time>` and an empty one
//! takes its place; [`Index::catch_up`] fills it from the journal. Nothing in a call waits for the index.

use crate::{
    id::CallId,
    io::{files, journal::reader},
    record::{CallRecord, Ended},
    time::WallTime,
};
use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

/// sled's page cache in bytes. It is not a hard bound: never walk the whole tree.
const CACHE_BYTES: u64 = 8 << 20;
/// An index that takes longer to open is put aside.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Records committed at once while catching up.
const BATCH_RECORDS: usize = 500;
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
}

impl IndexError {
    /// Whether nothing is wrong with the index itself: the disk is full, or sled's lock is not free yet.
    fn is_passing(&self) -> bool {
        match self {
            Self::Sled(sled::Error::Io(error)) | Self::Io(error) => {
                // sled gives the lock no kind of its own.
                error.kind() == io::ErrorKind::StorageFull
                    || error.to_string().contains("could not acquire lock")
            }
            Self::Sled(_) | Self::Closed | Self::Json(_) | Self::Panicked | Self::Slow => false,
        }
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
    trees: RwLock<Option<Trees>>,
    /// One writer at a time: a revision is compared and replaced under it.
    writing: Mutex<()>,
}

#[derive(Clone)]
struct Trees {
    db: sled::Db,
    calls: sled::Tree,
    by_id: sled::Tree,
    by_time: sled::Tree,
    meta: sled::Tree,
}

/// How opening went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The index was there, or the box is new.
    Whole,
    /// A bad one was put aside; this one is empty and has to be filled from the journal.
    Replaced,
}

impl Index {
    /// The index in `dir`, to be opened.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self::synced_by(dir, File::sync_data)
    }

    /// The index in `dir`, to be opened, whose commits are made durable by `sync`.
    #[must_use]
    pub fn synced_by(dir: &Path, sync: SyncFile) -> Self {
        let shared = Shared { dir: dir.to_owned(), sync, trees: RwLock::new(None), writing: Mutex::new(()) };
        Self { shared: Arc::new(shared) }
    }

    /// Opens it, replacing one that cannot be opened; `wall` names what is put aside. Blocks for up to 10 s, but no
    /// reader meanwhile.
    ///
    /// # Errors
    /// If the disk is full, or not even an empty index can be made.
    pub fn open(&self, wall: WallTime) -> Result<Opening, IndexError> {
        // sled locks its file: what is open has to go first.
        self.close();
        let (trees, opening) = open_or_replace(&self.shared.dir, wall)?;
        *self.shared.trees.write().unwrap_or_else(PoisonError::into_inner) = Some(trees);
        Ok(opening)
    }

    /// Closes it, as after an error; readers get [`IndexError::Closed`].
    pub fn close(&self) {
        *self.shared.trees.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts one record; see [`Index::put_all`].
    ///
    /// # Errors
    /// As [`Index::put_all`].
    pub fn put(&self, record: &CallRecord) -> Result<(), IndexError> {
        self.put_all([record], None)
    }

    /// Puts records and makes them durable at once. A record replaces one of a lower or equal revision, never of a
    /// higher one; calls in progress are left out. `applied` is the number of the last journal entry that is in.
    ///
    /// # Errors
    /// If sled or the disk fails; the index should be opened again.
    pub fn put_all<'a>(
        &self,
        records: impl IntoIterator<Item = &'a CallRecord>,
        applied: Option<u64>,
    ) -> Result<(), IndexError> {
        let trees = self.trees()?;
        let _writing = self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            if record.outcome.ended != Ended::InProgress {
                guarded(|| trees.put(record))?;
            }
        }
        if let Some(seq) = applied {
            guarded(|| Ok(trees.meta.insert(APPLIED, &seq.to_be_bytes())?))?;
        }
        guarded(|| Ok(trees.db.flush()?))?;
        Ok((self.shared.sync)(&File::open(self.shared.dir.join("db"))?)?)
    }

    /// The record of a call.
    ///
    /// # Errors
    /// If sled fails.
    pub fn get(&self, call: CallId) -> Result<Option<CallRecord>, IndexError> {
        let trees = self.trees()?;
        guarded(|| {
            let Some(seq) = trees.by_id.get(call.to_string())? else { return Ok(None) };
            Ok(trees.calls.get(seq)?.and_then(|json| decode(&json)))
        })
    }

    /// At most `limit` records, newest first, of calls numbered below `before`; of all calls if it is `None`.
    ///
    /// # Errors
    /// If sled fails.
    pub fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        let (trees, before) = (self.trees()?, before.unwrap_or(u64::MAX).to_be_bytes());
        guarded(|| {
            let newest_first = trees.calls.range(..before.as_slice()).rev();
            let records = newest_first.filter_map(|item| item.map(|(_, json)| decode(&json)).transpose());
            Ok(records.take(limit).collect::<Result<_, _>>()?)
        })
    }

    /// At most `limit` records, newest first, of calls that came in at `start` or later.
    ///
    /// # Errors
    /// If sled fails.
    pub fn since(&self, start: WallTime, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        let (trees, start) = (self.trees()?, start.0.to_be_bytes());
        guarded(|| {
            let mut records = Vec::new();
            for item in trees.by_time.range(start.as_slice()..).rev().take(limit) {
                let (key, _) = item?;
                let json = key.get(8..).map(|seq| trees.calls.get(seq)).transpose()?.flatten();
                records.extend(json.and_then(|json| decode(&json)));
            }
            Ok(records)
        })
    }

    /// Number of the next call as far as the index knows; the journal knows best.
    ///
    /// # Errors
    /// If sled fails.
    pub fn next_seq(&self) -> Result<u64, IndexError> {
        let trees = self.trees()?;
        let last = guarded(|| Ok(trees.calls.last()?))?;
        Ok(last.and_then(|(key, _)| number(&key)).map_or(1, |seq| seq.saturating_add(1)))
    }

    /// Number of the last journal entry that is in the index; 0 if none is.
    ///
    /// # Errors
    /// If sled fails.
    pub fn applied(&self) -> Result<u64, IndexError> {
        let trees = self.trees()?;
        let applied = guarded(|| Ok(trees.meta.get(APPLIED)?))?;
        Ok(applied.and_then(|value| number(&value)).unwrap_or(0))
    }

    /// Puts what the journal has after entry `after` and returns the number of the last entry put.
    ///
    /// # Errors
    /// If the journal cannot be read or the index fails.
    pub fn catch_up(&self, journal: &Path, after: u64) -> Result<u64, IndexError> {
        let mut batch = Vec::with_capacity(BATCH_RECORDS);
        let mut last = after;
        for entry in reader::Reader::open(journal, reader::segment_with(journal, after + 1)?)? {
            let entry = entry?;
            if entry.seq <= after {
                continue;
            }
            last = entry.seq;
            batch.push(entry.record);
            if batch.len() == BATCH_RECORDS {
                self.put_all(&batch, None)?;
                batch.clear();
            }
        }
        self.put_all(&batch, Some(last))?;
        Ok(last)
    }

    fn trees(&self) -> Result<Trees, IndexError> {
        let trees = self.shared.trees.read().unwrap_or_else(PoisonError::into_inner);
        trees.clone().ok_or(IndexError::Closed)
    }
}

impl Trees {
    fn put(&self, record: &CallRecord) -> Result<(), IndexError> {
        use sled::{
            Transactional as _,
            transaction::{ConflictableTransactionResult, TransactionError},
        };
        let seq = record.seq.to_be_bytes();
        if let Some(known) = self.calls.get(seq)?.and_then(|json| decode(&json))
            && known.rev > record.rev
        {
            return Ok(());
        }
        let (json, id) = (serde_json::to_vec(record)?, record.id.to_string());
        let time = [record.start_time.0.to_be_bytes(), seq].concat();
        let trees = (&self.calls, &self.by_id, &self.by_time);
        let put =
            trees.transaction(|(calls, by_id, by_time)| -> ConflictableTransactionResult<(), sled::Error> {
                calls.insert(&seq, json.as_slice())?;
                by_id.insert(id.as_bytes(), &seq)?;
                by_time.insert(time.as_slice(), &[])?;
                Ok(())
            });
        put.map_err(|error| match error {
            TransactionError::Abort(error) | TransactionError::Storage(error) => error.into(),
        })
    }
}

fn decode(json: &[u8]) -> Option<CallRecord> {
    serde_json::from_slice(json).ok()
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// sled 0.34 may panic on a damaged file; that is an error like any other here.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Panicked))
}

fn open_trees(config: sled::Config) -> Result<Trees, IndexError> {
    // Commits flush by themselves; sled's own thread would only hide errors.
    let config = config.cache_capacity(CACHE_BYTES).mode(sled::Mode::LowSpace).flush_every_ms(None);
    guarded(|| {
        let db = config.open()?;
        let tree = |name: &str| db.open_tree(name);
        Ok(Trees {
            calls: tree("calls")?,
            by_id: tree("by_id")?,
            by_time: tree("by_time")?,
            meta: tree("meta")?,
            db,
        })
    })
}

/// Opens in a thread of its own, so that an index that never opens can be left behind.
fn open_in_time(dir: &Path) -> Result<Trees, IndexError> {
    files::make_dir(dir)?;
    let (opened, opening) = sync_channel(1);
    let config = sled::Config::new().path(dir);
    thread::Builder::new().name("index-open".to_owned()).spawn(move || {
        // Nobody listens after 10 s; the index is then dropped here.
        let _ = opened.send(open_trees(config));
    })?;
    match opening.recv_timeout(OPEN_LIMIT) {
        Ok(trees) => {
            files::sync_dir(dir)?;
            trees
        }
        Err(RecvTimeoutError::Timeout) => Err(IndexError::Slow),
        Err(RecvTimeoutError::Disconnected) => Err(IndexError::Panicked),
    }
}

fn open_or_replace(dir: &Path, wall: WallTime) -> Result<(Trees, Opening), IndexError> {
    let error = match open_in_time(dir) {
        Ok(trees) => return Ok((trees, Opening::Whole)),
        // sled does not open on a full disk, however good the index is.
        Err(error) if error.is_passing() => return Err(error),
        Err(error) => error,
    };
    let aside = free_name(dir, wall);
    tracing::error!(%error, aside = %aside.display(), "the index is put aside and rebuilt from the journal");
    fs::rename(dir, aside)?;
    Ok((open_in_time(dir)?, Opening::Replaced))
}

/// A name that is not taken: a clock that stands still or is put back gives the same time again.
fn free_name(dir: &Path, wall: WallTime) -> PathBuf {
    let named = |time: u64| {
        let mut name = dir.as_os_str().to_owned();
        name.push(format!(".bad-{time}"));
        PathBuf::from(name)
    };
    (wall.0..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(wall.0))
}
