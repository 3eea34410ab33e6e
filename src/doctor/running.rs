//! The checks that look at the running box: its trunks, lines, audio, threads and disk.

use super::{Finding, LOW_PERCENT};
use crate::status::{
    Battery, BoxStatus, Deduction, Fault, Lifeline, LineHealth, LineState, PhoneState, Room, TrunkState,
    TrunkStatus,
};

/// A box that has just started is given so long to register and to open its card, seconds.
const STARTING_S: u64 = 30;
/// A fault is news for so long, ms.
const RECENT_MS: u64 = 3_600_000;
/// A port that scores less needs somebody.
const POOR_SCORE: u8 = 70;
/// A port that scores less is hardly usable.
const BAD_SCORE: u8 = 40;
/// One overrun an hour is a busy machine; more are heard.
const SECONDS_PER_XRUN: u64 = 3_600;

pub(super) fn trunk(status: &BoxStatus) -> Finding {
    let worst =
        status.trunks.iter().map(|trunk| of_trunk(trunk, status.uptime_s)).max_by_key(|one| one.verdict);
    worst.unwrap_or_else(|| Finding::fail("there is no trunk", "add a [[trunk]] to the configuration"))
}

fn of_trunk(trunk: &TrunkStatus, uptime_s: u64) -> Finding {
    let name = &trunk.name;
    match &trunk.state {
        TrunkState::Peer => Finding::pass(format!("{name}: ready, by address")),
        TrunkState::Registered { expires_s } => {
            Finding::pass(format!("{name}: registered for {expires_s} s at a time"))
        }
        TrunkState::Unregistered | TrunkState::Trying if uptime_s < STARTING_S => {
            Finding::pass(format!("{name}: registering"))
        }
        TrunkState::Unregistered | TrunkState::Trying => {
            let fix = "wait a minute; if it stays, check the network cable";
            Finding::warn(format!("{name}: not registered"), fix)
        }
        TrunkState::Refused { status: code, reason } => {
            let fix = "check user and password of the trunk in the configuration";
            Finding::fail(format!("{name}: the registrar refuses us: {code} {reason}"), fix)
        }
        TrunkState::Unreachable => {
            let fix = "check the network cable, then the registrar in the configuration";
            Finding::fail(format!("{name}: the registrar does not answer"), fix)
        }
    }
}

pub(super) fn battery(status: &BoxStatus) -> Finding {
    let of = |wanted: Battery| -> Vec<&str> {
        let lines = status.lines.iter().filter(|line| line.battery == Some(wanted));
        lines.map(|line| line.port.as_str()).collect()
    };
    let (whole, shared, absent) = (of(Battery::Whole), of(Battery::Shared), of(Battery::Absent));
    let dead = || format!("no battery on {}", absent.join(", "));
    let cable = "check the cable from the telco jack";
    match (whole.is_empty() && shared.is_empty(), absent.is_empty(), shared.is_empty()) {
        (true, true, _) => Finding::skip("nothing is known of the lines"),
        // Emergency calls and the lifeline need one.
        (true, false, _) => Finding::fail(dead(), cable),
        (false, false, _) => Finding::warn(dead(), format!("{cable}; a jack without a line may stay so")),
        (false, true, false) => {
            let found = format!("another phone is off hook on {}", shared.join(", "));
            Finding::warn(found, "hang that phone up, or use it: the box waits meanwhile")
        }
        (false, true, true) => Finding::pass(format!("{} have battery", whole.join(", "))),
    }
}

pub(super) fn chips(status: &BoxStatus) -> Finding {
    let lines = status.lines.iter().map(|line| (line.port.as_str(), line.chip_up));
    let chips = status.phones.iter().map(|phone| (phone.port.as_str(), phone.chip_up)).chain(lines);
    let known: Vec<(&str, bool)> = chips.filter_map(|(port, up)| Some((port, up?))).collect();
    let down: Vec<&str> = known.iter().filter(|(_, up)| !up).map(|(port, _)| *port).collect();
    if known.is_empty() {
        Finding::skip("nothing is known of the chips")
    } else if down.is_empty() {
        Finding::pass(format!("{} of {} work", known.len(), known.len()))
    } else {
        let found = format!("the chips of {} do not work", down.join(", "));
        Finding::fail(found, "switch the box off and on; if it stays, the board is broken")
    }
}

pub(super) fn line_health(status: &BoxStatus) -> Finding {
    let lines = status.lines.iter().filter_map(|line| Some((line.port.as_str(), line.health.as_ref()?)));
    let phones = status.phones.iter().filter_map(|phone| Some((phone.port.as_str(), phone.health.as_ref()?)));
    let worst = lines.chain(phones).min_by_key(|(_, health)| health.score);
    let Some((port, LineHealth { score, deductions, .. })) = worst else {
        return Finding::skip("no line was tested yet: ringside lines test");
    };
    let reason = deductions.first();
    let found =
        format!("{port} scores {score}{}", reason.map_or_else(String::new, |one| format!(": {}", one.text)));
    let fix = |one: &Deduction| format!("{}, then ringside lines test {port}", one.remedy);
    let fix = reason.map_or_else(String::new, fix);
    match *score {
        bad if bad < BAD_SCORE => Finding::fail(found, fix),
        poor if poor < POOR_SCORE => Finding::warn(found, fix),
        _ => Finding::pass(format!("the worst, {found}")),
    }
}

