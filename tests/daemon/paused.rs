//! What the office does with a call that is up: nothing that is said while the recording is paused is in the file, on
//! either leg, and what is written into the call is on its record (PRODUCT R4, R5, decisions 3 and 7).

use crate::shared::{
    inside::Inside,
    peer::Peer,
    process,
    site::{ANSWERS, Site, number},
    sound, web,
};
use ringside::record::{Pause, RecordingState};
use std::time::Duration;

const OFFICE_HZ: f64 = 1000.0;
const CALLER_HZ: f64 = 440.0;
const PAUSED: Duration = Duration::from_secs(3);
/// The recording lags so far behind the call: what is in it at the press goes too.
const HELD_MS: u64 = 80;

/// Frames of 20 ms, out of those that lie wholly between two times, that carry a tone, and how many there are.
fn toned(leg: &[i16], hz: f64, from_ms: u64, until_ms: u64) -> (usize, usize) {
    let frames = sound::frames_with(leg, hz, 600.0);
    let (from, until) = (from_ms.div_ceil(20) as usize, (until_ms / 20) as usize);
    let frames = &frames[from..until.min(frames.len())];
    (frames.iter().filter(|carries| **carries).count(), frames.len())
}

#[test]
fn of_a_paused_stretch_nothing_is_in_the_recording_and_the_note_is_on_the_record() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], ""));
    let page = inside.site.web();
    let mut peer = Peer::new(inside.site.peer(), inside.site.sip(), &number(0));
    let offer = peer.sdp("sendrecv");
    assert_eq!(peer.invite(&offer).status(), Some(200));
    peer.ack("");
    // The notice, and then two people.
    peer.talk(Duration::from_secs(5), Some(CALLER_HZ));
    let (_, bubbles) = web::get(page, "/api/v1/bubbles").unwrap();
    let bubbles: serde_json::Value = serde_json::from_str(&bubbles).unwrap();
    let call = bubbles["bubbles"][0]["call"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/api/v1/calls/{call}{what}");
    let note = r#"{"note": "card number", "tags": ["boiler"]}"#;
    assert_eq!(web::order(page, "PATCH", &path(""), note).0, 200);
    assert_eq!(web::order(page, "POST", &path("/claim"), "{}").0, 200);
    let (status, body) = web::order(page, "POST", &path("/pause"), "{}");
    assert_eq!(status, 200, "{body}");
    assert!(web::get(page, "/").unwrap().1.contains("PAUSED"), "every page says so");
    peer.talk(PAUSED, Some(CALLER_HZ));
    assert_eq!(web::order(page, "POST", &path("/resume"), "{}").0, 200);
    peer.talk(Duration::from_secs(2), Some(CALLER_HZ));
    assert_eq!(web::order(page, "POST", &path("/close"), "{\"reason\": \"Booked\"}").0, 409, "it is up");
    assert_eq!(peer.bye().status(), Some(200));
    let record = process::closed_calls(&inside.site, 1).remove(0);
    inside.wait("the call is over on the page", || {
        web::order(page, "POST", &path("/close"), "{\"reason\": \"Booked\"}").0 == 200
    });
    assert_eq!(web::order(page, "POST", &path("/pause"), "{}").0, 409, "nothing is recorded");
    let recording = &record.recording;
    assert_eq!((recording.state, recording.gap_ms), (RecordingState::Closed, 0));
    assert_eq!(record.handling.note.as_deref(), Some("card number"));
    assert_eq!(record.handling.claimed_by.as_ref().map(|claim| claim.how.as_str()), Some("taken"));
    let [Pause { at_ms, duration_ms }] = recording.pauses[..] else { panic!("{:?}", recording.pauses) };
    println!("paused for {duration_ms} ms at {at_ms} ms of {} ms", recording.duration_ms);
    assert!(duration_ms >= PAUSED.as_millis() as u64 + HELD_MS - 30, "what was held back is left out too");
    assert!(recording.seal.is_some());
    let (caller, office) = sound::decode(&inside.site.data().join(recording.path.as_ref().unwrap()));
    let until_ms = at_ms + duration_ms;
    for (name, leg, hz) in [("caller", &caller, CALLER_HZ), ("office", &office, OFFICE_HZ)] {
        // The codec lets a sound fade out for some milliseconds.
        let within = toned(leg, hz, at_ms + 10, until_ms - 10);
        let (before, after) =
            (toned(leg, hz, at_ms - 800, at_ms - 20), toned(leg, hz, until_ms + 40, until_ms + 1_000));
        println!("{name}: {before:?} before, {within:?} within, {after:?} after");
        assert_eq!(within.0, 0, "{name}");
        assert!(within.1 >= 145 && before.0 * 10 >= before.1 * 9 && after.0 * 10 >= after.1 * 9, "{name}");
        // What was said before the press rings on in the codec's filters for a while, and nothing else is there.
        let quiet = (8 * (at_ms + 100)) as usize..(8 * (until_ms - 40)) as usize;
        let loudest = leg[quiet].iter().map(|sample| sample.unsigned_abs()).max();
        println!("{name}: the loudest sample within is {loudest:?}");
        assert!(loudest <= Some(8), "{name}: {loudest:?}");
    }
}
