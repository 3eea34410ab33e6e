//! The tables behind the README's pictures: the figures of this run, beside those that were measured for other
//! programs earlier and are quoted, and say so.

use crate::{SIZES, SPLIT_AT, row::Row};
use std::{fmt::Write as _, fs};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables");
const COMMAND: &str = "# cargo bench --bench rtp_path -- --write";
const SAME_RUN: &str = "same run";
const QUOTED: &str = "quoted: measured earlier on x86-64";

/// Instructions, system calls and heap calls per packet and CPU time against a bare loop, as measured earlier with
/// recording to WAV or pcap where the program has it; the best figure where several were measured.
const PEERS: [(&str, [Option<f64>; 4]); 4] = [
    ("rtpengine (relay)", [Some(5_900.0), Some(3.6), Some(0.0), Some(2.0)]),
    ("pjsua + WAV", [Some(16_900.0), Some(7.6), None, Some(2.4)]),
    ("baresip + WAV", [None, Some(8.5), Some(11.0), Some(6.7)]),
    ("Asterisk + MixMonitor", [Some(18_000.0), Some(16.6), Some(2.1), Some(7.8)]),
];

/// Writes both tables.
pub(crate) fn write(rows: &[Row]) {
    let files = [("rtp.csv", costs(rows)), ("rtp_cpu.csv", cpu(rows))];
    for (name, text) in files {
        let path = format!("{FOLDER}/{name}");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{path} cannot be written: {error}"));
    }
}

fn costs(rows: &[Row]) -> String {
    let find = |metric: String| {
        let row = rows.iter().find(|row| row.metric == metric);
        row.unwrap_or_else(|| panic!("{metric} was not measured")).value
    };
    let n = SPLIT_AT;
    let ours = [
        find(format!("instructions_per_packet_{n}")),
        find(format!("system_calls_per_packet_{n}")),
        find(format!("heap_calls_per_packet_{n}")),
        find(format!("cpu_to_bare_loop_{n}")),
    ];
    let tokio = [
        find(format!("tokio_instructions_per_pair_{n}")) / 2.0,
        find(format!("tokio_system_calls_per_packet_{n}")),
        find(format!("tokio_heap_calls_per_packet_{n}")),
        find(format!("tokio_cpu_to_bare_loop_{n}")),
    ];
    let mut text = format!(
        "# What one RTP packet of a call costs, {n} calls at once\n{COMMAND}\n\
         program,instructions (user instructions per packet),system calls (system calls per packet),\
         heap calls (heap calls per packet),CPU time (a bare recv and send loop = 1),figures\n"
    );
    line(&mut text, "ringside", ours.map(Some), SAME_RUN);
    line(&mut text, "tokio + rtp crate", tokio.map(Some), SAME_RUN);
    for (program, figures) in PEERS {
        line(&mut text, program, figures, QUOTED);
    }
    text
}

fn line(text: &mut String, program: &str, figures: [Option<f64>; 4], source: &str) {
    text.push_str(program);
    for (figure, decimals) in figures.into_iter().zip([0, 2, 2, 2]) {
        let cell = figure.map(|figure| format!("{figure:.decimals$}")).unwrap_or_default();
        // A string takes it all.
        let _ = write!(text, ",{cell}");
    }
    let _ = writeln!(text, ",{source}");
}

/// CPU time at every size.
fn cpu(rows: &[Row]) -> String {
    let find =
        |metric: String| rows.iter().find(|row| row.metric == metric).map_or(f64::NAN, |row| row.value);
    let mut text = format!(
        "# CPU time of the media thread against a bare recv and send loop, same run\n{COMMAND}\n\
         calls at once,ringside (bare loop = 1),tokio + rtp crate (bare loop = 1)\n"
    );
    for n in SIZES {
        let ours = find(format!("cpu_to_bare_loop_{n}"));
        let tokio = find(format!("tokio_cpu_to_bare_loop_{n}"));
        let _ = writeln!(text, "{n},{ours:.2},{tokio:.2}");
    }
    text
}
