//! Opens what a power cut left, as a start does, and holds it against what was acknowledged.

use crate::{
    disks::{self, text},
    storage::{ended, ringing},
};
use ringside::{
    cli::verify::verify,
    handling::Handling,
    id::CallId,
    io::{
        clock::Clock,
        files,
        journal::{is_settled, reader::fold},
        storage::{Options, recover, start},
        store::Index,
    },
    record::{CallRecord, Ended, Recording, RecordingState},
};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

/// Audio that a cut may cost.
const MAX_LOST_MS: u64 = 5_000;
/// From the mounted disk to calls.
const MAX_OPENING: Duration = Duration::from_secs(5);

/// What was acknowledged for a call before the cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    journaled: bool,
    saved: bool,
    recorded: Option<Recorded>,
    tapped_ms: u64,
}

/// What was acknowledged for a recording.
#[derive(Clone, Debug)]
struct Recorded {
    is_whole: bool,
    ms: u64,
    hash: Option<String>,
}

/// All that was said, by call.
pub(crate) fn hear<'a>(marks: impl Iterator<Item = &'a str>) -> BTreeMap<CallId, Said> {
    let mut calls: BTreeMap<CallId, Said> = BTreeMap::new();
    for mark in marks {
        let words: Vec<&str> = mark.split(' ').collect();
        let Some(call) = words.get(1).and_then(|call| call.parse().ok()) else { continue };
        let said = calls.entry(call).or_default();
        match words[..] {
            ["JOURNALED", _] => said.journaled = true,
            ["SAVED", _] => said.saved = true,
            ["RECORDED", _, state, ms, hash] => {
                let hash = (hash != "-").then(|| hash.to_owned());
                said.recorded = Some(Recorded { is_whole: state == "Closed", ms: ms.parse().unwrap(), hash });
            }
            ["TAPPED", _, ms] => said.tapped_ms = ms.parse().unwrap(),
            ["HANDLED", _] => {}
            _ => panic!("the writer said {mark:?}"),
        }
    }
    calls
}

/// What the look at one image found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledgements that were not kept.
    pub(crate) lost: Vec<String>,
    /// Saved calls that the index had not kept, before it was filled from the journal.
    pub(crate) not_indexed: usize,
    /// Everything else that is wrong.
    pub(crate) faults: Vec<String>,
    pub(crate) acknowledged: usize,
    /// The most audio that a recording lost.
    pub(crate) audio_lost_ms: u64,
    pub(crate) opened_in: Duration,
}

/// Looks at the data directory `dir` of a disk after a cut. `scratch` is for a copy of the index.
pub(crate) fn judge(dir: &Path, scratch: &Path, said: &BTreeMap<CallId, Said>) -> Verdict {
    let mut verdict = Verdict {
        acknowledged: said
            .values()
            .map(|said| {
                usize::from(said.journaled) + usize::from(said.saved) + usize::from(said.recorded.is_some())
            })
            .sum(),
        ..Verdict::default()
    };
    if !dir.is_dir() {
        verdict.lost.extend((verdict.acknowledged > 0).then(|| "the data directory".to_owned()));
        return verdict;
    }
    verdict.not_indexed = not_indexed(dir, scratch, said);
    if let Some(records) = open(dir, &mut verdict) {
        hold_against(&records, said, &mut verdict);
        check_files(dir, &records, &mut verdict);
    }
    verdict
}

/// Looks into a copy of the index as the cut left it.
fn not_indexed(dir: &Path, scratch: &Path, said: &BTreeMap<CallId, Said>) -> usize {
    let saved = || said.iter().filter(|(_, said)| said.saved);
    let copy = scratch.join("index");
    let _ = std::fs::remove_dir_all(&copy);
    if disks::run("cp", &["-a", text(&dir.join(files::INDEX_DIR)), text(&copy)]).is_err() {
        return saved().count();
    }
    let index = Index::new(&copy);
    if index.open(&dir.join(files::JOURNAL_DIR), Clock::start().wall()).is_err() {
        return saved().count();
    }
    let rev = |call| index.get(call).ok().flatten().map_or(0, |record| record.rev);
    saved().filter(|(call, said)| rev(**call) < 1 + u32::from(said.recorded.is_some())).count()
}

