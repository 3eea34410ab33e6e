//! What goes into the sync machine and what comes out of it.

use super::wire::Gaps;
use crate::{
    id::{CallId, RecordingId},
    note::What,
};

/// A record that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordDue {
    /// Number of the call.
    pub seq: u64,
    /// The call.
    pub call: CallId,
    /// Revision of its record.
    pub rev: u32,
}

/// A recording that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordingDue {
    /// Number of the call.
    pub seq: u64,
    /// The call.
    pub call: CallId,
    /// The recording.
    pub recording: RecordingId,
    /// Its bytes, as the record says.
    pub bytes: u64,
}

/// What the index says waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Records, newest first.
    pub records: Vec<RecordDue>,
    /// Whether there are no more than these.
    pub all_records: bool,
    /// Recordings, oldest first.
    pub recordings: Vec<RecordingDue>,
    /// Whether there are no more than these.
    pub all_recordings: bool,
    /// Number of the newest call of the box; 0 before the first.
    pub last_call: u64,
}

/// Number of a request, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// [`Command::List`] was done.
    Listed(Listing),
    /// The index has something that it did not have.
    Stored,
    /// Somebody wants everything sent now, whatever was refused or failed before.
    SyncNow,
    /// As many calls are up.
    CallsUp(usize),
    /// The upstream answered a request.
    Answered(RequestId, Answer),
    /// A request was not done.
    Failed(RequestId, Failure),
    /// The deadline passed.
    Deadline,
}

/// The upstream's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a batch.
    Batch {
        /// What it has now.
        received: Vec<Received>,
        /// What it will not take, and why.
        refused: Vec<(RecordDue, String)>,
    },
    /// To a question about a recording: the bytes that are there.
    Offset(u64),
    /// To a piece that was not the last: the bytes that are there.
    Piece(u64),
    /// The recording is there, durably, with the digest of its record.
    Recording {
        /// The call.
        call: CallId,
        /// The recording.
        recording: RecordingId,
        /// Its digest.
        hash: String,
    },
    /// To a question about gaps.
    Gaps(Gaps),
    /// To a question about the site: looked at, whatever became of it.
    Site,
}

/// A receipt whose hash is that of what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The record.
    pub due: RecordDue,
    /// Its hash.
    pub hash: String,
    /// The upstream's number of it.
    pub hq_seq: u64,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection came about.
    Unreachable(String),
    /// It broke off, there was no answer in time, or one that makes no sense.
    Network(String),
    /// An answer that is no success.
    Status {
        /// HTTP status.
        status: u16,
        /// How long to wait, in ms, if the upstream says so.
        retry_after_ms: Option<u64>,
        /// Bytes of the recording that the upstream has, with a 409.
        offset: Option<u64>,
        /// What it says.
        why: String,
    },
    /// The file of a recording is not what its record says.
    File(String),
    /// Calls are up, and uploads rest meanwhile.
    Paused,
}

/// What to do next. The machine has one request on its way at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Look what waits; at most so many of each. Answered at once by [`Event::Listed`].
    List {
        /// Records.
        records: usize,
        /// Recordings.
        recordings: usize,
    },
    /// Send a batch; without records it is a sign of life.
    SendBatch {
        /// The request.
        request: RequestId,
        /// What of the last listing to send.
        records: Vec<RecordDue>,
    },
    /// Ask how much of a recording is there.
    AskOffset {
        /// The request.
        request: RequestId,
        /// The recording.
        recording: RecordingDue,
    },
    /// Send a piece of a recording.
    Upload {
        /// The request.
        request: RequestId,
        /// The recording.
        recording: RecordingDue,
        /// Where the piece begins.
        offset: u64,
        /// Its length in bytes; the piece that ends at the recording's end is the last.
        length: u64,
    },
    /// Ask what of the calls up to this one is not there.
    AskGaps {
        /// The request.
        request: RequestId,
        /// Number of the last call.
        calls: u64,
    },
    /// Ask for a newer site.
    AskSite {
        /// The request.
        request: RequestId,
    },
    /// Keep this in the journal.
    Note(What),
}
