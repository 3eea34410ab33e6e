//! A call while it is up: hold and resume, late offer, digits, and both ways to its end.

use crate::shared::{
    inside::Inside,
    peer::Peer,
    process,
    site::{ANSWERS, Site, number},
    sound,
};
use ringside::{
    record::{CallRecord, Ended, RecordingState},
    rtp::telephone_event::Events,
    sim::{observe::What, phone::Happening, supervision::HungUpOn},
};
use std::time::Duration;

const OFFICE_HZ: f64 = 1000.0;
const CALLER_HZ: f64 = 440.0;
/// Samples of a second.
const SECOND: usize = 8000;
const MS: usize = 8;
/// The shortest that a site may set: the person is still holding the handset when it ends.
const SHORT_CPC: &str = "[calls]\ncpc_ms = 300\n";

fn call(inside: &Inside) -> Peer {
    Peer::new(inside.site.peer(), inside.site.sip(), &number(0))
}

/// A call that was answered with an offer in its INVITE, its notice over.
fn talking(inside: &Inside) -> Peer {
    let mut peer = call(inside);
    let offer = peer.sdp("sendrecv");
    assert_eq!(peer.invite(&offer).status(), Some(200));
    peer.ack("");
    peer.talk(Duration::from_secs(2), Some(CALLER_HZ));
    peer
}

/// The last of what the phone heard.
fn phone_heard(inside: &Inside, samples: usize) -> Vec<i16> {
    let heard = inside.phones()[0].heard.samples.clone();
    heard[heard.len() - samples..].to_vec()
}

fn record(inside: &Inside) -> CallRecord {
    process::closed_calls(&inside.site, 1).remove(0)
}

#[test]
fn a_call_on_hold_hears_nothing_and_goes_on_after_it() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], ""));
    let mut peer = talking(&inside);
    assert!(peer.packets_with(OFFICE_HZ) >= 20, "{} packets", peer.packets_with(OFFICE_HZ));
    let hold = peer.sdp("sendonly");
    let answer = peer.invite(&hold);
    assert_eq!(answer.status(), Some(200));
    assert!(answer.body.contains("a=recvonly"), "{}", answer.body);
    peer.ack("");
    peer.talk(Duration::from_millis(500), None);
    peer.talk(Duration::from_secs(1), None);
    assert_eq!(peer.heard.len(), 0, "nothing is sent to a caller that does not receive");
    let resume = peer.sdp("sendrecv");
    assert!(peer.invite(&resume).body.contains("m=audio"));
    peer.ack("");
    peer.talk(Duration::from_secs(1), Some(CALLER_HZ));
    println!(
        "{} of {} packets carry the office after the hold",
        peer.packets_with(OFFICE_HZ),
        peer.heard.len()
    );
    assert!(peer.packets_with(OFFICE_HZ) >= 40);
    assert!(sound::peak_at(&phone_heard(&inside, SECOND / 2), CALLER_HZ) > 6000.0);
    assert_eq!(peer.bye().status(), Some(200));
    let record = record(&inside);
    assert_eq!((record.outcome.ended, record.recording.state), (Ended::CallerHungUp, RecordingState::Closed));
    assert_eq!(record.recording.duration_ms, record.recording.expected_ms);
    assert!((1400..3000).contains(&record.timing_ms.hold), "{} ms on hold", record.timing_ms.hold);
    println!("{} ms on hold, {} ms recorded", record.timing_ms.hold, record.recording.duration_ms);
}

#[test]
fn an_invite_without_an_offer_is_offered_one() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], ""));
    let mut peer = call(&inside);
    let offered = peer.invite("");
    assert_eq!(offered.status(), Some(200));
    assert!(offered.body.contains("m=audio") && offered.body.contains("telephone-event"), "{}", offered.body);
    let answer = peer.sdp("sendrecv");
    peer.ack(&answer);
    peer.talk(Duration::from_secs(2), Some(CALLER_HZ));
    assert!(peer.packets_with(OFFICE_HZ) >= 20, "{} packets", peer.packets_with(OFFICE_HZ));
    assert!(sound::peak_at(&phone_heard(&inside, SECOND / 4), CALLER_HZ) > 4000.0);
    assert_eq!(peer.bye().status(), Some(200));
    assert_eq!(record(&inside).outcome.ended, Ended::CallerHungUp);
}

