//! Retention at work: performs the keeper's steps, and takes what owners ask for.
//!
//! An erasure is files first, then the entry. Cut off in between, its asking still stands, and it is done again: files
//! that are gone are as good as removed.

use super::{
    books::{self, IndexBooks},
    erasing::Erasing,
    handled::{By, Handlings},
};
use crate::{
    handling::{Edit, EditRefused},
    id::CallId,
    io::{
        clock::Clock,
        files,
        journal::{Kind, commit::Journal},
    },
    note::{Account, Note, Part, What},
    record::CallRecord,
    recording::{
        keeper::{Keeper, Step},
        request::{self, Answer, Books as _, Listing, Refused, Request},
        retention::{self, Policy},
        standing::{Asked, Standing},
    },
    status::Room,
    time::{Instant, WallTime},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long whoever asks waits for the disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of retention that the storage thread does.
pub(super) struct Keeping {
    data_dir: PathBuf,
    books: IndexBooks,
    keeper: Keeper,
    steps: Vec<Step>,
    erasing: Erasing,
    handlings: Handlings,
}

impl Keeping {
    pub(super) fn new(data_dir: &Path, books: IndexBooks, policy: Policy) -> Self {
        let (keeper, erasing) = (Keeper::new(policy), Erasing::open(data_dir));
        let (steps, handlings) = (Vec::new(), Handlings::default());
        Self { data_dir: data_dir.to_owned(), books, keeper, steps, erasing, handlings }
    }

    /// What the office has of calls.
    pub(super) fn handlings(&self) -> &Handlings {
        &self.handlings
    }

    /// The books, to be told what is durable.
    pub(super) fn books(&self) -> &IndexBooks {
        &self.books
    }

    /// One slice of work; gives the number of calls of which something was erased.
    pub(super) fn turn(&mut self, journal: &Journal, room: Room, now: Instant, wall: WallTime) -> u64 {
        self.keeper.turn(&self.books, room, now, wall, &mut self.steps);
        let mut erased = 0;
        for step in std::mem::take(&mut self.steps) {
            match step {
                // What the full queue refuses is found again in the next round.
                Step::Ask(note) => drop(journal.note(note)),
                Step::Erase { asked, left } => match self.remove(&asked, &left, now) {
                    Ok(()) => {
                        tracing::info!(call = %asked.call, part = ?asked.part, by = asked.by, "erased");
                        let queued = self.handlings.append_after(journal, Kind::Erased, left);
                        erased += u64::from(queued.is_ok());
                    }
                    Err(error) => tracing::warn!(call = %asked.call, %error, "not erased; tried again later"),
                },
            }
        }
        erased
    }

    /// The record of a call is erased, durably: so are its older frames soon.
    pub(super) fn erase_frames(&mut self, record: &CallRecord, now: Instant) {
        if let Err(error) = self.erasing.add(record.id, record.seq, now) {
            tracing::warn!(call = %record.id, %error, "older frames in the journal still name a person");
        }
    }

    /// One look at what is erased of the journal and the index.
    pub(super) fn erasing(&mut self) -> &mut Erasing {
        &mut self.erasing
    }

    fn remove(&mut self, asked: &Asked, left: &CallRecord, now: Instant) -> io::Result<()> {
        if asked.part == Part::Record {
            self.erasing.add(left.id, left.seq, now)?;
        }
        remove_files(&self.data_dir, asked, left)
    }
}

/// Removes what was asked for from the disk; the entry in the journal comes after it.
fn remove_files(data_dir: &Path, asked: &Asked, left: &CallRecord) -> io::Result<()> {
    files::remove_audio(data_dir, left.id, left.start_time)?;
    if asked.part == Part::Record {
        files::remove_sidecar(data_dir, left.id, left.start_time)?;
    }
    Ok(())
}

/// Where owners ask. A clone asks at the same place; it does not keep storage from ending.
#[derive(Clone)]
pub struct Desk {
    journal: Arc<Mutex<Option<Journal>>>,
    books: IndexBooks,
    handlings: Handlings,
    policy: Policy,
    clock: Clock,
}

impl Desk {
    pub(super) fn new(journal: Journal, keeping: &Keeping, policy: Policy, clock: Clock) -> Self {
        let (books, handlings) = (keeping.books().clone(), keeping.handlings().clone());
        Self { journal: Arc::new(Mutex::new(Some(journal))), books, handlings, policy, clock }
    }

    /// Makes a person's change to what the office has of a call, which may be up, and writes it into the audit log. It
    /// is on the disk when this returns the record, and goes upstream as its next revision. It may wait for the disk.
    ///
    /// # Errors
    /// Why it was not made, or is not known to be on the disk.
    pub fn edit(&self, call: CallId, edit: &Edit, by: &str) -> Result<CallRecord, EditRefused> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let journal = journal.ok_or(EditRefused::NotWritten)?;
        let by = By { name: by, at: self.clock.wall() };
        let record = self.handlings.edit((&journal, &self.books), call, edit, by)?;
        if journal.wait_at_most(PATIENCE) { Ok(record) } else { Err(EditRefused::NotWritten) }
    }

    /// The newest record of a call, also of one that is up; `None` if there is none, or it cannot be read.
    #[must_use]
    pub fn newest(&self, call: CallId) -> Option<CallRecord> {
        self.handlings.newest(call).or_else(|| self.books.get(call))
    }

    /// Nobody is served any more.
    pub(super) fn close(&self) {
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Takes a request; what it becomes is on the disk when this returns. It may wait for the disk.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub fn ask(&self, request: &Request) -> Result<Answer, Refused> {
        self.books.listing().ok_or(Refused::Busy)?;
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let journal = journal.ok_or(Refused::NotWritten)?;
        let (notes, answer) = request::notes(request, &self.books, &self.policy, self.clock.wall())?;
        for note in notes {
            journal.note(note).map_err(|_| Refused::NotWritten)?;
        }
        if journal.wait_at_most(PATIENCE) { Ok(answer) } else { Err(Refused::NotWritten) }
    }

    /// What is to come and what is held; `None` while it cannot be told.
    #[must_use]
    pub fn listing(&self) -> Option<Listing> {
        self.books.listing()
    }

    /// When the next part of a call goes, and which: what was asked for, else by its age; `None` if it stays.
    #[must_use]
    pub fn kept_until(&self, record: &CallRecord) -> Option<(Part, WallTime)> {
        until(record, self.books.standing(record.id)?, &self.policy)
    }

    /// Queues for the journal that somebody did something that has to be accounted for; never waits.
    ///
    /// # Errors
    /// If the journal does not take it.
    pub fn account(&self, by: &str, did: &str, on: &str) -> Result<(), Refused> {
        let what = What::Audit { by: by.to_owned(), did: did.to_owned(), on: on.to_owned() };
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let journal = journal.ok_or(Refused::NotWritten)?;
        journal.note(Note { at: self.clock.wall(), what }).map_err(|_| Refused::NotWritten)
    }

    /// Who did what, at most `limit`, newest first; `None` while it cannot be told.
    #[must_use]
    pub fn audit(&self, limit: usize) -> Option<Vec<Account>> {
        self.books.audit(limit)
    }
}

/// As [`Desk::audit`], from the journal of a data directory whether a box runs on it or not.
///
/// # Errors
/// If the journal cannot be read.
pub fn audit(data_dir: &Path, limit: usize) -> io::Result<Vec<Account>> {
    books::audit(&data_dir.join(files::JOURNAL_DIR), limit)
}

/// As [`Desk::kept_until`], from the journal of a data directory whether a box runs on it or not.
///
/// # Errors
/// If the journal cannot be read.
pub fn kept_until(
    data_dir: &Path,
    record: &CallRecord,
    policy: &Policy,
) -> io::Result<Option<(Part, WallTime)>> {
    let standings = books::standings(&data_dir.join(files::JOURNAL_DIR))?;
    Ok(until(record, standings.of(record.id), policy))
}

fn until(record: &CallRecord, standing: Standing, policy: &Policy) -> Option<(Part, WallTime)> {
    match (standing.held, standing.asked) {
        (Some(_), _) => None,
        (None, Some(asked)) => Some((asked.part, asked.due)),
        (None, None) => retention::kept_until(record, policy),
    }
}
