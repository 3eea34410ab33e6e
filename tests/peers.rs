//! The real program against programs that others wrote: SIPp, baresip, spandsp, opusinfo, ffprobe, PESQ.
//!
//! Every test runs `ringside` as a process on a site of its own, on loopback. A test whose peer is not installed says
//! so and passes. `RINGSIDE_LONG=1` makes the load tests as long as the acceptance asks.

#![cfg(feature = "sim")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own clocks, files, sockets, threads"
)]

mod storage;

mod peers {
    pub(crate) mod baresip;
    pub(crate) mod flood;
    pub(crate) mod listening;
    pub(crate) mod pesq;
    pub(crate) mod placing;
    pub(crate) mod running;
    pub(crate) mod sipp;
}

use peers::{
    baresip,
    flood::{Flood, Outcome, Plan},
    listening::{above_db, find, lag, with_margins},
    pesq::pesq,
    running::{PATIENCE, RunningBox, Site},
    sipp,
};
use ringside::sim::provider::{Account, CallHandle, CallPlan, Provider, Speech};
use ringside::{audio::wav, config::Config, daemon};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const RINGSIDE: &str = env!("CARGO_BIN_EXE_ringside");

/// One box at a time: what is measured here suffers from a busy machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended<'a>(calls: &'a [Value], how: &str) -> Vec<&'a Value> {
    calls.iter().filter(|call| call["outcome"]["ended"] == how).collect()
}

#[test]
fn sipp_finds_no_fault_at_the_rate_that_the_phones_allow() {
    if !sipp::is_here() {
        return;
    }
    let _alone = alone();
    let office = "keep_audio_s = 0\n\
        [[phone]]\nport = \"PHONE4\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\nhang_up_after_s = 1.0\n\
        [[phone]]\nport = \"PHONE3\"\n\
        [[phone]]\nport = \"*\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\ntone_hz = 440.0\n";
    let site = Site::new("sim24", &["PHONE1", "PHONE2", "PHONE3", "PHONE4"], office);
    let running = site.start(RINGSIDE);
    // Each phone has its caller; the pause between two calls is the line's own, until the handset is down again.
    let number = |n: u8| format!("+1312555010{n}");
    let start = |scenario: &str, n: u8, calls: &str, every_ms: &str| {
        sipp::start(&running, scenario, &number(n), &["-m", calls, "-r", "1", "-rp", every_ms, "-d", "100"])
    };
    let first = [
        start("uac", 0, "6", "2500"),
        start("regexp", 1, "4", "4000"),
        start("cancel", 2, "6", "2000"),
        start("office_hangs_up", 3, "4", "4000"),
    ]
    .map(|mut sipp| sipp.finish());
    let second = [start("hold_and_resume", 0, "3", "6000"), start("uac_pcap", 1, "1", "1000")]
        .map(|mut sipp| sipp.finish());
    let third = start("shared_port", 1, "1", "1000").finish();
    let placed = [6, 4, 6, 4, 3, 1, 1];
    for (counts, placed) in first.iter().chain(&second).chain([&third]).zip(placed) {
        assert_eq!((counts.successful, counts.failed, counts.retransmitted), (placed, 0, 0));
    }
    let calls = running.finished_calls(RINGSIDE, 25);
    assert_eq!(calls.len(), 25);
    assert_eq!(ended(&calls, "caller_hung_up").len(), 6 + 4 + 3 + 1 + 1);
    assert_eq!(ended(&calls, "cancelled").len(), 6);
    assert_eq!(ended(&calls, "office_hung_up").len(), 4);
    let held: Vec<u64> =
        calls.iter().filter_map(|call| call["timing_ms"]["hold"].as_u64().filter(|ms| *ms > 0)).collect();
    assert!(held.len() == 3 && held.iter().all(|ms| (900..1_300).contains(ms)), "{held:?}");
    let streamed = calls.iter().filter(|call| call["legs"][0]["packets"].as_u64() > Some(200));
    assert_eq!(streamed.count(), 1, "uac_pcap sends 8 s of audio");
}

/// Nobody is at the phones of PHONE1 and PHONE2 but who answers and stays.
const TALKERS: &str = "keep_audio_s = 0\n[[phone]]\nport = \"*\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\n\
    tone_hz = 440.0\n";
const BOTH: [&str; 2] = ["+13125550100", "+13125550101"];

fn is_long() -> bool {
    std::env::var_os("RINGSIDE_LONG").is_some()
}

