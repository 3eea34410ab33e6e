//! The check that looks at syncing.

use super::Finding;
use crate::status::{BoxStatus, SyncState};

/// Something that has waited longer needs somebody.
const OVERDUE_MS: u64 = 86_400_000;
/// A clock that is far off makes every certificate wrong.
const CLOCK: &str = "check the network, the clock of the box (timedatectl) and `url` and `ca` in [upstream]";

pub(super) fn sync(status: &BoxStatus) -> Finding {
    let sync = &status.sync;
    let waiting = sync.waiting().unwrap_or_else(|| "nothing waits".to_owned());
    let why = sync.last_error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
    if let Some(error) = &sync.site_error {
        let fix = "correct the numbers and campaigns at the upstream; those in force stay meanwhile";
        return Finding::warn(format!("a site of the upstream is not taken: {error}"), fix);
    }
    match sync.state {
        SyncState::Off => Finding::skip("no upstream is configured"),
        SyncState::UnknownBox => {
            let fix = "enrol the box at the upstream, or correct its token or certificate in [upstream]";
            Finding::warn(format!("the upstream does not know this box{why}"), fix)
        }
        SyncState::Unreachable => {
            Finding::warn(format!("the upstream does not answer{why}; {waiting}, nothing is lost"), CLOCK)
        }
        SyncState::Refusing => {
            let fix = "ringside sync status shows how many; the log of the upstream says why";
            Finding::warn(format!("the upstream refuses {}{why}", sync.refused), fix)
        }
        SyncState::Behind | SyncState::Sending if sync.oldest_age_ms > OVERDUE_MS => {
            let fix = "a slow line: raise uplink_percent in [upstream]; nothing is lost";
            Finding::warn(format!("{waiting}, the oldest for more than a day"), fix)
        }
        SyncState::Behind | SyncState::Sending | SyncState::UpToDate => Finding::pass(waiting),
    }
}
