//! What the box says to a phone: its address, and why a call does not go on.
//!
//! The words are files in `board/voice`, made by the script there, about -20 dBm0 while somebody talks.

use super::wav;
use std::{net::IpAddr, sync::Arc};

/// Silence between two words, in samples: 80 ms.
const GAP: usize = 640;
/// Silence around the point or colon of an address, where a listener writes down what he heard: 220 ms.
const PAUSE: usize = 1760;

/// Something the box can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// "Address", then the address digit by digit: where to find the page of the box.
    Address(IpAddr),
    /// "No network.": there is no address to be told.
    NoNetwork,
    /// "The emergency call could not be placed on any line. Use a mobile phone."
    EmergencyUnavailable,
    /// "This line is needed for an emergency call. Please call again later.": to the party whose call is cut off.
    TakenForEmergency,
    /// "Set-up mode."
    SetUpMode,
    /// "This call cannot be completed."
    CannotComplete,
}

/// One file of `board/voice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// A hexadecimal digit, 0..=15.
    Digit(u8),
    Address,
    Point,
    Colon,
    NoNetwork,
    EmergencyUnavailable,
    TakenForEmergency,
    SetUpMode,
    CannotComplete,
}

macro_rules! voice {
    ($name:literal) => {
        include_bytes!(concat!("../../board/voice/", $name, ".wav"))
    };
}

/// The hexadecimal digits; beyond nine the words of the spelling alphabet.
const DIGITS: [&[u8]; 16] = [
    voice!("zero"),
    voice!("one"),
    voice!("two"),
    voice!("three"),
    voice!("four"),
    voice!("five"),
    voice!("six"),
    voice!("seven"),
    voice!("eight"),
    voice!("nine"),
    voice!("alpha"),
    voice!("bravo"),
    voice!("charlie"),
    voice!("delta"),
    voice!("echo"),
    voice!("foxtrot"),
];

impl Prompt {
    /// The samples, 8 kHz, to be played once; 0.5 to 30 s.
    #[must_use]
    pub fn samples(&self) -> Arc<[i16]> {
        let mut samples = Vec::new();
        for word in self.words() {
            if !samples.is_empty() {
                samples.extend(std::iter::repeat_n(0, word.gap_before()));
            }
            samples.extend(word.samples());
            samples.extend(std::iter::repeat_n(0, word.gap_after()));
        }
        samples.into()
    }

    fn words(self) -> Vec<Word> {
        match self {
            // An IPv6 address that only wraps an IPv4 one is told as that one.
            Self::Address(address) => spoken_address(address.to_canonical()),
            Self::NoNetwork => vec![Word::NoNetwork],
            Self::EmergencyUnavailable => vec![Word::EmergencyUnavailable],
            Self::TakenForEmergency => vec![Word::TakenForEmergency],
            Self::SetUpMode => vec![Word::SetUpMode],
            Self::CannotComplete => vec![Word::CannotComplete],
        }
    }
}

/// Digit by digit; IPv6 as short as RFC 5952 writes it.
fn spoken_address(address: IpAddr) -> Vec<Word> {
    let text = address.to_string();
    let words = text.chars().filter_map(|character| match character {
        '.' => Some(Word::Point),
        ':' => Some(Word::Colon),
        // What `to_digit` gives for base 16 is below 16.
        digit => digit.to_digit(16).map(|value| Word::Digit(value as u8)),
    });
    std::iter::once(Word::Address).chain(words).collect()
}

