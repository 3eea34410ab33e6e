//! Calls that the box places: a seeded storm of them, damaged answers, and their bounds.
//!
//! What must hold, always: a placed call ends exactly once, and nothing is said about it afterwards; a callee that
//! answers is acknowledged each time it says so, and sent away unless it is the one that is talked to; the tables are
//! bounded, and empty when everybody has gone home.

use crate::peer::{Call, TRUNK, media, read, response_of, sdp, settings_to_place};
use ringside::{
    sip::{
        endpoint::{Endpoint, MAX_CALLS, MAX_PLACED},
        event::{Command, DialogId, Event, Priority, Refusal, TrunkId},
        message::{self, Message, Method},
        tokens::Tokens,
    },
    time::Instant,
};
use std::collections::{BTreeMap, BTreeSet};

/// Transactions that calls out may keep: INVITEs, their CANCELs, and what each dialog says.
const MAX_TRANSACTIONS: usize = 64 + 64 + 4 * MAX_PLACED;

/// What happens next, and when.
enum Happening {
    /// A datagram reaches the box.
    ToBox(Vec<u8>),
    /// A datagram reaches the trunk.
    ToTrunk(Vec<u8>),
    /// A callee's 2xx, sent until its ACK comes.
    Success {
        callee: (String, String),
        bytes: Vec<u8>,
        interval_ms: u64,
    },
    /// A callee hangs up.
    CalleeLeaves {
        call_id: String,
        tag: String,
    },
    /// A handset calls, or hangs up.
    Dial,
    HangUp(DialogId),
    /// The daemon stops.
    Shutdown,
}

/// The office's view of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Placed,
    Answered,
    Over,
}

struct World {
    endpoint: Endpoint,
    random: Tokens,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Happening>,
    queued: u64,
    stages: BTreeMap<DialogId, Stage>,
    /// The last INVITE of each call, as the trunk saw it, by Call-ID.
    invites: BTreeMap<String, Message>,
    /// Branches that have a final answer; it is not thought over.
    finals: BTreeMap<String, Vec<u8>>,
    /// Callees (Call-ID and tag) whose 2xx was sent, acknowledged, and ended by a BYE.
    answered: BTreeSet<(String, String)>,
    acknowledged: BTreeSet<(String, String)>,
    left: BTreeSet<(String, String)>,
    /// Per cent of the datagrams that are lost, each way.
    loss: u64,
    refused: u32,
    connected: u32,
}

