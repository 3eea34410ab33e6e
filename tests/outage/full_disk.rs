//! The disk fills up during a call: the call goes on, its record says so and is upstream, and with room again the next
//! call is recorded.

use crate::{
    disks::Mount,
    office::office,
    one_call::{arrived, talk},
    receiver::Receiver,
    shared::{
        process::{self, PATIENCE, Process, eventually},
        site::{ANSWERS, Group, number},
    },
};
use ringside::{
    record::{Ended, RecordingState},
    sim::provider::{Account, CallPlan, End, Provider, Speech},
};
use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    thread::sleep,
    time::Duration,
};

/// Room for the ballast, an index and a few recordings.
const DISK: &str = "64m";

fn fill(filler: &Path) {
    let mut file = File::create(filler).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
}

#[test]
fn a_disk_that_fills_up_during_a_call_costs_only_the_rest_of_its_recording() {
    let disk = match Mount::in_memory(DISK) {
        Ok(disk) => disk,
        Err(error) => return println!("skipped: no disk can be mounted here: {error}"),
    };
    let mut receiver = Receiver::new();
    let (site, id) = office(&receiver, &[&[ANSWERS] as Group<'_>], "", Some(&disk.path()));
    receiver.start();
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let plan = CallPlan {
        speech: Speech::Tone { hz: 440.0, peak: 8000 },
        hang_up_after: Some(Duration::from_secs(12)),
        ..CallPlan::new("+13126000000", &number(0))
    };
    let call = provider.place_at(site.sip(), plan);
    assert!(call.wait(PATIENCE, |call| call.answered_after.is_some()).answered_after.is_some());
    // Some seconds of audio are on the disk before it is full.
    sleep(Duration::from_secs(5));
    let filler = disk.path().join("filler");
    fill(&filler);
    let outcome = call.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp), "the call went on to its end");
    let record = process::closed_calls(&site, 1).remove(0);
    println!("{:?}", record.recording);
    assert_eq!(record.outcome.ended, Ended::CallerHungUp);
    let why = record.recording.why_none.as_deref();
    assert!(matches!(why, Some("disk_full" | "disk_low")), "{:#?}", record.recording);
    assert!(record.recording.duration_ms >= 2_000, "what was written is kept: {:#?}", record.recording);
    arrived(&site, &receiver, id, &record);

    sleep(Duration::from_secs(2));
    let unrecorded = talk(&site, &provider, 2);
    assert_eq!(unrecorded.recording.state, RecordingState::None, "{:#?}", unrecorded.recording);
    let why = unrecorded.recording.why_none.as_deref();
    assert!(matches!(why, Some("disk_full" | "disk_low")), "{:#?}", unrecorded.recording);
    arrived(&site, &receiver, id, &unrecorded);

    fs::remove_file(&filler).unwrap();
    let has_room = || {
        let room = crate::office::status(&site).map(|status| status.storage.room);
        room == Some(ringside::status::Room::Enough)
    };
    assert!(eventually(PATIENCE, has_room).is_some(), "{}", process.log());
    let whole = talk(&site, &provider, 3);
    let recording = &whole.recording;
    assert_eq!((recording.state, recording.gap_ms), (RecordingState::Closed, 0), "{recording:#?}");
    arrived(&site, &receiver, id, &whole);
    assert_eq!(process::verify(&site), None);
    drop(process);
}
