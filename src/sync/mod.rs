//! Bringing records and recordings upstream: what is said, and when.
//!
//! `wire` is the protocol, `machine` decides what is asked next, `budget` how fast recordings may go. None of them
//! touches a socket: `io::upstream` does what they say.

pub mod backoff;
pub mod budget;
pub mod event;
pub mod machine;
mod resting;
#[cfg(test)]
mod tests;
mod upload;
pub mod wire;

use crate::time::WallTime;

/// What waits for the upstream, as the index counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records.
    pub records: u64,
    /// Recordings.
    pub recordings: u64,
    /// Things the upstream refused.
    pub refused: u64,
    /// Start of the oldest call of which something waits.
    pub oldest: Option<WallTime>,
    /// Bytes of the recordings that wait.
    pub recording_bytes: u64,
}
