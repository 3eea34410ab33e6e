//! What the office sees and hears of a call before it is answered (PRODUCT R6, R9, R18, R19, R23–R25).

use crate::shared::{
    inside::Inside,
    process::{self, PATIENCE},
    site::{NOBODY, Site, UNKNOWN_NUMBER, number},
    web,
};
use ringside::{
    record::{Ended, Hop, Presentation},
    sim::{
        observe::What,
        phone::Happening,
        provider::{Account, CallPlan, End, Provider},
    },
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const SAMPLES_PER_MS: u64 = 8;
/// One swing of a bell at 20 Hz.
const RING_CYCLE_MS: i64 = 50;
/// Answers in the middle of the first burst.
const ANSWERS_LATE: &str = "answer_after_rings = 1\nanswer_delay_ms = 1500\ntone_hz = 1000.0";

fn provider(inside: &Inside) -> Provider {
    Provider::start(inside.site.peer(), Account::default()).unwrap()
}

fn patient(for_ms: u64, to: &str) -> CallPlan {
    CallPlan { give_up_after: Some(Duration::from_millis(for_ms)), ..CallPlan::new("+13126000001", to) }
}

#[test]
fn the_bubble_is_out_before_the_first_ring_burst() {
    const CALLS: usize = 20;
    let inside = Inside::start(Site::new(&[&[NOBODY, NOBODY]], ""));
    let world = inside.world().clone();
    let bubbles: Arc<Mutex<BTreeMap<String, (Instant, u64)>>> = Arc::default();
    let seen = Arc::clone(&bubbles);
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    let _page = web::follow(inside.site.web(), move |event| {
        // What is there before the page is comes with its first event, and has no time of its own.
        opened.fetch_or(event.id == "snapshot", Ordering::Relaxed);
        if event.id.ends_with(".1") {
            seen.lock().unwrap().insert(event.id.clone(), (event.at, world.lock().samples()));
        }
    });
    inside.wait("the page is open", || is_open.load(Ordering::Relaxed));
    let provider = provider(&inside);
    let mut invited = Vec::new();
    for _ in 0..CALLS {
        invited.push(Instant::now());
        let outcome =
            provider.place_at(inside.site.sip(), patient(400, &number(0))).wait(PATIENCE, |_| false);
        assert_eq!(outcome.end, Some(End::Cancelled));
    }
    let records = process::closed_calls(&inside.site, CALLS);
    for record in &records {
        let timing = &record.timing_ms;
        assert!(timing.invite_to_bubble.unwrap() <= timing.invite_to_ring.unwrap(), "{timing:?}");
    }
    // Ids sort by time, and both phones of the group begin in the same millisecond.
    let bubbles: Vec<(Instant, u64)> = bubbles.lock().unwrap().values().copied().collect();
    let rings = inside.times_of(&Happening::RingStarted);
    assert_eq!((bubbles.len(), rings.len()), (CALLS, 2 * CALLS));
    let ahead_ms = bubbles
        .iter()
        .zip(rings.chunks(2))
        .map(|((_, shown), rings)| (rings[0].min(rings[1]) as i64 - *shown as i64) / SAMPLES_PER_MS as i64);
    let mut ahead_ms: Vec<i64> = ahead_ms.collect();
    let mut after: Vec<Duration> = bubbles.iter().zip(&invited).map(|((at, _), sent)| *at - *sent).collect();
    after.sort_unstable();
    ahead_ms.sort_unstable();
    println!(
        "INVITE to bubble in the page's hand: {:?} median, {:?} worst",
        after[CALLS / 2],
        after[CALLS - 1]
    );
    println!("bubble in the page's hand before the ring on the wire: {ahead_ms:?} ms");
    assert!(after[CALLS - 1] <= Duration::from_millis(50), "{after:?}");
    // A page is a step of its thread and of ours behind; the bell has not swung once by then.
    assert!(ahead_ms[CALLS / 2] >= 0 && ahead_ms[0] >= -RING_CYCLE_MS, "{ahead_ms:?}");
}

#[test]
fn every_phone_of_the_group_rings_and_the_route_tells_the_way() {
    let inside = Inside::start(Site::new(&[&[NOBODY, NOBODY, ANSWERS_LATE], &[NOBODY]], ""));
    let plan = CallPlan {
        hang_up_after: Some(Duration::from_millis(500)),
        headers: vec![(
            "Diversion".to_owned(),
            "<sip:+13125550188@provider.invalid>;reason=unconditional".to_owned(),
        )],
        ..CallPlan::new("+13126000001", &number(0))
    };
    let outcome = provider(&inside).place_at(inside.site.sip(), plan).wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp));
    let rang: Vec<usize> = inside.phones().iter().map(|phone| phone.bursts.len()).collect();
    assert_eq!(rang, [1, 1, 1, 0], "the group rings, and nobody else");
    let record = process::closed_calls(&inside.site, 1).remove(0);
    assert_eq!(record.answered_by.as_ref().unwrap().port, "PHONE3");
    let way: Vec<String> =
        record.route.iter().map(|Hop { hop, what, .. }| format!("{hop}: {what}")).collect();
    let expected = [
        "caller +13126000001: dialled +13125550188",
        "diversion +13125550188: forwarded: unconditional",
        &format!("via {}: passed the INVITE on", inside.site.sip().ip()),
        "box: received for +13125550100",
        "PHONE1: rings",
        "PHONE2: rings",
        "PHONE3: rings",
        "PHONE3: answered",
        "end: caller_hung_up",
    ];
    assert_eq!(way, expected);
    assert!(record.route.is_sorted_by_key(|hop| hop.at_ms), "{:?}", record.route);
    assert_eq!(record.route.iter().filter(|hop| hop.hop == "box").count(), 1, "one hop of its own");
    let stopped = inside.times_of(&Happening::RingStopped);
    let spread = stopped.iter().max().unwrap() - stopped.iter().min().unwrap();
    println!("the other phones fell silent within {} ms", spread / SAMPLES_PER_MS);
    assert!(spread <= 100 * SAMPLES_PER_MS, "{stopped:?}");
}

