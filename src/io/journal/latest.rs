//! Which entry of a journal is the newest of each call, so that all records can be gone through without holding them.

use super::{
    Entry,
    reader::{Reader, Report},
};
use crate::{id::CallId, record::CallRecord};
use std::{collections::BTreeMap, io, path::Path};

/// The newest entry of every call: about 50 bytes a call.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// Revision and entry.
    calls: BTreeMap<CallId, (u32, u64)>,
    last_seq: u64,
}

impl Latest {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn read(dir: &Path) -> io::Result<(Self, Report)> {
        let mut reader = Reader::open(dir, 0)?;
        let mut latest = Self::default();
        while let Some(entry) = reader.next().transpose()? {
            latest.take(&entry);
        }
        Ok((latest, reader.report().clone()))
    }

    fn take(&mut self, entry: &Entry) {
        self.last_seq = self.last_seq.max(entry.seq);
        let Some(record) = entry.fact.record() else { return };
        let known = self.calls.entry(record.id).or_insert((record.rev, entry.seq));
        if known.0 <= record.rev {
            *known = (record.rev, entry.seq);
        }
    }

    /// Whether the journal knows a call.
    #[must_use]
    pub fn knows(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Number of the last entry; 0 if there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Calls in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Reads the journal again and gives the newest record of every call, in the order in which they were last
    /// changed, with segment and number of its entry.
    ///
    /// # Errors
    /// If the folder cannot be read; an item is an error if a segment cannot be.
    pub fn records(&self, dir: &Path) -> io::Result<impl Iterator<Item = io::Result<Newest>>> {
        Ok(Reader::open(dir, 0)?.filter_map(|entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let (segment, seq) = (entry.segment, entry.seq);
            let record = entry.fact.into_record()?;
            let is_newest = self.calls.get(&record.id).is_some_and(|&(_, newest)| newest == seq);
            is_newest.then_some(Ok(Newest { segment, seq, record }))
        }))
    }
}

/// The newest record of a call.
#[derive(Clone, Debug)]
pub struct Newest {
    /// Segment of its entry.
    pub segment: u32,
    /// Number of its entry.
    pub seq: u64,
    /// The record.
    pub record: CallRecord,
}
