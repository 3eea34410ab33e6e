//! Emergency numbers dialled on a phone: on the free line at once, on a line that is taken from a tracked call, over the
//! trunk when no line works; never recorded (PRODUCT, decision 8).

use crate::shared::{
    inside::Inside,
    process::{self, PATIENCE},
    site::{MOBILE, Site},
    sound, web,
};
use ringside::{
    audio::level,
    record::Ended,
    sim::{
        exchange::Happening as OnLine,
        observe::{Audio, What},
        provider::{Account, AnswerPlan, CallPlan, End, Provider, Speech},
    },
};

/// Says a tone once it is lifted, and presses keys on top.
const TALKS: &str = "say_after_ms = 4000\ntone_hz = 1000.0";
const OFFICE_HZ: f64 = 1000.0;
const OPERATOR_HZ: f64 = 440.0;
const CALLBACK: &str = "[emergency]\ncallback = \"+13125550190\"\n";
const SECOND: usize = 8_000;
const MS: u64 = 8;
/// A person holds a key for 100 ms and pauses as long.
const KEY_MS: u64 = 100;

fn office(lines: &[&str], extra: &str) -> Inside {
    Inside::start(Site::on_lines(&[&[TALKS]], lines, extra))
}

fn last(audio: &Audio, samples: usize) -> &[i16] {
    audio.samples.rchunks(samples).next().unwrap_or_default()
}

/// Lifts the phone, waits for dial tone, and dials; the world's clock at the end of the last key.
fn dial(inside: &Inside, number: &str) -> u64 {
    let phone = inside.phone_port(0);
    inside.world().lock().lift(phone);
    inside.wait("dial tone", || {
        let heard = inside.phones()[0].heard.clone();
        [350.0, 440.0].iter().all(|hz| sound::peak_at(last(&heard, SECOND / 4), *hz) > 300.0)
    });
    let mut world = inside.world().lock();
    world.press(phone, number);
    world.samples() + (2 * number.len() as u64 - 1) * KEY_MS * MS
}

/// The handset is put down, and the call counted as an emergency call.
fn hang_up(inside: &Inside) {
    inside.world().lock().hang_up(inside.phone_port(0));
    let counted = || web::get(inside.site.web(), "/metrics").unwrap().1;
    inside.wait("it is counted", || {
        counted().contains("ringside_untracked_calls_total{kind=\"emergency\",answered=\"yes\"} 1")
    });
    assert_eq!(web::metric(inside.site.web(), "ringside_emergency_dialled_total"), 1.0);
}

#[test]
fn an_emergency_number_goes_out_on_the_free_line_at_once() {
    let inside = office(&[""], "");
    let pressed = dial(&inside, "911");
    inside.wait("the operator answers", || inside.line_time(0, &OnLine::FarAnswered).is_some());
    assert_eq!(inside.line(0).dialled, ["911"]);
    let seized = inside.line_time(0, &OnLine::Seized).unwrap();
    let heard = inside.line(0).heard;
    let after = usize::try_from(seized - heard.started_at).unwrap();
    let first_key = heard.samples[after..].iter().position(|sample| sample.unsigned_abs() > 500).unwrap();
    let ms = |at: u64| (at as i64 - pressed as i64) / MS as i64;
    let (seized_ms, key_ms) = (ms(seized), ms(seized + first_key as u64));
    println!(
        "from the end of the last key: line seized after {seized_ms} ms, first key on it after {key_ms} ms"
    );
    assert!(seized_ms <= 300, "{seized_ms} ms");
    // The loop settles for 200 ms, and dial tone is waited for 300 ms at most.
    assert!(key_ms <= seized_ms + 700, "{key_ms} ms");
    inside.wait("the operator hears the person", || {
        sound::peak_at(last(&inside.line(0).heard, SECOND / 4), OFFICE_HZ) > 3_000.0
    });
    hang_up(&inside);
    assert_eq!(process::calls(&inside.site), []);
}

