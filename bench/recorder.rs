//! What a recording costs: `cargo bench --bench recorder [-- --json]`.
//!
//! The bench runs itself under valgrind with two lengths of the same two talkers and divides the difference, so that
//! start-up costs nothing: instructions (callgrind) and heap calls, libopus's own included (memcheck), per 20 ms of
//! both legs, from tap frames to finished pages and peaks.

#![allow(clippy::disallowed_methods, reason = "the talkers are files")]

#[path = "../tests/storage/mod.rs"]
mod storage;

use ringside::recording::recorder::{Output, Recorder};
use std::process::{Command, ExitCode};
use storage::{recording, speech, tags, tapped};

/// Frames of 20 ms in the shorter and the longer run; both are past the first pages.
const FRAMES: [u32; 2] = [200, 1_200];

struct Row {
    metric: &'static str,
    value: f64,
    unit: &'static str,
    goal: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--frames") {
        return record_frames(arguments[at + 1].parse().expect("a number of frames"));
    }
    let rows = [
        Row {
            metric: "instructions per 20 ms of both legs",
            value: per_frame(&["--tool=callgrind", "--callgrind-out-file=/dev/null"], "Collected : "),
            unit: "instructions",
            goal: 1_000_000.0,
        },
        Row {
            metric: "heap calls per 20 ms of both legs",
            value: per_frame(&["--tool=memcheck", "--leak-check=no"], "total heap usage: "),
            unit: "calls",
            goal: 0.0,
        },
    ];
    let json = arguments.iter().any(|argument| argument == "--json");
    rows.iter().for_each(|row| print_row(row, json));
    ExitCode::from(u8::from(rows.iter().any(|row| row.value > row.goal)))
}

fn print_row(row: &Row, json: bool) {
    let Row { metric, value, unit, goal } = row;
    let ok = value <= goal;
    if json {
        println!(
            "{{\"bench\":\"recorder\",\"metric\":\"{metric}\",\"value\":{value},\"unit\":\"{unit}\",\"goal\":{goal},\"ok\":{ok}}}"
        );
    } else {
        println!(
            "{metric:40} {value:>12.1} {unit:14} goal <= {goal:<10} {}",
            if ok { "ok" } else { "MISSED" }
        );
    }
}

/// The work that is measured: both talk all the time, the dearest case.
fn record_frames(frames: u32) -> ExitCode {
    let samples = FRAMES[1] as usize * 160;
    let leg = |name| speech(name).into_iter().cycle().take(samples).collect::<Vec<i16>>();
    let frames = &tapped(0, &leg("hts.raw"), &leg("big_dog.raw"))[..2 * frames as usize];
    let mut out = Output::with_room();
    let mut recorder = Recorder::new(recording(1), &tags(1), &mut out).expect("an encoder");
    for &frame in frames {
        recorder.push(frame);
        while recorder.step(&mut out).expect("a frame") {}
        out.clear();
    }
    recorder.finish(&mut out).expect("the end");
    ExitCode::SUCCESS
}

/// Runs this program under valgrind for both lengths; what follows `marker` is the figure of a run.
fn per_frame(tool: &[&str], marker: &str) -> f64 {
    let figure = |frames: u32| -> f64 {
        let output = Command::new("valgrind")
            .args(tool)
            .arg(std::env::current_exe().expect("our own path"))
            .args(["--frames", &frames.to_string()])
            .output()
            .expect("valgrind; install the Debian package");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, rest) = text.split_once(marker).unwrap_or_else(|| panic!("no `{marker}` in {text}"));
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        digits.replace(',', "").parse().expect("a number")
    };
    (figure(FRAMES[1]) - figure(FRAMES[0])) / f64::from(FRAMES[1] - FRAMES[0])
}
