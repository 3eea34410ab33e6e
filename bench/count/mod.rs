//! Counts user instructions by running this binary again under callgrind: unlike time, the count does not depend on
//! what else the machine does.

use std::process::Command;

/// Instructions per iteration: the difference between a run of this binary with `args_a` and one with `args_b`,
/// divided by `n`, the iterations that the second does more. Start and set-up cancel out.
///
/// # Errors
/// Text that says what to install or what failed.
pub(crate) fn instructions(args_a: &[&str], args_b: &[&str], n: u64) -> Result<f64, String> {
    let (few, many) = (collected(args_a)?, collected(args_b)?);
    Ok((many - few) / n as f64)
}

fn collected(args: &[&str]) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
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
