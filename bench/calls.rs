//! The running program: how soon a call rings and shows, and what calls cost it in memory and CPU.
//!
//! `cargo bench --bench calls [-- --json]` runs the real binary on the board `sim24`, on loopback. The figures of memory
//! and CPU are of the whole process, and so include the simulated chips, lines and sound card.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench owns clocks, sockets and threads"
)]

mod row;
#[path = "../tests/peers/running.rs"]
mod running;

use ringside::{
    audio::wav,
    sim::provider::{Account, CallPlan, Provider, Speech},
};
use row::Row;
use running::{PATIENCE, RunningBox, Site, number};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpStream, UdpSocket},
    sync::mpsc::{Receiver, channel},
    thread::sleep,
    time::{Duration, Instant},
};

const RINGSIDE: &str = env!("CARGO_BIN_EXE_ringside");
/// Calls of the latency figures, and the pause between two of them: 20 calls a second.
const CALLS: usize = 400;
const BETWEEN: Duration = Duration::from_millis(50);
/// Calls at once in the figures of memory and CPU, and how long each figure is measured.
const AT_ONCE: [usize; 3] = [0, 8, 24];
const MEASURED: Duration = Duration::from_secs(20);
/// Time for start-up work, the first pages of recordings and the notice to be over.
const SETTLING: Duration = Duration::from_secs(4);

fn main() {
    let rows: Vec<Row> = [start_up()].into_iter().chain(latency()).chain(cost()).collect();
    rows.iter().for_each(Row::print);
}

fn row(metric: &'static str, value: f64, unit: &'static str, goal: Option<f64>) -> Row {
    Row { bench: "calls", metric, value, unit, goal }
}

/// The site of all figures: every phone has its own number, and whoever is called answers and talks.
fn start(office: &str) -> RunningBox {
    let phones: Vec<String> = (1..=24).map(|n| format!("PHONE{n}")).collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    Site::new("sim24", &phones, office).start(RINGSIDE)
}

/// From the start of the program to its first REGISTER, with the journal and the index of a new box.
fn start_up() -> Row {
    const STARTS: usize = 9;
    let mut taken: Vec<Duration> = (0..STARTS).map(|_| first_register()).collect();
    taken.sort_unstable();
    row("start_to_first_register", taken[STARTS / 2].as_secs_f64() * 1000.0, "ms", Some(1_000.0))
}

fn first_register() -> Duration {
    let registrar = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    registrar.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let site = Site::new("sim24", &["PHONE1"], "keep_audio_s = 0\n");
    site.register_at(registrar.local_addr().expect("bound"));
    let started = Instant::now();
    let heard = std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        let length = registrar.recv(&mut buffer).expect("a REGISTER");
        assert!(buffer[..length].starts_with(b"REGISTER "), "the first datagram is no REGISTER");
        started.elapsed()
    });
    let _running = site.start(RINGSIDE);
    heard.join().expect("a REGISTER")
}

/// Calls that are given up as soon as they ring, one after the other, with a live page open.
fn latency() -> Vec<Row> {
    let running = start("keep_audio_s = 0\n");
    let shown = follow_page(&running);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.connect(running.sip).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let (mut rang, mut bubbled) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for n in 0..CALLS {
        sleep((begun + BETWEEN * n as u32).saturating_duration_since(Instant::now()));
        let caller = Caller { n, socket: &socket, to: format!("sip:{}@{}", number(n % 24), running.sip) };
        let sent = Instant::now();
        caller.send("INVITE", SDP);
        rang.push(caller.wait("180", "INVITE") - sent);
        caller.send("CANCEL", "");
        caller.wait("487", "INVITE");
        caller.send("ACK", "");
        bubbled.push(shown.recv_timeout(PATIENCE).expect("a bubble") - sent);
    }
    let ms = |times: &mut Vec<Duration>, part: f64| {
        times.sort_unstable();
        times[(times.len() as f64 * part) as usize].as_secs_f64() * 1000.0
    };
    vec![
        row("invite_to_180_p50", ms(&mut rang, 0.5), "ms", Some(0.7)),
        row("invite_to_180_p99", ms(&mut rang, 0.99), "ms", Some(3.0)),
        row("invite_to_bubble_p50", ms(&mut bubbled, 0.5), "ms", None),
        row("invite_to_bubble_p99", ms(&mut bubbled, 0.99), "ms", Some(50.0)),
    ]
}

