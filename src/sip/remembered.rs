//! What the box remembers of INVITEs that it answered without keeping a transaction.
//!
//! A flood must neither grow memory nor make one call into two. While there is room, an answered INVITE has its own
//! transaction. Above that cap no 100 is sent, because a caller that got one no longer repeats its INVITE (RFC 3261
//! 8.2.7); the final answer is sent once and only its essence is kept here: two hashes, a status and a delay. The To tag of every answer is a keyed hash of the INVITE, so a repeated INVITE that is found here gets the
//! very same bytes again, is not offered to the call machine a second time and makes no second record; the caller's
//! own retransmission (timer A) takes the place of our timer G. An ACK for such an answer matches nothing and is
//! swallowed. The same INVITE by another way (another branch) is a merged request. A 2xx needs no repetition here:
//! its dialog repeats it.
//!
//! The oldest entries give way. 64 k entries outlast timer B (32 s) at 2,000 refusals per second.

use super::event::Rejection;
use std::collections::{BTreeMap, VecDeque};

/// INVITEs remembered.
pub const MAX_REMEMBERED: usize = 65_536;

/// How an INVITE was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With 2xx.
    Accepted,
    /// With this refusal.
    Refused(Rejection),
}

/// Two hashes that name a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What all ways of a request have in common (RFC 3261 8.2.2.2): From tag, Call-ID, CSeq.
    pub request: u64,
    /// That and the way it came: the transaction (RFC 3261 17.2.3).
    pub way: u64,
}

/// What is known of an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was answered so.
    Answered(Answer),
    /// It was answered when it came by another way: 482.
    Merged,
}

/// The memory; empty until the first flood.
#[derive(Debug, Default)]
pub struct Remembered {
    by_request: BTreeMap<u64, (u64, Answer)>,
    order: VecDeque<u64>,
}

impl Remembered {
    /// Remembers how the INVITE was answered.
    pub fn insert(&mut self, key: Key, answer: Answer) {
        if self.by_request.insert(key.request, (key.way, answer)).is_some() {
            return;
        }
        self.order.push_back(key.request);
        if self.order.len() > MAX_REMEMBERED {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.by_request.remove(&oldest));
        }
    }

    /// What is known of the INVITE.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<Known> {
        let (way, answer) = self.by_request.get(&key.request)?;
        Some(if *way == key.way { Known::Answered(*answer) } else { Known::Merged })
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Answer = Answer::Refused(Rejection { status: 486, retry_after_s: None });

    const fn key(request: u64, way: u64) -> Key {
        Key { request, way }
    }

    #[test]
    fn a_repeated_invite_is_known_and_another_way_is_merged() {
        let mut remembered = Remembered::default();
        remembered.insert(key(1, 10), BUSY);
        assert_eq!(remembered.find(key(1, 10)), Some(Known::Answered(BUSY)));
        assert_eq!(remembered.find(key(1, 11)), Some(Known::Merged));
        assert_eq!(remembered.find(key(2, 10)), None);
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut remembered = Remembered::default();
        for request in 0..=MAX_REMEMBERED as u64 {
            remembered.insert(key(request, 0), BUSY);
            remembered.insert(key(request, 0), BUSY);
        }
        assert_eq!((remembered.len(), remembered.by_request.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert_eq!(remembered.find(key(0, 0)), None);
        assert_eq!(remembered.find(key(1, 0)), Some(Known::Answered(BUSY)));
    }
}