#[test]
fn a_withheld_number_is_nowhere() {
    const SECRET: &str = "+13126007777";
    let inside = Inside::start(Site::new(&[&[NOBODY]], ""));
    let plan = CallPlan {
        anonymous: true,
        display_name: "SECRET NAME".to_owned(),
        ..CallPlan::new(SECRET, &number(0))
    };
    let provider = provider(&inside);
    let call = provider.place_at(inside.site.sip(), plan);
    let shown =
        |event: &ringside::sim::observe::Event| matches!(event.what, What::Phone(Happening::CallerShown(_)));
    inside.wait("the display shows a caller", || inside.events().iter().any(shown));
    let (_, bubbles) = web::get(inside.site.web(), "/api/v1/bubbles").unwrap();
    let (_, page) = web::get(inside.site.web(), "/").unwrap();
    call.hang_up();
    let caller = inside.phones()[0].callers[0].clone();
    assert_eq!((caller.number, caller.number_absent), (None, Some('P')), "private, by GR-30");
    let record = process::closed_calls(&inside.site, 1).remove(0);
    assert_eq!(record.customer_number_presentation, Presentation::Restricted);
    let stored = serde_json::to_string(&record).unwrap();
    assert!(bubbles.contains("\"presentation\":\"restricted\""), "{bubbles}");
    for text in [bubbles, page, stored, format!("{:?}", caller.name)] {
        assert!(!text.contains("6007777") && !text.contains("SECRET NAME"), "{text}");
        assert!(!text.contains("600-7777"), "{text}");
    }
}

#[test]
fn every_tracking_number_has_its_bubble_and_no_other_number_has_one() {
    let inside = Inside::start(Site::new(&[&[NOBODY], &[NOBODY], &[NOBODY]], ""));
    let provider = provider(&inside);
    for group in 0..3 {
        provider.place_at(inside.site.sip(), patient(100, &number(group))).wait(PATIENCE, |_| false);
    }
    let stranger =
        provider.place_at(inside.site.sip(), patient(100, UNKNOWN_NUMBER)).wait(PATIENCE, |_| false);
    assert_eq!((stranger.end, stranger.rang_after), (Some(End::Refused(404)), None));
    let (_, bubbles) = web::get(inside.site.web(), "/api/v1/bubbles").unwrap();
    for group in 0..3 {
        let tracking = format!("\"tracking_number\":\"{}\"", number(group));
        assert_eq!(bubbles.matches(&tracking).count(), 1, "{bubbles}");
    }
    assert_eq!(bubbles.matches("\"call\":").count(), 3, "{bubbles}");
    let records = process::closed_calls(&inside.site, 3);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.outcome.ended == Ended::Cancelled));
}
