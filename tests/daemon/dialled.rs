//! Tracked calls whose last hop is the office line: dialled once, recorded, and survived when the cable is pulled
//! (PRODUCT R18, D9).

use crate::shared::{
    inside::Inside,
    process::{self, PATIENCE},
    site::{FORWARDING, LINE_NUMBER, MOBILE, NOBODY, Site},
    sound,
};
use ringside::{
    audio::level,
    record::{CallRecord, Ended, RecordingState},
    sim::{
        exchange::{Happening, State},
        provider::{Account, CallHandle, CallPlan, End, Provider, Speech},
    },
};
use std::time::{Duration, Instant};

/// What the exchange hears: with the long-distance 1.
const DIALLED: &str = "13125550160";
const ANSWERS: &str =
    "[[line.destination]]\nnumber = \"13125550160\"\nanswer_after_ms = 1000\nsay = \"hello.wav\"";
const RINGS_ON: &str = "[[line.destination]]\nnumber = \"13125550160\"\nno_answer = true";
const CALLER_HZ: f64 = 440.0;
const SECOND: usize = 8_000;
const MS: u64 = 8;

struct Office {
    inside: Inside,
    provider: Provider,
}

impl Office {
    fn new(line: &str) -> Self {
        let inside = Inside::start(Site::on_lines(&[&[NOBODY]], &[line], ""));
        let provider = Provider::start(inside.site.peer(), Account::default()).unwrap();
        Self { inside, provider }
    }

    fn place(&self, plan: CallPlan) -> CallHandle {
        self.provider.place_at(self.inside.site.sip(), plan)
    }

    /// When the far end of the line last answered, by the world's clock.
    fn answered_at(&self) -> u64 {
        self.inside.line_time(0, &Happening::FarAnswered).unwrap()
    }

    /// A call that was answered and has gone on for two seconds; it is placed again while the line is not there yet.
    fn talking(&self) -> CallHandle {
        let place = || {
            let call = self.place(plan());
            let outcome = call.wait(PATIENCE, |call| call.answered_after.is_some());
            (call, outcome)
        };
        let (mut call, mut outcome) = place();
        let until = Instant::now() + PATIENCE;
        while matches!(outcome.end, Some(End::Refused(_))) && Instant::now() < until {
            (call, outcome) = place();
        }
        assert!(outcome.answered_after.is_some() && outcome.end.is_none(), "{outcome:?}");
        self.inside.wait_until(self.answered_at() + 3_000 * MS);
        call
    }
}

fn plan() -> CallPlan {
    CallPlan { speech: Speech::Tone { hz: CALLER_HZ, peak: 8_000 }, ..CallPlan::new("+13126000001", MOBILE) }
}

#[test]
fn the_forwarding_number_is_dialled_once_and_both_legs_are_recorded() {
    let office = Office::new(ANSWERS);
    let call = office.talking();
    // The notice is over by then.
    office.inside.wait_until(office.answered_at() + 7_000 * MS);
    let heard = office.inside.line(0).heard.samples;
    let peak = sound::peak_at(&heard[heard.len() - SECOND / 4..], CALLER_HZ);
    assert!(peak > 3_000.0, "the far end of the line hears the caller: {peak}");
    call.hang_up();
    let record = process::closed_calls(&office.inside.site, 1).remove(0);
    assert_eq!(office.inside.line(0).dialled, [DIALLED], "exactly once");
    let by = record.answered_by.as_ref().unwrap();
    assert_eq!((by.kind.as_str(), by.port.as_str(), by.evidence.as_str()), ("line", "LINE1", "voice"));
    let number = |number: &Option<ringside::number::E164>| number.as_ref().map(ToString::to_string);
    assert_eq!(number(&record.business_phone_number).as_deref(), Some(FORWARDING));
    assert_eq!((record.outcome.ended, record.recording.state), (Ended::CallerHungUp, RecordingState::Closed));
    let file = office.inside.site.data().join(record.recording.path.as_ref().unwrap());
    let (caller, line) = sound::decode(&file);
    // The notice is over in the last two seconds.
    let last = |leg: &[i16]| leg[leg.len() - 2 * SECOND..].to_vec();
    let (caller_peak, line_dbm0) = (sound::peak_at(&last(&caller), CALLER_HZ), level::dbm0(&last(&line)));
    println!("caller {caller_peak} at {CALLER_HZ} Hz, line {line_dbm0} dBm0, {by:?}");
    assert!(caller_peak > 4_000.0 && line_dbm0 > -40.0);
    assert!(sound::peak_at(&last(&line), CALLER_HZ) < 400.0, "the caller is on his own leg only");
    assert!(!office.inside.line(0).off_hook);
    office.inside.wait("the exchange has the line back", || office.inside.line(0).state == State::Idle);
}

