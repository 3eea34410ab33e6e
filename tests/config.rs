//! Configurations as installers write them: ten broken ones whose every mistake is shown at once, with its place and
//! its remedy, beside the shipped ones, which are whole.
//!
//! `BLESS=1` writes the expected texts anew; read the difference before you commit it.

#![allow(clippy::disallowed_methods)]

use ringside::board::Profile;
use ringside::config::{Colours, Config, ConfigErrors, Ports, RecordingPolicy, TrunkMode};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Parses as `check-config` does, on a board with two phones.
fn checked(text: &str, file_name: &str) -> Result<Config, ConfigErrors> {
    Config::parse_on_board(text, file_name, |profile| match profile.to_str() {
        Some("profile.toml") => Ok(Ports {
            phones: vec!["PHONE1".to_owned(), "PHONE2".to_owned()],
            lines: vec!["LINE1".to_owned()],
        }),
        _ => Err(format!("there is no file {}", profile.display())),
    })
}

fn ringside(arguments: &[&str]) -> Output {
    let folder = env!("CARGO_MANIFEST_DIR");
    Command::new(env!("CARGO_BIN_EXE_ringside")).args(arguments).current_dir(folder).output().unwrap()
}

fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/config"))
}

#[test]
fn each_broken_configuration_shows_everything_that_is_wrong_with_it() {
    let mut files: Vec<_> = fs::read_dir(data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert_eq!(files.len(), 10);
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let errors = checked(&fs::read_to_string(&path).unwrap(), name).expect_err(name);
        let mut shown = errors.render(Colours::Off);
        for problem in errors.json() {
            shown.push_str(&serde_json::to_string(&problem).unwrap());
            shown.push('\n');
        }
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &shown).unwrap();
        }
        assert_eq!(shown, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
    }
}

#[test]
fn a_short_file_is_enough() {
    let text = r#"
        [[trunk]]
        name = "carrier"
        mode = "register"
        registrar = "sip.example.net"
        user = "13125550100"
        password = "secret"
        [[campaign]]
        id = "flyer"
        [[tracking_number]]
        number = "+13125550100"
        campaign = "flyer"
    "#;
    let config = checked(text, "short.toml").unwrap();
    assert_eq!(config.sip.listen.port(), 5060);
    assert_eq!(config.rtp.pairs(), 32);
    assert_eq!(config.calls.ring_timeout_s, 60);
    assert_eq!(config.recording.policy, RecordingPolicy::Announce);
    assert_eq!(config.ring_groups[0].ports, [""; 0]);
    assert_eq!(config.tracking_numbers[0].ring_group, config.ring_groups[0].name);
    assert_eq!(config.tracking_numbers[0].id, "trk_13125550100");
    assert_eq!(config.campaigns[0].tag, "flyer");
    let TrunkMode::Register(account) = &config.trunks[0].mode else { panic!("{:?}", config.trunks) };
    assert_eq!(account.registrar.to_string(), "sip.example.net:5060");
    assert_eq!((account.domain.as_str(), account.auth_user.as_str()), ("sip.example.net", "13125550100"));
    assert_eq!(account.expires_s, 600);
    assert!(!format!("{config:?}").contains("\"secret\""), "a password shows in a log");
}

#[test]
fn an_owner_key_is_read_and_a_wrong_one_is_pointed_at() {
    let key = "0123456789abcdef".repeat(4);
    let text =
        |encrypt: bool, key: &str| format!("[recording]\nencrypt = {encrypt}\nowner_key = \"{key}\"\n");
    let recording = checked(&text(true, &key), "site.toml").unwrap().recording;
    assert!(recording.encrypt && recording.owner_key.is_some_and(|key| key[..2] == [0x01, 0x23]));
    let recording = checked("", "site.toml").unwrap().recording;
    assert!(!recording.encrypt && recording.owner_key.is_none());
    let zeros = "0".repeat(64);
    for (encrypt, key, said) in [
        (true, "0123", "owner_key is not a public key of 64 hex digits"),
        (true, zeros.as_str(), "owner_key is not a public key of 64 hex digits"),
        (false, key.as_str(), "owner_key does nothing while recordings are not encrypted"),
    ] {
        let errors = checked(&text(encrypt, key), "site.toml").unwrap_err();
        let problems: Vec<_> = errors.json().collect();
        assert_eq!((problems.len(), problems[0].line, problems[0].col), (1, 3, 13), "{key}");
        assert!(problems[0].message == said && problems[0].help.is_some(), "{:?}", problems[0]);
        assert!(errors.render(Colours::Off).contains("^^^^^^"), "{key}");
    }
}

