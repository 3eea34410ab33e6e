//! What the storage tests share: records, tags, signals, and outside programs.

#![allow(dead_code, reason = "each test binary uses its own part")]

use ringside::{
    audio::tap_frame::{TAP_SAMPLES, TapFrame},
    handling::Handling,
    id::{BoxId, CallId, RecordingId},
    record::{
        Attribution, CallRecord, Consent, Direction, Ended, Outcome, Presentation, Recording, RecordingState,
        SCHEMA, Sync, Timing,
    },
    recording::{
        lifecycle::Tags,
        recorder::{Output, Recorder},
    },
    time::WallTime,
};
use std::{path::Path, process::Command};

/// 2026-11-22T13:05:09Z.
pub(crate) const START: WallTime = WallTime(1_795_352_709_000);

pub(crate) fn call(seq: u64) -> CallId {
    CallId::from_parts(WallTime(START.0 + seq), u128::from(seq))
}

pub(crate) fn recording(seq: u64) -> RecordingId {
    RecordingId::from_parts(WallTime(START.0 + seq), u128::from(seq))
}

pub(crate) fn tags(seq: u64) -> Tags {
    Tags {
        call: call(seq),
        tracking: "+13125550100".to_owned(),
        caller: "+13125550199".to_owned(),
        start_time: WallTime(START.0 + seq),
        campaign: "Spring mailer".to_owned(),
    }
}

/// A call that just came in.
pub(crate) fn ringing(seq: u64) -> Box<CallRecord> {
    Box::new(CallRecord {
        schema: SCHEMA.to_owned(),
        id: call(seq),
        box_id: BoxId::from_parts(START, 7),
        seq,
        rev: 0,
        direction: Direction::Inbound,
        tracked: true,
        start_time: WallTime(START.0 + seq),
        clock: None,
        customer_phone_number: "+13125550199".parse().ok(),
        customer_number_presentation: Presentation::Allowed,
        customer_name: Some("Ada \"the caller\" Łovelace".to_owned()),
        verstat: None,
        tracking_phone_number: "+13125550100".parse().unwrap(),
        tracker_id: Some("trk_1".to_owned()),
        advertised_phone_number: None,
        business_phone_number: None,
        campaign: None,
        attribution: Attribution::default(),
        timing_ms: Timing::default(),
        answered: false,
        answered_by: None,
        voicemail: false,
        duration: 0,
        outcome: Outcome { ended: Ended::InProgress, why: None, sip_status: None },
        legs: Vec::new(),
        route: Vec::new(),
        consent: Consent::default(),
        recording: Recording::default(),
        fax: None,
        handling: Handling::default(),
        sync: Sync::default(),
        journaled_ms: None,
        sip_call_id: format!("{seq}@trunk"),
    })
}

/// The same call at its end, for storage to join with its recording.
pub(crate) fn ended(seq: u64, ended: Ended) -> Box<CallRecord> {
    let mut record = ringing(seq);
    record.rev = 1;
    record.answered = matches!(ended, Ended::CallerHungUp | Ended::OfficeHungUp);
    record.outcome.ended = ended;
    record
}

/// As [`ended`], with a recording section as if storage had marked it.
pub(crate) fn still_writing(seq: u64) -> Box<CallRecord> {
    let mut record = ended(seq, Ended::CallerHungUp);
    record.recording =
        Recording { id: Some(recording(seq)), state: RecordingState::Writing, ..Recording::default() };
    record
}

/// Both legs cut into tap frames, the line clock starting at `at`.
pub(crate) fn tapped(at: u64, caller: &[i16], office: &[i16]) -> Vec<TapFrame> {
    let legs = caller.chunks_exact(TAP_SAMPLES).zip(office.chunks_exact(TAP_SAMPLES));
    (0..)
        .zip(legs)
        .map(|(index, (caller, office))| TapFrame {
            at: at + index * TAP_SAMPLES as u64,
            caller: caller.try_into().unwrap(),
            office: office.try_into().unwrap(),
            is_paused: false,
        })
        .collect()
}

/// A recording made in memory.
pub(crate) fn record(frames: &[TapFrame]) -> Output {
    let mut out = Output::default();
    let mut recorder = Recorder::new(recording(1), &tags(1), &mut out).unwrap();
    for &frame in frames {
        recorder.push(frame);
        while recorder.step(&mut out).unwrap() {}
    }
    recorder.finish(&mut out).unwrap();
    out
}

/// Recorded talkers at 8 kHz, as Debian's `codec2-examples` has them.
pub(crate) fn speech(name: &str) -> Vec<i16> {
    let path = Path::new("/usr/share/codec2/raw").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; install the Debian package codec2-examples", path.display())
    });
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Noise in bursts, the same for the same seed: it correlates with itself at one lag only.
pub(crate) fn noise(seed: u64, samples: usize) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut smooth = 0_i32;
    (0..samples)
        .map(|index| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let white = i32::try_from(state >> 50).unwrap() - 8_192;
            smooth += (white - smooth) / 3;
            let talking = (index / 4_000 + usize::try_from(seed).unwrap()).is_multiple_of(3);
            i16::try_from(if talking { smooth } else { smooth / 64 }).unwrap()
        })
        .collect()
}

/// Runs a program and returns whether it succeeded and all that it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; install opus-tools and ffmpeg"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Decodes with Debian's `opusdec` to both legs at 8 kHz.
pub(crate) fn decode(file: &Path) -> (Vec<i16>, Vec<i16>) {
    let raw = file.with_extension("raw");
    let (ok, text) = run(
        "opusdec",
        &["--quiet", "--rate", "8000", "--no-dither", file.to_str().unwrap(), raw.to_str().unwrap()],
    );
    assert!(ok, "{text}");
    let bytes = std::fs::read(raw).unwrap();
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let leg = |first: usize| samples.iter().skip(first).step_by(2).copied().collect();
    (leg(0), leg(1))
}
