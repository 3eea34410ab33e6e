//! Brings files and records together again that a crash, a repair or a careless hand has parted. Nothing is deleted.
//!
//! | recording | sidecar | record | becomes |
//! |---|---|---|---|
//! | there | – | – | a record made of what the recording says of itself |
//! | there | – | there | the sidecar is written again |
//! | any | there | – | the record comes back from its sidecar |
//! | – | any | names it | erased, if that was asked for and due; else failed, `recording_missing` |
//!
//! The whole journal is read only if names of files give a reason to, or a segment is missing.

use super::{books, facts, recovery::commit};
use crate::{
    handling::Handling,
    id::{BoxId, CallId},
    io::{
        files::{self, Ballast, JOURNAL_DIR, SIDECAR},
        journal::{self, Fact, Kind, reader, writer::Writer},
        recording_file,
    },
    record::{
        Attribution, CallRecord, Consent, Direction, Ended, Outcome, Presentation, Recording, RecordingState,
        SCHEMA, Sync, Timing,
    },
    recording::{
        completeness,
        lifecycle::Tags,
        retention::{self, has_audio},
        standing::Standings,
        vault::{CIPHER, Kek, Unlock},
    },
    time::WallTime,
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// How the tracking number of a record was found that a recording gave back.
const METHOD: &str = "recording";
/// The warning on such a record: all that the recording does not say is lost.
const REBUILT: &str = "record_rebuilt";
/// Why there is no recording where the record says that there is one.
const MISSING: &str = "recording_missing";
/// If so many recordings are missing and not one is there, it is the disk that is missing.
const NO_DISK: usize = 8;

/// What is on the disk of a call.
#[derive(Default)]
struct Kept {
    recording: Option<PathBuf>,
    sidecar: Option<PathBuf>,
}

/// Everything needed to decide.
struct Orphans<'a> {
    data_dir: &'a Path,
    kek: Option<&'a Kek>,
    kept: BTreeMap<CallId, Kept>,
    records: BTreeMap<CallId, CallRecord>,
    standings: Standings,
    now: WallTime,
}

/// Mends what is parted and gives the calls that were mended.
pub(super) fn mend(
    (data_dir, kek): (&Path, Option<&Kek>),
    box_id: BoxId,
    writer: &mut Writer,
    now: WallTime,
) -> io::Result<Vec<CallId>> {
    let kept = kept(&files::recording_files(data_dir)?);
    let journal_dir = data_dir.join(JOURNAL_DIR);
    if !has_gap(&journal_dir)? && kept.values().all(|kept| is_together(data_dir, kept)) {
        return Ok(Vec::new());
    }
    let (records, _) = reader::fold(&journal_dir)?;
    let records: BTreeMap<CallId, CallRecord> = records.into_iter().map(|one| (one.id, one)).collect();
    let standings = books::standings(&journal_dir)?;
    let orphans = Orphans { data_dir, kek, kept, records, standings, now };
    let mut entries = orphans.restored();
    entries.extend(orphans.without_recording());
    let known = entries.iter().filter_map(Fact::record).chain(orphans.records.values()).map(|one| one.seq);
    let next_call = known.max().unwrap_or(0) + 1;
    entries.extend(orphans.without_record(box_id, next_call, &entries));
    commit(writer, &entries, &Ballast::new(data_dir, 0))?;
    let mended: Vec<&CallRecord> = entries.iter().filter_map(Fact::record).collect();
    for record in mended.iter().copied().chain(orphans.without_sidecar()) {
        if let Err(error) = files::write_sidecar(data_dir, record) {
            tracing::warn!(call = %record.id, %error, "sidecar not written; the journal has the record");
        }
    }
    Ok(mended.into_iter().map(|record| record.id).collect())
}

