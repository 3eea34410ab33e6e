//! What a start does after a crash or a power cut: every call that was open gets an end, every recording its length.
//!
//! 1. Cut the torn tail of the journal.
//! 2. Repair every `.opus.part` and `.opus.enc.part`.
//! 3. Close every call without an end as `interrupted`, and every recording without facts, with what is really in
//!    the file.
//! 4. Journal that.
//! 5. Write the sidecars.
//! 6. Bring files and records together that are parted, see `orphans`.
//!
//! Each step may be cut off and done again. The index catches up by itself when storage starts.

use super::{Options, StorageError, facts, open_journal, orphans};
use crate::{
    id::{BoxId, CallId},
    io::{
        box_key::BoxKey,
        clock::Clock,
        files::{self, Ballast, ENCRYPTED, ENCRYPTED_PART, JOURNAL_DIR, PART, RECORDING},
        journal::{
            Fact, Kind,
            reader::{self, Report},
            writer::{RealDisk, Writer},
        },
        recording_file::{self, Finished},
    },
    record::{CallRecord, Ended, Recording, RecordingState},
    recording::vault::{CIPHER, Kek, Unlock},
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What a start found and closed.
#[derive(Debug)]
pub struct Recovered {
    /// The identity of this box.
    pub box_id: BoxId,
    /// Number of the next call.
    pub next_seq: u64,
    /// Calls that had no end and were closed as interrupted.
    pub interrupted: Vec<CallId>,
    /// Recordings that were cut off and now end where their audio ends.
    pub repaired: Vec<CallId>,
    /// Calls whose record or recording was missing and was put right, as far as it can be.
    pub mended: Vec<CallId>,
    /// What was found in the part of the journal that had to be read.
    pub report: Report,
}

/// Audio found on the disk for a call.
struct Found {
    state: RecordingState,
    duration_ms: u64,
    finished: Finished,
}

/// Closes what a crash left open. Run it before [`super::start`], never while the daemon runs.
///
/// # Errors
/// If the data directory cannot be used, or another daemon uses it.
pub fn recover(data_dir: &Path, options: &Options, clock: Clock) -> Result<Recovered, StorageError> {
    let failed = |call| move |error| StorageError { dir: data_dir.to_owned(), call, error };
    let _lock = super::lock(data_dir)?;
    let super::OpenJournal { mut writer, opened, box_id, key } =
        open_journal(data_dir, Box::new(RealDisk), clock)?;
    let files = files::recording_files(data_dir).map_err(failed("list the recordings"))?;
    let kek = options.vault.as_ref().map(|vault| &vault.kek);
    let mut parts = repair_parts(data_dir, &files, kek);
    let repaired: Vec<CallId> = parts.keys().copied().collect();
    let mut unsettled = opened.unsettled;
    add_settled_owners(data_dir, &parts, &mut unsettled).map_err(failed("read the journal"))?;
    let mut interrupted = Vec::new();
    let mut entries = Vec::with_capacity(unsettled.len());
    for mut record in unsettled {
        let found = parts.remove(&record.id).or_else(|| find_finished(data_dir, &record, kek));
        let kind = if record.outcome.ended == Ended::InProgress {
            interrupted.push(record.id);
            Kind::Interrupted
        } else {
            Kind::Recorded
        };
        let left = files.iter().any(|path| is_left(data_dir, path, record.id));
        settle(&mut record, found, left, key.as_ref());
        entries.push(Fact::Call(kind, Box::new(record)));
    }
    commit(&mut writer, &entries, &Ballast::new(data_dir, 0)).map_err(failed("write the journal"))?;
    for record in entries.iter().filter_map(Fact::record).filter(|record| record.recording.path.is_some()) {
        if let Err(error) = files::write_sidecar(data_dir, record) {
            tracing::warn!(call = %record.id, %error, "sidecar not written; the journal has the record");
        }
    }
    if let Err(error) = remove_cut_off(data_dir, &files) {
        tracing::warn!(%error, "what was cut off while being written is still there");
    }
    let wall = clock.wall();
    let mended =
        orphans::mend((data_dir, kek), box_id, &mut writer, wall).map_err(failed("mend the records"))?;
    let next_seq = writer.next_call();
    Ok(Recovered { box_id, next_seq, interrupted, repaired, mended, report: opened.report })
}

/// Repairs every recording that was being written. One that cannot be is left as it is.
fn repair_parts(data_dir: &Path, files: &[PathBuf], kek: Option<&Kek>) -> BTreeMap<CallId, Found> {
    let mut found = BTreeMap::new();
    for path in files {
        let Some((call, PART | ENCRYPTED_PART)) = files::parse_name(path) else { continue };
        match recording_file::repair(&data_dir.join(path), kek) {
            Ok(Some(repaired)) => {
                let (state, duration_ms) = (RecordingState::Recovered, repaired.duration_ms);
                found.insert(call, Found { state, duration_ms, finished: repaired.finished });
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%call, %error, "recording left as it is: it cannot be repaired"),
        }
    }
    found
}

/// Removes what was cut off in the middle of being written.
fn remove_cut_off(data_dir: &Path, files: &[PathBuf]) -> io::Result<()> {
    let mut cut_off =
        files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "tmp"));
    cut_off.try_for_each(|path| fs::remove_file(data_dir.join(path)))
}

