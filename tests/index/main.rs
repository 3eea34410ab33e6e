//! The index: what it answers about calls, receipts, refusals, holds and erasures; see also `histories` and `files`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod files;
mod histories;
#[path = "../storage/mod.rs"]
mod storage;

use ringside::{
    id::CallId,
    io::{
        journal::{Fact, Kind},
        store::{AuditKey, Backlog, Erasure, Index, Refusal},
    },
    note::{Note, Part, What},
    record::{CallRecord, Ended, Recording, RecordingState},
    recording::retention::ERASED,
    time::WallTime,
};
use storage::{START, call, ended, recording, ringing};
use tempfile::TempDir;

const ALL: usize = usize::MAX;
const DAY_MS: u64 = 86_400_000;

/// Everything that an index says.
#[derive(Debug, PartialEq)]
struct Answers {
    calls: Vec<CallRecord>,
    by_time: Vec<u64>,
    by_caller: Vec<u64>,
    unsent_records: Vec<u64>,
    unsent_recordings: Vec<u64>,
    backlog: Backlog,
    refusals: Vec<Refusal>,
    erasures: Vec<Erasure>,
    held: Vec<CallId>,
    audit: Vec<(AuditKey, Note)>,
    last_hq_seq: u64,
}

fn answers(index: &Index) -> Answers {
    let calls = index.page(None, ALL).unwrap();
    let held = calls.iter().map(|record| record.id).filter(|&call| index.held(call).unwrap().is_some());
    Answers {
        by_time: seqs(&index.expired(WallTime(u64::MAX), None, ALL).unwrap()),
        by_caller: seqs(&index.calls_of("+13125550199", ALL).unwrap()),
        unsent_records: seqs(&index.unsent_records(ALL).unwrap()),
        unsent_recordings: seqs(&index.unsent_recordings(ALL).unwrap()),
        backlog: index.backlog().unwrap(),
        refusals: index.refusals(ALL).unwrap(),
        erasures: index.erasures_due(WallTime(u64::MAX), ALL).unwrap(),
        held: held.collect(),
        audit: index.audit(None, ALL).unwrap(),
        last_hq_seq: index.last_hq_seq().unwrap(),
        calls,
    }
}

fn seqs(records: &[CallRecord]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

/// An empty index in a folder of its own.
fn new_index() -> (TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::new(&dir.path().join("index"));
    index.open(&dir.path().join("journal"), START).unwrap();
    (dir, index)
}

/// A call that is over, in revision 1, with its recording still being closed.
fn over(seq: u64) -> Fact {
    Fact::Call(Kind::Ended, storage::still_writing(seq))
}

/// The same call in revision 2, with its recording of `1000 * seq` bytes.
fn recorded(seq: u64) -> Fact {
    let mut record = ended(seq, Ended::CallerHungUp);
    let state = RecordingState::Closed;
    record.recording =
        Recording { id: Some(recording(seq)), state, bytes: 1_000 * seq, ..Recording::default() };
    record.rev = 2;
    Fact::Call(Kind::Recorded, record)
}

/// A note made `at` ms after the first call.
fn note(at: u64, what: What) -> Fact {
    Fact::Note(Note { at: WallTime(START.0 + at), what })
}

fn receipt(seq: u64, rev: u32, hq_seq: u64) -> Fact {
    note(10, What::RecordReceived { call: call(seq), rev, hash: "cd".repeat(32), hq_seq })
}

fn recording_receipt(seq: u64) -> Fact {
    let (call, recording) = (call(seq), recording(seq));
    note(10, What::RecordingReceived { call, recording, hash: "ab".repeat(32) })
}

fn refusal(at: u64, seq: u64, part: Part) -> Fact {
    note(at, What::Refused { call: call(seq), part, status: 422, why: "no such box".to_owned() })
}

fn ask(seq: u64, part: Part, due: u64) -> Fact {
    let (by, why) = ("retention".to_owned(), "older than 365 days".to_owned());
    note(20, What::EraseAsked { call: call(seq), part, by, why, due: WallTime(due) })
}

fn hold(seq: u64) -> Fact {
    note(30, What::Held { call: call(seq), by: "owner".to_owned(), why: "dispute".to_owned() })
}

fn release(seq: u64) -> Fact {
    note(40, What::Released { call: call(seq), by: "owner".to_owned() })
}

#[test]
fn what_is_unsent_goes_with_its_receipts() {
    let (_dir, index) = new_index();
    index.apply(&[over(1), over(2), recorded(2), over(3), recorded(3)], Some(9)).unwrap();
    assert_eq!(seqs(&index.unsent_records(2).unwrap()), [3, 2], "newest first");
    assert_eq!(
        seqs(&index.unsent_recordings(9).unwrap()),
        [2, 3],
        "oldest first, none that is being written"
    );
    let oldest = Some(WallTime(START.0 + 1));
    let backlog = Backlog { records: 3, recordings: 2, refused: 0, oldest, recording_bytes: 5_000 };
    assert_eq!(index.backlog().unwrap(), backlog);

    index.apply(&[receipt(3, 2, 71), recording_receipt(2), receipt(1, 1, 70)], None).unwrap();
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [2]);
    assert_eq!(seqs(&index.unsent_recordings(9).unwrap()), [3]);
    let oldest = Some(WallTime(START.0 + 2));
    let backlog = Backlog { records: 1, recordings: 1, refused: 0, oldest, recording_bytes: 3_000 };
    assert_eq!((index.backlog().unwrap(), index.last_hq_seq().unwrap()), (backlog, 71));

    let sync = |seq| index.get(call(seq)).unwrap().unwrap().sync;
    assert_eq!((sync(3).record_acked_rev, sync(3).recording_acked), (2, false));
    assert_eq!((sync(2).record_acked_rev, sync(2).recording_acked), (0, true));
    assert_eq!(index.page(None, 1).unwrap()[0].sync, sync(3));
    assert_eq!(index.since(START, 1).unwrap()[0].sync, sync(3));
    assert_eq!(index.applied().unwrap(), 9);
}

