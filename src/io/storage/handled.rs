//! What the office makes of calls, joined with every record on its way to the journal.
//!
//! ```text
//!  signalling: Ringing, Answered, Ended --.
//!  storage:    Recorded, Erased ----------+--> join --> journal
//!  a person:   an edit (Handled) ---------'
//! ```
//! The call goes on without the office, and the office without the call: neither side has the other's part. So the
//! newest record of every call that is not in the index yet is kept here; each new one takes the office's part from it,
//! and an edit the call's. Calls that are up are always here, so an edit of one never waits for the index, and what the
//! signalling thread brings waits only for another to be queued.

use super::books::IndexBooks;
use crate::{
    handling::{Edit, EditRefused, Handling},
    id::CallId,
    io::journal::{
        Kind,
        commit::{Journal, JournalFull},
        is_settled,
    },
    note::{Note, What},
    record::{CallRecord, Ended},
    recording::retention,
    time::WallTime,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Records kept: far above the calls that are up; only an index that fails for long brings so many together.
const MAX_NEWEST: usize = 2_048;
/// Revisions that wait for the index to be level.
const MAX_DURABLE: usize = 8_192;

/// The newest records; a clone is the same.
#[derive(Clone, Default)]
pub(super) struct Handlings(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Held by whoever makes a revision of a call that may be in the index only, and taken before `newest`. The
    /// signalling thread never takes it: its calls are up.
    order: Mutex<()>,
    newest: Mutex<BTreeMap<CallId, CallRecord>>,
    /// What is durable and may not be in the index yet.
    durable: Mutex<Vec<(CallId, u32)>>,
}

/// Who edits, and when.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) name: &'a str,
    pub(super) at: WallTime,
}

impl Handlings {
    /// Queues the record of a call that is up or ends now; never waits for a disk.
    pub(super) fn append(
        &self,
        journal: &Journal,
        kind: Kind,
        mut record: Box<CallRecord>,
    ) -> Result<(), JournalFull> {
        let mut newest = locked(&self.0.newest);
        if let Some(known) = newest.get(&record.id) {
            join(kind, &mut record, known);
        }
        let copy = (*record).clone();
        journal.append(kind, record)?;
        keep(&mut newest, copy);
        Ok(())
    }

    /// As [`Handlings::append`], for a call that is over: waits for an edit under way.
    pub(super) fn append_after(
        &self,
        journal: &Journal,
        kind: Kind,
        record: Box<CallRecord>,
    ) -> Result<(), JournalFull> {
        let _order = locked(&self.0.order);
        self.append(journal, kind, record)
    }

    /// Queues the record with a person's change as its next revision, and the line of the audit; gives the record.
    pub(super) fn edit(
        &self,
        (journal, books): (&Journal, &IndexBooks),
        call: CallId,
        edit: &Edit,
        by: By<'_>,
    ) -> Result<CallRecord, EditRefused> {
        let _order = locked(&self.0.order);
        let is_here = locked(&self.0.newest).contains_key(&call);
        let stored = if is_here { None } else { books.level_get(call).ok_or(EditRefused::Busy)? };
        let mut newest = locked(&self.0.newest);
        let known = newest.get(&call).or(stored.as_ref()).ok_or(EditRefused::UnknownCall)?;
        if retention::is_erased(known) {
            return Err(EditRefused::Erased);
        }
        let mut next = known.clone();
        edit.apply(&mut next.handling)?;
        if next.handling == known.handling {
            return Ok(next);
        }
        next.rev += 1;
        let refused = |JournalFull| EditRefused::NotWritten;
        journal.append(Kind::Handled, Box::new(next.clone())).map_err(refused)?;
        keep(&mut newest, next.clone());
        let (by, at) = (by.name.to_owned(), by.at);
        let what = What::Audit { by, did: edit.did(), on: call.to_string() };
        journal.note(Note { at, what }).map_err(refused)?;
        Ok(next)
    }

    /// The newest record of a call, if it is not in the index yet.
    pub(super) fn newest(&self, call: CallId) -> Option<CallRecord> {
        locked(&self.0.newest).get(&call).cloned()
    }

    /// Notes what the box found out about a call that is up, for its later records; gives the whole of it.
    pub(super) fn found_prior_calls(&self, call: CallId, prior_calls: u32) -> Option<Handling> {
        let mut newest = locked(&self.0.newest);
        let record = newest.get_mut(&call).filter(|record| record.outcome.ended == Ended::InProgress)?;
        record.handling.prior_calls = Some(prior_calls);
        Some(record.handling.clone())
    }

    /// A record is on the disk.
    pub(super) fn is_durable(&self, record: &CallRecord) {
        let mut durable = locked(&self.0.durable);
        if durable.len() < MAX_DURABLE {
            durable.push((record.id, record.rev));
        }
    }

    /// All that is durable is in the index: what is settled is found there.
    pub(super) fn let_go_of_indexed(&self) {
        let durable = std::mem::take(&mut *locked(&self.0.durable));
        let mut newest = locked(&self.0.newest);
        for (call, rev) in durable {
            if newest.get(&call).is_some_and(|record| record.rev == rev && is_settled(record)) {
                newest.remove(&call);
            }
        }
    }
}

fn keep(newest: &mut BTreeMap<CallId, CallRecord>, record: CallRecord) {
    newest.insert(record.id, record);
    if newest.len() > MAX_NEWEST {
        // Ids sort by time: the oldest that is settled is the likeliest to be in the index.
        let oldest = newest.values().find(|record| is_settled(record)).map(|record| record.id);
        let oldest = oldest.or_else(|| newest.keys().next().copied());
        oldest.map(|call| newest.remove(&call));
    }
}

/// Gives a record of the call what the office has of it, and a revision of its own.
fn join(kind: Kind, record: &mut CallRecord, known: &CallRecord) {
    if !retention::is_erased(record) {
        let found = std::mem::replace(&mut record.handling, known.handling.clone());
        // Whose the handset is that was lifted, unless a person was faster.
        if kind == Kind::Answered && record.handling.claimed_by.is_none() {
            record.handling.claimed_by = found.claimed_by;
        }
    }
    let least = match kind {
        Kind::Ringing | Kind::Answered => known.rev,
        Kind::Ended | Kind::Recorded | Kind::Interrupted | Kind::Erased | Kind::Handled => known.rev + 1,
    };
    record.rev = record.rev.max(least);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
