//! Finds calls: those that a filter means, in an order, a page at a time.
//!
//! Every page reads the briefs of the whole span once and keeps the few calls it shows: the same time for the first page
//! and for the last, and the number of all calls besides.

use super::{
    Book, Brief, Filter, Unreadable,
    filter::{Site, Wrong},
};
use crate::record::CallRecord;
use std::{collections::BinaryHeap, fmt, str::FromStr};

/// Calls on one page at most, as CallRail has it.
pub const MAX_PER_PAGE: usize = 250;

/// What the calls are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// When they came in.
    #[default]
    StartTime,
    /// How long they lasted.
    Duration,
    /// How long somebody talked.
    Talk,
    /// How long it rang.
    Ring,
}

impl Sort {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::StartTime, Self::Duration, Self::Talk, Self::Ring];

    /// The name in the API and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StartTime => "start_time",
            Self::Duration => "duration",
            Self::Talk => "talk",
            Self::Ring => "ring",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.word() == word)
    }

    fn value(self, call: &Brief<'_>) -> u64 {
        u64::from(match self {
            Self::StartTime => return call.start.0,
            Self::Duration => call.total_ms,
            Self::Talk => call.talk_ms.unwrap_or(0),
            Self::Ring => call.ring_ms.unwrap_or(0),
        })
    }
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest, the longest.
    #[default]
    Descending,
    /// The oldest, the shortest.
    Ascending,
}

impl Order {
    /// The name in the API and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Descending => "desc",
            Self::Ascending => "asc",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Descending, Self::Ascending].into_iter().find(|order| order.word() == word)
    }
}

/// The place of a call in an order: the next page begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    value: u64,
    seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.value, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let parts =
            text.split_once('.').and_then(|(value, seq)| Some((value.parse().ok()?, seq.parse().ok()?)));
        let (value, seq) = parts
            .ok_or_else(|| Wrong::new("after", "not a place in a list; take it from `next` as it is"))?;
        Ok(Self { value, seq })
    }
}

/// Which page of which list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// What the list is sorted by.
    pub sort: Sort,
    /// Which end comes first.
    pub order: Order,
    /// The call after which the page begins.
    pub after: Option<Cursor>,
    /// Calls on the page.
    pub per_page: usize,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Found {
    /// The calls, in order.
    pub calls: Vec<CallRecord>,
    /// Where the next page begins; absent if there is none.
    pub next: Option<Cursor>,
    /// Calls in the whole list.
    pub total: usize,
}

/// A page of the calls that are meant.
///
/// # Errors
/// If the calls cannot be read.
pub fn page(book: &dyn Book, filter: &Filter, paging: &Paging, site: &Site) -> Result<Found, Unreadable> {
    let sieve = filter.sieve(&book.names()?, site);
    // The best are kept, so the worst of them is on top of the heap.
    let mut kept: BinaryHeap<Cursor> = BinaryHeap::new();
    let room = paging.per_page + 1;
    let after = paging.after.map(|after| turned(after, paging.order));
    let mut total = 0;
    book.scan(&sieve.range, &mut |call| {
        if !sieve.passes(call) {
            return;
        }
        total += 1;
        let place = turned(Cursor { value: paging.sort.value(call), seq: call.seq }, paging.order);
        if after.is_some_and(|after| place <= after) {
            return;
        }
        if kept.len() < room {
            kept.push(place);
        } else if let Some(mut worst) = kept.peek_mut()
            && place < *worst
        {
            *worst = place;
        }
    })?;
    let mut places = kept.into_sorted_vec();
    let is_more = places.len() > paging.per_page;
    places.truncate(paging.per_page);
    let next = places.last().filter(|_| is_more).map(|&last| turned(last, paging.order));
    let seqs: Vec<u64> = places.iter().map(|&place| turned(place, paging.order).seq).collect();
    Ok(Found { calls: book.records(&seqs)?, next, total })
}

/// Numbers of all calls that are meant, newest first: eight bytes each.
///
/// # Errors
/// If the calls cannot be read.
pub fn all(book: &dyn Book, filter: &Filter, site: &Site) -> Result<Vec<u64>, Unreadable> {
    let sieve = filter.sieve(&book.names()?, site);
    let mut places = Vec::new();
    book.scan(&sieve.range, &mut |call| {
        if sieve.passes(call) {
            places.push((call.start, call.seq));
        }
    })?;
    places.sort_unstable_by(|a, b| b.cmp(a));
    Ok(places.into_iter().map(|(_, seq)| seq).collect())
}

/// A place as it sorts: what comes first is the smallest.
const fn turned(place: Cursor, order: Order) -> Cursor {
    match order {
        Order::Ascending => place,
        Order::Descending => Cursor { value: u64::MAX - place.value, seq: u64::MAX - place.seq },
    }
}
