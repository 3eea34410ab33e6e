//! A small upstream on a real socket that can misbehave.

use ed25519_dalek::{Signature, VerifyingKey};
use ringside::{
    hex,
    sync::wire::{Batch, Gaps, MIN_PIECE_BYTES, Receipt, Receipts, RecordingReceipt},
};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// What happens to one request instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    Error500,
    /// No answer at all.
    Hang,
    /// The connection is closed in the middle of the body.
    Cut,
    /// What was sent is kept, and the answer is lost.
    LoseAnswer,
    /// 429 with a `Retry-After` of a second.
    Busy,
    /// 422 to a piece of a recording, which is thrown away.
    WrongDigest,
    /// Half of a piece is kept, so that the next one is at the wrong offset.
    Forgetful,
    /// The answer comes byte by byte.
    Slow,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How often each call's record was taken anew, by its hash.
    pub(crate) records: BTreeMap<String, usize>,
    pub(crate) recordings: BTreeMap<String, Vec<u8>>,
    pub(crate) whole: Vec<String>,
    /// Batches with a head of the journal, whose signature is right.
    pub(crate) heads: usize,
    pub(crate) requests: Vec<String>,
    /// Bytes of recordings as they came in, with the time since the start.
    pub(crate) arrivals: Vec<(Duration, usize)>,
    tricks: VecDeque<(&'static str, Trick)>,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) kept: Arc<Mutex<Kept>>,
    start: Instant,
}

struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    /// Each trick is played on the next request of its method.
    pub(crate) fn with(tricks: &[(&'static str, Trick)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kept = Arc::new(Mutex::new(Kept { tricks: tricks.iter().copied().collect(), ..Kept::default() }));
        let server = Self { address: listener.local_addr().unwrap(), kept, start: Instant::now() };
        let served = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                thread::spawn(move || served.serve(stream));
            }
        });
        server
    }

    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Kept) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so(&self.kept.lock().unwrap()) {
            assert!(Instant::now() < until, "{what}: {:?}", self.kept.lock().unwrap().requests);
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (line, headers) = head(&mut reader)?;
            let trick = {
                let mut kept = self.kept.lock().unwrap();
                kept.requests.push(line.clone());
                let is_next = kept.tricks.front().is_some_and(|(method, _)| line.starts_with(method));
                is_next.then(|| kept.tricks.pop_front().unwrap().1)
            };
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            let wanted = if trick == Some(Trick::Cut) { length / 2 } else { length };
            let body = self.body(&mut reader, wanted, line.starts_with("PUT"))?;
            let answer = match trick {
                Some(Trick::Cut) => return None,
                Some(Trick::Hang) => {
                    thread::sleep(Duration::from_secs(30));
                    return None;
                }
                Some(Trick::Error500) => ("500 Internal Server Error", String::new(), "{}".to_owned()),
                Some(Trick::Busy) => {
                    ("429 Too Many Requests", "Retry-After: 1\r\n".to_owned(), "{}".to_owned())
                }
                Some(Trick::WrongDigest) => ("422 Unprocessable Content", String::new(), "{}".to_owned()),
                trick => self.answer(&Request { line, headers, body }, trick == Some(Trick::Forgetful)),
            };
            if trick == Some(Trick::LoseAnswer) {
                return None;
            }
            let (status, headers, body) = answer;
            let length = body.len();
            let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
            if trick == Some(Trick::Slow) {
                for byte in text.as_bytes() {
                    stream.write_all(&[*byte]).ok()?;
                    thread::sleep(Duration::from_millis(1));
                }
            } else {
                stream.write_all(text.as_bytes()).ok()?;
            }
        }
    }

    fn body(&self, reader: &mut impl Read, length: usize, is_recording: bool) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        while body.len() < length {
            let mut part = vec![0; (length - body.len()).min(4096)];
            let read = reader.read(&mut part).ok().filter(|read| *read > 0)?;
            body.extend_from_slice(&part[..read]);
            if is_recording {
                self.kept.lock().unwrap().arrivals.push((self.start.elapsed(), read));
            }
        }
        Some(body)
    }

    fn answer(&self, request: &Request, forgets: bool) -> (&'static str, String, String) {
        let mut kept = self.kept.lock().unwrap();
        let path = request.line.split(' ').nth(1).unwrap();
        let last = path.rsplit('/').next().unwrap();
        match request.line.split(' ').next().unwrap() {
            "POST" => {
                let batch: Batch = serde_json::from_slice(&request.body).unwrap();
                if let Some(head) = &batch.head {
                    let key = hex::decode(&head.public_key).unwrap();
                    let signature = Signature::from_bytes(&hex::decode(&head.signature).unwrap());
                    let signed = head.signed_bytes(batch.box_id);
                    VerifyingKey::from_bytes(&key).unwrap().verify_strict(&signed, &signature).unwrap();
                    kept.heads += 1;
                }
                let mut receipts = Receipts::default();
                for sent in batch.records {
                    assert_eq!(blake3::hash(sent.record.get().as_bytes()).to_hex().as_str(), sent.hash);
                    let record: ringside::record::CallRecord =
                        serde_json::from_str(sent.record.get()).unwrap();
                    *kept.records.entry(sent.hash.clone()).or_default() += 1;
                    let (call, rev) = (record.id, record.rev);
                    receipts.receipts.push(Receipt { call, rev, hash: sent.hash, hq_seq: record.seq });
                }
                ("200 OK", String::new(), serde_json::to_string(&receipts).unwrap())
            }
            "HEAD" => match kept.recordings.get(last) {
                Some(there) => ("200 OK", format!("Upload-Offset: {}\r\n", there.len()), String::new()),
                None => ("404 Not Found", String::new(), String::new()),
            },
            "PUT" => put(&mut kept, last, request, forgets),
            _ if last.starts_with("gaps") => {
                // Receipts are never above what it has.
                let gaps = Gaps { last_hq_seq: u64::from(u32::MAX), ..Gaps::default() };
                ("200 OK", String::new(), serde_json::to_string(&gaps).unwrap())
            }
            _ => ("204 No Content", String::new(), String::new()),
        }
    }
}