fn kept(files: &[PathBuf]) -> BTreeMap<CallId, Kept> {
    let mut calls: BTreeMap<CallId, Kept> = BTreeMap::new();
    for path in files {
        let Some((call, extension)) = files::parse_name(path) else { continue };
        if extension == SIDECAR {
            calls.entry(call).or_default().sidecar = Some(path.clone());
        } else if files::is_recording(extension) {
            calls.entry(call).or_default().recording = Some(path.clone());
        }
    }
    calls
}

/// Whether a recording has its sidecar, and a sidecar that names a recording has that.
fn is_together(data_dir: &Path, kept: &Kept) -> bool {
    match (&kept.recording, &kept.sidecar) {
        (Some(_), Some(_)) | (None, None) => true,
        (Some(_), None) => false,
        (None, Some(sidecar)) => read_sidecar(&data_dir.join(sidecar)).is_some_and(|one| !has_audio(&one)),
    }
}

/// Whether segments are missing: they are numbered from 1 on.
fn has_gap(journal_dir: &Path) -> io::Result<bool> {
    let segments = journal::segments(journal_dir)?;
    Ok(segments.is_empty() || !segments.iter().zip(1..).all(|(&segment, number)| segment == number))
}

fn read_sidecar(path: &Path) -> Option<CallRecord> {
    let record: CallRecord = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    files::parse_name(path).is_some_and(|(call, _)| call == record.id).then_some(record)
}

impl Orphans<'_> {
    /// Records that only a sidecar has.
    fn restored(&self) -> Vec<Fact> {
        let lost = self.kept.iter().filter(|(call, _)| !self.records.contains_key(call));
        let found = lost.filter_map(|(_, kept)| {
            let mut record = read_sidecar(&self.data_dir.join(kept.sidecar.as_ref()?))?;
            tracing::warn!(call = %record.id, "the record of a call came back from its sidecar");
            if has_audio(&record) && kept.recording.is_none() {
                record = missing(&record);
            }
            Some(Fact::Call(Kind::Recorded, Box::new(record)))
        });
        found.collect()
    }

    /// Records that name a recording which is not there.
    fn without_recording(&self) -> Vec<Fact> {
        let is_there = |record: &&CallRecord| {
            let path = record.recording.path.as_deref();
            path.is_some_and(|path| self.data_dir.join(path).exists())
        };
        let named: Vec<&CallRecord> = self.records.values().filter(|record| has_audio(record)).collect();
        let parted: Vec<&CallRecord> = named.iter().copied().filter(|record| !is_there(record)).collect();
        let none_is_there =
            parted.len() == named.len() && self.kept.values().all(|one| one.recording.is_none());
        if none_is_there && parted.len() > NO_DISK {
            tracing::error!("not one of the recordings is there; check that the disk of rec/ is mounted");
            return Vec::new();
        }
        parted.into_iter().map(|record| self.settle(record)).collect()
    }

    /// An erasure that was cut off between its files and its entry is done; any other recording is missing.
    fn settle(&self, record: &CallRecord) -> Fact {
        let standing = self.standings.of(record.id);
        match standing.asked.filter(|asked| asked.due <= self.now && standing.held.is_none()) {
            Some(asked) => Fact::Call(Kind::Erased, Box::new(retention::erased(record, &asked))),
            None => {
                tracing::error!(call = %record.id, "a recording is missing; its record says so now");
                Fact::Call(Kind::Recorded, Box::new(missing(record)))
            }
        }
    }

    /// A record of what a recording says of itself; its number is still to be set.
    fn rebuild(&self, call: CallId, path: &Path, box_id: BoxId) -> Option<CallRecord> {
        let inspected = recording_file::inspect(&self.data_dir.join(path), self.kek.map(Unlock::Box)).ok()?;
        let (id, tags) = inspected.outline.tags().filter(|(_, tags)| tags.call == call)?;
        let duration_ms = inspected.outline.duration_ms();
        tracing::warn!(%call, "a recording without a record: one is made of what the recording says");
        let state = if inspected.fault.is_none() && inspected.outline.ended() {
            RecordingState::Closed
        } else {
            RecordingState::Recovered
        };
        let recording = Recording {
            id: *id,
            expected_ms: duration_ms,
            path: path.to_str().map(str::to_owned),
            ..facts::finished(
                facts::begun(call, tags.start_time, files::is_encrypted(path).then_some(CIPHER)),
                state,
                duration_ms,
                inspected.finished.clone(),
            )
        };
        let mut record = blank(tags, box_id)?;
        record.timing_ms = Timing { talk: Some(duration_ms), total: duration_ms, ..Timing::default() };
        record.duration = duration_ms / 1000;
        record.recording = recording;
        completeness::judge(&mut record);
        Some(record)
    }

    /// Recordings that neither a record nor a sidecar knows.
    fn without_record(&self, box_id: BoxId, next_call: u64, restored: &[Fact]) -> Vec<Fact> {
        let is_restored =
            |call: &CallId| restored.iter().filter_map(Fact::record).any(|record| record.id == *call);
        let unknown = self.kept.iter().filter(|(call, _)| !self.records.contains_key(call));
        let unknown = unknown.filter(|(call, _)| !is_restored(call));
        let rebuilt = unknown.filter_map(|(call, kept)| {
            let record = self.rebuild(*call, kept.recording.as_ref()?, box_id);
            if record.is_none() {
                tracing::error!(%call, "a recording without a record does not say whose it is; it is kept");
            }
            record
        });
        let numbered = (next_call..).zip(rebuilt);
        let fact = |(seq, record)| Fact::Call(Kind::Recorded, Box::new(CallRecord { seq, ..record }));
        numbered.map(fact).collect()
    }

    /// Records of recordings that lie there without their sidecar.
    fn without_sidecar(&self) -> impl Iterator<Item = &CallRecord> {
        let bare = self.kept.iter().filter(|(_, kept)| kept.recording.is_some() && kept.sidecar.is_none());
        bare.filter_map(|(call, _)| self.records.get(call))
    }
}

