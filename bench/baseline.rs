//! Holds the counts of a run against the committed ones in `bench/baseline.json`: instructions, heap calls, system
//! calls.
//!
//! ```sh
//! cargo bench --bench NAME -- --json > rows.json
//! cargo bench --bench baseline -- [--not-reached METRIC,METRIC] rows.json   # fails 2 % above the baseline
//! cargo bench --bench baseline -- --write-baseline rows.json                # makes it the baseline
//! ```
//!
//! Rows come from standard input if no file is named. Of `--not-reached`, a goal may be missed, but the baseline not.

#![allow(clippy::disallowed_methods, reason = "a bench reads and writes files")]

mod compare;

use compare::Count;
use std::{fs, io, process::ExitCode};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/baseline.json");

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("baseline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let (mut write, mut not_reached, mut lines) = (false, String::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // `cargo bench` adds it.
            "--bench" => {}
            "--write-baseline" => write = true,
            "--not-reached" => not_reached = arguments.next().ok_or("--not-reached names no metrics")?,
            path => {
                let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                lines.get_or_insert_with(String::new).push_str(&text);
            }
        }
    }
    let lines =
        lines.map_or_else(|| io::read_to_string(io::stdin()), Ok).map_err(|error| error.to_string())?;
    let measured = compare::measured(&lines);
    let baseline = read()?;
    if write {
        let text = compare::file(&compare::renewed(&baseline, &measured));
        fs::write(BASELINE, text).map_err(|error| format!("{BASELINE}: {error}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let not_reached: Vec<&str> = not_reached.split(',').collect();
    let verdict = compare::compare(&baseline, &measured, &not_reached);
    verdict.remarks.iter().for_each(|remark| println!("note: {remark}"));
    verdict.failures.iter().for_each(|failure| println!("FAILED: {failure}"));
    Ok(ExitCode::from(u8::from(!verdict.failures.is_empty())))
}

fn read() -> Result<Vec<Count>, String> {
    match fs::read_to_string(BASELINE) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| format!("{BASELINE}: {error}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{BASELINE}: {error}")),
    }
}
