//! What the line does and what the driver makes of it.

use super::rig::{LINES, Rig, START_MS};
use ringside::chip::si3050::{Battery, Command, Event, Polarity, Problem};

#[test]
fn an_idle_line_shows_its_battery_and_says_nothing() {
    let mut rig = Rig::started();
    rig.line(1, |line| line.battery_volts = 52.0);
    rig.run(2000);
    let readings = [0, 1].map(|line| rig.driver(line).readings().unwrap());
    assert_eq!(readings.map(|r| (r.volts, r.milliamps)), [(-48, None), (52, None)]);
    assert!(rig.events_of(0).is_empty() && rig.errors.is_empty(), "{:?} {:?}", rig.events, rig.errors);
}

#[test]
fn ringing_begins_within_64_ms_and_ends_256_ms_after_it_stops() {
    let mut rig = Rig::started();
    let begin = rig.ms;
    rig.ring(2, 2000);
    let end = rig.ms;
    rig.run(400);
    assert_eq!(rig.events_of(2), [Event::RingBegan, Event::RingEnded]);
    let (began, ended) = (rig.after(Event::RingBegan, begin), rig.after(Event::RingEnded, end));
    assert!((48..=64).contains(&began) && (240..=256).contains(&ended), "{began} {ended}");
    assert!((0..LINES).filter(|line| *line != 2).all(|line| rig.events_of(line).is_empty()));
}

#[test]
fn a_pulse_is_no_ring() {
    let mut rig = Rig::started();
    for _ in 0..10 {
        rig.ring(0, 25);
        rig.run(200);
    }
    assert!(rig.events.is_empty(), "{:?}", rig.events);
}

#[test]
fn a_line_without_battery_does_not_ring() {
    let mut rig = Rig::started();
    rig.line(0, |line| line.battery_volts = 0.0);
    rig.run(200);
    rig.events.clear();
    rig.ring(0, 500);
    assert!(!rig.events_of(0).contains(&Event::RingBegan), "{:?}", rig.events);
}

#[test]
fn seizing_ends_the_ringing_at_once() {
    let mut rig = Rig::started();
    rig.ring(0, 200);
    rig.command(0, Command::OffHook).unwrap();
    assert_eq!(rig.events_of(0), [Event::RingBegan, Event::RingEnded]);
    rig.run(250);
    assert_eq!(rig.events_of(0), [Event::RingBegan, Event::RingEnded, Event::OffHook]);
}

#[test]
fn off_hook_readings_come_when_the_loop_has_settled() {
    let mut rig = Rig::started();
    let begin = rig.ms;
    rig.command(0, Command::OffHook).unwrap();
    assert!(rig.driver(0).is_off_hook() && rig.chip(0, |chip| chip.peek(5)) == 0x09);
    rig.run(190);
    assert_eq!((rig.driver(0).readings(), rig.events_of(0)), (None, vec![]));
    rig.run(20);
    assert_eq!(rig.events_of(0), [Event::OffHook]);
    assert!(rig.after(Event::OffHook, begin) >= 192);
    let readings = rig.driver(0).readings().unwrap();
    // 41 V across 1200 ohms are 34.2 mA, 31 steps of 1.1 mA.
    assert_eq!((readings.volts, readings.milliamps), (-7, Some(31.0 * 1.1)));
    rig.run(1000);
    assert_eq!(rig.events_of(0), [Event::OffHook]);
}

#[test]
fn hanging_up_is_not_taken_for_a_parallel_phone() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.command(0, Command::Monitor).unwrap();
    assert_eq!(rig.driver(0).readings(), None);
    rig.run(1000);
    assert!(rig.events.is_empty() && !rig.chip(0, |chip| chip.holds_line()), "{:?}", rig.events);
    assert_eq!(rig.driver(0).readings().unwrap().volts, -48);
}

#[test]
fn an_exchange_may_take_150_ms_to_raise_the_battery_after_a_call() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.line(0, |line| line.battery_volts = -7.0);
    rig.command(0, Command::Monitor).unwrap();
    rig.run(150);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(300);
    assert!(rig.events.is_empty(), "{:?}", rig.events);
}

