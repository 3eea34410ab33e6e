//! Folds facts into the trees: each call's state is read once, changed in memory, and the rows that differ are
//! written in one commit.
//!
//! Doing it again does no harm: facts that were in already, up to the last one, lead to the same index. That is what
//! a crash between a commit and the note of how far it went asks for.

use super::{
    APPLIED, IndexError, is_indexed,
    outbox::AuditKey,
    state::{Asked, Counts, Hold, Receipt, Refused, State},
    trees::{Changes, Tree, Trees},
};
use crate::{
    id::{CallId, RecordingId},
    io::journal::{Fact, Kind},
    ledger::{brief, names},
    note::{Note, What},
    record::CallRecord,
};
use std::{collections::BTreeMap, ops::Bound};

/// Calls changed by one commit; see [`super::trees`] for why it is small.
const CHUNK: usize = 100;
/// Key in [`Tree::Meta`]: [`Counts`].
const COUNTS: &[u8] = b"counts";

/// Puts facts in their order. They are not durable yet.
pub(super) fn apply(trees: &Trees, facts: &[Fact], applied: Option<u64>) -> Result<(), IndexError> {
    let mut fold = Fold { trees, touched: BTreeMap::new(), changes: Changes::new() };
    for fact in facts.iter().filter(|fact| is_indexed(fact)) {
        match fact {
            Fact::Call(kind, record) => fold.record(*kind, record)?,
            Fact::Note(note) => fold.note(note)?,
        }
        if fold.touched.len() >= CHUNK || fold.changes.len() >= CHUNK {
            fold.commit()?;
        }
    }
    if let Some(seq) = applied {
        fold.changes.insert((Tree::Meta, APPLIED.to_vec()), Some(seq.to_be_bytes().to_vec()));
    }
    fold.commit()
}

/// Counters over all calls.
pub(super) fn counts(trees: &Trees) -> Result<Counts, IndexError> {
    let json = trees.get(Tree::Meta, COUNTS)?;
    Ok(json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default())
}

/// The state of a call.
pub(super) fn state(trees: &Trees, call: &[u8]) -> Result<Option<State>, IndexError> {
    Ok(trees.get(Tree::States, call)?.and_then(|json| serde_json::from_slice(&json).ok()))
}

/// Lets what was refused before a time be sent again; returns how much that is.
pub(super) fn retry_refused(trees: &Trees, before: u64) -> Result<usize, IndexError> {
    let mut fold = Fold { trees, touched: BTreeMap::new(), changes: Changes::new() };
    let mut retried = 0;
    let before = before.to_be_bytes();
    for row in trees.range(Tree::Refused, Bound::Unbounded, Bound::Excluded(before.as_slice()))? {
        let (key, value) = row?;
        let Some((0, call)) = value.split_first() else { continue };
        let (Some(call), Some(part)) = (call_id(call), super::state::part_of(&key)) else { continue };
        if let Some(refused) = fold.state(call)?.refused.get_mut(&part) {
            refused.again = true;
            retried += 1;
        }
        if fold.touched.len() >= CHUNK {
            fold.commit()?;
        }
    }
    fold.commit()?;
    Ok(retried)
}

struct Touched<'a> {
    before: State,
    after: State,
    record: Option<&'a CallRecord>,
}

struct Fold<'a> {
    trees: &'a Trees,
    touched: BTreeMap<CallId, Touched<'a>>,
    changes: Changes,
}