impl Word {
    const fn file(self) -> &'static [u8] {
        match self {
            Self::Digit(value) => DIGITS[(value & 15) as usize],
            Self::Address => voice!("address"),
            Self::Point => voice!("point"),
            Self::Colon => voice!("colon"),
            Self::NoNetwork => voice!("no-network"),
            Self::EmergencyUnavailable => voice!("emergency-unavailable"),
            Self::TakenForEmergency => voice!("taken-for-emergency"),
            Self::SetUpMode => voice!("set-up-mode"),
            Self::CannotComplete => voice!("cannot-complete"),
        }
    }

    /// A file of ours is always readable; the tests hold that for each.
    fn samples(self) -> Vec<i16> {
        wav::decode(self.file()).unwrap_or_default()
    }

    const fn gap_before(self) -> usize {
        match self {
            Self::Point | Self::Colon => PAUSE - GAP,
            _ => 0,
        }
    }

    const fn gap_after(self) -> usize {
        match self {
            Self::Address | Self::Point | Self::Colon => PAUSE,
            Self::Digit(_) => GAP,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{PERIOD, meter::Meter};

    const SENTENCES: [(Prompt, Word); 5] = [
        (Prompt::NoNetwork, Word::NoNetwork),
        (Prompt::EmergencyUnavailable, Word::EmergencyUnavailable),
        (Prompt::TakenForEmergency, Word::TakenForEmergency),
        (Prompt::SetUpMode, Word::SetUpMode),
        (Prompt::CannotComplete, Word::CannotComplete),
    ];

    fn every_word() -> impl Iterator<Item = Word> {
        let digits = (0..16).map(Word::Digit);
        let sentences = SENTENCES.map(|(_, word)| word);
        digits.chain([Word::Address, Word::Point, Word::Colon]).chain(sentences)
    }

    fn address(text: &str) -> Prompt {
        Prompt::Address(text.parse().unwrap())
    }

    #[test]
    fn every_word_is_clear_and_as_loud_as_a_talker() {
        for word in every_word() {
            let samples = wav::decode(word.file()).unwrap_or_else(|error| panic!("{word:?}: {error}"));
            let mut meter = Meter::default();
            for period in samples.as_chunks::<PERIOD>().0 {
                meter.hear(period);
            }
            let level = meter.active_dbm0().unwrap_or_else(|| panic!("{word:?} is silent"));
            assert!((-22.0..=-18.0).contains(&level), "{word:?}: {level} dBm0");
            assert_eq!(meter.clipped(), 0, "{word:?}");
            let first_loud = samples.iter().position(|s| s.unsigned_abs() > 300).unwrap();
            assert!(first_loud < 800, "{word:?} begins with {first_loud} samples of silence");
        }
    }

    #[test]
    fn a_sentence_is_its_file() {
        for (prompt, word) in SENTENCES {
            assert_eq!(*prompt.samples(), *word.samples(), "{prompt:?}");
            assert!((4_000..40_000).contains(&prompt.samples().len()), "{prompt:?}");
        }
    }

    #[test]
    fn no_two_words_sound_the_same() {
        let files: std::collections::BTreeSet<&[u8]> = every_word().map(Word::file).collect();
        assert_eq!(files.len(), every_word().count());
    }

    #[test]
    fn an_address_is_spoken_digit_by_digit() {
        use Word::{Address, Colon, Digit as D, Point};
        let words = address("192.0.2.10").words();
        assert_eq!(
            words,
            [Address, D(1), D(9), D(2), Point, D(0), Point, D(2), Point, D(1), D(0)],
            "one nine two point zero point two point one zero"
        );
        let words = address("2001:db8::7f").words();
        let right = [D(2), D(0), D(0), D(1), Colon, D(13), D(11), D(8), Colon, Colon, D(7), D(15)];
        assert_eq!(words[1..], right);
        assert_eq!(address("::ffff:192.0.2.10").words(), address("192.0.2.10").words());
    }

    #[test]
    fn the_words_of_an_address_are_heard_in_order_with_pauses_between() {
        let samples = address("192.0.2.10").samples();
        let mut rest = &samples[..];
        for word in address("192.0.2.10").words() {
            let spoken = word.samples();
            let silence = rest.iter().take_while(|&&sample| sample == 0).count();
            let lead = spoken.iter().take_while(|&&sample| sample == 0).count();
            assert!(silence >= lead, "{word:?}");
            rest = &rest[silence - lead..];
            assert_eq!(rest[..spoken.len()], spoken, "{word:?}");
            rest = &rest[spoken.len()..];
            assert!(rest.iter().take(GAP).all(|&sample| sample == 0), "{word:?} runs into the next");
        }
        assert!(rest.iter().all(|&sample| sample == 0));
    }

    #[test]
    fn the_longest_address_takes_half_a_minute_at_most() {
        let longest = address("1666:6666:6666:6666:6666:6666:6666:6666").samples();
        let short = address("192.0.2.10").samples();
        assert!(longest.len() < 30 * 8000, "{}", longest.len());
        assert!((4 * 8000..9 * 8000).contains(&short.len()), "{}", short.len());
    }

    #[test]
    fn all_words_together_are_small() {
        let total: usize = every_word().map(|word| word.file().len()).sum();
        assert!(total < 150_000, "{total}");
    }
}