#[test]
fn a_pulled_cable_ends_the_call_within_500_ms_and_the_next_one_works() {
    let office = Office::new(ANSWERS);
    let call = office.talking();
    let pulled = office.inside.on_line(0, |line| line.unplug());
    let mut released = None;
    while released.is_none() {
        let world = office.inside.world().lock();
        let (off_hook, now) = (world.line_snapshots()[0].off_hook, world.samples());
        drop(world);
        assert!(now < pulled + 5_000 * MS, "the line is held on");
        released = (!off_hook).then_some(now);
        std::thread::sleep(Duration::from_millis(1));
    }
    let released_ms = (released.unwrap() - pulled) / MS;
    println!("the line was let go {released_ms} ms after the cable was pulled");
    assert!(released_ms <= 500, "{released_ms} ms");
    let outcome = call.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CalleeHungUp));
    let record = process::closed_calls(&office.inside.site, 1).remove(0);
    assert_eq!(record.outcome.why.as_deref(), Some("line_lost"), "{:?}", record.outcome);
    assert_eq!(record.recording.state, RecordingState::Closed);
    office.inside.on_line(0, |line| line.plug());
    let next = office.talking();
    next.hang_up();
    assert_eq!(next.wait(PATIENCE, |_| false).end, Some(End::CallerHungUp));
    let put_through = |record: &&CallRecord| record.outcome.ended == Ended::CallerHungUp && record.answered;
    office
        .inside
        .wait("its record", || process::calls(&office.inside.site).iter().filter(put_through).count() == 1);
    assert_eq!(office.inside.line(0).dialled, [DIALLED, DIALLED]);
}

#[test]
fn a_call_of_ours_that_comes_back_is_refused_and_rings_nothing() {
    let office = Office::new(RINGS_ON);
    let out = office.place(plan());
    assert!(out.wait(PATIENCE, |call| call.rang_after.is_some()).rang_after.is_some());
    let diverted = CallPlan {
        headers: vec![(
            "Diversion".to_owned(),
            format!("<sip:{FORWARDING}@provider.invalid>;reason=unconditional"),
        )],
        ..CallPlan::new("+13126000001", MOBILE)
    };
    for (loops, back) in [(1, diverted), (2, CallPlan::new(LINE_NUMBER, MOBILE))] {
        let outcome = office.place(back).wait(PATIENCE, |_| false);
        assert_eq!((outcome.end, outcome.rang_after), (Some(End::Refused(482)), None));
        let is_loop = |record: &CallRecord| record.outcome.why.as_deref() == Some("loop");
        let found = || process::calls(&office.inside.site).iter().filter(|record| is_loop(record)).count();
        office.inside.wait("one record of it", || found() == loops);
    }
    assert_eq!(office.inside.phones()[0].bursts, [], "no phone rings");
    out.hang_up();
    assert_eq!(out.wait(PATIENCE, |_| false).end, Some(End::Cancelled));
    let records = process::closed_calls(&office.inside.site, 3);
    let mut ends: Vec<Ended> = records.iter().map(|record| record.outcome.ended).collect();
    ends.sort_by_key(|end| *end != Ended::Cancelled);
    assert_eq!(ends, [Ended::Cancelled, Ended::Failed, Ended::Failed]);
    assert_eq!(office.inside.line(0).dialled, [DIALLED], "dialled once");
}