/// Adds calls that were closed without their recording, as after a failed sync: they are in the whole journal only.
fn add_settled_owners(
    data_dir: &Path,
    parts: &BTreeMap<CallId, Found>,
    unsettled: &mut Vec<CallRecord>,
) -> io::Result<()> {
    let is_missing = |call: &CallId| unsettled.iter().all(|record| record.id != *call);
    let missing: Vec<CallId> = parts.keys().copied().filter(is_missing).collect();
    if !missing.is_empty() {
        let (records, _) = reader::fold(&data_dir.join(JOURNAL_DIR))?;
        unsettled.extend(records.into_iter().filter(|record| missing.contains(&record.id)));
    }
    Ok(())
}

/// A recording that was finished before its facts were journaled.
fn find_finished(data_dir: &Path, record: &CallRecord, kek: Option<&Kek>) -> Option<Found> {
    let path = |extension| data_dir.join(files::path_of(record.id, record.start_time, extension));
    let look = |extension| recording_file::inspect(&path(extension), kek.map(Unlock::Box)).ok();
    let inspected = look(RECORDING).or_else(|| look(ENCRYPTED))?;
    let whole = inspected.fault.is_none() && inspected.outline.ended();
    whole.then(|| Found {
        state: RecordingState::Closed,
        duration_ms: inspected.outline.duration_ms(),
        finished: inspected.finished,
    })
}

/// Whether a file is a call's encrypted recording and still there, though it could not be opened.
fn is_left(data_dir: &Path, path: &Path, call: CallId) -> bool {
    let named = matches!(files::parse_name(path), Some((of, ENCRYPTED | ENCRYPTED_PART)) if of == call);
    named && data_dir.join(path).exists()
}

/// `left` tells that there is an encrypted recording that could not be opened.
fn settle(record: &mut CallRecord, found: Option<Found>, left: bool, key: Option<&BoxKey>) {
    if record.outcome.ended == Ended::InProgress {
        record.outcome.ended = Ended::Interrupted;
        let played_ms = found.as_ref().map_or(0, |found| found.duration_ms);
        let timing = &mut record.timing_ms;
        let before_answer = timing.invite_to_ring.unwrap_or(0) + timing.ring.unwrap_or(0);
        timing.total = timing.total.max(before_answer + played_ms);
        timing.talk = timing.talk.or(record.answered.then_some(played_ms));
        record.duration = timing.total / 1000;
    }
    let was_recording = record.recording.state == RecordingState::Writing;
    let recording = match found {
        Some(found) => {
            let encryption = found.finished.audio_hash.as_ref().map(|_| CIPHER);
            let begun = facts::begun(record.id, record.start_time, encryption);
            let begun = Recording { id: record.recording.id, ..begun };
            facts::finished(begun, found.state, found.duration_ms, found.finished)
        }
        None if was_recording => Recording {
            state: RecordingState::Failed,
            path: None,
            why_none: Some(if left { "locked" } else { "no_audio" }.to_owned()),
            ..record.recording.clone()
        },
        None => record.recording.clone(),
    };
    facts::merge(record, recording, key);
}

pub(super) fn commit(writer: &mut Writer, entries: &[Fact], ballast: &Ballast) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    // A failed segment is given up and a new one begun, once; a disk that fails twice stops the start.
    let first = writer.commit(entries).or_else(|error| {
        tracing::error!(%error, "journal: a segment was given up; check the disk of the data directory");
        ballast.release();
        writer.commit(entries)
    });
    first.map(drop)
}
