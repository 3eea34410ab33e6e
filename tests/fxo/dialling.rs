//! From off hook to the digits, with what the ear makes of real tones and voices.

use super::exchange::{dial, voice};
use super::office::{Office, Sound};
use ringside::{
    audio::tone::{Cadence, Tone},
    line::fxo::{Command, Refusal, Settings, Urgency},
};

fn seized(country: &str, urgency: Urgency) -> Office {
    let mut office = Office::new(Settings::for_country(country).unwrap());
    office.give(dial("911", urgency));
    office.until(300, |command| matches!(command, Command::Seized));
    office
}

fn glares(office: &Office) -> usize {
    office.count(|command| matches!(command, Command::Refused(Refusal::Glare)))
}

#[test]
fn digits_follow_dial_tone_within_a_second_and_a_half() {
    let mut office = seized("US", Urgency::Ordinary);
    office.run(150);
    office.far = Sound::tone(&Settings::for_country("US").unwrap().tones.dial);
    let ms = office.until(1_500, |command| matches!(command, Command::Send(_)));
    assert!((1_000..1_400).contains(&ms), "{ms}");
}

#[test]
fn an_emergency_call_is_dialled_300_ms_after_the_loop_has_settled() {
    let mut office = seized("US", Urgency::Urgent);
    office.far = Sound::tone(&Settings::for_country("US").unwrap().tones.dial);
    assert_eq!(office.until(400, |command| matches!(command, Command::Send(_))), 300);
}

#[test]
fn a_dial_tone_that_stutters_for_waiting_messages_is_no_voice() {
    for country in ["US", "GB", "DE", "FR", "IT"] {
        let plan = Settings::for_country(country).unwrap().tones;
        // GR-506: 100 ms on, 100 ms off, ten times or more, then steady; here until somebody gives up.
        let stutter = Tone { cadence: Cadence::new(&[100, 100]).unwrap(), ..plan.dial };
        let mut office = seized(country, Urgency::Ordinary);
        office.far = Sound::tone(&stutter);
        office.run(2_600);
        assert_eq!(glares(&office), 0, "{country}");
        office.far = Sound::tone(&plan.dial);
        office.until(5_000, |command| matches!(command, Command::Send(_)));
        assert_eq!(glares(&office), 0, "{country}");
    }
}

#[test]
fn a_caller_who_is_connected_instead_of_dial_tone_is_offered() {
    let mut office = seized("US", Urgency::Ordinary);
    office.far = voice();
    let ms = office.until(2_500, |command| matches!(command, Command::Rings));
    assert_eq!(glares(&office), 1, "{ms}");
    assert!(office.line.is_ringing() && office.holds_line());
    assert_eq!(office.count(|command| matches!(command, Command::Send(_))), 0);
}
