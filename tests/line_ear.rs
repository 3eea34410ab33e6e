//! What the ear of a slot tells, with recorded talkers, our own tones and messages.

#![allow(clippy::disallowed_methods, reason = "a test reads its recordings")]

#[path = "echo/recordings.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod recordings;

use recordings::{SPEECH, talker};
use ringside::{
    audio::{
        caller_id::{self, CallType, CallerId, LocalTime, Message, Preamble},
        dtmf::{self, Key},
        fsk::Variant,
        line_ear::{Heard, LineEar},
        progress::Progress,
        tone::{Generator, Tone},
        tone_plan::TonePlan,
    },
    record::Presentation,
};

fn line() -> LineEar {
    LineEar::for_line(TonePlan::north_america(), Variant::Bell202)
}

/// All that was told, with the period in which it was.
fn heard(ear: &mut LineEar, samples: &[i16]) -> Vec<(usize, Heard)> {
    let mut told = Vec::new();
    for (n, period) in samples.as_chunks().0.iter().enumerate() {
        ear.hear(period, &mut |heard| told.push((n, heard)));
    }
    told
}

fn keys(signs: &str) -> Vec<Key> {
    signs.chars().filter_map(Key::from_sign).collect()
}

fn keys_in(told: &[(usize, Heard)]) -> String {
    let key = |(_, heard): &(usize, Heard)| match heard {
        Heard::Key(key) => Some(key.sign()),
        _ => None,
    };
    told.iter().filter_map(key).collect()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 8]
}

fn tone(tone: &Tone, ms: usize) -> Vec<i16> {
    let mut generator = Generator::new(tone);
    (0..ms * 8).map(|_| generator.advance()).collect()
}

fn says(name: &str, ms: usize) -> Vec<i16> {
    talker(name, ms * 8).iter().map(|&sample| sample as i16).collect()
}

/// The periods in which speech was told.
fn speech_in(told: &[(usize, Heard)]) -> Vec<usize> {
    told.iter().filter(|(_, heard)| *heard == Heard::Speech).map(|(n, _)| *n).collect()
}

#[test]
fn a_handset_tells_its_keys_and_their_ends_and_nothing_else() {
    let mut ear = LineEar::for_phone();
    let told = heard(&mut ear, &[silence(2_000), dtmf::dial(&keys("13#")), says("hts", 3_000)].concat());
    let right: Vec<Heard> =
        keys("13#").iter().flat_map(|&key| [Heard::Key(key), Heard::KeyEnded(key)]).collect();
    assert_eq!(told.iter().map(|(_, heard)| *heard).collect::<Vec<_>>(), right);
}

#[test]
fn every_key_is_heard_under_the_dial_tone_that_the_phone_returns() {
    // What the loop takes from the keys, and by how much weaker the hybrid returns the tone, in dB.
    for (loop_db, erl_db) in [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (6.0, 10.0)] {
        let [keys_gain, tone_gain] = [loop_db, erl_db].map(|db: f32| 10_f32.powf(-db / 20.0));
        for (country, plan) in TonePlan::all() {
            let dialled = dtmf::dial(&keys("0123456789*#"));
            let dial = tone(&plan.dial, dialled.len() / 8);
            let both = dialled.iter().zip(&dial);
            let both =
                both.map(|(&key, &dial)| (f32::from(key) * keys_gain + f32::from(dial) * tone_gain) as i16);
            let told = heard(&mut LineEar::for_phone(), &both.collect::<Vec<i16>>());
            assert_eq!(keys_in(&told), "0123456789*#", "{country}, {loop_db} dB, {erl_db} dB");
        }
    }
}

#[test]
fn silence_is_counted_in_seconds_for_who_has_no_clock() {
    let told = heard(&mut line(), &[silence(3_500), says("hts", 400), silence(2_200)].concat());
    let silent = |(n, heard): &(usize, Heard)| match heard {
        Heard::Silent { ms } => Some((*n, *ms)),
        _ => None,
    };
    let told: Vec<(usize, u32)> = told.iter().filter_map(silent).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[..3], [(99, 1_000), (199, 2_000), (299, 3_000)]);
    assert_eq!([told[3].1, told[4].1], [1_000, 2_000]);
    assert!((488..=490).contains(&told[3].0), "{told:?}");
}

#[test]
fn every_talker_is_told_after_a_moment_and_then_once_a_second_at_most() {
    // The end of a radio transmission is noise for the most part.
    for name in SPEECH.into_iter().filter(|name| *name != "700d_end_over") {
        let told =
            speech_in(&heard(&mut line(), &[silence(1_000), says(name, 10_000), silence(3_000)].concat()));
        let first = told.first().map_or(usize::MAX, |first| first - 100);
        assert!((20..=150).contains(&first), "{name}: {told:?}");
        assert!(told.windows(2).all(|two| two[1] - two[0] >= 100), "{name}: {told:?}");
        assert!((5..=10).contains(&told.len()), "{name}: {told:?}");
        assert!(told.last().is_some_and(|last| *last < 1_100), "{name}: {told:?}");
    }
}

#[test]
fn a_word_shorter_than_200_ms_and_a_click_are_not_speech() {
    for ms in [5, 50, 150] {
        let told = heard(&mut line(), &[silence(1_000), says("hts", ms), silence(3_000)].concat());
        assert!(speech_in(&told).is_empty(), "{ms} ms");
    }
}

#[test]
fn the_tones_of_an_exchange_are_told_and_are_not_speech() {
    let plan = TonePlan::north_america();
    for (sound, ms, right) in [
        (plan.dial, 2_000, Progress::DialTone),
        (plan.busy, 5_000, Progress::Busy),
        (plan.reorder, 4_000, Progress::Reorder),
        (plan.ringback, 7_500, Progress::Ringback { cycle: 1 }),
    ] {
        let told = heard(&mut line(), &[silence(505), tone(&sound, ms)].concat());
        let told: Vec<Heard> = told.into_iter().map(|(_, heard)| heard).collect();
        let progress: Vec<&Heard> =
            told.iter().filter(|heard| !matches!(heard, Heard::Silent { .. })).collect();
        assert_eq!(progress, [&Heard::Progress(right)], "{told:?}");
    }
}

#[test]
fn a_d_from_the_exchange_is_a_key() {
    let told = heard(
        &mut line(),
        &[says("hts", 2_000), silence(200), dtmf::dial(&keys("D")), silence(500)].concat(),
    );
    assert_eq!(keys_in(&told), "D");
}

#[test]
fn a_caller_id_is_read_on_either_kind_of_line() {
    let id = CallerId {
        number: Some("3125550142".to_owned()),
        name: Some("Jane Doe".to_owned()),
        presentation: Presentation::Allowed,
        at: LocalTime { month: 11, day: 22, hour: 9, minute: 5 },
    };
    let sent = [
        (Variant::Bell202, Message::multiple(&id)),
        (Variant::V23, Message::call_setup(&id, CallType::Voice)),
    ];
    for (variant, message) in sent {
        let mut ear = LineEar::for_line(TonePlan::north_america(), variant);
        let samples = [silence(500), message.modulate(variant, Preamble::OnHook), silence(500)].concat();
        let read = |(_, heard): (usize, Heard)| match heard {
            Heard::CallerId(caller_id::Heard::Frame(frame)) => frame.parse().ok()?.number,
            _ => None,
        };
        let numbers: Vec<String> = heard(&mut ear, &samples).into_iter().filter_map(read).collect();
        assert_eq!(numbers, ["3125550142"], "{variant:?}");
    }
}
