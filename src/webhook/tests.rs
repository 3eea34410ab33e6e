//! The machine against hostile receivers, in virtual time.

use super::{
    Kind,
    event::{Command, Event, Outcome},
    happening::{Data, Happening},
    machine::{MAX_REPLAY, MAX_WAITING, Machine, PATIENCE_MS, RETRY_MS, Settings},
};
use crate::{
    id::CallId,
    time::{Instant, WallTime},
};
use std::collections::{BTreeMap, BTreeSet};

const HOUR_MS: u64 = 3_600_000;

fn post_call(seq: u64) -> Happening {
    let call = CallId::from_parts(WallTime(seq), u128::from(seq));
    Happening {
        id: format!("post_call-{call}"),
        kind: Kind::PostCall,
        at: WallTime(seq),
        data: Data::Record { call, seq },
    }
}

fn trunk_state(n: u64) -> Happening {
    Happening::of_box(Kind::TrunkState, (7, n), WallTime(n), "{}".to_owned())
}

fn failed(status: Option<u16>) -> Outcome {
    Outcome::Failed { status, why: "no answer".to_owned(), retry_after_ms: None }
}

/// A machine with one receiver, and the time.
struct Box1 {
    machine: Machine,
    now: Instant,
}

impl Box1 {
    fn new(wants: &[Kind]) -> Self {
        let machine = Machine::new(Settings { receivers: vec![wants.to_vec()], seed: 1 });
        Self { machine, now: Instant::ZERO }
    }

    fn give(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.machine.handle(event, self.now, &mut out);
        out
    }

    fn answer(&mut self, id: &str, outcome: Outcome) -> Vec<Command> {
        self.give(Event::Answered { receiver: 0, id: id.to_owned(), outcome })
    }

    fn until_deadline(&mut self) -> Vec<Command> {
        self.now = self.machine.deadline().expect("something is due").max(self.now);
        self.give(Event::Deadline)
    }
}

fn sent(out: &[Command]) -> Vec<String> {
    let id = |command: &Command| match command {
        Command::Send { happening, .. } => Some(happening.id.clone()),
        _ => None,
    };
    out.iter().filter_map(id).collect()
}

#[test]
fn only_what_a_receiver_wants_goes_to_it() {
    let mut one = Box1::new(&[Kind::PreCall]);
    assert_eq!(one.give(Event::Happened(trunk_state(1))), []);
    assert_eq!(one.give(Event::Happened(post_call(1))), []);
}

#[test]
fn what_fails_is_tried_again_ever_later_and_under_the_same_id() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    let id = trunk_state(1).id;
    assert_eq!(sent(&one.give(Event::Happened(trunk_state(1)))), [id.as_str()]);
    for wait_ms in RETRY_MS {
        one.answer(&id, failed(Some(500)));
        let waits_ms = one.machine.deadline().unwrap().ms_since(one.now);
        assert!((wait_ms * 80 / 100..=wait_ms * 120 / 100).contains(&waits_ms), "{waits_ms} of {wait_ms}");
        assert_eq!(sent(&one.until_deadline()), [id.as_str()]);
    }
    assert_eq!(one.answer(&id, Outcome::Accepted(204)).len(), 1);
    assert_eq!(one.machine.deadline(), None);
}

#[test]
fn a_receiver_that_has_failed_for_five_days_is_given_up_and_comes_back_when_it_answers() {
    let mut one = Box1::new(&[Kind::PostCall]);
    one.give(Event::Deadline);
    let mut out = one.give(Event::Listed { receiver: 0, calls: vec![post_call(1)], is_all: true });
    while !out.contains(&Command::GiveUp { receiver: 0 }) {
        assert!(one.now.ms_since(Instant::ZERO) < PATIENCE_MS * 2, "never given up");
        if let [id] = &sent(&out)[..] {
            out = one.answer(id, failed(None));
        } else {
            out = one.until_deadline();
        }
    }
    assert!(one.now.ms_since(Instant::ZERO) >= PATIENCE_MS);
    assert_eq!(one.give(Event::Happened(post_call(2))), [], "nothing is sent to it any more");
    assert_eq!(one.machine.deadline(), None);
    let out = one.give(Event::Revived { receiver: 0 });
    assert_eq!(out, [Command::List { receiver: 0 }], "the store has what it missed");
}

#[test]
fn a_receiver_that_is_gone_is_given_up_at_once() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    one.give(Event::Happened(trunk_state(1)));
    let out = one.answer(&trunk_state(1).id, Outcome::Gone);
    assert_eq!(out, [Command::GiveUp { receiver: 0 }]);
    assert!(one.machine.standing(0).unwrap().given_up);
}

