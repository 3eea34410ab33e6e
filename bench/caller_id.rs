//! How many caller ID messages arrive through white noise, ours and spandsp's of the same samples, and what a period of
//! the receiver costs. `cargo bench --bench caller_id -- --json` prints one object for each figure.

mod count;
mod heap;
mod row;

#[path = "../tests/oracle/mod.rs"]
mod oracle;

use oracle::{BELL_202, V23, on_the_line, read_by_spandsp, with_noise};
use ringside::{
    audio::{
        caller_id::{CallerId, Heard, LocalTime, Message, Preamble, Receiver},
        fsk::{Demodulator, Variant},
    },
    record::Presentation,
};
use row::Row;
use std::hint::black_box;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const BENCH: &str = "caller_id";
/// Messages for each variant and noise.
const TRIALS: usize = 100;
/// Level of the data in dBm0.
const DBM0: f32 = -13.5;
/// Periods that instructions are counted over.
const PERIODS: usize = 1_000;

/// Signal to noise in dB, and how many messages of 100 may be lost in Bell 202 and in V.23: what spandsp 0.0.6 loses.
const LOSSES: [(f32, [Option<f64>; 2]); 4] = [
    (15.0, [Some(0.0), Some(0.0)]),
    (12.0, [Some(1.0), Some(1.0)]),
    (9.0, [Some(25.0), Some(47.0)]),
    (6.0, [None, None]),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, what, periods] = &args[..]
        && flag == "--run"
    {
        return run(what, periods.parse().expect("periods"));
    }
    for (n, (name, variant, standard)) in
        [("bell202", Variant::Bell202, BELL_202), ("v23", Variant::V23, V23)].into_iter().enumerate()
    {
        for (snr_db, goals) in LOSSES {
            report_losses(name, variant, standard, snr_db, goals[n]);
        }
    }
    report_costs();
}

fn caller(number: &str) -> CallerId {
    CallerId {
        number: Some(number.to_owned()),
        name: Some("WEB Springfield".to_owned()),
        presentation: Presentation::Allowed,
        at: LocalTime { month: 11, day: 22, hour: 9, minute: 5 },
    }
}

fn message(number: &str, variant: Variant) -> Vec<i16> {
    Message::multiple(&caller(number)).modulate(variant, Preamble::OnHook)
}

fn report_losses(name: &str, variant: Variant, standard: &str, snr_db: f32, goal: Option<f64>) {
    let numbers: Vec<String> = (0..TRIALS).map(|n| format!("3125550{n:03}")).collect();
    let line: Vec<i16> = numbers.iter().flat_map(|number| on_the_line(&message(number, variant))).collect();
    let noisy = with_noise(&line, DBM0, snr_db, snr_db as u64);
    let theirs = read_by_spandsp(standard, &noisy);
    let they_lost = numbers.iter().filter(|n| !theirs.contains(&format!("field 02 {n}"))).count();
    let ours = read_by_us(variant, &noisy);
    let we_lost = numbers.iter().filter(|n| !ours.contains(n)).count();
    for (who, lost, goal) in [("", we_lost, goal), ("spandsp_", they_lost, None)] {
        let metric: &'static str = format!("{who}{name}_lost_of_100_at_{snr_db}_db").leak();
        Row { bench: BENCH, metric, value: lost as f64, unit: "messages", goal }.print();
    }
}

fn read_by_us(variant: Variant, samples: &[i16]) -> Vec<String> {
    let mut receiver = Receiver::new(variant);
    let heard = samples.as_chunks().0.iter().filter_map(|period| receiver.feed(period));
    let number = |heard| match heard {
        Heard::Frame(frame) => frame.parse().ok()?.number,
        Heard::Garbled => None,
    };
    heard.filter_map(number).collect()
}

/// The most instructions of a period, each a fifth above what x86-64 takes.
const COSTS: [(&str, &str, f64); 2] = [
    ("carrier", "instructions_per_period_carrier", 10_000.0),
    ("silence", "instructions_per_period_silence", 750.0),
];

fn report_costs() {
    for (what, metric, most) in COSTS {
        let more = (2 * PERIODS).to_string();
        let fewer = PERIODS.to_string();
        match count::instructions(&["--run", what, &fewer], &["--run", what, &more], PERIODS as u64) {
            Ok(value) => {
                Row { bench: BENCH, metric, value, unit: "instructions", goal: Some(most) }.print();
            }
            Err(problem) => {
                eprintln!("{problem}");
                std::process::exit(1);
            }
        }
    }
    let samples = on_the_line(&message("3125550142", Variant::Bell202));
    let mut receiver = Receiver::new(Variant::Bell202);
    let mut read = 0;
    let value = heap::calls(|| {
        for period in samples.as_chunks().0 {
            read += usize::from(receiver.feed(black_box(period)).is_some());
        }
    });
    assert_eq!(read, 1, "the message was not read");
    let metric = "heap_calls_per_message";
    Row { bench: BENCH, metric, value: value as f64, unit: "heap calls", goal: Some(0.0) }.print();
}

/// What is counted from outside.
fn run(what: &str, periods: usize) {
    let samples = match what {
        "silence" => vec![0; 8_000],
        _ => message("3125550142", Variant::Bell202)[..6_000].to_vec(),
    };
    let mut demodulator = Demodulator::new(Variant::Bell202);
    let mut signals = 0_u64;
    for period in samples.as_chunks().0.iter().cycle().take(periods) {
        demodulator.feed(black_box(period), &mut |_| signals += 1);
    }
    black_box(signals);
}
