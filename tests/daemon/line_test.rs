//! `ringside lines test` against the running box, and what of it outlives a restart.

use crate::shared::{
    inside::Inside,
    process::{PATIENCE, Process, eventually},
    site::{NOBODY, Site},
};
use ringside::{io::lines_file::Lines, status::BoxStatus};
use std::{
    fs,
    process::{Command, Output},
};

/// A line of impedance 2 whose cable leaves an echo.
const OFFICE: &str = "[[line]]\nport = \"LINE1\"\nimpedance = 2\necho = [0.0, 0.1, 0.2, -0.1]\n";
const PROFILE: &str = "[[spi]]\nname = \"daa\"\nchain = 1\n[[port]]\nkind = \"fxo\"\nname = \"LINE1\"\n\
                       chip = \"si3050\"\nspi = \"daa\"\nindex = 0\nslot = 1\n";

/// A box with one phone and one office line.
fn site() -> Site {
    let site = Site::new(&[&[NOBODY]], "");
    for (name, more) in [("board/profile.toml", PROFILE), ("board/office.toml", OFFICE)] {
        let path = site.folder().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + more).unwrap();
    }
    site
}

fn ringside(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringside"));
    command.args(arguments).arg("--web").arg(site.web().to_string()).output().unwrap()
}

/// A test of LINE1 that was made: a line whose chip has just come up is refused for a moment.
fn tested(site: &Site, arguments: &[&str]) -> Output {
    let mut outcome = None;
    let made = || {
        let output = ringside(site, arguments);
        (!said(&output).contains("in use")).then_some(output)
    };
    let until = std::time::Instant::now() + PATIENCE;
    while outcome.is_none() && std::time::Instant::now() < until {
        outcome = made();
    }
    outcome.expect("the line comes to be idle")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn status(site: &Site) -> Option<BoxStatus> {
    serde_json::from_slice(&ringside(site, &["status", "--json"]).stdout).ok()
}

/// The box, once it knows its line to be fed.
fn started(site: &Site) -> Process {
    let process = Process::start(site);
    eventually(PATIENCE, || status(site).is_some()).expect("a first snapshot");
    eventually(PATIENCE, || process.log().contains("change=Fxo(Up)")).expect("the line is up");
    process
}

#[test]
fn a_line_test_is_reported_shown_and_kept_over_a_restart() {
    let site = site();
    let process = started(&site);
    let output = tested(&site, &["lines", "test", "line1"]);
    let words = said(&output);
    println!("{words}");
    assert_eq!(output.status.code(), Some(0), "{words}\n{}", process.log());
    assert!(words.contains("LINE1: ") && words.contains(" of 100"), "{words}");
    assert!(words.contains("impedance 2, hybrid ["), "{words}");
    assert!(process.log().contains("line_health"), "{}", process.log());
    let shown = || status(&site).and_then(|now| now.lines[0].health.clone());
    eventually(PATIENCE, || shown().is_some()).expect("the state shows the last test");
    let phone = ringside(&site, &["lines", "test", "PHONE1"]);
    assert_eq!(phone.status.code(), Some(0), "{}", said(&phone));

    // As a line that has ended three calls by an open loop would have left it.
    let path = site.data().join("lines.json");
    process.terminate();
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(lines["ports"]["LINE1"]["balance"]["acim"], 2, "{text}");
    lines["ports"]["LINE1"]["learned"] = serde_json::json!({ "cpc": { "calls": 3, "last_ms": 500 } });
    fs::write(&path, lines.to_string()).unwrap();

    let inside = Inside::start(site);
    let balance = || inside.world().lock().daa(0).map(|chip| chip.echo_words());
    inside.wait("the chip is balanced from the start", || balance().is_some_and(|words| words.acim == 2));
    assert!(balance().unwrap().hybrid.iter().any(|coefficient| *coefficient != 0));
    let shown = || status(&inside.site).and_then(|now| now.lines[0].health.clone());
    inside.wait("the last test is remembered", || shown().is_some());
    let again = tested(&inside.site, &["lines", "test", "LINE1", "--json"]);
    let tested: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let health = &tested["health"];
    assert_eq!(health["trend"], "same", "{tested}");
    assert_eq!(health["measured"]["echo"][0]["acim"], 2, "what was set is tried first: {tested}");
    assert_eq!(health["measured"]["chosen"]["acim"], 2, "{tested}");
    let kept = || Lines::load(&inside.site.data()).ports["LINE1"].clone();
    inside.wait("the second test is kept", || kept().scores.len() == 2);
    assert_eq!(kept().learned.unwrap().cpc.calls, 3, "what was learned is not forgotten");
}

#[test]
fn a_test_of_a_line_in_use_and_of_a_damaged_memory_say_so() {
    let site = site();
    fs::create_dir_all(site.data()).unwrap();
    fs::write(site.data().join("lines.json"), "{ \"schema\": ").unwrap();
    let process = started(&site);
    let log = process.log();
    assert!(log.contains("WARN") && log.contains("lines.json"), "{log}");
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| tested(&site, &["lines", "test", "LINE1"]));
        eventually(PATIENCE, || process.log().contains("change=Fxo(OffHook)")).expect("it is off hook");
        let second = ringside(&site, &["lines", "test", "LINE1"]);
        assert_eq!(second.status.code(), Some(1), "{}", said(&second));
        assert!(said(&second).contains("in use"), "{}", said(&second));
        first.join().unwrap()
    });
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
}