fn put(kept: &mut Kept, id: &str, request: &Request, forgets: bool) -> (&'static str, String, String) {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let number = |name: &str| header(name).parse::<usize>().unwrap();
    let is_whole = kept.whole.iter().any(|whole| whole == id);
    let there = kept.recordings.entry(id.to_owned()).or_default();
    if is_whole {
        let receipt = RecordingReceipt {
            recording: id.parse().unwrap(),
            call: header("ringside-call").parse().unwrap(),
            bytes: there.len() as u64,
            hash: header("ringside-blake3"),
        };
        return ("200 OK", String::new(), serde_json::to_string(&receipt).unwrap());
    }
    let ends = number("upload-offset") + request.body.len() == number("upload-length");
    assert!(!request.body.is_empty() && (ends || request.body.len() >= MIN_PIECE_BYTES), "a piece too short");
    if number("upload-offset") != there.len() {
        if number("upload-offset") > 0 {
            return ("409 Conflict", format!("Upload-Offset: {}\r\n", there.len()), "{}".to_owned());
        }
        there.clear();
    }
    there.extend_from_slice(&request.body);
    if forgets {
        there.truncate(there.len() / 2);
    }
    if there.len() < number("upload-length") {
        return (
            "202 Accepted",
            format!("Upload-Offset: {}\r\n", number("upload-offset") + request.body.len()),
            String::new(),
        );
    }
    let hash = blake3::hash(there).to_hex().to_string();
    assert_eq!((hash.clone(), header("upload-complete")), (header("ringside-blake3"), "?1".to_owned()));
    let receipt = RecordingReceipt {
        recording: id.parse().unwrap(),
        call: header("ringside-call").parse().unwrap(),
        bytes: there.len() as u64,
        hash,
    };
    kept.whole.push(id.to_owned());
    ("200 OK", String::new(), serde_json::to_string(&receipt).unwrap())
}

fn head(reader: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>)> {
    let mut read = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = read()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = read()?;
        let Some((name, value)) = line.split_once(':') else { return Some((first, headers)) };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
}