#[test]
fn an_old_receipt_never_acknowledges_a_newer_revision() {
    let (_dir, index) = new_index();
    index.apply(&[over(1), recorded(1), receipt(1, 1, 5)], None).unwrap();
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [1]);
    index.apply(&[receipt(1, 2, 6), receipt(1, 1, 7)], None).unwrap();
    assert!(index.unsent_records(9).unwrap().is_empty());
    assert_eq!(index.get(call(1)).unwrap().unwrap().sync.record_acked_rev, 2);
}

#[test]
fn a_refusal_is_kept_until_a_receipt_or_a_newer_revision() {
    let (_dir, index) = new_index();
    let refused = [refusal(50, 1, Part::Record), refusal(60, 2, Part::Recording)];
    index.apply(&[over(1), over(2), recorded(2)], None).unwrap();
    index.apply(&refused, None).unwrap();
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [2]);
    assert!(index.unsent_recordings(9).unwrap().is_empty());
    let kept = index.refusals(9).unwrap();
    assert_eq!(
        kept.iter().map(|kept| (kept.call, kept.part)).collect::<Vec<_>>(),
        [(call(1), Part::Record), (call(2), Part::Recording)]
    );
    assert_eq!((kept[0].status, &*kept[0].why, kept[0].at), (422, "no such box", WallTime(START.0 + 50)));
    assert_eq!(index.backlog().unwrap().refused, 2);

    // A day later it is tried once more, and no longer when it is refused again.
    assert_eq!(index.retry_refused(WallTime(START.0 + 55)).unwrap(), 1);
    assert_eq!(index.retry_refused(WallTime(START.0 + 55)).unwrap(), 0, "it is among the unsent already");
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [2, 1]);
    assert_eq!(index.backlog().unwrap().refused, 2, "and still shown");
    index.apply(&[refusal(DAY_MS, 1, Part::Record)], None).unwrap();
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [2]);

    index.apply(&[recorded(1), recording_receipt(2)], None).unwrap();
    assert!(index.refusals(9).unwrap().is_empty());
    assert_eq!(index.backlog().unwrap().refused, 0);
    assert_eq!(seqs(&index.unsent_records(9).unwrap()), [2, 1]);
    assert_eq!(seqs(&index.unsent_recordings(9).unwrap()), [1]);
}

