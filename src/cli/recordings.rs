//! What `ringside verify` and `ringside fsck` look at below `rec/`: every recording and sidecar against its record, and
//! every file against the records. Without the box's key an encrypted recording is compared with its digest only.

mod new_owner_key;
mod open;

pub(super) use new_owner_key::new_owner_key;
pub(super) use open::{Arguments as Open, open};

use crate::{
    id::CallId,
    io::{
        files::{self, ENCRYPTED, ENCRYPTED_PART, PART, PEAKS, RECORDING, SIDECAR},
        recording_file, signing,
    },
    record::{CallRecord, RecordingState},
    recording::{
        seal,
        vault::{Kek, Unlock},
    },
};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, fs, io, path::Path};

/// Extensions of what belongs below `rec/`.
const KNOWN: [&str; 6] = [RECORDING, PART, ENCRYPTED, ENCRYPTED_PART, PEAKS, SIDECAR];

/// What is the matter with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As its record says.
    Good,
    /// Being written, or left by a crash; the next start closes it.
    Open,
    /// There is a record and no file.
    Missing,
    /// It cannot be read.
    Unreadable,
    /// A page is damaged or missing.
    Damaged,
    /// It is not the file that was recorded.
    Changed,
    /// It is of another call.
    Foreign,
    /// It is longer or shorter than its record says.
    WrongLength,
    /// There is a file and no record.
    Orphan,
    /// What its record says of it is not what the box sealed.
    BrokenSeal,
    /// The sidecar is not there.
    NoSidecar,
    /// The sidecar is not the record that the journal has.
    ChangedSidecar,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub(super) const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Open)
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) call: Option<CallId>,
    pub(super) path: String,
    pub(super) verdict: Verdict,
    pub(super) detail: Option<String>,
}

/// How closely recordings are looked at.
#[derive(Clone, Copy)]
pub(super) enum Look<'a> {
    /// Every byte, and the seal against this public key; encrypted recordings with the box's key, if it is there.
    Close(Option<&'a str>, Option<&'a Kek>),
    /// Whether the file is there and as long as its record says.
    Quick,
}

/// The recording of a call; `None` if its record claims none.
pub(super) fn check(data_dir: &Path, record: &CallRecord, look: Look<'_>) -> Option<Line> {
    let path = record.recording.path.clone()?;
    let (verdict, detail) = match record.recording.state {
        RecordingState::Writing => (Verdict::Open, None),
        // That it is gone is as it should be.
        RecordingState::Erased => return None,
        RecordingState::None | RecordingState::Failed => {
            (Verdict::Missing, record.recording.why_none.clone())
        }
        RecordingState::Closed | RecordingState::Recovered => match look {
            Look::Quick => measure(&data_dir.join(&path), record),
            Look::Close(public_key, kek) => match compare(&data_dir.join(&path), record, kek) {
                (Verdict::Good, _) if !is_sealed(record, public_key) => {
                    (Verdict::BrokenSeal, Some("its seal is not the box's".to_owned()))
                }
                compared => compared,
            },
        },
    };
    Some(Line { call: Some(record.id), path, verdict, detail })
}

/// Whether the seal is the box's. Recordings of the time before there were seals have none.
fn is_sealed(record: &CallRecord, public_key: Option<&str>) -> bool {
    let Some(signature) = &record.recording.seal else { return true };
    let sealed = seal::sealed_bytes(record).zip(public_key);
    sealed.is_some_and(|(bytes, public_key)| signing::verify(public_key, &bytes, signature))
}

