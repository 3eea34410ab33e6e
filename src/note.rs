//! Notes: what the journal keeps about calls beside their records. Who has a call, who may not lose it, who had it
//! erased, who looked at it.

use crate::{
    id::{CallId, RecordingId},
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// Who asks for an erasure when nobody does: the site's rules.
pub const BY_RETENTION: &str = "retention";

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// When.
    pub at: WallTime,
    /// Who.
    pub by: String,
    /// What.
    pub did: String,
    /// To what.
    pub on: String,
    /// Why, if a reason was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One note, as it is journaled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it was made, by the wall clock.
    pub at: WallTime,
    /// What it says.
    #[serde(flatten)]
    pub what: What,
}

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum What {
    /// The upstream has this revision of a call's record, durably: its receipt.
    RecordReceived {
        /// The call.
        call: CallId,
        /// The revision.
        rev: u32,
        /// BLAKE3 of the record's JSON as it was sent, hex.
        hash: String,
        /// The upstream's own number of it, ascending per box.
        hq_seq: u64,
    },
    /// The upstream has a recording, durably, with this digest: its receipt.
    RecordingReceived {
        /// The call.
        call: CallId,
        /// The recording.
        recording: RecordingId,
        /// BLAKE3 of the bytes that it has, hex.
        hash: String,
    },
    /// The upstream will not take something as it is (a 4xx): kept, shown, tried again once a day.
    Refused {
        /// The call.
        call: CallId,
        /// Its record or its recording.
        part: Part,
        /// HTTP status.
        status: u16,
        /// What the upstream said, cut to 200 characters.
        why: String,
    },
    /// The upstream has lost what it had: these are to be sent again, if they are still here.
    UpstreamLost {
        /// Records whose receipt bears a higher number than this.
        above_hq_seq: Option<u64>,
        /// Ranges of call numbers ([`crate::record::CallRecord::seq`]), both ends included.
        calls: Vec<[u64; 2]>,
        /// Recordings.
        recordings: Vec<RecordingId>,
    },
    /// A legal hold: neither retention nor a request erases the call.
    Held {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A legal hold was lifted.
    Released {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
    },
    /// Something is to be erased once `due` has come.
    EraseAsked {
        /// The call.
        call: CallId,
        /// Its recording, or the record with it.
        part: Part,
        /// Who: `retention`, or a user.
        by: String,
        /// Why.
        why: String,
        /// Not before.
        due: WallTime,
    },
    /// An erasure that was asked for is called off.
    EraseCancelled {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
    },
    /// An erasure that was asked for need not wait for the upstream's receipt: a lawful request that must not wait.
    ReceiptWaived {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Entries of the office's directory, after a change; a large change is in several notes.
    Directory {
        /// Number of the change on this box, 1-based.
        edit: u64,
        /// Who.
        by: String,
        /// Each as `directory::Changed` writes it.
        changed: Vec<serde_json::Value>,
    },
    /// Somebody did something that has to be accounted for: played, exported, changed.
    Audit {
        /// Who.
        by: String,
        /// What: `played`, `exported`, `edited`.
        did: String,
        /// To what.
        on: String,
    },
}

/// A part of what is stored of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The recording, its waveform and its sidecar's path to it.
    Recording,
    /// The record; nothing that names a person is left of it.
    Record,
}

impl Note {
    /// The call it is about, if it is about one.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match self.what {
            What::RecordReceived { call, .. }
            | What::RecordingReceived { call, .. }
            | What::Refused { call, .. }
            | What::Held { call, .. }
            | What::Released { call, .. }
            | What::EraseAsked { call, .. }
            | What::EraseCancelled { call, .. }
            | What::ReceiptWaived { call, .. } => Some(call),
            What::UpstreamLost { .. } | What::Directory { .. } | What::Audit { .. } => None,
        }
    }

    /// Whether somebody has to account for it: a person who held, released, erased, played or exported.
    #[must_use]
    pub fn is_accountable(&self) -> bool {
        self.account().is_some_and(|account| account.by != BY_RETENTION)
    }

    /// Who did what to what, and why, in words; `None` if nobody did anything.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        let (by, did, on, why) = match &self.what {
            What::Held { call, by, why } => (by, "held", call.to_string(), Some(why)),
            What::Released { call, by } => (by, "released", call.to_string(), None),
            What::EraseAsked { call, part: Part::Recording, by, why, .. } => {
                (by, "asked to erase the recording", call.to_string(), Some(why))
            }
            What::EraseAsked { call, part: Part::Record, by, why, .. } => {
                (by, "asked to erase the record", call.to_string(), Some(why))
            }
            What::EraseCancelled { call, by } => (by, "called the erasure off", call.to_string(), None),
            What::ReceiptWaived { call, by, why } => {
                (by, "let it be erased without the upstream's receipt", call.to_string(), Some(why))
            }
            What::Audit { by, did, on } => (by, did.as_str(), on.clone(), None),
            What::RecordReceived { .. }
            | What::RecordingReceived { .. }
            | What::Refused { .. }
            | What::UpstreamLost { .. }
            // The audit has its own line of it.
            | What::Directory { .. } => return None,
        };
        Some(Account { at: self.at, by: by.clone(), did: did.to_owned(), on, why: why.cloned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_as_it_was_written() {
        let call = CallId::from_parts(WallTime(1), 1);
        let what = What::EraseAsked {
            call,
            part: Part::Recording,
            by: "retention".to_owned(),
            why: "older than 365 days".to_owned(),
            due: WallTime(86_400_000),
        };
        let note = Note { at: WallTime(7), what };
        let text = serde_json::to_string(&note).unwrap();
        assert!(text.contains(r#""note":"erase_asked""#), "{text}");
        assert_eq!(serde_json::from_str::<Note>(&text).unwrap(), note);
        assert_eq!(note.call(), Some(call));
    }
}