/// A call to each of `numbers`, answered.
fn talk(provider: &Provider, running: &RunningBox, numbers: &[&str]) -> Vec<CallHandle> {
    let place = |number: &&str| {
        let speech = Speech::Tone { hz: 1_000.0, peak: 8_000 };
        provider.place_at(running.sip, CallPlan { speech, ..CallPlan::new("+13125550199", number) })
    };
    let calls: Vec<CallHandle> = numbers.iter().map(place).collect();
    for call in &calls {
        assert!(call.wait(PATIENCE, |o| o.answered_after.is_some()).answered_after.is_some());
    }
    speak_in_time();
    calls
}

/// Gives the callers' voices real-time priority, so that what is late is late because of the box. Where that is not
/// permitted, a busy machine shows in the figures.
fn speak_in_time() {
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap();
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        if name.trim() == "provider-rtp" {
            let id = thread.file_name();
            let done = Command::new("chrt").args(["-f", "-p", "20"]).arg(id).output();
            println!("callers in real time: {}", done.is_ok_and(|output| output.status.success()));
        }
    }
}

/// Hangs up and waits for the records of these calls, the ones of the tests' provider.
fn hang_up(calls: &[CallHandle]) {
    calls.iter().for_each(CallHandle::hang_up);
    for call in calls {
        assert!(call.wait(PATIENCE, |o| o.end.is_some()).end.is_some());
    }
}

fn provider() -> Provider {
    Provider::start("127.0.0.1:0".parse().unwrap(), Account::default()).unwrap()
}

/// How many of the first `first` calls of a flood have their record, and which calls the records are of.
fn recorded(calls: &[Value], first: usize) -> usize {
    let kept: BTreeSet<&str> = calls.iter().filter_map(|call| call["sip_call_id"].as_str()).collect();
    (0..first).filter(|n| kept.contains(Flood::call_id(*n).as_str())).count()
}

fn print(name: &str, outcome: &Outcome) {
    let at = |part: f64| outcome.answered_after.get((outcome.answered_after.len() as f64 * part) as usize);
    println!(
        "{name}: finals {:?}, contradicted {}, unanswered {}, repeated {}, copies {}, sent in {:?}, answered after p50 \
         {:?}, p99 {:?}",
        outcome.finals,
        outcome.contradicted,
        outcome.unanswered,
        outcome.repeated,
        outcome.copies,
        outcome.sent_in,
        at(0.5),
        at(0.99),
    );
}

#[test]
fn a_flood_on_a_bad_path_gets_one_486_each_and_no_call_in_progress_notices() {
    let _alone = alone();
    let site = Site::new("sim", &["PHONE1", "PHONE2"], TALKERS);
    // Else the first two would be announced to those who talk.
    site.append("\n[calls]\ncall_waiting = false\n");
    let running = site.start(RINGSIDE);
    let provider = provider();
    let talks = talk(&provider, &running, &BOTH);
    let (before_kb, _) = running.memory_kb();
    let calls = if is_long() { 60_000 } else { 6_000 };
    let plan = Plan { calls, per_s: 2_000.0, lost_percent: 10, numbers: &BOTH };
    let outcome = Flood::new(running.sip).run(&plan);
    print("flood", &outcome);
    let (after_kb, peak_kb) = running.memory_kb();
    hang_up(&talks);
    let records = running.finished_calls(RINGSIDE, 242);
    println!(
        "memory {before_kb} kB before, {after_kb} kB after, {peak_kb} kB at most; {} records",
        records.len()
    );
    println!("xruns {}", running.metric("ringside_pcm_xruns_total"));
    for talked in ended(&records, "caller_hung_up") {
        println!("call in progress: {} {}", talked["recording"], talked["legs"][0]);
    }
    assert_eq!((outcome.contradicted, outcome.unanswered), (0, 0));
    assert_eq!(outcome.finals.into_iter().collect::<Vec<_>>(), [(486, calls)]);
    assert_eq!(recorded(&records, 240), 240);
    let talked = ended(&records, "caller_hung_up");
    assert_eq!(talked.len(), 2);
    for call in talked {
        assert_eq!(
            (&call["recording"]["state"], &call["recording"]["gap_ms"]),
            (&"closed".into(), &0.into())
        );
        assert_eq!(call["legs"][0]["lost"], 0);
    }
    assert_eq!(running.metric("ringside_pcm_xruns_total"), 0.0);
    // Every queue and table is bounded; a machine too busy to keep up with its disk fills them all.
    let room_kb = if is_long() { 196_608 } else { 65_536 };
    assert!(peak_kb < before_kb + room_kb, "memory grew");
}