fn measure(path: &Path, record: &CallRecord) -> (Verdict, Option<String>) {
    match fs::metadata(path) {
        Ok(meta) if meta.len() == record.recording.bytes => (Verdict::Good, None),
        Ok(meta) => {
            (Verdict::WrongLength, Some(format!("{} bytes of {}", meta.len(), record.recording.bytes)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Verdict::Missing, None),
        Err(error) => (Verdict::Unreadable, Some(error.to_string())),
    }
}

/// The sidecar of a call whose recording is there: it says what the journal says. `None` if it does, or none is due.
pub(super) fn check_sidecar(data_dir: &Path, record: &CallRecord) -> Option<Line> {
    let path = files::path_of(record.id, record.start_time, SIDECAR);
    let is_due = matches!(record.recording.state, RecordingState::Closed | RecordingState::Recovered);
    let (verdict, detail) = match fs::read(data_dir.join(&path)) {
        // A flipped space is a change too: it is compared as it is written.
        Ok(bytes) if Some(bytes.as_slice()) == files::sidecar_bytes(record).ok().as_deref() => return None,
        // Of an older version the same record may have been written with fewer members.
        Ok(bytes) if says(&bytes, record) => return None,
        Ok(_) => (Verdict::ChangedSidecar, Some("it is not the record that the journal has".to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            (Verdict::Unreadable, Some(error.to_string()))
        }
        Err(_) if is_due => (Verdict::NoSidecar, None),
        Err(_) => return None,
    };
    Some(Line { call: Some(record.id), path, verdict, detail })
}

/// Whether a sidecar says the same as a record, in the words of an older version: with fewer members, none of its own.
fn says(bytes: &[u8], record: &CallRecord) -> bool {
    fn within(old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                old.iter().all(|(name, value)| new.get(name).is_some_and(|now| within(value, now)))
            }
            (Value::Array(old), Value::Array(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| within(old, new))
            }
            (old, new) => old == new,
        }
    }
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let now = files::sidecar_bytes(record).ok().and_then(|bytes| value(&bytes));
    serde_json::from_slice::<CallRecord>(bytes).is_ok_and(|read| read == *record)
        && value(bytes).zip(now).is_some_and(|(old, new)| within(&old, &new))
}

fn compare(path: &Path, record: &CallRecord, kek: Option<&Kek>) -> (Verdict, Option<String>) {
    if files::is_encrypted(path) && kek.is_none() {
        return compare_digest(path, record, "the box's key is not here: only the digest was compared");
    }
    let inspected = match recording_file::inspect(path, kek.map(Unlock::Box)) {
        Ok(inspected) => inspected,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Verdict::Missing, None),
        // A recording of a key that is gone may still be what was written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return compare_digest(path, record, &format!("{error}; only the digest was compared"));
        }
        Err(error) => return (Verdict::Unreadable, Some(error.to_string())),
    };
    let (outline, recorded) = (&inspected.outline, &record.recording);
    if let Some(fault) = inspected.fault {
        return (Verdict::Damaged, Some(format!("{fault}, at byte {}", outline.bytes())));
    }
    if !outline.ended() {
        return (Verdict::Damaged, Some("the last page is missing".to_owned()));
    }
    if outline.call() != Some(record.id) {
        return (Verdict::Foreign, outline.call().map(|call| format!("it says {call}")));
    }
    if outline.duration_ms() != recorded.duration_ms {
        let detail = format!("{} ms of {} ms", outline.duration_ms(), recorded.duration_ms);
        return (Verdict::WrongLength, Some(detail));
    }
    if Some(&inspected.finished.hash) != recorded.hash.as_ref() {
        return (Verdict::Changed, Some("its BLAKE3 is not the recorded one".to_owned()));
    }
    if inspected.finished.audio_hash != recorded.audio_hash {
        return (Verdict::Changed, Some("the BLAKE3 of its audio is not the recorded one".to_owned()));
    }
    (Verdict::Good, None)
}

/// What can be said of a recording that cannot be opened; `why` tells why not.
fn compare_digest(path: &Path, record: &CallRecord, why: &str) -> (Verdict, Option<String>) {
    let recorded = &record.recording;
    match recording_file::digest(path) {
        Ok(found) if Some(&found.hash) == recorded.hash.as_ref() => (Verdict::Good, Some(why.to_owned())),
        Ok(_) => (Verdict::Changed, Some("its BLAKE3 is not the recorded one".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Verdict::Missing, None),
        Err(error) => (Verdict::Unreadable, Some(error.to_string())),
    }
}

/// Recordings that no record claims, and side files of none.
pub(super) fn orphans(
    data_dir: &Path,
    claimed: &BTreeSet<String>,
    knows: impl Fn(CallId) -> bool,
) -> io::Result<Vec<Line>> {
    let mut orphans = Vec::new();
    for path in files::recording_files(data_dir)? {
        let name = files::parse_name(&path);
        let known = name.is_some_and(|(_, ext)| KNOWN.contains(&ext));
        let is_claimed = |extension: &&str| {
            let recording = files::stem(&path).with_extension(extension);
            recording.to_str().is_some_and(|recording| claimed.contains(recording))
        };
        // A finished recording has to be the claimed one; what lies beside it has to lie beside one.
        let own: &[&str] = match name {
            Some((_, RECORDING | PART)) => &[RECORDING],
            Some((_, ENCRYPTED | ENCRYPTED_PART)) => &[ENCRYPTED],
            Some(_) | None => &[RECORDING, ENCRYPTED],
        };
        if known && own.iter().any(is_claimed) {
            continue;
        }
        let call = name.map(|(call, _)| call);
        // A sidecar holds the record of a call even if it has no recording, and a part may be of a call in progress.
        let belongs = call.is_some_and(&knows);
        let verdict = match name {
            Some((_, SIDECAR)) if belongs => continue,
            Some((_, PART | ENCRYPTED_PART | PEAKS)) if belongs => Verdict::Open,
            Some(_) | None => Verdict::Orphan,
        };
        orphans.push(Line { call, path: path.to_string_lossy().into_owned(), verdict, detail: None });
    }
    Ok(orphans)
}
