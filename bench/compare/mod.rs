//! Counts of a run against the committed ones.
//!
//! Only rows whose unit is a count are looked at: unlike times they do not depend on what else the machine does.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Units that are counts.
const COUNTS: [&str; 4] = ["instructions", "heap calls", "syscalls", "calls"];
/// How much more than before is let pass: compilers and libraries differ by that much.
const ALLOWED: f64 = 1.02;

/// A committed count.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Count {
    bench: String,
    metric: String,
    unit: String,
    value: f64,
}

/// A row as benches print it with `--json`; what else it has is not needed.
#[derive(Debug, Deserialize)]
struct Row {
    bench: String,
    metric: String,
    value: Option<f64>,
    unit: String,
    ok: bool,
}

/// A count that was just measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    count: Count,
    goal_met: bool,
}

/// What there is to say about a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// To be known.
    pub(crate) remarks: Vec<String>,
    /// To be mended.
    pub(crate) failures: Vec<String>,
}

/// The counts among the lines of a bench; lines that are no rows are passed over.
pub(crate) fn measured(lines: &str) -> Vec<Measured> {
    let rows = lines.lines().filter_map(|line| serde_json::from_str::<Row>(line).ok());
    rows.filter(|row| COUNTS.contains(&row.unit.as_str()))
        .filter_map(|row| {
            let count = Count { value: row.value?, bench: row.bench, metric: row.metric, unit: row.unit };
            Some(Measured { count, goal_met: row.ok })
        })
        .collect()
}

/// Holds a run against the baseline. Goals in `not_reached` may be missed.
pub(crate) fn compare(baseline: &[Count], run: &[Measured], not_reached: &[&str]) -> Verdict {
    let mut verdict = Verdict::default();
    let before: BTreeMap<_, _> = baseline.iter().map(|count| (name(count), count.value)).collect();
    for Measured { count, goal_met } in run {
        let value = count.value;
        let at = format!("{}: {value} {}", said(count), count.unit);
        if !goal_met && !not_reached.contains(&count.metric.as_str()) {
            verdict.failures.push(format!("{at} misses its goal"));
        }
        match before.get(&name(count)) {
            None => verdict.remarks.push(format!("{at} is new; it is not in the baseline yet")),
            Some(then) if value > then * ALLOWED => {
                verdict.failures.push(format!("{at} is more than 2 % above the baseline of {then}"));
            }
            Some(then) if value * ALLOWED < *then => {
                verdict
                    .remarks
                    .push(format!("{at} is less than the baseline of {then}; it can be written anew"));
            }
            Some(_) => {}
        }
    }
    // A bench that measures less than it did holds nothing.
    for count in baseline.iter().filter(|count| run.iter().any(|row| row.count.bench == count.bench)) {
        if !run.iter().any(|row| name(&row.count) == name(count)) {
            let missing = format!("{} ({}) is in the baseline and was not measured", said(count), count.unit);
            verdict.failures.push(missing);
        }
    }
    verdict
}

/// The baseline with what was measured: all counts of a bench that ran are replaced, the others stay.
pub(crate) fn renewed(baseline: &[Count], run: &[Measured]) -> Vec<Count> {
    let ran = |bench: &str| run.iter().any(|row| row.count.bench == bench);
    let kept = baseline.iter().filter(|count| !ran(&count.bench)).cloned();
    let mut counts: Vec<Count> = kept.chain(run.iter().map(|row| row.count.clone())).collect();
    counts.sort_by(|a, b| name(a).cmp(&name(b)));
    counts
}

/// The file of a baseline, one count a line.
pub(crate) fn file(counts: &[Count]) -> String {
    let lines: Vec<String> =
        counts.iter().map(|count| serde_json::to_string(count).expect("words and a figure")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// A bench may count two things under one name.
fn name(count: &Count) -> (&str, &str, &str) {
    (&count.bench, &count.metric, &count.unit)
}

fn said(count: &Count) -> String {
    format!("{} {}", count.bench, count.metric)
}
