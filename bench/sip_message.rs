//! What one trunk INVITE costs: user instructions and heap calls for reading it, for the facts in it, and for
//! answering it.

mod count;
mod heap;
mod row;

use ringside::{
    number::Dialplan,
    sip::{
        identity::{self, DidSource},
        message::{self, Message},
        sdp::Exchange,
    },
};
use row::Row;
use std::{hint::black_box, net::SocketAddr, process::ExitCode};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// 1.2 kB with CRLF line ends, as a carrier's session border controller sends it.
const INVITE: &str = include_str!("sip_message/invite.sip");

/// What can be measured: name on the command line, metric, goal in instructions.
///
/// 42,000 instructions are what the best of three published parsers needs for such a message, identity not included.
const WORK: [(&str, &str, Option<f64>); 5] = [
    ("parse", "INVITE read to typed fields", Some(42_000.0)),
    ("identity", "caller, called number, diversions", None),
    ("all", "INVITE read, identity included", None),
    ("sdp", "SDP offer read and answered", None),
    ("ringing", "180 built and serialised", None),
];

struct Bench {
    bytes: Vec<u8>,
    source: SocketAddr,
    plan: Dialplan,
}

impl Bench {
    fn new() -> Self {
        let plan = Dialplan::for_country("US").expect("the table has the US");
        let source = SocketAddr::from(([198, 51, 100, 7], 5060));
        Self { bytes: INVITE.replace('\n', "\r\n").into_bytes(), source, plan }
    }

    fn parse(&self) -> Message {
        message::parse(black_box(&self.bytes), self.source).expect("the INVITE is good")
    }

    fn identity(&self, invite: &Message) {
        black_box(identity::caller(invite, &self.plan));
        black_box(identity::called(invite, &DidSource::Auto, &self.plan));
        black_box(identity::diversions(invite, &self.plan));
    }

    /// Does one kind of work `n` times.
    fn run(&self, work: &str, n: u64) {
        let invite = self.parse();
        for _ in 0..n {
            match work {
                "parse" => drop(black_box(self.parse())),
                "identity" => self.identity(black_box(&invite)),
                "all" => self.identity(&self.parse()),
                "sdp" => {
                    let offer = black_box(&invite).sdp().expect("the INVITE has an offer");
                    let answer = Exchange::new(self.source, 1).answer(offer);
                    drop(black_box(answer.expect("the offer is good")));
                }
                "ringing" => drop(black_box(invite.response(180, "Ringing", Some("t")).to_bytes())),
                other => panic!("no such work: {other}"),
            }
        }
    }
}

fn main() -> ExitCode {
    let bench = Bench::new();
    let args: Vec<String> = std::env::args().collect();
    if let [_, run, work, n] = args.as_slice()
        && run == "run"
    {
        bench.run(work, n.parse().expect("a number of iterations"));
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    for (work, metric, goal) in WORK {
        let value = match count::instructions(&["run", work, "100"], &["run", work, "1100"], 1000) {
            Ok(value) => value,
            Err(why) => {
                eprintln!("sip_message: {why}");
                return ExitCode::from(2);
            }
        };
        let calls = heap::calls(|| bench.run(work, 1100)) - heap::calls(|| bench.run(work, 100));
        let heap = Row {
            bench: "sip_message",
            metric,
            value: calls as f64 / 1000.0,
            unit: "heap calls",
            goal: None,
        };
        let row = Row { bench: "sip_message", metric, value, unit: "instructions", goal };
        good &= row.ok();
        row.print();
        heap.print();
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
