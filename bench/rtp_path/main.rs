//! What a call costs the media thread: instructions, heap calls, system calls, and CPU time beside the bare loop of
//! `recv` and `send` and beside the same job on tokio, over loopback sockets.
//!
//! The unit is the pair: one packet of 20 ms in and one out, two ticks of the line's clock. The far side runs between
//! the ticks on the same thread and is not counted: instructions are collected inside [`cost::counted`] only, and the
//! thread's CPU clock is read around it. `cargo bench --bench rtp_path -- --json` prints one object for each figure;
//! `-- --write` also writes `bench/tables/rtp.csv` and `bench/tables/rtp_cpu.csv`.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench is an edge: it has sockets and files of its own"
)]

mod bare;
mod cost;
#[path = "../count/mod.rs"]
mod count;
mod far_side;
#[path = "../heap/mod.rs"]
mod heap;
mod ours;
#[path = "../row/mod.rs"]
mod row;
mod tables;
mod tokio_peer;

use bare::Bare;
use ours::{Calls, Work};
use row::Row;
use std::process::Command;
use tokio_peer::TokioCalls;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Calls at once.
const SIZES: [usize; 4] = [1, 8, 24, 200];
/// The size whose instructions are split into their parts, and at which the peer's are counted.
const SPLIT_AT: usize = 24;
/// The size at which everything that a call has is counted.
const EVERYTHING_AT: usize = 8;
/// Interleaved rounds of the CPU comparison.
const ROUNDS: usize = 15;
/// Pairs of the shorter and the longer run whose difference is counted, so that neither start nor first packets do.
const PAIRS: [usize; 2] = [20, 120];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, part, calls, pairs] = &args[..]
        && flag == "--run"
    {
        let (calls, pairs) = (calls.parse().expect("calls"), pairs.parse().expect("pairs"));
        run(part, calls, pairs);
        return;
    }
    cost::pin_to_one_core();
    let mut rows: Vec<Row> = Vec::new();
    for report in [costs, instructions] {
        for calls in SIZES {
            let fresh = report(calls);
            fresh.iter().for_each(Row::print);
            rows.extend(fresh);
        }
    }
    if args.iter().any(|arg| arg == "--write") {
        tables::write(&rows);
    }
}

fn row(metric: String, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    let value = (value * 1_000.0).round() / 1_000.0;
    // A figure lives as long as the bench.
    Row { bench: "rtp_path", metric: metric.leak(), value, unit, goal }
}

