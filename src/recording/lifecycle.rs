//! What the switchboard asks of storage, and what storage reports.

use crate::{
    handling::Handling,
    id::{CallId, RecordingId},
    record::{CallRecord, Recording},
    time::WallTime,
};

/// A fact for the journal or an order about a recording.
#[derive(Clone, Debug)]
pub enum Command {
    /// The first entry of a call: it came in. The record is revision 0, `in_progress`.
    Ringing(Box<CallRecord>),
    /// A handset went off hook.
    Answered {
        /// The call.
        call: CallId,
        /// The record as it now stands.
        record: Box<CallRecord>,
    },
    /// Begins a recording; the tap's consumer travels beside this value.
    Start {
        /// The call.
        call: CallId,
        /// The recording.
        recording: RecordingId,
        /// Tags of the file.
        tags: Tags,
    },
    /// The call is over: the record is final but for its recording, which is closed when its tap runs dry. If one
    /// was begun, storage fills in the recording section; only its `expected_ms` is taken from here.
    Save(Box<CallRecord>),
}

/// What a recording says of itself (Ogg Opus comment header, RFC 7845 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// `CALL_ID`.
    pub call: CallId,
    /// `TRACKING`.
    pub tracking: String,
    /// `CALLER`: the number, or `anonymous`.
    pub caller: String,
    /// `DATE`.
    pub start_time: WallTime,
    /// `CAMPAIGN`.
    pub campaign: String,
}

/// A report from storage.
#[derive(Clone, Debug)]
pub enum Event {
    /// The call's first entry is on the disk, `ms` after it was queued.
    Journaled {
        /// The call.
        call: CallId,
        /// Milliseconds from queueing to durable.
        ms: u64,
    },
    /// The recording was closed (or could not be written); the record was saved again with these facts.
    Recorded {
        /// The call.
        call: CallId,
        /// The recording section as stored.
        recording: Box<Recording>,
    },
    /// What the office has of a call changed; it is on the disk, but for what the box itself found out.
    Handled {
        /// The call.
        call: CallId,
        /// All of it.
        handling: Box<Handling>,
        /// Number of the call and revision of its record, if a person changed it.
        revision: Option<(u64, u32)>,
    },
    /// The final record is on the disk and in the index.
    Saved {
        /// The call.
        call: CallId,
    },
}
