//! Connections: silent ones are closed, too many wait, and one who is sent away hears why.

use super::{
    running::{Running, admit, directory},
    sender::{Office, Piece, Sender},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const ASKED: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

fn run(folder: &tempfile::TempDir, more: &[&str]) -> Running {
    let mut arguments = directory(folder);
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    Running::start(&arguments)
}

fn connect(running: &Running) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", running.port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

fn answered(socket: &mut TcpStream) {
    let mut answer = [0; 15];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[test]
fn a_connection_that_does_not_finish_its_headers_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let running = run(&folder, &["--header-patience", "1"]);
    let (mut silent, mut slow, mut idle) = (connect(&running), connect(&running), connect(&running));
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").unwrap();
    idle.write_all(ASKED).unwrap();
    answered(&mut idle);
    for socket in [&mut silent, &mut slow, &mut idle] {
        // An end, not the time-out of this side.
        socket.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn above_the_limit_a_connection_waits_until_another_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let running = run(&folder, &["--max-connections", "1"]);
    let (mut first, mut second) = (connect(&running), connect(&running));
    first.write_all(ASKED).unwrap();
    answered(&mut first);
    second.write_all(ASKED).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "there is room for one");
    second.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    drop(first);
    answered(&mut second);
}

#[test]
fn whoever_is_sent_away_with_a_large_piece_hears_why() {
    let folder = tempfile::tempdir().unwrap();
    let running = run(&folder, &[]);
    let mut office = admit(&directory(&folder), Office::new(1));
    let (sender, whole) = (Sender::new(), office.audio(1, 2 << 20));
    let piece = Piece { seq: 1, whole: &whole, offset: 0, end: 1 << 20 };
    let call = office.call(1).to_string();
    for _ in 0..20 {
        let bytes = &whole[..1 << 20];
        let answer = sender.named_piece(&running.base, &office, piece, "no digest", &call, bytes).unwrap();
        assert_eq!(answer.status(), 400);
    }
    office.token = "0".repeat(64);
    for _ in 0..20 {
        assert_eq!(sender.piece(&running.base, &office, piece).unwrap().status(), 401);
    }
}
