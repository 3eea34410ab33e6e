//! Every check with at least one case that passes and one that does not.

use super::*;
use crate::status::{Battery, Fault, Lifeline, LineState, SyncState, TrunkState, made_up};

/// A site where all is well, with the box running.
fn good() -> Evidence {
    let address = |what, port| AddressUse {
        what,
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        taken: Some("address in use".to_owned()),
    };
    Evidence {
        config_file: "ringside.toml".to_owned(),
        config: Ok("1 trunk".to_owned()),
        board: Ok("sim: 2 phones, 2 lines".to_owned()),
        data_dir: "data".to_owned(),
        data_writable: Ok(()),
        disk: Some(Disk { free_bytes: 8 << 30, total_bytes: 16 << 30 }),
        addresses: vec![address("SIP", 5060), address("page", 8480)],
        now: made_up::NOW,
        running: Ok(made_up::idle()),
    }
}

type Spoil = fn(&mut Evidence);

fn inside(evidence: &mut Evidence) -> &mut BoxStatus {
    evidence.running.as_mut().unwrap()
}

/// Check, what is done to a good site, verdict. A row that is not in here has no case.
const CASES: [(&str, Spoil, Verdict); 45] = [
    ("config", |_| {}, Verdict::Pass),
    ("config", |site| site.config = Err("line 3: unknown key".to_owned()), Verdict::Fail),
    ("board", |_| {}, Verdict::Pass),
    ("board", |site| site.board = Err("profile.toml: no such file".to_owned()), Verdict::Fail),
    ("board", |site| (site.board, site.config) = (Err(String::new()), Err(String::new())), Verdict::Skip),
    ("data", |_| {}, Verdict::Pass),
    ("data", |site| site.data_writable = Err("permission denied".to_owned()), Verdict::Fail),
    ("space", |_| {}, Verdict::Pass),
    ("space", |site| site.disk = None, Verdict::Skip),
    ("space", |site| site.disk = disk(1 << 30, 16 << 30), Verdict::Warn),
    ("space", |site| site.disk = disk(63 << 20, 64 << 20), Verdict::Fail),
    ("clock", |_| {}, Verdict::Pass),
    ("clock", |site| site.now = WallTime(0), Verdict::Fail),
    ("clock", |site| site.now = WallTime(5_000_000_000_000), Verdict::Fail),
    ("addresses", |_| {}, Verdict::Pass),
    ("addresses", |site| site.addresses.clear(), Verdict::Skip),
    ("addresses", |site| site.running = Err("refused".to_owned()), Verdict::Fail),
    ("addresses", |site| site.addresses.iter_mut().for_each(|one| one.taken = None), Verdict::Warn),
    ("running", |_| {}, Verdict::Pass),
    ("running", |site| site.running = Err("refused".to_owned()), Verdict::Fail),
    ("trunk", |_| {}, Verdict::Pass),
    ("trunk", |site| inside(site).trunks[0].state = TrunkState::Peer, Verdict::Pass),
    ("trunk", |site| inside(site).trunks[0].state = TrunkState::Trying, Verdict::Warn),
    ("trunk", |site| inside(site).trunks[0].state = TrunkState::Unreachable, Verdict::Fail),
    ("trunk", |site| inside(site).trunks[0].state = forbidden(), Verdict::Fail),
    ("trunk", |site| inside(site).trunks.clear(), Verdict::Fail),
    ("battery", |_| {}, Verdict::Pass),
    ("battery", |site| inside(site).lines[1].battery = Some(Battery::Absent), Verdict::Warn),
    ("battery", |site| inside(site).lines[1].battery = Some(Battery::Shared), Verdict::Warn),
    ("battery", |site| all_lines(site, Some(Battery::Absent)), Verdict::Fail),
    ("battery", |site| all_lines(site, None), Verdict::Skip),
    ("chips", |_| {}, Verdict::Pass),
    ("chips", |site| inside(site).phones[1].chip_up = Some(false), Verdict::Fail),
    ("line_health", |_| {}, Verdict::Pass),
    ("line_health", |site| score(site, 69), Verdict::Warn),
    ("line_health", |site| score(site, 39), Verdict::Fail),
    ("faults", |_| {}, Verdict::Pass),
    ("faults", |site| fault(site, 3_599), Verdict::Warn),
    ("faults", |site| fault(site, 3_600), Verdict::Pass),
    ("media", |site| inside(site).media.xruns = 4, Verdict::Pass),
    ("media", |site| inside(site).media.xruns = 5, Verdict::Warn),
    ("media", |site| inside(site).media.card_up = false, Verdict::Fail),
    ("threads", |_| {}, Verdict::Pass),
    ("threads", |site| inside(site).threads[1].restarts = 1, Verdict::Warn),
    ("threads", |site| inside(site).threads[1].ok = false, Verdict::Fail),
];

