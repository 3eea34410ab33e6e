//! A disk that fills up during a call: the call and the records go on, and with room again everything does.

use crate::{
    calls::{self, WAIT, audio, begin, busy, wait_recorded, wait_saved},
    disks::{Loop, Mount, quick_dir},
    storage::{call, ended, recording, ringing, tags},
};
use ringside::{
    cli::verify::verify,
    io::{clock::Clock, files, journal::reader::fold},
    record::{Ended, RecordingState},
    recording::{lifecycle::Command, tap::TAP_RING_FRAMES},
    status::Room,
};
use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

const DISK_BYTES: u64 = 8 << 20;
/// Calls that come in while the disk is full.
const MEANWHILE: u64 = 100;

#[test]
fn a_small_disk_in_memory_fills_up_and_has_room_again() {
    match Mount::in_memory("8m") {
        Ok(mount) => fill_up(&mount.path()),
        Err(error) => println!("skipped: no disk can be mounted here: {error}"),
    }
}

#[test]
fn a_small_ext4_fills_up_and_has_room_again() {
    let dir = quick_dir();
    let image = dir.path().join("image");
    File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
    let mounted = Loop::new(&image).and_then(|device| {
        device.format()?;
        Ok((device.mount()?, device))
    });
    match mounted {
        // The mount goes before its device.
        Ok((mount, _device)) => fill_up(&mount.path().join("data")),
        Err(error) => println!("skipped: no disk can be mounted here: {error}"),
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fill_up(dir: &Path) {
    let (storage, events) = begin(dir, Clock::start());
    let (mut tap, ring) = rtrb::RingBuffer::new(TAP_RING_FRAMES);
    storage.send(Command::Ringing(ringing(1)));
    storage.start_recording(call(1), recording(1), tags(1), ring);
    let mut frames = audio(120_000).into_iter();
    frames.by_ref().take(300).for_each(|frame| tap.push(frame).unwrap());
    let part = dir.join(files::path_of(call(1), tags(1).start_time, files::PART));
    until("audio is written", || part.metadata().is_ok_and(|meta| meta.len() > 5_000));
    let filler = dir.join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
    drop(file);

    // The call goes on: audio, and what storage is told of other calls, wait for nothing.
    let mut slowest = Duration::ZERO;
    for seq in 2..2 + MEANWHILE {
        let before = Instant::now();
        frames.by_ref().take(100).for_each(|frame| _ = tap.push(frame));
        busy(&storage, seq);
        slowest = slowest.max(before.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(slowest < Duration::from_millis(800), "a call waited {slowest:?} for a full disk");
    wait_saved(&events, 1 + MEANWHILE);
    until("the recording stops", || storage.counters().failed_recordings.load(Ordering::Relaxed) == 1);
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    let kept = wait_recorded(&events, call(1));
    assert_eq!(
        (kept.state, kept.why_none.as_deref()),
        (RecordingState::Recovered, Some("disk_full")),
        "{kept:?}"
    );
    assert!(kept.duration_ms >= 1_900, "{kept:?}");
    calls::recorded(&storage, 2 + MEANWHILE, 2_000);
    let refused = wait_recorded(&events, call(2 + MEANWHILE));
    assert_eq!((refused.state, refused.why_none.as_deref()), (RecordingState::None, Some("disk_full")));

    std::fs::remove_file(&filler).unwrap();
    // The thread looks at the disk in each of its turns.
    until("the room is seen", || storage.counters().room.load(Ordering::Relaxed) != Room::Full.code());
    calls::recorded(&storage, 3 + MEANWHILE, 2_000);
    let whole = wait_recorded(&events, call(3 + MEANWHILE));
    assert_eq!((whole.state, whole.duration_ms), (RecordingState::Closed, 2_000), "{whole:?}");
    let all = 3 + MEANWHILE as usize;
    until("the index is level", || {
        storage.index().page(None, usize::MAX).is_ok_and(|calls| calls.len() == all)
    });
    let failures =
        [&storage.counters().panics, &storage.journal_counters().lost, &storage.journal_counters().refused];
    assert_eq!(failures.map(|counter| counter.load(Ordering::Relaxed)), [0, 0, 0], "panics, lost, refused");
    let indexed = storage.index().page(None, usize::MAX).unwrap();
    storage.shutdown();
    let (mut records, report) = fold(&dir.join(files::JOURNAL_DIR)).unwrap();
    records.reverse();
    assert_eq!(records, indexed);
    assert!(report.is_clean(), "{report:?}");
    let mut said = Vec::new();
    assert_eq!(verify(dir, None, true, &mut said).unwrap(), 0, "{}", String::from_utf8_lossy(&said));
}
