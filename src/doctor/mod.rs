//! What is wrong with a box, and what to do about it: one table of checks over what is known.
//!
//! `ringside doctor` gathers [`Evidence`] and prints every row; a running box puts the rows that need no more than its
//! own [`BoxStatus`] on the page and on the alarm lamp. The order and the ids are stable: people say "check 9" on the
//! telephone, and programs look for `battery`.

mod running;
mod site;
mod sync;
#[cfg(test)]
mod tests;

use crate::{
    status::{Alarm, BoxStatus, Severity},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Everything that the checks look at.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The configuration file, as named.
    pub config_file: String,
    /// A summary of a good configuration, or what is wrong with it.
    pub config: Result<String, String>,
    /// A summary of a good board profile, or what is wrong with it.
    pub board: Result<String, String>,
    /// The data directory, as named.
    pub data_dir: String,
    /// Whether this user may write there; what the system says if not.
    pub data_writable: Result<(), String>,
    /// The disk under the data directory.
    pub disk: Option<Disk>,
    /// The addresses that the box listens on; empty if the configuration does not tell.
    pub addresses: Vec<AddressUse>,
    /// The wall clock.
    pub now: WallTime,
    /// The running box, or why there is no answer from it.
    pub running: Result<BoxStatus, String>,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// An address that the box listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressUse {
    /// `SIP`, `page`.
    pub what: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// What the system says when it is asked for; `None` if it is free.
    pub taken: Option<String>,
}

/// One row of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Place in the table, 1-based.
    pub number: usize,
    /// Stable name.
    pub id: String,
    /// What was looked at.
    pub title: String,
    /// What came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it; absent if nothing.
    pub fix: Option<String>,
}

/// What came out of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// It cannot be looked at.
    Skip,
    /// Calls go on; look tomorrow.
    Warn,
    /// Calls or recordings are lost.
    Fail,
}

/// What a check found.
struct Finding {
    verdict: Verdict,
    found: String,
    fix: Option<String>,
}

/// Share of free space in percent below which somebody should look.
const LOW_PERCENT: u8 = 10;

/// What a row needs to look at.
enum Looks {
    /// The site: its files, its disk, its addresses.
    At(fn(&Evidence) -> Finding),
    /// The running box.
    Inside(fn(&BoxStatus) -> Finding),
}

/// The table: id, title, look.
const TABLE: [(&str, &str, Looks); 17] = [
    ("config", "Configuration", Looks::At(site::config)),
    ("board", "Board profile", Looks::At(site::board)),
    ("data", "Data directory", Looks::At(site::data)),
    ("space", "Disk space", Looks::At(site::space)),
    ("clock", "Clock", Looks::At(site::clock)),
    ("addresses", "Addresses", Looks::At(site::addresses)),
    ("running", "Running box", Looks::At(site::running)),
    ("trunk", "Trunks", Looks::Inside(running::trunk)),
    ("battery", "Battery of the lines", Looks::Inside(running::battery)),
    ("chips", "Line chips", Looks::Inside(running::chips)),
    ("line_health", "Line tests", Looks::Inside(running::line_health)),
    ("faults", "Faults of the last hour", Looks::Inside(running::faults)),
    ("media", "Audio", Looks::Inside(running::media)),
    ("threads", "Threads", Looks::Inside(running::threads)),
    ("storage", "Recordings", Looks::Inside(running::storage)),
    ("lifeline", "Lifeline", Looks::Inside(running::lifeline)),
    ("sync", "Upstream", Looks::Inside(sync::sync)),
];

/// Makes every check.
#[must_use]
pub fn checks(evidence: &Evidence) -> Vec<Check> {
    let look = |looks: &Looks| match (looks, &evidence.running) {
        (Looks::At(look), _) => look(evidence),
        (Looks::Inside(look), Ok(status)) => look(status),
        (Looks::Inside(_), Err(_)) => Finding::skip("only a running box tells"),
    };
    (1..).zip(&TABLE).map(|(number, (id, title, looks))| row(number, id, title, look(looks))).collect()
}

/// Makes the checks that need no more than the running box itself.
#[must_use]
pub fn running_checks(status: &BoxStatus) -> Vec<Check> {
    let inside = |(number, (id, title, looks)): (usize, &(&str, &str, Looks))| match looks {
        Looks::At(_) => None,
        Looks::Inside(look) => Some(row(number, id, title, look(status))),
    };
    (1..).zip(&TABLE).filter_map(inside).collect()
}

/// What of a running box needs somebody, longest-standing first. `standing` are the alarms of the snapshot before: what
/// stands already keeps its beginning.
#[must_use]
pub fn alarms(status: &BoxStatus, standing: &[Alarm]) -> Vec<Alarm> {
    let alarm = |check: Check| {
        let severity = match check.verdict {
            Verdict::Pass | Verdict::Skip => return None,
            Verdict::Warn => Severity::Warning,
            Verdict::Fail => Severity::Failure,
        };
        let before = standing.iter().find(|alarm| alarm.code == check.id);
        Some(Alarm {
            since: before.map_or(status.at, |alarm| alarm.since),
            code: check.id,
            severity,
            text: check.found,
            remedy: check.fix.unwrap_or_default(),
        })
    };
    let mut alarms: Vec<Alarm> = running_checks(status).into_iter().filter_map(alarm).collect();
    alarms.sort_by_key(|alarm| alarm.since);
    alarms
}

fn row(number: usize, id: &str, title: &str, finding: Finding) -> Check {
    let Finding { verdict, found, fix } = finding;
    Check { number, id: id.to_owned(), title: title.to_owned(), verdict, found, fix }
}

impl Finding {
    fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), fix: None }
    }

    fn skip(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, found: found.into(), fix: None }
    }

    fn warn(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, found: found.into(), fix: Some(fix.into()) }
    }
}
