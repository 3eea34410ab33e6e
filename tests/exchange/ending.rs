//! How a call ends: each profile of the far end's hanging up, at the registers and in the time slot; and the near end's.

use super::rig::{BUSY_OR_REORDER, DIAL, Rig, is_tone};
use ringside::chip::si3050::{Command, Event, Polarity};
use ringside::sim::exchange::{Happening, LinePlan, Profile, State};

/// Talks on a line of this profile until the far end hangs up.
fn hung_up_on(profile: Profile) -> Rig {
    let rig = Rig::talk(LinePlan { profile, ..LinePlan::default() });
    let before = rig.ms;
    assert!(is_tone(rig.heard(before - 500..before), &[1000.0]));
    rig.line(|line| line.far_end_hangs_up());
    rig
}

/// Volts of each of the next `ms`.
fn volts(rig: &mut Rig, ms: usize) -> Vec<i8> {
    (0..ms)
        .map(|_| {
            rig.run(1);
            rig.volts()
        })
        .collect()
}

#[test]
fn calling_party_control_takes_the_battery_away_for_as_long_as_it_is_set() {
    for open_ms in [150, 500, 900] {
        let mut rig = hung_up_on(Profile::Cpc { open_ms });
        let volts = volts(&mut rig, 1500);
        let dead = volts.iter().filter(|&&volts| volts == 0).count() as u64;
        assert_eq!((volts[0], dead), (0, open_ms));
        assert!(volts[open_ms as usize..].iter().all(|&volts| volts == -7));
        assert_eq!(rig.driver_saw(), [Event::BatteryLost, Event::BatteryReturned]);
        assert_eq!(rig.state(), State::FarGone);
        assert_eq!(rig.sounding(rig.ms - 1500..rig.ms), 0);
    }
}

#[test]
fn a_line_that_is_not_released_gets_reorder_tone_and_then_the_howler() {
    let mut rig = hung_up_on(Profile::Cpc { open_ms: 500 });
    let gone = rig.ms;
    rig.run(40_000);
    assert_eq!(rig.first_sound(gone..rig.ms), Some(gone + 2500));
    assert!(is_tone(rig.heard(gone + 2500..gone + 2750), &BUSY_OR_REORDER));
    assert_eq!(rig.sounding(gone + 2500..gone + 32_500), 15_000);
    let howler = rig.heard(gone + 32_500..gone + 32_600);
    assert!(is_tone(howler, &[1400.0, 2060.0, 2450.0, 2600.0]));
}

#[test]
fn a_reversal_ends_the_call_on_a_line_with_polarity_supervision() {
    let mut rig = hung_up_on(Profile::Polarity);
    rig.run(1);
    assert_eq!(rig.volts(), 7);
    rig.run(1000);
    assert_eq!(rig.driver_saw(), [Event::PolarityReversed { to: Polarity::Positive }]);
    assert_eq!(rig.sounding(rig.ms - 1000..rig.ms), 0);
    // Released, the line is as it was.
    rig.command(Command::Monitor);
    rig.run(1000);
    assert_eq!((rig.volts(), rig.state()), (-48, State::Idle));
    assert_eq!(rig.driver_saw().last(), Some(&Event::PolarityReversed { to: Polarity::Negative }));
}

#[test]
fn busy_and_reorder_tone_are_told_apart_by_their_cadence() {
    for (profile, burst_ms) in [(Profile::Busy, 500), (Profile::Reorder, 250)] {
        let mut rig = hung_up_on(profile);
        let gone = rig.ms;
        rig.run(10_000);
        assert!(rig.driver_saw().is_empty());
        for n in 0..5 {
            let start = gone + n * 2 * burst_ms;
            assert!(is_tone(rig.heard(start..start + burst_ms), &BUSY_OR_REORDER), "{profile:?}");
            assert_eq!(rig.sounding(start + burst_ms..start + 2 * burst_ms), 0, "{profile:?}");
        }
    }
}

#[test]
fn dial_tone_comes_back_after_a_second_and_another_number_can_be_dialled() {
    let mut rig = hung_up_on(Profile::DialTone);
    let gone = rig.ms;
    rig.run(3000);
    assert_eq!(rig.first_sound(gone..rig.ms), Some(gone + 1000));
    assert!(is_tone(rig.heard(gone + 1000..gone + 3000), &DIAL));
    rig.dial("911");
    rig.run(100);
    assert_eq!((rig.state(), rig.line(|line| line.dialled().to_vec())), (State::Calling, vec!["911".into()]));
    assert!(rig.driver_saw().is_empty());
}

#[test]
fn without_supervision_there_is_silence_for_ever() {
    let mut rig = hung_up_on(Profile::None);
    let gone = rig.ms;
    rig.run(120_000);
    assert_eq!((rig.sounding(gone..rig.ms), rig.state()), (0, State::FarGone));
    assert!(rig.driver_saw().is_empty());
}

#[test]
fn the_loop_must_be_open_for_400_ms_to_end_the_call_and_is_a_flash_below_that() {
    let mut rig = Rig::talk(LinePlan::default());
    for flashes in 1..=2 {
        rig.command(Command::Flash { open_ms: 350 });
        rig.run(1000);
        assert_eq!((rig.state(), rig.line(|line| line.flashes())), (State::Talking, flashes));
    }
    rig.command(Command::Monitor);
    let hung_up = rig.ms;
    rig.run(1000);
    assert_eq!((rig.state(), rig.volts()), (State::Idle, -48));
    let happened = rig.happened_at();
    assert_eq!(
        happened.iter().map(|(_, happening)| happening.clone()).collect::<Vec<_>>()[3..],
        [Happening::Flashed, Happening::Flashed, Happening::Released]
    );
    assert_eq!(happened.last().unwrap().0, hung_up + 399);
}

#[test]
fn a_line_with_a_longer_release_time_takes_a_longer_flash() {
    let mut rig = Rig::talk(LinePlan { release_ms: 900, ..LinePlan::default() });
    rig.command(Command::Flash { open_ms: 700 });
    rig.run(1500);
    assert_eq!((rig.state(), rig.line(|line| line.flashes())), (State::Talking, 1));
}

#[test]
fn hanging_up_while_the_battery_is_away_leaves_an_idle_line() {
    let mut rig = hung_up_on(Profile::Cpc { open_ms: 500 });
    rig.run(200);
    rig.command(Command::Monitor);
    rig.run(1000);
    assert_eq!((rig.state(), rig.volts()), (State::Idle, -48));
}
