//! What is not to be sent although the index still lists it.

use super::event::{Listing, RecordDue, RecordingDue};
use crate::{id::CallId, time::Instant};
use std::collections::BTreeMap;

/// More than any listing; the one that may be sent again first goes over it.
pub(super) const MAX_RESTING: usize = 4_096;

/// A thing that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) seq: u64,
    pub(super) call: CallId,
    /// Revision of the record, or `None` for the recording.
    pub(super) rev: Option<u32>,
}

impl From<RecordDue> for Key {
    fn from(due: RecordDue) -> Self {
        Self { seq: due.seq, call: due.call, rev: Some(due.rev) }
    }
}

impl From<RecordingDue> for Key {
    fn from(due: RecordingDue) -> Self {
        Self { seq: due.seq, call: due.call, rev: None }
    }
}

/// Why it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its receipt is on its way through the journal into the index.
    Received,
    /// The upstream refused it.
    Refused,
    /// It failed too often; others get their turn.
    Failed,
}

/// Things at rest, each until its own time.
#[derive(Debug, Default)]
pub(super) struct Resting(BTreeMap<Key, (Instant, Why)>);

impl Resting {
    pub(super) fn insert(&mut self, key: Key, until: Instant, why: Why) {
        self.0.insert(key, (until, why));
        if self.0.len() > MAX_RESTING
            && let Some(&first) = self.0.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| key)
        {
            self.0.remove(&first);
        }
    }

    pub(super) fn holds(&self, key: Key, now: Instant) -> bool {
        self.0.get(&key).is_some_and(|(until, _)| *until > now)
    }

    pub(super) fn is_received(&self, key: Key) -> bool {
        self.0.get(&key).is_some_and(|(_, why)| *why == Why::Received)
    }

    /// Whether the recording of a call has its receipt.
    pub(super) fn has_recording_of(&self, call: CallId) -> bool {
        self.0.iter().any(|(key, (_, why))| key.call == call && key.rev.is_none() && *why == Why::Received)
    }

    /// Forgets what rests for this reason.
    pub(super) fn wake(&mut self, because: Why) {
        self.0.retain(|_, (_, why)| *why != because);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the next one may be sent again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|(until, _)| *until).min()
    }

    /// Forgets what is over: its time has come, or a listing that would have shown it does not.
    pub(super) fn prune(&mut self, listing: &Listing, now: Instant) {
        let records: std::collections::BTreeSet<Key> =
            listing.records.iter().map(|&due| due.into()).collect();
        let recordings: std::collections::BTreeSet<Key> =
            listing.recordings.iter().map(|&due| due.into()).collect();
        let oldest_record = listing.records.last().map_or(u64::MAX, |due| due.seq);
        let newest_recording = listing.recordings.last().map_or(0, |due| due.seq);
        self.0.retain(|key, (until, _)| {
            let (is_listed, is_covered) = match key.rev {
                Some(_) => (records.contains(key), listing.all_records || key.seq > oldest_record),
                None => (recordings.contains(key), listing.all_recordings || key.seq < newest_recording),
            };
            *until > now && (is_listed || !is_covered)
        });
    }
}
