//! Erases what the journal's older frames, and the index's old pages, say of calls whose records were erased.
//!
//! ```text
//!  add: call in erasing.json -> its files go, its entry is journaled (keeping)
//!       5 s after the last call, no recording going on, or an hour after the first:
//!         Journal::erase on a thread of its own -> call out of erasing.json
//!       no call left, at the start or once a day:
//!         the index is built anew from the journal -> erasing.json is removed
//! ```
//! The file is written before anything is erased, so whatever a cut leaves behind, the next start finds it there and
//! does it again; doing it twice does no harm. It names calls by their ids only.

use crate::{
    id::CallId,
    io::{
        files::{self, JOURNAL_DIR},
        journal::{
            commit::Journal,
            erase::{Erasure, ToErase},
        },
    },
    time::Instant,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

const FILE: &str = "erasing.json";
/// Calls in one go: every go reads the segments since the oldest of them.
const BATCH: usize = 256;
/// Calls that may wait. The keeper erases 20 a minute.
const MAX_CALLS: usize = 10_000;
/// More calls may be on the way: a go begins this long after the last one.
const SETTLE_MS: u64 = 5_000;
/// Recordings going on put it off for so long.
const OVERDUE_MS: u64 = 3_600_000;
/// After a failure.
const AGAIN_MS: u64 = 600_000;
/// Between two new indexes: one of years is built in a minute.
const RENEW_MS: u64 = 86_400_000;

#[derive(Default, Serialize, Deserialize)]
struct List {
    calls: Vec<Doomed>,
    /// Whether the index may still hold what was erased.
    index: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Doomed {
    call: CallId,
    /// [`crate::record::CallRecord::seq`].
    number: u64,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// The index is to be built anew.
    RenewIndex,
}

pub(super) struct Erasing {
    path: PathBuf,
    journal_dir: PathBuf,
    list: List,
    running: Option<(Vec<CallId>, JoinHandle<io::Result<Erasure>>)>,
    begin_at: Instant,
    overdue_at: Option<Instant>,
    renew_at: Instant,
    /// Set when an index was built of a journal that held nothing any more; not if a call was added since.
    renewed: Arc<AtomicBool>,
    added: bool,
}

impl Erasing {
    pub(super) fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let list = fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Self {
            path,
            journal_dir: data_dir.join(JOURNAL_DIR),
            list: list.unwrap_or_default(),
            running: None,
            begin_at: Instant::ZERO,
            overdue_at: None,
            renew_at: Instant::ZERO,
            renewed: Arc::default(),
            added: false,
        }
    }

    /// Notes durably that the older frames of a call are to be erased once its record is.
    ///
    /// # Errors
    /// If the note cannot be written, or there are too many; nothing of the call may be erased then.
    pub(super) fn add(&mut self, call: CallId, number: u64, now: Instant) -> io::Result<()> {
        self.added = true;
        self.begin_at = now.after_ms(SETTLE_MS).max(self.begin_at);
        self.overdue_at.get_or_insert(now.after_ms(OVERDUE_MS));
        if self.list.index && self.list.calls.iter().any(|doomed| doomed.call == call) {
            return Ok(());
        }
        if self.list.calls.len() >= MAX_CALLS {
            return Err(io::Error::other("too many calls wait for the journal"));
        }
        self.list.calls.push(Doomed { call, number });
        self.list.index = true;
        self.write()
    }

    /// Looks after what is going on, and begins what is to be done; `is_quiet` while no recording is going on.
    pub(super) fn turn(&mut self, journal: &Journal, is_quiet: bool, now: Instant) -> Next {
        self.finish(now);
        if self.renewed.swap(false, Ordering::Relaxed) && !self.added {
            self.list.index = false;
            self.note();
        }
        let may_begin = is_quiet || self.overdue_at.is_some_and(|at| at <= now);
        if self.running.is_some() || !may_begin {
            return Next::Nothing;
        }
        if !self.list.calls.is_empty() && self.begin_at <= now {
            self.begin(journal, now);
        } else if self.list.calls.is_empty() && self.list.index && self.renew_at <= now {
            self.renew_at = now.after_ms(RENEW_MS);
            self.added = false;
            return Next::RenewIndex;
        }
        Next::Nothing
    }

    /// To be set once the index is built anew.
    pub(super) fn renewed(&self) -> Arc<AtomicBool> {
        self.renewed.clone()
    }

    fn begin(&mut self, journal: &Journal, now: Instant) {
        let batch: Vec<Doomed> = self.list.calls.iter().take(BATCH).copied().collect();
        let calls = batch.iter().map(|doomed| doomed.call).collect();
        let wanted = batch.iter().map(|&Doomed { call, number }| ToErase { call, number }).collect();
        let (journal, journal_dir) = (journal.clone(), self.journal_dir.clone());
        let thread = thread::Builder::new().name("erase-frames".to_owned()).spawn(move || {
            let erasure = journal.erase(wanted)?;
            remove_cut_off(&journal_dir)?;
            Ok(erasure)
        });
        match thread {
            Ok(thread) => self.running = Some((calls, thread)),
            Err(_) => self.begin_at = now.after_ms(AGAIN_MS),
        }
    }

    fn finish(&mut self, now: Instant) {
        let Some((calls, thread)) = self.running.take_if(|(_, thread)| thread.is_finished()) else { return };
        match thread.join().unwrap_or_else(|_| Err(io::Error::other("erasing panicked"))) {
            Ok(erasure) => {
                // What was refused has no erased record yet, and is added again when it has.
                let Erasure { frames, segments, refused } = erasure;
                tracing::info!(
                    calls = calls.len(),
                    frames,
                    segments,
                    refused = refused.len(),
                    "frames erased"
                );
                self.list.calls.retain(|doomed| !calls.contains(&doomed.call));
                if self.list.calls.is_empty() {
                    self.overdue_at = None;
                }
                self.note();
            }
            Err(error) => {
                tracing::warn!(%error, "the journal still names who was erased; tried again in 10 minutes");
                self.begin_at = now.after_ms(AGAIN_MS);
            }
        }
    }

    /// What is not noted as done is done again.
    fn note(&self) {
        if let Err(error) = self.write() {
            tracing::warn!(%error, "erasing.json not written");
        }
    }

    fn write(&self) -> io::Result<()> {
        if self.list.calls.is_empty() && !self.list.index {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        files::write_whole(&self.path, &serde_json::to_vec(&self.list)?)
    }
}

/// Removes segments that a cut left half rewritten.
fn remove_cut_off(journal_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(journal_dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
