//! Plays every ladder of `tests/ladders/sip` against the endpoint, in virtual time.
//!
//! Lines with `>` are the script: milliseconds, who, what. All other lines are the exact answer.
//!
//! ```text
//! > 0     trunk INVITE          the trunk sends an INVITE; words after it say what is special:
//!                               `again` (the same datagram), `call 2`, `sdp hold`, `branch other`,
//!                               `registered` (to the Contact that the box registered), `outside` (a dialog unknown),
//!                               `| Name: value` (a header more, or another value for one; `$contact` is our Contact user)
//! > 0     trunk 200             the trunk answers the last request of the box; words after it: `to INVITE` (the
//!                               last request of that method), `tag other` (another callee), `sdp audio`, `again`
//! > 0     trunk BYE placed      the trunk sends a request in the call that the box placed
//! > 0     stranger OPTIONS      the same from an address that no trunk names
//! > 100   box Ring 1            the office's decision about call 1: Ring, Answer, Reject 486, HangUp
//! > 100   box Place 1 911       a handset dials 911
//! > 9000  time                  nothing happens until then
//! ```
//! `# trunk register` in the first line makes it a trunk that is registered with, `# trunk peer` one of mode `ip` that
//! takes calls; `# trunk account` one that is registered with and has a number to call back. `BLESS=1` rewrites the answers;
//! review the diff.

use crate::peer::{Call, TRUNK, media, read, response_of, sdp, settings, settings_to_place};
use ringside::{
    sip::{
        endpoint::Endpoint,
        event::{Command, DialogId, Event, Priority, Rejection, TrunkId},
        message::{Message, Method},
    },
    time::Instant,
};
use std::{collections::BTreeMap, fmt::Write, fs, net::SocketAddr};

/// Headers worth reading in a ladder.
const SHOWN: [&str; 18] = [
    "Priority",
    "P-Asserted-Identity",
    "From",
    "Route",
    "Allow",
    "Supported",
    "Require",
    "Unsupported",
    "Accept",
    "Session-Expires",
    "Min-SE",
    "Retry-After",
    "Reason",
    "Expires",
    "Contact",
    "Authorization",
    "Proxy-Authorization",
    "Timestamp",
];

/// An address that no trunk names.
const STRANGER: &str = "198.51.100.66:5060";
/// Number of the call that the box placed, among the trunk's calls.
const PLACED: u32 = 100;

struct Ladder {
    endpoint: Endpoint,
    calls: BTreeMap<u32, Call>,
    last_sent: BTreeMap<String, Vec<u8>>,
    last_request: Option<Message>,
    /// By method.
    requests: BTreeMap<String, Message>,
    seen: Vec<Vec<u8>>,
    text: String,
}

impl Ladder {
    fn play(script: &str) -> String {
        let settings = match script.split([':', '\n', ' ']).nth(2) {
            Some("peer") => settings_to_place(false),
            Some("account") => settings_to_place(true),
            word => settings(word == Some("register")),
        };
        let mut ladder = Self {
            endpoint: Endpoint::new(settings, 42),
            calls: BTreeMap::new(),
            last_sent: BTreeMap::new(),
            last_request: None,
            requests: BTreeMap::new(),
            seen: Vec::new(),
            text: String::new(),
        };
        for line in script.lines() {
            if line.starts_with('#') || line.is_empty() {
                writeln!(ladder.text, "{line}").unwrap();
            } else if let Some(step) = line.strip_prefix("> ") {
                ladder.step(line, step);
            }
        }
        ladder.text
    }

    fn step(&mut self, line: &str, step: &str) {
        let (ms, rest) = step.trim().split_once(' ').unwrap();
        let (who, what) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let now = Instant::ZERO.after_ms(ms.parse().unwrap());
        self.run_until(now);
        writeln!(self.text, "{line}").unwrap();
        match who {
            "time" => {}
            "box" => self.decide(what.trim(), now),
            "trunk" => self.send(TRUNK.parse().unwrap(), what.trim(), now),
            "stranger" => self.send(STRANGER.parse().unwrap(), what.trim(), now),
            other => panic!("unknown party `{other}`"),
        }
    }