#[test]
fn what_the_upstream_lost_is_unsent_again() {
    let (_dir, index) = new_index();
    let calls: Vec<Fact> = (1..=1_300).map(recorded).collect();
    let receipts: Vec<Fact> =
        (1..=1_300).flat_map(|seq| [receipt(seq, 2, 1_000 + seq), recording_receipt(seq)]).collect();
    index.apply(&calls, None).unwrap();
    index.apply(&receipts, None).unwrap();
    assert_eq!(index.backlog().unwrap(), Backlog::default());
    let lost =
        |above_hq_seq, calls, recordings| note(70, What::UpstreamLost { above_hq_seq, calls, recordings });

    let again = receipt(1_300, 2, 1_105);
    index
        .apply(&[lost(Some(1_100), vec![[3, 4]], vec![recording(7), recording(9_999)]), again], None)
        .unwrap();
    let backlog = index.backlog().unwrap();
    assert_eq!((backlog.records, backlog.recordings), (1_200 - 1 + 2, 1));
    assert_eq!(index.last_hq_seq().unwrap(), 1_105, "a receipt after the loss stands");
    assert_eq!(seqs(&index.unsent_recordings(9).unwrap()), [7]);
    assert_eq!(seqs(&index.unsent_records(ALL).unwrap())[1_198..], [101, 4, 3]);

    index.apply(&[lost(None, vec![[u64::MAX, 0], [1, u64::MAX]], Vec::new())], None).unwrap();
    assert_eq!((index.backlog().unwrap().records, index.last_hq_seq().unwrap()), (1_300, 0));
}

#[test]
fn erasures_come_due_in_order_but_not_on_hold() {
    let (_dir, index) = new_index();
    let due = |now| {
        let due = index.erasures_due(WallTime(now), 9).unwrap();
        due.iter().map(|erasure| (erasure.call, erasure.part)).collect::<Vec<_>>()
    };
    index.apply(&[recorded(1), recorded(2), recorded(3)], None).unwrap();
    let asked = [ask(1, Part::Recording, 300), ask(2, Part::Record, 200), ask(3, Part::Recording, 100)];
    index.apply(&asked, None).unwrap();
    assert_eq!(due(99), []);
    assert_eq!(due(200), [(call(3), Part::Recording), (call(2), Part::Record)]);
    assert_eq!(index.erasures_due(WallTime(100), 9).unwrap()[0].by, "retention");

    index.apply(&[hold(3)], None).unwrap();
    assert_eq!(index.held(call(3)).unwrap().unwrap().by, "owner");
    let holds: Vec<CallId> = index.holds(9).unwrap().into_iter().map(|(call, _)| call).collect();
    assert_eq!(holds, [call(3)]);
    let standing = index.standing(call(3)).unwrap();
    assert_eq!((standing.hold.is_some(), standing.asked.len()), (true, 1), "it is asked for behind the hold");
    assert_eq!(due(300), [(call(2), Part::Record), (call(1), Part::Recording)]);
    let cancelled = note(50, What::EraseCancelled { call: call(1), by: "owner".to_owned() });
    index.apply(&[release(3), cancelled], None).unwrap();
    assert_eq!(index.held(call(3)).unwrap(), None);
    assert!(index.holds(9).unwrap().is_empty());
    assert_eq!(due(300), [(call(3), Part::Recording), (call(2), Part::Record)]);

    // The recording goes first; the record is done when nobody is named in it any more.
    let mut record = ended(2, Ended::CallerHungUp);
    (record.rev, record.recording.state) = (3, RecordingState::Erased);
    index.apply(&[Fact::Call(Kind::Erased, record.clone())], None).unwrap();
    assert_eq!(due(300), [(call(3), Part::Recording), (call(2), Part::Record)]);
    (record.rev, record.customer_phone_number, record.customer_name) = (4, None, None);
    record.attribution.warnings.push(ERASED.to_owned());
    index.apply(&[Fact::Call(Kind::Erased, record)], None).unwrap();
    assert_eq!(due(300), [(call(3), Part::Recording)]);
    assert_eq!(seqs(&index.calls_of("+13125550199", 9).unwrap()), [3, 1], "nor found by the number");
}

