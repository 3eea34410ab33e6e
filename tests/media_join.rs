//! Two slots joined with each other, in virtual time: sound, echo, keys, announcements, interjections.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, reason = "a test reads its recordings")]

mod media {
    pub(crate) mod display_phone;
    pub(crate) mod plane;
}
#[path = "echo/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod lines;

use lines::{line::Line, recordings::talker};
use media::{
    display_phone::{DisplayPhone, announcement, who_waits},
    plane::{OFFICE, PERIOD, Plane, rtp, speech, trunk},
};
use ringside::{
    audio::{
        caller_id::waiting::Outcome,
        dtmf::{self, Key},
        fsk::Variant,
        g711::{self, Law},
        level,
        line_ear::{Heard, LineEar},
        sine::Oscillator,
        tone_plan::TonePlan,
    },
    id::{RtpPort, Slot},
    media::{
        control::{Command, Event, Sound},
        patch_bay::PortAudio,
    },
};
use std::sync::Arc;

const PHONE: Slot = Slot(0);
const LINE: Slot = Slot(1);

fn joined(mut plane: Plane) -> Plane {
    plane.command(Command::Join { phone: PHONE, line: LINE });
    plane
}

fn with_echo_cancellers() -> Plane {
    joined(Plane::with_ports(3, 1, PortAudio::default()))
}

/// One tick in which both ends say something; what both hear.
fn tick(plane: &mut Plane, phone: &[i16], line: &[i16]) -> [[i16; PERIOD]; 2] {
    plane.says(0, phone);
    plane.says(1, line);
    plane.run(1);
    [plane.heard(0), plane.heard(1)]
}

#[test]
fn both_ends_hear_each_other_sample_for_sample_in_the_same_tick() {
    for (phone_slot, line_slot) in [(0, 1), (2, 0)] {
        let mut plane = Plane::new(3, 1);
        plane.command(Command::Join { phone: Slot(phone_slot), line: Slot(line_slot) });
        let (phone, line) = (speech(1, 16_000), speech(2, 16_000));
        for (phone, line) in phone.chunks(PERIOD).zip(line.chunks(PERIOD)) {
            plane.says(phone_slot.into(), phone);
            plane.says(line_slot.into(), line);
            plane.run(1);
            assert_eq!(plane.heard(phone_slot.into())[..], *line);
            assert_eq!(plane.heard(line_slot.into())[..], *phone);
            assert_eq!(plane.heard(3 - usize::from(phone_slot + line_slot)), [0; PERIOD]);
        }
        plane.command(Command::Part { phone: Slot(phone_slot) });
        plane.says(line_slot.into(), &[9_000; PERIOD]);
        plane.run(1);
        assert_eq!(plane.heard(phone_slot.into()), [0; PERIOD], "parted");
        assert!(plane.events().is_empty());
    }
}

#[test]
fn the_gains_of_both_ports_act_in_both_directions() {
    let audio = PortAudio { to_line_db: -6.0206, from_line_db: 12.0, echo_canceller: false };
    let mut plane = joined(Plane::with_ports(2, 1, audio));
    let [phone, line] = tick(&mut plane, &[100; PERIOD], &[1_000; PERIOD]);
    // 12 dB of the one and -6 dB of the other are twice as much.
    assert!(phone.iter().all(|sample| sample.abs_diff(1_990) < 10), "{phone:?}");
    assert!(line.iter().all(|sample| sample.abs_diff(199) < 2), "{line:?}");
}

/// Both ends on their hybrids. What is written in one tick is on the line in the next, plus the lead of the card.
struct Talk {
    plane: Plane,
    hybrids: [Line; 2],
    /// What is on its way to both lines.
    written: Vec<[[i16; PERIOD]; 2]>,
    lead: usize,
}

/// What a stretch of talking came to, of the phone's side and the line's.
#[derive(Default)]
struct Outcomes {
    /// Energy of the echo that the hybrid returned.
    echo: [f64; 2],
    /// Energy of what was played to the *other* end meanwhile.
    played: [f64; 2],
    /// Loudest period played to this end, in dBm0.
    loudest: [f32; 2],
}

impl Talk {
    fn new(lead: usize, paths: [(&str, f32); 2]) -> Self {
        let plane = joined(Plane::with_ports(2, 1, PortAudio::default()).with_lead(lead));
        let hybrids = paths.map(|(path, erl_db)| Line::new(path, erl_db, 0));
        let lead = lead.max(1);
        Self { plane, hybrids, written: vec![[[0; PERIOD]; 2]; lead], lead }
    }