#[test]
fn an_empty_file_is_a_box_before_its_set_up() {
    let config = checked("", "empty.toml").unwrap();
    assert!(config.trunks.is_empty() && config.tracking_numbers.is_empty());
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8480");
}

#[test]
fn the_shipped_sites_fit_their_boards() {
    for (site, numbers, campaigns) in
        [("sim/ringside.toml", 4, 3), ("sim/demo.toml", 5, 4), ("sim24/ringside.toml", 4, 3)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("board").join(site);
        let config = Config::parse_on_board(&fs::read_to_string(&path).unwrap(), site, |profile| {
            let text = fs::read_to_string(path.parent().unwrap().join(profile)).unwrap();
            let profile = Profile::parse(&text).unwrap();
            let name = |(_, port): (_, &ringside::board::Port)| port.name.clone();
            Ok(Ports {
                phones: profile.fxs_ports().map(name).collect(),
                lines: profile.fxo_ports().map(name).collect(),
            })
        });
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!((config.tracking_numbers.len(), config.campaigns.len()), (numbers, campaigns), "{site}");
    }
}

#[test]
fn exit_codes_tell_what_went_wrong_and_failures_what_to_try_next() {
    let cases: [(&[&str], i32); 7] = [
        (&["check-config", "board/sim/ringside.toml"], 0),
        (&["check-config", "tests/data/config/numbers.toml"], 3),
        (&["check-config", "--json", "tests/data/config/numbers.toml"], 3),
        (&["run", "--config", "tests/data/config/numbers.toml"], 3),
        (&["check-config", "no/such/file.toml"], 1),
        (&["calls", "--data", "no/such/folder"], 1),
        (&["calls", "show", "not-an-id"], 2),
    ];
    for (arguments, code) in cases {
        let output = ringside(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        let leads_on =
            if code == 2 { said.contains("--help") } else { code == 0 || said.contains("\n  next: ") };
        assert!(leads_on && !said.contains('\u{1b}'), "{arguments:?}: {said}");
    }
}

#[test]
fn json_errors_are_one_object_a_line_with_their_place() {
    let output = ringside(&["check-config", "--json", "tests/data/config/dangling.toml"]);
    let lines: Vec<serde_json::Value> =
        output.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let places: Vec<_> = lines.iter().map(|line| (line["line"].as_u64(), line["code"].as_str())).collect();
    assert!(places.contains(&(Some(15), Some("dangling"))), "{places:?}");
    assert!(lines.iter().all(|line| line["path"] == "tests/data/config/dangling.toml"), "{lines:?}");
}

#[test]
fn a_box_that_took_no_calls_lists_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = ringside(&["calls", "--json", "--data", folder.path().to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn how_long_things_are_kept_is_said_in_days() {
    let kept = |text: &str| checked(text, "kept.toml").map(|config| config.retention);
    let usual = kept("").unwrap();
    assert_eq!(
        (usual.recordings_days, usual.records_days, usual.missed_days, usual.grace_days),
        (365, 1_825, 1_825, 7)
    );
    let own = kept("[retention]\nrecordings_days = 90\nrecords_days = 400\ngrace_days = 0").unwrap();
    assert_eq!((own.recordings_days, own.records_days, own.missed_days, own.grace_days), (90, 400, 400, 0));
    let for_ever = kept("[retention]\nrecordings_days = 0\nrecords_days = 0\nmissed_days = 30").unwrap();
    assert_eq!((for_ever.recordings_days, for_ever.records_days, for_ever.missed_days), (0, 0, 30));
}

#[test]
fn a_recording_does_not_outlive_its_record() {
    for (text, said) in [
        ("recordings_days = 0", "recordings are kept for ever, and their records 1825 days"),
        (
            "recordings_days = 500\nrecords_days = 400",
            "recordings are kept 500 days, and their records 400 days",
        ),
        ("records_days = 30", "recordings are kept 365 days, and their records 30 days"),
        ("grace_days = 91", "grace_days must be between 0 and 90"),
        ("recordings_days = -1", "recordings_days must be between 0 and 36500"),
    ] {
        let errors = checked(&format!("[retention]\n{text}"), "kept.toml").unwrap_err();
        let shown = errors.render(Colours::Off);
        assert!(shown.contains(said) && shown.contains("help: "), "{shown}");
        assert!(shown.contains("kept.toml:2:"), "the place is shown: {shown}");
    }
}
