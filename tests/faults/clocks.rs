//! The wall clock jumps by ten years, between calls, within them and between starts: order, identities and lengths hold.

use crate::{
    calls::{audio, begin, busy, wait_recorded, wait_saved},
    disks::quick_dir,
    storage::{call, ended, recording, ringing, tags},
};
use ringside::{
    call::incoming::{Identity, Numbering},
    cli::verify::verify,
    id::BoxId,
    io::{
        clock::Clock,
        files,
        journal::reader::fold,
        storage::{Options, Storage, recover},
    },
    record::{CallRecord, Ended, RecordingState},
    recording::lifecycle::{Command, Tags},
    time::WallTime,
};
use std::{
    fs,
    sync::{
        atomic::{AtomicI64, Ordering},
        mpsc::Receiver,
    },
};

const TEN_YEARS_MS: i64 = 3_652 * 86_400_000;
const RECORDED_MS: usize = 1_500;
const JUMPS_MS: [i64; 6] = [0, TEN_YEARS_MS, -TEN_YEARS_MS, -1, -60 * TEN_YEARS_MS, 0];

/// A wall clock that is wrong as told.
fn wrong_clock() -> (Clock, &'static AtomicI64) {
    let wrong_by_ms: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(0)));
    (Clock::start_wrong_by(wrong_by_ms), wrong_by_ms)
}

fn of(mut record: Box<CallRecord>, identity: &Identity) -> Box<CallRecord> {
    (record.id, record.start_time) = (identity.call, identity.start_time);
    record
}

/// Takes a recorded call in whose middle something happens.
fn take_call(
    (storage, events): &(Storage, Receiver<ringside::recording::lifecycle::Event>),
    identity: &Identity,
    in_the_middle: impl FnOnce(),
) {
    let seq = identity.seq;
    storage.send(Command::Ringing(of(ringing(seq), identity)));
    let (mut tap, ring) = rtrb::RingBuffer::new(1_000);
    let tags = Tags { call: identity.call, start_time: identity.start_time, ..tags(seq) };
    storage.start_recording(identity.call, identity.recording, tags, ring);
    in_the_middle();
    audio(RECORDED_MS).into_iter().for_each(|frame| tap.push(frame).unwrap());
    drop(tap);
    storage.send(Command::Save(of(ended(seq, Ended::CallerHungUp), identity)));
    let facts = wait_recorded(events, identity.call);
    assert_eq!((facts.state, facts.duration_ms), (RecordingState::Closed, RECORDED_MS as u64));
}

#[test]
fn a_clock_that_jumps_by_ten_years_changes_neither_order_nor_lengths() {
    let dir = quick_dir();
    let (clock, wrong_by_ms) = wrong_clock();
    let mut numbering = Numbering::new(BoxId::from_parts(WallTime(1), 1), 1, 7);
    let mut identities = Vec::new();
    for (jump, next) in JUMPS_MS.iter().zip(JUMPS_MS.iter().skip(1).chain([&0])) {
        wrong_by_ms.store(*jump, Ordering::Relaxed);
        let recovered = recover(dir.path(), &Options::default(), clock).unwrap();
        assert_eq!(recovered.next_seq, identities.len() as u64 + 1);
        let running = begin(dir.path(), clock);
        for _ in 0..2 {
            let identity = numbering.take(clock.wall(), clock.now());
            take_call(&running, &identity, || wrong_by_ms.store(*next, Ordering::Relaxed));
            identities.push(identity);
        }
        let newest: Vec<_> =
            running.0.index().page(None, usize::MAX).unwrap().iter().map(|call| call.id).collect();
        assert!(newest.iter().eq(identities.iter().rev().map(|identity| &identity.call)), "newest first");
        running.0.shutdown();
    }
    assert!(identities.is_sorted_by(|a, b| a.call < b.call && a.recording < b.recording), "{identities:#?}");
    let (records, report) = fold(&dir.path().join(files::JOURNAL_DIR)).unwrap();
    assert!(report.is_clean() && records.len() == identities.len(), "{report:?}");
    for (record, identity) in records.iter().zip(&identities) {
        assert_eq!((record.seq, record.start_time), (identity.seq, identity.start_time));
        assert!(dir.path().join(record.recording.path.as_ref().unwrap()).is_file());
    }
    let mut said = Vec::new();
    assert_eq!(verify(dir.path(), None, true, &mut said).unwrap(), 0, "{}", String::from_utf8_lossy(&said));
}

#[test]
fn a_call_cut_off_under_a_jumping_clock_has_the_length_of_its_audio() {
    let dir = quick_dir();
    let (clock, wrong_by_ms) = wrong_clock();
    let (storage, _events) = begin(dir.path(), clock);
    let mut record = ringing(1);
    record.answered = true;
    storage.send(Command::Answered { call: call(1), record });
    let (mut tap, ring) = rtrb::RingBuffer::new(1_000);
    storage.start_recording(call(1), recording(1), tags(1), ring);
    audio(RECORDED_MS).into_iter().for_each(|frame| tap.push(frame).unwrap());
    storage.shutdown();
    wrong_by_ms.store(-60 * TEN_YEARS_MS, Ordering::Relaxed);
    assert_eq!(clock.wall(), WallTime(0), "a board without a battery");
    let recovered = recover(dir.path(), &Options::default(), clock).unwrap();
    assert_eq!(recovered.interrupted, [call(1)]);
    let (records, _) = fold(&dir.path().join(files::JOURNAL_DIR)).unwrap();
    assert_eq!(records[0].start_time, ringing(1).start_time);
    assert_eq!((records[0].timing_ms.talk, records[0].duration), (Some(RECORDED_MS as u64), 1));
}

#[test]
fn an_index_is_put_aside_again_by_a_clock_that_stands_still() {
    let dir = quick_dir();
    let (clock, wrong_by_ms) = wrong_clock();
    wrong_by_ms.store(-60 * TEN_YEARS_MS, Ordering::Relaxed);
    for round in 1..=3 {
        let (storage, events) = begin(dir.path(), clock);
        busy(&storage, round);
        wait_saved(&events, round);
        assert_eq!(storage.index().page(None, 9).expect("an index").len() as u64, round);
        storage.shutdown();
        fs::write(dir.path().join("index/conf"), b"this is not sled's").unwrap();
    }
}
