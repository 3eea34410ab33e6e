//! One recording on its way, piece by piece.

use super::{event::RecordingDue, wire};

/// Bytes of a piece while calls are up: 8 s at 64 kbit/s, so that records do not wait longer behind it.
const CALM_PIECE_BYTES: u64 = 64 << 10;
const _: () = assert!(CALM_PIECE_BYTES >= wire::MIN_PIECE_BYTES as u64);
/// A digest that does not match makes the upload begin again so often.
const MAX_RESTARTS: u8 = 2;
/// Wrong offsets in a row before something else is tried.
const MAX_CONFLICTS: u8 = 4;
/// Failures in a row before another recording gets its turn.
const MAX_FAILURES: u8 = 3;

/// Where the next piece begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The upstream is to be asked.
    Unknown,
    Offset(u64),
}

/// The recording that is being brought up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub(super) due: RecordingDue,
    at: At,
    /// As far as the upstream ever said it was.
    furthest: u64,
    restarts: u8,
    conflicts: u8,
    failures: u8,
}

/// What goes on the wire next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Ask,
    Piece { offset: u64, length: u64 },
}

impl Upload {
    pub(super) const fn new(due: RecordingDue) -> Self {
        Self { due, at: At::Unknown, furthest: 0, restarts: 0, conflicts: 0, failures: 0 }
    }

    pub(super) fn next(&self, calls_up: usize) -> Next {
        let most = if calls_up == 0 { wire::MAX_PIECE_BYTES as u64 } else { CALM_PIECE_BYTES };
        match self.at {
            At::Unknown => Next::Ask,
            // What is whole but has no receipt yet gets it for its end once more.
            At::Offset(offset) if offset == self.due.bytes => {
                let length = (wire::MIN_PIECE_BYTES as u64).min(offset);
                Next::Piece { offset: offset - length, length }
            }
            At::Offset(offset) => Next::Piece { offset, length: (self.due.bytes - offset).min(most) },
        }
    }

    /// The upstream has so many bytes; false if these cannot be ours.
    pub(super) const fn there(&mut self, offset: u64) -> bool {
        if offset > self.due.bytes {
            return false;
        }
        self.failures = 0;
        if offset > self.furthest {
            // Only what gets further has an end.
            (self.furthest, self.conflicts) = (offset, 0);
        }
        self.at = At::Offset(offset);
        true
    }

    /// The upstream says that a piece began at the wrong place; false if this does not end.
    pub(super) const fn conflict(&mut self, offset: Option<u64>) -> bool {
        self.conflicts += 1;
        self.at = match offset {
            Some(offset) if offset <= self.due.bytes => At::Offset(offset),
            Some(_) | None => At::Unknown,
        };
        self.conflicts <= MAX_CONFLICTS
    }

    /// The digest did not match: it begins again; false if that has been tried.
    pub(super) const fn restart(&mut self) -> bool {
        self.restarts += 1;
        (self.at, self.furthest) = (At::Offset(0), 0);
        self.restarts <= MAX_RESTARTS
    }

    /// A request failed: nobody knows what has arrived. False if another recording should be tried.
    pub(super) const fn failed(&mut self) -> bool {
        self.failures += 1;
        self.at = At::Unknown;
        self.failures < MAX_FAILURES
    }

    /// It was interrupted on purpose.
    pub(super) const fn interrupted(&mut self) {
        self.at = At::Unknown;
    }
}
