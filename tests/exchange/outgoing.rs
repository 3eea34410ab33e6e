//! Calls from the box: dial tone, digits by tones and by pulses, what becomes of the call.

use super::rig::{BUSY_OR_REORDER, DIAL, RINGBACK, Rig, is_tone, tone};
use ringside::chip::si3050::{Command, Event, Polarity};
use ringside::id::PortId;
use ringside::sim::exchange::{Destination, Happening, LinePlan, State, Then};

fn to(number: &str, destination: Destination) -> LinePlan {
    LinePlan::default().with(number, destination)
}

/// Dials a number that is in the table.
fn called(number: &str, destination: Destination) -> Rig {
    let mut rig = Rig::new(to(number, destination));
    rig.seize();
    rig.dial(number);
    assert_eq!(rig.line(|line| line.dialled().to_vec()), [number]);
    rig
}

#[test]
fn dial_tone_comes_when_it_is_set_to_and_stops_with_the_first_digit() {
    let mut rig = Rig::new(LinePlan { dial_tone_after_ms: 600, ..LinePlan::default() });
    rig.command(Command::OffHook);
    rig.run(2000);
    assert_eq!(rig.first_sound(0..rig.ms), Some(600));
    assert!(is_tone(rig.heard(600..2000), &DIAL));
    rig.dial("5");
    let last = (2000..2140).rev().find(|&ms| rig.sounding(ms..ms + 1) > 0).unwrap();
    assert!((2030..2070).contains(&last), "the digit is known within its 70 ms: {last}");
    assert_eq!(rig.state(), State::Dialling);
}

#[test]
fn every_key_is_heard_exactly_and_a_pause_completes_the_number() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.dial("*1234567890ABCD77");
    let dialled = rig.ms;
    rig.run(4000);
    assert_eq!(rig.line(|line| line.dialled().to_vec()), ["*1234567890ABCD77"]);
    let happened = rig.happened_at();
    let complete = happened.iter().find(|(_, h)| matches!(h, Happening::Dialled(_))).unwrap().0;
    // Three seconds from the moment in which the last key was recognised.
    assert!((dialled + 2880..dialled + 2960).contains(&complete), "{complete} {dialled}");
    assert_eq!(rig.state(), State::Calling);
}

#[test]
fn a_number_sign_completes_at_once_and_so_does_a_listed_number_that_no_other_begins_with() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.dial("5550199#");
    rig.run(50);
    assert_eq!(rig.line(|line| line.dialled().to_vec()), ["5550199"]);

    let busy = || Destination::refusing(Then::Busy);
    let mut rig = Rig::new(to("55", busy()).with("5550", busy()));
    rig.seize();
    rig.dial("55");
    rig.run(200);
    assert_eq!(rig.state(), State::Dialling, "5550 may still come");
    rig.dial("50");
    rig.run(50);
    assert_eq!(rig.line(|line| line.dialled().to_vec()), ["5550"]);
    assert_eq!(rig.state(), State::Refused);
}

#[test]
fn pulses_are_heard_exactly() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    let before = rig.ms;
    rig.pulse("1902584637");
    assert!(is_tone(rig.heard(before - 300..before), &DIAL));
    assert_eq!(rig.sounding(before + 62..rig.ms), 0, "dial tone stopped with the first pulse");
    assert_eq!(rig.state(), State::Dialling);
    (0..3000).for_each(|_| rig.step());
    assert_eq!(rig.line(|line| (line.dialled().to_vec(), line.flashes())), (vec!["1902584637".into()], 0));
}

#[test]
fn a_listed_number_rings_answers_talks_and_hangs_up() {
    let then = Then::Answers { speech: tone(1000.0), hang_up_after_ms: Some(5000) };
    let mut rig =
        called("5550142", Destination { ringback_ms: 8000, then, reverses_polarity_on_answer: false });
    rig.run(14_000);
    let happened = rig.happened_at();
    let at = |wanted: Happening| happened.iter().find(|(_, h)| *h == wanted).unwrap().0;
    let (dialled, answered) = (at(Happening::Dialled("5550142".into())), at(Happening::FarAnswered));
    assert_eq!((answered - dialled, at(Happening::FarHungUp) - answered), (8000, 5000));
    assert!(is_tone(rig.heard(dialled + 1..dialled + 2000), &RINGBACK));
    assert_eq!(rig.sounding(dialled + 2001..dialled + 6000), 0);
    assert!(is_tone(rig.heard(answered + 1..answered + 5000), &[1000.0]));
    assert_eq!(rig.driver_saw(), [Event::OffHook, Event::BatteryLost, Event::BatteryReturned]);
}

#[test]
fn an_unlisted_number_is_answered_after_one_ring() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.dial("7#");
    rig.run(6500);
    let happened = rig.happened_at();
    let [.., (dialled, Happening::Dialled(_)), (answered, Happening::FarAnswered)] = &happened[..] else {
        panic!("{happened:?}")
    };
    assert_eq!(answered - dialled, 6000);
}