#[test]
fn a_burst_of_240_calls_leaves_240_records() {
    let _alone = alone();
    let nobody = "keep_audio_s = 0\n";
    let running = Site::new("sim", &["PHONE1", "PHONE2"], nobody).start(RINGSIDE);
    let plan = Plan { calls: 240, per_s: 200.0, lost_percent: 0, numbers: &BOTH };
    let outcome = Flood::new(running.sip).run(&plan);
    print("burst", &outcome);
    let records = running.finished_calls(RINGSIDE, 240);
    assert_eq!((outcome.contradicted, outcome.unanswered, outcome.repeated), (0, 0, 0));
    // One call rings at each phone until its caller gives up.
    assert_eq!(outcome.finals.into_iter().collect::<Vec<_>>(), [(486, 238), (487, 2)]);
    assert_eq!((records.len(), recorded(&records, 240)), (240, 240));
    assert_eq!((ended(&records, "busy").len(), ended(&records, "cancelled").len()), (238, 2));
}

/// The recording of the only call.
fn recording(running: &RunningBox) -> (Value, PathBuf) {
    let calls = running.finished_calls(RINGSIDE, 1);
    assert_eq!(calls.len(), 1);
    let record = calls.into_iter().next().unwrap();
    let path = running.path("data").join(record["recording"]["path"].as_str().unwrap());
    (record, path)
}

#[test]
fn a_call_of_baresip_is_recorded_as_both_sides_spoke() {
    if !baresip::is_here() {
        return;
    }
    let _alone = alone();
    let (caller_said, office_said) = (storage::speech("hts1a.raw"), storage::speech("hts2a.raw"));
    let office = "keep_audio_s = 0\n[[phone]]\nport = \"PHONE1\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\n\
        say = \"office.wav\"\nsay_once = true\nsay_after_ms = 7000\nhang_up_after_s = 11.5\n";
    let site = Site::new("sim", &["PHONE1"], office);
    fs::write(site.path("office.wav"), wav::encode(&office_said)).unwrap();
    // The caller lets the recording notice pass, speaks, and is silent while the office speaks.
    let spoken = [vec![0; 24_000], caller_said.clone(), vec![0; 64_000]].concat();
    fs::write(site.path("caller.wav"), wav::encode(&spoken)).unwrap();
    let running = site.start(RINGSIDE);
    let _baresip = baresip::call(running.sip, "+13125550100", &running.path("caller.wav"));
    let (record, path) = recording(&running);
    println!("{} {}", record["recording"], record["legs"][0]);

    let (ok, text) = storage::run("opusinfo", &[path.to_str().unwrap()]);
    assert!(ok && !text.to_ascii_lowercase().contains("warning"), "{text}");
    let (ok, text) = storage::run("ffprobe", &["-v", "warning", path.to_str().unwrap()]);
    assert!(ok && text.is_empty(), "{text}");
    let trunk = &record["legs"][0];
    assert!(trunk["round_trip_ms"].as_u64().is_some_and(|ms| ms < 150), "{trunk}");
    assert!(
        trunk["far_end"]["lost"] == 0 && trunk["mos_cq"].as_f64().is_some_and(|mos| mos > 2.5),
        "{trunk}"
    );
    assert!(running.metric("ringside_rtcp_received_total") >= 2.0);
    assert_eq!(running.metric("ringside_rtcp_refused_total"), 0.0);
    let ms = |name: &str| record["recording"][name].as_i64().unwrap();
    assert!((ms("duration_ms") - ms("expected_ms")).abs() <= 20 && ms("gap_ms") == 0);

    let (caller, office) = storage::decode(&path);
    let mut legs = [("caller", &caller_said, &caller, &office), ("office", &office_said, &office, &caller)];
    for (name, said, leg, other) in &mut legs {
        let (at, likeness) = find(said, leg);
        let separation = above_db(&leg[at..at + said.len()], &other[at..at + said.len()]);
        let (said, heard) = with_margins(said, leg, at);
        let score = pesq(&said, &heard);
        println!("{name}: at {at}, likeness {likeness:.4}, separation {separation:.1} dB, PESQ {score:?}");
        assert!(at > 16_000 && separation >= 40.0 && score.is_none_or(|score| score >= 4.0));
    }
}

