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

mod peers {
    pub(crate) mod running;
    pub(crate) mod sipp;
}

use peers::{running::Site, sipp};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    let placed = [6, 4, 6, 4, 3, 1];
    for (counts, placed) in first.iter().chain(&second).zip(placed) {
        assert_eq!((counts.successful, counts.failed, counts.retransmitted), (placed, 0, 0));
    }
    let calls = running.finished_calls(RINGSIDE, 24);
    assert_eq!(calls.len(), 24);
    assert_eq!(ended(&calls, "caller_hung_up").len(), 6 + 4 + 3 + 1);
    assert_eq!(ended(&calls, "cancelled").len(), 6);
    assert_eq!(ended(&calls, "office_hung_up").len(), 4);
    let held: Vec<u64> =
        calls.iter().filter_map(|call| call["timing_ms"]["hold"].as_u64().filter(|ms| *ms > 0)).collect();
    assert!(held.len() == 3 && held.iter().all(|ms| (900..1_300).contains(ms)), "{held:?}");
    let streamed = calls.iter().filter(|call| call["legs"][0]["packets"].as_u64() > Some(200));
    assert_eq!(streamed.count(), 1, "uac_pcap sends 8 s of audio");
}
