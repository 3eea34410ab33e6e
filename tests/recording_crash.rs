//! Kill -9 at random moments: what was acknowledged is there, what was open is closed with its real length.
//!
//! The test runs this binary again as the victim: it takes calls in a loop and prints each acknowledgement.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    cli::verify::verify,
    io::{
        clock::Clock,
        journal::reader::fold,
        storage::{Options, Recovered, recover, start},
    },
    record::{CallRecord, Ended, RecordingState},
    recording::lifecycle::{Command, Event},
};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};
use storage::{call, decode, ended, noise, recording, ringing, tags, tapped};

/// From a start to calls, however much there is by then.
const MAX_OPENING: Duration = Duration::from_secs(5);
const VICTIM_DIR: &str = "RINGSIDE_TEST_VICTIM_DIR";

/// Not a test of its own: the victim. It takes calls until it is killed.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(VICTIM_DIR) else { return };
    let (dir, clock) = (Path::new(&dir), Clock::start());
    let recovered = recover(dir, &Options::default(), clock).unwrap();
    println!();
    let storage =
        start(dir, &Options { ballast_bytes: 0, ..Options::default() }, clock, |event| match event {
            Event::Journaled { call, .. } => println!("JOURNALED {call}"),
            Event::Saved { call } => println!("SAVED {call}"),
            Event::Handled { .. } => {}
            Event::Recorded { call, .. } => println!("RECORDED {call}"),
        })
        .unwrap();
    let (caller, office) = (noise(1, 80_000), noise(2, 80_000));
    for seq in recovered.next_seq.. {
        storage.send(Command::Ringing(ringing(seq)));
        if seq.is_multiple_of(3) {
            storage.send(Command::Save(ended(seq, Ended::Busy)));
            continue;
        }
        let (mut tap, ring) = rtrb::RingBuffer::new(1_000);
        storage.start_recording(call(seq), recording(seq), tags(seq), ring);
        // 4 s of audio come in 80 ms; every fifth call is left talking.
        for frames in tapped(seq, &caller, &office)[..400].chunks(50) {
            frames.iter().for_each(|&frame| tap.push(frame).unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
        if seq.is_multiple_of(5) {
            std::mem::forget(tap);
        } else {
            drop(tap);
            storage.send(Command::Save(ended(seq, Ended::CallerHungUp)));
        }
    }
}

/// What the victim acknowledged before it was killed: `SAVED` and the call.
type Said = Vec<(String, String)>;

/// Runs the victim until it has said `lines` acknowledgements and `after_ms` more have gone by. Counting lines and not
/// only time makes the kills hit on a busy machine too.
fn run_victim(dir: &Path, lines: usize, after_ms: u64) -> Said {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let acknowledged = line.split_once(' ').filter(|(_, call)| call.starts_with("cal_"));
        said.extend(acknowledged.map(|(what, call)| (what.to_owned(), call.to_owned())));
        if said.len() == lines && acknowledged.is_some() {
            std::thread::sleep(Duration::from_millis(after_ms));
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

fn check_round(dir: &Path, said: &[(String, String)], recovered: &Recovered) {
    let (records, report) = fold(&dir.join("journal")).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let calls: BTreeMap<String, &CallRecord> =
        records.iter().map(|record| (record.id.to_string(), record)).collect();
    for (what, call) in said {
        let record = calls.get(call).unwrap_or_else(|| panic!("{call} was {what} and is lost"));
        let kept = match what.as_str() {
            "JOURNALED" => true,
            "SAVED" => record.outcome.ended != Ended::Interrupted,
            _ => record.recording.state == RecordingState::Closed,
        };
        assert!(kept, "{call} was {what} and now is {record:?}");
    }
    for record in &records {
        assert_ne!(record.outcome.ended, Ended::InProgress, "{}", record.id);
        assert_ne!(record.recording.state, RecordingState::Writing, "{}", record.id);
    }
    for id in &recovered.interrupted {
        assert_eq!(calls[&id.to_string()].outcome.ended, Ended::Interrupted);
    }
    assert_eq!(recovered.next_seq, records.last().map_or(1, |record| record.seq + 1));
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no number is skipped or doubled");
}

#[test]
fn kills_lose_no_acknowledged_entry_and_leave_no_open_call() {
    let dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut interrupted, mut repaired, mut opened_in) = (0, 0, 0, Duration::ZERO);
    let rounds = if std::env::var_os("RINGSIDE_LONG").is_some() { 60 } else { 30 };
    for round in 0..rounds {
        let lines = 1 + usize::try_from(round * 7 % 23).unwrap();
        let said = run_victim(dir.path(), lines, round * 13 % 50);
        let (clock, options) = (Clock::start(), Options { ballast_bytes: 0, ..Options::default() });
        let recovered = recover(dir.path(), &options, clock).unwrap();
        let storage = start(dir.path(), &options, clock, |_| {}).unwrap();
        let indexed = storage.index().page(None, usize::MAX).unwrap().len() as u64;
        opened_in = opened_in.max(Duration::from_micros(clock.now().0));
        storage.shutdown();
        assert_eq!(indexed + 1, recovered.next_seq, "every call is in the index");
        check_round(dir.path(), &said, &recovered);
        acknowledged += said.len();
        interrupted += recovered.interrupted.len();
        repaired += recovered.repaired.len();
    }
    println!("{acknowledged} acknowledgements, {interrupted} interrupted, {repaired} repaired");
    println!("opened in {opened_in:?} at most");
    assert!(opened_in <= MAX_OPENING, "opened in {opened_in:?}");
    assert!(acknowledged > 300 && interrupted > 10 && repaired > 5, "the kills hit nothing");
    let mut report = Vec::new();
    assert_eq!(
        verify(dir.path(), None, true, &mut report).unwrap(),
        0,
        "{}",
        String::from_utf8_lossy(&report)
    );
    let (records, _) = fold(&dir.path().join("journal")).unwrap();
    let cut = records.iter().find(|record| record.recording.state == RecordingState::Recovered).unwrap();
    let path = dir.path().join(cut.recording.path.as_ref().unwrap());
    assert_eq!(
        decode(&path).0.len() as u64 / 8,
        cut.recording.duration_ms,
        "the length is what is in the file"
    );
    let storage =
        start(dir.path(), &Options { ballast_bytes: 0, ..Options::default() }, Clock::start(), |_| {})
            .unwrap();
    assert_eq!(storage.index().page(None, usize::MAX).unwrap().len(), records.len());
}
