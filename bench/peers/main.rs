//! What a recorded call costs in CPU time per RTP packet: the real program beside baresip and rtpengine, live, in one
//! interleaved run on this machine.
//!
//! `cargo bench --bench peers [-- --json] [--install] [--rounds N] [--seconds N] [--write]`. Each program takes the same
//! number of calls from the same load and records both directions; then each in turn carries the load while the
//! scheduler's account of its threads is read before and after. A packet is one that we sent to the program or
//! received from it. What differs is said in the metrics' names and below:
//!
//! - ringside decodes and encodes G.711, bridges to a simulated sound card through libasound, and records Opus. `media`
//!   is the thread that carries the audio, its part of libasound included; `media_storage` adds the thread that encodes
//!   and writes; `without_card` is the whole process but the thread that plays the sound card and the phones (the
//!   simulated line chips stay in: they run on the product's own thread).
//! - baresip decodes and encodes G.711, plays a WAV file and dumps both directions as WAV, without an audio player. Whole
//!   process. No encoding but G.711.
//! - rtpengine forwards between two sides in user space and writes pcap files: no decoding, no playout, no encoding. Whole
//!   process. A call is two streams in and two out here, so it carries twice the packets of the others.
//!
//! A program that is not installed is a row that says so; `--install` installs both from Debian.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench owns clocks, sockets and processes"
)]

mod baresip;
mod load;
mod own;
#[path = "../row/mod.rs"]
mod row;
mod rtpengine;
#[path = "../../tests/peers/running.rs"]
mod running;
mod sip;
mod threads;

use load::Load;
use row::Row;
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use threads::Threads;

/// Calls at once.
const CALLS: usize = 8;
/// Rounds of which the median is taken, and the load of each; `--rounds` and `--seconds` change them.
const ROUNDS: u64 = 3;
const SECONDS: u64 = 4;
/// What the table is called.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables/peers.csv");

/// A program with its calls.
struct Program {
    name: &'static str,
    process: u32,
    load: Load,
    /// Where it writes its recordings.
    recordings: PathBuf,
    rounds: Vec<Round>,
    /// Ends the program when it is dropped.
    _running: Box<dyn Any>,
}

/// What one round cost, in nanoseconds per packet.
struct Round {
    by_thread: BTreeMap<String, f64>,
    recorded_bytes: f64,
    /// Packets that came back for each that went: 1 if no call was lost.
    out_per_in: f64,
}

impl Round {
    fn all(&self) -> f64 {
        self.by_thread.values().sum()
    }

    fn of(&self, names: &[&str]) -> f64 {
        names.iter().filter_map(|name| self.by_thread.get(*name)).sum()
    }
}

