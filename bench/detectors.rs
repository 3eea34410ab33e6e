//! What the detectors cost on each period of 10 ms, and what the key receiver reads through noise:
//! `cargo bench --bench detectors [-- --json]`.
//!
//! The sound is a mix that neither may skip: keys, noise as loud as speech, the calling tone and the answer tone, in a
//! noisy room all the time; silence is counted apart.

mod count;
mod heap;
mod row;

use ringside::audio::{
    dtmf::{self, Heard, Key, Receiver},
    fax, level,
    tone::{self, Burst},
};
use row::Row;
use std::{hint::black_box, process::ExitCode};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const BENCH: &str = "detectors";
/// Passes over the sound in the shorter and in the longer run.
const PASSES: [u64; 2] = [1, 4];
/// Strings of 16 keys read through noise.
const STRINGS: u32 = 50;
/// What can be counted: name on the command line, metric, goal in instructions.
const WORK: [(&str, &str, f64); 4] = [
    ("keys", "key receiver, a period of sound", 5_000.0),
    ("keys-silence", "key receiver, a period of silence", 1_000.0),
    ("fax", "fax detector, a period of sound", 2_000.0),
    ("fax-silence", "fax detector, a period of silence", 500.0),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, work, passes] = &args[..]
        && flag == "--run"
    {
        run(work, passes.parse().expect("a number of passes"));
        return ExitCode::SUCCESS;
    }
    let mut rows = Vec::new();
    for (work, metric, goal) in WORK {
        let [few, many] = PASSES.map(|passes| passes.to_string());
        let periods = (sound(work).len() / 80) as u64 * (PASSES[1] - PASSES[0]);
        let instructions = count::instructions(&["--run", work, &few], &["--run", work, &many], periods)
            .unwrap_or_else(|complaint| panic!("{complaint}"));
        rows.push(Row { bench: BENCH, metric, value: instructions, unit: "instructions", goal: Some(goal) });
    }
    for (work, metric) in [("keys", "key receiver, 10 s of sound"), ("fax", "fax detector, 10 s of sound")] {
        let value = heap_calls(work) as f64;
        rows.push(Row { bench: BENCH, metric, value, unit: "heap calls", goal: Some(0.0) });
    }
    for (metric, snr_db, goal) in [
        ("strings of 16 keys misread at 12 dB, of 50", 12.0, Some(0.0)),
        ("strings of 16 keys misread at 9 dB, of 50", 9.0, None),
        ("strings of 16 keys misread at 6 dB, of 50", 6.0, None),
        ("strings of 16 keys misread at 3 dB, of 50", 3.0, None),
    ] {
        let misread = (0..STRINGS).filter(|&seed| !is_read(snr_db, seed)).count() as f64;
        rows.push(Row { bench: BENCH, metric, value: misread, unit: "strings", goal });
    }
    rows.iter().for_each(Row::print);
    ExitCode::from(u8::from(rows.iter().any(|row| !row.ok())))
}

/// One kind of work, under callgrind.
fn run(work: &str, passes: u64) {
    let samples = sound(work);
    let (mut receiver, mut detector) = (Receiver::new(), fax::Detector::new());
    for _ in 0..passes {
        for period in samples.as_chunks::<80>().0 {
            if work.starts_with("keys") {
                black_box(receiver.hear(black_box(period)));
            } else {
                black_box(detector.hear(black_box(period)));
            }
        }
    }
}

fn heap_calls(work: &str) -> u64 {
    let samples = sound(work);
    let (mut receiver, mut detector) = (Receiver::new(), fax::Detector::new());
    heap::calls(|| {
        for period in samples.as_chunks::<80>().0.iter().cycle().take(1_000) {
            if work == "keys" {
                black_box(receiver.hear(black_box(period)));
            } else {
                black_box(detector.hear(black_box(period)));
            }
        }
    })
}

fn sound(work: &str) -> Vec<i16> {
    if work.ends_with("silence") {
        return vec![0; 8_000];
    }
    let mut random = Random(1);
    let noise: Vec<i16> = (0..8_000).map(|_| random.noise(1_500.0) as i16).collect();
    let fax = [Burst { hz: 1_100.0, ms: 500 }, Burst { hz: 0.0, ms: 500 }, Burst { hz: 2_100.0, ms: 1_000 }];
    let keys: Vec<Key> = "1590*#D".chars().filter_map(Key::from_sign).collect();
    let mut sound = [dtmf::dial(&keys), noise, tone::render(&fax, -15.0)].concat();
    sound.iter_mut().for_each(|sample| *sample += random.noise(300.0) as i16);
    sound
}

/// Whether 16 random keys, 50 ms on and 55 ms off, are read exactly through white noise.
fn is_read(snr_db: f64, seed: u32) -> bool {
    let mut random = Random(seed.wrapping_mul(2_654_435_761));
    let keys: Vec<Key> =
        (0..16).filter_map(|_| Key::from_event_code((random.uniform() * 16.0) as u8)).collect();
    let power = f64::from(level::amplitude(dtmf::LOW_DBM0)).powi(2) / 2.0
        + f64::from(level::amplitude(dtmf::HIGH_DBM0)).powi(2) / 2.0;
    let rms = (power / 10_f64.powf(snr_db / 10.0)).sqrt();
    let mut samples: Vec<f64> = vec![0.0; 800 + seed as usize % 80];
    for &key in &keys {
        let mut generator = dtmf::Generator::new(key);
        samples.extend((0..400).map(|_| f64::from(generator.advance())));
        samples.resize(samples.len() + 440, 0.0);
    }
    samples.resize(samples.len() + 800, 0.0);
    let noisy: Vec<i16> = samples.iter().map(|x| (x + random.noise(rms)) as i16).collect();
    let mut receiver = Receiver::new();
    let read: Vec<Key> = noisy
        .as_chunks::<80>()
        .0
        .iter()
        .filter_map(|period| match receiver.hear(period) {
            Heard::Began { key, .. } => Some(key),
            Heard::Nothing | Heard::Suspected { .. } | Heard::Held(_) | Heard::Ended { .. } => None,
        })
        .collect();
    read == keys
}

/// A linear congruential generator: 24 good bits.
struct Random(u32);

impl Random {
    /// 0 to 1, without either.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(self.0 >> 8) + 0.5) / f64::from(1_u32 << 24)
    }

    /// White noise of this rms.
    fn noise(&mut self, rms: f64) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos() * rms
    }
}
