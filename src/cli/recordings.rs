//! `ringside recordings verify`: every recording and sidecar against its record, and every file against the records.
//!
//! Without the box's key an encrypted recording is compared with its digest only.

mod new_owner_key;
mod open;

pub(super) use new_owner_key::new_owner_key;
pub(super) use open::{Arguments as Open, open};

use crate::{
    id::CallId,
    io::{
        box_key::BoxKey,
        files::{self, ENCRYPTED, ENCRYPTED_PART, JOURNAL_DIR, PART, PEAKS, RECORDING, SIDECAR},
        journal::reader::fold,
        recording_file,
    },
    record::{CallRecord, RecordingState},
    recording::vault::{Kek, Unlock},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
};

/// Extensions of what belongs below `rec/`.
const KNOWN: [&str; 6] = [RECORDING, PART, ENCRYPTED, ENCRYPTED_PART, PEAKS, SIDECAR];

/// What is the matter with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
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
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Line {
    call: Option<CallId>,
    path: String,
    verdict: Verdict,
    detail: Option<String>,
}

/// Checks all recordings below `data_dir` and writes a table, or one JSON object a line, to `out`. Reads only, and may
/// run beside the daemon. Returns the exit code: 0 if all are good, 1 if not.
///
/// # Errors
/// If the journal or a folder cannot be read, or `out` not be written.
pub fn verify(data_dir: &Path, json: bool, out: &mut impl Write) -> io::Result<u8> {
    let (records, report) = fold(&data_dir.join(JOURNAL_DIR))?;
    let kek = BoxKey::find(data_dir)?.map(|key| key.kek());
    let claimed = |record: &&CallRecord| record.recording.path.is_some();
    let one = |record| check(data_dir, record, kek.as_ref());
    let mut lines: Vec<Line> = records.iter().filter(claimed).map(one).collect();
    lines.extend(orphans(data_dir, &records)?);
    lines.extend(records.iter().filter_map(|record| changed_sidecar(data_dir, record)));
    let bad = lines.iter().filter(|line| !matches!(line.verdict, Verdict::Good | Verdict::Open)).count();
    if json {
        for line in &lines {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        }
    } else {
        print_table(&lines, out)?;
        writeln!(out, "{} recordings, {bad} bad", lines.len())?;
        if !report.is_clean() {
            let (places, chain) = (report.bad_places, report.broken_chain);
            writeln!(out, "the journal is damaged in {places} places, its chain is broken {chain} times")?;
        }
    }
    Ok(u8::from(bad > 0 || !report.is_clean()))
}

fn check(data_dir: &Path, record: &CallRecord, kek: Option<&Kek>) -> Line {
    let path = record.recording.path.clone().unwrap_or_default();
    let (verdict, detail) = match record.recording.state {
        RecordingState::Writing => (Verdict::Open, None),
        RecordingState::None | RecordingState::Failed | RecordingState::Erased => {
            (Verdict::Missing, record.recording.why_none.clone())
        }
        RecordingState::Closed | RecordingState::Recovered => compare(&data_dir.join(&path), record, kek),
    };
    Line { call: Some(record.id), path, verdict, detail }
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

/// A sidecar that does not say what the journal says of its call.
fn changed_sidecar(data_dir: &Path, record: &CallRecord) -> Option<Line> {
    let path = files::path_of(record.id, record.start_time, SIDECAR);
    let (verdict, detail) = match fs::read(data_dir.join(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => (Verdict::Unreadable, error.to_string()),
        Ok(json) if says_the_same(&json, record) => return None,
        Ok(_) => (Verdict::Changed, "it differs from the journal".to_owned()),
    };
    Some(Line { call: Some(record.id), path, verdict, detail: Some(detail) })
}

/// Whether all that a sidecar says is in the record. One by an earlier version says less.
fn says_the_same(sidecar: &[u8], record: &CallRecord) -> bool {
    let journaled = serde_json::to_vec(record).and_then(|json| serde_json::from_slice(&json));
    match (serde_json::from_slice(sidecar), journaled) {
        (Ok(sidecar), Ok(journaled)) => is_within(&sidecar, &journaled),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| is_within(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        (part, whole) => part == whole,
    }
}

/// Recordings that no record claims, and side files of none.
fn orphans(data_dir: &Path, records: &[CallRecord]) -> io::Result<Vec<Line>> {
    let claimed: BTreeSet<&str> =
        records.iter().filter_map(|record| record.recording.path.as_deref()).collect();
    let calls: BTreeSet<CallId> = records.iter().map(|record| record.id).collect();
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
        let belongs = call.is_some_and(|call| calls.contains(&call));
        let verdict = match name {
            Some((_, SIDECAR)) if belongs => continue,
            Some((_, PART | ENCRYPTED_PART | PEAKS)) if belongs => Verdict::Open,
            Some(_) | None => Verdict::Orphan,
        };
        orphans.push(Line { call, path: path.to_string_lossy().into_owned(), verdict, detail: None });
    }
    Ok(orphans)
}

fn print_table(lines: &[Line], out: &mut impl Write) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["verdict", "recording", "detail"]);
    for line in lines {
        let verdict = serde_json::to_value(line.verdict)?;
        let verdict = verdict.as_str().unwrap_or_default().replace('_', " ");
        table.add_row([verdict.as_str(), &line.path, line.detail.as_deref().unwrap_or("")]);
    }
    writeln!(out, "{table}")
}
