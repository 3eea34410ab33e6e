//! Killed at any moment, and stopped with a call up: the next start knows what was, and nothing is lost or doubled.

use crate::shared::{
    process::{self, PATIENCE, Process},
    site::{ANSWERS, Group, Site, number},
    sound,
};
use ringside::{
    id::CallId,
    record::{CallRecord, Ended, RecordingState},
    sim::provider::{Account, CallHandle, CallPlan, Provider, Speech},
};
use std::{collections::BTreeMap, thread::sleep, time::Duration};

const ROUNDS: u64 = 24;
/// Calls up at once.
const CALLS: usize = 2;
/// 312 samples of 48 kHz.
const PRE_SKIP_MS: u64 = 6;
/// Answers half a second into the first ring and hangs up two seconds later.
const HANGS_UP: &str = "answer_after_rings = 1\nanswer_delay_ms = 500\nsay_after_ms = 0\ntone_hz = 1000.0\nhang_up_after_s = 2.0";

/// Where in a call the power goes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Ringing,
    JustAnswered,
    Talking,
    Closing,
}

/// The n-th number of a seeded sequence (SplitMix64).
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(2026).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Waits until the call is at `moment`, give or take a random while.
fn wait_for(moment: Moment, round: u64, call: &CallHandle) {
    let while_ms = |most| Duration::from_millis(random(round) % most);
    match moment {
        Moment::Ringing => {
            call.wait(PATIENCE, |call| call.rang_after.is_some());
            sleep(Duration::from_millis(20) + while_ms(400));
        }
        Moment::JustAnswered => {
            call.wait(PATIENCE, |call| call.answered_after.is_some());
            sleep(while_ms(60));
        }
        Moment::Talking => {
            call.wait(PATIENCE, |call| call.answered_after.is_some());
            sleep(Duration::from_millis(100) + while_ms(1600));
        }
        Moment::Closing => {
            call.wait(PATIENCE, |_| false);
            sleep(while_ms(250));
        }
    }
}

/// What must be true of the records after a start, given those before it. `kept` are the calls that were in the journal
/// at the kill, `placed` all: one that began just before may not have been written yet while the disk was busy.
fn check(
    site: &Site,
    before: &BTreeMap<CallId, CallRecord>,
    (kept, placed): (usize, usize),
) -> BTreeMap<CallId, CallRecord> {
    let records = process::calls(site);
    let after: BTreeMap<CallId, CallRecord> =
        records.iter().map(|record| (record.id, record.clone())).collect();
    assert_eq!(records.len(), after.len(), "a record is doubled");
    assert!((kept..=placed).contains(&records.len()), "{} of {kept} records, {placed} calls", records.len());
    let mut seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=records.len() as u64).collect::<Vec<_>>());
    for (call, record) in before {
        assert_eq!(&after[call], record, "a closed record changed");
    }
    for record in after.values().filter(|record| !before.contains_key(&record.id)) {
        assert_ne!(record.outcome.ended, Ended::InProgress, "{record:#?}");
        assert_ne!(record.recording.state, RecordingState::Writing, "{record:#?}");
        check_recording(site, record);
    }
    assert_eq!(process::verify(site), None);
    after
}

fn check_recording(site: &Site, record: &CallRecord) {
    let recording = &record.recording;
    let Some(path) = &recording.path else {
        assert!(recording.why_none.is_some(), "{record:#?}");
        return;
    };
    let (length_ms, warnings) = sound::probe(&site.data().join(path));
    // ffprobe counts the samples that a decoder drops at the start (RFC 7845 4.2).
    assert!(length_ms.abs_diff(recording.duration_ms + PRE_SKIP_MS) <= 1, "{length_ms} ms in {recording:#?}");
    let decoded_ms = sound::decode(&site.data().join(path)).0.len() as u64 / 8;
    assert!(decoded_ms.abs_diff(recording.duration_ms) <= 1, "{decoded_ms} ms in {recording:#?}");
    assert_eq!(warnings, "", "{path}");
}

