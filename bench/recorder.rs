//! What a recording costs: `cargo bench --bench recorder [-- --json]`.
//!
//! The bench runs itself under valgrind with two lengths of the same two talkers and divides the difference, so that
//! start-up costs nothing: instructions (callgrind) and heap calls, libopus's own included (memcheck), per 20 ms of
//! both legs, from tap frames to finished pages and peaks. The goal is for a conversation; both talking all the time
//! is the dearest there is.

#![allow(clippy::disallowed_methods, reason = "the talkers are files")]

#[path = "../tests/storage/mod.rs"]
mod storage;

use ringside::recording::recorder::{Output, Recorder};
use std::process::{Command, ExitCode};
use storage::{noise, recording, speech, tags, tapped};

/// Frames of 20 ms in the shorter and the longer run; both are past the first pages.
const FRAMES: [u32; 2] = [200, 1_200];

/// Who talks.
#[derive(Clone, Copy)]
enum Talk {
    /// One after the other, 3 s each, over a quiet room.
    Turns,
    /// Both, all the time.
    Both,
}

impl Talk {
    fn named(name: &str) -> Option<Self> {
        [Self::Turns, Self::Both].into_iter().find(|talk| talk.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Turns => "--turns",
            Self::Both => "--both",
        }
    }

    /// Whether a talker is silent at a sample.
    fn is_quiet(self, first: bool, sample: usize) -> bool {
        match self {
            Self::Turns => (sample / 24_000).is_multiple_of(2) != first,
            Self::Both => false,
        }
    }
}

struct Row {
    metric: &'static str,
    value: f64,
    unit: &'static str,
    goal: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [.., talk, frames] = &arguments[..]
        && let Some(talk) = Talk::named(talk)
    {
        return record_frames(talk, frames.parse().expect("a number of frames"));
    }
    let instructions =
        |talk| per_frame(talk, &["--tool=callgrind", "--callgrind-out-file=/dev/null"], "Collected : ");
    let heap_calls = |talk| per_frame(talk, &["--tool=memcheck", "--leak-check=no"], "total heap usage: ");
    let row = |metric, value, unit, goal| Row { metric, value, unit, goal };
    let rows = [
        row("conversation, per 20 ms of both legs", instructions(Talk::Turns), "instructions", 1_000_000.0),
        row("both talk, per 20 ms of both legs", instructions(Talk::Both), "instructions", 1_100_000.0),
        row("both talk, per 20 ms of both legs", heap_calls(Talk::Both), "heap calls", 0.0),
    ];
    let json = arguments.iter().any(|argument| argument == "--json");
    rows.iter().for_each(|row| print_row(row, json));
    ExitCode::SUCCESS
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

/// The work that is measured.
fn record_frames(talk: Talk, frames: u32) -> ExitCode {
    let samples = FRAMES[1] as usize * 160;
    let room: Vec<i16> = noise(1, samples).iter().map(|sample| sample / 128).collect();
    let leg = |name, first| -> Vec<i16> {
        let voice = speech(name).into_iter().cycle().zip(&room).enumerate();
        let heard = |(at, (voice, &room)): (usize, (i16, &i16))| {
            if talk.is_quiet(first, at) { room } else { voice.saturating_add(room) }
        };
        voice.map(heard).collect()
    };
    let frames = &tapped(0, &leg("hts.raw", true), &leg("big_dog.raw", false))[..2 * frames as usize];
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
fn per_frame(talk: Talk, tool: &[&str], marker: &str) -> f64 {
    let figure = |frames: u32| -> f64 {
        let output = Command::new("valgrind")
            .args(tool)
            .arg(std::env::current_exe().expect("our own path"))
            .args([talk.name(), &frames.to_string()])
            .output()
            .expect("valgrind; install the Debian package");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, rest) = text.split_once(marker).unwrap_or_else(|| panic!("no `{marker}` in {text}"));
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        digits.replace(',', "").parse().expect("a number")
    };
    (figure(FRAMES[1]) - figure(FRAMES[0])) / f64::from(FRAMES[1] - FRAMES[0])
}
