//! The product: the real program on the board `sim24`, whose phones answer and talk.

use crate::{
    Program,
    load::{self, Leg, Load},
    running::{Site, number},
    sip::Caller,
};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_ringside");
/// Load before the first round: until the notice is over, files are open and memory is mapped.
const SETTLING: Duration = Duration::from_secs(4);
const OFFICE: &str = "keep_audio_s = 0\n[[phone]]\nport = \"*\"\nanswer_after_rings = 1\nanswer_delay_ms = 200\n\
    say = \"hello.wav\"\n";

/// As it is, or without the echo cancellers, which neither peer has.
pub(crate) fn start(name: &'static str, calls: usize, echo_canceller: bool) -> Program {
    let phones: Vec<String> = (1..=24).map(|n| format!("PHONE{n}")).collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    let site = Site::new("sim24", &phones, OFFICE);
    for phone in phones.iter().filter(|_| !echo_canceller) {
        site.append(&format!("\n[[phone]]\nport = \"{phone}\"\necho_canceller = false\n"));
    }
    let running = site.start(BINARY);
    let caller = Caller::new(running.sip).expect("loopback");
    let sockets: Vec<_> = (0..calls).map(|_| load::socket().expect("loopback")).collect();
    for (n, socket) in sockets.iter().enumerate() {
        caller.invite(n, &number(n), socket).expect("loopback");
    }
    let answers = caller.answers(calls).unwrap_or_else(|error| panic!("{error}\n{}", running.log()));
    let legs = sockets.into_iter().zip(answers).enumerate();
    let mut load = Load::new(legs.map(|(n, (socket, to))| Leg::new(n, socket, to)).collect());
    load.run(SETTLING);
    Program {
        name,
        process: running.id(),
        load,
        recordings: running.path("data"),
        rounds: Vec::new(),
        _running: Box::new((running, caller)),
    }
}