#[test]
fn calls_are_found_by_caller_and_by_age() {
    let (_dir, index) = new_index();
    let mut facts: Vec<Fact> = (1..=6).map(recorded).collect();
    let mut other = ended(7, Ended::Busy);
    other.customer_phone_number = "+131255501991".parse().ok();
    facts.push(Fact::Call(Kind::Ended, other));
    facts.push(Fact::Call(Kind::Ringing, ringing(8)));
    index.apply(&facts, None).unwrap();
    assert_eq!(seqs(&index.calls_of("+13125550199", 2).unwrap()), [6, 5]);
    assert_eq!(seqs(&index.calls_of("+131255501991", 9).unwrap()), [7]);
    assert!(index.calls_of("+1312555", 9).unwrap().is_empty());

    let before = WallTime(START.0 + 5);
    assert_eq!(seqs(&index.expired(before, None, 2).unwrap()), [1, 2]);
    assert_eq!(seqs(&index.expired(before, Some((WallTime(START.0 + 2), 2)), 9).unwrap()), [3, 4]);
    assert!(index.expired(before, Some((before, 5)), 9).unwrap().is_empty());
    assert_eq!(index.get(call(8)).unwrap(), None, "a call in progress is not in the index");
}

#[test]
fn the_audit_is_paged_by_time() {
    let (_dir, index) = new_index();
    let did = |at, on: &str| {
        note(at, What::Audit { by: "owner".to_owned(), did: "played".to_owned(), on: on.to_owned() })
    };
    index.apply(&[did(1, "a"), did(2, "b"), did(2, "c"), did(2, "b"), did(9, "d")], None).unwrap();
    let first = index.audit(None, 2).unwrap();
    let rest = index.audit(Some(first[1].0), 9).unwrap();
    let all: Vec<Note> = first.iter().chain(&rest).map(|(_, note)| note.clone()).collect();
    assert_eq!(all.iter().map(|note| note.at.0 - START.0).collect::<Vec<_>>(), [9, 2, 2, 1], "none twice");
    assert_eq!(index.audit(Some(AuditKey::before(WallTime(START.0 + 2))), 9).unwrap().len(), 1);
    let key = rest[0].0;
    assert_eq!(key.to_string().parse(), Ok(key));
}

#[test]
fn the_index_finds_and_adds_up_what_a_list_in_memory_does() {
    use ringside::{
        ledger::{Book as _, Filter, Listed, filter::Site, report::report, search},
        number::Dialplan,
    };
    let (_dir, index) = new_index();
    let mut records: Vec<CallRecord> = (1..=120).map(|seq| *handled(seq)).collect();
    let facts: Vec<Fact> =
        records.iter().map(|record| Fact::Call(Kind::Ended, Box::new(record.clone()))).collect();
    index.apply(&facts, None).unwrap();
    // A later revision of a call takes the place of the one before, also in brief.
    records[30].rev = 9;
    records[30].handling.tags = vec!["late".to_owned()];
    index.apply(&[Fact::Call(Kind::Ended, Box::new(records[30].clone()))], None).unwrap();
    let listed = Listed::new(records);
    assert_eq!(index.names().unwrap(), listed.names().unwrap());
    let plan = Dialplan::for_country("US").unwrap();
    let site = Site { zone: jiff::tz::TimeZone::UTC, plan, now: START };
    for asked in [&[][..], &[("answered", "false")], &[("search", "0007")], &[("tag", "late")]] {
        let pairs: Vec<(String, String)> =
            asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (filter, _) = Filter::of(&pairs, &site).unwrap();
        let paging = search::Paging { per_page: 25, ..search::Paging::default() };
        let [found, expected] = [&index as &dyn ringside::ledger::Book, &listed]
            .map(|book| search::page(book, &filter, &paging, &site).unwrap());
        assert_eq!((found.total, found.next), (expected.total, expected.next), "{asked:?}");
        assert_eq!(seqs(&found.calls), seqs(&expected.calls), "{asked:?}");
        let [sums, expected] = [&index as &dyn ringside::ledger::Book, &listed]
            .map(|book| report(book, &filter, &site).unwrap());
        assert_eq!((sums.all, sums.campaigns, sums.week), (expected.all, expected.campaigns, expected.week));
    }
}

fn handled(seq: u64) -> Box<CallRecord> {
    let ended_as = if seq.is_multiple_of(3) { Ended::NoAnswer } else { Ended::CallerHungUp };
    let mut record = ended(seq, ended_as);
    record.start_time = WallTime(START.0 + seq * 3_600_000);
    record.customer_phone_number = format!("+1312555{seq:04}").parse().ok();
    record
}
