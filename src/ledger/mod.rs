//! What can be asked of the calls: labels, filters, searches, reports. Pure: the calls come from a [`Book`], which is
//! the index of the running box or a list in memory.
//!
//! `label` derives the vendors' labels, `brief` is a call in a few bytes, `names` is what it refers to; `filter` says
//! which calls are meant, `search` finds them, `report` adds them up, `calendar` knows the office's days and hours.

pub mod brief;
pub mod calendar;
pub mod filter;
pub mod label;
pub mod listed;
#[cfg(test)]
mod made_up;
pub mod names;
pub mod report;
pub mod search;

pub use brief::Brief;
pub use filter::Filter;
pub use listed::Listed;
pub use names::Names;

use crate::{record::CallRecord, time::WallTime};
use std::ops::Range;

/// The calls cannot be read now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the calls cannot be read now: {0}; try again in a moment")]
pub struct Unreadable(pub String);

/// The finished calls. Reading them may wait for a disk.
pub trait Book: Send + Sync {
    /// Visits each call that came in within `range`, in no order that may be relied upon.
    ///
    /// # Errors
    /// If they cannot be read.
    fn scan(&self, range: &Range<WallTime>, visit: &mut dyn FnMut(&Brief<'_>)) -> Result<(), Unreadable>;

    /// The records of the calls of these numbers, in this order; those that are gone are left out.
    ///
    /// # Errors
    /// If they cannot be read.
    fn records(&self, seqs: &[u64]) -> Result<Vec<CallRecord>, Unreadable>;

    /// Every name that calls refer to.
    ///
    /// # Errors
    /// If they cannot be read.
    fn names(&self) -> Result<Names, Unreadable>;
}
