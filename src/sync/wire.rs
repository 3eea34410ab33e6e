//! The protocol between a box and its upstream, version 1: JSON over HTTPS. `openapi.json` of the receiver says the
//! same for those who write another one.
//!
//! ```text
//! POST /v1/boxes/{box}/records               Batch   -> 200 Receipts, after the upstream's own commit
//! HEAD /v1/boxes/{box}/recordings/{rec}              -> 200 Upload-Offset, Upload-Complete; 404 if there is nothing
//!        [Ringside-Blake3: hex]     asks about the upload with this digest, else about the one that got furthest;
//!                                   the answer names the digest that it is about
//! PUT  /v1/boxes/{box}/recordings/{rec}      bytes   -> 200 RecordingReceipt when whole, 202 Upload-Offset before
//!        Upload-Offset: 0  Upload-Length: 65536  Upload-Complete: ?1  Ringside-Call: cal_…  Ringside-Blake3: hex
//! GET  /v1/boxes/{box}/gaps?calls=N                  -> 200 Gaps: what of the calls 1..=N is not there
//! GET  /v1/boxes/{box}/site?after=VERSION            -> 200 SignedSite, 204 if there is nothing newer
//! ```
//! Everything may be sent twice: a record counts once under (box, call, rev), a recording under (box, recording,
//! digest). A receipt is given only after the upstream has made its own copy durable. 429 and 503 may carry
//! `Retry-After`; any other 4xx but 408 and 425 means that the thing itself is refused. Pieces of a recording follow
//! draft-ietf-httpbis-resumable-upload in the names of their headers; a wrong offset is 409 with the right one, a
//! digest that does not match 422, and the upload begins again. Only the last piece may be shorter than
//! [`MIN_PIECE_BYTES`]. Of an upload whose last piece came and that was not made whole, `Upload-Offset` is where that
//! last piece begins: it has to come again. Of a whole
//! recording it is its length, and its end sent once more is answered with the receipt.

use crate::{
    id::{BoxId, CallId, RecordingId},
    record::ClockState,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Version of the protocol, in every batch.
pub const SCHEMA: &str = "ringside.sync/1";
/// Records of one batch at most.
pub const MAX_BATCH_RECORDS: usize = 200;
/// Bytes of one batch at most.
pub const MAX_BATCH_BYTES: usize = 2 << 20;
/// Bytes of one piece of a recording at most.
pub const MAX_PIECE_BYTES: usize = 1 << 20;
/// Bytes of a piece at least that is not the last: what an upload costs its store is counted in pieces.
pub const MIN_PIECE_BYTES: usize = 16 << 10;
/// Bytes of one recording at most: a day of both legs.
pub const MAX_RECORDING_BYTES: u64 = 512 << 20;
/// Ranges of calls in one answer about gaps.
pub const MAX_GAP_RANGES: usize = 1_000;

/// Where a piece begins; in an answer, how many bytes the upstream has.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// Bytes of the whole recording.
pub const UPLOAD_LENGTH: &str = "upload-length";
/// `?1` on the last piece, `?0` on the others (RFC 8941 booleans).
pub const UPLOAD_COMPLETE: &str = "upload-complete";
/// The call of a recording.
pub const CALL: &str = "ringside-call";
/// BLAKE3 of the whole recording, hex.
pub const BLAKE3: &str = "ringside-blake3";

/// Records on their way, and how the box is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Batch {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The box.
    pub box_id: BoxId,
    /// The run of the daemon, 16 hex digits.
    pub boot_id: String,
    /// `ringside/0.1.0`.
    pub software: String,
    /// The box's wall clock.
    pub sent_at: WallTime,
    /// How far it can be trusted.
    pub clock: ClockState,
    /// The head of the box's journal: an anchor outside of the box for everything before it.
    pub head: Option<ChainHead>,
    /// How the box is; a batch without records is a sign of life.
    pub health: Health,
    /// Records, at most [`MAX_BATCH_RECORDS`].
    pub records: Vec<SentRecord>,
}

/// One revision of a call's record.
#[derive(Debug, Serialize, Deserialize)]
pub struct SentRecord {
    /// BLAKE3 of the bytes of `record` as they stand in the batch, hex.
    pub hash: String,
    /// The record, schema `ringside.call/1`, byte for byte as it was hashed.
    pub record: Box<RawValue>,
}

