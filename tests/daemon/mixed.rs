//! 200 mixed calls to the real process: each has its one record with the right outcome (PRODUCT R1, R9, R19).

use crate::shared::{
    process::{self, PATIENCE, Process},
    site::{ANSWERS, Group, NOBODY, Site, UNKNOWN_NUMBER, number},
    web,
};
use ringside::{
    record::{CallRecord, Ended, Presentation, RecordingState},
    sim::provider::{Account, CallPlan, End, Provider, Speech},
};
use std::{collections::BTreeMap, thread::sleep, time::Duration};

const HANGS_UP: &str = "answer_after_rings = 1\nanswer_delay_ms = 300\nsay_after_ms = 0\ntone_hz = 1000.0\nhang_up_after_s = 1.0";
/// A phone is ready for the next call this long after the last one: CPC, a hand's reaction, the hook's debounce.
const SETTLE: Duration = Duration::from_millis(2500);
const TRACKED: usize = 200;
const ANONYMOUS_EVERY: usize = 5;

/// How a call of the mix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    CallerHangsUp,
    OfficeHangsUp,
    GivesUp,
    Missed,
    Busy,
    Unknown,
}

impl Kind {
    fn plan(self, from: &str, group: usize) -> CallPlan {
        let to = if self == Self::Unknown { UNKNOWN_NUMBER.to_owned() } else { number(group) };
        CallPlan {
            hang_up_after: (self == Self::CallerHangsUp).then_some(Duration::from_secs(1)),
            give_up_after: (self == Self::GivesUp).then_some(Duration::from_millis(400)),
            speech: Speech::Tone { hz: 440.0, peak: 8000 },
            ..CallPlan::new(from, &to)
        }
    }

    const fn end(self) -> End {
        match self {
            Self::CallerHangsUp => End::CallerHungUp,
            Self::OfficeHangsUp => End::CalleeHungUp,
            Self::GivesUp => End::Cancelled,
            Self::Missed => End::Refused(480),
            Self::Busy => End::Refused(486),
            Self::Unknown => End::Refused(404),
        }
    }

    const fn ended(self) -> Option<(Ended, u16)> {
        match self {
            Self::CallerHangsUp => Some((Ended::CallerHungUp, 200)),
            Self::OfficeHangsUp => Some((Ended::OfficeHungUp, 200)),
            Self::GivesUp => Some((Ended::Cancelled, 487)),
            Self::Missed => Some((Ended::NoAnswer, 480)),
            Self::Busy => Some((Ended::Busy, 486)),
            Self::Unknown => None,
        }
    }
}

/// What one thread of callers does, one call after the other, to one group.
struct Callers {
    group: usize,
    calls: Vec<Kind>,
}

/// 60 + 48 + 45 + 5 + 41 calls, and with the one that keeps the last phone busy 200; and 20 to nobody's number.
fn mix() -> Vec<Callers> {
    let several = |groups: std::ops::Range<usize>, calls: &[(usize, Kind)]| {
        let calls: Vec<Kind> = calls.iter().flat_map(|&(count, kind)| vec![kind; count]).collect();
        groups.map(move |group| Callers { group, calls: calls.clone() }).collect::<Vec<_>>()
    };
    let mut mix = several(0..6, &[(10, Kind::CallerHangsUp)]);
    mix.extend(several(6..12, &[(8, Kind::OfficeHangsUp)]));
    mix.extend(several(12..17, &[(5, Kind::GivesUp), (1, Kind::Missed), (4, Kind::GivesUp)]));
    mix.extend(several(17..18, &[(41, Kind::Busy), (20, Kind::Unknown)]));
    mix
}

