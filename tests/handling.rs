//! What the office writes into a call while it is up and afterwards is never lost, whatever the call does.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    handling::{Claim, ClaimEdit, Edit, EditRefused, NoteEdit},
    io::{
        clock::Clock,
        files,
        journal::reader::fold,
        storage::{Options, Storage, recover, start},
    },
    note::Part,
    record::{CallRecord, Ended, RecordingState},
    recording::{
        lifecycle::{Command, Event},
        request::{Receipt, Refused, Request, Subject, When},
        retention,
    },
};
use std::{
    fs,
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use storage::{START, call, ended, noise, recording, ringing, tags, tapped};

const WAIT: Duration = Duration::from_secs(20);

fn begin(dir: &Path) -> (Storage, Receiver<Event>) {
    let options = Options { ballast_bytes: 0, ..Options::default() };
    let clock = Clock::start();
    recover(dir, &options, clock).unwrap();
    let (report, events) = channel();
    let storage = start(dir, &options, clock, move |event| drop(report.send(event))).unwrap();
    (storage, events)
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for<T>(events: &Receiver<Event>, is_it: impl Fn(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = is_it(events.recv_timeout(WAIT).expect("an event")) {
            return found;
        }
    }
}

fn note(text: &str) -> Edit {
    Edit { note: Some(NoteEdit { text: text.to_owned(), was: None }), ..Edit::default() }
}

fn tagged(tag: &str) -> Edit {
    Edit { tags: Some(vec![tag.to_owned()]), ..Edit::default() }
}

fn edit(storage: &Storage, seq: u64, edit: &Edit) -> Result<CallRecord, EditRefused> {
    until("the index is level", || match storage.desk().edit(call(seq), edit, "ana") {
        Err(EditRefused::Busy) => None,
        done => Some(done),
    })
}

fn journaled(dir: &Path, seq: u64) -> CallRecord {
    let (records, _) = fold(&dir.join("journal")).unwrap();
    records.into_iter().find(|record| record.id == call(seq)).unwrap()
}

#[test]
fn a_note_of_a_live_call_is_on_its_later_records_and_theirs_on_the_note() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    storage.send(Command::Ringing(ringing(1)));
    assert_eq!(edit(&storage, 1, &note("boiler is out")).unwrap().rev, 1);
    let (mut tap, ring) = rtrb::RingBuffer::new(400);
    storage.start_recording(call(1), recording(1), tags(1), ring);
    let mut answered = ringing(1);
    answered.answered = true;
    let claim = |name: &str| Claim { user_id: None, name: name.to_owned(), how: "port".to_owned() };
    answered.handling.claimed_by = Some(claim("Bob"));
    storage.send(Command::Answered { call: call(1), record: answered });
    let up = edit(&storage, 1, &tagged("urgent")).unwrap();
    assert!(up.answered && up.outcome.ended == Ended::InProgress);
    assert_eq!(up.handling.note.as_deref(), Some("boiler is out"));
    assert_eq!(up.handling.claimed_by, Some(claim("Bob")));
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    // Over, and its recording still being written.
    let between = edit(&storage, 1, &Edit { reason: Some("Booked".to_owned()), ..Edit::default() }).unwrap();
    assert_eq!(between.recording.state, RecordingState::Writing);
    tapped(0, &noise(1, 8_000), &noise(2, 8_000)).into_iter().for_each(|frame| tap.push(frame).unwrap());
    drop(tap);
    wait_for(&events, |event| matches!(event, Event::Recorded { .. }).then_some(()));
    let last = edit(&storage, 1, &note("boiler is out, done")).unwrap();
    assert_eq!(last.rev, between.rev + 2);
    assert_eq!(last.recording.state, RecordingState::Closed);
    let stored =
        until("in the index", || storage.index().get(call(1)).unwrap().filter(|r| r.rev == last.rev));
    assert_eq!(stored, last);
    assert_eq!(
        (last.handling.note.as_deref(), last.handling.tags.as_slice(), last.handling.reason.as_deref()),
        (Some("boiler is out, done"), ["urgent".to_owned()].as_slice(), Some("Booked"))
    );
    assert_eq!(storage.index().unsent_records(9).unwrap(), std::slice::from_ref(&last), "it goes upstream");
    let sidecar = dir.path().join(files::path_of(call(1), START, "json"));
    until("the sidecar", || {
        let sidecar: CallRecord = serde_json::from_slice(&fs::read(&sidecar).ok()?).ok()?;
        (sidecar == last).then_some(())
    });
    let audit: Vec<String> = storage.desk().audit(9).unwrap().into_iter().map(|line| line.did).collect();
    assert_eq!(audit.len(), 4, "{audit:?}");
    assert!(audit.contains(&"changed tags".to_owned()), "{audit:?}");
    storage.shutdown();
    assert_eq!(journaled(dir.path(), 1), last);
}

#[test]
fn a_call_that_a_crash_cut_off_keeps_its_note() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, _events) = begin(dir.path());
    storage.send(Command::Ringing(ringing(1)));
    edit(&storage, 1, &note("leak")).unwrap();
    storage.send(Command::Answered { call: call(1), record: ringing(1) });
    // It ends without the call's end, as by kill -9: what is acknowledged is on the disk.
    storage.shutdown();
    let (storage, _events) = begin(dir.path());
    let record = until("in the index", || storage.index().get(call(1)).unwrap());
    assert_eq!(record.outcome.ended, Ended::Interrupted);
    assert_eq!(record.handling.note.as_deref(), Some("leak"));
    assert_eq!(edit(&storage, 1, &note("leak, again")).unwrap().rev, record.rev + 1);
}

