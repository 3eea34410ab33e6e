//! The index as the [`Book`] of all finished calls: their briefs in one walk, records by their numbers.

use super::{Index, IndexError, outbox, state::pair, trees::Tree};
use crate::{
    ledger::{
        Book, Brief, Names, Unreadable,
        names::{self, Kind},
    },
    record::CallRecord,
    time::WallTime,
};
use std::ops::{Bound, Range};

/// Key in [`Tree::Names`].
pub(super) fn name_key(kind: Kind, id: &str) -> Vec<u8> {
    [&[kind.code()], names::key(kind, id).to_be_bytes().as_slice()].concat()
}

impl Book for Index {
    fn scan(&self, range: &Range<WallTime>, visit: &mut dyn FnMut(&Brief<'_>)) -> Result<(), Unreadable> {
        let (from, to) = (pair(range.start.0, 0), pair(range.end.0, 0));
        let mut brief = |key: &[u8], value: &[u8]| {
            let Some((start, seq)) = key.split_at_checked(8) else { return };
            let (Some(start), Some(seq)) = (start.first_chunk(), seq.first_chunk()) else { return };
            let (start, seq) = (u64::from_be_bytes(*start), u64::from_be_bytes(*seq));
            if let Some(call) = Brief::read(WallTime(start), seq, value) {
                visit(&call);
            }
        };
        Ok(self.read(|trees| trees.visit(Tree::ByTime, &from, &to, &mut brief))?)
    }

    fn records(&self, seqs: &[u64]) -> Result<Vec<CallRecord>, Unreadable> {
        let seqs = seqs.iter().map(|seq| Ok(seq.to_be_bytes().to_vec()));
        Ok(self.read(|trees| outbox::numbered(trees, seqs, usize::MAX))?)
    }

    fn names(&self) -> Result<Names, Unreadable> {
        let mut all = Names::default();
        self.read(|trees| {
            for row in trees.range(Tree::Names, Bound::Unbounded, Bound::Unbounded)? {
                let (key, json) = row?;
                let kind = key.first().copied().and_then(Kind::of_code);
                if let Some((kind, named)) = kind.zip(serde_json::from_slice(&json).ok()) {
                    all.put(kind, named);
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl From<IndexError> for Unreadable {
    fn from(error: IndexError) -> Self {
        Self(error.to_string())
    }
}