    fn run_until(&mut self, now: Instant) {
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= now) {
            self.handle(Event::Deadline, at);
            assert!(
                self.endpoint.deadline() > Some(at) || self.endpoint.deadline().is_none(),
                "stuck at {at:?}"
            );
        }
    }

    fn handle(&mut self, event: Event<'_>, now: Instant) {
        let mut out = Vec::new();
        self.endpoint.handle(event, now, &mut out);
        let ms = now.ms_since(Instant::ZERO);
        for command in out {
            let shown = self.show(command);
            writeln!(self.text, "  {ms:<7} {shown}").unwrap();
        }
    }

    fn decide(&mut self, what: &str, now: Instant) {
        let words: Vec<&str> = what.split(' ').collect();
        if words == ["Shutdown"] {
            return self.handle(Event::Shutdown, now);
        }
        let dialog = DialogId(words[1].parse().unwrap());
        if words[0] == "Place" {
            assert_eq!(self.endpoint.reserve(), dialog);
            let (trunk, rtp) = (TrunkId(0), "127.0.0.1:30000".parse().unwrap());
            let priority = Priority::Emergency;
            return self.handle(Event::Place { dialog, trunk, to: words[2], rtp, priority }, now);
        }
        let event = match words[0] {
            "Ring" => Event::Ring { dialog },
            "Answer" => Event::Answer { dialog, rtp: "127.0.0.1:30000".parse().unwrap() },
            "Reject" => {
                let retry_after_s = words.get(3).map(|s| s.parse().unwrap());
                Event::Reject {
                    dialog,
                    rejection: Rejection { status: words[2].parse().unwrap(), retry_after_s },
                }
            }
            "HangUp" => Event::HangUp { dialog, reason: Some("Q.850;cause=16") },
            other => panic!("unknown decision `{other}`"),
        };
        self.handle(event, now);
    }

    fn send(&mut self, source: SocketAddr, what: &str, now: Instant) {
        let mut parts = what.split(" | ");
        let words: Vec<&str> = parts.next().unwrap().split(' ').collect();
        let contact = self.last_request.as_ref().and_then(|request| request.contact()?.uri().user());
        let contact = contact.unwrap_or_default().to_owned();
        let branch =
            self.last_request.as_ref().and_then(|request| request.via().branch()).unwrap_or_default();
        let branch = branch.to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.replace("$contact", &contact).replace("$branch", &branch))
        };
        let mut extra: Vec<(String, String)> = parts.map(header).collect();
        let after = |word: &str| words.iter().position(|w| *w == word).map(|at| words[at + 1]);
        let number: u32 = after("call").map_or(1, |n| n.parse().unwrap());
        let number = if words.contains(&"placed") { PLACED } else { number };
        let method = words[0];
        let name = format!("{method} {number}");
        let bytes = if words.contains(&"again") && method.parse::<u16>().is_ok() {
            self.last_sent[&name].clone()
        } else if let Ok(status) = method.parse() {
            let request = after("to").map_or(self.last_request.as_ref(), |method| self.requests.get(method));
            let body = media(after("sdp").unwrap_or("none")).map(|media| sdp(&media));
            response_of(after("tag").unwrap_or("trunk"), request.unwrap(), status, body.as_deref(), &extra)
        } else if words.contains(&"again") {
            let bytes = String::from_utf8(self.last_sent[&name].clone()).unwrap();
            let old = self.calls[&number].invite.1.clone();
            after("branch").map_or(bytes.clone(), |new| bytes.replace(&old, new)).into_bytes()
        } else {
            let default = if method == "INVITE" { "audio" } else { "none" };
            let body = media(after("sdp").unwrap_or(default)).map(|media| sdp(&media));
            let body = after("body").map(str::to_owned).or(body);
            let placed = self.requests.get("INVITE").filter(|_| number == PLACED);
            let call = self.calls.entry(number).or_insert_with(|| match placed {
                Some(invite) => Call::placed(number, invite, "trunk"),
                None => Call::new(number),
            });
            if words.contains(&"registered") {
                call.target = format!("sip:{contact}@127.0.0.1:5060");
            }
            if words.contains(&"outside") {
                extra.push(("To".to_owned(), "<sip:+13125550100@127.0.0.1>;tag=gone".to_owned()));
            }
            call.request(method, body.as_deref(), &extra)
        };
        self.last_sent.insert(name, bytes.clone());
        self.handle(Event::Datagram { source, bytes: &bytes }, now);
    }

    fn show(&mut self, command: Command) -> String {
        match command {
            Command::Send { to, bytes } => self.show_datagram(to, bytes),
            Command::Offered { dialog, call } => {
                let called: Vec<&str> = call.called.iter().map(|called| called.number.as_str()).collect();
                let caller = call.caller.number.map_or("anonymous".to_owned(), |number| number.to_string());
                format!("box   < Offered {} {caller} -> {} {:?}", dialog.0, called.join(","), call.media)
            }
            Command::Media { dialog, media } => format!(
                "box   < Media {} {:?} {} send={} receive={}",
                dialog.0, media.codec, media.remote, media.send, media.receive
            ),
            Command::Progress { dialog, status } => format!("box   < Progress {} {status}", dialog.0),
            Command::Answered { dialog } => format!("box   < Answered {}", dialog.0),
            Command::Refused { dialog, why } => format!("box   < Refused {} {why:?}", dialog.0),
            Command::Acked { dialog } => format!("box   < Acked {}", dialog.0),
            Command::Cancelled { dialog } => format!("box   < Cancelled {}", dialog.0),
            Command::Ended { dialog, why } => format!("box   < Ended {} {why:?}", dialog.0),
            Command::Registration { trunk, state } => format!("box   < Registration {} {state:?}", trunk.0),
        }
    }

    fn show_datagram(&mut self, to: SocketAddr, bytes: Vec<u8>) -> String {
        let to = if to == TRUNK.parse().unwrap() { String::new() } else { format!(" to {to}") };
        if bytes == b"\r\n\r\n" {
            return format!("trunk <{to} keep-alive");
        }
        let message = read(&bytes);
        let known = self.calls.values().find(|call| call.call_id == message.call_id());
        let number = known.map(|call| call.number);
        let call = number.filter(|n| *n != 1 && *n != PLACED).map_or(String::new(), |n| format!(" call {n}"));
        let line = match message.status() {
            Some(status) => format!("{status} {} ({})", message.reason(), message.method()),
            None if *message.method() == Method::Register => "REGISTER".to_owned(),
            None => format!("{} {}", message.method(), message.request_uri().unwrap()),
        };
        if self.seen.contains(&bytes) {
            return format!("trunk <{to} {line}{call} again");
        }
        self.seen.push(bytes);
        if message.status().is_none() {
            if *message.method() != Method::Ack {
                self.last_request = Some(message.clone());
            }
            self.requests.insert(message.method().to_string(), message.clone());
        } else if let Some(call) = number.and_then(|number| self.calls.get_mut(&number)) {
            call.learn(&message);
        }
        let mut text = format!("trunk <{to} {line}{call}{}", show_body(message.body()));
        for name in SHOWN {
            let told = match name {
                "Contact" => *message.method() == Method::Register,
                "From" => *message.method() == Method::Invite && message.is_request(),
                _ => true,
            };
            for value in message.lines(name).filter(|_| told) {
                write!(text, " | {name}: {value}").unwrap();
            }
        }
        text
    }
}

