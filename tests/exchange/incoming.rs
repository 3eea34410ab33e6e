//! Calls to the office line: ringing, the caller's number as the monitored line carries it, answering, giving up, glare.

use super::rig::{Rig, is_tone, tone};
use ringside::audio::caller_id::dtmf::Collector;
use ringside::audio::caller_id::{Absence, Heard, Received, Receiver};
use ringside::audio::dtmf;
use ringside::audio::fsk::Variant;
use ringside::chip::si3050::{Command, Event, Polarity};
use ringside::record::Presentation;
use ringside::sim::exchange::{CallerIn, Country, Happening, LinePlan, State};
use std::f32::consts::PI;

fn anna() -> CallerIn {
    CallerIn { name: "ANNA WEBER".into(), speech: tone(1000.0), ..CallerIn::new("3125550142") }
}

/// What a receiver reads in `samples`, and in which millisecond.
fn received(samples: &[i16], variant: Variant) -> Option<(u64, Received)> {
    let mut receiver = Receiver::new(variant);
    samples.as_chunks::<80>().0.iter().enumerate().find_map(|(n, period)| match receiver.feed(period) {
        Some(Heard::Frame(frame)) => Some((n as u64 * 10, frame.parse().unwrap())),
        Some(Heard::Garbled) => panic!("garbled"),
        None => None,
    })
}

fn sine(hz: f32, samples: usize) -> Vec<i16> {
    (0..samples).map(|t| ((2.0 * PI * hz * t as f32 / 8000.0).sin() * 6000.0) as i16).collect()
}

#[test]
fn the_callers_number_is_read_from_the_monitored_line_between_first_and_second_ring() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.call_in(anna()));
    rig.run(6000);
    assert_eq!(rig.driver_saw(), [Event::RingBegan, Event::RingEnded]);
    let (at_ms, caller) = received(&rig.up, Variant::Bell202).unwrap();
    assert_eq!(caller.number.as_deref(), Some("3125550142"));
    assert_eq!(caller.name.as_deref(), Some("ANNA WEBER"));
    assert_eq!(rig.first_sound(0..rig.ms), Some(2600));
    assert!((3000..4000).contains(&at_ms), "{at_ms}");
    assert_eq!(rig.sounding(4000..6000), 0);
    rig.run(400);
    assert_eq!(rig.driver_saw().last(), Some(&Event::RingBegan));
}

#[test]
fn a_line_that_is_not_monitored_carries_nothing_to_the_slot() {
    let mut rig = Rig::new(LinePlan::default());
    rig.command(Command::OnHook);
    rig.line(|line| line.call_in(anna()));
    rig.run(6000);
    assert_eq!(rig.sounding(0..6000), 0);
}

#[test]
fn a_withheld_number_is_not_sent_and_a_line_without_caller_id_sends_nothing() {
    let mut rig = Rig::new(LinePlan::default());
    let withheld = CallerIn { presentation: Presentation::Restricted, name: String::new(), ..anna() };
    rig.line(|line| line.call_in(withheld));
    rig.run(6000);
    let (_, caller) = received(&rig.up, Variant::Bell202).unwrap();
    assert_eq!((caller.number, caller.number_absent), (None, Some(Absence::Private)));

    let mut rig = Rig::new(LinePlan { caller_id: false, ..LinePlan::default() });
    rig.line(|line| line.call_in(anna()));
    rig.run(6000);
    assert_eq!((rig.sounding(0..6000), rig.driver_saw().len()), (0, 2));
}

#[test]
fn a_british_line_reverses_tells_the_number_and_then_rings_twice() {
    let mut rig = Rig::with(LinePlan::default(), Country::of("GB").unwrap(), |_| {});
    rig.line(|line| line.call_in(anna()));
    rig.run(4000);
    let (at_ms, caller) = received(&rig.up, Variant::V23).unwrap();
    assert_eq!(caller.number.as_deref(), Some("3125550142"));
    let turned = Event::PolarityReversed { to: Polarity::Positive };
    assert_eq!(rig.driver_saw()[..2], [turned, Event::RingBegan]);
    assert!(rig.events[0].0 < 100 && rig.events[1].0 > at_ms, "{:?}", rig.events);
}

#[test]
fn a_swedish_line_reverses_and_sends_keys() {
    let mut rig = Rig::with(LinePlan::default(), Country::of("SE").unwrap(), |_| {});
    rig.line(|line| line.call_in(anna()));
    rig.run(3000);
    let (mut keys, mut collector) = (dtmf::Receiver::new(), Collector::default());
    let caller = rig.up.as_chunks::<80>().0.iter().find_map(|period| match keys.hear(period) {
        dtmf::Heard::Began { key, .. } => collector.push(key.sign()),
        _ => None,
    });
    assert_eq!(caller.unwrap().number.as_deref(), Some("3125550142"));
    assert_eq!(rig.driver_saw()[1], Event::RingBegan);
}

