//! The state of the running box at one moment: what the API, the page, `ringside status` and `ringside top` show.
//!
//! One snapshot, [`BoxStatus`], is filled once a second by the daemon and read by whoever wants to; the words in it are
//! the words on every screen. What is not known yet is absent, never guessed. A call that is not tracked has no place
//! for a number in here.

mod call;
mod line;
mod sync;

pub use call::{CallSound, CallStatus, TrackedCall, TrackedState, UntrackedCall};
pub use line::{
    Balance, Battery, Deduction, DialTone, Fault, HangUpSignal, ImpedanceEcho, LineCalls, LineHealth,
    LineMeasurement, LineState, LineStatus, Measured, PhoneMeasurement, PhoneState, PhoneStatus, Polarity,
    Trend,
};

pub use sync::{SyncState, SyncStatus};

use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// The schema name written into every snapshot.
pub const SCHEMA: &str = "ringside.status/1";

/// The running box at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When it was taken.
    pub at: WallTime,
    /// Version of the daemon.
    pub version: String,
    /// When the daemon started, by the wall clock of that time.
    pub started: WallTime,
    /// Seconds since then, by the monotonic clock.
    pub uptime_s: u64,
    /// Name of the office.
    pub site: String,
    /// SIP providers, in the order of the configuration.
    pub trunks: Vec<TrunkStatus>,
    /// FXO ports, in the order of the board profile.
    pub lines: Vec<LineStatus>,
    /// FXS ports, in the order of the board profile.
    pub phones: Vec<PhoneStatus>,
    /// Calls that are not over, oldest first.
    pub calls: Vec<CallStatus>,
    /// The lamps of the front panel, left to right; empty on a board without.
    pub panel: Vec<LedStatus>,
    /// Whether the button has opened set-up mode.
    #[serde(default)]
    pub set_up: bool,
    /// The relay that joins a line with a phone when the box does not run; absent on a board without.
    pub lifeline: Option<Lifeline>,
    /// The audio side.
    pub media: MediaStatus,
    /// The disk.
    pub storage: StorageStatus,
    /// Syncing with the upstream.
    #[serde(default)]
    pub sync: SyncStatus,
    /// The daemon's threads by name.
    pub threads: Vec<ThreadStatus>,
    /// What somebody should do something about, longest-standing first.
    pub alarms: Vec<Alarm>,
    /// Calls since the start.
    pub counters: CallCounters,
}

/// A SIP provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkStatus {
    /// Name in the configuration.
    pub name: String,
    /// Whether calls can come from it.
    #[serde(flatten)]
    pub state: TrunkState,
}

/// Whether calls can come from a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrunkState {
    /// The trunk knows the box's address: nothing to register.
    Peer,
    /// Not asked for yet, or taken back.
    Unregistered,
    /// Asked for.
    Trying,
    /// In force.
    Registered {
        /// Granted interval in seconds.
        expires_s: u32,
    },
    /// Turned down; it is tried again later.
    Refused {
        /// Status of the registrar's answer (RFC 3261 21).
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// No answer; it is tried again later.
    Unreachable,
}

/// One lamp of the front panel, as it shines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedStatus {
    /// What is printed beside it: `power`, `net`, `sync`, `line1`, `phone1`, `alarm`.
    pub name: String,
    /// Its colour while lit.
    pub colour: LedColour,
    /// When it is lit.
    pub pattern: LedPattern,
}

/// Colour of a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedColour {
    /// As it should be.
    Green,
    /// Work waits.
    Amber,
    /// Something is wrong.
    Red,
}

/// When a lamp is lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedPattern {
    /// Never.
    Off,
    /// Always.
    On,
    /// Half of each second.
    Slow,
    /// Four times a second.
    Fast,
    /// Two short flashes a second.
    Double,
    /// One short flash every four seconds.
    Wink,
}

/// State of the lifeline relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifeline {
    /// The phone hangs directly on the telco's line: the box is not between them.
    Joined,
    /// The box is between them.
    Parted,
}

/// The audio side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaStatus {
    /// Whether the PCM card works.
    pub card_up: bool,
    /// Share of one processor that the media thread used during the last second, in percent, 0 to 100.
    pub cpu_percent: Option<f32>,
    /// Times since the start that the thread was too late for the card.
    pub xruns: u64,
    /// Periods handled since the start.
    pub periods: u64,
}

/// The disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// Whether journal, recordings and index are being written.
    pub ok: bool,
    /// Free space of the data directory in percent, 0 to 100.
    pub free_percent: Option<u8>,
    /// Recordings since the start that were cut short or not written.
    pub failed_recordings: u64,
    /// Whether the index of calls failed and is not level with the journal again: lists and pages wait, calls do not.
    #[serde(default)]
    pub index_failed: bool,
    /// What a full disk costs.
    #[serde(default)]
    pub room: Room,
}

/// How much room there is on the disk of the data directory, see `recording::room`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// For years.
    #[default]
    Enough,
    /// New recordings are made with half the bits.
    Low,
    /// No new recording is made.
    Full,
}

/// One thread of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadStatus {
    /// Its name.
    pub name: String,
    /// Whether it has shown life in time.
    pub ok: bool,
    /// How often its work was restarted after a panic.
    pub restarts: u32,
}

/// Something that somebody should do something about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Stable name: `trunk`, `battery`, `storage`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub text: String,
    /// Since when.
    pub since: WallTime,
    /// What to do about it.
    pub remedy: String,
}

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Calls go on; look tomorrow.
    Warning,
    /// Calls or recordings are lost.
    Failure,
}

/// Calls since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounters {
    /// Calls to tracking numbers that are over.
    pub tracked: u64,
    /// Of these, the answered ones.
    pub answered: u64,
    /// Of these, the ones that nobody answered.
    pub missed: u64,
    /// Calls that are not tracked: direct, dialled out, emergency. All that is kept of them is this number.
    pub untracked: u64,
}

impl BoxStatus {
    /// Whether both say the same of the box: true if only what changes with time alone differs.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let timeless = |status: &Self| Self {
            at: WallTime(0),
            uptime_s: 0,
            media: MediaStatus { periods: 0, ..status.media },
            sync: SyncStatus { last_contact: None, oldest_age_ms: 0, ..status.sync.clone() },
            ..status.clone()
        };
        timeless(self) == timeless(other)
    }

    /// Names of all ports, phones first.
    pub fn ports(&self) -> impl Iterator<Item = &str> {
        let phones = self.phones.iter().map(|phone| phone.port.as_str());
        phones.chain(self.lines.iter().map(|line| line.port.as_str()))
    }
}

#[cfg(test)]
pub(crate) mod made_up;
#[cfg(test)]
mod tests;