impl World {
    fn new(seed: u64, loss: u64) -> Self {
        Self {
            endpoint: Endpoint::new(settings_to_place(true), seed),
            random: Tokens::new(!seed),
            now: Instant::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            stages: BTreeMap::new(),
            invites: BTreeMap::new(),
            finals: BTreeMap::new(),
            answered: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            left: BTreeSet::new(),
            loss,
            refused: 0,
            connected: 0,
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
    fn carry(&mut self, bytes: &[u8], wait_ms: u64, wrap: fn(Vec<u8>) -> Happening) {
        for _ in 0..1 + u64::from(self.chance(3)) {
            if !self.chance(self.loss) {
                let delay_ms = wait_ms + self.random.between(5, 60);
                self.after(delay_ms, wrap(bytes.to_vec()));
            }
        }
    }

    fn run(&mut self) {
        loop {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            match (next, self.endpoint.deadline()) {
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
            assert!(self.endpoint.calls() <= 2 * MAX_PLACED, "{}", self.endpoint.calls());
            assert!(self.endpoint.transactions() <= MAX_TRANSACTIONS, "{}", self.endpoint.transactions());
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::ToBox(bytes) => {
                if self.chance(2) {
                    // The same from somebody else, and for a call that nobody placed.
                    self.feed(Event::Datagram {
                        source: "198.51.100.66:5060".parse().unwrap(),
                        bytes: &bytes,
                    });
                    let stray = String::from_utf8_lossy(&bytes).replace("z9hG4bK", "z9hG4bKx").into_bytes();
                    self.feed(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &stray });
                }
                self.feed(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &bytes });
            }
            Happening::ToTrunk(bytes) => self.trunk_receives(&read(&bytes)),
            Happening::Success { callee, bytes, interval_ms } => {
                // RFC 3261 13.3.1.4, for 64*T1.
                if !self.acknowledged.contains(&callee) && interval_ms < 32_000 {
                    self.carry(&bytes, 0, Happening::ToBox);
                    self.after(
                        interval_ms,
                        Happening::Success { callee, bytes, interval_ms: interval_ms * 2 },
                    );
                }
            }
            Happening::CalleeLeaves { call_id, tag } => {
                let invite = self.invites[&call_id].clone();
                let bye = Call::placed(0, &invite, &tag).request("BYE", None, &[]);
                for again_ms in [0, 500, 1_500, 3_500, 7_500] {
                    self.carry(&bye, again_ms, Happening::ToBox);
                }
            }
            Happening::Dial => {
                let dialog = self.endpoint.reserve();
                self.stages.insert(dialog, Stage::Placed);
                let (trunk, rtp) = (TrunkId(0), "127.0.0.1:30000".parse().unwrap());
                let priority = Priority::Emergency;
                self.feed(Event::Place { dialog, trunk, to: "911", rtp, priority });
                let ms = self.random.between(0, 60_000);
                self.after(ms, Happening::HangUp(dialog));
            }
            Happening::Shutdown => self.feed(Event::Shutdown),
            Happening::HangUp(dialog) => {
                self.stages.insert(dialog, Stage::Over);
                self.feed(Event::HangUp { dialog, reason: None });
            }
        }
    }

    fn trunk_receives(&mut self, request: &Message) {
        let (call_id, tag) = (request.call_id().to_owned(), request.to_tag().unwrap_or_default().to_owned());
        match request.method() {
            Method::Invite => self.trunk_decides(request),
            Method::Ack => drop(self.acknowledged.insert((call_id, tag))),
            Method::Cancel => {
                self.carry(&response_of("proxy", request, 200, None, &[]), 0, Happening::ToBox);
                let invite = self.invites[&call_id].clone();
                let same = invite.via().branch() == request.via().branch();
                if same && !self.finals.contains_key(invite.via().branch().unwrap()) {
                    self.refuse(&invite, 487, &[]);
                }
            }
            Method::Bye => {
                self.left.insert((call_id, tag));
                self.carry(&response_of("", request, 200, None, &[]), 0, Happening::ToBox);
            }
            _ => self.carry(&response_of("registrar", request, 404, None, &[]), 0, Happening::ToBox),
        }
    }

    /// An INVITE: ring, announce, refuse, ask for a password, let one or several callees answer, or say nothing.
    fn trunk_decides(&mut self, invite: &Message) {
        let branch = invite.via().branch().unwrap().to_owned();
        self.invites.insert(invite.call_id().to_owned(), invite.clone());
        if let Some(last) = self.finals.get(&branch).cloned() {
            return self.carry(&last, 0, Happening::ToBox);
        }
        let audio = sdp(&media("audio").unwrap());
        if self.chance(80) {
            self.carry(&response_of("", invite, 100, None, &[]), 0, Happening::ToBox);
        }
        if self.chance(60) {
            let (status, body) = if self.chance(50) { (183, Some(audio.as_str())) } else { (180, None) };
            self.carry(&response_of("a", invite, status, body, &[]), 100, Happening::ToBox);
        }
        let authorized = invite.header("Authorization").is_some();
        match self.random.between(0, 9) {
            0 => {}
            1 => self.refuse(invite, 486, &[]),
            2..=4 if !authorized => {
                let header = ("WWW-Authenticate".to_owned(), "Digest realm=\"t\", nonce=\"n\"".to_owned());
                self.refuse(invite, 401, &[header]);
            }
            chosen => {
                // Up to three callees pick up at once, one of them with a codec that we do not have.
                for tag in ["a", "b", "c"].iter().take(if chosen > 7 { 3 } else { 1 }) {
                    let body = if *tag == "b" { sdp(&media("g729").unwrap()) } else { audio.clone() };
                    let bytes = response_of(tag, invite, 200, Some(&body), &[]);
                    let callee = (invite.call_id().to_owned(), (*tag).to_owned());
                    self.answered.insert(callee.clone());
                    self.finals.insert(branch.clone(), bytes.clone());
                    let ms = self.random.between(50, 30_000);
                    self.after(ms, Happening::Success { callee, bytes, interval_ms: 500 });
                }
            }
        }
        // Whoever answered may leave; whoever has not must not, and tries it at times.
        if self.chance(30) {
            let (call_id, ms) = (invite.call_id().to_owned(), self.random.between(100, 60_000));
            self.after(ms, Happening::CalleeLeaves { call_id, tag: "a".to_owned() });
        }
    }

    fn refuse(&mut self, invite: &Message, status: u16, headers: &[(String, String)]) {
        let bytes = response_of("proxy", invite, status, None, headers);
        self.finals.insert(invite.via().branch().unwrap().to_owned(), bytes.clone());
        for again_ms in [0, 500, 1_500, 3_500, 7_500] {
            self.carry(&bytes, again_ms, Happening::ToBox);
        }
    }

    fn feed(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        self.endpoint.handle(event, self.now, &mut out);
        for command in out {
            match command {
                Command::Send { bytes, .. } => {
                    if let Ok(message) = message::parse(&bytes, "127.0.0.1:5060".parse().unwrap())
                        && message.is_request()
                    {
                        self.carry(&bytes, 0, Happening::ToTrunk);
                    }
                }
                Command::Progress { dialog, status } => {
                    assert!((101..200).contains(&status) && self.stages[&dialog] == Stage::Placed);
                }
                Command::Media { dialog, .. } => assert_ne!(self.stages[&dialog], Stage::Over),
                Command::Answered { dialog } => {
                    assert_eq!(self.stages.insert(dialog, Stage::Answered), Some(Stage::Placed));
                    self.connected += 1;
                }
                Command::Refused { dialog, .. } => {
                    assert_eq!(self.stages.insert(dialog, Stage::Over), Some(Stage::Placed));
                    self.refused += 1;
                }
                Command::Ended { dialog, .. } => {
                    assert_eq!(self.stages.insert(dialog, Stage::Over), Some(Stage::Answered));
                }
                Command::Registration { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn every_storm_of_placed_calls_ends_each_of_them_once_and_leaves_empty_tables() {
    let (mut refused, mut connected, mut late) = (0, 0, 0);
    for seed in 0..300 {
        let loss = [0, 10, 30][seed as usize % 3];
        let mut world = World::new(seed, loss);
        for _ in 0..12 {
            let ms = world.random.between(0, 120_000);
            world.after(ms, Happening::Dial);
        }
        world.after(200_000, Happening::Shutdown);
        world.run();
        assert_eq!((world.endpoint.transactions(), world.endpoint.calls()), (0, 0), "seed {seed}");
        assert!(world.stages.values().all(|stage| *stage == Stage::Over), "seed {seed}");
        let unheard: Vec<_> = world.answered.difference(&world.acknowledged).collect();
        assert!(loss > 0 || unheard.is_empty(), "seed {seed}: {unheard:?}");
        // The callee `a` may have left by itself.
        let stranded = world
            .acknowledged
            .iter()
            .filter(|(_, tag)| tag == "b" || tag == "c")
            .any(|c| !world.left.contains(c));
        assert!(loss > 0 || !stranded, "seed {seed}");
        (refused, connected) = (refused + world.refused, connected + world.connected);
        late += world.endpoint.counters().late_callees;
    }
    assert!(refused > 500 && connected > 500 && late > 500, "{refused} {connected} {late}");
}

/// A box with one call out, and the INVITE of it.
fn placed(seed: u64) -> (Endpoint, DialogId, Message) {
    let mut endpoint = Endpoint::new(settings_to_place(false), seed);
    let dialog = endpoint.reserve();
    let out = place(&mut endpoint, dialog, "911");
    let Some(Command::Send { bytes, .. }) = out.first() else { panic!("{out:?}") };
    let invite = read(bytes);
    (endpoint, dialog, invite)
}

fn place(endpoint: &mut Endpoint, dialog: DialogId, to: &str) -> Vec<Command> {
    let (trunk, rtp) = (TrunkId(0), "127.0.0.1:30000".parse().unwrap());
    give(endpoint, Event::Place { dialog, trunk, to, rtp, priority: Priority::Emergency }, Instant::ZERO)
}

fn give(endpoint: &mut Endpoint, event: Event<'_>, now: Instant) -> Vec<Command> {
    let mut out = Vec::new();
    endpoint.handle(event, now, &mut out);
    out
}

fn hear(endpoint: &mut Endpoint, bytes: &[u8], source: &str) -> Vec<Command> {
    give(endpoint, Event::Datagram { source: source.parse().unwrap(), bytes }, Instant::ZERO)
}

#[test]
fn an_answer_of_a_stranger_or_to_nothing_is_counted_and_changes_nothing() {
    let (mut endpoint, dialog, invite) = placed(1);
    let busy = |invite: &Message| response_of("a", invite, 486, None, &[]);
    assert_eq!(hear(&mut endpoint, &busy(&invite), "198.51.100.66:5060"), []);
    assert_eq!(endpoint.counters().strangers, 1);
    let text = String::from_utf8(busy(&invite)).unwrap();
    let branch = invite.via().branch().unwrap();
    for (is, not) in [
        (branch, "z9hG4bKother"),
        (invite.call_id(), "other"),
        (invite.from_tag().unwrap(), "other"),
        ("CSeq: 1 ", "CSeq: 2 "),
        ("1 INVITE", "1 BYE"),
        ("From: ", "Via: SIP/2.0/UDP 127.0.0.9\r\nFrom: "),
    ] {
        assert!(text.contains(is), "{is}");
        assert_eq!(hear(&mut endpoint, text.replace(is, not).as_bytes(), TRUNK), [], "{not}");
    }
    assert_eq!(endpoint.counters().stray_responses, 6);
    for broken in [text.replace("From: ", "From: <"), text.replace("To: ", "Contact: <sip:\r\nTo: ")] {
        assert_eq!(hear(&mut endpoint, broken.as_bytes(), TRUNK), []);
    }
    assert_eq!(endpoint.counters().unreadable, 2);
    let why = Refusal::Status(486);
    assert_eq!(hear(&mut endpoint, text.as_bytes(), TRUNK)[1..], [Command::Refused { dialog, why }]);
}

#[test]
fn the_name_of_the_emergency_number_is_used_if_it_was_dialled() {
    let mut endpoint = Endpoint::new(settings_to_place(false), 1);
    let dialog = endpoint.reserve();
    let out = place(&mut endpoint, dialog, "urn:service:sos");
    let Some(Command::Send { bytes, .. }) = out.first() else { panic!("{out:?}") };
    let text = String::from_utf8_lossy(bytes);
    assert!(text.starts_with("INVITE urn:service:sos SIP/2.0\r\n"), "{text}");
    assert!(text.contains("\r\nTo: <urn:service:sos>\r\n"), "{text}");
}

#[test]
fn callers_on_every_line_do_not_keep_a_call_from_going_out_nor_the_other_way_round() {
    let mut endpoint = Endpoint::new(settings_to_place(false), 1);
    let invite = |number| Call::new(number).request("INVITE", Some(&sdp(&media("audio").unwrap())), &[]);
    let offered = |out: &[Command]| out.iter().any(|command| matches!(command, Command::Offered { .. }));
    let half = MAX_CALLS as u32 / 2;
    assert!((0..half).all(|number| offered(&hear(&mut endpoint, &invite(number), TRUNK))));
    for _ in 0..MAX_PLACED {
        let dialog = endpoint.reserve();
        assert!(matches!(place(&mut endpoint, dialog, "911")[..], [Command::Send { .. }]));
    }
    assert!((half..2 * half).all(|number| offered(&hear(&mut endpoint, &invite(number), TRUNK))));
    assert!(!offered(&hear(&mut endpoint, &invite(1_000), TRUNK)));
    assert_eq!((endpoint.counters().shed, endpoint.counters().placed), (1, MAX_PLACED as u64));
}

#[test]
fn a_handset_that_goes_up_and_down_all_day_leaves_bounded_tables() {
    let (mut endpoint, first, invite) = placed(1);
    hear(&mut endpoint, &response_of("a", &invite, 180, None, &[]), TRUNK);
    let audio = sdp(&media("audio").unwrap());
    for n in 0..1_000 {
        let dialog = endpoint.reserve();
        let out = place(&mut endpoint, dialog, "911");
        let Some(Command::Send { bytes, .. }) = out.first() else { panic!("{out:?}") };
        let status = [180, 200][n % 2];
        hear(&mut endpoint, &response_of("a", &read(bytes), status, Some(&audio), &[]), TRUNK);
        give(&mut endpoint, Event::HangUp { dialog, reason: None }, Instant::ZERO);
        assert!(endpoint.calls() <= MAX_PLACED + 1 && endpoint.transactions() <= MAX_TRANSACTIONS);
    }
    let answer = response_of("a", &invite, 200, Some(&audio), &[]);
    let out = hear(&mut endpoint, &answer, TRUNK);
    assert!(out.contains(&Command::Answered { dialog: first }), "the one that rings all the while: {out:?}");
}
