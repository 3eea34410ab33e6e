//! What is kept, erased and mended on a real disk.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    audio::tap_frame::TapFrame,
    io::{
        clock::Clock,
        files,
        journal::reader::fold,
        storage::{Options, Recovered, Storage, recover, start},
    },
    note::Part,
    record::{CallRecord, Ended, RecordingState},
    recording::{
        encoder::Encoding,
        lifecycle::{Command, Event},
        request::{Answer, Receipt, Refused, Request, Subject, When},
        retention::{self, Policy},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use storage::{START, call, ended, noise, recording, ringing, run, tags, tapped};

const WAIT: Duration = Duration::from_secs(20);
fn options() -> Options {
    Options { ballast_bytes: 0, ..Options::default() }
}

fn begin_with(dir: &Path, options: &Options) -> (Storage, Receiver<Event>, Recovered) {
    let clock = Clock::start();
    let recovered = recover(dir, options, clock).unwrap();
    let (report, events) = channel();
    let storage = start(dir, options, clock, move |event| drop(report.send(event))).unwrap();
    (storage, events, recovered)
}

fn begin(dir: &Path) -> (Storage, Receiver<Event>) {
    let (storage, events, _) = begin_with(dir, &options());
    (storage, events)
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn seconds(seconds: usize) -> Vec<TapFrame> {
    tapped(0, &noise(1, seconds * 8_000), &noise(2, seconds * 8_000))
}

/// A call that is recorded; gives its record when the recording is closed.
fn take_call(storage: &Storage, events: &Receiver<Event>, seq: u64, frames: &[TapFrame]) -> CallRecord {
    storage.send(Command::Ringing(ringing(seq)));
    let (mut tap, ring) = rtrb::RingBuffer::new(frames.len().max(1));
    storage.start_recording(call(seq), recording(seq), tags(seq), ring);
    frames.iter().for_each(|&frame| tap.push(frame).unwrap());
    drop(tap);
    storage.send(Command::Save(ended(seq, Ended::CallerHungUp)));
    let is_it = |event: &Event| matches!(event, Event::Recorded { call: of, .. } if *of == call(seq));
    while !is_it(&events.recv_timeout(WAIT).expect("an event")) {}
    storage.index().get(call(seq)).unwrap().unwrap()
}

fn recorded(dir: &Path, calls: u64) {
    let (storage, events) = begin(dir);
    (1..=calls).for_each(|seq| drop(take_call(&storage, &events, seq, &seconds(1))));
    storage.shutdown();
}

fn path(dir: &Path, seq: u64, extension: &str) -> PathBuf {
    dir.join(files::path_of(call(seq), START, extension))
}

fn journaled(dir: &Path, seq: u64) -> Option<CallRecord> {
    let (records, _) = fold(&dir.join("journal")).unwrap();
    records.into_iter().find(|record| record.id == call(seq))
}

fn ask(storage: &Storage, request: &Request) -> Result<Answer, Refused> {
    until("the notes are read", || match storage.desk().ask(request) {
        Err(Refused::Busy) => None,
        answer => Some(answer),
    })
}

fn erase(seq: u64, part: Part, when: When) -> Request {
    let (of, by, why) = (Subject::Call(call(seq)), "dana".to_owned(), "the caller asked".to_owned());
    Request::Erase { of, part, by, why, when, receipt: Receipt::Needed }
}

fn text_below(dir: &Path) -> String {
    let all = files::recording_files(dir).unwrap();
    all.iter().map(|path| String::from_utf8_lossy(&fs::read(dir.join(path)).unwrap()).into_owned()).collect()
}

#[test]
fn an_owner_has_a_recording_erased_and_the_digest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    let before = take_call(&storage, &events, 1, &seconds(1));
    take_call(&storage, &events, 2, &seconds(1));
    ask(&storage, &erase(1, Part::Recording, When::Now)).unwrap();
    let left = until("erased", || {
        let record = storage.index().get(call(1)).unwrap().unwrap();
        (record.recording.state == RecordingState::Erased).then_some(record)
    });
    assert_eq!((left.rev, &left.recording.hash), (before.rev + 1, &before.recording.hash));
    assert_eq!(left.recording.why_none.as_deref(), Some("asked by dana"));
    assert!(!path(dir.path(), 1, "opus").exists() && !path(dir.path(), 1, "peaks").exists());
    assert!(path(dir.path(), 2, "opus").exists(), "the other call's is there");
    let sidecar = until("the sidecar", || {
        let sidecar: CallRecord =
            serde_json::from_slice(&fs::read(path(dir.path(), 1, "json")).ok()?).ok()?;
        (sidecar.recording.path.is_none()).then_some(sidecar)
    });
    assert_eq!(sidecar, left);
    storage.shutdown();
    let (storage, _, recovered) = begin_with(dir.path(), &options());
    assert!(recovered.mended.is_empty(), "nothing is missing: {recovered:?}");
    assert_eq!(storage.desk().listing().map(|listing| listing.asked.len()).unwrap_or(0), 0);
    storage.shutdown();
    assert_eq!(journaled(dir.path(), 1), Some(left));
}

#[test]
fn of_an_erased_record_no_file_names_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    take_call(&storage, &events, 1, &seconds(1));
    assert!(text_below(dir.path()).contains("Ada"));
    let request = Request::Erase {
        of: Subject::Number("+13125550199".parse().unwrap()),
        part: Part::Record,
        by: "dana".to_owned(),
        why: "the caller asked".to_owned(),
        when: When::Now,
        receipt: Receipt::Needed,
    };
    assert_eq!(ask(&storage, &request).unwrap().calls, [call(1)]);
    until("erased", || retention::is_erased(&storage.index().get(call(1)).unwrap().unwrap()).then_some(()));
    storage.shutdown();
    let text = text_below(dir.path());
    assert!(!text.contains("Ada") && !text.contains("5550199") && text.contains("+13125550100"), "{text}");
}