/// Heap calls, system calls and CPU time of one size.
fn costs(calls: usize) -> Vec<Row> {
    let pairs = (4_000 / calls).max(50);
    let (mut ours, mut bare, mut tokio) =
        (Calls::new(calls, Work::Tap), Bare::new(calls), TokioCalls::new(calls));
    ours.run(pairs);
    bare.run(pairs);
    tokio.run(pairs);
    let warm_system = ours.sockets.system_calls;
    let warm_heap = [ours.cost.heap_calls, tokio.cost.heap_calls];
    let (mut ratios, mut tokio_ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = [ours.cost.cpu_ns, bare.cost.cpu_ns, tokio.cost.cpu_ns];
        ours.run(pairs);
        bare.run(pairs);
        tokio.run(pairs);
        let floor = bare.cost.cpu_ns - before[1];
        ratios.push((ours.cost.cpu_ns - before[0]) / floor);
        tokio_ratios.push((tokio.cost.cpu_ns - before[2]) / floor);
    }
    let packets = (2 * calls * pairs * ROUNDS) as f64;
    let heap_calls = [ours.cost.heap_calls - warm_heap[0], tokio.cost.heap_calls - warm_heap[1]];
    let [heap_calls, tokio_heap_calls] = heap_calls.map(|calls| calls as f64 / packets);
    // One wait for the card serves all calls.
    let system_calls = (ours.sockets.system_calls - warm_system + (2 * pairs * ROUNDS) as u64) as f64;
    let mut everything = Calls::new(calls, Work::Everything);
    everything.run(pairs);
    let warm_everything = everything.cost.heap_calls;
    everything.run(4 * pairs);
    let everything_heap_calls =
        (everything.cost.heap_calls - warm_everything) as f64 / (2 * calls * 4 * pairs) as f64;
    let most_system_calls = if calls == 1 { 3.1 } else { 2.5 };
    let most_to_bare = (calls <= 24).then_some(1.25);
    vec![
        row(format!("heap_calls_per_packet_{calls}"), heap_calls, "heap calls", Some(0.0)),
        row(
            format!("everything_heap_calls_per_packet_{calls}"),
            everything_heap_calls,
            "heap calls",
            Some(0.0),
        ),
        row(
            format!("system_calls_per_packet_{calls}"),
            system_calls / packets,
            "syscalls",
            Some(most_system_calls),
        ),
        row(format!("cpu_to_bare_loop_{calls}"), median(ratios), "ratio", most_to_bare),
        row(format!("tokio_cpu_to_bare_loop_{calls}"), median(tokio_ratios), "ratio", None),
        row(format!("tokio_heap_calls_per_packet_{calls}"), tokio_heap_calls, "heap calls of the peer", None),
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Instructions of one size without and with the tap, and at [`SPLIT_AT`] their parts and the peer's.
fn instructions(calls: usize) -> Vec<Row> {
    let unit = "instructions";
    let bare = instructions_per_pair("bare", calls);
    let bridged = instructions_per_pair("bridged", calls) - bare;
    let tapped = instructions_per_pair("tapped", calls) - bare;
    // A period of the card costs some 150 instructions of its own, which a single call bears alone: no goal there.
    let goal = |most| (calls >= 8).then_some(most);
    let mut rows = vec![
        row(format!("instructions_per_pair_{calls}"), bridged, unit, goal(2_300.0)),
        row(format!("instructions_per_packet_{calls}"), bridged / 2.0, unit, goal(1_200.0)),
        row(format!("tap_instructions_per_pair_{calls}"), tapped - bridged, unit, None),
    ];
    if calls == EVERYTHING_AT {
        let everything = instructions_per_pair("everything", calls) - bare;
        rows.push(row(format!("everything_instructions_per_pair_{calls}"), everything, unit, None));
    }
    if calls == SPLIT_AT {
        let codec = instructions_per_pair("codec", calls);
        let tokio = instructions_per_pair("tokio", calls) - bare;
        rows.extend([
            row("codec_instructions_per_pair".to_owned(), codec, unit, None),
            row("other_instructions_per_pair".to_owned(), bridged - codec, unit, Some(250.0)),
            row("bare_loop_instructions_per_pair".to_owned(), bare, unit, None),
            row(format!("tokio_instructions_per_pair_{calls}"), tokio, "instructions of the peer", None),
            row(
                format!("tokio_system_calls_per_packet_{calls}"),
                tokio_system_calls_per_packet(calls),
                "syscalls of the peer",
                None,
            ),
        ]);
    }
    rows
}

/// One run under callgrind or strace.
fn run(part: &str, calls: usize, pairs: usize) {
    match part {
        "bare" => Bare::new(calls).run(pairs),
        "everything" => Calls::new(calls, Work::Everything).run(pairs),
        "tapped" => Calls::new(calls, Work::Tap).run(pairs),
        "bridged" => Calls::new(calls, Work::Bridge).run(pairs),
        "codec" => ours::codec(calls, pairs),
        "tokio" => TokioCalls::new(calls).run(pairs),
        _ => eprintln!("no such part: {part}"),
    }
}

fn instructions_per_pair(part: &str, calls: usize) -> f64 {
    let text = calls.to_string();
    let [few, many] = PAIRS.map(|pairs| pairs.to_string());
    let more = (PAIRS[1] - PAIRS[0]) * calls;
    let args = |pairs| ["--run", part, &text, pairs];
    count::instructions_in("*counted*", &args(&few), &args(&many), more as u64).expect("callgrind")
}

/// What strace counts without the far side: for each call one packet sent, one received, one found missing. (The
/// thread's own clock is read without a system call or inside the count; it is left out by name.)
fn tokio_system_calls_per_packet(calls: usize) -> f64 {
    let [few, many] = PAIRS.map(|pairs| system_calls(calls, pairs));
    let more = (PAIRS[1] - PAIRS[0]) * calls;
    ((many - few) as f64 - 3.0 * more as f64) / (2 * more) as f64
}

fn system_calls(calls: usize, pairs: usize) -> u64 {
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=!clock_gettime", "-o", "/dev/stdout"])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--run", "tokio", &calls.to_string(), &pairs.to_string()])
        .output()
        .expect("strace is installed");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains('(')).count() as u64
}
