//! `verify` names what is wrong with which recording.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    cli::verify::verify,
    io::{
        clock::Clock,
        files::{self, PEAKS, RECORDING, SIDECAR},
        journal::segment_path,
        storage::{Options, recover, start},
    },
    record::Ended,
    recording::lifecycle::Command,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use storage::{call, ended, noise, record, recording, tags, tapped};

/// A data directory with recorded calls 1 to 3.
fn three_calls() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    recover(dir.path(), &Options::default(), Clock::start()).unwrap();
    let storage =
        start(dir.path(), &Options { ballast_bytes: 0, ..Options::default() }, Clock::start(), |_| {})
            .unwrap();
    for seq in 1..=3 {
        let (mut tap, ring) = rtrb::RingBuffer::new(500);
        storage.start_recording(call(seq), recording(seq), tags(seq), ring);
        for frame in tapped(0, &noise(seq, 24_000), &noise(seq + 1, 24_000)) {
            tap.push(frame).unwrap();
        }
        storage.send(Command::Save(ended(seq, Ended::CallerHungUp)));
    }
    storage.shutdown();
    dir
}

fn path(dir: &Path, seq: u64, extension: &str) -> PathBuf {
    dir.join(files::path_of(call(seq), tags(seq).start_time, extension))
}

/// The exit code and the verdicts, in order.
fn verdicts(dir: &Path) -> (u8, Vec<String>) {
    let mut out = Vec::new();
    let code = verify(dir, None, true, &mut out).unwrap();
    let verdict = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["verdict"].as_str().unwrap().to_owned()
    };
    (code, String::from_utf8(out).unwrap().lines().map(verdict).collect())
}

fn all_but_second(verdict: &str) -> (u8, Vec<String>) {
    (1, ["good", verdict, "good"].map(str::to_owned).to_vec())
}

#[test]
fn good_recordings_are_good() {
    let dir = three_calls();
    assert_eq!(verdicts(dir.path()), (0, vec!["good".to_owned(); 3]));
    let mut table = Vec::new();
    verify(dir.path(), None, false, &mut table).unwrap();
    assert!(String::from_utf8(table).unwrap().ends_with("\n0 bad\n"));
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let dir = three_calls();
    let path = path(dir.path(), 2, RECORDING);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(verdicts(dir.path()), all_but_second("damaged"), "byte {at}");
    }
}

#[test]
fn a_missing_a_shortened_and_a_lengthened_recording_are_found() {
    let dir = three_calls();
    let path = path(dir.path(), 2, RECORDING);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(verdicts(dir.path()), all_but_second("damaged"));
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(verdicts(dir.path()), all_but_second("damaged"));
    fs::remove_file(&path).unwrap();
    assert_eq!(verdicts(dir.path()), all_but_second("missing"));
}

#[test]
fn another_recording_in_its_place_is_found() {
    let dir = three_calls();
    let second = path(dir.path(), 2, RECORDING);
    fs::copy(path(dir.path(), 3, RECORDING), &second).unwrap();
    assert_eq!(verdicts(dir.path()), all_but_second("foreign"));
    // A well-made one of call 1 with other audio: only the digest or the length can tell.
    let forged = record(&tapped(0, &noise(8, 24_000), &noise(9, 24_000))).pages;
    fs::write(path(dir.path(), 1, RECORDING), forged).unwrap();
    assert_eq!(verdicts(dir.path()).1, ["changed", "foreign", "good"]);
    let shorter = record(&tapped(0, &noise(8, 16_000), &noise(9, 16_000))).pages;
    fs::write(path(dir.path(), 1, RECORDING), shorter).unwrap();
    assert_eq!(verdicts(dir.path()).1, ["wrong_length", "foreign", "good"]);
}

#[test]
fn a_sidecar_that_differs_from_the_journal_is_found() {
    let dir = three_calls();
    let sidecar = path(dir.path(), 2, SIDECAR);
    let json = fs::read_to_string(&sidecar).unwrap();
    let changed = ["good", "good", "changed_sidecar", "good"].map(str::to_owned).to_vec();
    fs::write(&sidecar, json.replace("+13125550199", "+13125550198")).unwrap();
    assert_eq!(verdicts(dir.path()), (1, changed));
    // As written before a field was known.
    fs::write(&sidecar, json.replace("  \"fax\": null,\n", "")).unwrap();
    assert_eq!(verdicts(dir.path()).0, 0);
}

#[test]
fn files_that_belong_to_no_record_are_orphans() {
    let dir = three_calls();
    fs::copy(path(dir.path(), 3, RECORDING), path(dir.path(), 77, RECORDING)).unwrap();
    fs::copy(path(dir.path(), 3, PEAKS), path(dir.path(), 78, PEAKS)).unwrap();
    fs::write(path(dir.path(), 3, RECORDING).with_file_name("holiday.jpg"), "x").unwrap();
    let (code, verdicts) = verdicts(dir.path());
    assert_eq!((code, &verdicts[3..]), (1, &["orphan", "orphan", "orphan"].map(str::to_owned)[..]));
}

#[test]
fn a_damaged_journal_is_a_failure_too() {
    let dir = three_calls();
    let segment = segment_path(&dir.path().join("journal"), 1);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[40] ^= 1;
    fs::write(&segment, bytes).unwrap();
    assert_eq!(verdicts(dir.path()).0, 1);
}