    fn talk(&mut self, phone: &[f32], line: &[f32]) -> Outcomes {
        let mut all = Outcomes { loudest: [f32::MIN; 2], ..Outcomes::default() };
        for (phone, line) in phone.chunks_exact(PERIOD).zip(line.chunks_exact(PERIOD)) {
            let on_line = self.written[self.written.len() - self.lead];
            let mut said = [[0; PERIOD]; 2];
            for (end, near) in [phone, line].into_iter().enumerate() {
                let far = on_line[end].map(f32::from);
                let period = self.hybrids[end].carry(&far, near);
                all.echo[end] += period.echo.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                said[end] = period.heard;
            }
            let heard = tick(&mut self.plane, &said[0], &said[1]);
            for end in 0..2 {
                all.played[end] += heard[1 - end].iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                all.loudest[end] = all.loudest[end].max(level::dbm0(&heard[end]));
            }
            self.written.push(heard);
        }
        all
    }
}

fn nothing(samples: usize) -> Vec<f32> {
    vec![0.0; samples]
}

#[test]
fn the_echoes_of_both_hybrids_are_cancelled_whatever_the_lead_of_the_card() {
    for (lead, paths) in [
        (0, [("D5", 10.0), ("D3", 10.0)]),
        (2, [("D2", 6.0), ("D4", 6.0)]),
        (2, [("D6", 6.0), ("D9", 8.0)]),
        (4, [("D5", 12.0), ("D2", 6.0)]),
    ] {
        let mut talk = Talk::new(lead, paths);
        // Both learn, one after the other.
        for name in ["hts", "kristoff"] {
            let words = talker(name, 4 * 8_000);
            talk.talk(&words, &nothing(words.len()));
            talk.talk(&nothing(words.len()), &words);
        }
        let words = talker("cq_ref", 4 * 8_000);
        // What the talker says comes back from the other end's hybrid.
        let of_line = talk.talk(&words, &nothing(words.len()));
        let of_phone = talk.talk(&nothing(words.len()), &words);
        for (end, outcomes) in [(1, of_line), (0, of_phone)] {
            let erle_db = 10.0 * (outcomes.echo[end] / outcomes.played[end]).log10();
            assert!(erle_db >= 25.0, "lead {lead}, {:?}: {erle_db:.1} dB", paths[end]);
        }
    }
}

#[test]
fn two_bad_hybrids_do_not_howl_from_the_first_word_on() {
    for paths in [[("D2", 6.0), ("D3", 6.0)], [("D5", 6.0), ("D9", 6.0)], [("D7", 6.0), ("D8", 6.0)]] {
        let mut talk = Talk::new(2, paths);
        let (phone, line) = (talker("hts", 10 * 8_000), talker("ve9qrp_10s", 10 * 8_000));
        let both = talk.talk(&phone, &line);
        let alone = |words: &[f32]| {
            let periods =
                words.chunks(PERIOD).map(|period| period.iter().map(|s| *s as i16).collect::<Vec<_>>());
            periods.map(|period| level::dbm0(&period)).fold(f32::MIN, f32::max)
        };
        // Nobody hears more than the other talker and a first echo.
        assert!(both.loudest[0] < alone(&line) + 6.0, "{paths:?}: {:?}", both.loudest);
        assert!(both.loudest[1] < alone(&phone) + 6.0, "{paths:?}: {:?}", both.loudest);
        // When both are silent, so is the loop.
        talk.talk(&nothing(4_000), &nothing(4_000));
        let rest = talk.talk(&nothing(8_000), &nothing(8_000));
        assert!(rest.loudest.iter().all(|loudest| *loudest < -55.0), "{paths:?}: {:?}", rest.loudest);
    }
}

#[test]
fn a_fax_in_a_join_is_left_alone() {
    let mut plane = with_echo_cancellers();
    let mut calling = Oscillator::new(1_100.0, -12.0);
    let bursts = (0..30_000).map(|n| if n % 28_000 < 4_000 { calling.advance().round() as i16 } else { 0 });
    for period in bursts.collect::<Vec<_>>().chunks(PERIOD) {
        tick(&mut plane, period, &[0; PERIOD]);
    }
    // Now both directions are transparent, echo or not.
    let said = speech(5, 80_000);
    let mut back = vec![0; PERIOD];
    for period in said.chunks(PERIOD) {
        let [_, line] = tick(&mut plane, period, &back);
        assert_eq!(line[..], *period);
        assert_eq!(plane.heard(0)[..], back);
        back = line.iter().map(|sample| sample / 3).collect();
    }
    // The next call is one of people again.
    let mut plane = joined(plane);
    let mut residual = f32::MIN;
    for (n, period) in said.chunks(PERIOD).enumerate() {
        let quiet: Vec<i16> = period.iter().map(|sample| sample / 4).collect();
        let [phone, line] = tick(&mut plane, &quiet, &back);
        back = line.iter().map(|sample| sample / 3).collect();
        residual = if n < 500 { f32::MIN } else { residual.max(level::dbm0(&phone)) };
    }
    assert!(residual < -45.0, "{residual}");
}

