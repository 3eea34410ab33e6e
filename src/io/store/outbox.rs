//! What is asked of the index about the upstream, retention and the audit: each a walk over a range of keys that is
//! as long as what it gives out.

use super::{
    Index, IndexError, fold,
    state::{self, Hold},
    trees::{Tree, Trees, number},
};
use crate::{
    id::CallId,
    note::{Note, Part},
    record::CallRecord,
    time::WallTime,
};
use std::{fmt, ops::Bound, str::FromStr};

/// What the upstream has not confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records to be sent.
    pub records: u64,
    /// Recordings to be sent.
    pub recordings: u64,
    /// Records and recordings that the upstream refused.
    pub refused: u64,
    /// When the oldest call of which something is to be sent came in.
    pub oldest: Option<WallTime>,
    /// Bytes of the recordings to be sent.
    pub recording_bytes: u64,
}

/// Something that the upstream does not take as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The call.
    pub call: CallId,
    /// Its record or its recording.
    pub part: Part,
    /// HTTP status.
    pub status: u16,
    /// What the upstream said.
    pub why: String,
    /// When.
    pub at: WallTime,
}

/// Something that is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The call.
    pub call: CallId,
    /// Its recording, or the record with it.
    pub part: Part,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
    /// When it was asked.
    pub at: WallTime,
    /// Not before.
    pub due: WallTime,
}

/// Where a note stands in the audit: by time, then by digest. As text it is 32 hex digits that sort the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey(u128);

impl AuditKey {
    /// The place before every note of `at` and later.
    #[must_use]
    pub const fn before(at: WallTime) -> Self {
        Self((at.0 as u128) << 64)
    }

    /// The place of a note: the same note twice is one.
    pub(super) fn of(at: WallTime, json: &[u8]) -> Self {
        let digest = number(blake3::hash(json).as_bytes()).unwrap_or(0);
        Self(Self::before(at).0 | u128::from(digest))
    }

    pub(super) const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for AuditKey {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Index {
    /// At most `limit` records that the upstream has not confirmed in this revision, newest call first.
    ///
    /// # Errors
    /// If sled fails.
    pub fn unsent_records(&self, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let rows = trees.range(Tree::UnsentRecords, Bound::Unbounded, Bound::Unbounded)?.rev();
            numbered(trees, rows.map(|row| row.map(|(key, _)| key)), limit)
        })
    }

