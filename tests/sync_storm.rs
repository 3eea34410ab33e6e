//! The sync machine against an upstream that misbehaves in every way it can, in virtual time: everything arrives
//! exactly once in effect, nothing waits for ever, and nobody is hammered.

#[path = "sync/dice.rs"]
mod dice;
#[path = "sync/model.rs"]
mod model;

use model::{Upstream, Weather, World};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The worst that one box may do to its upstream while everything fails: 3,600 would be one a second.
const MOST_REQUESTS_AN_HOUR: u64 = 1_500;

fn storm(seed: u64) {
    let mut world = World::new(seed);
    let chance = |world: &mut World, most| world.dice.below(most);
    world.weather = Weather {
        unreachable: chance(&mut world, 30),
        hangs: chance(&mut world, 10),
        answer_lost: chance(&mut world, 30),
        error_500: chance(&mut world, 30),
        busy_429: chance(&mut world, 20),
        answers_twice: chance(&mut world, 40),
        note_lost: chance(&mut world, 4),
    };
    let (mut calls, mut backup) = (0, Upstream::default());
    while world.now < 3 * HOUR {
        let (requests, turns, hour) = (world.requests, world.turns, world.now + HOUR);
        while world.now < hour {
            match world.dice.below(20) {
                0 => backup = world.upstream.clone(),
                1 if world.dice.below(3) == 0 => world.restore(backup.clone()),
                2 if world.dice.below(4) == 0 => world.restore(Upstream::default()),
                3 if world.dice.below(3) == 0 => {
                    world.records_break_until = world.now + world.dice.below(HOUR / 2);
                }
                4 if world.dice.below(3) == 0 => {
                    world.recordings_break_until = world.now + world.dice.below(HOUR / 2);
                }
                3..=6 if calls > 0 => {
                    let again = 1 + world.dice.below(calls);
                    world.store(again, 0);
                }
                _ => {
                    calls += 1;
                    let bytes = world.dice.below(3) * world.dice.below(2 << 20);
                    world.store(calls, bytes);
                }
            }
            let pause = world.dice.below(5 * MINUTE);
            world.run_until(world.now + pause);
        }
        let asked = world.requests - requests;
        assert!(asked < MOST_REQUESTS_AN_HOUR, "seed {seed}: {asked} requests in an hour");
        assert!(world.turns - turns < 20_000, "seed {seed}: a busy loop of {} turns", world.turns - turns);
    }
    world.weather = Weather::default();
    world.run_until(world.now + 28 * HOUR);
    assert!(world.is_level(), "seed {seed}: {:?} of {:?}", world.upstream, world.calls);
    // Signs of life, and hardly anything else.
    let before = world.requests;
    world.run_until(world.now + HOUR);
    assert!(
        world.requests - before < 80,
        "seed {seed}: {} requests with nothing to do",
        world.requests - before
    );
}

#[test]
fn everything_arrives_through_every_storm() {
    let seeds = std::env::var("SYNC_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    (0..seeds).for_each(storm);
}

#[test]
fn a_week_without_an_upstream_is_made_up_for_in_a_minute() {
    let mut world = World::new(7);
    world.down_until = 7 * DAY;
    for seq in 1..=10_000 {
        world.store(seq, 0);
        world.run_until(seq * 7 * DAY / 10_000);
    }
    assert!(world.requests < 7 * 24 * 60, "{} requests of a dead upstream", world.requests);
    let (asked, began) = (world.requests, world.now);
    // The back-off is at most five minutes; then it goes on without a pause.
    while !world.is_level() && world.now < began + HOUR {
        world.run_until(world.now + SECOND);
    }
    let first_answer = world.machine.last_contact().expect("it answered");
    assert!(world.is_level());
    assert!(world.now - began <= 6 * MINUTE, "{} s", (world.now - began) / SECOND);
    assert!(first_answer.0 > began);
    assert!(world.requests - asked <= 70, "{} requests", world.requests - asked);
}

#[test]
fn the_newest_record_is_there_first_after_an_outage_and_the_oldest_recording() {
    let mut world = World::new(3);
    world.down_until = DAY;
    for seq in 1..=1_000 {
        world.store(seq, 1_000);
        world.run_until(seq * DAY / 1_000);
    }
    while world.upstream.records.is_empty() {
        world.run_until(world.now + SECOND / 10);
    }
    assert!(world.upstream.records.contains_key(&1_000));
    while world.upstream.recordings.is_empty() {
        world.run_until(world.now + SECOND / 10);
    }
    assert!(world.upstream.recordings.contains_key(&model::recording_id(1)));
    assert_eq!(world.upstream.records.len(), 1_000, "records do not wait for recordings");
}

#[test]
fn neither_records_nor_recordings_wait_for_the_other_to_be_taken() {
    let mut world = World::new(5);
    world.records_break_until = 2 * HOUR;
    world.recordings_break_until = 0;
    (1..=20).for_each(|seq| world.store(seq, 100_000));
    world.run_until(HOUR);
    assert_eq!((world.upstream.records.len(), world.upstream.recordings.len()), (0, 20));
    world.recordings_break_until = 8 * HOUR;
    (21..=40).for_each(|seq| world.store(seq, 100_000));
    world.run_until(3 * HOUR);
    assert_eq!((world.upstream.records.len(), world.upstream.recordings.len()), (40, 20));
    let before = world.requests;
    world.store(41, 0);
    world.run_until(world.now + SECOND);
    assert!(world.upstream.records.contains_key(&41), "at once, although recordings fail");
    world.run_until(world.now + HOUR);
    assert!(world.requests - before < 400, "{} requests in an hour", world.requests - before);
}
