//! How much of a call comes too late, and how long the rest waits, on four kinds of network; beside it what buffers of
//! fixed depth lose on the same packets.
//!
//! A packet is late if it was not there when it was due, whether it was dropped or waited for. The buffer is the time
//! from the arrival of the quickest packets to their playout. `-- --write` writes the table.

#![allow(clippy::disallowed_methods, reason = "a bench is an edge: it has files of its own")]

mod call;
mod network;
mod random;
mod row;
mod traces;

use row::Row;
use std::fmt::Write;

fn main() {
    if std::env::args().any(|arg| arg == "--write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables/playout.csv");
        std::fs::write(path, table()).expect("the table can be written");
        return;
    }
    for network in network::NETWORKS {
        let trace = traces::run(&network, network::PACKETS);
        // The goals name two of the networks; the others are watched.
        let (late, buffer) = match network.name {
            "dsl" => (Some(0.5), Some(45.0)),
            "lte" => (Some(0.5), Some(110.0)),
            _ => (None, None),
        };
        let rows = [
            ("late", "percent", trace.late_percent, late),
            ("dropped", "percent", trace.dropped_percent, None),
            ("mean_buffer", "ms", trace.mean_buffer_ms, buffer),
            ("corrections", "corrections", trace.corrections, None),
            ("corrections_in_silence", "percent", trace.in_silence_percent, None),
            ("fixed_40_late", "percent", trace.fixed_late_percent[0], None),
            ("fixed_60_late", "percent", trace.fixed_late_percent[1], None),
            ("fixed_100_late", "percent", trace.fixed_late_percent[2], None),
        ];
        for (what, unit, value, goal) in rows {
            let metric = format!("{what}_{}", network.name);
            Row { bench: "playout", metric: metric.leak(), value, unit, goal }.print();
        }
    }
}

/// The table as it is committed.
fn table() -> String {
    let mut table = String::from(
        "# Late packets and mean playout buffer on four networks\n# cargo bench --bench playout -- --write\n\
         network,late (%),dropped (%),mean buffer (ms),late at fixed 40 ms (%),late at fixed 60 ms (%),late at fixed 100 ms (%)\n",
    );
    for network in network::NETWORKS {
        let trace = traces::run(&network, network::PACKETS);
        let [forty, sixty, hundred] = trace.fixed_late_percent;
        let _ = writeln!(
            table,
            "{},{:.2},{:.2},{:.1},{forty:.2},{sixty:.2},{hundred:.2}",
            network.name, trace.late_percent, trace.dropped_percent, trace.mean_buffer_ms
        );
    }
    table
}
