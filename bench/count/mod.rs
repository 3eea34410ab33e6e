//! Counts user instructions by running this binary again under callgrind: unlike time, the count does not depend on
//! what else the machine does.

#![allow(dead_code, reason = "benches use different parts")]

use std::process::Command;

/// Instructions per iteration: the difference between a run of this binary with `args_a` and one with `args_b`,
/// divided by `n`, the iterations that the second does more. Start and set-up cancel out.
///
/// # Errors
/// Text that says what to install or what failed.
pub(crate) fn instructions(args_a: &[&str], args_b: &[&str], n: u64) -> Result<f64, String> {
    let (few, many) = (collected(None, args_a)?, collected(None, args_b)?);
    Ok((many - few) / n as f64)
}

/// As [`instructions`], but of what runs inside the function whose name matches `pattern`, such as `*counted*`.
///
/// # Errors
/// As [`instructions`].
pub(crate) fn instructions_in(
    pattern: &str,
    args_a: &[&str],
    args_b: &[&str],
    n: u64,
) -> Result<f64, String> {
    let (few, many) = (collected(Some(pattern), args_a)?, collected(Some(pattern), args_b)?);
    Ok((many - few) / n as f64)
}

fn collected(inside: Option<&str>, args: &[&str]) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    if let Some(pattern) = inside {
        valgrind.arg(format!("--toggle-collect={pattern}"));
        // Callgrind counts `rep stos` once for each byte; without it, silence costs what it costs elsewhere.
        valgrind.env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_stosb_threshold=1000000");
    }
    let output = valgrind
        .arg(own)
        .args(args)
        .output()
        .map_err(|e| format!("valgrind cannot be run ({e}); install the package valgrind"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{args:?} failed under valgrind: {report}"));
    }
    let line = report.lines().find_map(|line| line.split_once("Collected :"));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("no instruction count in valgrind's report: {report}"))
}
