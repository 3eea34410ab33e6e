//! Seeded storms on the SIP endpoint alone: many calls over a network that loses, repeats and reorders datagrams,
//! with an office that decides at random; and a flood of calls with every port busy.
//!
//! What must hold, always: an INVITE is offered at most once; its final answers are one answer, letter by letter; an
//! offered call ends exactly once and nothing is said about it afterwards; the tables are bounded, and empty when
//! everybody has gone home.

use crate::peer::{Call, TRUNK, media, read, response, sdp, settings};
use ringside::{
    sip::{
        endpoint::{Endpoint, MAX_ANSWERED_INVITES, MAX_CALLS, MAX_SERVER_REQUESTS},
        event::{Command, DialogId, Event, Rejection},
        message::{self, Message, Method},
        tokens::Tokens,
    },
    time::Instant,
};
use std::collections::{BTreeMap, BTreeSet};

/// What happens next, and when.
enum Happening {
    /// A datagram reaches the box.
    ToBox(Vec<u8>),
    /// A datagram reaches the trunk.
    ToTrunk(Vec<u8>),
    /// The trunk's timer A of a call: send the INVITE again if nothing has come back.
    Retransmit { call: u32, invite: Vec<u8>, interval_ms: u64 },
    /// The trunk does something in a call.
    TrunkActs(u32),
    /// The office decides.
    Office(DialogId),
}

/// The office's view of a call.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Offered,
    Answered,
    Over,
}

struct World {
    endpoint: Endpoint,
    random: Tokens,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Happening>,
    queued: u64,
    calls: BTreeMap<u32, Call>,
    stages: BTreeMap<DialogId, Stage>,
    offered: BTreeSet<String>,
    /// By Call-ID, sequence number and branch: the final answer.
    finals: BTreeMap<(String, u32, String), Vec<u8>>,
    invites: BTreeSet<(String, u32, String)>,
    /// Per cent of the datagrams that are lost, each way.
    loss: u64,
    always_busy: bool,
    longest: usize,
}

impl World {
    fn new(seed: u64, loss: u64, always_busy: bool) -> Self {
        Self {
            endpoint: Endpoint::new(settings(false), seed),
            random: Tokens::new(!seed),
            now: Instant::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            calls: BTreeMap::new(),
            stages: BTreeMap::new(),
            offered: BTreeSet::new(),
            finals: BTreeMap::new(),
            invites: BTreeSet::new(),
            loss,
            always_busy,
            longest: 0,
        }
    }

    fn after(&mut self, ms: u64, what: Happening) {
        self.queued += 1;
        self.queue.insert((self.now.after_ms(ms), self.queued), what);
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.between(1, 100) <= percent
    }

    /// Sends over the network: lost, late, twice.
    fn carry(&mut self, bytes: &[u8], wrap: fn(Vec<u8>) -> Happening) {
        let copies = 1 + u64::from(self.chance(3));
        for _ in 0..copies {
            if !self.chance(self.loss) {
                let delay_ms = self.random.between(5, 60);
                self.after(delay_ms, wrap(bytes.to_vec()));
            }
        }
    }

    fn start_call(&mut self, number: u32) {
        let mut call = Call::new(number);
        let body = media(if self.chance(10) { "none" } else { "audio" }).map(|media| sdp(&media));
        let invite = call.request("INVITE", body.as_deref(), &[]);
        self.calls.insert(number, call);
        let read = read(&invite);
        self.invites.insert(key(&read));
        self.carry(&invite, Happening::ToBox);
        self.after(500, Happening::Retransmit { call: number, invite, interval_ms: 500 });
        if !self.always_busy {
            let ms = self.random.between(1, 20_000);
            self.after(ms, Happening::TrunkActs(number));
        }
    }