pub(super) fn faults(status: &BoxStatus) -> Finding {
    let now = status.at.0;
    let is_recent = |fault: &&Fault| now.saturating_sub(fault.at.0) < RECENT_MS;
    let lines = status.lines.iter().map(|line| (&line.port, &line.last_fault, line.state == LineState::Down));
    let phones =
        status.phones.iter().map(|phone| (&phone.port, &phone.last_fault, phone.state == PhoneState::Down));
    let faults = lines.chain(phones).filter_map(|(port, fault, is_down)| {
        let fault = fault.as_ref().filter(is_recent)?;
        Some((is_down, format!("{port}: {}", fault.text)))
    });
    let Some((_, found)) = faults.max_by_key(|(is_down, _)| *is_down) else {
        return Finding::pass("none");
    };
    Finding::warn(found, "ringside lines shows the port; ringside lines test measures it")
}

pub(super) fn media(status: &BoxStatus) -> Finding {
    let media = &status.media;
    let allowed = 1 + status.uptime_s / SECONDS_PER_XRUN;
    let found = format!("{} overruns in {} periods", media.xruns, media.periods);
    if !media.card_up && status.uptime_s < STARTING_S {
        return Finding::pass("starting");
    }
    if !media.card_up {
        let fix = "check that the sound card of the board profile is there: aplay -l";
        return Finding::fail("the sound card does not work", fix);
    }
    if media.xruns > allowed {
        let fix = "give the service real-time priority (LimitRTPRIO=40), and take other work off the machine";
        return Finding::warn(found, fix);
    }
    Finding::pass(found)
}

pub(super) fn threads(status: &BoxStatus) -> Finding {
    let stuck: Vec<&str> = status.threads.iter().filter(|one| !one.ok).map(|one| one.name.as_str()).collect();
    let restarts: u32 = status.threads.iter().map(|one| one.restarts).sum();
    if !stuck.is_empty() {
        let fix = "restart the box and send its log: journalctl -u ringside";
        return Finding::fail(format!("no sign of life from {}", stuck.join(", ")), fix);
    }
    if restarts > 0 {
        return Finding::warn(
            format!("{restarts} restarts after a panic"),
            "send the log: journalctl -u ringside",
        );
    }
    match status.threads.len() {
        0 => Finding::skip("nothing is known of the threads"),
        count => Finding::pass(format!("all {count} show life")),
    }
}

pub(super) fn storage(status: &BoxStatus) -> Finding {
    let storage = &status.storage;
    let fix = "check that the disk is mounted, writable and not full: ringside verify";
    let free = storage.free_percent;
    let found =
        free.map_or_else(|| "being written".to_owned(), |free| format!("being written, {free} % free"));
    if !storage.ok {
        return Finding::fail("not being written", fix);
    }
    let room_fix =
        "move recordings off the disk, keep them for fewer days in [retention], or put a larger disk in";
    match storage.room {
        Room::Full => {
            return Finding::fail(format!("{found}: new calls are not recorded"), room_fix);
        }
        Room::Low => {
            return Finding::warn(format!("{found}: new recordings have half the bits"), room_fix);
        }
        Room::Enough => {}
    }
    if storage.index_failed {
        let fix = "it is filled from the journal by itself; if that takes more than 10 minutes: systemctl restart ringside";
        return Finding::warn("the index of calls failed: calls are taken and recorded, but not listed", fix);
    }
    if storage.failed_recordings > 0 {
        return Finding::warn(format!("{} failed since the start", storage.failed_recordings), fix);
    }
    if free.is_some_and(|free| free < LOW_PERCENT) {
        return Finding::warn(found, "move recordings off the disk, or put a larger one in");
    }
    Finding::pass(found)
}

pub(super) fn lifeline(status: &BoxStatus) -> Finding {
    match status.lifeline {
        None => Finding::skip("this board has none, or nothing is known of it"),
        Some(Lifeline::Parted) => Finding::pass("parted: the box is between phone and line"),
        Some(Lifeline::Joined) if status.uptime_s < STARTING_S => {
            Finding::pass("joined until the box is ready")
        }
        Some(Lifeline::Joined) => {
            let fix = "look at the other checks: the box joins them when its ports do not work";
            Finding::fail(
                "joined while the box runs: the phone is directly on the line, its calls are not seen",
                fix,
            )
        }
    }
}
