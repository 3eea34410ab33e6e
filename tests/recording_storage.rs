//! The running storage: calls saved with their recordings, the index, disks that fail.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    audio::tap_frame::TapFrame,
    io::{
        clock::Clock,
        files,
        journal::{Fact, Kind, reader::fold},
        storage::{Options, Storage, recover, start},
    },
    record::{CallRecord, Ended, RecordingState},
    recording::{
        lifecycle::{Command, Event},
        tap::TAP_RING_FRAMES,
    },
    time::WallTime,
};
use std::{
    fs,
    path::Path,
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};
use storage::{START, call, decode, ended, noise, recording, ringing, run, tags, tapped};

const WAIT: Duration = Duration::from_secs(20);

fn begin(dir: &Path) -> (Storage, Receiver<Event>) {
    let clock = Clock::start();
    recover(dir, &Options::default(), clock).unwrap();
    let (report, events) = channel();
    let options = Options { ballast_bytes: 1 << 20, ..Options::default() };
    (start(dir, &options, clock, move |event| drop(report.send(event))).unwrap(), events)
}

/// Waits for an event that `pick` wants.
fn wait_for<T>(events: &Receiver<Event>, pick: impl Fn(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = pick(events.recv_timeout(WAIT).expect("an event")) {
            return found;
        }
    }
}

fn saved(seq: u64) -> impl Fn(Event) -> Option<()> {
    move |event| matches!(event, Event::Saved { call: saved } if saved == call(seq)).then_some(())
}

fn recorded(event: Event) -> Option<Box<ringside::record::Recording>> {
    match event {
        Event::Recorded { recording, .. } => Some(recording),
        Event::Journaled { .. } | Event::Saved { .. } | Event::Handled { .. } => None,
    }
}

/// A call that is recorded from begin to end; its tap is dropped before or after the call is saved.
fn take_call(storage: &Storage, seq: u64, frames: &[TapFrame], tap_first: bool) {
    storage.send(Command::Ringing(ringing(seq)));
    let (mut tap, ring) = rtrb::RingBuffer::new(TAP_RING_FRAMES.max(frames.len()));
    storage.start_recording(call(seq), recording(seq), tags(seq), ring);
    for &frame in frames {
        tap.push(frame).unwrap();
    }
    let save = Command::Save(ended(seq, Ended::CallerHungUp));
    if tap_first {
        drop(tap);
        std::thread::sleep(Duration::from_millis(300));
        storage.send(save);
    } else {
        storage.send(save);
        std::thread::sleep(Duration::from_millis(300));
        drop(tap);
    }
}

fn sidecar(dir: &Path, seq: u64) -> CallRecord {
    let path = dir.join(files::path_of(call(seq), tags(seq).start_time, files::SIDECAR));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_recorded_call_ends_in_a_file_a_sidecar_the_journal_and_the_index() {
    for tap_first in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (storage, events) = begin(dir.path());
        let mut frames = tapped(1_000, &noise(1, 16_000), &noise(2, 16_000));
        frames.drain(50..60);
        take_call(&storage, 1, &frames, tap_first);
        wait_for(&events, |event| matches!(event, Event::Journaled { .. }).then_some(()));
        wait_for(&events, saved(1));
        let facts = wait_for(&events, recorded);
        assert_eq!((facts.state, facts.duration_ms, facts.gap_ms), (RecordingState::Closed, 2_000, 100));
        let path = dir.path().join(facts.path.as_ref().unwrap());
        assert_eq!(facts.hash, Some(blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string()));
        assert_eq!(decode(&path).0.len(), 16_000);
        let indexed = storage.index().get(call(1)).unwrap().unwrap();
        assert_eq!((indexed.rev, &indexed.recording), (2, &*facts));
        assert_eq!(sidecar(dir.path(), 1), indexed);
        assert_eq!(fs::metadata(path.with_extension("peaks")).unwrap().len(), 8 + 20 * 4);
        storage.shutdown();
        assert_eq!(fold(&dir.path().join("journal")).unwrap().0, [indexed]);
    }
}

#[test]
fn a_burst_of_240_busy_calls_is_saved_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    for seq in 1..=240 {
        storage.send(Command::Ringing(ringing(seq)));
        storage.send(Command::Save(ended(seq, Ended::Busy)));
    }
    (1..=240).for_each(|seq| wait_for(&events, saved(seq)));
    let index = storage.index();
    let newest = index.page(None, 500).unwrap();
    assert_eq!(
        newest.iter().map(|record| record.seq).collect::<Vec<_>>(),
        (1..=240).rev().collect::<Vec<_>>()
    );
    let seqs = |records: Vec<CallRecord>| records.iter().map(|record| record.seq).collect::<Vec<_>>();
    assert_eq!(seqs(index.page(Some(101), 3).unwrap()), [100, 99, 98]);
    assert_eq!(seqs(index.since(WallTime(START.0 + 239), 9).unwrap()), [240, 239]);
    assert_eq!(index.next_seq().unwrap(), 241);
    assert_eq!(storage.journal_counters().refused.load(Ordering::Relaxed), 0);
}

