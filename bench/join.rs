//! What a phone joined with a line costs the media thread: instructions in a period of both directions, heap calls.
//!
//! Two recorded talkers talk in turns over hybrids with an echo 10 dB weaker; the hybrids are not counted.
//! `cargo bench --bench join -- --json` prints one object for each figure.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench is an edge: it reads recordings"
)]

mod count;
mod heap;
#[path = "../tests/echo/mod.rs"]
#[allow(dead_code, reason = "the line and the talkers are all that is needed")]
mod lines;
mod row;

use lines::{line::Line, recordings::talker};
use ringside::{
    audio::{fsk::Variant, line_ear::LineEar, tone_plan::TonePlan},
    id::{RtpPort, Slot},
    media::{PatchBay, RtpIo, control::Command, patch_bay::PortAudio},
    rtp::ntp::NtpTime,
};
use std::net::SocketAddr;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const BENCH: &str = "join";
const PERIOD: usize = 80;
/// Slots of the reference board's card.
const SLOTS: usize = 8;
/// Periods from which and to which instructions are counted: the cancellers know their lines by then.
const PERIODS: [&str; 2] = ["400", "1000"];
/// Periods in which one talker talks: 1 s.
const TURN: usize = 100;
/// What is counted, and the most it may be. Each direction has a canceller, converged and with a far talker half of the
/// time, and the ears of a phone and of a line.
const PARTS: [(&str, &str, Option<f64>); 3] = [
    ("instructions per joined period, no cancellers", "plain", None),
    ("instructions per joined period", "cancelled", Some(180_000.0)),
    ("instructions per joined period, both ears", "heard", None),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, part, periods] = &args[..]
        && flag == "--run"
    {
        Talk::new(part).run(periods.parse().expect("periods"));
        return;
    }
    let periods: Vec<u64> = PERIODS.iter().map(|periods| periods.parse().expect("a number")).collect();
    for (metric, part, goal) in PARTS {
        let args = PERIODS.map(|periods| ["--run", part, periods]);
        match count::instructions_in("*counted*", &args[0], &args[1], periods[1] - periods[0]) {
            Ok(value) => row::Row { bench: BENCH, metric, value, unit: "instructions", goal }.print(),
            Err(reason) => {
                eprintln!("{reason}");
                std::process::exit(1);
            }
        }
    }
    let mut talk = Talk::new("heard");
    talk.run(2_000);
    let (metric, value) = ("heap calls in 20 s of a join, both ears", talk.heap_calls as f64);
    row::Row { bench: BENCH, metric, value, unit: "heap calls", goal: Some(0.0) }.print();
}

/// Everything in here is the media thread's work; the name is known to callgrind.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
}

/// A phone on slot 0 joined with a line on slot 1.
struct Talk {
    bay: PatchBay,
    hybrids: [Line; 2],
    talkers: [Vec<f32>; 2],
    capture: Vec<i16>,
    playback: Vec<i16>,
    heap_calls: u64,
}

impl Talk {
    fn new(part: &str) -> Self {
        let audio = PortAudio { echo_canceller: part != "plain", ..PortAudio::default() };
        let bay = PatchBay::new(SLOTS, 0).with_port(Slot(0), audio).with_port(Slot(1), audio);
        let mut talk = Self {
            bay,
            hybrids: ["D5", "D3"].map(|path| Line::new(path, 10.0, 0)),
            talkers: ["hts", "kristoff"].map(|name| talker(name, TURN * PERIOD)),
            capture: vec![0; SLOTS * PERIOD],
            playback: vec![0; SLOTS * PERIOD],
            heap_calls: 0,
        };
        talk.command(Command::Join { phone: Slot(0), line: Slot(1) });
        if part == "heard" {
            talk.command(Command::Listen { slot: Slot(0), ear: Box::new(LineEar::for_phone()) });
            let ear = Box::new(LineEar::for_line(TonePlan::north_america(), Variant::Bell202));
            talk.command(Command::Listen { slot: Slot(1), ear });
        }
        talk
    }

    fn command(&mut self, command: Command) {
        self.bay.handle(command, 0, &mut drop);
    }

    fn run(&mut self, periods: usize) {
        for n in 0..periods {
            for end in 0..2 {
                let far: Vec<f32> = self.playback.chunks(SLOTS).map(|frame| f32::from(frame[end])).collect();
                let is_talking = n / TURN % 2 == end;
                let words = &self.talkers[end][n % TURN * PERIOD..][..PERIOD];
                let near = if is_talking { words } else { &[0.0; PERIOD] };
                let said = self.hybrids[end].carry(&far, near).heard;
                self.capture.chunks_mut(SLOTS).zip(said).for_each(|(frame, sample)| frame[end] = sample);
            }
            let Self { bay, capture, playback, .. } = self;
            let clock = (n * PERIOD) as u64;
            self.heap_calls +=
                heap::calls(|| counted(|| bay.tick(clock, capture, playback, &mut NoSockets, &mut drop)));
        }
    }
}

/// A join has no packets.
struct NoSockets;

impl RtpIo for NoSockets {
    fn receive(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        None
    }

    fn send(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}

    fn receive_control(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        None
    }

    fn send_control(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}

    fn now(&self) -> NtpTime {
        NtpTime::default()
    }
}