#[test]
fn an_emergency_takes_the_line_of_a_tracked_call_whose_caller_hears_why() {
    // Whoever answers says little, so that what is heard later is the notice.
    const SAYS_LITTLE: &str = "[[line.destination]]\nnumber = \"13125550160\"\nanswer_after_ms = 500\n\
                               say = \"hello.wav\"\nsay_once = true";
    let inside = office(&[SAYS_LITTLE], "");
    let provider = Provider::start(inside.site.peer(), Account::default()).unwrap();
    let call = provider.place_at(inside.site.sip(), CallPlan::new("+13126000001", MOBILE));
    let answered = call.wait(PATIENCE, |call| call.answered_after.is_some());
    assert!(answered.answered_after.is_some(), "{answered:?}");
    // The six seconds of whoever answered are over, and the recording notice.
    inside.wait_until(inside.line_time(0, &OnLine::FarAnswered).unwrap() + 8 * SECOND as u64);
    dial(&inside, "911");
    let outcome = call.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CalleeHungUp));
    inside
        .wait("the operator answers", || inside.line(0).dialled.last().is_some_and(|number| number == "911"));
    let second = |from_end: usize| {
        let heard = &outcome.heard[..outcome.heard.len() - from_end * SECOND];
        level::dbm0(&heard[heard.len() - SECOND..])
    };
    let levels: Vec<f32> = (0..outcome.heard.len() / SECOND).map(second).collect();
    println!("the caller heard, second by second from the end: {levels:?} dBm0");
    // The notice is the last that is heard; before it there was a moment of silence.
    assert!(levels[..2].iter().all(|dbm0| *dbm0 > -40.0), "{levels:?}");
    assert!(levels.iter().any(|dbm0| *dbm0 < -60.0), "{levels:?}");
    let record = process::closed_calls(&inside.site, 1).remove(0);
    let outcome = (record.outcome.ended, record.outcome.why.as_deref());
    assert_eq!(outcome, (Ended::Interrupted, Some("taken_for_emergency")));
    inside.wait("the operator hears the person", || {
        sound::peak_at(last(&inside.line(0).heard, SECOND / 4), OFFICE_HZ) > 3_000.0
    });
    hang_up(&inside);
    assert_eq!(process::calls(&inside.site).len(), 1, "the emergency call has no record");
}

#[test]
fn an_emergency_goes_over_the_trunk_when_the_line_is_dead() {
    let inside = office(&[""], CALLBACK);
    inside.on_line(0, |line| line.unplug());
    let provider = Provider::start(inside.site.provider(), Account::default()).unwrap();
    let speech = Speech::Tone { hz: OPERATOR_HZ, peak: 8_000 };
    let taken = provider.take_calls(AnswerPlan { speech, ..AnswerPlan::new() });
    dial(&inside, "933");
    let call = taken.wait(0, PATIENCE).expect("an INVITE");
    assert!(call.target.starts_with("sip:933@"), "{}", call.target);
    assert!(call.header("From").is_some_and(|from| from.contains("+13125550190")), "{:?}", call.headers);
    inside.wait("the phone hears the operator", || {
        sound::peak_at(last(&inside.phones()[0].heard, SECOND / 4), OPERATOR_HZ) > 3_000.0
    });
    let lifted = inside.phone_time(0, |what| *what == What::Lifted).unwrap();
    // The person speaks 4 s after lifting.
    inside.wait_until(lifted + 6 * SECOND as u64);
    hang_up(&inside);
    let heard = call.handle.wait(PATIENCE, |_| false).heard;
    let frames = sound::frames_with(&heard, OFFICE_HZ, 8_000.0);
    let with = frames.iter().filter(|carries| **carries).count();
    println!("the operator heard the person in {with} of {} frames", frames.len());
    assert!(with >= 25, "{with} of {} frames", frames.len());
    assert_eq!(inside.line(0).dialled, [""; 0], "nothing on the dead line");
    assert_eq!(process::calls(&inside.site), []);
    let audio = walk(&inside.site.data().join("rec"));
    assert_eq!(audio, 0, "nothing is recorded");
}

/// Files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}