/// The moments at which the first bubble of each call arrives on the page's stream. The page is there when this
/// returns: a call before its first picture would be in that picture and have no bubble of its own.
fn follow_page(running: &RunningBox) -> Receiver<Instant> {
    let mut stream = TcpStream::connect(running.web).expect("the page");
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", running.web).expect("the page");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("id:")), "the stream ended before its first event");
    let (out, shown) = channel();
    std::thread::spawn(move || {
        for line in lines {
            // The id of an event is that of the call and the revision of its bubble.
            let is_first = line.strip_prefix("id:").is_some_and(|id| id.trim().ends_with(".1"));
            if is_first && out.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    shown
}

const SDP: &str = "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 39000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// One caller; it uses one branch throughout, as INVITE, CANCEL and the ACK of a refusal must.
struct Caller<'a> {
    n: usize,
    socket: &'a UdpSocket,
    to: String,
}

impl Caller<'_> {
    fn send(&self, method: &str, body: &str) {
        let (n, to, local) = (self.n, &self.to, self.socket.local_addr().expect("bound"));
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let request = format!(
            "{method} {to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-bench-{n}\r\n\
             From: \"ANNA WEBER\" <sip:+13125550142@{local}>;tag={n}\r\nTo: <{to}>\r\nCall-ID: {n}@bench\r\n\
             CSeq: 1 {method}\r\nContact: <sip:bench@{local}>\r\nMax-Forwards: 70\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send(request.as_bytes()).expect("loopback");
    }

    /// When the answer of this status came.
    fn wait(&self, status: &str, method: &str) -> Instant {
        let mut buffer = [0; 4_096];
        loop {
            let length = self.socket.recv(&mut buffer).expect("an answer");
            let now = Instant::now();
            let text = String::from_utf8_lossy(&buffer[..length]);
            let of_this_call = text.contains(&format!("Call-ID: {}@bench\r\n", self.n));
            if of_this_call && text.starts_with(&format!("SIP/2.0 {status} ")) && text.contains(method) {
                return now;
            }
        }
    }
}

/// Memory and CPU of the process with so many recorded calls in which both sides talk all the time.
fn cost() -> Vec<Row> {
    let office = "keep_audio_s = 0\n[[phone]]\nport = \"*\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\n\
        say = \"hello.wav\"\n";
    let running = start(office);
    let provider =
        Provider::start("127.0.0.1:0".parse().expect("an address"), Account::default()).expect("loopback");
    let words = wav::decode(&std::fs::read(running.path("hello.wav")).expect("a file")).expect("speech");
    let talk: Vec<i16> = words.iter().copied().cycle().take(8_000 * 180).collect();
    let speech = Speech::Samples(talk.into());
    let names = [("rss_0", "cpu_0"), ("rss_8", "cpu_8"), ("rss_24", "cpu_24")];
    let goals_kb = [Some(20_480.0), Some(40_960.0), None];
    let mut calls = Vec::new();
    let mut rows = Vec::new();
    for ((at_once, (memory, cpu)), goal_kb) in AT_ONCE.into_iter().zip(names).zip(goals_kb) {
        while calls.len() < at_once {
            let plan =
                CallPlan { speech: speech.clone(), ..CallPlan::new("+13125550142", &number(calls.len())) };
            let call = provider.place_at(running.sip, plan);
            let outcome = call.wait(PATIENCE, |outcome| outcome.answered_after.is_some());
            assert!(outcome.answered_after.is_some(), "the call was not answered: {outcome:?}");
            calls.push(call);
        }
        sleep(SETTLING);
        let (cpu_s, begun) = (running.cpu_s(), Instant::now());
        sleep(MEASURED);
        let used = (running.cpu_s() - cpu_s) / begun.elapsed().as_secs_f64();
        let (now_kb, _) = running.memory_kb();
        rows.push(row(memory, now_kb as f64, "kB", goal_kb));
        rows.push(row(cpu, used * 100.0, "% of a core", None));
    }
    rows.push(row("xruns", running.metric("ringside_pcm_xruns_total"), "xruns", Some(0.0)));
    rows
}
