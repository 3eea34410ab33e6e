//! Seven days without the upstream: thousands of calls wait, and all of them are brought while calls are up.

use crate::{
    office::{office, sync_now, wait_sync},
    one_call::arrived,
    receiver::Receiver,
    shared::{
        peer::Peer,
        process::{self, Process, eventually},
        site::{ANSWERS, Group, Site, number},
    },
    storage,
};
use ringside::{
    id::{BoxId, CallId, RecordingId},
    io::{
        box_key::BoxKey,
        clock::Clock,
        files,
        journal::{
            Fact, Kind,
            writer::{RealDisk, Writer},
        },
    },
    record::{CallRecord, Ended, LegKind, Recording, RecordingState},
    recording::{completeness, seal},
    status::SyncState,
    time::WallTime,
};
use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const WEEK_MS: u64 = 7 * 86_400_000;
/// Different recordings; every call has one of them.
const SOUNDS: u64 = 4;
const SOUND_MS: u64 = 1_000;
/// How long the records may take from the moment that the upstream is back, and then the recordings.
const RECORDS_WITHIN: Duration = Duration::from_secs(60);
const RECORDINGS_WITHIN: Duration = Duration::from_secs(120);
/// How much more memory the box may have while it brings them: the index's page cache fills with what is read, 8 MiB,
/// and a batch is held as records, as text and as a body. 10.5 to 11.7 MB were measured.
const MOST_GROWTH_KB: u64 = 16 * 1024;

/// A call of the week without the upstream, as the box has closed it.
fn past_call(seq: u64, start_time: WallTime, box_id: BoxId, sound: &[u8]) -> CallRecord {
    let mut record = *storage::ended(seq, Ended::CallerHungUp);
    record.id = CallId::from_parts(start_time, u128::from(seq));
    (record.box_id, record.start_time, record.rev) = (box_id, start_time, 2);
    record.timing_ms.talk = Some(SOUND_MS);
    record.recording = Recording {
        id: Some(RecordingId::from_parts(start_time, u128::from(seq))),
        state: RecordingState::Closed,
        codec: "opus".to_owned(),
        container: "ogg".to_owned(),
        channels: 2,
        channel_map: vec!["caller".to_owned(), "office".to_owned()],
        duration_ms: SOUND_MS,
        expected_ms: SOUND_MS,
        path: Some(files::path_of(record.id, start_time, files::RECORDING)),
        bytes: sound.len() as u64,
        hash: Some(blake3::hash(sound).to_hex().to_string()),
        ..Recording::default()
    };
    completeness::judge(&mut record);
    record
}

/// Writes the calls of a week as the box does: journal, recordings, sidecars. The newest ended an hour ago.
fn live_a_week(site: &Site, box_id: BoxId, calls: u64) -> Vec<CallRecord> {
    let data = site.data();
    let sounds: Vec<_> = (0..SOUNDS).map(|seed| sound(seed + 1)).collect();
    let key = BoxKey::open(&data).unwrap();
    let began = Clock::start().wall().0 - WEEK_MS - 3_600_000;
    let mut records = Vec::new();
    for seq in 1..=calls {
        let (audio, peaks) = &sounds[(seq % SOUNDS) as usize];
        let start_time = WallTime(began + seq * WEEK_MS / calls);
        let mut record = past_call(seq, start_time, box_id, audio);
        record.recording.seal = seal::sealed_bytes(&record).map(|bytes| key.sign(&bytes));
        let file = data.join(record.recording.path.as_ref().unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, audio).unwrap();
        fs::write(file.with_extension(files::PEAKS), peaks).unwrap();
        fs::write(file.with_extension(files::SIDECAR), files::sidecar_bytes(&record).unwrap()).unwrap();
        records.push(record);
    }
    let journal = data.join(files::JOURNAL_DIR);
    let (writer, _) = Writer::open(&journal, box_id, 1, Box::new(RealDisk)).unwrap();
    let mut writer = writer.signed_with(key);
    for some in records.chunks(500) {
        let facts: Vec<Fact> =
            some.iter().map(|record| Fact::Call(Kind::Recorded, Box::new(record.clone()))).collect();
        writer.commit(&facts).unwrap();
    }
    records
}

/// A second of two talkers: the recording and its waveform.
fn sound(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let samples = (SOUND_MS * 8) as usize;
    let output = storage::record(&storage::tapped(
        0,
        &storage::noise(seed, samples),
        &storage::noise(seed + SOUNDS, samples),
    ));
    (output.pages, output.peaks)
}

/// A call that is up until it is told to end; packets heard and missing on the way from the box.
fn talk(site: &Site, group: usize, up: &AtomicBool, over: &AtomicBool) -> (usize, usize) {
    let mut peer = Peer::new(site.peer(), site.sip(), &number(group));
    let offer = peer.sdp("sendrecv");
    assert_eq!(peer.invite(&offer).status(), Some(200));
    peer.ack("");
    up.store(true, Ordering::Relaxed);
    peer.talk_while(Some(440.0), || !over.load(Ordering::Relaxed));
    let heard = (peer.heard.len(), peer.missing());
    assert_eq!(peer.bye().status(), Some(200));
    heard
}

