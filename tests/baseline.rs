//! What the committed counts of the benches let pass.

#![allow(clippy::disallowed_methods, reason = "tests read files")]

#[path = "../bench/compare/mod.rs"]
mod compare;

use compare::{Count, compare, file, measured, renewed};

const BASELINE: &str = r#"[
{"bench":"rtp_path","metric":"instructions_per_packet_8","unit":"instructions","value":1000.0},
{"bench":"rtp_path","metric":"heap_calls_per_packet_8","unit":"heap calls","value":0.0},
{"bench":"sip_message","metric":"parse","unit":"instructions","value":40000.0}
]
"#;

fn baseline() -> Vec<Count> {
    serde_json::from_str(BASELINE).unwrap()
}

fn row(metric: &str, value: f64, unit: &str, ok: bool) -> String {
    format!(
        r#"{{"bench":"rtp_path","goal":1.0,"metric":"{metric}","ok":{ok},"unit":"{unit}","value":{value}}}"#
    )
}

/// The two counts of the baseline's bench and whatever else.
fn run(instructions: f64, heap_calls: f64, others: &[String]) -> Vec<compare::Measured> {
    let mut rows = vec![
        row("instructions_per_packet_8", instructions, "instructions", true),
        row("heap_calls_per_packet_8", heap_calls, "heap calls", true),
    ];
    rows.extend_from_slice(others);
    measured(&rows.join("\n"))
}

#[test]
fn two_percent_more_pass_and_more_do_not() {
    assert_eq!(compare(&baseline(), &run(1_020.0, 0.0, &[]), &[]), compare::Verdict::default());
    let failures = compare(&baseline(), &run(1_020.1, 0.0, &[]), &[]).failures;
    assert_eq!(failures.len(), 1);
    assert!(failures[0].contains("rtp_path instructions_per_packet_8: 1020.1"), "{failures:?}");
}

#[test]
fn one_heap_call_where_there_was_none_fails() {
    let failures = compare(&baseline(), &run(1_000.0, 0.001, &[]), &[]).failures;
    assert!(failures[0].contains("heap_calls_per_packet_8"), "{failures:?}");
}

#[test]
fn a_new_row_and_a_lower_count_are_said_and_pass() {
    let verdict = compare(&baseline(), &run(900.0, 0.0, &[row("fresh", 5.0, "syscalls", true)]), &[]);
    assert!(verdict.failures.is_empty(), "{:?}", verdict.failures);
    assert!(
        verdict.remarks[0].contains("less than") && verdict.remarks[1].contains("fresh: 5 syscalls is new")
    );
}

#[test]
fn a_missed_goal_fails_unless_it_is_named() {
    let rows = run(1_000.0, 0.0, &[row("dear", 9.0, "instructions", false)]);
    assert_eq!(compare(&baseline(), &rows, &["cheap"]).failures.len(), 1);
    assert_eq!(compare(&baseline(), &rows, &["cheap", "dear"]).failures.len(), 0);
}

#[test]
fn a_count_that_is_no_longer_measured_fails() {
    let rows = measured(&row("instructions_per_packet_8", 1_000.0, "instructions", true));
    let failures = compare(&baseline(), &rows, &[]).failures;
    assert_eq!(
        failures,
        ["rtp_path heap_calls_per_packet_8 (heap calls) is in the baseline and was not measured"]
    );
}

#[test]
fn times_and_what_is_no_row_are_passed_over() {
    let rows = [row("cpu", 9.0, "ratio", false), "Running benches".to_owned(), row("slow", 9.0, "ms", false)];
    assert_eq!(measured(&rows.join("\n")), []);
}

#[test]
fn a_bench_that_did_not_run_keeps_its_counts() {
    let counts = renewed(&baseline(), &run(900.0, 0.0, &[]));
    assert_eq!(counts.len(), 3);
    let read: Vec<Count> = serde_json::from_str(&file(&counts)).unwrap();
    assert_eq!(read, counts);
    assert!(
        file(&counts)
            .contains(r#""metric":"instructions_per_packet_8","unit":"instructions","value":900.0}"#)
    );
}

#[test]
fn the_committed_baseline_is_in_its_own_form() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/baseline.json")).unwrap();
    let counts: Vec<Count> = serde_json::from_str(&text).unwrap();
    assert!(!counts.is_empty());
    assert_eq!(file(&renewed(&counts, &[])), text);
}