/// Starts, and gives what the journal then says.
fn open(dir: &Path, verdict: &mut Verdict) -> Option<Vec<CallRecord>> {
    let (clock, begun) = (Clock::start(), Instant::now());
    let recovered = match recover(dir, &Options::default(), clock) {
        Ok(recovered) => recovered,
        Err(error) => {
            verdict.faults.push(format!("recover: {error}"));
            return None;
        }
    };
    let storage = match start(dir, &Options { ballast_bytes: 1 << 20, ..Options::default() }, clock, |_| {}) {
        Ok(storage) => storage,
        Err(error) => {
            verdict.faults.push(format!("start: {error}"));
            return None;
        }
    };
    let indexed = storage.index().page(None, usize::MAX);
    verdict.opened_in = begun.elapsed();
    storage.shutdown();
    let (records, report) = fold(&dir.join(files::JOURNAL_DIR)).unwrap();
    let mut complain = |wrong: bool, what: String| verdict.faults.extend(wrong.then_some(what));
    complain(!recovered.report.is_clean(), format!("found by the start: {:?}", recovered.report));
    complain(!report.is_clean() || report.torn_bytes > 0, format!("after the start: {report:?}"));
    complain(
        recovered.next_seq != records.last().map_or(1, |last| last.seq + 1),
        "wrong next number".to_owned(),
    );
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    complain(seqs != (1..=seqs.len() as u64).collect::<Vec<_>>(), format!("numbers {seqs:?}"));
    match indexed {
        Ok(mut indexed) => {
            indexed.reverse();
            complain(indexed != records, "the index and the journal differ".to_owned());
        }
        Err(error) => complain(true, format!("no index: {error}")),
    }
    complain(verdict.opened_in > MAX_OPENING, format!("opened in {:?}", verdict.opened_in));
    Some(records)
}

fn hold_against(records: &[CallRecord], said: &BTreeMap<CallId, Said>, verdict: &mut Verdict) {
    let records: BTreeMap<CallId, &CallRecord> = records.iter().map(|record| (record.id, record)).collect();
    for (call, said) in said {
        let Some(record) = records.get(call) else {
            if said.journaled || said.saved || said.recorded.is_some() {
                verdict.lost.push(format!("{call}: {said:?}, no record"));
            }
            continue;
        };
        let recording = &record.recording;
        if !is_as_said(record, said) {
            verdict.lost.push(format!("{call}: {said:?}, {record:?}"));
        }
        match &said.recorded {
            Some(recorded) => {
                let is_kept = (recording.duration_ms, &recording.hash) == (recorded.ms, &recorded.hash);
                // The next start may find more of a recording that failed.
                let is_better = !recorded.is_whole && recording.duration_ms > recorded.ms;
                if !(is_kept || is_better) || (recorded.is_whole && recorded.ms != said.tapped_ms) {
                    verdict.lost.push(format!("{call}: {said:?}, {recording:?}"));
                }
            }
            None => {
                let lost_ms = said.tapped_ms.saturating_sub(recording.duration_ms);
                verdict.audio_lost_ms = verdict.audio_lost_ms.max(lost_ms);
                if lost_ms > MAX_LOST_MS {
                    verdict.faults.push(format!("{call}: {lost_ms} ms lost, {said:?}, {recording:?}"));
                }
            }
        }
    }
}

/// Whether a record has the facts that were acknowledged.
fn is_as_said(record: &CallRecord, said: &Said) -> bool {
    // How often somebody called before is counted by the box, not acknowledged.
    let bare = |record: &CallRecord| CallRecord {
        rev: 0,
        recording: Recording::default(),
        handling: Handling::default(),
        ..record.clone()
    };
    let end = if said.tapped_ms > 0 { Ended::CallerHungUp } else { Ended::Busy };
    if bare(record) == bare(&ended(record.seq, end)) {
        return true;
    }
    let cut_off = record.outcome.ended == Ended::Interrupted;
    let as_it_came = CallRecord {
        outcome: ringing(record.seq).outcome,
        answered: false,
        timing_ms: Default::default(),
        duration: 0,
        ..bare(record)
    };
    !said.saved && cut_off && as_it_came == *ringing(record.seq)
}

/// Recordings against their records, sidecars too, and nothing half done.
fn check_files(dir: &Path, records: &[CallRecord], verdict: &mut Verdict) {
    let mut report = Vec::new();
    if verify(dir, None, true, &mut report).unwrap() != 0 {
        let report = String::from_utf8_lossy(&report).into_owned();
        let bad = report.lines().filter(|line| !line.contains("\"good\""));
        verdict.faults.extend(bad.map(str::to_owned));
    }
    for record in records {
        if !is_settled(record) {
            verdict.faults.push(format!("left open: {record:?}"));
        }
        let recording = &record.recording;
        if !matches!(recording.state, RecordingState::Closed | RecordingState::Recovered) {
            continue;
        }
        let sidecar = dir.join(files::path_of(record.id, record.start_time, files::SIDECAR));
        let sidecar =
            std::fs::read(&sidecar).ok().and_then(|json| serde_json::from_slice::<CallRecord>(&json).ok());
        if sidecar.as_ref() != Some(record) {
            verdict.faults.push(format!("{}: sidecar {sidecar:?}, record {record:?}", record.id));
        }
    }
    for path in files::recording_files(dir).unwrap() {
        if path.extension().is_some_and(|extension| extension == "part" || extension == "tmp") {
            verdict.faults.push(format!("left over: {}", path.display()));
        }
    }
}