#[test]
fn a_voltage_that_follows_the_ringing_is_no_reversal() {
    let mut rig = Rig::started();
    rig.run(100);
    rig.ring(0, 200);
    rig.line(0, |line| line.battery_volts = 48.0);
    rig.ring(0, 200);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(500);
    assert_eq!(rig.events_of(0), [Event::RingBegan, Event::RingEnded]);
}

#[test]
fn the_monitor_hears_an_idle_line_and_can_be_switched_off() {
    let mut rig = Rig::started();
    for (command, expected) in [(Command::OnHook, 0x00), (Command::Monitor, 0x08)] {
        rig.command(0, command).unwrap();
        rig.run(500);
        assert_eq!(rig.chip(0, |chip| chip.peek(5)), expected, "{command:?}");
    }
    assert!(rig.events.is_empty() && rig.errors.is_empty(), "{:?} {:?}", rig.events, rig.errors);
}

#[test]
fn a_flash_opens_the_loop_for_its_time_to_the_millisecond() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.command(0, Command::Flash { open_ms: 505 }).unwrap();
    rig.run(504);
    assert!(!rig.chip(0, |chip| chip.holds_line()) && rig.events.is_empty(), "{:?}", rig.events);
    rig.run(1);
    assert!(rig.chip(0, |chip| chip.holds_line()));
    assert_eq!(rig.events_of(0), [Event::Flashed]);
    rig.run(500);
    assert_eq!(rig.events_of(0), [Event::Flashed, Event::OffHook]);
    assert_eq!(rig.command(1, Command::Flash { open_ms: 500 }).unwrap_err().problem, Problem::OnHook);
}

#[test]
fn a_reversal_that_lasts_is_an_event_on_hook_and_off() {
    let mut rig = Rig::started();
    rig.run(100);
    rig.line(0, |line| line.battery_volts = 48.0);
    rig.run(40);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(200);
    assert!(rig.events.is_empty(), "40 ms are none: {:?}", rig.events);
    let begin = rig.ms;
    rig.line(0, |line| line.battery_volts = 48.0);
    rig.run(200);
    let reversed = Event::PolarityReversed { to: Polarity::Positive };
    assert_eq!(rig.events_of(0), [reversed]);
    assert!((64..=96).contains(&rig.after(reversed, begin)));
    rig.events.clear();
    rig.seize(0);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(200);
    assert_eq!(rig.events_of(0), [Event::PolarityReversed { to: Polarity::Negative }]);
    assert_eq!(rig.driver(0).polarity(), Some(Polarity::Negative));
}

#[test]
fn a_pulled_cable_is_noticed_after_64_ms_and_is_dead_after_a_second() {
    let mut rig = Rig::started();
    let begin = rig.ms;
    rig.line(0, |line| line.battery_volts = 0.0);
    rig.run(1200);
    assert_eq!(rig.events_of(0), [Event::BatteryLost, Event::LineDead]);
    let (lost, dead) = (rig.after(Event::BatteryLost, begin), rig.after(Event::LineDead, begin));
    assert!((64..=96).contains(&lost) && (1000..=1050).contains(&dead), "{lost} {dead}");
    assert_eq!(rig.driver(0).battery(), Some(Battery::Absent));
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(200);
    assert_eq!(rig.events_of(0)[2..], [Event::BatteryReturned]);
}

#[test]
fn a_line_that_is_dead_from_the_start_is_not_taken_for_a_good_one() {
    let mut rig = Rig::new(|world| world.line(0).unwrap().battery_volts = 0.0);
    while !rig.driver(0).is_up() {
        rig.run(1);
    }
    for _ in 0..100 {
        assert_ne!(rig.driver(0).battery(), Some(Battery::Whole));
        rig.run(1);
    }
    assert_eq!(rig.driver(0).battery(), Some(Battery::Absent));
    assert_eq!(rig.events_of(0), [Event::Up, Event::BatteryLost]);
}

#[test]
fn an_open_loop_of_the_far_end_is_lost_and_returned_battery() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.line(0, |line| line.battery_volts = 0.0);
    rig.run(300);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(300);
    assert_eq!(rig.events_of(0), [Event::BatteryLost, Event::BatteryReturned]);
}

