//! How syncing does.

use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// What waits for the upstream, and how it was met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncStatus {
    /// In one word.
    pub state: SyncState,
    /// Records that wait.
    pub records_waiting: u64,
    /// Recordings that wait.
    pub recordings_waiting: u64,
    /// Records and recordings that the upstream refused; they are kept and tried again once a day.
    pub refused: u64,
    /// Start of the oldest call of which something waits.
    pub oldest: Option<WallTime>,
    /// Its age in ms; 0 if nothing waits.
    pub oldest_age_ms: u64,
    /// When the upstream last answered.
    pub last_contact: Option<WallTime>,
    /// What was wrong the last time, while it is.
    pub last_error: Option<String>,
    /// Version of the site that was taken from the upstream.
    pub site_version: Option<u64>,
    /// Why a newer one was not taken.
    pub site_error: Option<String>,
}

/// Syncing in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// No upstream is configured; the box works alone.
    #[default]
    Off,
    /// Nothing waits.
    UpToDate,
    /// Something waits, for less than 15 minutes.
    Sending,
    /// Something has waited longer.
    Behind,
    /// The upstream does not answer, or not as it should.
    Unreachable,
    /// The upstream does not know this box, or not its key.
    UnknownBox,
    /// Nothing is wrong but that the upstream refuses some of it.
    Refusing,
}