    /// Plays until nothing is left to happen.
    fn run(&mut self) {
        loop {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let deadline = self.endpoint.deadline();
            match (next, deadline) {
                (None, None) => break,
                (next, Some(at)) if next.is_none_or(|next| at <= next) => {
                    self.now = self.now.max(at);
                    self.feed(Event::Deadline);
                    assert!(self.endpoint.deadline().is_none_or(|next| next > self.now), "a deadline stays");
                }
                _ => {
                    let ((at, _), what) = self.queue.pop_first().unwrap();
                    self.now = at;
                    self.happen(what);
                }
            }
            self.longest = self.longest.max(self.endpoint.transactions());
            assert!(self.endpoint.calls() <= MAX_CALLS);
            let bound = MAX_ANSWERED_INVITES + MAX_SERVER_REQUESTS + 3 * MAX_CALLS;
            assert!(self.endpoint.transactions() <= bound, "{} transactions", self.endpoint.transactions());
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::ToBox(bytes) => {
                if self.loss > 0 && self.chance(2) && !self.always_busy {
                    // A cut datagram of another call in between: it must not disturb this one.
                    let stray = String::from_utf8_lossy(&bytes).replace("call-", "stray-").into_bytes();
                    let at = self.random.between(0, stray.len() as u64 - 1) as usize;
                    self.feed(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &stray[..at] });
                }
                self.feed(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &bytes });
            }
            Happening::ToTrunk(bytes) => self.trunk_receives(&bytes),
            Happening::Retransmit { call, invite, interval_ms } => {
                // RFC 3261 17.1.1.2: timers A and B.
                if self.calls[&call].invite.2 == 0 && interval_ms < 32_000 {
                    self.carry(&invite, Happening::ToBox);
                    self.after(
                        interval_ms * 2,
                        Happening::Retransmit { call, invite, interval_ms: interval_ms * 2 },
                    );
                }
            }
            Happening::TrunkActs(call) => self.trunk_acts(call),
            Happening::Office(dialog) => self.office_decides(dialog),
        }
    }

    fn trunk_receives(&mut self, bytes: &[u8]) {
        if bytes == b"\r\n\r\n" {
            return;
        }
        // The answer to a cut request cannot always be read.
        let Ok(message) = message::parse(bytes, "127.0.0.1:5060".parse().unwrap()) else { return };
        let Some(status) = message.status() else {
            if self.chance(90) {
                self.carry(&response(&message, 200, &[]), Happening::ToBox);
            }
            return;
        };
        let number =
            message.call_id().strip_prefix("call-").and_then(|id| id.split('@').next()?.parse().ok());
        let Some(call) = number.and_then(|number: u32| self.calls.get_mut(&number)) else { return };
        call.learn(&message);
        if *message.method() == Method::Invite && status >= 200 && message.cseq() == call.invite.0 {
            let body = Some(sdp(&media("audio").unwrap())).filter(|_| status < 300);
            let ack = call.request("ACK", body.as_deref(), &[]);
            self.carry(&ack, Happening::ToBox);
        }
    }

    fn trunk_acts(&mut self, number: u32) {
        let chosen = self.random.between(0, 9);
        let call = self.calls.get_mut(&number).unwrap();
        let (bytes, invites) = match (chosen, call.invite.2) {
            (0..=4, 0..=199) => (call.request("CANCEL", None, &[]), false),
            (0..=3, 200..=299) => (call.request("BYE", None, &[]), false),
            (4, _) => (call.request("OPTIONS", None, &[]), false),
            (5, 200..=299) => (call.request("INVITE", Some(&sdp(&media("hold").unwrap())), &[]), true),
            (6, 200..=299) => (call.request("UPDATE", Some(&sdp(&media("audio").unwrap())), &[]), false),
            (7, 200..=299) => (call.request("INVITE", Some(&sdp(&media("t38").unwrap())), &[]), true),
            _ => (call.request("INFO", None, &[]), false),
        };
        if invites {
            self.invites.insert(key(&read(&bytes)));
            let again = Happening::Retransmit { call: number, invite: bytes.clone(), interval_ms: 500 };
            self.after(500, again);
        }
        self.carry(&bytes, Happening::ToBox);
        if self.chance(60) {
            let ms = self.random.between(1, 20_000);
            self.after(ms, Happening::TrunkActs(number));
        }
    }

    fn office_decides(&mut self, dialog: DialogId) {
        let rejection = Rejection { status: 486, retry_after_s: None };
        let chosen = self.random.between(0, 9);
        let event = match (&self.stages[&dialog], chosen) {
            (Stage::Over, 0..=2) => Event::HangUp { dialog, reason: None },
            (Stage::Over, _) => Event::Answer { dialog, rtp: "127.0.0.1:30000".parse().unwrap() },
            (Stage::Offered, _) if self.always_busy => Event::Reject { dialog, rejection },
            (Stage::Offered, 0..=2) => Event::Ring { dialog },
            (Stage::Offered, 3..=7) => Event::Answer { dialog, rtp: "127.0.0.1:30000".parse().unwrap() },
            (Stage::Offered, _) => Event::Reject { dialog, rejection },
            (Stage::Answered, _) => Event::HangUp { dialog, reason: Some("Q.850;cause=16") },
        };
        match (&event, &self.stages[&dialog]) {
            (Event::Answer { .. }, Stage::Offered) => self.stages.insert(dialog, Stage::Answered),
            (Event::Reject { .. } | Event::HangUp { .. }, _) => self.stages.insert(dialog, Stage::Over),
            _ => None,
        };
        // Now and then the office decides once more when all is over: it must not matter.
        let over = self.stages[&dialog] == Stage::Over;
        let again = !over || (!self.always_busy && self.chance(30));
        self.feed(event);
        if again {
            let ms = self.random.between(1, if over { 100 } else { 60_000 });
            self.after(ms, Happening::Office(dialog));
        }
    }

    fn feed(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        self.endpoint.handle(event, self.now, &mut out);
        for command in out {
            match command {
                Command::Send { bytes, .. } => {
                    self.note_final(&bytes);
                    self.carry(&bytes, Happening::ToTrunk);
                }
                Command::Offered { dialog, call } => {
                    assert!(
                        self.offered.insert(call.sip_call_id.clone()),
                        "{} offered twice",
                        call.sip_call_id
                    );
                    assert!(self.stages.insert(dialog, Stage::Offered).is_none());
                    if self.always_busy {
                        self.office_decides(dialog);
                    } else {
                        let ms = self.random.between(0, 5_000);
                        self.after(ms, Happening::Office(dialog));
                    }
                }
                Command::Media { dialog, .. } | Command::Acked { dialog } => {
                    assert_eq!(self.stages[&dialog], Stage::Answered, "{dialog:?}");
                }
                Command::Cancelled { dialog } => {
                    assert_eq!(self.stages.insert(dialog, Stage::Over), Some(Stage::Offered));
                }
                Command::Ended { dialog, .. } => {
                    assert_eq!(self.stages.insert(dialog, Stage::Over), Some(Stage::Answered), "{dialog:?}");
                }
                Command::Registration { .. } => unreachable!("there is no registrar"),
                Command::Progress { .. } | Command::Answered { .. } | Command::Refused { .. } => {
                    unreachable!("nobody calls out")
                }
            }
        }
    }

    /// Every final answer to one INVITE must be the same.
    fn note_final(&mut self, bytes: &[u8]) {
        let Ok(message) = message::parse(bytes, "127.0.0.1:5060".parse().unwrap()) else { return };
        if message.status().is_some_and(|status| status >= 200) && *message.method() == Method::Invite {
            let first = self.finals.entry(key(&message)).or_insert_with(|| bytes.to_vec());
            assert_eq!(
                String::from_utf8_lossy(first),
                String::from_utf8_lossy(bytes),
                "a second final answer"
            );
        }
    }
}

