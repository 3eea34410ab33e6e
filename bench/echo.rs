//! What the echo canceller reaches on the echo paths of ITU-T G.168 with recorded talkers, and what it costs.
//!
//! `cargo bench --bench echo -- --json` prints one object for each figure; `-- --write` writes the committed tables:
//! `tests/echo/table.csv` with every row, from which a change of the sound shows as a difference, and
//! `bench/tables/echo.csv` with the worst talker of each path; without it only the first talker is heard. Decibels are at-least goals; where
//! µ-law itself caps a figure, the cap, measured with an ideal filter in the same run, is printed beside it.

#![allow(clippy::disallowed_methods, reason = "a bench is an edge: it reads and writes its table")]

mod count;
mod heap;
#[path = "../tests/echo/mod.rs"]
mod lines;
mod row;

use lines::{
    line::Period,
    table::{self, Case, ERL_DB, FIGURES, Figures, PATHS, Part},
};
use ringside::audio::echo::EchoCanceller;
use std::{fs, hint::black_box};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const BENCH: &str = "echo";
/// The committed summary.
const SUMMARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables/echo.csv");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, part, periods] = &args[..]
        && flag == "--run"
    {
        run(&on_the_line(part), periods.parse().expect("periods"));
        return;
    }
    let writes = args.iter().any(|arg| arg == "--write");
    // Every talker takes two minutes; the first one shows whether anything moved.
    let is_wanted = |case: &Case| writes || case.far == lines::recordings::SPEECH[0];
    let cases: Vec<Case> = table::cases().into_iter().filter(is_wanted).collect();
    let figures: Vec<Figures> = cases.iter().map(Case::measure).collect();
    let rows: Vec<_> = cases.iter().map(Case::name).zip(figures.iter().cloned()).collect();
    if writes {
        fs::write(table::FILE, table::to_csv(&rows)).expect("the table can be written");
        fs::write(SUMMARY, summary(&cases, &figures)).expect("the table can be written");
    }
    for path in PATHS {
        let goal = |case: &Case| case.path == path && case.part == Part::Linear && case.erl_db == ERL_DB;
        report_sound(&format!("{path} worst talker"), &cases, &figures, goal);
    }
    for erl_db in [6.0, 20.0] {
        let watched = |case: &Case| case.part == Part::Linear && case.erl_db == erl_db;
        report_sound(&format!("worst path at ERL {erl_db} dB"), &cases, &figures, watched);
    }
    report_sound("worst path, processed", &cases, &figures, |case| case.part == Part::Processed);
    report_changes(&rows);
    report_cost();
}

/// The linear canceller at an ERL of 10 dB with the worst talker of each path, and the goals.
fn summary(cases: &[Case], figures: &[Figures]) -> String {
    let mut text = "# What the echo canceller takes away, worst of the recorded talkers, without its non-linear part\n\
        # cargo bench --bench echo -- --write\n\
        path,ERLE after 2 s (dB),ERLE steady (dB),near talker to rest in double talk (dB),ERLE after double talk (dB)\n"
        .to_owned();
    let mut row = |label: &str, figures: [f64; 4]| {
        let figures = figures.map(|figure| format!("{figure:.1}")).join(",");
        text.push_str(&format!("{label},{figures}\n"));
    };
    for path in PATHS {
        let is_one = |case: &Case| case.path == path && case.part == Part::Linear && case.erl_db == ERL_DB;
        let reached =
            cases.iter().zip(figures).filter(|(case, _)| is_one(case)).map(|(_, figures)| figures.reached);
        row(path, reached.fold([f64::MAX; 4], |worst, one| std::array::from_fn(|n| worst[n].min(one[n]))));
    }
    row("goal", FIGURES.map(|(_, goal)| goal));
    text
}

