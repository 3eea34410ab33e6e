//! The checks that look at the site: its files, its disk, its clock, its addresses. They work with the box down.

use super::{Disk, Evidence, Finding, LOW_PERCENT};
use crate::time::WallTime;

/// A clock before this is wrong, whatever the office does: 2026-01-01T00:00:00Z.
const EARLIEST: WallTime = WallTime(1_767_225_600_000);
/// And so is one after this: 2100-01-01T00:00:00Z.
const LATEST: WallTime = WallTime(4_102_444_800_000);
/// Free bytes below which calls are no longer recorded for long: 2 hours at 32 kbit/s, and the journal's ballast.
const LEAST_BYTES: u64 = 64 << 20;

pub(super) fn config(evidence: &Evidence) -> Finding {
    let file = &evidence.config_file;
    match &evidence.config {
        Ok(summary) => Finding::pass(format!("{file}: {summary}")),
        Err(why) => {
            let fix = format!("ringside check-config {file}, or name another: ringside doctor --config FILE");
            Finding::fail(why.clone(), fix)
        }
    }
}

pub(super) fn board(evidence: &Evidence) -> Finding {
    match (&evidence.board, &evidence.config) {
        (Ok(summary), _) => Finding::pass(summary.clone()),
        (Err(_), Err(_)) => Finding::skip("only a good configuration names it"),
        (Err(why), Ok(_)) => {
            Finding::fail(why.clone(), "put the profile of this board in place, or name it under [board]")
        }
    }
}

pub(super) fn data(evidence: &Evidence) -> Finding {
    let dir = &evidence.data_dir;
    match &evidence.data_writable {
        Ok(()) => Finding::pass(format!("{dir} can be written")),
        Err(why) => {
            let fix = format!("make it, or run as the user of the box: ringside doctor --data {dir}");
            Finding::fail(format!("{dir}: {why}"), fix)
        }
    }
}

pub(super) fn space(evidence: &Evidence) -> Finding {
    let Some(Disk { free_bytes, total_bytes }) = evidence.disk.filter(|disk| disk.total_bytes > 0) else {
        return Finding::skip("the disk cannot be asked");
    };
    let percent = free_bytes.saturating_mul(100) / total_bytes;
    let found = format!("{} MB free, {percent} %", free_bytes >> 20);
    let fix = "move recordings off the disk, or put a larger one in";
    match free_bytes {
        full if full < LEAST_BYTES => Finding::fail(found, fix),
        _ if percent < u64::from(LOW_PERCENT) => Finding::warn(found, fix),
        _ => Finding::pass(found),
    }
}

pub(super) fn clock(evidence: &Evidence) -> Finding {
    if (EARLIEST..LATEST).contains(&evidence.now) {
        return Finding::pass(evidence.now.to_string());
    }
    let fix = "let the box reach a time server, and check the battery of its clock";
    Finding::fail(format!("it is {}: that cannot be", evidence.now), fix)
}

pub(super) fn addresses(evidence: &Evidence) -> Finding {
    let all: Vec<String> =
        evidence.addresses.iter().map(|one| format!("{} {}", one.what, one.address)).collect();
    let all = all.join(", ");
    let taken = evidence.addresses.iter().find_map(|one| one.taken.as_ref().map(|why| (one, why)));
    match (taken, &evidence.running) {
        _ if evidence.addresses.is_empty() => Finding::skip("only a good configuration names them"),
        (None, Ok(_)) => {
            let fix = "restart the box, so that it listens where the configuration says";
            Finding::warn(format!("the running box does not listen on {all}"), fix)
        }
        (Some(_), Ok(_)) => Finding::pass(format!("{all}, in use by the box")),
        (None, Err(_)) => Finding::pass(format!("{all}, free")),
        (Some((one, why)), Err(_)) => {
            let fix = format!(
                "end the program that has it (ss -lnp shows it), or change listen under {}",
                section(one.what)
            );
            Finding::fail(format!("{} {}: {why}", one.what, one.address), fix)
        }
    }
}

fn section(what: &str) -> &'static str {
    if what == "SIP" { "[sip]" } else { "[web]" }
}

pub(super) fn running(evidence: &Evidence) -> Finding {
    match &evidence.running {
        Ok(status) => {
            Finding::pass(format!("version {}, up for {} min", status.version, status.uptime_s / 60))
        }
        Err(why) => {
            let (file, dir) = (&evidence.config_file, &evidence.data_dir);
            let fix = format!("ringside run --config {file} --data {dir}");
            Finding::fail(why.clone(), fix)
        }
    }
}
