//! A bit flips anywhere in a store: it is noticed, and no record is ever wrong.

use crate::{
    calls::{begin, busy, recorded, wait_recorded, wait_saved},
    disks::quick_dir,
    is_long,
    storage::call,
};
use ringside::{
    cli::verify::verify,
    io::{
        clock::Clock,
        files,
        journal::{reader::fold, segment_path, segments},
        storage::{Options, recover, start},
    },
    record::CallRecord,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Two starts, recorded calls 1 and 3, busy calls 2 and 4.
fn small_store(dir: &Path) {
    for seq in [1, 3] {
        let (storage, events) = begin(dir, Clock::start());
        recorded(&storage, seq, 1_000);
        wait_recorded(&events, call(seq));
        busy(&storage, seq + 1);
        wait_saved(&events, seq + 1);
        storage.shutdown();
    }
}

/// Whether a look at the store says that something is wrong with it.
fn is_noticed(dir: &Path) -> bool {
    let (_, report) = fold(&dir.join(files::JOURNAL_DIR)).unwrap();
    report.torn_bytes > 0 || verify(dir, None, true, &mut Vec::new()).unwrap() != 0
}

#[test]
fn a_flip_of_any_byte_of_journal_recording_or_sidecar_is_noticed() {
    let store = quick_dir();
    let dir = store.path();
    small_store(dir);
    let journal = dir.join(files::JOURNAL_DIR);
    let mut paths: Vec<PathBuf> =
        segments(&journal).unwrap().into_iter().map(|number| segment_path(&journal, number)).collect();
    let recordings = files::recording_files(dir).unwrap();
    // A peaks file is a picture of the recording, drawn again at will.
    let checked = |path: &&PathBuf| path.extension().is_some_and(|extension| extension != files::PEAKS);
    paths.extend(recordings.iter().filter(checked).map(|path| dir.join(path)));
    assert!(!is_noticed(dir) && paths.len() == 6, "{paths:?}");
    let (mut flips, mut missed) = (0, Vec::new());
    for path in &paths {
        let whole = fs::read(path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(path, &flipped).unwrap();
            flips += 1;
            if !is_noticed(dir) {
                missed.push(format!("bit {} of byte {at} of {}", at % 8, path.display()));
            }
        }
        fs::write(path, whole).unwrap();
    }
    println!("{flips} bits flipped");
    assert!(
        missed.is_empty(),
        "{} of {flips} flips missed:\n{}",
        missed.len(),
        missed[..missed.len().min(20)].join("\n")
    );
}

/// The records that the index of a fresh start gives.
fn indexed(dir: &Path) -> Vec<CallRecord> {
    recover(dir, &Options::default(), Clock::start()).unwrap();
    let options = Options { ballast_bytes: 0, ..Options::default() };
    let began = Instant::now();
    // A child that another test starts holds every lock of this process between fork and exec.
    let storage = loop {
        match start(dir, &options, Clock::start(), |_| {}) {
            Ok(storage) => break storage,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(5), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut records = storage.index().page(None, usize::MAX).expect("an index");
    for record in &records {
        assert_eq!(storage.index().get(record.id).unwrap().as_ref(), Some(record), "by its id");
    }
    records.reverse();
    storage.shutdown();
    records
}

#[test]
fn a_flip_in_the_index_never_gives_a_wrong_record() {
    let store = quick_dir();
    let dir = store.path().join("data");
    small_store(&dir);
    let (truth, _) = fold(&dir.join(files::JOURNAL_DIR)).unwrap();
    let index = dir.join(files::INDEX_DIR);
    let mut places = Vec::new();
    for entry in fs::read_dir(&index).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            // What was never written is all zeros.
            places.extend((0..bytes.len()).filter(|&at| bytes[at] != 0).map(|at| (path.clone(), at)));
        }
    }
    let flips = if is_long() { 500 } else { 150 };
    let (mut replaced, mut wrong) = (0, Vec::new());
    let kept = store.path().join("kept");
    fs::rename(&index, &kept).unwrap();
    for number in 0..flips {
        let (path, at) = &places[number * places.len() / flips];
        let name = path.file_name().unwrap();
        fs::create_dir(&index).unwrap();
        for entry in fs::read_dir(&kept).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), index.join(entry.file_name())).unwrap();
        }
        let mut bytes = fs::read(kept.join(name)).unwrap();
        bytes[*at] ^= 1 << (number % 8);
        fs::write(index.join(name), bytes).unwrap();
        let found = indexed(&dir);
        if found != truth {
            let seqs: Vec<u64> = found.iter().map(|record| record.seq).collect();
            wrong.push(format!("bit {} of byte {at} of {name:?}: calls {seqs:?}", number % 8));
        }
        fs::remove_dir_all(&index).unwrap();
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("index.bad-") {
                replaced += 1;
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
    println!("{flips} bits of {} bytes flipped, {replaced} times the index was replaced", places.len());
    assert!(wrong.is_empty(), "{} of {flips} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}
