//! The pair of wires: voltages, other phones on it, the cable; and what an idle line costs.

use super::rig::{Rig, tone};
use ringside::chip::si3050::reg::Reg;
use ringside::chip::si3050::{Command, Event, Polarity};
use ringside::sim::exchange::{CallerIn, Happening, LinePlan, State};
use ringside::sim::office::{Office, OfficeError};
use ringside::sim::world::World;

#[test]
fn another_phone_pulls_an_idle_line_down_to_eight_volts() {
    let mut rig = Rig::new(LinePlan::default());
    rig.run(200);
    assert_eq!(rig.volts(), -48);
    rig.line(|line| line.lift_parallel());
    rig.run(1);
    assert_eq!(rig.volts(), -8);
    rig.run(200);
    rig.line(|line| line.hang_up_parallel());
    rig.run(200);
    assert_eq!(rig.volts(), -48);
    assert_eq!(rig.driver_saw(), [Event::ParallelLifted, Event::ParallelHungUp]);
}

#[test]
fn another_phone_takes_half_of_the_loop_current_of_a_line_in_use() {
    let mut rig = Rig::new(LinePlan::default());
    rig.command(Command::OffHook);
    rig.run(300);
    let alone = rig.register(Reg::LoopCurrent);
    rig.line(|line| line.lift_parallel());
    rig.run(300);
    let shared = rig.register(Reg::LoopCurrent);
    assert_eq!((alone, shared), (31, 16), "steps of 1.1 mA");
    rig.line(|line| line.hang_up_parallel());
    rig.run(300);
    assert_eq!(rig.register(Reg::LoopCurrent), alone);
    assert_eq!(rig.driver_saw(), [Event::OffHook, Event::ParallelLifted, Event::ParallelHungUp]);
}

#[test]
fn another_phone_keeps_the_call_when_the_box_hangs_up() {
    let mut rig = Rig::talk(LinePlan::default());
    rig.line(|line| line.lift_parallel());
    rig.run(100);
    rig.command(Command::Monitor);
    rig.run(2000);
    assert_eq!(rig.state(), State::Talking);
    rig.line(|line| line.hang_up_parallel());
    rig.run(500);
    assert_eq!(rig.state(), State::Idle);
}

#[test]
fn an_unplugged_cable_is_dead_within_a_millisecond_and_ends_the_call() {
    let mut rig = Rig::talk(LinePlan::default());
    rig.line(|line| line.unplug());
    rig.run(1);
    assert_eq!((rig.volts(), rig.register(Reg::LoopCurrent)), (0, 0));
    assert_eq!(rig.sounding(rig.ms - 1..rig.ms), 0);
    rig.run(1200);
    assert_eq!(rig.driver_saw(), [Event::BatteryLost, Event::LineDead]);
    assert_eq!(rig.happened().last(), Some(&Happening::Released));
    rig.command(Command::Monitor);
    rig.run(300);
    rig.line(|line| line.plug());
    rig.run(1);
    assert_eq!(rig.volts(), -48);
}

#[test]
fn an_unplugged_line_does_not_ring_at_the_box() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.unplug());
    rig.run(300);
    rig.events.clear();
    rig.line(|line| line.call_in(CallerIn::new("3125550142")));
    rig.run(5000);
    assert_eq!((rig.sounding(0..rig.ms), rig.state()), (0, State::Ringing));
    assert_eq!(rig.driver_saw(), [Event::LineDead]);
}

#[test]
fn swapped_wires_show_the_other_polarity_and_a_weak_battery_its_volts() {
    let mut rig = Rig::new(LinePlan::default());
    rig.line(|line| line.reverse());
    rig.run(200);
    assert_eq!(rig.driver_saw(), [Event::PolarityReversed { to: Polarity::Positive }]);
    rig.line(|line| line.wire().battery_volts = 26.0);
    rig.run(200);
    assert_eq!(rig.volts(), 26);
    rig.command(Command::OffHook);
    rig.run(300);
    // 26 V less 7 V, over 1200 ohm: 15.8 mA.
    assert_eq!((rig.volts(), rig.register(Reg::LoopCurrent)), (7, 14));
}

#[test]
fn gains_of_the_chip_scale_both_directions() {
    let mut rig = Rig::talk(LinePlan::default());
    let peak = |samples: &[i16]| samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    let before = peak(rig.heard(rig.ms - 100..rig.ms));
    rig.attenuate(60, 120);
    rig.send(&[10_000; 800]);
    rig.run(100);
    let after = peak(rig.heard(rig.ms - 99..rig.ms));
    assert!((f32::from(after) / f32::from(before) - 0.2512).abs() < 0.01, "{after} of {before}");
    let sent = peak(&rig.snapshot().heard.samples);
    assert!(sent.abs_diff(5012) < 5, "{sent}");
}

#[test]
fn an_idle_line_computes_no_audio() {
    let mut rig = Rig::new(LinePlan::default());
    rig.run(60_000);
    assert_eq!(rig.line(|line| line.samples_computed()), 0);
    // Ringing costs the samples of the caller's number and no more; and nothing is forgotten of the pauses.
    rig.line(|line| {
        line.call_in(CallerIn { gives_up_after_ms: Some(20_000), ..CallerIn::new("3125550142") })
    });
    rig.run(25_000);
    let number = rig.line(|line| line.samples_computed());
    assert!((3200..8000).contains(&number), "{number}");
    let said = rig.snapshot().said;
    assert_eq!((said.started_at + said.samples.len() as u64) / 8, 400 + 62_600 + number / 8);
    assert!(said.samples[said.samples.len() - number as usize - 4800..][..4800].iter().all(|&s| s == 0));
}

#[test]
fn the_same_calls_give_the_same_samples() {
    let once = || {
        let mut rig = Rig::new(LinePlan::default());
        rig.line(|line| line.call_in(CallerIn { speech: tone(1000.0), ..CallerIn::new("3125550142") }));
        rig.run(7000);
        rig.command(Command::OffHook);
        rig.run(1000);
        (rig.happened_at(), rig.up)
    };
    assert_eq!(once(), once());
}

#[test]
fn an_office_with_a_line_that_the_board_lacks_is_refused() {
    let profile = ringside::board::Profile::parse(include_str!("../../board/sim/profile.toml")).unwrap();
    let office = Office::empty(0).with_line("LINE9", LinePlan::default());
    let Err(error) = World::new(&profile, &office) else { panic!("accepted") };
    assert!(matches!(&error, OfficeError::Line { port, .. } if port == "LINE9"));
    assert_eq!(error.to_string(), "line LINE9: the board has no such line; it has LINE1, LINE2");
}
