//! The journal: the truth about every call, append-only and checksummed.
//!
//! ```text
//! journal/000001.rj   "ringsrj1"  header frame  frame  frame …                 up to 4 MiB, then 000002.rj
//! frame               len u32 | crc32c u32 | version u8 | kind u8 | seq u64 | payload (JSON)      little-endian
//! ```
//! `len` counts the payload, `crc32c` covers everything but itself, `seq` counts entries through all segments. The
//! payload of an entry is the whole call record, or a note, as JSON on purpose: any version reads any other's. The
//! header frame says which box and boot wrote the segment, the digest of the segment before with the box's signature
//! (see `chain`), and from which segment on calls were open, so that a start reads a few segments and not years.
//!
//! An entry is acknowledged after one `fdatasync` for all that were queued. A failed write or sync is fatal for its
//! segment: the kernel may have dropped what it failed to write and will not say so twice. What was not
//! acknowledged is written again to a new segment; a reader drops the second copy by its `seq`.

pub mod chain;
pub mod check;
pub mod commit;
pub mod erase;
pub mod frame;
pub mod latest;
pub mod reader;
pub mod writer;

use crate::{
    id::BoxId,
    note::Note,
    record::{CallRecord, Ended, RecordingState},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// First bytes of a segment.
pub const MAGIC: [u8; 8] = *b"ringsrj1";
/// A segment that has reached this many bytes is followed by the next one.
pub const SEGMENT_BYTES: u64 = 4 << 20;

const EXTENSION: &str = "rj";

/// What an entry says of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It came in.
    Ringing = 1,
    /// A handset went off hook.
    Answered = 2,
    /// It is over.
    Ended = 3,
    /// Its recording was closed.
    Recorded = 4,
    /// It was cut off by a crash or a power cut and closed at the next start.
    Interrupted = 5,
    /// Its recording, or what of its record names a person, was erased lawfully: the record as it is left.
    Erased = 7,
    /// The office made something of it.
    Handled = 10,
}

impl Kind {
    /// The kind of a frame; `None` for the header, for notes and for kinds of a later version.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let kinds = [Self::Ringing, Self::Answered, Self::Ended, Self::Recorded, Self::Interrupted];
        kinds.into_iter().chain([Self::Erased, Self::Handled]).find(|&kind| kind as u8 == code)
    }
}

/// Kind of the frame of a note.
const NOTE_KIND: u8 = 6;

/// What an entry says.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The call as it stands after something happened to it.
    Call(Kind, Box<CallRecord>),
    /// Something about calls beside their records.
    Note(Note),
}

impl Fact {
    /// The fact in a frame; `None` if it is of a later version.
    fn read(code: u8, payload: &[u8]) -> Option<Self> {
        if code == NOTE_KIND {
            return serde_json::from_slice(payload).ok().map(Self::Note);
        }
        Some(Self::Call(Kind::from_code(code)?, serde_json::from_slice(payload).ok()?))
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Call(kind, _) => *kind as u8,
            Self::Note(_) => NOTE_KIND,
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Call(_, record) => Ok(serde_json::to_writer(out, record)?),
            Self::Note(note) => Ok(serde_json::to_writer(out, note)?),
        }
    }

    /// The record of a call.
    #[must_use]
    pub fn record(&self) -> Option<&CallRecord> {
        match self {
            Self::Call(_, record) => Some(record),
            Self::Note(_) => None,
        }
    }

    /// The record of a call, taken out.
    #[must_use]
    pub fn into_record(self) -> Option<CallRecord> {
        match self {
            Self::Call(_, record) => Some(*record),
            Self::Note(_) => None,
        }
    }
}

/// One entry as read.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of the entry, 1-based, contiguous through all segments.
    pub seq: u64,
    /// Segment it is in.
    pub segment: u32,
    /// What it says.
    pub fact: Fact,
}

/// What the header frame of a segment says; its `seq` is that of the segment's first entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SegmentHeader {
    /// The box.
    pub box_id: BoxId,
    /// The run of the daemon, 16 hex digits.
    pub boot_id: String,
    /// Number of this segment.
    pub segment: u32,
    /// BLAKE3 of the bytes of the segment before, hex: what was written before `chain` was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Digest of the segment before, hex (see [`chain`]); absent in the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// The box's signature over that, hex; absent where the box has no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The first segment that holds an entry of a call that was open when this segment was begun.
    pub oldest_open: u32,
    /// Number of the next call ([`CallRecord::seq`]).
    pub next_call: u64,
}

/// Whether nothing more is to come for a call: it is over and its recording is closed.
#[must_use]
pub fn is_settled(record: &CallRecord) -> bool {
    record.outcome.ended != Ended::InProgress && record.recording.state != RecordingState::Writing
}

/// Path of a segment.
#[must_use]
pub fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.{EXTENSION}"))
}

/// Numbers of the segments in a folder, ascending; empty if there is no such folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn segments(dir: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let path = PathBuf::from(entry?.file_name());
        let number =
            path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u32>().ok());
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            numbers.extend(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
