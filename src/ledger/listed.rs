//! Calls in memory as a [`Book`]: those of a journal that was read whole, or of a test.

use super::{Book, Brief, Names, Unreadable, brief, names};
use crate::{record::CallRecord, time::WallTime};
use std::ops::Range;

/// Records and what is asked of them.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    records: Vec<CallRecord>,
    briefs: Vec<Vec<u8>>,
}

impl Listed {
    /// A book of these calls.
    #[must_use]
    pub fn new(mut records: Vec<CallRecord>) -> Self {
        records.sort_by_key(|record| record.seq);
        let briefs = records.iter().map(brief::write).collect();
        Self { records, briefs }
    }
}

impl Book for Listed {
    fn scan(&self, range: &Range<WallTime>, visit: &mut dyn FnMut(&Brief<'_>)) -> Result<(), Unreadable> {
        for (record, bytes) in self.records.iter().zip(&self.briefs) {
            if range.contains(&record.start_time)
                && let Some(brief) = Brief::read(record.start_time, record.seq, bytes)
            {
                visit(&brief);
            }
        }
        Ok(())
    }

    fn records(&self, seqs: &[u64]) -> Result<Vec<CallRecord>, Unreadable> {
        let found = |seq: &u64| self.records.binary_search_by_key(seq, |record| record.seq).ok();
        Ok(seqs.iter().filter_map(found).filter_map(|at| self.records.get(at).cloned()).collect())
    }

    fn names(&self) -> Result<Names, Unreadable> {
        let mut all = Names::default();
        for (kind, named) in self.records.iter().flat_map(names::of) {
            all.put(kind, named);
        }
        Ok(all)
    }
}