    /// The records of at most `limit` calls whose recording is closed and not confirmed, oldest call first.
    ///
    /// # Errors
    /// If sled fails.
    pub fn unsent_recordings(&self, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let rows = trees.range(Tree::UnsentRecordings, Bound::Unbounded, Bound::Unbounded)?;
            numbered(trees, rows.map(|row| row.map(|(key, _)| key)), limit)
        })
    }

    /// How much is to be sent; from counters.
    ///
    /// # Errors
    /// If sled fails.
    pub fn backlog(&self) -> Result<Backlog, IndexError> {
        self.read(|trees| {
            let counts = fold::counts(trees)?;
            let oldest = [trees.first(Tree::UnsentRecords)?, trees.first(Tree::UnsentRecordings)?];
            Ok(Backlog {
                records: counts.records,
                recordings: counts.recordings,
                refused: counts.refused,
                oldest: oldest.into_iter().flatten().filter_map(|(_, at)| number(&at)).min().map(WallTime),
                recording_bytes: counts.recording_bytes,
            })
        })
    }

    /// At most `limit` things that the upstream refused, oldest refusal first. A receipt or a newer revision ends it.
    ///
    /// # Errors
    /// If sled fails.
    pub fn refusals(&self, limit: usize) -> Result<Vec<Refusal>, IndexError> {
        self.read(|trees| {
            let mut refusals = Vec::new();
            for row in trees.range(Tree::Refused, Bound::Unbounded, Bound::Unbounded)?.take(limit) {
                let (key, value) = row?;
                let about = value.get(1..).unwrap_or_default();
                let Some((call, part, state)) = named(trees, &key, about)? else { continue };
                let refused = state.refused.get(&part).cloned();
                refusals.extend(refused.map(|refused| Refusal {
                    call,
                    part,
                    status: refused.status,
                    why: refused.why,
                    at: refused.at,
                }));
            }
            Ok(refusals)
        })
    }

    /// Puts what was refused before `before` among the unsent again, where it stays until it is confirmed or refused
    /// anew; returns how much that is. To be called now and then with the time a day ago. It is no fact: an index
    /// that is rebuilt forgets it and has to be told again.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub fn retry_refused(&self, before: WallTime) -> Result<usize, IndexError> {
        self.write(|trees| {
            let retried = fold::retry_refused(trees, before.0)?;
            if retried > 0 {
                trees.sync()?;
            }
            Ok(retried)
        })
    }

    /// The legal hold on a call.
    ///
    /// # Errors
    /// If sled fails.
    pub fn held(&self, call: CallId) -> Result<Option<Hold>, IndexError> {
        self.read(|trees| {
            let state = fold::state(trees, call.to_string().as_bytes())?;
            Ok(state.and_then(|state| state.hold))
        })
    }

    /// At most `limit` erasures whose time has come, longest due first. Those of calls on hold are left out, and those
    /// of which nothing is left to erase.
    ///
    /// # Errors
    /// If sled fails.
    pub fn erasures_due(&self, now: WallTime, limit: usize) -> Result<Vec<Erasure>, IndexError> {
        self.read(|trees| {
            let end = now.0.saturating_add(1).to_be_bytes();
            let end = Bound::Excluded(end.as_slice());
            let mut erasures = Vec::new();
            for row in trees.range(Tree::Erasures, Bound::Unbounded, end)?.take(limit) {
                let (key, value) = row?;
                let Some((call, part, state)) = named(trees, &key, &value)? else { continue };
                let asked = state.asked.get(&part).cloned();
                erasures.extend(asked.map(|asked| Erasure {
                    call,
                    part,
                    by: asked.by,
                    why: asked.why,
                    at: asked.at,
                    due: asked.due,
                }));
            }
            Ok(erasures)
        })
    }

    /// At most `limit` calls of a caller, by the whole E.164 number, newest first.
    ///
    /// # Errors
    /// If sled fails.
    pub fn calls_of(&self, number: &str, limit: usize) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let (start, end) = (state::by_caller(number, 0), state::by_caller(number, u64::MAX));
            let (start, end) = (Bound::Included(start.as_slice()), Bound::Included(end.as_slice()));
            let rows = trees.range(Tree::ByCaller, start, end)?.rev();
            numbered(trees, rows.map(|row| row.map(|(key, _)| tail(key))), limit)
        })
    }

    /// Number of calls from `number` (E.164), at most `most`.
    ///
    /// # Errors
    /// If sled fails.
    pub fn count_of(&self, number: &str, most: usize) -> Result<usize, IndexError> {
        self.read(|trees| {
            let (start, end) = (state::by_caller(number, 0), state::by_caller(number, u64::MAX));
            let (start, end) = (Bound::Included(start.as_slice()), Bound::Included(end.as_slice()));
            Ok(trees.range(Tree::ByCaller, start, end)?.take(most).filter(Result::is_ok).count())
        })
    }

    /// At most `limit` calls that came in before `before`, oldest first; after the call of that start time and number
    /// if `after` is given.
    ///
    /// # Errors
    /// If sled fails.
    pub fn expired(
        &self,
        before: WallTime,
        after: Option<(WallTime, u64)>,
        limit: usize,
    ) -> Result<Vec<CallRecord>, IndexError> {
        self.read(|trees| {
            let start = after.map(|(at, seq)| state::pair(at.0, seq));
            let start = start.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let end = before.0.to_be_bytes();
            if matches!(start, Bound::Excluded(start) if start >= end.as_slice()) {
                return Ok(Vec::new());
            }
            let rows = trees.range(Tree::ByTime, start, Bound::Excluded(end.as_slice()))?;
            numbered(trees, rows.map(|row| row.map(|(key, _)| tail(key))), limit)
        })
    }

    /// At most `limit` notes of the audit, newest first, below `before` if it is given.
    ///
    /// # Errors
    /// If sled fails.
    pub fn audit(&self, before: Option<AuditKey>, limit: usize) -> Result<Vec<(AuditKey, Note)>, IndexError> {
        self.read(|trees| {
            let end = before.map(AuditKey::bytes);
            let end = end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()));
            let mut notes = Vec::new();
            for row in trees.range(Tree::Audit, Bound::Unbounded, end)?.rev().take(limit) {
                let (key, json) = row?;
                let key = key.try_into().ok().map(|key| AuditKey(u128::from_be_bytes(key)));
                notes.extend(key.zip(serde_json::from_slice(&json).ok()));
            }
            Ok(notes)
        })
    }

    /// The highest of the upstream's own numbers that a receipt bears and that it has not lost; 0 if there is none.
    ///
    /// # Errors
    /// If sled fails.
    pub fn last_hq_seq(&self) -> Result<u64, IndexError> {
        self.read(|trees| Ok(trees.last(Tree::ByHqSeq)?.and_then(|(key, _)| number(&key)).unwrap_or(0)))
    }
}

/// The records of calls with these numbers, as far as they can be read.
pub(super) fn numbered(
    trees: &Trees,
    keys: impl Iterator<Item = Result<Vec<u8>, IndexError>>,
    limit: usize,
) -> Result<Vec<CallRecord>, IndexError> {
    let mut records = Vec::new();
    for key in keys.take(limit) {
        let json = trees.get(Tree::Calls, key?)?;
        records.extend(json.map(|json| record(trees, &json)).transpose()?.flatten());
    }
    Ok(records)
}

/// A record with what the upstream has confirmed of it; `None` if it is of a later version.
pub(super) fn record(trees: &Trees, json: &[u8]) -> Result<Option<CallRecord>, IndexError> {
    let Ok(mut record) = serde_json::from_slice::<CallRecord>(json) else { return Ok(None) };
    fold::state(trees, record.id.to_string().as_bytes())?.unwrap_or_default().confirm(&mut record);
    Ok(Some(record))
}

/// The call number at the end of a key.
pub(super) fn tail(mut key: Vec<u8>) -> Vec<u8> {
    key.split_off(key.len().saturating_sub(8))
}

/// What a row is about: the call, the part in its key, the call's state.
fn named(trees: &Trees, key: &[u8], call: &[u8]) -> Result<Option<(CallId, Part, state::State)>, IndexError> {
    let id = std::str::from_utf8(call).ok().and_then(|call| call.parse().ok());
    let (Some(id), Some(part)) = (id, state::part_of(key)) else { return Ok(None) };
    Ok(fold::state(trees, call)?.map(|state| (id, part, state)))
}