fn keys(signs: &str) -> Vec<Key> {
    signs.chars().filter_map(Key::from_sign).collect()
}

#[test]
fn the_keys_of_a_phone_are_heard_whatever_its_slot_carries() {
    let dialled: Vec<Heard> =
        keys("42#").into_iter().flat_map(|key| [Heard::Key(key), Heard::KeyEnded(key)]).collect();
    let dials = |plane: &mut Plane| {
        let before = plane.ear_heard(0).len();
        let samples = [dtmf::dial(&keys("42#")), vec![0; 800]].concat();
        samples.chunks(PERIOD).for_each(|period| _ = tick(plane, period, &[0; PERIOD]));
        plane.ear_heard(0).split_off(before)
    };
    for audio in [PortAudio::default(), PortAudio { echo_canceller: false, ..PortAudio::default() }] {
        let mut plane = Plane::with_ports(2, 1, audio);
        assert!(dials(&mut plane).is_empty(), "nobody listens");
        plane.command(Command::Listen { slot: PHONE, ear: Box::new(LineEar::for_phone()) });
        assert_eq!(dials(&mut plane), dialled, "silent");
        plane.command(Command::Play { slot: PHONE, sound: Sound::Tone(TonePlan::north_america().dial) });
        assert_eq!(dials(&mut plane), dialled, "dial tone");
        plane.command(Command::Play { slot: PHONE, sound: Sound::Once([500; 4_000].into()) });
        assert_eq!(dials(&mut plane), dialled, "a sound");
        plane.command(Command::Join { phone: PHONE, line: LINE });
        assert_eq!(dials(&mut plane), dialled, "joined");
        plane.patch(0, 0, trunk(), None);
        assert_eq!(dials(&mut plane), dialled, "patched");
        let held = ringside::media::control::Trunk { send: false, receive: false, ..trunk() };
        plane.command(Command::Change { rtp: ringside::id::RtpPort(0), trunk: held });
        assert_eq!(dials(&mut plane), dialled, "held");
        plane.command(Command::Ignore { slot: PHONE });
        assert!(dials(&mut plane).is_empty(), "ignored");
        let spent = plane.events().iter().filter(|event| matches!(event, Event::EarSpent(_))).count();
        assert_eq!(spent, 1);
    }
}

#[test]
fn an_ear_that_replaces_another_gives_it_back_and_one_for_no_slot_comes_back() {
    let mut plane = Plane::new(2, 1);
    for slot in [1, 1, 9] {
        plane.command(Command::Listen { slot: Slot(slot), ear: Box::new(LineEar::for_phone()) });
    }
    let spent = plane.events().iter().filter(|event| matches!(event, Event::EarSpent(_))).count();
    assert_eq!(spent, 2);
}

#[test]
fn a_waiting_call_is_shown_in_a_join_and_the_line_hears_none_of_the_answer() {
    for answers in [true, false] {
        let mut plane = joined(Plane::new(2, 1));
        plane.command(Command::Announce { slot: PHONE, waiting: announcement() });
        let mut phone = DisplayPhone::new(answers);
        let mut loudest = 0;
        for _ in 0..300 {
            let said = phone.says();
            let [to_phone, to_line] = tick(&mut plane, &said, &[0; PERIOD]);
            phone.hears(&to_phone);
            loudest = to_line.iter().map(|sample| sample.unsigned_abs()).max().unwrap().max(loudest);
        }
        let right = if answers { Outcome::Shown } else { Outcome::NotAcknowledged };
        let [Event::Announced { slot: PHONE, outcome, .. }] = plane.events() else {
            panic!("{:?}", plane.events())
        };
        assert_eq!(*outcome, Some(right));
        assert_eq!(phone.shown(), Some((who_waits().number, who_waits().name)).filter(|_| answers));
        assert_eq!(loudest, 0);
        let [_, line] = tick(&mut plane, &[700; PERIOD], &[0; PERIOD]);
        assert_eq!(line, [700; PERIOD], "the call goes on");
    }
}