/// The record of a call whose recording is not there, as its next revision. The digest tells it if it turns up.
fn missing(record: &CallRecord) -> CallRecord {
    let mut record = record.clone();
    record.rev += 1;
    record.recording.state = RecordingState::Failed;
    record.recording.path = None;
    record.recording.why_none = Some(MISSING.to_owned());
    completeness::judge(&mut record);
    record
}

fn blank(tags: &Tags, box_id: BoxId) -> Option<CallRecord> {
    let customer_number_presentation = match tags.caller.as_str() {
        "anonymous" => Presentation::Restricted,
        _ => Presentation::Allowed,
    };
    Some(CallRecord {
        schema: SCHEMA.to_owned(),
        id: tags.call,
        box_id,
        seq: 0,
        rev: 1,
        direction: Direction::Inbound,
        tracked: true,
        start_time: tags.start_time,
        clock: None,
        customer_phone_number: tags.caller.parse().ok(),
        customer_number_presentation,
        customer_name: None,
        verstat: None,
        tracking_phone_number: tags.tracking.parse().ok()?,
        tracker_id: None,
        advertised_phone_number: None,
        business_phone_number: None,
        campaign: None,
        attribution: Attribution {
            method: METHOD.to_owned(),
            warnings: vec![REBUILT.to_owned()],
            ..Attribution::default()
        },
        timing_ms: Timing::default(),
        // Nothing is recorded before somebody answers.
        answered: true,
        answered_by: None,
        voicemail: false,
        duration: 0,
        outcome: Outcome { ended: Ended::Interrupted, why: Some(REBUILT.to_owned()), sip_status: None },
        legs: Vec::new(),
        route: Vec::new(),
        consent: Consent::default(),
        recording: Recording::default(),
        fax: None,
        handling: Handling::default(),
        sync: Sync::default(),
        journaled_ms: None,
        sip_call_id: String::new(),
    })
}
