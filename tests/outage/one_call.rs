//! The simplest thing: one call and its recording come to the upstream, and the box says how that does.

use crate::{
    office::{office, status, sync_now, sync_status, wait_sync},
    receiver::{Receiver, digest},
    shared::{
        process::{self, PATIENCE, Process, eventually},
        site::{ANSWERS, Group, Site, number},
        web,
    },
};
use ringside::{
    id::BoxId,
    record::{CallRecord, RecordingState},
    sim::provider::{Account, CallPlan, End, Provider, Speech},
    status::{LedColour, LedPattern, SyncState},
};
use std::{thread::sleep, time::Duration};

/// From the caller's BYE to a phone that rings again.
const SETTLE: Duration = Duration::from_millis(2500);
/// How soon after its end a call is upstream.
const SOON: Duration = Duration::from_secs(75);

/// A call that is answered and recorded; its record once it is closed.
pub(crate) fn talk(site: &Site, provider: &Provider, nth: usize) -> CallRecord {
    let plan = CallPlan {
        speech: Speech::Tone { hz: 440.0, peak: 8000 },
        hang_up_after: Some(Duration::from_secs(3)),
        ..CallPlan::new("+13126000000", &number(0))
    };
    let outcome = provider.place_at(site.sip(), plan).wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp), "{:?}", outcome.statuses);
    sleep(SETTLE);
    let mut records = process::closed_calls(site, nth);
    records.sort_by_key(|record| record.seq);
    assert_eq!(records.len(), nth);
    records.remove(nth - 1)
}

/// The receiver has the record as the box has it, and the recording byte for byte.
pub(crate) fn arrived(site: &Site, receiver: &Receiver, id: BoxId, record: &CallRecord) {
    let same = || receiver.records(id).get(&record.id).is_some_and(|received| received.record == *record);
    let waited = eventually(SOON, same);
    assert!(waited.is_some(), "the final record is not upstream: {record:#?}");
    let Some(path) = &record.recording.path else { return };
    let digests = || receiver.digests(id, record.recording.id.unwrap());
    let mine = digest(&site.data().join(path));
    assert_eq!(record.recording.hash.as_ref(), Some(&mine));
    assert!(eventually(SOON, || digests() == [mine.clone()]).is_some(), "{:?}", digests());
}

fn sync_lamp(site: &Site) -> (LedColour, LedPattern) {
    let panel = status(site).unwrap().panel;
    let lamp = panel.into_iter().find(|lamp| lamp.name == "sync").expect("a lamp for sync");
    (lamp.colour, lamp.pattern)
}

fn strip_says(site: &Site, words: &str) {
    let page = || web::get(site.web(), "/").unwrap().1;
    assert!(eventually(SOON, || page().contains(words)).is_some(), "the page does not say `{words}`");
}

#[test]
fn a_call_and_its_recording_are_upstream_soon_and_an_outage_is_caught_up() {
    let mut receiver = Receiver::new();
    let (site, id) = office(&receiver, &[&[ANSWERS] as Group<'_>], "", None);
    receiver.start();
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();

    let first = talk(&site, &provider, 1);
    assert_eq!(first.recording.state, RecordingState::Closed);
    arrived(&site, &receiver, id, &first);
    wait_sync(&site, &process, SyncState::UpToDate);
    assert_eq!(sync_status(&site).state, SyncState::UpToDate);
    strip_says(&site, "sync up to date");
    assert!(eventually(SOON, || sync_lamp(&site) == (LedColour::Green, LedPattern::On)).is_some());

    receiver.stop();
    let second = talk(&site, &provider, 2);
    assert_eq!(second.recording.state, RecordingState::Closed, "calls go on without the upstream");
    wait_sync(&site, &process, SyncState::Unreachable);
    let told = sync_status(&site);
    assert_eq!((told.records_waiting, told.recordings_waiting), (1, 1));
    assert!(told.last_error.is_some(), "{told:?}");
    strip_says(&site, "the upstream does not answer: 1 record and 1 recording wait");
    assert!(eventually(SOON, || sync_lamp(&site) == (LedColour::Amber, LedPattern::Slow)).is_some());

    receiver.start();
    sync_now(&site);
    arrived(&site, &receiver, id, &second);
    wait_sync(&site, &process, SyncState::UpToDate);
    assert_eq!(receiver.records(id).len(), 2);
    assert_eq!(process::calls(&site).len(), 2);
    assert_eq!(process::verify(&site), None);
}