#[test]
fn an_interjected_notice_is_heard_at_both_ends_of_a_join() {
    let mut plane = joined(Plane::new(2, 1));
    let notice: Arc<[i16]> = (1..=200).collect();
    plane.command(Command::Interject { slot: LINE, samples: notice.clone() });
    let heard: Vec<[[i16; PERIOD]; 2]> =
        (0..4).map(|_| tick(&mut plane, &[1_000; PERIOD], &[2_000; PERIOD])).collect();
    for (end, talker) in [(0, 2_000), (1, 1_000)] {
        let heard: Vec<i16> = heard.iter().flat_map(|both| both[end]).map(|sample| sample - talker).collect();
        assert_eq!(heard[..200], notice[..]);
        assert!(heard[200..].iter().all(|&sample| sample == 0));
    }
    assert!(
        matches!(plane.events(), [Event::Interjected { slot: LINE }, Event::Spent(back)] if Arc::ptr_eq(back, &notice))
    );
}

#[test]
fn an_interjected_notice_is_heard_by_the_caller_and_at_the_phone() {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let notice: Arc<[i16]> = (0..1_600).map(|n| 3_000 + n as i16).collect();
    plane.command(Command::Interject { slot: PHONE, samples: notice.clone() });
    plane.arrives(0, OFFICE, rtp(0, 0, 0, 7, &[0xff; 160]));
    let heard: Vec<i16> = (0..23).flat_map(|_| plane.tick_and_hear(0)).collect();
    assert_eq!(heard[..1_600], notice[..]);
    assert!(heard[1_600..].iter().all(|&sample| sample == 0));
    let sent: Vec<i16> = plane
        .sent(0)
        .iter()
        .flat_map(|packet| packet.payload.clone())
        .map(|code| g711::expand(Law::Mu, code))
        .collect();
    let coded: Vec<i16> = notice.iter().map(|&s| g711::expand(Law::Mu, g711::compress(Law::Mu, s))).collect();
    assert_eq!(sent[PERIOD..][..1_600], coded);
    let over = |event: &&Event| matches!(event, Event::Interjected { slot: PHONE });
    assert_eq!(plane.events().iter().filter(over).count(), 1);
    plane.unpatch(0);
    let frames = plane.frames(tap);
    assert_eq!(frames[1].office[..], notice[..PERIOD], "it is recorded as it was heard");
}

#[test]
fn a_caller_whose_slot_is_taken_away_hears_the_notice_to_its_end() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let notice: Arc<[i16]> = (0..1_600).map(|n| 3_000 + n as i16).collect();
    plane.command(Command::Interject { slot: PHONE, samples: notice.clone() });
    plane.command(Command::Park { rtp: RtpPort(0) });
    let heard: Vec<i16> = (0..23).flat_map(|_| plane.tick_and_hear(0)).collect();
    assert!(heard.iter().all(|&sample| sample == 0), "the phone is somebody else's");
    let sent = plane.sent(0);
    let sent: Vec<u8> = sent.iter().flat_map(|packet| packet.payload.clone()).collect();
    let coded: Vec<u8> = notice.iter().map(|&sample| g711::compress(Law::Mu, sample)).collect();
    assert_eq!(sent[PERIOD..][..1_600], coded);
    let over = |event: &&Event| matches!(event, Event::Interjected { slot: PHONE });
    assert_eq!(plane.events().iter().filter(over).count(), 1);
}

#[test]
fn nothing_is_allocated_with_a_join_ears_and_all_that_can_be_over_them() {
    let mut plane = with_echo_cancellers();
    let plan = TonePlan::north_america();
    plane.command(Command::Listen { slot: PHONE, ear: Box::new(LineEar::for_phone()) });
    plane.command(Command::Listen { slot: LINE, ear: Box::new(LineEar::for_line(plan, Variant::Bell202)) });
    plane.command(Command::Listen { slot: Slot(2), ear: Box::new(LineEar::for_line(plan, Variant::V23)) });
    let notice: Arc<[i16]> = speech(9, 8_000).into();
    let words = [talker("hts", 16_000), nothing(8_000)].concat();
    let phone: Vec<i16> = words.iter().map(|s| *s as i16).chain(dtmf::dial(&keys("159D"))).collect();
    let line: Vec<i16> = phone.iter().rev().copied().collect();
    for round in 0..10 {
        if round % 3 == 0 {
            plane.command(Command::Announce { slot: PHONE, waiting: announcement() });
        }
        plane.command(Command::Interject { slot: PHONE, samples: notice.clone() });
        for (phone, line) in phone.chunks_exact(PERIOD).zip(line.chunks_exact(PERIOD)) {
            plane.says(2, line);
            tick(&mut plane, phone, line);
        }
        plane.command(Command::Join { phone: PHONE, line: LINE });
    }
    plane.command(Command::Ignore { slot: LINE });
    assert!(plane.ear_heard(1).len() > 50 && plane.ear_heard(2).len() > 50);
    assert_eq!(plane.heap_calls(), 0);
}
