//! Every answer of the protocol, held against `openapi.json`: each of its statuses is given, and no other.

use super::{
    running::{OPERATOR, Running, admit, command, directory},
    sender::{Office, Piece, Sender, header, read, sent},
};
use ringside::sync::wire::{
    MIN_PIECE_BYTES, Receipts, RecordingReceipt, SignedSite, UPLOAD_COMPLETE, UPLOAD_OFFSET,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
};
use ureq::{Body, http::Response};

const RECORDS: &str = "/v1/boxes/{box}/records";
const RECORDING: &str = "/v1/boxes/{box}/recordings/{recording}";
const GAPS: &str = "/v1/boxes/{box}/gaps";
const SITE: &str = "/v1/boxes/{box}/site";

/// The answers seen so far.
#[derive(Default)]
struct Seen(BTreeSet<(String, &'static str, u16)>);

impl Seen {
    fn expect(
        &mut self,
        method: &str,
        path: &'static str,
        status: u16,
        answer: Response<Body>,
    ) -> Response<Body> {
        assert_eq!(answer.status(), status, "{method} {path}: {}", header(&answer, "content-type"));
        if matches!(status, 429 | 503) {
            assert!(!header(&answer, "retry-after").is_empty(), "{method} {path} {status}");
        }
        self.0.insert((method.to_owned(), path, status));
        answer
    }
}

/// One receiver on a directory, one box, and what was seen.
struct Table {
    sender: Sender,
    office: Office,
    seen: Seen,
}

impl Table {
    fn url(&self, base: &str, rest: &str) -> String {
        format!("{base}/v1/boxes/{}/{rest}", self.office.id)
    }

    fn records(&mut self, base: &str, status: u16, body: &[u8]) -> Response<Body> {
        let answer = self.sender.post(&self.url(base, "records"), &self.office.token, body).unwrap();
        self.seen.expect("post", RECORDS, status, answer)
    }

    fn get(&mut self, base: &str, path: &'static str, rest: &str, status: u16) -> Response<Body> {
        let answer = self.sender.get(&self.url(base, rest), &self.office.token).unwrap();
        self.seen.expect("get", path, status, answer)
    }

    fn head(&mut self, base: &str, seq: u64, status: u16) -> Response<Body> {
        let answer = self.sender.head(base, &self.office, seq).unwrap();
        self.seen.expect("head", RECORDING, status, answer)
    }

    fn piece(&mut self, base: &str, status: u16, piece: Piece<'_>) -> Response<Body> {
        let answer = self.sender.piece(base, &self.office, piece).unwrap();
        self.seen.expect("put", RECORDING, status, answer)
    }

    /// A request whose body never comes.
    fn stalled(&mut self, running: &Running, method: &str, path: &'static str, rest: &str, headers: &str) {
        let mut socket = TcpStream::connect(("127.0.0.1", running.port)).unwrap();
        let (id, token) = (self.office.id, &self.office.token);
        let method_name = method.to_uppercase();
        write!(
            socket,
            "{method_name} /v1/boxes/{id}/{rest} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             {headers}content-length: 9\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        self.seen.0.insert((method.to_owned(), path, 408));
    }
}

fn records(table: &mut Table, base: &str) {
    let office = table.office.clone();
    let batch = |records| serde_json::to_vec(&office.batch(records)).unwrap();
    let (good, forged) = (office.record(1, 1, None), Office::new(99).record(1, 1, None));
    let mut wrong = office.record(2, 1, None);
    wrong.hash = "0".repeat(64);
    let mut answer = table.records(base, 200, &batch(vec![good, forged, wrong, sent("[1]".to_owned())]));
    let receipts: Receipts = read(&mut answer).unwrap();
    assert_eq!(receipts.receipts.len(), 1);
    assert_eq!((receipts.receipts[0].call, receipts.receipts[0].rev), (office.call(1), 1));
    assert_eq!(receipts.refused.len(), 3, "{:?}", receipts.refused);
    let first = receipts.receipts[0].hq_seq;
    // A lower revision after a higher one: a receipt, and nothing is replaced.
    table.records(base, 200, &batch(vec![office.record(1, 3, None)]));
    let mut again =
        table.records(base, 200, &batch(vec![office.record(1, 2, None), office.record(1, 3, None)]));
    let receipts: Receipts = read(&mut again).unwrap();
    assert!(receipts.receipts.iter().all(|receipt| receipt.hq_seq > first));
    assert_eq!(receipts.receipts[0].hq_seq, receipts.receipts[1].hq_seq);
    let mut other = office.record(1, 3, Some(b"other"));
    other.hash = blake3::hash(other.record.get().as_bytes()).to_hex().to_string();
    let mut two = table.records(base, 200, &batch(vec![other]));
    assert_eq!(read::<Receipts>(&mut two).unwrap().refused.len(), 1, "one revision has one content");
    table.records(base, 400, b"{");
    table.records(
        base,
        400,
        &String::from_utf8(batch(vec![])).unwrap().replace("sync/1", "sync/9").into_bytes(),
    );
    table.records(base, 403, &serde_json::to_vec(&Office::new(99).batch(vec![])).unwrap());
    table.records(base, 413, &vec![b' '; (2 << 20) + 1]);
    let many = (1..=201).map(|seq| office.record(seq, 1, None)).collect();
    table.records(base, 413, &batch(many));
}

fn recordings(table: &mut Table, base: &str) {
    let office = table.office.clone();
    let whole = office.audio(1, 3 * MIN_PIECE_BYTES);
    let piece = |offset: usize, end: usize| Piece { seq: 1, whole: &whole, offset, end };
    let step = MIN_PIECE_BYTES;
    table.head(base, 1, 404);
    table.piece(base, 202, piece(0, step));
    let standing = table.head(base, 1, 200);
    assert_eq!(header(&standing, UPLOAD_OFFSET), step.to_string());
    assert_eq!(header(&standing, UPLOAD_COMPLETE), "?0");
    let conflict = table.piece(base, 409, piece(2 * step, 3 * step));
    assert_eq!(header(&conflict, UPLOAD_OFFSET), step.to_string());
    table.piece(base, 400, piece(step, step + 1));
    table.piece(base, 202, piece(step, 2 * step));
    let mut done = table.piece(base, 200, piece(2 * step, 3 * step));
    let receipt: RecordingReceipt = read(&mut done).unwrap();
    assert_eq!((receipt.recording, receipt.call), (office.recording(1), office.call(1)));
    assert_eq!(
        (receipt.bytes, receipt.hash.as_str()),
        (3 * step as u64, blake3::hash(&whole).to_hex().as_str())
    );
    let mut at_once = table.piece(base, 200, piece(0, step));
    assert_eq!(read::<RecordingReceipt>(&mut at_once).unwrap(), receipt);
    assert_eq!(header(&table.head(base, 1, 200), UPLOAD_COMPLETE), "?1");
    // Another digest than announced: the pieces are gone.
    let mut send = |offset: usize, end: usize, status| {
        let (hash, call) = (blake3::hash(b"else").to_hex().to_string(), office.call(2).to_string());
        let piece = Piece { seq: 2, whole: &whole, offset, end };
        let answer =
            table.sender.named_piece(base, &office, piece, &hash, &call, &whole[offset..end]).unwrap();
        table.seen.expect("put", RECORDING, status, answer)
    };
    send(0, step, 202);
    send(step, 2 * step, 202);
    assert_eq!(header(&send(2 * step, 3 * step, 422), UPLOAD_OFFSET), "0");
    table.head(base, 2, 404);
    let long = vec![0; (1 << 20) + 1];
    table.piece(base, 413, Piece { seq: 3, whole: &long, offset: 0, end: long.len() });
}

fn strangers(table: &mut Table, base: &str) {
    let token = std::mem::replace(&mut table.office.token, "0".repeat(64));
    let whole = [1; 9];
    table.records(base, 401, b"{}");
    table.head(base, 1, 401);
    table.piece(base, 401, Piece { seq: 1, whole: &whole, offset: 0, end: 9 });
    let mut one = table.get(base, GAPS, "gaps?calls=1", 401);
    table.get(base, SITE, "site", 401);
    // Of a box that is not there they are told the same.
    let nobody = format!("{base}/v1/boxes/{}/gaps?calls=1", Office::new(77).id);
    let mut other = table.sender.get(&nobody, "x").unwrap();
    assert_eq!(one.body_mut().read_to_string().unwrap(), other.body_mut().read_to_string().unwrap());
    table.office.token = token;
}

#[test]
fn every_status_of_the_protocol_is_given_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = directory(&folder);
    let running = Running::start(&[store.clone(), vec!["--patience".to_owned(), "1".to_owned()]].concat());
    let office = admit(&store, Office::new(1));
    let mut table = Table { sender: Sender::new(), office, seen: Seen::default() };
    let base = running.base.clone();
    records(&mut table, &base);
    recordings(&mut table, &base);
    strangers(&mut table, &base);
    table.get(&base, GAPS, "gaps?calls=9", 200);
    table.get(&base, GAPS, "gaps", 400);
    table.get(&base, SITE, "site?after=x", 400);
    table.get(&base, SITE, "site", 204);
    site(&mut table, &base, &folder, &store);
    table.stalled(&running, "post", RECORDS, "records", "");
    let headers = format!(
        "upload-offset: 0\r\nupload-length: 9\r\nupload-complete: ?1\r\nringside-call: {}\r\nringside-blake3: {}\r\n",
        table.office.call(1),
        "0".repeat(64)
    );
    let path = format!("recordings/{}", table.office.recording(1));
    table.stalled(&running, "put", RECORDING, &path, &headers);
    outside(&mut table, &base);
    drop(running);
    busy(&mut table, &store);
    failing(&mut table, &store, &folder);
    super::certificates::foreign_certificate(&mut |method, path, status| {
        table.seen.0.insert((method.to_owned(), path, status));
    });
    compare(&table.seen);
}

fn site(table: &mut Table, base: &str, folder: &tempfile::TempDir, store: &[String]) {
    let (file, key) = (folder.path().join("site.toml"), folder.path().join("site.key"));
    std::fs::write(&file, "[[campaign]]\nid = \"cmp_spring\"\nname = \"Spring mailer\"\n").unwrap();
    let (id, file, key) = (table.office.id.to_string(), file.to_str().unwrap(), key.to_str().unwrap());
    let mut set = ["site", "set", &id, file, "--key", key].map(str::to_owned).to_vec();
    set.extend_from_slice(store);
    command(&set).unwrap();
    let site: SignedSite = read(&mut table.get(base, SITE, "site", 200)).unwrap();
    assert!(site.toml.contains("Spring mailer") && site.signature.len() == 128);
    table.get(base, SITE, &format!("site?after={}", site.version), 204);
    assert_eq!(command(&["site", "key", "--key", key]).unwrap().len(), 64);
}

/// What needs no box.
fn outside(table: &mut Table, base: &str) {
    for path in ["/healthz", "/openapi.json"] {
        let answer = table.sender.get(&format!("{base}{path}"), "").unwrap();
        table.seen.expect("get", path, 200, answer);
    }
    for path in ["/v1", "/v1/boxes", "/metrics", "/boxes/x"] {
        let answer = table.sender.get(&format!("{base}{path}"), "").unwrap();
        assert!(matches!(answer.status().as_u16(), 303 | 404), "{path}: {}", answer.status());
    }
    let mut counted = table.sender.get(&format!("{base}/metrics"), OPERATOR).unwrap();
    assert!(counted.body_mut().read_to_string().unwrap().contains("ringside_upstream_recordings_total 1"));
}

fn busy(table: &mut Table, store: &[String]) {
    let none = ["--max-batches", "0", "--max-pieces", "0"].map(str::to_owned);
    let running = Running::start(&[store, &none].concat());
    table.records(&running.base, 429, b"{}");
    table.piece(&running.base, 429, Piece { seq: 1, whole: &[1; 9], offset: 0, end: 9 });
}

/// A box's file that cannot be read stands for a store that fails.
fn failing(table: &mut Table, store: &[String], folder: &tempfile::TempDir) {
    let running = Running::start(store);
    let base = running.base.clone();
    let file = folder.path().join(format!("boxes/{}/box.json", table.office.id));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    table.records(&base, 503, b"{}");
    table.head(&base, 1, 503);
    table.piece(&base, 503, Piece { seq: 1, whole: &[1; 9], offset: 0, end: 9 });
    table.get(&base, GAPS, "gaps?calls=1", 503);
    table.get(&base, SITE, "site", 503);
    std::fs::rename(folder.path().join("boxes"), folder.path().join("elsewhere")).unwrap();
    let answer = table.sender.get(&format!("{base}/healthz"), "").unwrap();
    table.seen.expect("get", "/healthz", 503, answer);
}

fn compare(seen: &Seen) {
    let document: Value = serde_json::from_str(ringside::upstream::OPENAPI).unwrap();
    let mut said = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                said.insert((method.clone(), path.clone(), status.parse::<u16>().unwrap()));
            }
        }
    }
    let seen: BTreeSet<_> =
        seen.0.iter().map(|(method, path, status)| (method.clone(), (*path).to_owned(), *status)).collect();
    let unseen: Vec<_> = said.difference(&seen).collect();
    let unsaid: Vec<_> = seen.difference(&said).collect();
    assert!(
        unseen.is_empty() && unsaid.is_empty(),
        "said and never given: {unseen:?}\ngiven and not said: {unsaid:?}"
    );
}