#[test]
fn a_call_without_audio_has_no_file_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    take_call(&storage, 1, &[], false);
    let facts = wait_for(&events, recorded);
    assert_eq!((facts.state, facts.why_none.as_deref()), (RecordingState::Failed, Some("no_audio")));
    assert_eq!(facts.path, None);
    storage.shutdown();
    let left: Vec<_> = files::recording_files(dir.path()).unwrap();
    assert_eq!(left.len(), 1, "the sidecar only: {left:?}");
}

#[test]
fn a_start_without_its_tap_is_a_recording_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    storage.send(Command::Start { call: call(1), recording: recording(1), tags: tags(1) });
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    assert_eq!(wait_for(&events, recorded).why_none.as_deref(), Some("no_tap"));
}

#[test]
fn stopping_writes_out_what_is_going_on() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _events) = begin(dir.path());
    let (mut tap, ring) = rtrb::RingBuffer::new(200);
    storage.send(Command::Ringing(ringing(1)));
    storage.start_recording(call(1), recording(1), tags(1), ring);
    for frame in tapped(0, &noise(1, 8_000), &noise(2, 8_000)) {
        tap.push(frame).unwrap();
    }
    storage.send(Command::Save(ended(1, Ended::OfficeHungUp)));
    storage.shutdown();
    drop(tap);
    let (records, _) = fold(&dir.path().join("journal")).unwrap();
    assert_eq!((records[0].rev, records[0].recording.duration_ms), (2, 1_000));
    assert_eq!(records[0].recording.state, RecordingState::Closed);
}

#[test]
fn a_panic_in_the_work_is_counted_and_the_work_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    recover(dir.path(), &Options::default(), Clock::start()).unwrap();
    let (report, events) = channel();
    let storage = start(
        dir.path(),
        &Options { ballast_bytes: 0, ..Options::default() },
        Clock::start(),
        move |event| {
            assert!(
                !matches!(event, Event::Saved { call: saved } if saved == call(1)),
                "a listener that fails"
            );
            let _ = report.send(event);
        },
    )
    .unwrap();
    storage.send(Command::Save(ended(1, Ended::NoAnswer)));
    std::thread::sleep(Duration::from_millis(300));
    take_call(&storage, 2, &tapped(0, &noise(1, 8_000), &noise(2, 8_000)), false);
    assert_eq!(wait_for(&events, recorded).state, RecordingState::Closed);
    assert_eq!(storage.counters().panics.load(Ordering::Relaxed), 1);
    assert_eq!(storage.index().page(None, 9).unwrap().len(), 2);
}

#[test]
fn a_second_daemon_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_storage, _events) = begin(dir.path());
    let error = recover(dir.path(), &Options::default(), Clock::start()).unwrap_err().to_string();
    assert!(error.contains("another ringside"), "{error}");
}

fn with_calls(dir: &Path, calls: u64) {
    let (storage, events) = begin(dir);
    for seq in 1..=calls {
        storage.send(Command::Ringing(ringing(seq)));
        storage.send(Command::Save(ended(seq, Ended::NoAnswer)));
    }
    wait_for(&events, saved(calls));
}

#[test]
fn a_start_writes_the_sidecar_that_a_crash_left_unwritten() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    let frames = tapped(1, &noise(1, 8_000), &noise(2, 8_000));
    take_call(&storage, 1, &frames, true);
    wait_for(&events, saved(1));
    storage.shutdown();
    let path = dir.path().join(files::path_of(call(1), START, files::SIDECAR));
    let whole = sidecar(dir.path(), 1);
    let cut = path.with_extension("json.tmp");
    fs::rename(&path, &cut).unwrap();
    fs::write(&cut, "{").unwrap();
    recover(dir.path(), &Options::default(), Clock::start()).unwrap();
    assert!(!cut.exists());
    assert_eq!(sidecar(dir.path(), 1), whole);
}

#[test]
fn a_lost_index_is_filled_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    with_calls(dir.path(), 30);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let (storage, _events) = begin(dir.path());
    assert_eq!(storage.index().page(None, 100).unwrap().len(), 30);
    assert_eq!(storage.index().get(call(17)).unwrap().unwrap().seq, 17);
}