#[test]
fn one_that_is_refused_holds_up_no_other_and_is_given_up_alone() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    let bad = trunk_state(0).id;
    let mut out = one.give(Event::Happened(trunk_state(0)));
    let mut n = 0;
    while one.machine.standing(0).unwrap().expired == 0 {
        assert!(one.now.ms_since(Instant::ZERO) < PATIENCE_MS * 2, "never given up");
        match &sent(&out)[..] {
            [id] if *id == bad => out = one.answer(id, Outcome::Refused(422)),
            [id] => out = one.answer(id, Outcome::Accepted(200)),
            _ => {
                n += 1;
                one.now = one.now.after_ms(HOUR_MS / 2);
                out = one.give(Event::Happened(trunk_state(n)));
            }
        }
    }
    let standing = one.machine.standing(0).unwrap();
    assert!(!standing.given_up && standing.accepted >= n - 1, "{standing:?}");
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_it() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    for n in 0..MAX_WAITING as u64 + 11 {
        one.give(Event::Happened(trunk_state(n)));
    }
    let standing = one.machine.standing(0).unwrap();
    // One of them is under way.
    assert_eq!((standing.waiting, standing.dropped), (MAX_WAITING + 1, 10));
    let out = one.answer(&trunk_state(0).id, Outcome::Accepted(200));
    assert_eq!(sent(&out), [trunk_state(11).id]);
}

#[test]
fn when_a_receiver_is_back_all_that_waits_goes_at_once() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    let mut out = one.give(Event::Happened(trunk_state(0)));
    for n in 1..5 {
        out.extend(one.give(Event::Happened(trunk_state(n))));
    }
    for _ in 0..4 {
        let [id] = &sent(&out)[..] else { panic!("{out:?}") };
        one.answer(id, failed(None));
        out = one.until_deadline();
    }
    let began = one.now;
    for _ in 0..5 {
        let [id] = &sent(&out)[..] else { panic!("{out:?}") };
        out = one.answer(id, Outcome::Accepted(200));
    }
    assert_eq!((one.machine.standing(0).unwrap().waiting, one.now), (0, began));
}

#[test]
fn retry_after_is_obeyed_for_a_day_at_most() {
    for (asked_ms, waits_ms) in [(600_000, 600_000), (u64::MAX, 24 * HOUR_MS)] {
        let mut one = Box1::new(&[Kind::TrunkState]);
        one.give(Event::Happened(trunk_state(1)));
        let outcome =
            Outcome::Failed { status: Some(429), why: String::new(), retry_after_ms: Some(asked_ms) };
        one.answer(&trunk_state(1).id, outcome);
        assert_eq!(one.machine.deadline().unwrap().ms_since(one.now), waits_ms);
    }
}

#[test]
fn an_answer_to_what_was_not_sent_changes_nothing() {
    let mut one = Box1::new(&[Kind::TrunkState]);
    assert_eq!(one.answer("nothing", Outcome::Accepted(200)), []);
    one.give(Event::Happened(trunk_state(1)));
    assert_eq!(one.answer("nothing", Outcome::Gone), []);
    assert_eq!(one.give(Event::Answered { receiver: 9, id: String::new(), outcome: Outcome::Gone }), []);
    assert!(!one.machine.standing(0).unwrap().given_up);
}

#[test]
fn a_replay_sends_each_call_once_more() {
    let mut one = Box1::new(&[Kind::PostCall]);
    one.give(Event::Deadline);
    one.give(Event::Listed { receiver: 0, calls: vec![], is_all: true });
    let happenings = (0..MAX_REPLAY as u64 + 5).map(post_call).collect();
    let mut out = one.give(Event::Replayed { receiver: 0, happenings });
    let mut told = Vec::new();
    while let [id] = &sent(&out)[..] {
        told.push(id.clone());
        out = one.answer(id, Outcome::Accepted(200));
        assert!(one.machine.standing(0).unwrap().dropped == 0);
    }
    assert_eq!(told, (0..MAX_REPLAY as u64).map(|seq| post_call(seq).id).collect::<Vec<_>>());
}

/// Random numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a receiver does for a while.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Fine,
    Fails,
    Hangs,
    Redirects,
    Closes,
    Refuses,
    Slow,
}

const MOODS: [Mood; 7] =
    [Mood::Fine, Mood::Fails, Mood::Hangs, Mood::Redirects, Mood::Closes, Mood::Refuses, Mood::Slow];

/// A box with hostile receivers: its store, its cursor, and what each of them accepted.
struct Storm {
    dice: Dice,
    machine: Machine,
    now: Instant,
    moods: Vec<Mood>,
    /// Calls that are over.
    finished: u64,
    settled: Vec<BTreeSet<u64>>,
    accepted: Vec<BTreeMap<String, u32>>,
    under_way: Vec<Option<(Instant, Happening)>>,
    sends: u64,
}

const RECEIVERS: usize = 3;

