//! The sync client on real sockets, against an upstream that misbehaves.

#[path = "sync/server.rs"]
mod server;
mod storage;

use ringside::{
    id::BoxId,
    io::{
        clock::Clock,
        journal::{Entry, Fact, reader},
        storage as store,
        upstream::{self, Access, Options, Outbox, Shared, Upstream, socket},
    },
    note::What,
    record::{CallRecord, Ended, RecordingState},
    sync::{Backlog, budget::Rates},
};
use server::{Server, Trick};
use socket2::SockRef;
use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    sync::atomic::Ordering,
    time::Duration,
};
use storage::{START, ended};

/// Records that wait for ever: what has its receipt is only known by the client.
struct Waiting(Vec<CallRecord>);

impl Outbox for Waiting {
    fn unsent_records(&self, limit: usize) -> Vec<CallRecord> {
        self.0.iter().rev().take(limit).cloned().collect()
    }

    fn unsent_recordings(&self, limit: usize) -> Vec<CallRecord> {
        let recorded = self.0.iter().filter(|record| record.recording.path.is_some());
        recorded.take(limit).cloned().collect()
    }

    fn backlog(&self) -> Backlog {
        Backlog { records: self.0.len() as u64, ..Backlog::default() }
    }

    fn last_hq_seq(&self) -> u64 {
        0
    }

    fn last_call(&self) -> u64 {
        self.0.len() as u64
    }
}

/// A call whose recording is a file of so many bytes.
fn recorded(data: &Path, seq: u64, bytes: usize) -> CallRecord {
    let mut record = *ended(seq, Ended::CallerHungUp);
    let sound: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    let name = format!("{seq}.opus");
    std::fs::write(data.join(&name), &sound).unwrap();
    record.recording.id = Some(storage::recording(seq));
    record.recording.state = RecordingState::Closed;
    record.recording.path = Some(name);
    record.recording.bytes = bytes as u64;
    record.recording.hash = Some(blake3::hash(&sound).to_hex().to_string());
    record
}

struct Office {
    data: tempfile::TempDir,
    storage: Option<store::Storage>,
    client: Option<Upstream>,
    shared: Shared,
}

impl Office {
    fn open(server: &Server, rates: Rates, records: impl FnOnce(&Path) -> Vec<CallRecord>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let options = store::Options { ballast_bytes: 0, ..store::Options::default() };
        store::recover(data.path(), &options, clock).unwrap();
        let storage = store::start(data.path(), &options, clock, |_| {}).unwrap();
        let records = records(data.path());
        let shared = Shared::default();
        let options = Options {
            access: Access {
                url: format!("http://{}", server.address),
                token: Some("secret".to_owned()),
                client: None,
                ca: None,
                dscp: socket::DSCP_LE,
                patience: Duration::from_secs(1),
            },
            rates,
            box_id: BoxId::from_parts(START, 7),
            boot_id: "00".to_owned(),
            site: "office".to_owned(),
            data: data.path().to_owned(),
            seed: 1,
        };
        let client =
            upstream::start(options, Waiting(records), storage.notes(), None, clock, shared.clone()).unwrap();
        Self { data, storage: Some(storage), client: Some(client), shared }
    }

    /// Stops the client and tells what it has noted.
    fn notes(&mut self) -> Vec<What> {
        self.client = None;
        self.storage = None;
        let journal = self.data.path().join("journal");
        let segment = reader::segment_with(&journal, 1).unwrap();
        let entries = reader::Reader::open(&journal, segment).unwrap();
        let note = |entry: Entry| match entry.fact {
            Fact::Note(note) => Some(note.what),
            Fact::Call(..) => None,
        };
        entries.filter_map(|entry| note(entry.unwrap())).collect()
    }
}

const UNLIMITED: Rates = Rates { uplink_kbps: None, share_percent: 100, calls_kbps: 64 };

#[test]
fn records_and_recordings_arrive_through_every_trick() {
    let server = Server::with(&[
        ("GET", Trick::Error500),
        ("POST", Trick::Hang),
        ("POST", Trick::Cut),
        ("POST", Trick::LoseAnswer),
        ("POST", Trick::Busy),
        ("POST", Trick::Slow),
        ("HEAD", Trick::Error500),
        ("PUT", Trick::Forgetful),
        ("PUT", Trick::WrongDigest),
        ("PUT", Trick::Cut),
        ("PUT", Trick::LoseAnswer),
    ]);
    let mut office = Office::open(&server, UNLIMITED, |data| {
        vec![recorded(data, 1, 2_500_000), *ended(2, Ended::NoAnswer), recorded(data, 3, 10)]
    });
    server.wait("recordings", |kept| {
        let mut whole = kept.whole.clone();
        whole.sort();
        whole.dedup();
        whole.len() == 2 && kept.records.len() == 3
    });
    std::thread::sleep(Duration::from_millis(300));
    let notes = office.notes();
    let records = notes.iter().filter(|note| matches!(note, What::RecordReceived { .. })).count();
    let recordings = notes.iter().filter(|note| matches!(note, What::RecordingReceived { .. })).count();
    assert_eq!((records, recordings, notes.len()), (3, 2, 5), "{notes:?}");
}

#[test]
fn a_file_that_was_changed_is_not_sent_whole_but_reported() {
    let server = Server::with(&[]);
    let mut office = Office::open(&server, UNLIMITED, |data| {
        let record = recorded(data, 1, 1_500_000);
        let path = data.join("1.opus");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[700_000] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        vec![record, recorded(data, 2, 10)]
    });
    server.wait("the other recording", |kept| kept.whole.len() == 1);
    std::thread::sleep(Duration::from_millis(200));
    let notes = office.notes();
    let refused = notes.iter().any(|note| matches!(note, What::Refused { status: 0, .. }));
    assert!(refused, "{notes:?}");
    assert!(server.kept.lock().unwrap().recordings[&storage::recording(1).to_string()].len() < 1_500_000);
}

#[test]
fn a_call_that_begins_slows_an_upload() {
    let server = Server::with(&[]);
    let rates = Rates { uplink_kbps: Some(32_000), share_percent: 25, calls_kbps: 64 };
    let office = Office::open(&server, rates, |data| vec![recorded(data, 1, 12_000_000)]);
    let arrived = |kept: &server::Kept| kept.arrivals.iter().map(|(_, bytes)| *bytes).sum::<usize>();
    server.wait("the upload", |kept| arrived(kept) > 1_200_000);
    office.shared.calls_up.store(1, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(1_500));
    let before = arrived(&server.kept.lock().unwrap());
    std::thread::sleep(Duration::from_secs(4));
    let paced = arrived(&server.kept.lock().unwrap()) - before;
    // 8,000 bytes a second for 4 s, and what a packet more or less makes of it.
    assert!((8_000..=48_000).contains(&paced), "{paced} bytes in 4 s of a call");
}

#[test]
fn a_socket_yields_to_everything_and_holds_little() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket::mark(&stream, socket::DSCP_LE).unwrap();
    let seen = SockRef::from(&stream);
    assert_eq!(seen.tos_v4().unwrap() >> 2, u32::from(socket::DSCP_LE));
    assert!((32 << 10..=128 << 10).contains(&seen.send_buffer_size().unwrap()));
    assert_eq!(seen.tcp_notsent_lowat().unwrap(), 16 << 10);
}