fn show_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let version =
        text.lines().find_map(|l| l.strip_prefix("o=ringside ")?.split(' ').nth(1).map(str::to_owned));
    let Some(version) = version else { return String::new() };
    let wanted =
        |l: &&str| l.starts_with("m=") || ["a=send", "a=recv", "a=inac"].iter().any(|a| l.starts_with(a));
    let lines: Vec<&str> = text.lines().filter(wanted).map(|line| &line[2..]).collect();
    format!(" sdp {version} ({})", lines.join(", "))
}

#[test]
fn ladders_match() {
    let mut wrong = Vec::new();
    let mut paths: Vec<_> =
        fs::read_dir("tests/ladders/sip").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in &paths {
        let want = fs::read_to_string(path).unwrap();
        let got = Ladder::play(&want);
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, got).unwrap();
        } else if got != want {
            let at = got.lines().zip(want.lines()).take_while(|(got, want)| got == want).count();
            let (got, want) = (got.lines().nth(at).unwrap_or("end"), want.lines().nth(at).unwrap_or("end"));
            wrong.push(format!("{}:{}:\n  want {want}\n  got  {got}", path.display(), at + 1));
        }
    }
    assert!(paths.len() >= 20 && wrong.is_empty(), "{} ladders\n{}", paths.len(), wrong.join("\n"));
}