/// What the drain of the backlog was like.
struct Drain {
    records: Duration,
    recordings: Duration,
    /// At most, until the records were there and until all was.
    grown_kb: [u64; 2],
}

fn watch(receiver: &Receiver, process: &Process, id: BoxId, calls: usize, over: &AtomicBool) -> Drain {
    let (started, before_kb) = (Instant::now(), process.rss_kb());
    let mut most_kb = before_kb;
    let mut until = |within: Duration, count: &dyn Fn() -> usize| {
        while count() < calls && started.elapsed() < within {
            most_kb = most_kb.max(process.rss_kb());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(count() >= calls, "{} of {calls} in {within:?}\n{}", count(), process.log());
        (started.elapsed(), most_kb.saturating_sub(before_kb))
    };
    let (records, first_kb) = until(RECORDS_WITHIN, &|| receiver.count_records(id));
    over.store(true, Ordering::Relaxed);
    let (recordings, all_kb) = until(records + RECORDINGS_WITHIN, &|| receiver.count_recordings(id));
    Drain { records, recordings, grown_kb: [first_kb, all_kb] }
}

#[test]
fn seven_days_of_outage_are_caught_up_in_a_minute_while_calls_are_up() {
    let calls = if std::env::var_os("RINGSIDE_LONG").is_some() { 10_000 } else { 1_000 };
    let mut receiver = Receiver::new();
    let limits = "uplink_percent = 100\ncalls_kbps = 10000\n";
    let groups = [&[ANSWERS] as Group<'_>; 2];
    let (site, id) = office(&receiver, &groups, limits, None);
    let past = live_a_week(&site, id, calls as u64);
    let process = Process::start(&site);
    wait_sync(&site, &process, SyncState::Unreachable);
    let (up, over) = ([(); 2].map(|()| AtomicBool::new(false)), AtomicBool::new(false));
    let (drain, heard) = std::thread::scope(|scope| {
        let (site, over, up) = (&site, &over, &up);
        let talking: Vec<_> =
            (0..2).map(|group| scope.spawn(move || talk(site, group, &up[group], over))).collect();
        let are_up = || up.iter().all(|one| one.load(Ordering::Relaxed));
        let drain = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert!(eventually(process::PATIENCE, are_up).is_some(), "the calls are not up");
            receiver.start();
            sync_now(site);
            watch(&receiver, &process, id, calls, over)
        }));
        // Whatever happened, the callers hang up, or this would wait for them for ever.
        over.store(true, Ordering::Relaxed);
        (drain.unwrap(), talking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>())
    });
    let Drain { records, recordings, grown_kb } = drain;
    println!("{calls} records in {records:?}, all recordings {recordings:?} after the upstream was back");
    println!("RSS grew by {grown_kb:?} kB; (heard, missing) packets of the calls meanwhile: {heard:?}");
    assert!(grown_kb[1] <= MOST_GROWTH_KB, "{grown_kb:?} kB");
    assert!(heard.iter().all(|(heard, missing)| *heard > 50 && *missing == 0), "{heard:?}");
    check_live(&site, &receiver, id, calls);
    wait_sync(&site, &process, SyncState::UpToDate);
    // Not `verify`: the copied recordings name another call in their tags.
    check_past(&receiver, id, &past);
}

/// The calls that were up lost nothing, are recorded whole, and are upstream as well.
fn check_live(site: &Site, receiver: &Receiver, id: BoxId, calls: usize) {
    for record in process::closed_calls(site, calls + 2).iter().filter(|record| record.seq > calls as u64) {
        let trunk = record.legs.iter().find(|leg| leg.kind == LegKind::Trunk).unwrap();
        println!("{} packets from the caller, {} lost", trunk.packets, trunk.lost);
        assert!(trunk.packets > 50 && trunk.lost == 0, "{record:#?}");
        let recording = &record.recording;
        assert_eq!((recording.state, recording.gap_ms), (RecordingState::Closed, 0), "{recording:#?}");
        assert!(recording.duration_ms.abs_diff(recording.expected_ms) <= 20, "{recording:#?}");
        arrived(site, receiver, id, record);
    }
}

/// Every call of the week is upstream as it was, once, with its recording.
fn check_past(receiver: &Receiver, id: BoxId, past: &[CallRecord]) {
    let received = receiver.records(id);
    assert_eq!(received.len(), past.len() + 2);
    let mut places: Vec<u64> = Vec::new();
    for record in past {
        let there = &received[&record.id];
        assert_eq!(there.record, *record);
        places.push(there.hq_seq);
        let digests = receiver.digests(id, record.recording.id.unwrap());
        assert_eq!(digests, [record.recording.hash.clone().unwrap()]);
    }
    // A record that had been received twice as something new would have taken two places.
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), past.len());
    let live = received.values().filter(|one| one.record.seq > past.len() as u64);
    let most = past.len() as u64 + live.map(|one| u64::from(one.record.rev) + 1).sum::<u64>();
    let stored = receiver.metric("ringside_upstream_records_new_total");
    assert!(stored <= most, "{stored} revisions were stored of {most}");
    println!("{} were sent once more", receiver.metric("ringside_upstream_records_known_total"));
}