fn office() -> Vec<Group<'static>> {
    let mut groups: Vec<Group<'static>> = vec![&[ANSWERS]; 6];
    groups.extend([&[HANGS_UP] as Group<'static>; 6]);
    groups.extend([&[NOBODY] as Group<'static>; 5]);
    groups.push(&[ANSWERS]);
    groups
}

/// The calling number of a group's n-th call; nobody else has it.
fn from(group: usize, call: usize) -> String {
    format!("+13126{:06}", group * 1000 + call)
}

/// Places the calls; what each calling number expects of its record.
fn place(site: &Site, provider: &Provider, callers: &Callers) -> Vec<(String, Kind, bool)> {
    let mut placed = Vec::new();
    for (index, &kind) in callers.calls.iter().enumerate() {
        let from = from(callers.group, index);
        let anonymous = kind == Kind::CallerHangsUp && index % ANONYMOUS_EVERY == 0;
        let plan = CallPlan { anonymous, ..kind.plan(&from, callers.group) };
        let outcome = provider.place_at(site.sip(), plan).wait(PATIENCE, |_| false);
        assert_eq!(outcome.end, Some(kind.end()), "{kind:?} call from {from}: {:?}", outcome.statuses);
        placed.push((from, kind, anonymous));
        if !matches!(kind, Kind::Busy | Kind::Unknown) {
            sleep(SETTLE);
        }
    }
    placed
}

#[test]
fn two_hundred_mixed_calls_have_exactly_their_records() {
    let site = Site::new(&office(), "[calls]\nring_timeout_s = 5\ncall_waiting = false\n");
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let holder = provider.place_at(site.sip(), CallPlan::new("+13127000000", &number(17)));
    assert!(holder.wait(PATIENCE, |call| call.answered_after.is_some()).answered_after.is_some());
    let mut expected = std::thread::scope(|scope| {
        let mix: Vec<Callers> = mix();
        let placing: Vec<_> = mix
            .into_iter()
            .map(|callers| {
                scope.spawn({
                    let (site, provider) = (&site, &provider);
                    move || place(site, provider, &callers)
                })
            })
            .collect();
        placing.into_iter().flat_map(|placed| placed.join().unwrap()).collect::<Vec<_>>()
    });
    holder.hang_up();
    expected.push(("+13127000000".to_owned(), Kind::CallerHangsUp, false));
    let records = process::closed_calls(&site, TRACKED);
    check_records(&records, &expected);
    check_pages(&site, &records, expected.len());
    assert_eq!(process::verify(&site), None);
    drop(process);
    assert_eq!(process::calls(&site), records, "the records are the same without the daemon");
}

fn check_records(records: &[CallRecord], expected: &[(String, Kind, bool)]) {
    assert_eq!(records.len(), TRACKED);
    let mut seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=TRACKED as u64).collect::<Vec<_>>(), "each number once, none left out");
    for (from, kind, _) in expected.iter().filter(|(_, _, anonymous)| !anonymous) {
        let of_caller: Vec<&CallRecord> = records
            .iter()
            .filter(|r| r.customer_phone_number.as_ref().is_some_and(|n| n.to_string() == *from))
            .collect();
        let outcomes: Vec<_> =
            of_caller.iter().map(|r| (r.outcome.ended, r.outcome.sip_status.unwrap())).collect();
        assert_eq!(outcomes, Vec::from_iter(kind.ended()), "{kind:?} call from {from}");
    }
    let anonymous: Vec<&CallRecord> = records
        .iter()
        .filter(|record| record.customer_number_presentation == Presentation::Restricted)
        .collect();
    assert_eq!(anonymous.len(), expected.iter().filter(|(_, _, anonymous)| *anonymous).count());
    for record in anonymous {
        assert_eq!(
            (record.outcome.ended, record.recording.state),
            (Ended::CallerHungUp, RecordingState::Closed)
        );
        let text = serde_json::to_string(record).unwrap();
        assert!(!text.contains("3126000") && !text.contains("312600"), "a withheld number is in {text}");
    }
    for record in records {
        let talked = matches!(record.outcome.ended, Ended::CallerHungUp | Ended::OfficeHungUp);
        assert_eq!(record.answered, talked);
        assert_eq!(record.recording.state == RecordingState::Closed, talked, "{record:#?}");
        let busy = record.outcome.ended == Ended::Busy;
        assert_eq!(record.outcome.why.as_deref(), busy.then_some("all_ports_busy"));
    }
}

fn check_pages(site: &Site, records: &[CallRecord], invites: usize) {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        let name = match record.outcome.ended {
            Ended::CallerHungUp => "caller_hung_up",
            Ended::OfficeHungUp => "office_hung_up",
            Ended::Cancelled => "cancelled",
            Ended::NoAnswer => "no_answer",
            Ended::Busy => "busy",
            other => panic!("no call ends as {other:?}"),
        };
        *ends.entry(name).or_default() += 1;
    }
    println!("{ends:?}");
    for (name, count) in ends {
        let series = format!("ringside_calls_total{{ended=\"{name}\"}}");
        assert_eq!(web::metric(site.web(), &series), count as f64, "{series}");
    }
    let counted = || web::metric(site.web(), "ringside_invites_total") == invites as f64;
    assert!(process::eventually(Duration::from_secs(5), counted).is_some(), "{invites} INVITEs were sent");
    let packets: u64 = records.iter().flat_map(|record| &record.legs).map(|leg| leg.packets).sum();
    assert_eq!(web::metric(site.web(), "ringside_rtp_packets_total"), packets as f64);
    assert_eq!(web::metric(site.web(), "ringside_bubbles_open"), 0.0);
    assert_eq!(web::metric(site.web(), "ringside_sip_dropped_total"), 0.0);
    let bubbles: Vec<u64> = records.iter().filter_map(|record| record.timing_ms.invite_to_bubble).collect();
    println!("INVITE to bubble, worst of {}: {} ms", bubbles.len(), bubbles.iter().max().unwrap());
    println!("xruns: {}", web::metric(site.web(), "ringside_pcm_xruns_total"));
    let (status, health) = web::get(site.web(), "/healthz").unwrap();
    assert_eq!(status, 200, "{health}");
    for thread in ["signalling", "media", "line-io", "storage", "web"] {
        assert!(health.contains(&format!("\"{thread}\":{{\"status\":\"ok\"")), "{thread} in {health}");
    }
}
