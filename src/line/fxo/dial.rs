//! What is dialled on an office line, and how.
//!
//! The rule that keeps strangers from dialling on the owner's account: [`Digits`] are made of a number that the box
//! itself holds ([`Digits::of_number`]: a forwarding number of the closed list, an emergency number) or of keys that
//! somebody pressed on a handset of the office ([`Digits::pressed`]). There is no way from the text of a SIP message to
//! them, and none may be added.

use crate::{
    audio::dtmf::{DIALLED, Key},
    chip::si3050::pulse::{MOST_DIGITS, PulseTrain, Rhythm},
    number::{Dialplan, E164},
};

/// What a key takes, and the pause after it, in ms.
const KEY_MS: u64 = 2 * DIALLED as u64 / 8;
/// What the way from here to the line may take, in ms: a tick of the media thread, and what is buffered.
const ON_THE_WAY_MS: u64 = 60;

/// Digits to dial: 1 to 32 out of `0`–`9`, `*`, `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits(Vec<Key>);

impl Digits {
    /// Most digits.
    pub const MOST: usize = MOST_DIGITS;

    /// The way a number is dialled on an ordinary line of the plan's country: with the trunk prefix at home (North
    /// America: 1 and ten digits), with the international prefix abroad.
    #[must_use]
    pub fn of_number(number: &E164, plan: &Dialplan) -> Self {
        Self(plan.dialled(number).chars().filter_map(Key::from_sign).collect())
    }

    /// Keys as somebody pressed them on a handset; `None` if they are none, too many, or `A` to `D`, with which no
    /// exchange is dialled.
    #[must_use]
    pub fn pressed(keys: &[Key]) -> Option<Self> {
        let well_formed = (1..=Self::MOST).contains(&keys.len()) && keys.iter().all(|key| is_dialled(*key));
        well_formed.then(|| Self(keys.to_vec()))
    }

    /// The keys in order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

fn is_dialled(key: Key) -> bool {
    !key.sign().is_ascii_alphabetic()
}

/// How much a call is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// As every call.
    #[default]
    Ordinary,
    /// Emergency. A parallel phone does not keep it from the line; it does not wait for dial tone longer than
    /// [`super::URGENT_WAIT_MS`] after the loop has settled; behind a call that is being released it is dialled as soon
    /// as the exchange has let go. A line that rings refuses it as any other call, because off hook would answer the
    /// caller and not give dial tone.
    Urgent,
}

/// A call that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// What is dialled.
    pub digits: Digits,
    /// How much it is worth.
    pub urgency: Urgency,
}

impl Dial {
    /// Whether it is an emergency.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgency == Urgency::Urgent
    }
}

/// With what the exchange is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialling {
    /// DTMF.
    Tone,
    /// Interruptions of the loop; from the first `*` or `#` on, which have no pulses, DTMF.
    Pulse(Rhythm),
}

/// A part of dialling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Pulses, done when the chip says so.
    Pulses(PulseTrain),
    /// Tones, done after a time.
    Tones(Vec<Key>),
}

impl Dialling {
    /// The parts of dialling `digits`, in order.
    pub(super) fn parts(self, digits: &Digits) -> Vec<Part> {
        let Self::Pulse(rhythm) = self else { return vec![Part::Tones(digits.0.clone())] };
        let pulsed = digits.0.iter().take_while(|key| key.sign().is_ascii_digit()).count();
        let (pulsed, toned) = digits.0.split_at(pulsed);
        let signs: Vec<u8> = pulsed.iter().map(|key| key.event_code()).collect();
        let pulses = PulseTrain::new(&signs, rhythm).map(Part::Pulses);
        pulses.into_iter().chain((!toned.is_empty()).then(|| Part::Tones(toned.to_vec()))).collect()
    }
}

/// When keys that are sent now are all on the line, in ms from now.
pub(super) fn sent_ms(keys: &[Key]) -> u64 {
    keys.len() as u64 * KEY_MS + ON_THE_WAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(signs: &str) -> Vec<Key> {
        signs.chars().filter_map(Key::from_sign).collect()
    }

    fn dialled(number: &str, country: &str) -> String {
        let digits = Digits::of_number(&number.parse().unwrap(), &Dialplan::for_country(country).unwrap());
        digits.keys().iter().map(|key| key.sign()).collect()
    }

    #[test]
    fn a_number_is_dialled_as_people_dial_it_in_its_country() {
        assert_eq!(dialled("+13125550100", "US"), "13125550100");
        assert_eq!(dialled("+442079460123", "US"), "011442079460123");
        assert_eq!(dialled("+442079460123", "GB"), "02079460123");
        assert_eq!(dialled("+390612345678", "IT"), "0612345678");
    }

    #[test]
    fn pressed_keys_are_dialled_as_they_are_and_no_exchange_is_sent_letters() {
        assert_eq!(Digits::pressed(&keys("*67911#")).unwrap().keys(), keys("*67911#"));
        for wrong in ["", "12A", "D", &"1".repeat(Digits::MOST + 1)] {
            assert_eq!(Digits::pressed(&keys(wrong)), None, "{wrong}");
        }
        assert!(Digits::pressed(&keys(&"1".repeat(Digits::MOST))).is_some());
    }

    #[test]
    fn pulses_go_as_far_as_the_first_star_and_tones_from_there() {
        let pulse = Dialling::Pulse(Rhythm::SIXTY_FORTY);
        let train = |digits| Part::Pulses(PulseTrain::new(digits, Rhythm::SIXTY_FORTY).unwrap());
        let digits = |signs| Digits::pressed(&keys(signs)).unwrap();
        assert_eq!(pulse.parts(&digits("301")), [train(&[3, 0, 1])]);
        assert_eq!(pulse.parts(&digits("30*1")), [train(&[3, 0]), Part::Tones(keys("*1"))]);
        assert_eq!(pulse.parts(&digits("*1")), [Part::Tones(keys("*1"))]);
        assert_eq!(Dialling::Tone.parts(&digits("30*1")), [Part::Tones(keys("30*1"))]);
    }

    #[test]
    fn eleven_keys_take_a_second_and_a_half() {
        assert_eq!(sent_ms(&keys("13125550100")), 11 * 140 + 60);
    }
}
