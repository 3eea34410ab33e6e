//! The box under test: the real storage with calls coming in, as a process of its own that says what is acknowledged.
//!
//! ```text
//! JOURNALED call                      its first entry is on the disk
//! SAVED call                          its final record is
//! RECORDED call state ms hash         its recording is, of that length and digest
//! TAPPED call ms                      so much audio has gone into its tap
//! ```

use crate::storage::{call, ended, noise, recording, ringing, tags, tapped};
use ringside::{
    audio::tap_frame::TapFrame,
    io::{
        clock::Clock,
        journal::writer::{Disk, RealDisk},
        storage::{Disks, Options, Storage, recover, start_on},
    },
    record::Ended,
    recording::{
        lifecycle::{Command, Event},
        tap::TAP_RING_FRAMES,
    },
};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Command as Program, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

const DIR: &str = "RINGSIDE_TEST_WRITER_DIR";
const SECONDS: &str = "RINGSIDE_TEST_WRITER_SECONDS";
const FORGETS: &str = "RINGSIDE_TEST_WRITER_FORGETS";

const TICK: Duration = Duration::from_millis(100);
const TICK_FRAMES: usize = 10;
/// Ticks between two recorded calls.
const RECORDED_EVERY: u64 = 15;
/// Their lengths in ticks, in turn; the last one is longer than the writer lives.
const LENGTHS: [usize; 4] = [21, 90, 43, 2_000];
const RECORDED_AT_ONCE: usize = 8;

/// Whose `fdatasync` does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgetful {
    Nobody,
    Journal,
    Index,
}

/// Runs the writer for so long and gives each line it says to `said` at once.
pub(crate) fn run(dir: &Path, seconds: u64, forgetful: Forgetful, mut said: impl FnMut(&str)) {
    let mut child = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer::writer", "--nocapture"])
        .env(DIR, dir)
        .env(SECONDS, seconds.to_string())
        .env(FORGETS, format!("{forgetful:?}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let words = ["JOURNALED ", "SAVED ", "RECORDED ", "TAPPED ", "DONE "];
    lines.filter(|line| words.iter().any(|word| line.starts_with(word))).for_each(|line| said(&line));
    assert!(child.wait().unwrap().success(), "the writer failed");
}

/// Not a test of its own: the writer.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let seconds: u64 = std::env::var(SECONDS).unwrap().parse().unwrap();
    let clock = Clock::start();
    let recovered = recover(dir, &Options::default(), clock).unwrap();
    println!();
    let storage =
        start_on(disks(), dir, &Options { ballast_bytes: 1 << 20, ..Options::default() }, clock, say)
            .unwrap();
    take_calls(&storage, recovered.next_seq, seconds);
    let (counters, journal) = (storage.counters(), storage.journal_counters());
    let bad = [&counters.panics, &counters.failed_recordings, &counters.index_failures, &journal.refused];
    println!("DONE {:?}", bad.map(|counter| counter.load(Ordering::Relaxed)));
    storage.shutdown();
}

pub(crate) fn say(event: Event) {
    match event {
        Event::Journaled { call, .. } => println!("JOURNALED {call}"),
        Event::Saved { call } => println!("SAVED {call}"),
        Event::Handled { .. } => {}
        Event::Recorded { call, recording } => {
            let hash = recording.hash.unwrap_or_else(|| "-".to_owned());
            println!("RECORDED {call} {:?} {} {hash}", recording.state, recording.duration_ms);
        }
    }
}

fn disks() -> Disks {
    let forgets = std::env::var(FORGETS).unwrap_or_default();
    let mut disks = Disks::default();
    if forgets == format!("{:?}", Forgetful::Journal) {
        disks.journal = Box::new(ForgetfulDisk);
    }
    if forgets == format!("{:?}", Forgetful::Index) {
        disks.index = |_| Ok(());
    }
    disks
}

/// A disk that says that it has synced, and has not.
struct ForgetfulDisk;

impl Disk for ForgetfulDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        RealDisk.create(path)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        RealDisk.append(file, bytes)
    }

    fn sync(&mut self, _: &mut File) -> io::Result<()> {
        Ok(())
    }
}

/// A call with audio going into its recording.
struct Talking {
    seq: u64,
    tap: rtrb::Producer<TapFrame>,
    ticks: usize,
    length: usize,
}

fn take_calls(storage: &Storage, first: u64, seconds: u64) {
    let frames = tapped(800, &noise(1, 160_000), &noise(2, 160_000));
    let (begun, mut talking, mut seq) = (Instant::now(), Vec::new(), first);
    for tick in 0..seconds * 10 {
        storage.send(Command::Ringing(ringing(seq)));
        if tick % RECORDED_EVERY == 0 && talking.len() < RECORDED_AT_ONCE {
            let length = LENGTHS[(tick / RECORDED_EVERY) as usize % LENGTHS.len()];
            talking.push(answer(storage, seq, length));
        } else {
            storage.send(Command::Save(ended(seq, Ended::Busy)));
        }
        seq += 1;
        // As fast as in life: what a cut costs is measured in seconds.
        std::thread::sleep((TICK * (tick as u32 + 1)).saturating_sub(begun.elapsed()));
        talking.retain_mut(|call| talk(storage, call, &frames));
    }
}

fn answer(storage: &Storage, seq: u64, length: usize) -> Talking {
    let mut record = ringing(seq);
    record.answered = true;
    storage.send(Command::Answered { call: call(seq), record });
    let (tap, ring) = rtrb::RingBuffer::new(TAP_RING_FRAMES);
    storage.start_recording(call(seq), recording(seq), tags(seq), ring);
    Talking { seq, tap, ticks: 0, length }
}

/// The audio of one tick; false when the call is over.
fn talk(storage: &Storage, talking: &mut Talking, frames: &[TapFrame]) -> bool {
    for index in 0..TICK_FRAMES {
        let number = talking.ticks * TICK_FRAMES + index;
        let frame = TapFrame { at: number as u64 * 80, ..frames[number % frames.len()] };
        assert!(talking.tap.push(frame).is_ok(), "storage does not keep up with a tap of 5 s");
    }
    talking.ticks += 1;
    println!("TAPPED {} {}", call(talking.seq), talking.ticks * TICK_FRAMES * 10);
    if talking.ticks < talking.length {
        return true;
    }
    storage.send(Command::Save(ended(talking.seq, Ended::CallerHungUp)));
    false
}
