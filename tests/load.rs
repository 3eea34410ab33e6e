//! 24 calls at once with churn on the board `sim24`, and memory over 200 calls. RINGSIDE_LONG=1 makes it ten minutes.
#![cfg(feature = "sim")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests wait, look at files and open sockets"
)]

#[path = "daemon/mod.rs"]
mod shared;

use ringside::{
    record::{Ended, RecordingState},
    sim::provider::{Account, CallPlan, End, Provider, Speech},
};
use shared::{
    process::{self, PATIENCE, Process},
    site::{ANSWERS, Group, Site, number},
    web,
};
use std::{
    sync::Mutex,
    thread::sleep,
    time::{Duration, Instant},
};

const PHONES: usize = 24;
/// From the caller's BYE to a port that takes the next call.
const SETTLE: Duration = Duration::from_millis(2500);

fn talk(provider: &Provider, site: &Site, group: usize, call: usize, talk: Duration) {
    let from = format!("+13126{group:03}{call:03}");
    let plan = CallPlan {
        speech: Speech::Tone { hz: 440.0, peak: 8000 },
        hang_up_after: Some(talk),
        ..CallPlan::new(&from, &number(group))
    };
    let outcome = provider.place_at(site.sip(), plan).wait(talk + PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp), "{from}: {:?}", outcome.statuses);
    sleep(SETTLE);
}

fn check(site: &Site, calls: usize) {
    let records = process::closed_calls(site, calls);
    assert_eq!(records.len(), calls);
    let mut worst_ms = 0;
    let (mut packets, mut lost) = (0, 0);
    for record in &records {
        let recording = &record.recording;
        assert_eq!((record.outcome.ended, recording.state), (Ended::CallerHungUp, RecordingState::Closed));
        assert_eq!(recording.gap_ms, 0, "{record:#?}");
        worst_ms = worst_ms.max(recording.duration_ms.abs_diff(recording.expected_ms));
        packets += record.legs.iter().map(|leg| leg.packets).sum::<u64>();
        lost += record.legs.iter().map(|leg| leg.lost).sum::<u64>();
    }
    let xruns = web::metric(site.web(), "ringside_pcm_xruns_total");
    println!("{calls} calls, 0 failed, {xruns} xruns, {packets} packets, {lost} lost or late");
    println!("recordings: {worst_ms} ms between recorded and bridged time at worst");
    assert!(worst_ms <= 20, "{worst_ms} ms");
    assert!(xruns.abs() < 0.5, "{xruns} xruns");
    assert_eq!(process::verify(site), None);
}

#[test]
fn twenty_four_calls_at_once_with_churn() {
    let minutes = if std::env::var_os("RINGSIDE_LONG").is_some() { 10.0 } else { 0.5 };
    let time = Duration::from_secs_f64(60.0 * minutes);
    let site = Site::sim24();
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let (started, placed) = (Instant::now(), Mutex::new(0));
    std::thread::scope(|scope| {
        for group in 0..PHONES {
            let (site, provider, placed) = (&site, &provider, &placed);
            scope.spawn(move || {
                for call in 0.. {
                    // Calls of 4 to 9 s, so that they come and go one by one.
                    let length = Duration::from_millis(4000 + (group * 211 + call * 1723) as u64 % 5000);
                    if started.elapsed() >= time {
                        break;
                    }
                    talk(provider, site, group, call, length);
                    *placed.lock().unwrap() += 1;
                }
            });
        }
    });
    println!("{:?}, RSS {} kB", started.elapsed(), process.rss_kb());
    check(&site, placed.into_inner().unwrap());
}

#[test]
fn memory_is_flat_over_two_hundred_calls() {
    // Until the caches are full, and as many calls ended as are remembered for a minute: 336 calls.
    const WARM_UP_ROUNDS: usize = 14;
    const ROUNDS: usize = WARM_UP_ROUNDS + 9;
    // The index's page cache, 8 MiB, is still filling: 18 kB a call were measured.
    const MOST_GROWTH_KB: u64 = 6 * 1024;
    let site = Site::new(&[&[ANSWERS] as Group<'_>; PHONES], "");
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let mut rss_kb = Vec::new();
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            for group in 0..PHONES {
                let (site, provider) = (&site, &provider);
                scope.spawn(move || talk(provider, site, group, round, Duration::from_millis(500)));
            }
        });
        rss_kb.push(process.rss_kb());
    }
    println!("RSS in kB after each {PHONES} calls: {rss_kb:?}");
    check(&site, ROUNDS * PHONES);
    let grown = rss_kb[ROUNDS - 1].saturating_sub(rss_kb[WARM_UP_ROUNDS - 1]);
    let calls = (ROUNDS - WARM_UP_ROUNDS) * PHONES;
    println!("{grown} kB more after {calls} calls");
    assert!(grown <= MOST_GROWTH_KB, "{grown} kB more after {calls} calls: {rss_kb:?}");
}
