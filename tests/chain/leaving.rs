//! The commands with which an owner checks what is there and leaves with it; stores of every version.

use crate::{
    quick_dir,
    storage::{START, call, decode, ended, noise, recording, ringing, tags, tapped},
};
use ringside::{
    cli::{
        export::{Format, Wanted, export},
        fsck::fsck,
        verify::verify,
    },
    io::{
        clock::Clock,
        files::{self, RECORDING, SIDECAR},
        journal::reader::fold,
        signing,
        storage::{Options, Storage, recover, start},
    },
    record::Ended,
    recording::{lifecycle::Command, seal::sealed_bytes},
    time::WallTime,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/store");

pub(crate) fn copy_golden(version: &str, to: &Path) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(from, to).unwrap();
            }
        }
    }
    copy(&Path::new(GOLDEN).join(version), to);
}

/// Takes call 1 with half a second of audio, and call 2 that nobody answered.
fn take_calls(dir: &Path) -> Storage {
    recover(dir, &Options::default(), Clock::start()).unwrap();
    let storage =
        start(dir, &Options { ballast_bytes: 0, ..Options::default() }, Clock::start(), |_| {}).unwrap();
    storage.send(Command::Ringing(ringing(1)));
    let (mut tap, ring) = rtrb::RingBuffer::new(500);
    storage.start_recording(call(1), recording(1), tags(1), ring);
    for frame in tapped(0, &noise(1, 4_000), &noise(2, 4_000)) {
        tap.push(frame).unwrap();
    }
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    storage.send(Command::Save(ended(2, Ended::NoAnswer)));
    storage
}

fn store() -> tempfile::TempDir {
    let dir = quick_dir();
    take_calls(dir.path()).shutdown();
    dir
}

fn path(dir: &Path, extension: &str) -> PathBuf {
    dir.join(files::path_of(call(1), tags(1).start_time, extension))
}

/// The exit code and what is wrong where.
fn verified(dir: &Path) -> (u8, Vec<(String, String)>) {
    let mut out = Vec::new();
    let code = verify(dir, None, true, &mut out).unwrap();
    let finding = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("verdict") != "good").then(|| (text("path"), text("verdict")))
    };
    (code, String::from_utf8(out).unwrap().lines().filter_map(finding).collect())
}