fn key(message: &Message) -> (String, u32, String) {
    (message.call_id().to_owned(), message.cseq(), message.via().branch().unwrap().to_owned())
}

#[test]
fn every_storm_leaves_one_answer_for_each_invite_and_empty_tables() {
    for seed in 0..200 {
        let loss = [0, 10, 30][seed as usize % 3];
        let mut world = World::new(seed, loss, false);
        for number in 1..=30 {
            world.now = Instant::ZERO.after_ms(u64::from(number) * 300);
            world.start_call(number);
        }
        world.now = Instant::ZERO;
        world.run();
        assert_eq!((world.endpoint.transactions(), world.endpoint.calls()), (0, 0), "seed {seed}");
        assert!(world.stages.values().all(|stage| *stage == Stage::Over), "seed {seed}");
        if loss < 30 {
            let unanswered = world.invites.iter().filter(|key| !world.finals.contains_key(*key)).count();
            assert_eq!(unanswered, 0, "seed {seed}");
        }
    }
}

#[test]
fn with_every_port_busy_each_of_2000_invites_a_second_gets_one_486() {
    let mut world = World::new(7, 10, true);
    let seconds = 3;
    for number in 1..=seconds * 2_000 {
        world.now = Instant(u64::from(number) * 500);
        world.start_call(number);
    }
    world.now = Instant::ZERO;
    world.run();
    assert_eq!(world.offered.len(), world.invites.len(), "each is offered once");
    assert_eq!(world.finals.len(), world.invites.len(), "each is answered");
    assert!(world.finals.values().all(|answer| answer.starts_with(b"SIP/2.0 486 ")));
    let busy = world.calls.values().filter(|call| call.invite.2 == 486).count();
    assert_eq!(busy, world.calls.len(), "each caller heard it");
    assert!(world.longest <= MAX_ANSWERED_INVITES + MAX_CALLS, "{}", world.longest);
    assert_eq!((world.endpoint.transactions(), world.endpoint.calls()), (0, 0));
    assert!(world.endpoint.counters().repeated_without_transaction > 100);
}