#[test]
fn an_erased_record_takes_no_note_and_keeps_none() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    storage.send(Command::Ringing(ringing(1)));
    storage.send(Command::Save(ended(1, Ended::NoAnswer)));
    wait_for(&events, |event| matches!(event, Event::Saved { .. }).then_some(()));
    let take = Edit { call_back: Some("called_back".to_owned()), ..note("Ada wants a new boiler") };
    edit(&storage, 1, &take).unwrap();
    let of = Subject::Call(call(1));
    let (part, by, why) = (Part::Record, "ana".to_owned(), "asked".to_owned());
    let request = Request::Erase { of, part, by, why, when: When::Now, receipt: Receipt::Needed };
    until("asked", || match storage.desk().ask(&request) {
        Err(Refused::Busy) => None,
        answer => Some(answer.unwrap()),
    });
    let left = until("erased", || storage.index().get(call(1)).unwrap().filter(retention::is_erased));
    assert_eq!((left.handling.note, left.handling.call_back.as_deref()), (None, Some("called_back")));
    assert_eq!(edit(&storage, 1, &note("Ada")), Err(EditRefused::Erased));
    storage.shutdown();
    let all = files::recording_files(dir.path()).unwrap();
    assert!(all.iter().all(|path| !fs::read(dir.path().join(path)).unwrap().windows(3).any(|w| w == b"Ada")));
}

#[test]
fn a_caller_who_called_before_is_known_and_a_claim_is_not_taken_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, events) = begin(dir.path());
    for seq in 1..=2 {
        storage.send(Command::Ringing(ringing(seq)));
        storage.send(Command::Save(ended(seq, Ended::Cancelled)));
        wait_for(&events, |event| {
            matches!(event, Event::Saved { call: of } if of == call(seq)).then_some(())
        });
    }
    assert_eq!(edit(&storage, 3, &note("?")), Err(EditRefused::UnknownCall));
    storage.send(Command::Ringing(ringing(3)));
    let prior = wait_for(&events, |event| match event {
        Event::Handled { call: of, handling, .. } if of == call(3) => handling.prior_calls,
        _ => None,
    });
    assert_eq!(prior, 2);
    let claim = |name: &str| Claim { user_id: None, name: name.to_owned(), how: "taken".to_owned() };
    let take = |claim| Edit { claim: Some(claim), ..Edit::default() };
    edit(&storage, 3, &take(ClaimEdit::Take(claim("Ana")))).unwrap();
    let refused = edit(&storage, 3, &take(ClaimEdit::Take(claim("Bob"))));
    assert_eq!(refused, Err(EditRefused::Claimed("Ana".to_owned())));
    storage.send(Command::Save(ended(3, Ended::Cancelled)));
    let record = until("in the index", || storage.index().get(call(3)).unwrap());
    assert_eq!((record.handling.prior_calls, record.handling.claimed_by), (Some(2), Some(claim("Ana"))));
}
