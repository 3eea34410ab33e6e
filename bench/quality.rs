//! What lost and jittered packets sound like: P.862 scores of recorded speech through the patch bay, beside spandsp's
//! concealment and silence on the same losses.
//!
//! Without arguments only the rows without jitter are made. `-- --write` writes the whole table.

#![allow(clippy::disallowed_methods, reason = "a bench is an edge: it has files of its own")]

mod call;
mod listening;
#[path = "../tests/peers/pesq.rs"]
mod pesq;
mod random;
mod row;
mod yardstick;

use row::Row;
use std::fmt::Write;

/// Lost packets in percent.
const LOSSES: [u32; 5] = [0, 1, 3, 5, 10];
/// Greatest extra delay of a packet in ms; any from none to this is as likely.
const JITTERS_MS: [u32; 4] = [0, 20, 40, 80];
/// Loss in percent, and the least score.
const GOALS: [(u32, f64); 4] = [(1, 4.25), (3, 3.80), (5, 3.60), (10, 3.10)];
/// How much worse than spandsp we may be.
const TOLERANCE: f64 = 0.05;

fn main() {
    if std::env::args().any(|arg| arg == "--write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables/quality.csv");
        std::fs::write(path, table()).expect("the table can be written");
        return;
    }
    let speech = listening::speech();
    for (loss, least) in GOALS {
        let (ours, spandsp) = (listening::ours(&speech, loss, 0), yardstick::spandsp(&speech, loss));
        let rows = [
            ("pesq", ours, None),
            ("pesq_spandsp", spandsp, None),
            ("pesq_zero_fill", yardstick::zero_fill(&speech, loss), None),
            ("pesq_below_goal", (least - ours).max(0.0), Some(0.0)),
            ("pesq_below_spandsp", (spandsp - TOLERANCE - ours).max(0.0), Some(0.0)),
        ];
        for (what, value, goal) in rows {
            let metric = format!("{what}_at_{loss}_percent");
            Row { bench: "quality", metric: metric.leak(), value, unit: "MOS", goal }.print();
        }
    }
}

/// The table as it is committed.
fn table() -> String {
    let mut table = String::from(
        "# Recorded speech by lost packets and jitter, and what others make of the same losses without jitter\n\
         # cargo bench --bench quality -- --write\n\
         loss,jitter 0 ms (PESQ),jitter 20 ms (PESQ),jitter 40 ms (PESQ),jitter 80 ms (PESQ),spandsp (PESQ),zero-fill (PESQ)\n",
    );
    let speech = listening::speech();
    for loss in LOSSES {
        let _ = write!(table, "{loss} %");
        for jitter_ms in JITTERS_MS {
            let _ = write!(table, ",{:.2}", listening::ours(&speech, loss, jitter_ms));
        }
        let _ = writeln!(
            table,
            ",{:.2},{:.2}",
            yardstick::spandsp(&speech, loss),
            yardstick::zero_fill(&speech, loss)
        );
    }
    table
}