/// The head of the journal's chain. Kept by the upstream it proves that nothing before it was changed on the box since:
/// `seq` never goes back, one `seq` has one digest, and a box keeps its key. What does not fit is a warning to the
/// operator, never a reason to refuse records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Number of the last durable entry.
    pub seq: u64,
    /// Number of the segment it is in.
    pub segment: u32,
    /// BLAKE3 over the segment up to that entry, chained to all before, hex.
    pub digest: String,
    /// The box's ed25519 signature over [`ChainHead::signed_bytes`], hex.
    pub signature: String,
    /// The box's ed25519 public key, hex.
    pub public_key: String,
}

impl ChainHead {
    /// What is signed: box, segment, number and digest, a line each, as ASCII.
    #[must_use]
    pub fn signed_bytes(&self, box_id: BoxId) -> Vec<u8> {
        let Self { seq, segment, digest, .. } = self;
        format!("ringside.journal.head/1\n{box_id}\n{segment}\n{seq}\n{digest}\n").into_bytes()
    }
}

/// How the box is, for the fleet's page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Name of the site.
    pub site: String,
    /// Records that wait, this batch included.
    pub records_waiting: u64,
    /// Recordings that wait.
    pub recordings_waiting: u64,
    /// Start of the oldest call that waits.
    pub oldest_waiting: Option<WallTime>,
    /// Things the upstream refused.
    pub refused: u64,
    /// Alarms of the box, by their names.
    pub alarms: Vec<String>,
}

/// The upstream's answer to a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// One for every record that the upstream has now, or had already in this or a later revision.
    pub receipts: Vec<Receipt>,
    /// Records it will not take as they are.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

/// The upstream has this, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The call.
    pub call: CallId,
    /// The revision that was sent.
    pub rev: u32,
    /// The hash that was sent.
    pub hash: String,
    /// The upstream's number of it: ascending per box, never used twice, not even after a loss.
    pub hq_seq: u64,
}

/// The upstream will not take a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// BLAKE3 of the record as it was sent.
    pub hash: String,
    /// Why.
    pub why: String,
}

/// The upstream has this recording, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReceipt {
    /// The recording.
    pub recording: RecordingId,
    /// The call.
    pub call: CallId,
    /// Bytes it has.
    pub bytes: u64,
    /// BLAKE3 of them, hex.
    pub hash: String,
}

/// What of a box's calls the upstream does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// Ranges of call numbers, both ends included; the first [`MAX_GAP_RANGES`].
    pub calls: Vec<[u64; 2]>,
    /// Recordings that its records speak of and that it does not have, the first 1,000.
    pub recordings: Vec<RecordingId>,
    /// Highest `hq_seq` it has of this box; receipts above it are of a life it has forgotten.
    pub last_hq_seq: u64,
}

/// Numbers, campaigns and settings from the upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSite {
    /// Ascending.
    pub version: u64,
    /// TOML with the tables `[[campaign]]`, `[[tracking_number]]` and `[[ring_group]]` of the configuration.
    pub toml: String,
    /// The upstream's ed25519 signature over [`SignedSite::signed_bytes`], hex.
    pub signature: String,
}

impl SignedSite {
    /// What is signed: the box, so that one box's site is no other's, the version and the text.
    #[must_use]
    pub fn signed_bytes(&self, box_id: BoxId) -> Vec<u8> {
        format!("ringside.site/1\n{box_id}\n{}\n{}", self.version, self.toml).into_bytes()
    }
}

/// Why a request was not done (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemDetails {
    /// Short.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong and what to do.
    #[serde(default)]
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_its_bytes_through_a_batch() {
        let odd = r#"{ "rev":1,  "id":"x" }"#;
        let sent = SentRecord { hash: blake3::hash(odd.as_bytes()).to_hex().to_string(), record: raw(odd) };
        let text = serde_json::to_string(&sent).unwrap();
        let back: SentRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(back.record.get(), odd);
        assert_eq!(blake3::hash(back.record.get().as_bytes()).to_hex().as_str(), sent.hash);
    }

    #[test]
    fn a_site_is_signed_for_one_box_and_one_version() {
        let site = SignedSite { version: 3, toml: "# none".to_owned(), signature: String::new() };
        let (one, other) = (BoxId::from_parts(WallTime(1), 1), BoxId::from_parts(WallTime(1), 2));
        assert_ne!(site.signed_bytes(one), site.signed_bytes(other));
        let next = SignedSite { version: 4, ..site.clone() };
        assert_ne!(site.signed_bytes(one), next.signed_bytes(one));
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }
}
