//! The thread against a receiver on a socket.

use super::*;
use crate::{time::WallTime, webhook::signing};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver as Channel, channel},
};

pub(in crate::io) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver was sent.
pub(in crate::io) struct Received {
    pub(in crate::io) id: String,
    pub(in crate::io) timestamp_s: u64,
    pub(in crate::io) signature: String,
    pub(in crate::io) body: String,
}

/// Answers each request with the next of `answers`, the last one for ever; an empty one closes the connection.
pub(in crate::io) fn receiver(answers: &'static [&'static str]) -> (String, Channel<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?token=canary", listener.local_addr().unwrap());
    let (sender, received) = channel();
    thread::spawn(move || {
        for n in 0.. {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut part = [0; 4096];
                let length = stream.read(&mut part).unwrap_or(0);
                bytes.extend_from_slice(&part[..length]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let wanted = field(head, "content-length").parse().unwrap_or(0);
                    if body.len() >= wanted || length == 0 {
                        break (head.to_owned(), body.to_owned());
                    }
                }
                if length == 0 {
                    break (text, String::new());
                }
            };
            let answer = answers.get(n).or(answers.last()).copied().unwrap_or_default();
            let _ = stream.write_all(answer.as_bytes());
            let timestamp_s = field(&head, "webhook-timestamp").parse().unwrap_or(0);
            let (id, signature) = (field(&head, "webhook-id"), field(&head, "webhook-signature"));
            let _ = sender.send(Received { id, timestamp_s, signature, body });
        }
    });
    (url, received)
}

fn field(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const MOVED: &str =
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// No stored calls.
struct Nothing;

impl Records for Nothing {
    fn after(&self, _: u64, _: usize) -> Option<Vec<CallRecord>> {
        Some(Vec::new())
    }

    fn since(&self, _: WallTime, _: usize) -> Vec<CallRecord> {
        Vec::new()
    }

    fn get(&self, _: CallId) -> io::Result<Option<CallRecord>> {
        Ok(None)
    }

    fn last(&self) -> u64 {
        0
    }
}

fn started(url: &str, signer: Signer, data: &Path) -> Webhooks {
    let one = Receiver { url: url.to_owned(), signer, events: vec![Kind::TrunkState, Kind::PostCall] };
    let options = Options { receivers: vec![one], data: data.to_owned(), last_call: 7, seed: 1 };
    start(options, Nothing, Clock::start()).unwrap()
}

fn happening() -> Happening {
    Happening::of_box(
        Kind::TrunkState,
        (1, 1),
        WallTime(1_795_352_709_000),
        "{\"name\":\"carrier\"}".to_owned(),
    )
}

#[test]
fn a_receiver_can_check_what_it_is_told_and_the_secret_shows_nowhere() {
    for signer in [Signer::shared(SECRET).unwrap(), Signer::pair(&[5; 32])] {
        let dir = tempfile::tempdir().unwrap();
        let key = signer.public_key().unwrap_or_else(|| SECRET.to_owned());
        let (url, received) = receiver(&[OK]);
        let webhooks = started(&url, signer, dir.path());
        webhooks.orders().happened(happening());
        let got = received.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(got.id, happening().id);
        assert!(signing::verify(&key, (&got.id, got.timestamp_s), &got.body, &got.signature));
        let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!((&body["type"], &body["data"]["name"]), (&"trunk_state".into(), &"carrier".into()));
        assert_eq!(body["timestamp"], "2026-11-22T13:05:09.000Z");
        let reports = serde_json::to_string(&webhooks.orders().reports()).unwrap();
        assert!(!reports.contains("MfKQ") && !reports.contains("canary"), "{reports}");
        drop(webhooks);
        let file = std::fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(!file.contains("MfKQ") && !file.contains("canary") && file.contains("\"up_to\":7"), "{file}");
    }
}

#[test]
fn nobody_is_followed_to_where_a_receiver_sends_us() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _received) = receiver(&[MOVED, "", OK]);
    let orders = started(&url, Signer::shared(SECRET).unwrap(), dir.path()).orders();
    // The thread ends with what was started, but for who still asks.
    assert!(matches!(orders.test(2), Err(Refused::Unknown)));
    let webhooks = started(&url, Signer::shared(SECRET).unwrap(), dir.path());
    let tested = webhooks.orders().test(1).unwrap();
    assert!(!tested.accepted && tested.said.contains("sends us elsewhere"), "{tested:?}");
    let tested = webhooks.orders().test(1).unwrap();
    assert!(!tested.accepted && !tested.said.contains("canary"), "{tested:?}");
    assert!(webhooks.orders().test(1).unwrap().accepted);
}

#[test]
fn a_receiver_of_another_protocol_or_that_hangs_is_an_answer_in_words() {
    let poster = Poster::new(Duration::from_millis(300));
    let signer = Signer::shared(SECRET).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sending = |url: &str| {
        let at = WallTime(1_795_352_709_000);
        match poster.post(&Sending { url, signer: &signer, id: "a", body: "{}", at }) {
            Outcome::Failed { status: None, why, .. } => why,
            other => panic!("{other:?}"),
        }
    };
    // Nobody accepts: it hangs.
    assert_eq!(sending(&format!("http://{address}/")), "no answer in time");
    assert!(!sending(&format!("https://{address}/")).is_empty());
    drop(listener);
    assert_eq!(sending(&format!("http://{address}/")), "connection refused");
}
