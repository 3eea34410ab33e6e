//! The sync client on real sockets, against an upstream that misbehaves.

#![allow(clippy::disallowed_methods, reason = "tests look at files and wait")]

#[cfg(feature = "upstream")]
#[path = "sync/certificates.rs"]
mod certificates;
#[path = "sync/server.rs"]
mod server;
mod storage;

use ringside::{
    id::BoxId,
    io::{
        box_key::BoxKey,
        clock::Clock,
        files::ENCRYPTED,
        journal::{Entry, Fact, reader},
        recording_file::{RecordingFile, Sealing},
        storage as store,
        upstream::{self, Access, Options, Outbox, Shared, Upstream, socket},
    },
    note::What,
    record::{CallRecord, Ended, RecordingState},
    recording::vault::{CIPHER, PublicKey, Vault},
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
        let access = Access {
            url: format!("http://{}", server.address),
            token: Some("secret".to_owned()),
            client: None,
            ca: None,
            dscp: socket::DSCP_LE,
            patience: Duration::from_secs(1),
        };
        Self::with(access, rates, records)
    }

    fn with(access: Access, rates: Rates, records: impl FnOnce(&Path) -> Vec<CallRecord>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let options = store::Options { ballast_bytes: 0, ..store::Options::default() };
        ringside::io::files::identity(data.path(), own_id(), None).unwrap();
        store::recover(data.path(), &options, clock).unwrap();
        let storage = store::start(data.path(), &options, clock, |_| {}).unwrap();
        let records = records(data.path());
        let shared = Shared::default();
        let options = Options {
            access,
            rates,
            box_id: own_id(),
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

fn own_id() -> BoxId {
    BoxId::from_parts(START, 7)
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

/// A call whose recording is encrypted, and its audio.
fn encrypted(data: &Path, seq: u64, owner: Option<PublicKey>) -> (CallRecord, Vec<u8>) {
    let mut record = *ended(seq, Ended::CallerHungUp);
    let vault = Vault { kek: BoxKey::find(data).unwrap().unwrap().kek(), owner };
    let output = storage::record(&storage::tapped(0, &storage::noise(seq, 8_000), &vec![0; 8_000]));
    let (id, path) = (storage::recording(seq), format!("{seq}.{ENCRYPTED}"));
    let sealing = Sealing { vault: &vault, recording: id, call: record.id };
    let mut file = RecordingFile::create(data, &path, Some(sealing)).unwrap();
    file.append(&output).unwrap();
    let finished = file.finish().unwrap();
    record.recording.id = Some(id);
    record.recording.state = RecordingState::Closed;
    record.recording.path = Some(path);
    record.recording.bytes = finished.bytes;
    record.recording.hash = Some(finished.hash);
    record.recording.audio_hash = finished.audio_hash;
    record.recording.encryption = Some(CIPHER.to_owned());
    (record, output.pages)
}

#[test]
fn only_what_the_owner_can_open_goes_encrypted() {
    let server = Server::with(&[]);
    let mut wanted = Vec::new();
    let mut office = Office::open(&server, UNLIMITED, |data| {
        let (for_owner, _) = encrypted(data, 1, Some(PublicKey::new([9; 32])));
        let (for_box, audio) = encrypted(data, 2, None);
        let plain = recorded(data, 3, 100_000);
        let file =
            |record: &CallRecord| std::fs::read(data.join(record.recording.path.as_ref().unwrap())).unwrap();
        wanted = vec![file(&for_owner), audio, file(&plain)];
        vec![for_owner, for_box, plain]
    });
    server.wait("recordings", |kept| kept.whole.len() >= 3);
    let kept = server.kept.lock().unwrap().recordings.clone();
    for (seq, wanted) in (1..).zip(&wanted) {
        assert!(kept[&storage::recording(seq).to_string()] == *wanted, "recording {seq}");
    }
    std::thread::sleep(Duration::from_millis(200));
    let hash = |note: &What| match note {
        What::RecordingReceived { hash, .. } => Some(hash.clone()),
        _ => None,
    };
    let noted: Vec<String> = office.notes().iter().filter_map(hash).collect();
    let digests: Vec<String> = wanted.iter().map(|file| blake3::hash(file).to_hex().to_string()).collect();
    assert_eq!(noted, digests, "the receipt is for the bytes that went");
}

#[test]
fn the_head_of_the_journal_goes_with_every_batch_and_is_signed() {
    let server = Server::with(&[]);
    let office = Office::open(&server, UNLIMITED, |_| vec![*ended(1, Ended::NoAnswer)]);
    server.wait("a record", |kept| !kept.records.is_empty());
    // Its receipt is the journal's first entry: the batch after it has a head.
    office.client.as_ref().unwrap().orders().unwrap().now();
    server.wait("a head", |kept| kept.heads > 0);
}

#[cfg(feature = "upstream")]
#[test]
fn the_client_knows_its_upstream_by_its_authority_and_shows_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path(), &own_id().to_string());
    let receiver = certificates::Receiver::start(folder.path(), &own_id().to_string());
    let file = |name: &str| folder.path().join(name);
    let connect = |ca: &str, shows: bool| {
        let access = Access {
            url: format!("https://localhost:{}", receiver.port),
            token: None,
            client: shows.then(|| (file("box.pem"), file("box.key"))),
            ca: Some(file(ca)),
            dscp: socket::DSCP_LE,
            patience: Duration::from_secs(5),
        };
        let office = Office::with(access, UNLIMITED, |_| Vec::new());
        let until = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let status = office.shared.status();
            if status.last_contact.is_some() || status.last_error.is_some() {
                return status;
            }
            assert!(std::time::Instant::now() < until, "{status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let known = connect("ca.pem", true);
    assert!(known.last_contact.is_some() && known.last_error.is_none(), "{known:?}");
    let foreign = connect("foreign.pem", true);
    let why = foreign.last_error.unwrap();
    assert!(foreign.last_contact.is_none() && why.contains("certificate"), "{why}");
    let unknown = connect("ca.pem", false);
    assert!(unknown.last_error.unwrap().starts_with("401"), "without a certificate it is nobody");
}
