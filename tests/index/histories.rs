//! Seeded histories: what the index says depends on the facts, not on batches, doublings or the way it was filled.

use super::{
    ALL, Answers, answers, ask, hold, new_index, note, over, receipt, recorded, recording_receipt, refusal,
    release, seqs,
};
use ringside::{
    id::BoxId,
    io::{
        journal::{
            Fact, Kind,
            writer::{RealDisk, Writer},
        },
        store::Index,
    },
    note::{Part, What},
    record::{Ended, RecordingState},
};

use crate::storage::{START, call, ended, recording};

const CALLS: u64 = 12;

/// Numbers that are the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn shuffle(&mut self, facts: &mut [Fact]) {
        for last in (1..facts.len()).rev() {
            facts.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap());
        }
    }
}

fn erased(seq: u64) -> Fact {
    let mut record = ended(seq, Ended::CallerHungUp);
    (record.rev, record.recording.state) = (3, RecordingState::Erased);
    (record.customer_phone_number, record.customer_name) = (None, None);
    Fact::Call(Kind::Erased, record)
}

/// Facts whose order says nothing.
fn free_fact(random: &mut Random, hq_seq: u64) -> Fact {
    let seq = 1 + random.below(CALLS);
    match random.below(6) {
        0 => over(seq),
        1 => recorded(seq),
        2 => receipt(seq, u32::try_from(1 + random.below(3)).unwrap(), hq_seq),
        3 => recording_receipt(seq),
        4 => hold(seq),
        _ => note(hq_seq, What::Audit { by: "me".to_owned(), did: "played".to_owned(), on: seq.to_string() }),
    }
}

/// Any fact.
fn any_fact(random: &mut Random, at: u64) -> Fact {
    let seq = 1 + random.below(CALLS);
    let part = if random.below(2) == 0 { Part::Record } else { Part::Recording };
    match random.below(12) {
        0 => refusal(at, seq, part),
        1 => release(seq),
        2 => ask(seq, part, random.below(900)),
        3 => note(at, What::EraseCancelled { call: call(seq), by: "owner".to_owned() }),
        4 => erased(seq),
        5 => {
            let above_hq_seq = (random.below(2) == 0).then(|| random.below(at + 1));
            let calls = vec![[seq, seq + random.below(3)]];
            note(at, What::UpstreamLost { above_hq_seq, calls, recordings: vec![recording(seq)] })
        }
        _ => free_fact(random, at),
    }
}

fn folded(batches: &[&[Fact]]) -> Answers {
    let (_dir, index) = new_index();
    batches.iter().for_each(|facts| index.apply(facts, None).unwrap());
    let answers = answers(&index);
    check(&index, &answers);
    answers
}

/// The counters are what counting gives.
fn check(index: &Index, answers: &Answers) {
    let recordings = index.unsent_recordings(ALL).unwrap();
    let bytes: u64 = recordings.iter().map(|record| record.recording.bytes).sum();
    let records = index.unsent_records(ALL).unwrap();
    let oldest = records.iter().chain(&recordings).map(|record| record.start_time).min();
    let counted = (records.len() as u64, recordings.len() as u64, answers.refusals.len() as u64);
    let backlog = answers.backlog;
    assert_eq!((backlog.records, backlog.recordings, backlog.refused), counted);
    assert_eq!((backlog.recording_bytes, backlog.oldest), (bytes, oldest));
    assert!(records.iter().all(|record| record.rev > record.sync.record_acked_rev));
    let mut by_number = seqs(&answers.calls);
    by_number.reverse();
    assert_eq!(answers.by_time, by_number, "each call is once in the order of time");
}

#[test]
fn order_and_doubling_say_nothing_where_facts_are_free() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let facts: Vec<Fact> = (1..=60).map(|at| free_fact(&mut random, at)).collect();
        let expected = folded(&[&facts]);
        let mut shuffled = facts.clone();
        for _ in 0..30 {
            shuffled.push(facts[usize::try_from(random.below(60)).unwrap()].clone());
        }
        random.shuffle(&mut shuffled);
        let halves = shuffled.split_at(usize::try_from(random.below(90)).unwrap());
        assert_eq!(folded(&[halves.0, halves.1]), expected, "seed {seed}");
    }
}

#[test]
fn facts_that_come_again_up_to_the_last_one_change_nothing() {
    for seed in 100..118 {
        let mut random = Random::new(seed);
        let facts: Vec<Fact> = (1..=80).map(|at| any_fact(&mut random, at)).collect();
        let expected = folded(&[&facts]);
        let at = |random: &mut Random| usize::try_from(random.below(80)).unwrap();
        let (cut, from) = (at(&mut random), at(&mut random));
        assert_eq!(folded(&[&facts[..cut], &facts[cut..]]), expected, "seed {seed}, cut {cut}");
        let from = from.min(cut);
        assert_eq!(folded(&[&facts[..cut], &facts[from..]]), expected, "seed {seed}, {from} to {cut} twice");
    }
}

#[test]
fn an_index_filled_from_the_journal_says_the_same() {
    let mut random = Random::new(7);
    let facts: Vec<Fact> = (1..=400).map(|at| any_fact(&mut random, at)).collect();
    let expected = folded(&facts.chunks(37).collect::<Vec<_>>());
    let (dir, index) = new_index();
    let journal = dir.path().join("journal");
    let (mut writer, _) = Writer::open(&journal, BoxId::from_parts(START, 7), 1, Box::new(RealDisk)).unwrap();
    writer.commit(&facts[..150]).unwrap();
    assert_eq!(index.catch_up(&journal, 0).unwrap(), 150);
    writer.commit(&facts[150..]).unwrap();
    assert_eq!(index.catch_up(&journal, 150).unwrap(), 400);
    assert_eq!((answers(&index), index.applied().unwrap()), (expected, 400));
}
