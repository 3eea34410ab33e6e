//! `ringside status`: the running box at this moment.

use super::{
    Failure,
    ask::{Order, Where},
    lines, print,
};
use crate::{
    status::{BoxStatus, CallStatus, Severity, SyncState},
    web::{CertificateFacts, status_wording as words, wording},
};
use clap::Args;
use serde::Deserialize;
use std::fmt::Write as _;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    asked: Where,
    /// Print the snapshot as JSON.
    #[arg(long)]
    json: bool,
}

const COMMAND: &str = "ringside status";

pub(super) fn status(arguments: &Arguments) -> Result<(), Failure> {
    let running = arguments.asked.running();
    let status = running.status().map_err(|error| error.failure(COMMAND))?;
    if arguments.json {
        let json = serde_json::to_string(&status).map_err(|error| Failure::failed(error, COMMAND))?;
        print(format_args!("{json}"));
        return Ok(());
    }
    print(format_args!("{}", printable(&text(&status))));
    // A box of another version, or one that is asked at its page, may not say.
    if let Ok(door) = running.order::<DoorFacts>(&Order::Get("/api/v1/door")) {
        let words = door_words(&door);
        if !words.is_empty() {
            print(format_args!("{}", printable(&words)));
        }
    }
    Ok(())
}

/// What somebody has to know who wants in.
#[derive(Default, Deserialize)]
struct DoorFacts {
    #[serde(default)]
    claim_code: Option<String>,
    #[serde(default)]
    certificate: Option<CertificateFacts>,
}

fn door_words(door: &DoorFacts) -> String {
    let claim =
        door.claim_code.as_ref().map(|code| format!("claim code {code} (this box has no administrator yet)"));
    let shown = door.certificate.as_ref().map(|one| {
        let until: String = one.until.to_string().chars().take(10).collect();
        format!("https fingerprint {}\n  for {}, until {until}", one.fingerprint, one.names.join(", "))
    });
    [claim, shown].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Without what could steer a terminal: names come from the trunk.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// The box in words.
fn text(status: &BoxStatus) -> String {
    let mut out =
        format!("{}, ringside {}, up {}\n\n", status.site, status.version, words::uptime(status.uptime_s));
    // Writing to a String does not fail.
    for (name, value) in facts(status) {
        let _ = writeln!(out, "{name:<10} {value}");
    }
    let _ = writeln!(out, "\n{}", lines::table(status));
    for call in &status.calls {
        let _ = writeln!(out, "{}", call_words(call, status));
    }
    for alarm in &status.alarms {
        let kind = match alarm.severity {
            Severity::Warning => "warning",
            Severity::Failure => "alarm",
        };
        let since = words::for_how_long(alarm.since, status.at);
        let _ = writeln!(out, "{kind}: {} (for {since})\n  fix: {}", alarm.text, alarm.remedy);
    }
    out.truncate(out.trim_end().len());
    out
}

fn facts(status: &BoxStatus) -> Vec<(&'static str, String)> {
    let trunk =
        status.trunks.iter().map(|one| ("trunk", format!("{} {}", one.name, words::trunk(&one.state))));
    let lamps = status.panel.iter().map(|led| format!("{} {}", led.name, words::led(led)));
    let lamps = lamps.collect::<Vec<_>>().join("; ");
    let counters = &status.counters;
    let calls = format!(
        "{} tracked ({} answered, {} missed), {}",
        counters.tracked,
        counters.answered,
        counters.missed,
        words::untracked(counters.untracked)
    );
    let mut facts: Vec<_> = trunk.collect();
    facts.extend((!lamps.is_empty()).then_some(("lamps", lamps)));
    facts.extend(status.lifeline.map(|relay| ("lifeline", words::lifeline(relay).to_owned())));
    facts.extend(status.set_up.then(|| ("button", words::SET_UP.to_owned())));
    facts.push(("audio", words::audio(&status.media)));
    facts.push(("disk", words::storage(&status.storage)));
    if status.sync.state != SyncState::Off {
        facts.push(("sync", words::sync(&status.sync)));
    }
    facts.push(("calls", calls));
    facts
}

fn call_words(call: &CallStatus, status: &BoxStatus) -> String {
    match call {
        CallStatus::Tracked(tracked) => {
            let since = tracked.answered_at.unwrap_or(tracked.since);
            let sound = tracked.sound.and_then(|sound| sound.mos).map(wording::quality);
            format!(
                "now: {}, {}, {} for {}{}",
                words::who(tracked),
                tracked.campaign,
                words::where_is(tracked),
                words::for_how_long(since, status.at),
                sound.map_or_else(String::new, |sound| format!(", sound {sound}")),
            )
        }
        CallStatus::Direct(untracked) | CallStatus::DialOut(untracked) | CallStatus::Emergency(untracked) => {
            let since = words::for_how_long(untracked.since, status.at);
            format!("now: {}, {} for {since}", words::kind(call), words::ports(untracked))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::made_up;

    #[test]
    fn a_busy_box_is_said_in_words() {
        let text = text(&made_up::busy());
        for said in [
            "Miller Plumbing, ringside 0.1.0, up 3 h 12 min",
            "trunk      carrier does not answer",
            "lamps      power green; net green, flashing slowly; sync off",
            "calls      14 tracked (11 answered, 3 missed), 6 untracked calls",
            "now: Dana Ortiz, (206) 555-0173, Spring mailer, on PHONE1 for 0:42, sound good (4.2 of 4.5)",
            "now: Direct call, LINE1 with PHONE2 for 3:10",
            "alarm: carrier: the registrar does not answer (for 1:35)\n  fix: check the network cable",
            "warning: LINE2 has no battery",
        ] {
            assert!(text.contains(said), "{said} is missing in\n{text}");
        }
    }

    #[test]
    fn who_wants_in_is_told_the_code_and_the_fingerprint() {
        let certificate = CertificateFacts {
            fingerprint: "AB:CD".to_owned(),
            names: vec!["ringside.local".to_owned(), "192.168.1.20".to_owned()],
            until: crate::time::WallTime(1_795_352_709_000),
        };
        let door = DoorFacts { claim_code: Some("ABCD-EFGH".to_owned()), certificate: Some(certificate) };
        assert_eq!(
            door_words(&door),
            "claim code ABCD-EFGH (this box has no administrator yet)\nhttps fingerprint AB:CD\n  for ringside.local, \
             192.168.1.20, until 2026-11-22"
        );
        assert_eq!(door_words(&DoorFacts::default()), "");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\u{9b}b\nc"), "a[2Jb\nc");
    }
}
