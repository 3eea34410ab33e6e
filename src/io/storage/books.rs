//! What retention and requests ask of the stored calls, answered by the index; without a running box, by the notes of
//! the whole journal.

use crate::{
    id::CallId,
    io::{
        journal::{Fact, Kind, reader::Reader},
        store::{Erasure, Index},
    },
    note::Account,
    number::E164,
    record::CallRecord,
    recording::{
        request::{Books, Listing, Place},
        retention::{self, Kept, Policy},
        standing::{Asked, Hold, Standing, Standings},
    },
    time::WallTime,
};
use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Erasures and holds in one listing.
const MAX_LISTED: usize = 1_000;

/// The books of the running storage; a clone reads the same. They answer while every durable entry is in the index.
#[derive(Clone)]
pub(super) struct IndexBooks {
    index: Index,
    policy: Policy,
    is_level: Arc<AtomicBool>,
}

impl IndexBooks {
    pub(super) fn new(index: Index, policy: Policy) -> Self {
        Self { index, policy, is_level: Arc::default() }
    }

    /// Takes whether every entry of the journal is in the index.
    pub(super) fn set_level(&self, is_level: bool) {
        self.is_level.store(is_level, Ordering::Relaxed);
    }

    /// Who did what, newest first; `None` while it cannot be told.
    pub(super) fn audit(&self, limit: usize) -> Option<Vec<Account>> {
        let notes = self.level()?.audit(None, limit).ok()?;
        Some(notes.iter().filter_map(|(_, note)| note.account()).collect())
    }

    /// The record of a call as it is in the index; the outer `None` while the index may be behind the journal.
    pub(super) fn level_get(&self, call: CallId) -> Option<Option<CallRecord>> {
        self.level()?.get(call).ok()
    }

    /// How many calls from a number are over, at most `most`; `None` while it cannot be told.
    pub(super) fn count_of(&self, number: &E164, most: usize) -> Option<usize> {
        self.level()?.count_of(&number.to_string(), most).ok()
    }

    fn level(&self) -> Option<&Index> {
        self.is_level.load(Ordering::Relaxed).then_some(&self.index)
    }

    fn waits(&self, asked: &Asked) -> Option<bool> {
        let (record, standing) = (self.get(asked.call)?, self.standing(asked.call)?);
        let may = retention::may_erase(&record, &standing, asked.part, &self.policy);
        Some(may == Err(Kept::NotReceived))
    }
}

/// How every call stands, by the whole journal.
pub(super) fn standings(journal_dir: &Path) -> io::Result<Standings> {
    let mut standings = Standings::default();
    for entry in Reader::open(journal_dir, 0)? {
        match entry?.fact {
            Fact::Note(note) => standings.note(&note),
            Fact::Call(Kind::Erased, record) => standings.settle(record.id),
            Fact::Call(..) => {}
        }
    }
    Ok(standings)
}

/// Who did what, at most `limit`, newest first, by the whole journal.
pub(super) fn audit(journal_dir: &Path, limit: usize) -> io::Result<Vec<Account>> {
    let mut accounts = VecDeque::new();
    for entry in Reader::open(journal_dir, 0)? {
        let Fact::Note(note) = entry?.fact else { continue };
        let account = note.account().filter(|_| note.is_accountable());
        accounts.extend(account);
        if accounts.len() > limit {
            accounts.pop_front();
        }
    }
    Ok(accounts.into_iter().rev().collect())
}

fn asked(erasure: Erasure) -> Asked {
    let Erasure { call, part, by, why, due, at: _ } = erasure;
    Asked { call, part, by, why, due }
}

impl Books for IndexBooks {
    fn due(&self, now: WallTime, limit: usize) -> Option<Vec<Asked>> {
        let due = self.level()?.erasures_due(now, limit).ok()?;
        Some(due.into_iter().map(asked).collect())
    }

    fn expired(&self, before: WallTime, after: Option<Place>, limit: usize) -> Option<Vec<CallRecord>> {
        let after = after.map(|place| (place.start_time, place.seq));
        self.level()?.expired(before, after, limit).ok()
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.index.get(call).ok().flatten()
    }

    fn standing(&self, call: CallId) -> Option<Standing> {
        let standing = self.level()?.standing(call).ok()?;
        let held = standing.hold.map(|hold| Hold { call, by: hold.by, why: hold.why, since: hold.at });
        let next = standing.asked.into_iter().min_by_key(|one| (one.due, one.part));
        Some(Standing { asked: next.map(asked), held, receipt_waived: standing.receipt_waived })
    }

    fn calls_of(&self, number: &E164, limit: usize) -> Option<Vec<CallId>> {
        // What is erased has no number any more.
        let calls = self.level()?.calls_of(&number.to_string(), limit).ok()?;
        Some(calls.iter().rev().map(|record| record.id).collect())
    }

    fn listing(&self) -> Option<Listing> {
        let index = self.level()?;
        let asked = self.due(WallTime(u64::MAX), MAX_LISTED)?;
        let holds = index.holds(MAX_LISTED).ok()?.into_iter();
        let held: Vec<Hold> =
            holds.map(|(call, hold)| Hold { call, by: hold.by, why: hold.why, since: hold.at }).collect();
        let more = asked.len() >= MAX_LISTED || held.len() >= MAX_LISTED;
        let waits = |one: &&Asked| self.waits(one).unwrap_or(false);
        let waiting = match self.policy.upstream {
            retention::Upstream::None => Vec::new(),
            retention::Upstream::Configured => asked.iter().filter(waits).map(|one| one.call).collect(),
        };
        Some(Listing { asked, held, waiting, more })
    }
}
