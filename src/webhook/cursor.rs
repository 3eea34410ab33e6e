//! Which calls a receiver has been told of: all up to a number, and some beyond it.
//!
//! Calls get their numbers when they come in and are told of when they end, so that a long call is a gap for a while.
//! A call that was erased before it was told is a gap for ever; so far behind the others it is given up.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Calls told of beyond a gap: more than end while the longest call lasts.
pub const MAX_BEYOND: usize = 4_096;

/// Calls that a receiver has been told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// All up to this number.
    pub up_to: u64,
    /// And these.
    pub beyond: BTreeSet<u64>,
}

impl Cursor {
    /// A receiver that is not to be told of the calls up to `seq`.
    #[must_use]
    pub const fn after(seq: u64) -> Self {
        Self { up_to: seq, beyond: BTreeSet::new() }
    }

    /// Whether the receiver has been told of this call.
    #[must_use]
    pub fn has(&self, seq: u64) -> bool {
        seq <= self.up_to || self.beyond.contains(&seq)
    }

    /// The receiver has been told of this call.
    pub fn told(&mut self, seq: u64) {
        if seq > self.up_to {
            self.beyond.insert(seq);
        }
        if self.beyond.len() > MAX_BEYOND
            && let Some(first) = self.beyond.first()
        {
            self.up_to = first.saturating_sub(1);
        }
        while self.beyond.first().is_some_and(|first| *first <= self.up_to.saturating_add(1)) {
            self.up_to = self.beyond.pop_first().unwrap_or(self.up_to).max(self.up_to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_end_out_of_order_are_each_told_once() {
        let mut cursor = Cursor::after(10);
        cursor.told(12);
        cursor.told(13);
        assert!(cursor.has(3) && !cursor.has(11) && cursor.has(12));
        cursor.told(11);
        assert_eq!(cursor, Cursor::after(13));
        cursor.told(5);
        assert_eq!(cursor, Cursor::after(13));
    }

    #[test]
    fn a_gap_is_given_up_when_it_is_far_behind() {
        let mut cursor = Cursor::default();
        for seq in 2..2 + MAX_BEYOND as u64 {
            cursor.told(seq);
        }
        assert!(!cursor.has(1));
        cursor.told(2 + MAX_BEYOND as u64);
        assert_eq!(cursor, Cursor::after(2 + MAX_BEYOND as u64));
    }
}