#[test]
fn going_off_hook_answers_and_both_sides_hear_each_other() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.call_in(anna()));
    rig.run(1000);
    rig.command(Command::OffHook);
    rig.send(&sine(700.0, 8000));
    rig.run(1000);
    assert_eq!(rig.driver_saw(), [Event::RingBegan, Event::RingEnded, Event::OffHook]);
    assert!(is_tone(rig.heard(1001..2000), &[1000.0]));
    let line = rig.snapshot();
    assert_eq!((line.state, line.off_hook, line.ringing), (State::Talking, true, false));
    let heard = &line.heard.samples[line.heard.samples.len() - 7000..];
    assert!(is_tone(heard, &[700.0]));
    assert_eq!(rig.happened(), [Happening::CallerCame, Happening::Seized, Happening::CallerAnswered]);
}

#[test]
fn the_caller_hangs_up_when_the_conversation_is_over() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.call_in(CallerIn { hang_up_after_ms: Some(3000), ..anna() }));
    rig.run(500);
    rig.command(Command::OffHook);
    rig.run(4000);
    let happened = rig.happened_at();
    let at = |wanted: &Happening| happened.iter().find(|(_, h)| h == wanted).unwrap().0;
    assert_eq!(at(&Happening::FarHungUp) - at(&Happening::CallerAnswered), 3000);
    assert!(rig.driver_saw().ends_with(&[Event::BatteryLost, Event::BatteryReturned]));
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing_even_within_a_burst() {
    for (patience_ms, by_hand) in [(1500, false), (4500, false), (1500, true)] {
        let mut rig = Rig::new(LinePlan::default());
        let patience = if by_hand { None } else { Some(patience_ms) };
        rig.line(|line| line.call_in(CallerIn { gives_up_after_ms: patience, ..anna() }));
        rig.run(patience_ms);
        if by_hand {
            rig.line(|line| line.caller_hangs_up());
        }
        rig.run(3000);
        assert_eq!(rig.happened_at(), [(0, Happening::CallerCame), (patience_ms, Happening::CallerGaveUp)]);
        assert_eq!(rig.driver_saw(), [Event::RingBegan, Event::RingEnded]);
        assert_eq!(rig.state(), State::Idle);
    }
}

#[test]
fn a_box_that_seizes_the_line_before_it_rings_is_connected_to_the_caller() {
    let mut rig = Rig::new(LinePlan::default());
    rig.run(100);
    rig.command(Command::OffHook);
    rig.line(|line| line.call_in(anna()));
    rig.run(1000);
    assert_eq!(
        rig.happened_at(),
        [Happening::Seized, Happening::CallerCame, Happening::Glare, Happening::CallerAnswered]
            .map(|happening| (100, happening))
    );
    assert!(is_tone(rig.heard(101..1100), &[1000.0]), "the caller, no dial tone");
    assert_eq!(rig.driver_saw(), [Event::OffHook]);
}

#[test]
fn a_box_that_hears_dial_tone_is_connected_as_well_and_one_that_dials_is_busy() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.line(|line| line.call_in(anna()));
    rig.run(500);
    assert!(is_tone(rig.heard(801..1300), &[1000.0]));
    assert!(rig.happened().contains(&Happening::Glare));

    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.dial("31");
    rig.line(|line| line.call_in(anna()));
    rig.run(500);
    assert_eq!(rig.happened(), [Happening::Seized, Happening::CallerFoundBusy]);
    assert_eq!(rig.state(), State::Dialling);
}

#[test]
fn a_call_that_comes_while_the_line_is_being_released_rings_when_it_is() {
    let mut rig = Rig::talk(LinePlan::default());
    rig.command(Command::Monitor);
    rig.run(100);
    rig.line(|line| line.call_in(anna()));
    rig.run(1000);
    assert_eq!(rig.state(), State::Ringing);
    let happened = rig.happened_at();
    let [.., (released, Happening::Released), (came, Happening::CallerCame)] = &happened[..] else {
        panic!("{happened:?}")
    };
    assert_eq!(released, came);
}

#[test]
fn a_phone_beside_the_box_answers_and_the_box_sees_it_and_overhears_it() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.call_in(anna()));
    rig.run(1000);
    rig.line(|line| line.lift_parallel());
    rig.run(1000);
    assert_eq!(rig.state(), State::Talking);
    // The driver debounces the end of a ring for longer than a change of voltage.
    assert_eq!(rig.driver_saw(), [Event::RingBegan, Event::ParallelLifted, Event::RingEnded]);
    assert!(is_tone(rig.heard(1001..2000), &[1000.0]));
}
