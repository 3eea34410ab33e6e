//! What presses of every length do, with bounces, calls and late loops.

use super::*;
use Command::{EnterSetUp, LeaveSetUp, ReportStuck, Show, SpeakStatus};
use Event::{CallUp, Pressed, Released};
use Stage::{EraseRecordings, Rest, SetUp};

const KEEP: Command = Command::FactoryReset { recordings: Recordings::Keep };
const ERASE: Command = Command::FactoryReset { recordings: Recordings::Erase };
const RESET: Stage = Stage::FactoryReset;

/// A button whose loop is on time: deadlines fire when they are due.
#[derive(Default)]
struct Bench {
    button: Button,
    out: Vec<Command>,
}

impl Bench {
    /// Lets time pass to `ms`.
    fn wait(&mut self, ms: u64) {
        while let Some(due) = self.button.deadline().filter(|due| *due <= Instant::ZERO.after_ms(ms)) {
            self.button.handle(Event::Deadline, due, &mut self.out);
            assert!(self.button.deadline().is_none_or(|next| next > due), "the timer of {due:?} stays");
        }
    }

    fn at(&mut self, ms: u64, event: Event) {
        self.wait(ms);
        self.button.handle(event, Instant::ZERO.after_ms(ms), &mut self.out);
    }
}

/// What comes of these events, and of the hour after them.
fn outcome(events: &[(u64, Event)]) -> Vec<Command> {
    let mut bench = Bench::default();
    events.iter().for_each(|&(ms, event)| bench.at(ms, event));
    bench.wait(events.last().map_or(0, |(ms, _)| ms + BOUNCE_MS));
    bench.out
}

/// What comes of one press of `ms`.
fn press(ms: u64) -> Vec<Command> {
    outcome(&[(5_000, Pressed), (5_000 + ms, Released)])
}

#[test]
fn the_length_of_a_press_decides() {
    for (ms, does) in [
        (0, &[][..]),
        (29, &[]),
        (30, &[SpeakStatus]),
        (200, &[SpeakStatus]),
        (999, &[SpeakStatus]),
        (1_000, &[]),
        (2_999, &[]),
        (3_000, &[Show(SetUp), Show(Rest), EnterSetUp]),
        (9_999, &[Show(SetUp), Show(Rest), EnterSetUp]),
        (10_000, &[Show(SetUp), Show(RESET), Show(Rest), KEEP]),
        (19_999, &[Show(SetUp), Show(RESET), Show(Rest), KEEP]),
        (20_000, &[Show(SetUp), Show(RESET), Show(EraseRecordings), Show(Rest), ERASE]),
        (59_999, &[Show(SetUp), Show(RESET), Show(EraseRecordings), Show(Rest), ERASE]),
        (60_000, &[Show(SetUp), Show(RESET), Show(EraseRecordings), Show(Rest), ReportStuck]),
        (3_600_000, &[Show(SetUp), Show(RESET), Show(EraseRecordings), Show(Rest), ReportStuck]),
    ] {
        assert_eq!(press(ms), does, "{ms} ms");
    }
}

#[test]
fn while_a_call_is_up_only_set_up_mode_can_be_entered_and_left() {
    for (ms, does) in [
        (200, &[][..]),
        (2_000, &[]),
        (3_000, &[Show(SetUp), Show(Rest), EnterSetUp]),
        (10_000, &[Show(SetUp), Show(Rest)]),
        (20_000, &[Show(SetUp), Show(Rest)]),
        (61_000, &[Show(SetUp), Show(Rest), ReportStuck]),
    ] {
        let done = outcome(&[(0, CallUp(true)), (5_000, Pressed), (5_000 + ms, Released)]);
        assert_eq!(done, does, "{ms} ms");
    }
    let (enter, leave) = ((0, Pressed), (60_000, Pressed));
    let done = outcome(&[enter, (4_000, Released), (5_000, CallUp(true)), leave, (60_100, Released)]);
    assert_eq!(done, [Show(SetUp), Show(Rest), EnterSetUp, LeaveSetUp]);
}

#[test]
fn a_call_disarms_a_factory_reset_for_good() {
    for armed_at in [11_000, 21_000] {
        let done = outcome(&[
            (0, Pressed),
            (armed_at, CallUp(true)),
            (armed_at + 1_000, CallUp(false)),
            (armed_at + 2_000, Released),
        ]);
        assert_eq!(done.last(), Some(&Show(Rest)));
        assert!(!done.contains(&KEEP) && !done.contains(&ERASE), "{done:?}");
    }
    // The call comes up between the release and its being believed.
    let done = outcome(&[(0, Pressed), (11_000, Released), (11_010, CallUp(true)), (11_040, CallUp(true))]);
    assert_eq!(done, [Show(SetUp), Show(RESET), Show(Rest)]);
}

