//! The running box as `ringside status`, `lines`, `top` and `doctor` show it.

use crate::shared::{
    process::{PATIENCE, Process, eventually},
    site::{ANSWERS, NOBODY, Site, number},
};
use ringside::{
    sim::provider::{Account, CallPlan, Provider, Speech},
    status::{BoxStatus, CallStatus, PhoneState, TrackedState, TrunkState},
};
use std::{
    net::TcpListener,
    process::{Command, Output},
};

/// `ringside` with these arguments, asking the box of the site.
fn ringside(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringside"));
    command.args(arguments).arg("--web").arg(site.web().to_string()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn status(site: &Site) -> BoxStatus {
    let output = ringside(site, &["status", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn doctor(site: &Site) -> Output {
    let (config, data) = (site.config_file(), site.data());
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    ringside(site, &["doctor", "--config", config, "--data", data])
}

#[test]
fn a_running_box_says_how_it_is() {
    let site = Site::new(&[&[ANSWERS], &[NOBODY]], "");
    let process = Process::start(&site);
    let idle = || status(&site).phones.iter().all(|phone| phone.state == PhoneState::Idle);
    eventually(PATIENCE, idle).expect("both phones idle");
    let now = status(&site);
    assert_eq!((now.site.as_str(), &now.trunks[0].state), ("Miller Plumbing", &TrunkState::Peer));
    assert!(now.media.card_up && now.media.periods > 0 && now.storage.ok, "{now:?}");
    assert!(now.storage.free_percent.is_some() && now.threads.len() == 5, "{now:?}");

    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let speech = Speech::Tone { hz: 440.0, peak: 8000 };
    let to = |group| CallPlan { speech: speech.clone(), ..CallPlan::new("+12065550173", &number(group)) };
    let _rings = provider.place_at(site.sip(), to(1));
    let _talks = provider.place_at(site.sip(), to(0));
    let rings = || status(&site).phones[1].state == PhoneState::Ringing;
    eventually(PATIENCE, rings).expect("the phone that nobody answers rings");
    let talks = || {
        status(&site).calls.iter().any(|call| match call {
            CallStatus::Tracked(call) => call.state == TrackedState::Talking && call.port.is_some(),
            CallStatus::Direct(_) | CallStatus::DialOut(_) | CallStatus::Emergency(_) => false,
        })
    };
    eventually(PATIENCE, talks).expect("the call is up");
    let words = said(&ringside(&site, &["status"]));
    assert!(words.contains("Spring mailer, on PHONE1 for 0:"), "{words}");
    let frame = said(&ringside(&site, &["top", "--once"]));
    assert!(frame.contains("CALLS") && frame.contains("PHONE1   in a call"), "{frame}");
    assert!(said(&ringside(&site, &["lines"])).contains("in a call"));
    drop(process);
}

#[test]
fn a_line_test_that_cannot_be_made_fails_with_the_next_command() {
    let site = Site::new(&[&[NOBODY]], "");
    let _process = Process::start(&site);
    let output = ringside(&site, &["lines", "test", "LINE9"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no port LINE9") && said.contains("next: ringside "), "{said}");
}

#[test]
fn the_doctor_knows_a_box_that_runs_from_one_that_does_not() {
    let site = Site::new(&[&[NOBODY]], "");
    let process = Process::start(&site);
    eventually(PATIENCE, || ringside(&site, &["status"]).status.success()).expect("a first snapshot");
    let well = doctor(&site);
    assert!(well.status.success(), "{}", said(&well));
    assert!(said(&well).contains(" 7 PASS  Running box"), "{}", said(&well));

    process.terminate();
    let down = doctor(&site);
    let said_down = said(&down);
    assert_eq!(down.status.code(), Some(1), "{said_down}");
    for row in [" 1 PASS  Configuration", " 6 PASS  Addresses", " 7 FAIL  Running box", " 8 SKIP  Trunks"] {
        assert!(said_down.contains(row), "{row} is missing in\n{said_down}");
    }
    assert!(said_down.contains("next: ringside run --config "), "{said_down}");

    let _squatter = TcpListener::bind(site.web()).unwrap();
    assert!(said(&doctor(&site)).contains(" 6 FAIL  Addresses"), "somebody else has the page's port");
}

#[test]
fn a_box_that_is_down_is_said_so_by_every_command() {
    let site = Site::new(&[&[NOBODY]], "");
    for command in [&["status"][..], &["lines"], &["lines", "test"], &["top", "--once"]] {
        let output = ringside(&site, command);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("does not answer on") && said.contains("next: ringside doctor"), "{said}");
    }
    let output = ringside(&site, &["top"]);
    assert!(said(&output).contains("top needs a terminal\n  next: ringside top --once"));
}
