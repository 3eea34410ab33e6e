//! The committed tables of bench/tables are what the code does now: a change that makes audio worse shows here, and in
//! the difference that `cargo bench --bench quality -- --write` or `--bench playout -- --write` makes.

#![allow(clippy::disallowed_methods)]

#[path = "../bench/call/mod.rs"]
mod call;
#[path = "../bench/listening/mod.rs"]
mod listening;
#[path = "../bench/network/mod.rs"]
mod network;
#[path = "peers/pesq.rs"]
mod pesq;
#[path = "../bench/random/mod.rs"]
mod random;
#[path = "../bench/traces/mod.rs"]
mod traces;

use std::collections::BTreeMap;

/// Most that a score, a percentage or a depth in ms may differ.
const TOLERANCE: f64 = 0.05;

/// Rows by their label, columns by their name.
fn committed(name: &str) -> BTreeMap<String, BTreeMap<String, f64>> {
    let path = format!("{}/bench/tables/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let mut cells = line.split(',');
            let label = cells.next().unwrap().to_owned();
            let columns = names[1..].iter().map(|name| (*name).to_owned());
            (label, columns.zip(cells.map(|cell| cell.parse().unwrap())).collect())
        })
        .collect()
}

#[test]
fn late_packets_and_depth_are_those_of_the_table() {
    let table = committed("playout");
    for network in network::NETWORKS {
        let row = &table[network.name];
        let trace = traces::run(&network, network::PACKETS);
        let now = [
            ("late (%)", trace.late_percent),
            ("dropped (%)", trace.dropped_percent),
            ("mean buffer (ms)", trace.mean_buffer_ms),
            ("late at fixed 40 ms (%)", trace.fixed_late_percent[0]),
            ("late at fixed 100 ms (%)", trace.fixed_late_percent[2]),
        ];
        for (column, now) in now {
            // The table has one or two digits behind the point.
            assert!((row[column] - now).abs() <= TOLERANCE + 0.01, "{} {column}: {now}", network.name);
        }
        assert!(trace.corrections > 0.0 && trace.in_silence_percent > 80.0, "{}", network.name);
    }
    assert!(table["dsl"]["late (%)"] <= 0.5 && table["dsl"]["mean buffer (ms)"] <= 45.0);
    assert!(table["lte"]["late (%)"] <= 0.5 && table["lte"]["mean buffer (ms)"] <= 110.0);
}

#[test]
fn speech_after_losses_scores_as_in_the_table() {
    let (table, speech) = (committed("quality"), listening::speech());
    for (loss, jitter_ms) in [(5, 0), (3, 40)] {
        let then = table[&format!("{loss} %")][&format!("jitter {jitter_ms} ms (PESQ)")];
        let now = listening::ours(&speech, loss, jitter_ms);
        assert!((then - now).abs() <= TOLERANCE, "{loss} % {jitter_ms} ms: {now}, in the table {then}");
    }
    for (loss, least) in [("1 %", 4.25), ("3 %", 3.80), ("5 %", 3.60), ("10 %", 3.10)] {
        let row = &table[loss];
        assert!(
            row["jitter 0 ms (PESQ)"] >= least
                && row["jitter 0 ms (PESQ)"] >= row["spandsp (PESQ)"] - TOLERANCE,
            "{loss}"
        );
    }
}
