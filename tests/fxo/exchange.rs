//! Exchanges, each with its own way to say that a call is over.

use super::office::{Office, Sound};
use ringside::{
    audio::dtmf::Key,
    line::fxo::{
        Command, Dial, Digits, Event, Evidence, HangUp, Learned, Lesson, Settings, Urgency, answer::Reversal,
    },
};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Cpc,
    Polarity,
    Busy,
    Reorder,
    DialTone,
    None,
}

impl Profile {
    pub(crate) const ALL: [Self; 6] =
        [Self::Cpc, Self::Polarity, Self::Busy, Self::Reorder, Self::DialTone, Self::None];

    /// How supervision is to name it.
    pub(crate) fn how(self) -> Option<HangUp> {
        match self {
            Self::Cpc => Some(HangUp::Cpc),
            Self::Polarity => Some(HangUp::Polarity),
            Self::Busy => Some(HangUp::Busy),
            Self::Reorder => Some(HangUp::Reorder),
            Self::DialTone => Some(HangUp::DialTone),
            Self::None => None,
        }
    }

    /// What an installer knows of the line.
    pub(crate) fn settings(self) -> Settings {
        let mut settings = Settings::for_country("US").unwrap();
        if self == Self::Polarity {
            settings.answer.reversal = Reversal::Answers;
            let lesson = Lesson { calls: 2, last_ms: 400 };
            settings.learned = Some(Learned { polarity: lesson, ..Learned::default() });
        }
        settings
    }

    /// The far end has hung up; with CPC the loop is closed again by [`after_cpc`].
    pub(crate) fn hang_up(self, office: &mut Office) {
        let tones = self.settings().tones;
        office.far = match self {
            Self::Busy => Sound::tone(&tones.busy),
            Self::Reorder => Sound::tone(&tones.reorder),
            Self::DialTone => Sound::tone(&tones.dial),
            Self::Cpc | Self::Polarity | Self::None => Sound::Silence,
        };
        match self {
            Self::Cpc => office.copper.volts = 0,
            Self::Polarity => office.copper.volts = -office.copper.volts,
            _ => {}
        }
    }
}

/// The loop is closed again.
pub(crate) fn after_cpc(office: &mut Office) {
    if office.copper.volts == 0 {
        office.copper.volts = -48;
    }
}

/// Somebody who talks.
pub(crate) fn voice() -> Sound {
    let voice: Vec<i16> = super::sounds::talkers().take(4).flatten().collect();
    Sound::Voice(Rc::new(super::sounds::at_level(&voice, -20.0)), 0)
}

pub(crate) fn dial(signs: &str, urgency: Urgency) -> Event {
    let keys: Vec<Key> = signs.chars().filter_map(Key::from_sign).collect();
    Event::Seize(Dial { digits: Digits::pressed(&keys).unwrap(), urgency })
}

/// Dials out until the called phone rings.
pub(crate) fn called(profile: Profile) -> Office {
    let settings = profile.settings();
    let mut office = Office::new(settings);
    office.give(dial("13125550100", Urgency::Ordinary));
    office.far = Sound::tone(&settings.tones.dial);
    office.until(5_000, |command| matches!(command, Command::Send(_)));
    office.far = Sound::Silence;
    office.until(3_000, |command| matches!(command, Command::Dialled));
    office.run(1_000);
    office.far = Sound::tone(&settings.tones.ringback);
    // Two bursts; a tone that follows one without a pause costs the detector a cycle.
    office.run(9_000);
    office
}

/// The called party answers and talks.
pub(crate) fn talking_out(profile: Profile) -> Office {
    let mut office = called(profile);
    if profile == Profile::Polarity {
        office.copper.volts = 48;
    }
    office.far = voice();
    office.until(3_000, |command| matches!(command, Command::Answered(_)));
    let by_polarity = office.count(|command| matches!(command, Command::Answered(Evidence::Polarity)));
    assert_eq!(by_polarity == 1, profile == Profile::Polarity);
    office.run(10_000);
    assert!(office.holds_line());
    office
}

/// Two bursts of ringing.
pub(crate) fn ringing(profile: Profile) -> Office {
    let mut office = Office::new(profile.settings());
    for on_off in [2_000, 4_000, 2_000, 1_500] {
        office.copper.rings = !office.copper.rings;
        office.run(on_off);
    }
    assert!(office.line.is_ringing());
    office
}

/// A caller is answered and talks.
pub(crate) fn talking_in(profile: Profile) -> Office {
    let mut office = ringing(profile);
    office.give(Event::Answer);
    office.until(400, |command| matches!(command, Command::Seized));
    office.far = voice();
    office.run(10_000);
    assert!(office.holds_line());
    office
}