#[test]
fn a_call_that_ended_before_the_press_does_not_matter() {
    let done = outcome(&[(0, CallUp(true)), (1_000, CallUp(false)), (2_000, Pressed), (13_000, Released)]);
    assert_eq!(done, [Show(SetUp), Show(RESET), Show(Rest), KEEP]);
}

#[test]
fn a_bouncing_switch_is_one_press() {
    let mut events = vec![(0, Pressed), (4, Released), (9, Pressed), (21, Released), (25, Pressed)];
    events.extend([(400, Released), (405, Pressed), (409, Released)]);
    assert_eq!(outcome(&events), [SpeakStatus]);
    // And a long one stays long.
    let bounced = [(0, Pressed), (5_000, Released), (5_029, Pressed), (10_500, Released)];
    assert_eq!(outcome(&bounced), [Show(SetUp), Show(RESET), Show(Rest), KEEP]);
    // A switch that only bounces does nothing.
    let chatter: Vec<_> = (0..100).flat_map(|n| [(n * 40, Pressed), (n * 40 + 29, Released)]).collect();
    assert_eq!(outcome(&chatter), []);
}

#[test]
fn two_short_presses_are_two() {
    let done = outcome(&[(0, Pressed), (100, Released), (200, Pressed), (300, Released)]);
    assert_eq!(done, [SpeakStatus, SpeakStatus]);
}

#[test]
fn set_up_mode_ends_by_itself_after_15_minutes() {
    let mut bench = Bench::default();
    bench.at(0, Pressed);
    bench.at(4_000, Released);
    bench.wait(4_030);
    assert!(bench.button.is_set_up());
    bench.wait(4_030 + 15 * 60_000 - 1);
    assert_eq!(bench.out, [Show(SetUp), Show(Rest), EnterSetUp]);
    bench.wait(4_030 + 15 * 60_000);
    assert_eq!(bench.out.last(), Some(&LeaveSetUp));
    assert!(!bench.button.is_set_up() && bench.button.deadline().is_none());
}

#[test]
fn a_short_press_ends_set_up_mode_and_the_next_speaks() {
    let done = outcome(&[
        (0, Pressed),
        (4_000, Released),
        (9_000, Pressed),
        (9_200, Released),
        (12_000, Pressed),
        (12_200, Released),
    ]);
    assert_eq!(done, [Show(SetUp), Show(Rest), EnterSetUp, LeaveSetUp, SpeakStatus]);
}

#[test]
fn a_long_press_in_set_up_mode_begins_its_time_anew() {
    let mut bench = Bench::default();
    for (at, event) in [(0, Pressed), (4_000, Released), (600_000, Pressed), (604_000, Released)] {
        bench.at(at, event);
    }
    bench.wait(604_030 + 15 * 60_000 - 1);
    assert_eq!(bench.out, [Show(SetUp), Show(Rest), EnterSetUp].repeat(2));
    bench.wait(604_030 + 15 * 60_000);
    assert_eq!(bench.out.last(), Some(&LeaveSetUp));
}

#[test]
fn a_factory_reset_ends_set_up_mode() {
    let done = outcome(&[(0, Pressed), (4_000, Released), (20_000, Pressed), (31_000, Released)]);
    assert_eq!(done[3..], [Show(SetUp), Show(RESET), Show(Rest), LeaveSetUp, KEEP]);
}

#[test]
fn a_stuck_button_counts_again_after_it_was_open_for_a_second() {
    let mut bench = Bench::default();
    bench.at(0, Pressed);
    bench.wait(70_000);
    assert!(bench.button.is_stuck());
    // It chatters; each time it is closed long enough to arm a reset.
    for at in [80_000, 100_000, 120_000] {
        bench.at(at, Released);
        bench.at(at + 900, Pressed);
    }
    bench.at(140_000, Released);
    bench.wait(140_999);
    assert!(bench.button.is_stuck());
    assert_eq!(bench.out.last(), Some(&ReportStuck));
    bench.wait(141_000);
    assert!(!bench.button.is_stuck());
    bench.at(150_000, Pressed);
    bench.at(150_200, Released);
    bench.wait(151_000);
    assert_eq!(bench.out.iter().filter(|command| **command == ReportStuck).count(), 1);
    assert_eq!(bench.out.last(), Some(&SpeakStatus));
}