#[test]
fn a_digit_of_the_caller_is_heard_as_its_two_tones() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], ""));
    let mut peer = talking(&inside);
    peer.talk(Duration::from_millis(200), None);
    peer.digit(5);
    peer.talk(Duration::from_millis(200), None);
    let heard = phone_heard(&inside, SECOND / 2);
    // ITU-T Q.23: 5 is 770 and 1336 Hz.
    let blocks: Vec<(f64, f64, f64)> = heard
        .chunks_exact(sound::FRAME)
        .map(|block| {
            (sound::peak_at(block, 770.0), sound::peak_at(block, 1336.0), sound::peak_at(block, 852.0))
        })
        .collect();
    let sounding = blocks.iter().filter(|(low, high, _)| *low > 1000.0 && *high > 1000.0).count();
    println!("digit 5 sounds in {} ms", sounding * 20);
    assert!((4..=7).contains(&sounding), "{blocks:?}");
    assert!(blocks.iter().all(|(low, _, other)| *other < 800.0 || other < low), "{blocks:?}");
    assert_eq!(peer.bye().status(), Some(200));
}

#[test]
fn a_key_at_the_phone_reaches_the_trunk_as_an_event_and_is_in_no_recording() {
    let script = "answer_after_rings = 1\nanswer_delay_ms = 300\nkeys = [{ at_ms = 4000, digits = \"7#\" }]";
    let inside = Inside::start(Site::new(&[&[script]], ""));
    let mut peer = talking(&inside);
    peer.talk(Duration::from_secs(4), None);
    let mut events = Events::default();
    let pressed: Vec<u8> = peer
        .events
        .iter()
        .filter_map(|(stamp, payload)| events.packet(*stamp, payload))
        .filter(|press| press.first)
        .map(|press| press.code)
        .collect();
    assert_eq!(pressed, [7, 11], "{:?}", peer.events);
    // ITU-T Q.23: 7 is 852 and 1209 Hz, # is 941 and 1477 Hz.
    let leaked: usize = [852.0, 1209.0, 941.0, 1477.0].map(|hz| peer.packets_with(hz)).iter().sum();
    assert!(leaked <= 2, "{leaked} packets carry a tone of the keys");
    assert_eq!(peer.bye().status(), Some(200));
    let record = record(&inside);
    let (_, office) = sound::decode(&inside.site.data().join(record.recording.path.unwrap()));
    // The notice speaks, but is over by then.
    let office = office.get(3 * SECOND + SECOND / 2..).unwrap();
    let loudest = |hz| office.chunks_exact(sound::FRAME).map(|b| sound::peak_at(b, hz)).fold(0.0, f64::max);
    for hz in [852.0, 1209.0, 941.0, 1477.0] {
        assert!(loudest(hz) < 300.0, "{hz} Hz of a key is in the recording, {}", loudest(hz));
    }
}

#[test]
fn a_phone_whose_caller_hung_up_gets_an_open_loop_and_then_reorder() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], SHORT_CPC));
    let mut peer = talking(&inside);
    assert_eq!(peer.bye().status(), Some(200));
    let after = |what: &What| inside.events().into_iter().rev().find(|e| e.what == *what).map(|e| e.at);
    inside.wait("the person hangs up", || after(&What::HungUp).is_some());
    let lost = after(&What::Phone(Happening::BatteryLost)).unwrap();
    let back = after(&What::Phone(Happening::BatteryReturned)).unwrap();
    let open_ms = (back - lost) / MS as u64;
    println!("the loop was open for {open_ms} ms");
    assert!((290..=330).contains(&open_ms), "{open_ms} ms");
    assert_eq!(
        inside.events().iter().find_map(|e| match e.what {
            What::HungUpOn(how) => Some(how),
            _ => None,
        }),
        Some(HungUpOn::DeadLoop)
    );
    // A handset that stays up, or is lifted again, hears reorder: 480 and 620 Hz.
    let heard = inside.phones()[0].heard.clone();
    let from = (back - heard.started_at) as usize;
    let to = (after(&What::HungUp).unwrap() - heard.started_at) as usize;
    let blocks = heard.samples[from..to].chunks_exact(sound::FRAME);
    let reorder =
        blocks.filter(|b| sound::peak_at(b, 480.0) > 500.0 && sound::peak_at(b, 620.0) > 500.0).count();
    println!("reorder for {} of {} ms until the handset was down", reorder * 20, (to - from) / MS);
    assert!(reorder >= 3, "{reorder}");
    inside.wait_idle();
    assert_eq!(record(&inside).outcome.ended, Ended::CallerHungUp);
}

#[test]
fn an_office_that_hangs_up_ends_the_call_of_the_caller() {
    let script = format!("{ANSWERS}\nhang_up_after_s = 4.0");
    let inside = Inside::start(Site::new(&[&[&script]], ""));
    let mut peer = talking(&inside);
    let waited = peer.expect_bye();
    println!("BYE {waited:?} after the conversation was begun");
    let record = record(&inside);
    assert_eq!(record.outcome.ended, Ended::OfficeHungUp);
    assert_eq!(record.recording.duration_ms, record.recording.expected_ms);
}
