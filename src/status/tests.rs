//! The snapshot as it is written.

use super::{made_up, *};

/// What programs outside read; a change of it is a change of the schema.
const GOLDEN: &str = include_str!("../../tests/data/status.json");

#[test]
fn a_snapshot_reads_back_as_it_was_written() {
    for status in [made_up::idle(), made_up::busy()] {
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<BoxStatus>(&text).unwrap(), status);
    }
}

#[test]
fn the_written_form_is_the_published_one() {
    let text = serde_json::to_string_pretty(&made_up::busy()).unwrap() + "\n";
    assert!(text == GOLDEN, "if this is meant, put into tests/data/status.json:\n{text}");
    assert_eq!(serde_json::from_str::<BoxStatus>(GOLDEN).unwrap(), made_up::busy());
}

#[test]
fn an_untracked_call_has_no_place_for_a_number() {
    let status = made_up::busy();
    let direct = serde_json::to_value(&status.calls[1]).unwrap();
    let keys: Vec<&str> = direct.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(direct["kind"], "direct");
    assert_eq!(keys.len(), 4);
    assert!(["kind", "line", "phone", "since"].iter().all(|key| keys.contains(key)), "{keys:?}");
}

#[test]
fn time_alone_is_no_news() {
    let before = made_up::idle();
    let mut after = before.clone();
    after.at = WallTime(before.at.0 + 1000);
    after.uptime_s += 1;
    after.media.periods += 100;
    assert!(after.says_the_same_as(&before));
    after.counters.untracked += 1;
    assert!(!after.says_the_same_as(&before));
}

#[test]
fn ports_are_named_phones_first() {
    assert_eq!(made_up::idle().ports().collect::<Vec<_>>(), ["PHONE1", "PHONE2", "LINE1", "LINE2"]);
}