#[test]
fn polarity_tells_of_the_answer_where_the_destination_reverses() {
    let then = Then::Answers { speech: tone(1000.0), hang_up_after_ms: None };
    for (reverses, volts) in [(true, 7), (false, -7)] {
        let destination =
            Destination { ringback_ms: 2000, then: then.clone(), reverses_polarity_on_answer: reverses };
        let mut rig = called("555", destination);
        assert_eq!(rig.volts(), -7);
        rig.run(2200);
        assert_eq!((rig.state(), rig.volts()), (State::Talking, volts));
        let turned = rig.events.iter().filter(|(_, event)| matches!(event, Event::PolarityReversed { .. }));
        assert_eq!(turned.count(), usize::from(reverses));
        let answered = rig.happened_at().last().unwrap().0;
        if let Some((ms, event)) = rig.events.get(1) {
            assert_eq!(*event, Event::PolarityReversed { to: Polarity::Positive });
            assert!((answered + 64..answered + 90).contains(ms), "{ms} {answered}");
        }
    }
}

#[test]
fn a_call_that_fails_is_told_why() {
    for (then, burst_ms) in [(Then::Busy, 500), (Then::Reorder, 250)] {
        let mut rig = called("555", Destination::refusing(then));
        assert_eq!(rig.state(), State::Refused);
        let start = rig.ms;
        rig.run(4000);
        assert_eq!(rig.sounding(start..start + 4000), 2000);
        let from = rig.happened_at().last().unwrap().0;
        assert!(is_tone(rig.heard(from + 1..from + burst_ms), &BUSY_OR_REORDER));
        assert_eq!(rig.sounding(from + burst_ms..from + 2 * burst_ms), 0);
    }
    let mut rig = called("555", Destination::refusing(Then::SpecialInformation));
    rig.run(2000);
    let from = rig.happened_at().last().unwrap().0;
    for (n, hz) in (0..).zip([950.0, 1400.0, 1800.0]) {
        assert!(is_tone(rig.heard(from + n * 330 + 1..from + (n + 1) * 330), &[hz]));
    }
    assert_eq!(rig.sounding(from + 990..from + 1990), 0);
    let mut rig = called("555", Destination::refusing(Then::NoAnswer));
    rig.run(179_000);
    assert_eq!(rig.state(), State::Calling);
    rig.run(2_000);
    assert_eq!(rig.state(), State::Refused);
}

#[test]
fn an_emergency_operator_can_be_called_from_any_line() {
    for number in ["911", "933", "112"] {
        let mut rig = Rig::new(LinePlan::default());
        rig.seize();
        rig.dial(number);
        rig.run(2100);
        assert_eq!(
            (rig.state(), rig.line(|line| line.dialled().to_vec())),
            (State::Talking, vec![number.into()])
        );
    }
}

#[test]
fn hanging_up_in_the_middle_of_dialling_leaves_what_was_dialled() {
    let mut rig = Rig::new(LinePlan::default());
    rig.seize();
    rig.dial("555");
    rig.command(Command::Monitor);
    rig.run(500);
    assert_eq!(rig.happened()[1..], [Happening::Dialled("555".into()), Happening::Released]);
    assert_eq!((rig.line(|line| line.dialled().to_vec()), rig.state()), (vec!["555".into()], State::Idle));
}

#[test]
fn a_line_that_is_seized_and_not_dialled_is_told_to_hang_up() {
    let mut rig = Rig::new(LinePlan::default());
    rig.command(Command::OffHook);
    rig.run(20_299);
    assert_eq!(rig.state(), State::DialTone);
    rig.run(1001);
    assert_eq!((rig.state(), rig.line(|line| line.dialled().len())), (State::Refused, 0));
    assert!(is_tone(rig.heard(20_301..20_550), &BUSY_OR_REORDER));
}

#[test]
fn a_person_lifts_a_phone_and_presses_keys_without_a_call() {
    let mut rig = Rig::new(LinePlan::default());
    let profile = ringside::board::Profile::parse(include_str!("../../board/sim/profile.toml")).unwrap();
    let spi = |chain| ringside::sim::spi::SimSpi::new(rig.world.clone(), chain);
    // The product's own thread of the line circuits, so that the phone is fed.
    let mut circuits = ringside::io::line_io::LineIo::new(&profile, vec![spi(0), spi(1)]).unwrap();
    let mut run = |rig: &mut Rig, ms: u64| {
        for _ in 0..ms {
            rig.step();
            circuits.turn(rig.now(), &mut |_| {});
        }
    };
    run(&mut rig, 2000);
    rig.world.lock().press(PortId(0), "1");
    run(&mut rig, 300);
    rig.world.lock().lift(PortId(0));
    run(&mut rig, 700);
    rig.world.lock().press(PortId(0), "5550199#");
    run(&mut rig, 2000);
    let mut receiver = ringside::audio::dtmf::Receiver::new();
    let keys: String = rig
        .phone_up
        .as_chunks::<80>()
        .0
        .iter()
        .filter_map(|period| match receiver.hear(period) {
            ringside::audio::dtmf::Heard::Began { key, .. } => Some(key.sign()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "5550199#");
}