impl Program {
    fn measure(&mut self, length: Duration) {
        let (before, bytes) = (Threads::of(self.process), size_of_files(&self.recordings));
        let carried = self.load.run(length);
        let packets = (carried.sent + carried.received) as f64;
        let used = Threads::of(self.process).since(&before);
        let recorded_bytes = (size_of_files(&self.recordings) as f64 - bytes as f64) / packets;
        let by_thread = used.into_iter().map(|(name, ns)| (name, ns as f64 / packets)).collect();
        let out_per_in = carried.received as f64 / carried.sent as f64;
        self.rounds.push(Round { by_thread, recorded_bytes, out_per_in });
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

/// Why a program is not in the comparison.
enum Absent {
    /// The Debian package that has it.
    NotInstalled(&'static str),
    Failed(String),
}

fn main() {
    if asked("--install") {
        install();
    }
    let rounds = number_behind("--rounds").unwrap_or(ROUNDS);
    let length = Duration::from_secs(number_behind("--seconds").unwrap_or(SECONDS));
    let mut own =
        [own::start("ringside", CALLS, true), own::start("ringside_no_echo_canceller", CALLS, false)];
    let mut peers = Vec::new();
    let mut rows = Vec::new();
    for (name, started) in [("baresip", baresip::start(CALLS)), ("rtpengine", rtpengine::start(CALLS))] {
        match started {
            Ok(program) => peers.push(program),
            Err(why) => rows.push(absent(name, &why)),
        }
    }
    for _ in 0..rounds {
        own.iter_mut().chain(&mut peers).for_each(|program| program.measure(length));
    }
    rows.extend(own.iter().flat_map(|own| compare(own, &peers)));
    rows.extend(figures(&own[0], &peers));
    rows.iter().for_each(Row::print);
    if asked("--write") {
        write_table(&own, &peers);
    }
}

fn asked(flag: &str) -> bool {
    std::env::args().any(|argument| argument == flag)
}

fn number_behind(flag: &str) -> Option<u64> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)?.parse().ok().filter(|n| *n > 0)
}

/// Both peers from Debian.
fn install() {
    let script = ". board/sim/packages && need_packages baresip rtpengine-daemon";
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !bash.status().is_ok_and(|status| status.success()) {
        eprintln!("peers: the packages cannot be installed; going on with what is here");
    }
}

fn row(metric: String, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    let value = (value * 1_000.0).round() / 1_000.0;
    // A figure lives as long as the bench.
    Row { bench: "peers", metric: metric.leak(), value, unit, goal }
}

/// A row without a figure: the comparison goes on.
fn absent(name: &str, why: &Absent) -> Row {
    let unit = match why {
        Absent::NotInstalled(package) => {
            eprintln!("{name} is not installed; next: cargo bench --bench peers -- --install ({package})");
            "not installed"
        }
        Absent::Failed(error) => {
            eprintln!("{name} is not compared: {error}");
            "not compared"
        }
    };
    row(format!("{name}_process_ns_per_packet"), f64::NAN, unit, None)
}

/// What is compared of the product: the metric's name and the threads.
const OWN: [(&str, &[&str]); 2] = [("media", &["media"]), ("media_storage", &["media", "storage"])];
/// The thread that is the sound card and the people at the phones.
const CARD: &str = "sim-card";
/// The part of the process from which on a thread is shown alone.
const WORTH_A_ROW: f64 = 0.01;

/// The product's threads, alone and held against the peers' processes.
fn compare(own: &Program, peers: &[Program]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (metric, threads) in OWN {
        let (name, value) = (own.name, own.median(|round| round.of(threads)));
        rows.push(row(format!("{name}_{metric}_ns_per_packet"), value, "ns", None));
        for peer in peers {
            let ratio = value / peer.median(Round::all);
            rows.push(row(format!("{name}_{metric}_to_{}", peer.name), ratio, "ratio", Some(1.0)));
        }
    }
    rows
}

fn figures(own: &Program, peers: &[Program]) -> Vec<Row> {
    let mut rows = Vec::new();
    let ns = "ns";
    let without_card = own.median(|round| round.all() - round.of(&[CARD]));
    rows.push(row("ringside_without_card_ns_per_packet".to_owned(), without_card, ns, None));
    for program in [own].into_iter().chain(peers) {
        let name = program.name;
        rows.push(row(format!("{name}_process_ns_per_packet"), program.median(Round::all), ns, None));
        let bytes = program.median(|round| round.recorded_bytes);
        rows.push(row(format!("{name}_recorded_bytes_per_packet"), bytes, "bytes", None));
        let out_per_in = program.median(|round| round.out_per_in);
        rows.push(row(format!("{name}_packets_out_per_in"), out_per_in, "ratio", None));
    }
    let threads: BTreeSet<&String> = own.rounds.iter().flat_map(|round| round.by_thread.keys()).collect();
    let whole = own.median(Round::all);
    for thread in threads {
        let value = own.median(|round| round.of(&[thread]));
        if value > WORTH_A_ROW * whole {
            rows.push(row(format!("ringside_thread_{thread}_ns_per_packet"), value, ns, None));
        }
    }
    rows
}

/// The table behind the README's picture.
fn write_table(own: &[Program; 2], peers: &[Program]) {
    let [own, plain] = own;
    let us = |ns: f64| ns / 1_000.0;
    let mut lines = vec![
        format!("# CPU time per RTP packet of a recorded call, {CALLS} calls, same run"),
        "# cargo bench --bench peers -- --install --seconds 10 --write".to_owned(),
        "program,CPU time per packet (µs),what is counted".to_owned(),
        format!(
            "ringside without echo canceller,{:.1},media thread: G.711 both ways; keys; fax tones; levels; the tap",
            us(plain.median(|r| r.of(OWN[0].1)))
        ),
        format!("ringside,{:.1},the same with the echo canceller", us(own.median(|r| r.of(OWN[0].1)))),
        format!(
            "ringside + encoder,{:.1},media and storage threads: Opus of both legs",
            us(own.median(|r| r.of(OWN[1].1)))
        ),
    ];
    let said = [
        ("baresip", "process: G.711 both ways and two WAV files"),
        ("rtpengine", "process: forwards and writes pcap"),
    ];
    for peer in peers {
        let what = said.iter().find(|(name, _)| *name == peer.name).map_or("", |(_, what)| what);
        lines.push(format!("{},{:.1},{what}", peer.name, us(peer.median(Round::all))));
    }
    fs::write(TABLE, lines.join("\n") + "\n").unwrap_or_else(|error| panic!("{TABLE}: {error}"));
}

/// Bytes of all files below a folder.
fn size_of_files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_of_files(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
