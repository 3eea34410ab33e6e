//! Every exchange's way to end a call, in every order of hanging up: the line is released.

use super::exchange::{Profile, after_cpc, called, ringing, talking_in, talking_out, voice};
use super::office::{Office, Sound};
use ringside::audio::tone_plan::TonePlan;
use ringside::line::fxo::{Alarm, Command, Event, HangUp, Loss, supervision};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    FarFirst,
    NearFirst,
    Both,
    BeforeAnswer,
}

impl Order {
    const ALL: [Self; 4] = [Self::FarFirst, Self::NearFirst, Self::Both, Self::BeforeAnswer];
}

/// Milliseconds until the office hangs up where the exchange says nothing.
const PATIENCE_MS: u64 = 5_000;
/// The chip's debounce and its sampling, the ear's windows and the way between the threads.
const ON_THE_WAY_MS: u64 = 200;

/// From the hang-up to a line on hook, in ms, and what the user was told.
fn release(office: &mut Office, profile: Profile, order: Order) -> (u64, Option<HangUp>) {
    let since = office.ms;
    let told = office.log.len();
    if order != Order::NearFirst {
        profile.hang_up(office);
    }
    if matches!(order, Order::NearFirst | Order::Both) {
        office.give(Event::Release);
    }
    let mut released_ms = None;
    for _ in 0..20_000 {
        let at = office.ms - since;
        if !office.holds_line() {
            released_ms.get_or_insert(at);
        }
        if at == 600 {
            after_cpc(office);
        }
        if profile == Profile::None && at == PATIENCE_MS && office.holds_line() {
            office.give(Event::FarLegEnded);
            office.give(Event::Release);
        }
        office.run(1);
    }
    let gone = office.log[told..].iter().find_map(|(_, command)| match command {
        Command::Gone(how) => Some(*how),
        _ => None,
    });
    assert!(office.line.is_free(), "{profile:?} {order:?}: {:#?}", office.log);
    (released_ms.expect("released"), gone)
}

/// The caller gives up: the line has never been off hook.
fn rings_no_more(office: &mut Office) -> (u64, Option<HangUp>) {
    assert!(!office.holds_line());
    let ms = office.until(6_000, |command| matches!(command, Command::RingStopped));
    (ms, None)
}

/// The latest that a line may be released, in ms.
fn limit_ms(profile: Profile, order: Order) -> u64 {
    let settings = profile.settings();
    if matches!(order, Order::NearFirst | Order::Both) {
        return 1;
    }
    let Some(how) = profile.how() else { return PATIENCE_MS + 1 };
    let least = how.least_ms(settings.tones, &settings.supervision).unwrap() + ON_THE_WAY_MS;
    match (how, order) {
        // As long as the exchange may open the loop when it switches.
        (HangUp::Cpc, Order::BeforeAnswer) => 360 + ON_THE_WAY_MS,
        _ => least.min(3_000 + ON_THE_WAY_MS),
    }
}