#[test]
fn a_damaged_index_is_put_aside_and_filled_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    with_calls(dir.path(), 30);
    let snapshot_or_conf = dir.path().join("index/conf");
    fs::write(&snapshot_or_conf, b"this is not sled's").unwrap();
    let (storage, _events) = begin(dir.path());
    assert_eq!(storage.index().page(None, 100).unwrap().len(), 30);
    let aside = fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("index.bad-"));
    assert_eq!(aside.count(), 1);
}

#[test]
fn an_index_that_missed_entries_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    with_calls(dir.path(), 10);
    let backup = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        let (ok, text) = run("cp", &["-a", from.to_str().unwrap(), to.to_str().unwrap()]);
        assert!(ok, "{text}");
    };
    copy(&dir.path().join("index"), &backup.path().join("index"));
    let (storage, events) = begin(dir.path());
    storage.send(Command::Save(ended(11, Ended::NoAnswer)));
    wait_for(&events, saved(11));
    storage.shutdown();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy(&backup.path().join("index"), &dir.path().join("index"));
    let (storage, _events) = begin(dir.path());
    assert_eq!(storage.index().page(None, 100).unwrap().len(), 11);
}

#[test]
fn a_higher_revision_is_never_replaced_by_a_lower_one() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _events) = begin(dir.path());
    let index = storage.index();
    let mut record = ended(1, Ended::Busy);
    record.rev = 5;
    let put = |record| index.apply(&[Fact::Call(Kind::Ended, record)], None).unwrap();
    put(record);
    put(ended(1, Ended::NoAnswer));
    assert_eq!(index.get(call(1)).unwrap().unwrap().rev, 5);
    put(ringing(2));
    assert_eq!(index.get(call(2)).unwrap(), None, "a call in progress is not in the index");
}

/// A mounted disk of 3 MB, unmounted at the end.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Lazily, because a test that fails leaves files open.
        let (ok, text) = run("umount", &["--lazy", self.0.path().to_str().unwrap()]);
        assert!(ok || std::thread::panicking(), "{text}");
    }
}

/// `None` with a reason on standard output if mounting is not permitted here.
fn tiny_disk() -> Option<TinyDisk> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (ok, text) = run("mount", &["-t", "tmpfs", "-o", "size=3m", "tmpfs", path]);
    if !ok {
        println!("skipped: no tmpfs can be mounted here: {text}");
        return None;
    }
    Some(TinyDisk(dir))
}

#[test]
fn on_a_full_disk_the_recording_stops_and_the_record_goes_on() {
    let Some(disk) = tiny_disk() else { return };
    let (storage, events) = begin(disk.path());
    let (mut tap, ring) = rtrb::RingBuffer::new(6_000);
    storage.send(Command::Ringing(ringing(1)));
    storage.start_recording(call(1), recording(1), tags(1), ring);
    let frames = tapped(0, &noise(1, 400_000), &noise(2, 400_000));
    for &frame in &frames[..500] {
        tap.push(frame).unwrap();
    }
    // Something else fills the disk to the last byte; the ballast is what is left.
    let filler = disk.path().join("filler");
    let part = disk.path().join(files::path_of(call(1), tags(1).start_time, files::PART));
    let written = || fs::metadata(&part).map_or(0, |meta| meta.len());
    let deadline = std::time::Instant::now() + WAIT;
    while written() < 5_000 {
        assert!(std::time::Instant::now() < deadline, "{} bytes written", written());
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::write(&filler, vec![1; 4 << 20]);
    for &frame in &frames[500..] {
        tap.push(frame).unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
    for seq in 2..=200 {
        storage.send(Command::Ringing(ringing(seq)));
        storage.send(Command::Save(ended(seq, Ended::NoAnswer)));
    }
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    let facts = wait_for(&events, recorded);
    assert_eq!(facts.why_none.as_deref(), Some("disk_full"), "{facts:?}");
    assert_eq!(facts.state, RecordingState::Recovered);
    assert!(facts.duration_ms >= 2_000 && facts.duration_ms < 50_000, "{facts:?}");
    let kept = disk.path().join(facts.path.unwrap());
    let (ok, text) = run("opusinfo", &[kept.to_str().unwrap()]);
    assert!(ok && !text.to_lowercase().contains("warning"), "{text}");
    storage.shutdown();
    let (records, report) = fold(&disk.path().join("journal")).unwrap();
    assert_eq!(records.len(), 200, "every record is there: {report:?}");
    fs::remove_file(filler).unwrap();
    let (storage, events) = begin(disk.path());
    assert_eq!(storage.index().page(None, 300).unwrap().len(), 200);
    take_call(&storage, 201, &frames[..100], false);
    assert_eq!(
        wait_for(&events, recorded).state,
        RecordingState::Closed,
        "with room again calls are recorded"
    );
    storage.shutdown();
}