/// The least of each figure over some rows, with the cap of that row.
fn report_sound(what: &str, cases: &[Case], figures: &[Figures], of: impl Fn(&Case) -> bool) {
    for (n, (figure, goal)) in FIGURES.into_iter().enumerate() {
        let chosen = cases.iter().zip(figures).filter(|(case, _)| of(case));
        let least = chosen.min_by(|a, b| a.1.reached[n].total_cmp(&b.1.reached[n]));
        let (case, Figures { reached, caps }) = least.expect("some rows");
        // The goals are for 10 dB and the linear canceller.
        let goal = (case.part == Part::Linear && case.erl_db == ERL_DB).then_some(goal);
        print_at_least(&format!("{figure} {what}"), reached[n], goal);
        print_at_least(&format!("{figure} {what}: cap by mu-law"), caps[n], None);
    }
}

/// A row like those of [`row::Row`], but with a goal that is a least.
fn print_at_least(metric: &str, value: f64, goal: Option<f64>) {
    let ok = goal.is_none_or(|goal| value >= goal);
    if std::env::args().any(|arg| arg == "--json") {
        let row = serde_json::json!({
            "bench": BENCH, "metric": metric, "value": value, "unit": "dB", "goal": goal, "ok": ok,
        });
        println!("{row}");
        return;
    }
    let goal = goal.map_or(String::new(), |goal| format!(" (goal at least {goal})"));
    println!("{BENCH:<12} {metric:<64} {value:>8.1} dB{goal} {}", if ok { "ok" } else { "UNDER" });
}

/// Figures that differ from the committed table by more than rounding.
fn report_changes(rows: &[(String, Figures)]) {
    let committed = table::from_csv(&fs::read_to_string(table::FILE).unwrap_or_default());
    let differs = |(name, now): &&(String, Figures)| {
        let before = committed.iter().find(|(other, _)| other == name);
        before.is_none_or(|(_, before)| {
            before.reached.iter().zip(&now.reached).any(|(before, now)| (before - now).abs() > 0.1)
        })
    };
    let count = rows.iter().filter(differs).count();
    row_of("rows that differ from the committed table", count as f64, "rows", 0.0).print();
}

fn row_of(metric: &'static str, value: f64, unit: &'static str, goal: f64) -> row::Row {
    row::Row { bench: BENCH, metric, value, unit, goal: Some(goal) }
}

/// Periods of the table's line between which the parts of a call are counted.
const PARTS: [(&str, &str, [&str; 2], f64); 4] = [
    ("instructions per period, converging", "talkers", ["10", "200"], 180_000.0),
    ("instructions per period, converged", "talkers", ["400", "1000"], 90_000.0),
    ("instructions per period, double talk", "talkers", ["1000", "1600"], 90_000.0),
    ("instructions per period, far end silent", "silence", ["100", "1000"], 90_000.0),
];

fn report_cost() {
    for (metric, line, [from, to], goal) in PARTS {
        let periods = to.parse::<u64>().expect("a number") - from.parse::<u64>().expect("a number");
        match count::instructions(&["--run", line, from], &["--run", line, to], periods) {
            Ok(instructions) => row_of(metric, instructions, "instructions", goal).print(),
            Err(reason) => {
                eprintln!("{reason}");
                std::process::exit(1);
            }
        }
    }
    let periods = on_the_line("talkers");
    let calls = heap::calls(|| run(&periods, periods.len()));
    row_of("heap calls in a call of 18 s", calls as f64, "heap calls", 0.0).print();
}

fn on_the_line(what: &str) -> Vec<Period> {
    let case = Case { part: Part::Processed, path: "D5", erl_db: ERL_DB, far: "hts" };
    let mut periods = case.periods();
    if what == "silence" {
        periods.iter_mut().for_each(|period| (period.far, period.heard) = ([0; 80], period.far));
    }
    periods
}

fn run(line: &[Period], periods: usize) {
    let mut canceller = EchoCanceller::new();
    for period in &line[..periods] {
        let mut near = period.heard;
        canceller.cancel(&period.far, &mut near);
        black_box(near);
    }
}
