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

impl SyncStatus {
    /// What waits, in words: `3 records and 1 recording wait`; `None` if nothing does.
    #[must_use]
    pub fn waiting(&self) -> Option<String> {
        let counted = |count: u64, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            count => Some(format!("{count} {what}s")),
        };
        let parts = [counted(self.records_waiting, "record"), counted(self.recordings_waiting, "recording")];
        let verb = if self.records_waiting + self.recordings_waiting == 1 { "waits" } else { "wait" };
        let what = parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        (!what.is_empty()).then(|| format!("{what} {verb}"))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_as_people_count() {
        let table = [
            ((0, 0), None),
            ((1, 0), Some("1 record waits")),
            ((0, 1), Some("1 recording waits")),
            ((1, 1), Some("1 record and 1 recording wait")),
            ((3, 2), Some("3 records and 2 recordings wait")),
            ((0, 12), Some("12 recordings wait")),
        ];
        for ((records_waiting, recordings_waiting), words) in table {
            let sync = SyncStatus { records_waiting, recordings_waiting, ..SyncStatus::default() };
            assert_eq!(sync.waiting().as_deref(), words);
        }
    }
}