#[test]
fn a_flip_in_any_byte_of_a_recording_or_sidecar_is_found_in_that_file() {
    let dir = store();
    assert_eq!(verified(dir.path()), (0, vec![]));
    for extension in [RECORDING, SIDECAR] {
        let path = path(dir.path(), extension);
        let relative = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at * 7 % 8);
            fs::write(&path, flipped).unwrap();
            let (code, found) = verified(dir.path());
            let places: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
            assert_eq!((code, places), (1, vec![relative]), "byte {at}: {found:?}");
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn the_first_break_is_named_with_segment_entry_call_and_file() {
    let dir = store();
    fs::remove_file(path(dir.path(), RECORDING)).unwrap();
    let mut out = Vec::new();
    assert_eq!(verify(dir.path(), None, false, &mut out).unwrap(), 1);
    let out = String::from_utf8(out).unwrap();
    let first = out.lines().next().unwrap();
    let file = files::path_of(call(1), tags(1).start_time, RECORDING);
    assert!(
        first.starts_with(&format!("FIRST BREAK  {file}: missing, segment 1, at or behind entry ")),
        "{out}"
    );
    assert!(first.contains(&format!("call {}", call(1))), "{out}");
    assert!(out.ends_with("\n1 bad\n"), "{out}");
}

#[test]
fn a_recording_is_sealed_and_a_public_key_kept_elsewhere_finds_a_box_that_was_replaced() {
    let dir = store();
    let (_, key) = files::known_identity(dir.path()).unwrap();
    let key = key.unwrap();
    let (records, _) = fold(&dir.path().join("journal")).unwrap();
    let seal = records[0].recording.seal.as_ref().unwrap();
    assert!(signing::verify(&key, &sealed_bytes(&records[0]).unwrap(), seal));
    assert_eq!(verify(dir.path(), Some(&key), true, &mut Vec::new()).unwrap(), 0);
    let (_, other) = files::known_identity(store().path()).unwrap();
    assert_eq!(verify(dir.path(), other.as_deref(), true, &mut Vec::new()).unwrap(), 1);
}

#[test]
fn everything_can_be_looked_at_and_taken_away_while_the_box_runs() {
    let dir = quick_dir();
    let storage = take_calls(dir.path());
    assert!(files::is_in_use(dir.path()));
    while storage.counters().recordings.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(verified(dir.path()).0, 0);
    assert_eq!(fsck(dir.path(), true, &mut Vec::new()).unwrap(), 0);
    let out = quick_dir();
    let wanted = Wanted { since: WallTime(0), format: Format::Jsonl, audio: true };
    assert_eq!(export(dir.path(), out.path(), wanted).unwrap().calls, 2);
    storage.shutdown();
    assert!(!files::is_in_use(dir.path()));
}

#[test]
fn an_export_holds_every_call_and_every_recording() {
    let (dir, out) = (store(), quick_dir());
    let (records, _) = fold(&dir.path().join("journal")).unwrap();
    let wanted = Wanted { since: START, format: Format::Jsonl, audio: true };
    let exported = export(dir.path(), out.path(), wanted).unwrap();
    assert_eq!((exported.calls, exported.recordings, exported.bad.len()), (2, 1, 0));
    let mut read: Vec<ringside::record::CallRecord> = fs::read_to_string(out.path().join("calls.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    read.sort_by_key(|record| record.seq);
    assert_eq!(read, records);
    assert_eq!(decode(&path(out.path(), RECORDING)).0.len(), 4_000);
    assert!(export(dir.path(), out.path(), wanted).is_err(), "an export is never written over");
    let wanted = Wanted { since: WallTime(START.0 + 2), format: Format::Csv, audio: false };
    assert_eq!(export(dir.path(), out.path(), wanted).unwrap().calls, 1);
    let csv = fs::read_to_string(out.path().join("calls.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("call_id,box_id,number_on_box,") && lines.len() == 2, "{csv}");
    assert!(lines[1].contains(",+13125550199,allowed,\"Ada \"\"the caller\"\" Łovelace\","), "{csv}");
}

#[test]
fn fsck_finds_what_does_not_fit_together() {
    let dir = store();
    let code = || fsck(dir.path(), true, &mut Vec::new()).unwrap();
    assert_eq!(code(), 0);
    let recording = fs::read(path(dir.path(), RECORDING)).unwrap();
    fs::remove_file(path(dir.path(), RECORDING)).unwrap();
    assert_eq!(code(), 1, "a record without its file");
    fs::write(path(dir.path(), RECORDING), &recording[1..]).unwrap();
    assert_eq!(code(), 1, "a file that is too short");
    fs::write(path(dir.path(), RECORDING), &recording).unwrap();
    let orphan = path(dir.path(), RECORDING).with_file_name(format!("{}.opus", call(77)));
    fs::write(&orphan, &recording).unwrap();
    assert_eq!(code(), 1, "a file without a record");
    fs::remove_file(orphan).unwrap();
    assert_eq!(code(), 0);
    fs::write(dir.path().join("index/conf"), "this is no index").unwrap();
    assert_eq!(code(), 1, "an index that does not open");
    assert_eq!(fs::read(dir.path().join("index/conf")).unwrap(), b"this is no index", "nothing is repaired");
}

#[test]
fn stores_of_every_version_read_and_verify_for_ever() {
    for (version, calls, sealed) in [("v1", 5, 0), ("v2", 5, 2)] {
        let dir = quick_dir();
        copy_golden(version, dir.path());
        assert_eq!(verified(dir.path()), (0, vec![]), "{version}");
        let (records, report) = fold(&dir.path().join("journal")).unwrap();
        assert_eq!((records.len(), report.is_clean(), report.unknown), (calls, true, 0), "{version}");
        let seals = records.iter().filter(|record| record.recording.seal.is_some()).count();
        assert_eq!(seals, sealed, "{version}");
        // And goes on.
        recover(dir.path(), &Options::default(), Clock::start()).unwrap();
        let storage =
            start(dir.path(), &Options { ballast_bytes: 0, ..Options::default() }, Clock::start(), |_| {})
                .unwrap();
        storage.send(Command::Save(ended(6, Ended::Busy)));
        storage.shutdown();
        assert_eq!(fold(&dir.path().join("journal")).unwrap().0.len(), calls + 1, "{version}");
        if version == "v1" {
            assert_eq!(verified(dir.path()), (0, vec![]), "{version}");
        }
    }
}