impl Storm {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            machine: Self::machine(seed),
            now: Instant::ZERO,
            moods: vec![Mood::Fine; RECEIVERS],
            finished: 0,
            settled: vec![BTreeSet::new(); RECEIVERS],
            accepted: vec![BTreeMap::new(); RECEIVERS],
            under_way: vec![None; RECEIVERS],
            sends: 0,
        }
    }

    fn machine(seed: u64) -> Machine {
        Machine::new(Settings { receivers: vec![vec![Kind::PostCall, Kind::TrunkState]; RECEIVERS], seed })
    }

    fn give(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut out = Vec::new();
            self.machine.handle(event, self.now, &mut out);
            for command in out {
                events.extend(self.perform(command));
            }
            for n in 0..RECEIVERS {
                assert!(self.machine.standing(n).unwrap().waiting <= MAX_WAITING + 1);
            }
        }
    }

    fn perform(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Send { receiver, happening } => {
                assert!(self.under_way[receiver].is_none(), "one at a time");
                self.sends += 1;
                let takes_ms = match self.moods[receiver] {
                    Mood::Hangs => 10_000,
                    Mood::Slow => 9_000,
                    _ => 50,
                };
                self.under_way[receiver] = Some((self.now.after_ms(takes_ms), happening));
            }
            Command::Settle { receiver, happening } => {
                if let Data::Record { seq, .. } = happening.data {
                    self.settled[receiver].insert(seq);
                }
            }
            Command::List { receiver } => {
                let open = (1..=self.finished).filter(|seq| !self.settled[receiver].contains(seq));
                let mut calls: Vec<Happening> = open.map(post_call).collect();
                let is_all = calls.len() <= MAX_WAITING;
                calls.truncate(MAX_WAITING);
                return Some(Event::Listed { receiver, calls, is_all });
            }
            Command::GiveUp { receiver } => panic!("receiver {receiver} is given up within a day"),
        }
        None
    }

    /// A receiver answers.
    fn answer(&mut self, receiver: usize) {
        let Some((_, happening)) = self.under_way[receiver].take() else { return };
        let outcome = match self.moods[receiver] {
            Mood::Fine | Mood::Slow => {
                *self.accepted[receiver].entry(happening.id.clone()).or_default() += 1;
                Outcome::Accepted(200)
            }
            Mood::Fails => failed(Some(500)),
            Mood::Redirects => failed(Some(302)),
            Mood::Hangs | Mood::Closes => failed(None),
            Mood::Refuses => Outcome::Refused(400),
        };
        self.give(Event::Answered { receiver, id: happening.id, outcome });
    }

    /// To the next thing that happens, or `most_ms` further.
    fn step(&mut self, most_ms: u64) {
        let end = self.now.after_ms(most_ms);
        let answers = self.under_way.iter().flatten().map(|(at, _)| *at);
        self.now = answers.chain(self.machine.deadline()).min().unwrap_or(end).min(end).max(self.now);
        for receiver in 0..RECEIVERS {
            if self.under_way[receiver].as_ref().is_some_and(|(at, _)| *at <= self.now) {
                self.answer(receiver);
            }
        }
        self.give(Event::Deadline);
    }

    fn play(&mut self, seed: u64) {
        for _ in 0..600 {
            match self.dice.below(20) {
                0..=7 => {
                    self.finished += 1;
                    // Now and then the way to the thread is full.
                    let event = match self.dice.below(10) {
                        0 => Event::Overrun,
                        _ => Event::Happened(post_call(self.finished)),
                    };
                    self.give(event);
                }
                8 => {
                    // A burst of calls, more than the queue holds.
                    for _ in 0..self.dice.below(400) {
                        self.finished += 1;
                        self.give(Event::Happened(post_call(self.finished)));
                    }
                }
                9 => self.give(Event::Happened(trunk_state(self.finished))),
                10 | 11 => {
                    let receiver = self.dice.below(RECEIVERS as u64) as usize;
                    self.moods[receiver] = MOODS[self.dice.below(MOODS.len() as u64) as usize];
                }
                12 if self.dice.below(10) == 0 => {
                    // Power cut: what was under way may have been accepted and is sent again.
                    self.machine = Self::machine(seed ^ self.finished);
                    self.under_way = vec![None; RECEIVERS];
                }
                _ => self.step(30_000),
            }
        }
    }
}

#[test]
fn no_call_is_lost_to_any_receiver_whatever_it_does() {
    let seeds = if std::env::var_os("RINGSIDE_LONG").is_some() { 2_000 } else { 15 };
    for seed in 0..seeds {
        let mut storm = Storm::new(seed);
        storm.give(Event::Deadline);
        storm.play(seed);
        storm.moods = vec![Mood::Fine; RECEIVERS];
        let mut steps = 0;
        while storm.settled.iter().any(|settled| settled.len() < storm.finished as usize) {
            storm.step(HOUR_MS);
            steps += 1;
            assert!(steps < 200_000, "seed {seed}: something is never told");
        }
        for accepted in &storm.accepted {
            let lost = (1..=storm.finished).find(|seq| !accepted.contains_key(&post_call(*seq).id));
            assert_eq!(lost, None, "seed {seed}");
        }
        let told = RECEIVERS as u64 * storm.finished;
        assert!(storm.sends < told * 3 + 5_000, "seed {seed}: {} sends for {told}", storm.sends);
    }
}
