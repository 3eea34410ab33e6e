//! Every answered call is recorded: each leg carries its tone for the whole bridged time (PRODUCT R2).

use crate::shared::{
    process::{self, PATIENCE, Process},
    site::{ANSWERS, Site, number},
    sound,
};
use ringside::{
    record::RecordingState,
    sim::provider::{Account, CallPlan, End, Provider, Speech},
};
use std::time::Duration;

const TALK: Duration = Duration::from_secs(60);
const CALLER_HZ: f64 = 440.0;
const OFFICE_HZ: f64 = 1000.0;
const PEAK: i16 = 8000;

/// Frames with the tone, frames in all, and the first few where it is missing.
fn carried(leg: &[i16], hz: f64) -> (usize, usize, Vec<usize>) {
    let frames = sound::frames_with(leg, hz, f64::from(PEAK));
    let missing = frames.iter().enumerate().filter(|(_, carries)| !**carries).map(|(index, _)| index);
    (frames.iter().filter(|carries| **carries).count(), frames.len(), missing.take(10).collect())
}

#[test]
fn both_legs_carry_their_tone_for_the_whole_bridged_time() {
    let site = Site::new(&[&[ANSWERS]], "");
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let plan = CallPlan {
        speech: Speech::Tone { hz: CALLER_HZ, peak: PEAK },
        hang_up_after: Some(TALK),
        ..CallPlan::new("+13126000000", &number(0))
    };
    let outcome = provider.place_at(site.sip(), plan).wait(TALK + PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp));
    let record = process::closed_calls(&site, 1).remove(0);
    drop(process);
    let recording = &record.recording;
    assert_eq!((recording.state, recording.gap_ms), (RecordingState::Closed, 0));
    let (caller, office) = sound::decode(&site.data().join(recording.path.as_ref().unwrap()));
    let legs = [("caller", carried(&caller, CALLER_HZ)), ("office", carried(&office, OFFICE_HZ))];
    println!(
        "{} ms recorded, {} ms bridged, {:?}",
        recording.duration_ms, recording.expected_ms, record.legs
    );
    for (leg, (with, all, missing)) in &legs {
        println!("{leg}: tone in {with} of {all} frames, not in {missing:?}");
    }
    for (leg, (with, all, missing)) in legs {
        assert!(
            with as f64 >= all as f64 * 0.999,
            "{leg}: tone in {with} of {all} frames, not in {missing:?}"
        );
        assert!(all as f64 * 20.0 >= recording.expected_ms as f64 * 0.999, "{all} frames");
    }
    // The far end hears the office as well, from the packets that came.
    let (with, all, _) = carried(&outcome.heard, OFFICE_HZ);
    println!("the caller heard the office in {with} of {all} frames");
    assert!(with as f64 >= all as f64 * 0.99, "{with} of {all}");
}
