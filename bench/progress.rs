//! What call-progress detection costs a line: user instructions and heap calls for each period of 10 ms, in silence,
//! under speech and under a tone, for the country with the most frequencies.

mod count;
mod heap;
mod row;

use ringside::audio::{
    level,
    progress::{Detector, Settings},
    tone::Generator,
    tone_plan::TonePlan,
};
use row::Row;
use std::{hint::black_box, process::ExitCode};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// What can be measured: name on the command line, metric, goal in instructions.
///
/// At 7,000 a box of 24 lines that all carry sound spends 17 million instructions a second, some percent of its slowest
/// core; a silent line should cost less than a third of that.
const WORK: [(&str, &str, Option<f64>); 3] = [
    ("silence", "period of silence", Some(2_000.0)),
    ("noise", "period of sound without a tone", Some(7_000.0)),
    ("tone", "period of busy tone", Some(7_000.0)),
];
/// Periods of the shorter and the longer run: 3 s, and 13 s.
const PERIODS: [usize; 2] = [300, 1_300];

/// Hears so many periods of one kind of sound; only the hearing's cost depends on the kind after subtraction.
fn run(work: &str, periods: usize) {
    // Great Britain's tones have four frequencies in four sounds.
    let plan = TonePlan::for_country("GB").expect("the file has GB");
    let mut detector = Detector::new(plan, &Settings::default());
    for period in sound(work, plan).as_chunks::<80>().0.iter().take(periods) {
        black_box(detector.hear(black_box(period)));
    }
}

/// The same length for each run, so that its making cancels out.
fn sound(work: &str, plan: &TonePlan) -> Vec<i16> {
    let samples = PERIODS[1] * 80;
    let peak = level::amplitude(-20.0) as i32;
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 16) as i32 % (2 * peak) - peak) as i16
    };
    let mut busy = Generator::new(&plan.busy);
    match work {
        "silence" => vec![0; samples],
        "noise" => (0..samples).map(|_| noise()).collect(),
        "tone" => (0..samples).map(|_| busy.advance()).collect(),
        other => panic!("no such work: {other}"),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, work, periods] = args.as_slice()
        && flag == "run"
    {
        run(work, periods.parse().expect("a number of periods"));
        return ExitCode::SUCCESS;
    }
    // The tone plans are read once, whatever is heard.
    run("silence", 0);
    let [few, many] = PERIODS.map(|periods| periods.to_string());
    let more = (PERIODS[1] - PERIODS[0]) as u64;
    let mut good = true;
    for (work, metric, goal) in WORK {
        let value = match count::instructions(&["run", work, &few], &["run", work, &many], more) {
            Ok(value) => value,
            Err(why) => {
                eprintln!("progress: {why}");
                return ExitCode::from(2);
            }
        };
        let calls = heap::calls(|| run(work, PERIODS[1])) - heap::calls(|| run(work, PERIODS[0]));
        let rows = [
            Row { bench: "progress", metric, value, unit: "instructions", goal },
            Row {
                bench: "progress",
                metric,
                value: calls as f64 / more as f64,
                unit: "heap calls",
                goal: Some(0.0),
            },
        ];
        for row in rows {
            good &= row.ok();
            row.print();
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