#[test]
fn killed_at_any_moment_no_call_is_lost_and_every_length_is_true() {
    const MOMENTS: [Moment; 4] = [Moment::Ringing, Moment::JustAnswered, Moment::Talking, Moment::Closing];
    let site = Site::new(&[&[HANGS_UP] as Group<'_>; CALLS], "");
    let (mut known, mut starts, mut interrupted, mut recovered_ms) =
        (BTreeMap::new(), Vec::new(), 0, Vec::new());
    let mut calls_then = (0, 0);
    let mut unwritten = 0;
    for round in 0..=ROUNDS {
        let process = Process::start(&site);
        starts.push(process.ready_after);
        let before = known.len();
        known = check(&site, &known, calls_then);
        unwritten += calls_then.1 - known.len();
        let fresh: Vec<&CallRecord> = known.values().filter(|r| r.seq > before as u64).collect();
        for record in fresh {
            interrupted += usize::from(record.outcome.ended == Ended::Interrupted);
            recovered_ms.extend(record.answered.then_some(record.recording.duration_ms));
        }
        if round < ROUNDS {
            let provider = Provider::start(site.peer(), Account::default()).unwrap();
            let calls: Vec<CallHandle> = (0..CALLS)
                .map(|group| {
                    let speech = Speech::Tone { hz: 440.0, peak: 8000 };
                    let plan = CallPlan { speech, ..CallPlan::new("+13126000000", &number(group)) };
                    provider.place_at(site.sip(), plan)
                })
                .collect();
            let moment = MOMENTS[round as usize % MOMENTS.len()];
            wait_for(moment, round, &calls[round as usize / MOMENTS.len() % CALLS]);
            let placed = known.len() + CALLS;
            let kept = match moment {
                Moment::Ringing => process::calls(&site).len(),
                // A call that rang for seconds is written.
                Moment::JustAnswered | Moment::Talking | Moment::Closing => placed,
            };
            calls_then = (kept, placed);
            process.kill();
        }
    }
    starts.sort_unstable();
    let (median, worst) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("{ROUNDS} kills, {interrupted} calls interrupted, kept {recovered_ms:?} ms");
    println!("{unwritten} calls had just begun and were not in the journal yet");
    println!("ready after {median:?} (median), {worst:?} (worst)");
    assert!(interrupted >= ROUNDS as usize * CALLS / 2, "the kills hit no calls");
    // Most of it is the line chips' own start: battery, leak test and calibration take a second.
    assert!(median <= Duration::from_secs(2), "ready after {median:?}");
}

#[test]
fn a_stop_with_a_call_up_ends_it_and_keeps_its_recording_whole() {
    let site = Site::new(&[&[ANSWERS]], "");
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let call = provider.place_at(site.sip(), CallPlan::new("+13126000000", &number(0)));
    call.wait(PATIENCE, |call| call.answered_after.is_some());
    sleep(Duration::from_secs(3));
    let (status, took) = process.terminate();
    println!("stopped in {took:?}");
    assert_eq!(status.code(), Some(0));
    assert!(took <= Duration::from_secs(5), "{took:?}");
    let told = call.wait(PATIENCE, |_| false).end;
    assert_eq!(told, Some(ringside::sim::provider::End::CalleeHungUp), "the caller is told");
    let record = process::calls(&site).remove(0);
    assert_eq!(record.outcome.ended, Ended::Interrupted);
    assert_eq!(record.outcome.why.as_deref(), Some("daemon_stopped"));
    assert_eq!(record.recording.state, RecordingState::Closed);
    println!("{} ms recorded, {} ms bridged", record.recording.duration_ms, record.recording.expected_ms);
    assert!(
        record.recording.duration_ms.abs_diff(record.recording.expected_ms) <= 20,
        "{:#?}",
        record.recording
    );
    check_recording(&site, &record);
    assert_eq!(process::verify(&site), None);
}
