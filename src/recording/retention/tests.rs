//! What is erased when, as a table.

use super::*;
use crate::{
    record::{ClockStamp, Recording, Sync},
    recording::{made_up, standing::Hold},
};

const POLICY: Policy = Policy {
    recordings_days: 365,
    records_days: 1_825,
    missed_days: 730,
    grace_days: 7,
    upstream: Upstream::None,
};
const UPSTREAM: Policy = Policy { upstream: Upstream::Configured, ..POLICY };
const FOREVER: Policy = Policy { recordings_days: 0, records_days: 0, missed_days: 0, ..POLICY };

fn days(days: u64) -> WallTime {
    WallTime(made_up::START.0 + 1 + days * DAY_MS)
}

fn recorded() -> CallRecord {
    let mut record = made_up::record(1);
    record.recording = Recording {
        state: RecordingState::Closed,
        path: Some("rec/2026/11/22/x.opus".to_owned()),
        hash: Some("ab".to_owned()),
        ..Recording::default()
    };
    record
}

fn with(change: impl FnOnce(&mut CallRecord)) -> CallRecord {
    let mut record = recorded();
    change(&mut record);
    record
}

fn received(rev: u32, recording: bool) -> CallRecord {
    with(|record| record.sync = Sync { record_acked_rev: rev, recording_acked: recording })
}

fn asked(part: Part, by: &str) -> Asked {
    let (call, why) = (made_up::record(1).id, "old".to_owned());
    Asked { call, part, by: by.to_owned(), why, due: WallTime(1) }
}

#[test]
fn what_retention_wants_of_a_call_at_its_age() {
    use Part::{Record, Recording};
    let missed = || with(|record| (record.answered, record.recording) = (false, Default::default()));
    let gone = |part| erased(&recorded(), &asked(part, BY_RETENTION));
    let unset = || {
        with(|record| {
            let (state, boot_id) = (ClockState::Unsynced, String::new());
            record.clock = Some(ClockStamp { state, boot_id, monotonic_ms: 0 });
        })
    };
    for (name, record, policy, age_days, expected) in [
        ("the last day", recorded(), POLICY, 364, Err(Kept::InTime)),
        ("its time", recorded(), POLICY, 365, Ok(Recording)),
        ("the record too", recorded(), POLICY, 1_825, Ok(Record)),
        ("erased already", gone(Recording), POLICY, 400, Err(Kept::Gone)),
        ("the rest of it", gone(Recording), POLICY, 1_825, Ok(Record)),
        ("all of it gone", gone(Record), POLICY, 9_999, Err(Kept::Gone)),
        ("missed", missed(), POLICY, 729, Err(Kept::Gone)),
        ("missed and old", missed(), POLICY, 730, Ok(Record)),
        ("for ever", recorded(), FOREVER, 99_999, Err(Kept::InTime)),
        ("in progress", with(|one| one.outcome.ended = Ended::InProgress), POLICY, 999, Err(Kept::Open)),
        (
            "being written",
            with(|one| one.recording.state = RecordingState::Writing),
            POLICY,
            999,
            Err(Kept::Open),
        ),
        ("clock not set", unset(), POLICY, 9_999, Err(Kept::AgeUnknown)),
        ("of 1970", with(|one| one.start_time = WallTime(5)), POLICY, 999, Err(Kept::AgeUnknown)),
        ("no receipt", recorded(), UPSTREAM, 9_999, Err(Kept::NotReceived)),
        ("record only", received(2, false), UPSTREAM, 999, Err(Kept::NotReceived)),
        ("recording only", received(0, true), UPSTREAM, 999, Err(Kept::NotReceived)),
        ("an old revision", received(1, true), UPSTREAM, 999, Err(Kept::NotReceived)),
        ("both", received(2, true), UPSTREAM, 999, Ok(Recording)),
    ] {
        let found = wanted(&record, &Standing::default(), &policy, days(age_days));
        assert_eq!(found.map(|(part, _)| part), expected, "{name}");
    }
}

#[test]
fn nothing_goes_before_the_box_knows_the_time() {
    assert_eq!(wanted(&recorded(), &Standing::default(), &POLICY, WallTime(7)), Err(Kept::AgeUnknown));
}

#[test]
fn a_call_that_was_missed_needs_no_receipt_of_a_recording() {
    let missed = with(|record| {
        (record.answered, record.recording) = (false, Recording::default());
        record.sync.record_acked_rev = 2;
    });
    assert_eq!(may_erase(&missed, &Standing::default(), Part::Record, &UPSTREAM), Ok(()));
}

#[test]
fn a_hold_and_an_earlier_asking_stop_retention_whatever_the_age() {
    let (call, by, why) = (recorded().id, "dana".to_owned(), "court".to_owned());
    let held = Standing { held: Some(Hold { call, by, why, since: WallTime(1) }), ..Standing::default() };
    let pending = Standing { asked: Some(asked(Part::Recording, BY_RETENTION)), ..Standing::default() };
    for policy in [POLICY, UPSTREAM] {
        assert_eq!(wanted(&received(2, true), &pending, &policy, days(9_999)), Err(Kept::Asked));
        for part in [Part::Recording, Part::Record] {
            assert_eq!(may_erase(&received(2, true), &held, part, &policy), Err(Kept::Held));
            assert_eq!(may_erase(&received(2, true), &pending, part, &policy), Ok(()));
        }
    }
    assert!(wanted(&recorded(), &held, &POLICY, days(9_999)).is_err());
}

#[test]
fn an_erased_recording_leaves_its_digest_and_says_why() {
    let left = erased(&recorded(), &asked(Part::Recording, BY_RETENTION));
    assert_eq!(
        (left.rev, left.recording.state, left.recording.path.as_deref()),
        (3, RecordingState::Erased, None)
    );
    assert_eq!(
        (left.recording.hash.as_deref(), left.recording.why_none.as_deref()),
        (Some("ab"), Some("retention"))
    );
    assert_eq!(left.customer_name.as_deref(), Some("Dana Ortiz"), "the record stays");
    let left = erased(&recorded(), &asked(Part::Recording, "dana"));
    assert_eq!(left.recording.why_none.as_deref(), Some("asked by dana"));
}

#[test]
fn nothing_that_names_a_person_is_left_of_an_erased_record() {
    let left = erased(&recorded(), &asked(Part::Record, "dana"));
    let text = serde_json::to_string(&left).unwrap();
    for named in ["+12065550173", "Dana Ortiz", "TN-Validation", "+13125550133", "abc@192.0.2.1", "opus\""] {
        assert!(!text.contains(named), "{named} is left in {text}");
    }
    for kept in ["+13125550100", "+13125550122", "+13125550111", "trk_1", "\"talk\":60000"] {
        assert!(text.contains(kept), "{kept} is not the caller's");
    }
    assert!(is_erased(&left) && !is_erased(&recorded()));
    assert_eq!(may_ask(&left, &Standing::default(), Part::Record), Err(Kept::Gone));
}

#[test]
fn a_page_tells_how_long_a_call_stays() {
    assert_eq!(kept_until(&recorded(), &POLICY), Some((Part::Recording, days(372))));
    let later = erased(&recorded(), &asked(Part::Recording, BY_RETENTION));
    assert_eq!(kept_until(&later, &POLICY), Some((Part::Record, days(1_832))));
    assert_eq!(kept_until(&recorded(), &FOREVER), None);
    assert_eq!(POLICY.oldest_kept(days(365)), Some(days(0)));
    assert_eq!(FOREVER.oldest_kept(days(365)), None);
}