#[test]
fn every_line_is_released_whatever_its_exchange_says_and_whoever_hangs_up_first() {
    println!("exchange   order         outgoing ms  incoming ms   its own minimum ms");
    let mut late = Vec::new();
    for profile in Profile::ALL {
        for order in Order::ALL {
            // A callee that refuses is told with the exchange's tone; reversal means an answer.
            let refusal = if profile == Profile::Polarity { Profile::Busy } else { profile };
            let before = order == Order::BeforeAnswer;
            let ended = if before { refusal } else { profile };
            let mut office = if before { called(profile) } else { talking_out(profile) };
            let out = release(&mut office, ended, order);
            let incoming = if before {
                rings_no_more(&mut ringing(profile))
            } else {
                release(&mut talking_in(profile), profile, order)
            };
            let settings = profile.settings();
            let least = ended.how().and_then(|how| how.least_ms(settings.tones, &settings.supervision));
            let least = least.map_or("-".to_owned(), |ms| ms.to_string());
            println!(
                "{:<10} {:<13} {:>11}  {:>11}   {least}",
                format!("{profile:?}"),
                format!("{order:?}"),
                out.0,
                incoming.0
            );
            let limit = limit_ms(ended, order);
            if out.0 > limit || (!before && incoming.0 > limit) {
                late.push(format!("{profile:?} {order:?}: {out:?} {incoming:?}, limit {limit}"));
            }
            if matches!(order, Order::FarFirst) && [out.1, incoming.1] != [profile.how(); 2] {
                late.push(format!("{profile:?}: told {out:?} {incoming:?}"));
            }
        }
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
}

#[test]
fn a_dead_loop_of_a_quarter_to_nearly_a_second_ends_a_call_and_a_glitch_does_not() {
    for (open_ms, ends) in [(20, false), (60, false), (120, false), (250, true), (500, true), (900, true)] {
        let mut office = talking_in(Profile::Cpc);
        let since = office.ms;
        office.copper.volts = 0;
        office.run(open_ms);
        office.copper.volts = -48;
        office.run(2_000 - open_ms);
        let gone = office.log.iter().find(|(_, command)| matches!(command, Command::Gone(HangUp::Cpc)));
        assert_eq!(gone.is_some(), ends, "{open_ms} ms");
        assert_eq!(office.holds_line(), !ends, "{open_ms} ms");
        assert!(gone.is_none_or(|(at, _)| at - since <= 400), "{open_ms} ms: {gone:?}");
        office.run(4_000);
        let learned = office.log.iter().find_map(|(_, command)| match command {
            Command::Learned(HangUp::Cpc, ms) => Some(*ms),
            _ => None,
        });
        assert_eq!(learned.is_some(), ends);
        // Hanging up hides the first part of the battery's return; a sample more or less.
        assert!(
            learned.is_none_or(|ms| (open_ms - 16..=open_ms.max(600) + 100).contains(&ms)),
            "{open_ms} ms: {learned:?}"
        );
        assert_eq!(office.line.learned().cpc.calls, u16::from(ends));
    }
}

#[test]
fn a_pulled_cable_ends_the_call_within_half_a_second_and_is_an_alarm_until_it_is_back() {
    let mut office = talking_in(Profile::Busy);
    let since = office.ms;
    office.copper.volts = 0;
    office.run(500);
    assert!(!office.holds_line());
    let told = office.count(|command| matches!(command, Command::Gone(HangUp::Cpc)));
    assert_eq!(told, 1);
    office.until(1_000, |command| matches!(command, Command::Alarm(Alarm::Unplugged)));
    assert!(office.ms - since <= 1_100);
    office.run(60_000);
    assert!(!office.line.is_free());
    office.copper.volts = -48;
    office.until(200, |command| matches!(command, Command::AlarmOver(Alarm::Unplugged)));
    office.until(500, |command| matches!(command, Command::Free));
    assert_eq!(office.line.learned().cpc.calls, 0, "a cable is no lesson");
    assert_eq!(office.count(|command| matches!(command, Command::Alarm(_))), 1);
}

#[test]
fn a_line_that_ends_its_calls_by_tones_loses_them_to_a_pulled_cable() {
    let mut office = talking_in(Profile::Busy);
    for _ in 0..3 {
        Profile::Busy.hang_up(&mut office);
        office.until(5_000, |command| matches!(command, Command::Free));
        office.copper.rings = true;
        office.run(2_000);
        office.copper.rings = false;
        office.give(Event::Answer);
        office.far = voice();
        office.run(4_000);
    }
    let since = office.ms;
    office.copper.volts = 0;
    office.until(500, |command| matches!(command, Command::Lost(Loss::Unplugged)));
    assert!(office.ms - since <= 500);
}

#[test]
fn battery_that_goes_after_a_call_and_stays_away_is_an_alarm_of_its_own() {
    let mut office = talking_in(Profile::None);
    office.give(Event::Release);
    office.copper.volts = 0;
    office.run(4_900);
    assert_eq!(office.count(|command| matches!(command, Command::Alarm(_))), 0);
    office.until(200, |command| matches!(command, Command::Alarm(Alarm::BatteryNotBack)));
    office.run(10_000);
    office.copper.volts = -48;
    office.until(100, |command| matches!(command, Command::AlarmOver(Alarm::BatteryNotBack)));
    office.until(500, |command| matches!(command, Command::Free));
    assert_eq!(office.count(|command| matches!(command, Command::Alarm(_))), 1);
}

#[test]
fn what_the_exchange_opens_when_it_switches_ends_nothing() {
    // 350 ms in front of the answer and behind it.
    let mut office = called(Profile::Cpc);
    office.copper.volts = 0;
    office.run(350);
    office.copper.volts = -48;
    office.run(500);
    assert!(office.holds_line());
    let mut office = ringing(Profile::Cpc);
    office.give(Event::Answer);
    office.until(400, |command| matches!(command, Command::Seized));
    office.copper.volts = 0;
    office.run(350);
    office.copper.volts = -48;
    office.run(500);
    assert!(office.holds_line());
}

#[test]
fn a_line_whose_other_leg_has_ended_is_released_by_silence() {
    let mut office = talking_out(Profile::None);
    office.give(Event::FarLegEnded);
    Profile::None.hang_up(&mut office);
    let ms = office.until(6_000, |command| matches!(command, Command::Gone(HangUp::Silence)));
    let limit = supervision::Settings::default().far_silence_ms;
    assert!((limit..limit + 1_200).contains(&ms), "{ms}");
    // Whoever goes on talking is not cut off.
    let mut office = talking_out(Profile::None);
    office.give(Event::FarLegEnded);
    office.run(60_000);
    assert!(office.holds_line());
}

#[test]
fn the_tones_of_every_country_end_a_call_in_the_shortest_time_that_they_allow() {
    let mut late = Vec::new();
    for (country, tones) in TonePlan::all() {
        for (how, tone) in
            [(HangUp::Busy, &tones.busy), (HangUp::Reorder, &tones.reorder), (HangUp::DialTone, &tones.dial)]
        {
            let mut settings = Profile::None.settings();
            settings.tones = tones;
            let mut office = Office::new(settings);
            office.copper.rings = true;
            office.run(500);
            office.copper.rings = false;
            office.give(Event::Answer);
            office.far = voice();
            office.run(3_000);
            office.far = Sound::tone(tone);
            let alike = how == HangUp::Reorder && tones.reorder == tones.busy;
            let told = if alike { HangUp::Busy } else { how };
            let least = how.least_ms(tones, &settings.supervision).unwrap();
            let ms = office.until(12_000, |command| matches!(command, Command::Gone(_)));
            let is_told = office.count(|command| matches!(command, Command::Gone(how) if *how == told)) == 1;
            if !is_told || !(least..=least + 300).contains(&ms) {
                late.push(format!("{country} {how:?}: {ms} ms, least {least}, {:?}", office.log.last()));
            }
        }
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
}