impl<'a> Fold<'a> {
    fn touch(&mut self, call: CallId) -> Result<&mut Touched<'a>, IndexError> {
        use std::collections::btree_map::Entry;
        Ok(match self.touched.entry(call) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let before = state(self.trees, call.to_string().as_bytes())?.unwrap_or_default();
                entry.insert(Touched { after: before.clone(), before, record: None })
            }
        })
    }

    fn state(&mut self, call: CallId) -> Result<&mut State, IndexError> {
        Ok(&mut self.touch(call)?.after)
    }

    fn record(&mut self, kind: Kind, record: &'a CallRecord) -> Result<(), IndexError> {
        let touched = self.touch(record.id)?;
        if touched.after.take(kind, record) {
            touched.record = Some(record);
        }
        Ok(())
    }

    fn note(&mut self, note: &Note) -> Result<(), IndexError> {
        let at = note.at;
        match &note.what {
            &What::RecordReceived { call, rev, hash: _, hq_seq } => {
                self.state(call)?.record_received(Receipt { rev, hq_seq });
            }
            &What::RecordingReceived { call, recording, hash: _ } => {
                self.state(call)?.recording_received(recording);
            }
            What::Refused { call, part, status, why } => {
                let refused = Refused { at, status: *status, why: why.clone(), again: false };
                self.state(*call)?.refused.insert(*part, refused);
            }
            What::UpstreamLost { above_hq_seq, calls, recordings } => {
                // What came before has to be in the trees, and what comes after must not be taken for lost.
                self.commit()?;
                self.lose_above(*above_hq_seq)?;
                calls.iter().try_for_each(|&[first, last]| self.lose_calls(first, last))?;
                self.lose_recordings(recordings)?;
            }
            What::Held { call, by, why } => {
                self.state(*call)?.hold = Some(Hold { at, by: by.clone(), why: why.clone() });
            }
            What::Released { call, by: _ } => self.state(*call)?.hold = None,
            What::EraseAsked { call, part, by, why, due } => {
                let asked = Asked { at, by: by.clone(), why: why.clone(), due: *due };
                self.state(*call)?.asked.insert(*part, asked);
            }
            What::EraseCancelled { call, by: _ } => {
                let state = self.state(*call)?;
                state.asked.clear();
                state.receipt_waived = false;
            }
            What::ReceiptWaived { call, .. } => self.state(*call)?.receipt_waived = true,
            What::Directory { .. } | What::Audit { .. } => {}
        }
        if note.is_accountable() {
            let json = serde_json::to_vec(note)?;
            let key = AuditKey::of(at, &json).bytes().to_vec();
            self.changes.insert((Tree::Audit, key), Some(json));
        }
        Ok(())
    }

    /// Takes back the receipts above a number, a chunk at a time: the rows go as they are taken back.
    fn lose_above(&mut self, above_hq_seq: Option<u64>) -> Result<(), IndexError> {
        let Some(first) = above_hq_seq.and_then(|above| above.checked_add(1)) else { return Ok(()) };
        let first = first.to_be_bytes();
        loop {
            let rows =
                self.trees.range(Tree::ByHqSeq, Bound::Included(first.as_slice()), Bound::Unbounded)?;
            let rows = rows.take(CHUNK).collect::<Result<Vec<_>, _>>()?;
            if rows.is_empty() {
                return Ok(());
            }
            for (key, _) in rows {
                let Some(call) = key.get(8..).and_then(call_id) else { continue };
                self.state(call)?.receipt = None;
                // Also if no state asks for it: a row that stays would be found for ever.
                self.changes.insert((Tree::ByHqSeq, key), None);
            }
            self.commit()?;
        }
    }

    fn lose_calls(&mut self, first: u64, last: u64) -> Result<(), IndexError> {
        #[derive(serde::Deserialize)]
        struct Named {
            id: CallId,
        }
        let mut from = first;
        while from <= last {
            let (start, end) = (from.to_be_bytes(), last.to_be_bytes());
            let (start, end) = (Bound::Included(start.as_slice()), Bound::Included(end.as_slice()));
            let rows = self.trees.range(Tree::Calls, start, end)?.take(CHUNK);
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let Some((key, _)) = rows.last() else { return Ok(()) };
            let Some(next) = super::trees::number(key).and_then(|seq| seq.checked_add(1)) else {
                return Ok(());
            };
            from = next;
            for (_, json) in rows {
                let Ok(Named { id }) = serde_json::from_slice(&json) else { continue };
                self.state(id)?.receipt = None;
            }
            self.commit()?;
        }
        Ok(())
    }

    fn lose_recordings(&mut self, recordings: &[RecordingId]) -> Result<(), IndexError> {
        for recording in recordings {
            let call = self.trees.get(Tree::ByRecording, recording.to_string())?;
            if let Some(call) = call.as_deref().and_then(call_id) {
                self.state(call)?.received = None;
            }
            if self.touched.len() >= CHUNK {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// The record, its brief, and the names in it that are new.
    fn put_record(
        &self,
        record: &CallRecord,
        (before, after): (&State, &State),
        changes: &mut Changes,
    ) -> Result<(), IndexError> {
        let key = (Tree::Calls, record.seq.to_be_bytes().to_vec());
        changes.insert(key, Some(serde_json::to_vec(record)?));
        let (old, new) = (before.by_time(), after.by_time());
        if let Some(old) = old.filter(|old| Some(old) != new.as_ref()) {
            changes.insert((Tree::ByTime, old), None);
        }
        changes.extend(new.map(|key| ((Tree::ByTime, key), Some(brief::write(record)))));
        for (kind, named) in names::of(record) {
            let key = super::search::name_key(kind, &named.id);
            let json = serde_json::to_vec(&named)?;
            if self.trees.get(Tree::Names, &key)?.as_ref() != Some(&json) {
                changes.insert((Tree::Names, key), Some(json));
            }
        }
        Ok(())
    }

    /// Writes what differs, all of it or nothing.
    fn commit(&mut self) -> Result<(), IndexError> {
        let mut changes = std::mem::take(&mut self.changes);
        let before = counts(self.trees)?;
        let mut after = before;
        for (call, Touched { before, after: state, record }) in std::mem::take(&mut self.touched) {
            if let Some(record) = record {
                self.put_record(record, (&before, &state), &mut changes)?;
            }
            if before == state {
                continue;
            }
            after = after.moved(before.counts(), state.counts());
            let (old, new) = (before.rows(call), state.rows(call));
            for (tree, key, _) in old.iter().filter(|row| !new.contains(row)) {
                changes.insert((*tree, key.clone()), None);
            }
            for (tree, key, value) in new.into_iter().filter(|row| !old.contains(row)) {
                changes.insert((tree, key), Some(value));
            }
            let key = (Tree::States, call.to_string().into_bytes());
            changes.insert(key, Some(serde_json::to_vec(&state)?));
        }
        if after != before {
            changes.insert((Tree::Meta, COUNTS.to_vec()), Some(serde_json::to_vec(&after)?));
        }
        if changes.is_empty() { Ok(()) } else { self.trees.commit(&changes) }
    }
}

fn call_id(text: &[u8]) -> Option<CallId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