/// The rest of the table: one array of 70 lines is enough.
const MORE_CASES: [(&str, Spoil, Verdict); 14] = [
    ("storage", |_| {}, Verdict::Pass),
    ("storage", |site| inside(site).storage.failed_recordings = 1, Verdict::Warn),
    ("storage", |site| inside(site).storage.free_percent = Some(9), Verdict::Warn),
    ("storage", |site| inside(site).storage.ok = false, Verdict::Fail),
    ("lifeline", |_| {}, Verdict::Pass),
    ("lifeline", |site| inside(site).lifeline = None, Verdict::Skip),
    ("lifeline", |site| inside(site).lifeline = Some(Lifeline::Joined), Verdict::Fail),
    ("sync", |_| {}, Verdict::Skip),
    ("sync", |site| inside(site).sync.state = SyncState::UpToDate, Verdict::Pass),
    ("sync", |site| inside(site).sync.state = SyncState::Unreachable, Verdict::Warn),
    ("sync", |site| inside(site).sync.state = SyncState::UnknownBox, Verdict::Warn),
    ("sync", |site| inside(site).sync.state = SyncState::Refusing, Verdict::Warn),
    ("sync", |site| overdue(site), Verdict::Warn),
    ("sync", |site| inside(site).sync.site_error = Some("bad".to_owned()), Verdict::Warn),
];

const fn disk(free_bytes: u64, total_bytes: u64) -> Option<Disk> {
    Some(Disk { free_bytes, total_bytes })
}

fn forbidden() -> TrunkState {
    TrunkState::Refused { status: 403, reason: "Forbidden".to_owned() }
}

fn overdue(site: &mut Evidence) {
    let sync = &mut inside(site).sync;
    (sync.state, sync.oldest_age_ms) = (SyncState::Behind, 86_400_001);
}

fn all_lines(site: &mut Evidence, battery: Option<Battery>) {
    inside(site).lines.iter_mut().for_each(|line| line.battery = battery);
}

fn score(site: &mut Evidence, score: u8) {
    inside(site).lines[1].health.as_mut().unwrap().score = score;
}

fn fault(site: &mut Evidence, seconds_ago: u64) {
    let at = WallTime(made_up::NOW.0 - seconds_ago * 1000);
    inside(site).lines[0].last_fault = Some(Fault { text: "no loop current".to_owned(), at });
}

#[test]
fn every_check_finds_what_it_is_for() {
    for (id, spoil, verdict) in CASES.into_iter().chain(MORE_CASES) {
        let mut site = good();
        spoil(&mut site);
        let check = checks(&site).into_iter().find(|check| check.id == id).unwrap();
        assert_eq!(check.verdict, verdict, "{check:?}");
        let needs_fix = verdict >= Verdict::Warn;
        assert_eq!(check.fix.as_ref().is_some_and(|fix| !fix.is_empty()), needs_fix, "{check:?}");
        assert!(!check.found.is_empty(), "{check:?}");
    }
}

#[test]
fn every_check_has_a_case_that_passes_and_one_that_does_not() {
    for check in checks(&good()) {
        let cases = || CASES.iter().chain(&MORE_CASES).filter(|(id, ..)| *id == check.id);
        assert!(cases().any(|(.., verdict)| *verdict == Verdict::Pass), "{}", check.id);
        assert!(cases().any(|(.., verdict)| *verdict >= Verdict::Warn), "{}", check.id);
    }
}

#[test]
fn ids_and_numbers_stay() {
    let table: Vec<String> =
        checks(&good()).iter().map(|check| format!("{} {}", check.number, check.id)).collect();
    let expected = "1 config, 2 board, 3 data, 4 space, 5 clock, 6 addresses, 7 running, 8 trunk, 9 battery, \
                    10 chips, 11 line_health, 12 faults, 13 media, 14 threads, 15 storage, 16 lifeline, 17 sync";
    assert_eq!(table.join(", "), expected);
}

#[test]
fn with_the_box_down_the_site_is_still_checked() {
    let mut site = good();
    site.running = Err("nobody answers".to_owned());
    site.addresses.iter_mut().for_each(|one| one.taken = None);
    let checks = checks(&site);
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    assert_eq!((of(Verdict::Pass), of(Verdict::Fail), of(Verdict::Skip)), (6, 1, 10));
}

#[test]
fn alarms_are_the_checks_of_the_running_box_and_keep_their_beginning() {
    let mut status = made_up::idle();
    assert_eq!(alarms(&status, &[]), []);
    status.storage.ok = false;
    let first = alarms(&status, &[]);
    assert_eq!((first.len(), first[0].since, first[0].severity), (1, status.at, Severity::Failure));
    let began = status.at;
    status.at.0 += 60_000;
    status.lines[0].battery = Some(Battery::Absent);
    status.lines[0].state = LineState::Down;
    let second = alarms(&status, &first);
    let codes: Vec<(&str, WallTime)> = second.iter().map(|one| (one.code.as_str(), one.since)).collect();
    assert_eq!(codes, [("storage", began), ("battery", status.at)]);
    status.storage.ok = true;
    assert_eq!(alarms(&status, &second).len(), 1, "what is over is no alarm");
}
