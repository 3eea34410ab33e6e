//! Years of calls: a start after a crash is as quick as ever.

use crate::{
    calls::{begin, busy, recorded, wait_recorded, wait_saved},
    is_long,
    storage::{call, ended, recording, ringing, tags},
};
use ringside::{
    id::BoxId,
    io::{
        clock::Clock,
        files,
        journal::{
            Fact, Kind,
            writer::{RealDisk, Writer},
        },
        storage::{Options, recover, start},
    },
    record::Ended,
    recording::lifecycle::Command,
    time::WallTime,
};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const MAX_OPENING: Duration = Duration::from_secs(5);
/// Calls of which two entries each are written at once.
const BATCH: u64 = 1_000;

/// A journal of that many calls, and the index of it.
fn years(dir: &Path, calls: u64) {
    let box_id = BoxId::from_parts(WallTime(1), 1);
    let (mut writer, _) = Writer::open(&dir.join(files::JOURNAL_DIR), box_id, 7, Box::new(RealDisk)).unwrap();
    for first in (1..=calls).step_by(BATCH as usize) {
        let entries: Vec<_> = (first..first + BATCH)
            .flat_map(|seq| {
                let ended = ended(seq, Ended::NoAnswer);
                [Fact::Call(Kind::Ringing, ringing(seq)), Fact::Call(Kind::Ended, ended)]
            })
            .collect();
        writer.commit(&entries).unwrap();
    }
    drop(writer);
    let (storage, events) = begin(dir, Clock::start());
    let deadline = Instant::now() + Duration::from_secs(300);
    while storage.index().page(None, 1).is_err() || storage.index().get(call(calls)).unwrap().is_none() {
        assert!(Instant::now() < deadline, "the index is filled");
        std::thread::sleep(Duration::from_millis(100));
    }
    recorded(&storage, calls + 1, 1_000);
    wait_recorded(&events, call(calls + 1));
    busy(&storage, calls + 2);
    wait_saved(&events, calls + 2);
    // A call whose end the crash swallows.
    storage.send(Command::Ringing(ringing(calls + 3)));
    let (tap, ring) = rtrb::RingBuffer::new(100);
    storage.start_recording(call(calls + 3), recording(calls + 3), tags(calls + 3), ring);
    storage.shutdown();
    drop(tap);
}

/// From a start to calls, the newest of which is `last`.
fn opening(dir: &Path, last: u64) -> Duration {
    let (clock, begun) = (Clock::start(), Instant::now());
    let recovered = recover(dir, &Options::default(), clock).unwrap();
    let storage =
        start(dir, &Options { ballast_bytes: 1 << 20, ..Options::default() }, clock, |_| {}).unwrap();
    let newest = storage.index().page(None, 1).expect("the index is ready");
    let opened_in = begun.elapsed();
    assert_eq!((recovered.next_seq, newest[0].seq), (last + 1, last));
    storage.shutdown();
    opened_in
}

#[test]
fn a_start_after_a_crash_is_quick_with_years_of_calls() {
    let calls = if is_long() { 100_000 } else { 10_000 };
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    years(dir.path(), calls);
    println!("{calls} calls written in {:?}", begun.elapsed());
    let cut_off = opening(dir.path(), calls + 3);
    // The crash came between the journal and the sidecar, and the start looks through the whole journal for it.
    fs::remove_file(dir.path().join(files::path_of(
        call(calls + 1),
        tags(calls + 1).start_time,
        files::SIDECAR,
    )))
    .unwrap();
    let without_sidecar = opening(dir.path(), calls + 3);
    println!("opened in {cut_off:?} with a call cut off, in {without_sidecar:?} with a sidecar missing");
    assert!(cut_off <= MAX_OPENING && without_sidecar <= MAX_OPENING);
}