#[test]
fn a_held_call_stays_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    take_call(&storage, &events, 1, &seconds(1));
    let by = || "dana".to_owned();
    ask(&storage, &Request::Hold { call: call(1), by: by(), why: "court".to_owned() }).unwrap();
    storage.shutdown();
    let (storage, _events) = begin(dir.path());
    let answer = until("the note is applied", || {
        ask(&storage, &erase(1, Part::Recording, When::Now)).ok().filter(|answer| answer.calls.is_empty())
    });
    assert_eq!(answer.left[0].0, call(1));
    ask(&storage, &Request::Release { call: call(1), by: by() }).unwrap();
    until("released", || {
        ask(&storage, &erase(1, Part::Recording, When::Now)).ok().filter(|answer| !answer.calls.is_empty())
    });
    until("erased", || (!path(dir.path(), 1, "opus").exists()).then_some(()));
}

#[test]
fn an_old_recording_goes_by_itself_and_a_young_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), 2);
    let age_days = u32::try_from((Clock::start().wall().0 - START.0) / 86_400_000).unwrap();
    let rules = |recordings_days| Options {
        policy: Policy {
            recordings_days,
            records_days: 0,
            missed_days: 0,
            grace_days: 0,
            ..Policy::default()
        },
        ..options()
    };
    let (storage, _, _) = begin_with(dir.path(), &rules(age_days + 1));
    until("the notes are read", || storage.desk().listing());
    std::thread::sleep(Duration::from_secs(4));
    assert!(path(dir.path(), 1, "opus").exists());
    storage.shutdown();
    let (storage, _, _) = begin_with(dir.path(), &rules(age_days.max(1)));
    let gone = |seq| storage.index().get(call(seq)).unwrap().unwrap().recording.why_none;
    for seq in 1..=2 {
        until("erased", || (gone(seq).as_deref() == Some("retention")).then_some(()));
        assert!(!path(dir.path(), seq, "opus").exists());
    }
}

#[test]
fn an_erasure_cut_off_after_its_files_is_finished_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), 2);
    let (storage, _events) = begin(dir.path());
    ask(&storage, &erase(2, Part::Recording, When::AfterGrace)).unwrap();
    storage.shutdown();
    // As if the power went: asked for and due, files gone, no entry.
    let (storage, _events) = begin(dir.path());
    let desk = storage.desk();
    until("the notes are read", || desk.listing());
    let asked = std::thread::spawn(move || desk.ask(&erase(1, Part::Recording, When::Now)));
    asked.join().unwrap().unwrap();
    storage.shutdown();
    for (seq, extension) in [(1, "opus"), (1, "peaks"), (2, "opus")] {
        let _ = fs::remove_file(path(dir.path(), seq, extension));
    }
    let mended = recover(dir.path(), &options(), Clock::start()).unwrap().mended;
    assert!(mended.contains(&call(2)), "{mended:?}");
    assert_eq!(journaled(dir.path(), 1).unwrap().recording.state, RecordingState::Erased);
    let missing = journaled(dir.path(), 2).unwrap().recording;
    assert_eq!(
        (missing.state, missing.why_none.as_deref()),
        (RecordingState::Failed, Some("recording_missing"))
    );
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, [], "once");
}

#[test]
fn a_missing_recording_is_said_once_and_its_digest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), 2);
    let before = journaled(dir.path(), 1).unwrap();
    fs::remove_file(path(dir.path(), 1, "opus")).unwrap();
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, [call(1)]);
    let after = journaled(dir.path(), 1).unwrap();
    assert_eq!(after.recording.state, RecordingState::Failed);
    assert_eq!(after.recording.why_none.as_deref(), Some("recording_missing"));
    assert_eq!((after.recording.hash, after.rev), (before.recording.hash, before.rev + 1));
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, [], "once");
}