#[test]
fn a_late_loop_does_only_what_was_shown() {
    let (mut button, mut out) = (Button::new(), Vec::new());
    let at = |ms| Instant::ZERO.after_ms(ms);
    button.handle(Pressed, at(0), &mut out);
    button.handle(Event::Deadline, at(30), &mut out);
    button.handle(Event::Deadline, at(3_000), &mut out);
    // Ten seconds without a turn: the reset was never announced.
    button.handle(Released, at(13_000), &mut out);
    button.handle(Event::Deadline, at(13_030), &mut out);
    assert_eq!(out, [Show(SetUp), Show(Rest), EnterSetUp]);
}

#[test]
fn a_loop_that_sees_the_edges_before_the_timers_loses_no_press() {
    let (mut button, mut out) = (Button::new(), Vec::new());
    let at = |ms| Instant::ZERO.after_ms(ms);
    for (ms, event) in [(0, Pressed), (150, Released), (300, Pressed), (450, Released)] {
        button.handle(event, at(ms), &mut out);
    }
    button.handle(Event::Deadline, at(480), &mut out);
    assert_eq!(out, [SpeakStatus, SpeakStatus]);
}

/// Every state, by a way that leads there.
fn every_state() -> Vec<(Bench, u64)> {
    let ways: [&[(u64, Event)]; 9] = [
        &[],
        &[(0, Pressed)],
        &[(0, Pressed), (500, Pressed)],
        &[(0, Pressed), (4_000, Pressed)],
        &[(0, Pressed), (11_000, Pressed)],
        &[(0, Pressed), (21_000, Pressed)],
        &[(0, Pressed), (11_000, Released)],
        &[(0, Pressed), (11_000, CallUp(true))],
        &[(0, Pressed), (61_000, Released)],
    ];
    ways.iter()
        .map(|way| {
            let mut bench = Bench::default();
            way.iter().for_each(|&(ms, event)| bench.at(ms, event));
            bench.out.clear();
            (bench, way.last().map_or(0, |(ms, _)| *ms))
        })
        .collect()
}

#[test]
fn every_state_answers_every_event_and_only_timers_and_calls_command() {
    for which in 0..every_state().len() {
        for event in [Pressed, Released, CallUp(true), CallUp(false), Event::Deadline] {
            let (mut bench, ms) = every_state().swap_remove(which);
            let before = bench.button.state;
            bench.button.handle(event, Instant::ZERO.after_ms(ms + 1), &mut bench.out);
            let after = bench.button.state;
            match (before, event, after) {
                (State::Up, Pressed, State::Closing { .. })
                | (State::Opening { .. }, Pressed, State::Held { .. })
                | (State::Clearing { .. }, Pressed, State::Spent { .. })
                | (State::Closing { .. }, Released, State::Up)
                | (State::Held { .. }, Released, State::Opening { .. })
                | (State::Spent { .. }, Released, State::Clearing { .. }) => assert_eq!(bench.out, []),
                (State::Held { stage, .. }, CallUp(true), State::Spent { .. }) => {
                    assert!(stage >= RESET);
                    assert_eq!(bench.out, [Show(Rest)]);
                }
                (before, event, after) => {
                    assert_eq!(before, after, "{event:?}");
                    assert_eq!(bench.out, [], "{before:?} {event:?}");
                }
            }
        }
    }
}

#[test]
fn whatever_happens_a_reset_was_announced_and_no_call_was_up() {
    let mut seed = 1_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (mut resets, mut now) = (0, 0);
    let mut bench = Bench::default();
    let (mut shown, mut call_up) = (Rest, false);
    for _ in 0..40_000 {
        now += [draw(40), draw(1_500), draw(30_000), draw(90_000)][draw(4) as usize];
        let event = [Pressed, Pressed, Released, Released, CallUp(draw(3) == 0)][draw(5) as usize];
        bench.wait(now);
        // What the timers did was done before this event.
        for command in bench.out.drain(..) {
            match command {
                Show(stage) if stage > Rest => shown = stage,
                KEEP | ERASE => {
                    assert_eq!(shown, if command == KEEP { RESET } else { EraseRecordings });
                    assert!(!call_up);
                    resets += 1;
                }
                EnterSetUp => assert_eq!(shown, SetUp),
                Show(_) | SpeakStatus | LeaveSetUp | ReportStuck => {}
            }
        }
        bench.at(now, event);
        if let CallUp(up) = event {
            call_up = up;
        }
    }
    assert!(resets > 100, "{resets} resets: the test tried nothing");
}