/// The phone's line is joined to itself without delay, so that what the caller says is on both legs at the same
/// sample of the line's clock, and must be at the same sample of the recording.
#[test]
fn what_is_on_the_line_at_one_moment_is_in_the_recording_at_one_moment() {
    let _alone = alone();
    let office = "keep_audio_s = 0\n[[phone]]\nport = \"PHONE1\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\n\
        echo = { delay_ms = 0.0, loss_db = 0.0 }\n";
    let site = Site::new("sim", &["PHONE1"], office);
    // What comes back is an echo, and would not be recorded.
    site.append("\n[[phone]]\nport = \"PHONE1\"\necho_canceller = false\n");
    let running = site.start(RINGSIDE);
    let provider = provider();
    let noise: Vec<i16> = storage::noise(3, 80_000);
    let speech = Speech::Samples(noise.into());
    let plan = CallPlan { speech, ..CallPlan::new("+13125550142", "+13125550100") };
    let plan = CallPlan { hang_up_after: Some(Duration::from_secs(6)), ..plan };
    let call = provider.place_at(running.sip, plan);
    assert!(call.wait(PATIENCE, |o| o.end.is_some()).end.is_some());
    let (_, path) = recording(&running);
    let (caller, office) = storage::decode(&path);
    let (lag, likeness) = lag(&caller[16_000..40_000], &office[16_000..40_000], 800);
    println!("the office leg is {lag} samples behind the caller leg, likeness {likeness:.4}");
    assert!(lag == 0 && likeness > 0.9);
}

/// What spandsp reads on a line; `None`, with the reason printed, if there is no spandsp.
fn read_by_spandsp(samples: &[i16]) -> Option<String> {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("caller_id_oracle_of_peers");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/caller_id.c");
    let mut compiler = Command::new("cc");
    let compiled = compiler.args(["-O1", "-o"]).arg(&program).args([source, "-lspandsp", "-lm"]).output();
    if !compiled.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no C compiler or no libspandsp-dev");
        return None;
    }
    let file = program.with_extension("raw");
    fs::write(&file, samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect::<Vec<u8>>()).unwrap();
    let output =
        Command::new(program).stdin(fs::File::open(file).unwrap()).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The daemon runs inside the test here: only its simulated office knows what was on the line.
#[test]
fn spandsp_reads_the_caller_id_between_the_first_two_bursts() {
    let _alone = alone();
    let office =
        "keep_audio_s = 20\n[[phone]]\nport = \"PHONE1\"\nanswer_after_rings = 2\nanswer_delay_ms = 1000\n";
    let site = Site::new("sim", &["PHONE1"], office);
    let config = Config::parse(&fs::read_to_string(site.configure()).unwrap(), "ringside.toml").unwrap();
    let any = Some("127.0.0.1:0".parse().unwrap());
    let options = daemon::Options {
        config,
        config_dir: site.path(""),
        config_file: None,
        data: site.path("data"),
        sip: any,
        web: any,
    };
    let running = daemon::start(options).unwrap();
    let provider = provider();
    let plan =
        CallPlan { display_name: "ANNA WEBER".to_owned(), ..CallPlan::new("+13125550142", "+13125550100") };
    let call = provider.place_at(running.sip(), plan);
    assert!(call.wait(PATIENCE, |o| o.answered_after.is_some()).answered_after.is_some());
    let phone = running.world().unwrap().lock().snapshot().swap_remove(0);
    hang_up(&[call]);
    running.stop();

    let heard_at = |at: u64| (at - phone.heard.started_at) as usize;
    let (first, second) = (phone.bursts[0].ended_at.unwrap(), phone.bursts[1].started_at);
    let pause = &phone.heard.samples[heard_at(first)..heard_at(second)];
    let sounds = |sample: &i16| sample.unsigned_abs() > 100;
    let (starts, ends) = (pause.iter().position(sounds).unwrap(), pause.iter().rposition(sounds).unwrap());
    println!("caller ID from {} ms to {} ms of a pause of {} ms", starts / 8, ends / 8, pause.len() / 8);
    assert!(starts >= 4_000 && ends < pause.len() - 800);
    let Some(text) = read_by_spandsp(pause) else { return };
    println!("{text}");
    assert!(text.contains("message 80\n") && text.contains("field 02 3125550142\n"), "{text}");
    assert!(!text.contains("field 01 12311800"), "the call came before the time of day: {text}");
    let name = text.lines().find_map(|line| line.strip_prefix("field 07 ")).unwrap();
    assert!(name.contains("ANNA"), "{name}");
}
