//! Configurations as installers write them: ten broken ones whose every mistake is shown at once, with its place and
//! its remedy, beside the shipped ones, which are whole.
//!
//! `BLESS=1` writes the expected texts anew; read the difference before you commit it.

#![allow(clippy::disallowed_methods)]

use ringside::config::{Colours, Config, ConfigErrors, RecordingPolicy, TrunkMode};
use std::{fs, path::Path};

/// Parses as `check-config` does, on a board with two phones.
fn checked(text: &str, file_name: &str) -> Result<Config, ConfigErrors> {
    Config::parse_on_board(text, file_name, |profile| match profile.to_str() {
        Some("profile.toml") => Ok(vec!["PHONE1".to_owned(), "PHONE2".to_owned()]),
        _ => Err(format!("there is no file {}", profile.display())),
    })
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
fn an_empty_file_is_a_box_before_its_set_up() {
    let config = checked("", "empty.toml").unwrap();
    assert!(config.trunks.is_empty() && config.tracking_numbers.is_empty());
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8480");
}