#[test]
fn a_parallel_phone_is_seen_on_an_idle_line() {
    let mut rig = Rig::started();
    rig.line(0, |line| line.battery_volts = -8.0);
    rig.run(200);
    assert_eq!(rig.driver(0).battery(), Some(Battery::Shared));
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(200);
    assert_eq!(rig.events_of(0), [Event::ParallelLifted, Event::ParallelHungUp]);
}

#[test]
fn a_parallel_phone_is_seen_by_the_current_it_takes() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.line(0, |line| line.ohms = 1350.0);
    rig.run(200);
    assert!(rig.events.is_empty(), "a drop of 11 % is none: {:?}", rig.events);
    rig.line(0, |line| line.ohms = 2000.0);
    rig.run(200);
    rig.line(0, |line| line.ohms = 1200.0);
    rig.run(200);
    assert_eq!(rig.events_of(0), [Event::ParallelLifted, Event::ParallelHungUp]);
}

#[test]
fn a_line_seized_beside_a_parallel_phone_notices_when_that_hangs_up() {
    let mut rig = Rig::started();
    rig.line(0, |line| line.battery_volts = -12.0);
    rig.run(200);
    rig.events.clear();
    rig.seize(0);
    rig.run(300);
    assert!(rig.events.is_empty(), "{:?}", rig.events);
    rig.line(0, |line| line.battery_volts = -48.0);
    rig.run(200);
    assert_eq!(rig.events_of(0), [Event::ParallelHungUp]);
}

#[test]
fn too_much_current_hangs_up() {
    let mut rig = Rig::started();
    rig.line(0, |line| line.ohms = 300.0);
    rig.command(0, Command::OffHook).unwrap();
    rig.run(300);
    assert_eq!(rig.events_of(0), [Event::Overload]);
    assert!(!rig.chip(0, |chip| chip.holds_line()) && rig.driver(0).is_up());
    assert!(rig.errors[0].contains("R12 (LineStatus): too much loop current"), "{:?}", rig.errors);
}

#[test]
fn a_short_upset_of_the_link_is_no_news() {
    let mut rig = Rig::started();
    rig.seize(0);
    rig.chip(0, |chip| chip.faults.upset_ms = 40);
    rig.run(30);
    assert_eq!(rig.driver(0).readings(), None, "what is read meanwhile is not believed");
    rig.run(500);
    assert!(rig.events.is_empty() && rig.errors.is_empty(), "{:?} {:?}", rig.events, rig.errors);
    assert!(rig.chip(0, |chip| chip.holds_line()) && rig.driver(0).readings().is_some());
}

#[test]
fn a_broken_link_is_powered_anew_and_the_line_is_on_hook() {
    let mut rig = Rig::started();
    rig.seize(0);
    let begin = rig.ms;
    rig.chip(0, |chip| chip.break_link());
    rig.run(80);
    assert_eq!(rig.events_of(0), [Event::LinkLost]);
    assert!(rig.after(Event::LinkLost, begin) <= 64);
    assert!(rig.errors[0].contains("the link to the line side broke"), "{:?}", rig.errors);
    rig.run(START_MS);
    assert_eq!(rig.events_of(0), [Event::LinkLost, Event::Up]);
    assert!(!rig.driver(0).is_off_hook() && rig.chip(0, |chip| chip.peek(5)) == 0x08);
    assert!((1..LINES).all(|line| rig.events_of(line).is_empty()));
}

#[test]
fn a_chip_that_lost_its_registers_starts_anew() {
    let mut rig = Rig::started();
    let begin = rig.ms;
    rig.chip(3, |chip| chip.reset());
    rig.run(400);
    assert_eq!(rig.events_of(3), [Event::Reset, Event::Up]);
    assert!(rig.after(Event::Reset, begin) <= 16);
    assert_eq!(rig.chip(3, |chip| chip.peek(33)), 0x38);
}

#[test]
fn a_chip_that_falls_silent_is_down_and_comes_back() {
    let mut rig = Rig::started();
    rig.chip(1, |chip| chip.faults.absent = true);
    rig.run(500);
    assert_eq!(rig.events_of(1), [Event::Reset, Event::Down]);
    rig.chip(1, |chip| chip.faults.absent = false);
    rig.run(1500);
    assert_eq!(rig.events_of(1), [Event::Reset, Event::Down, Event::Up]);
}