#[test]
fn everything_comes_back_that_can_come_back() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), 3);
    let before: Vec<CallRecord> = (1..=3).map(|seq| journaled(dir.path(), seq).unwrap()).collect();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    fs::remove_file(path(dir.path(), 2, "json")).unwrap();
    fs::remove_file(path(dir.path(), 3, "opus")).unwrap();
    let (storage, _, recovered) = begin_with(dir.path(), &options());
    assert_eq!(recovered.mended.len(), 3);
    assert_eq!(recovered.next_seq, 5, "the rebuilt one has a new number");
    let now = |seq| storage.index().get(call(seq)).unwrap().unwrap();
    assert_eq!(now(1), before[0], "from its sidecar");
    let rebuilt = now(2);
    assert_eq!((rebuilt.attribution.method.as_str(), rebuilt.seq), ("recording", 4));
    assert_eq!(rebuilt.attribution.warnings, ["record_rebuilt"]);
    assert_eq!(rebuilt.customer_phone_number, before[1].customer_phone_number);
    assert_eq!(rebuilt.tracking_phone_number, before[1].tracking_phone_number);
    assert_eq!(rebuilt.start_time, tags(2).start_time);
    let (found, was) = (&rebuilt.recording, &before[1].recording);
    assert_eq!(
        (&found.hash, found.duration_ms, found.id, &found.path),
        (&was.hash, was.duration_ms, was.id, &was.path)
    );
    assert_eq!(now(3).recording.why_none.as_deref(), Some("recording_missing"));
    assert_eq!(now(3).customer_name, before[2].customer_name);
    storage.shutdown();
    assert!(path(dir.path(), 2, "json").exists(), "the sidecar is written again");
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, [], "once");
}

#[test]
fn a_disk_that_is_not_mounted_does_not_fail_every_recording() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), 9);
    let (rec, aside) = (dir.path().join("rec"), dir.path().join("aside"));
    for seq in 1..=9 {
        fs::remove_file(path(dir.path(), seq, "opus")).unwrap();
    }
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, []);
    assert_eq!(journaled(dir.path(), 9).unwrap().recording.state, RecordingState::Closed);
    fs::rename(&rec, &aside).unwrap();
    assert_eq!(recover(dir.path(), &options(), Clock::start()).unwrap().mended, []);
}

#[test]
fn an_incomplete_recording_says_so_on_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    let mut frames = seconds(4);
    frames.drain(100..160);
    let lacking = take_call(&storage, &events, 1, &frames);
    assert_eq!((lacking.recording.gap_ms, lacking.recording.captured_ms), (600, [3_400; 2]));
    assert_eq!(lacking.recording.completeness, Some(0.85));
    assert_eq!(lacking.attribution.warnings, ["recording_incomplete"]);
    let whole = take_call(&storage, &events, 2, &seconds(4));
    assert_eq!((whole.recording.completeness, whole.attribution.warnings.len()), (Some(1.0), 0));
}

#[test]
fn a_recording_costs_what_the_site_says() {
    let bytes = |bitrate_bps| {
        let dir = tempfile::tempdir().unwrap();
        let encoding = Encoding { bitrate_bps, ..Encoding::default() };
        let (storage, events, _) = begin_with(dir.path(), &Options { encoding, ..options() });
        take_call(&storage, &events, 1, &seconds(10)).recording.bytes
    };
    let (little, much) = (bytes(12_000), bytes(64_000));
    assert!(much > 2 * little, "{little} and {much} bytes");
}

#[test]
fn on_a_disk_that_is_nearly_full_calls_go_on_unrecorded_until_there_is_room() {
    let disk = tempfile::tempdir().unwrap();
    let (ok, text) = run("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk.path().to_str().unwrap()]);
    if !ok {
        println!("skipped: no tmpfs can be mounted here: {text}");
        return;
    }
    let (storage, events) = begin(disk.path());
    let whole = take_call(&storage, &events, 1, &seconds(1));
    fs::write(disk.path().join("filler"), vec![1; 7 << 20]).unwrap();
    let code = || storage.counters().room.load(std::sync::atomic::Ordering::Relaxed);
    until("the disk is looked at", || (code() == 2).then_some(()));
    let refused = take_call(&storage, &events, 2, &seconds(1));
    fs::remove_file(disk.path().join("filler")).unwrap();
    until("the disk is looked at", || (code() == 0).then_some(()));
    let again = take_call(&storage, &events, 3, &seconds(1));
    storage.shutdown();
    let (_, _) = run("umount", &["--lazy", disk.path().to_str().unwrap()]);
    assert_eq!(
        (whole.recording.state, again.recording.state),
        (RecordingState::Closed, RecordingState::Closed)
    );
    assert_eq!(
        (refused.recording.state, refused.recording.why_none.as_deref()),
        (RecordingState::None, Some("disk_low"))
    );
    assert_eq!(refused.outcome.ended, Ended::CallerHungUp, "the call and its record go on");
}
