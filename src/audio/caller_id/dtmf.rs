//! Caller ID in DTMF (EN 300 659-1 annex B): the keys to send, and what received keys say.
//!
//! A start code tells what the digits behind it are, a stop code ends all. Countries differ in both.

use super::{Absence, CallerId, Kind, NUMBER_CHARS, Received};
use crate::{
    audio::dtmf::{self, Key},
    record::Presentation,
};

/// Most keys of a transmission: a caller's and a redirecting number, their codes and the information code.
const KEYS_MAX: usize = 2 * NUMBER_CHARS + 8;

/// How a country writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `A` number `C`, or `B00C` without and `B10C` with a withheld number: Sweden, Finland, the Netherlands, Belgium,
    /// Brazil, India.
    FromAToC,
    /// `A` number `#`, or `D1#` for a withheld and `D3#` for no number: Denmark.
    FromAToHash,
    /// `D` number `C`, and `B` codes as in [`Self::FromAToC`]: Taiwan, Kuwait.
    FromDToC,
    /// Number `#`, and `D` codes as in [`Self::FromAToHash`]: older exchanges of Denmark and the Netherlands.
    ToHash,
}

impl Form {
    /// The signs to send; the name and the time have none.
    #[must_use]
    pub fn signs(self, id: &CallerId) -> String {
        let shown = id
            .shown_number()
            .map(|number| number.chars().filter(char::is_ascii_digit).take(NUMBER_CHARS).collect::<String>());
        let withheld = id.presentation == Presentation::Restricted;
        match (self, shown.filter(|number| !number.is_empty())) {
            (Self::FromAToC, Some(number)) => format!("A{number}C"),
            (Self::FromAToHash, Some(number)) => format!("A{number}#"),
            (Self::FromDToC, Some(number)) => format!("D{number}C"),
            (Self::ToHash, Some(number)) => format!("{number}#"),
            (Self::FromAToC | Self::FromDToC, None) => if withheld { "B10C" } else { "B00C" }.to_owned(),
            (Self::FromAToHash | Self::ToHash, None) => if withheld { "D1#" } else { "D3#" }.to_owned(),
        }
    }

    /// Samples at 8 kHz: every key 70 ms and as long a pause (EN 300 659-1 annex B: 70 ± 5 ms each).
    #[must_use]
    pub fn render(self, id: &CallerId) -> Vec<i16> {
        let keys: Vec<Key> = self.signs(id).chars().filter_map(Key::from_sign).collect();
        dtmf::dial(&keys)
    }

    /// Length of [`Self::render`] in samples.
    #[must_use]
    pub fn samples(self, id: &CallerId) -> usize {
        self.signs(id).len() * 2 * dtmf::DIALLED
    }
}

/// Collects received keys until they are a caller ID of any [`Form`].
#[derive(Clone, Copy, Debug)]
pub struct Collector {
    signs: [u8; KEYS_MAX],
    len: usize,
}

impl Default for Collector {
    fn default() -> Self {
        Self { signs: [0; KEYS_MAX], len: 0 }
    }
}

impl Collector {
    /// Takes the sign of one received key; after a stop code tells what was sent, `None` if it makes no sense.
    ///
    /// More keys than the longest transmission has are no caller ID: all are forgotten.
    pub fn push(&mut self, sign: char) -> Option<Received> {
        let sign = u8::try_from(sign.to_ascii_uppercase()).ok()?;
        match self.signs.get_mut(self.len) {
            Some(place) => *place = sign,
            None => {
                self.reset();
                return None;
            }
        }
        self.len += 1;
        if !matches!(sign, b'#' | b'C') {
            return None;
        }
        let received = self.signs.get(..self.len).and_then(parse);
        self.reset();
        received
    }

    /// Forgets what came: due when no key came for half a second, and when the phone rings.
    pub fn reset(&mut self) {
        self.len = 0;
    }
}

/// Reads a whole transmission with its stop code.
///
/// Takes every form; a number after `D` is the caller's if there is none after `A`. `None` for anything else.
#[must_use]
pub fn parse(signs: &[u8]) -> Option<Received> {
    let (stop, fields) = signs.split_last()?;
    let mut received = Received::new(Kind::Call);
    let mut redirecting = None;
    for field in fields.chunk_by(|_, next| next.is_ascii_digit()) {
        let (code, digits) = match field {
            [code @ b'A'..=b'D', digits @ ..] => (*code, digits),
            digits => (b'A', digits),
        };
        if digits.is_empty() || digits.len() > NUMBER_CHARS || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        match (code, *stop, digits) {
            (b'D', b'#', b"1") | (b'B', b'C', b"10") => received.number_absent = Some(Absence::Private),
            // Ten zeros are the Dutch way to say it.
            (b'D', b'#', b"2" | b"3") | (b'B', b'C', b"00") | (b'D', b'C', b"0000000000") => {
                received.number_absent = Some(Absence::OutOfArea);
            }
            (b'A', b'#' | b'C', _) if received.number.is_none() => received.number = text(digits),
            (b'D', b'#' | b'C', _) if redirecting.is_none() => redirecting = text(digits),
            // Information codes of single countries say nothing of the number.
            (b'B', b'C', _) => {}
            _ => return None,
        }
    }
    if received.number.is_none() && received.number_absent.is_none() {
        received.number = redirecting;
    }
    (received.number.is_some() || received.number_absent.is_some()).then_some(received)
}

fn text(digits: &[u8]) -> Option<String> {
    Some(digits.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::caller_id::tests::caller;

    const FORMS: [Form; 4] = [Form::FromAToC, Form::FromAToHash, Form::FromDToC, Form::ToHash];

    fn read(signs: &str) -> Option<Received> {
        let mut collector = Collector::default();
        signs.chars().filter_map(|sign| collector.push(sign)).last()
    }

    #[test]
    fn every_form_is_read_back() {
        let known = caller(Some("+46812345678"), Some("Jane"), Presentation::Allowed);
        for form in FORMS {
            let received = read(&form.signs(&known)).unwrap();
            assert_eq!(received.number.as_deref(), Some("46812345678"), "{form:?}");
            for presentation in [Presentation::Restricted, Presentation::Unavailable] {
                let received = read(&form.signs(&caller(Some("46812345678"), None, presentation))).unwrap();
                assert_eq!((received.number.clone(), received.presentation()), (None, presentation));
            }
        }
    }

    #[test]
    fn the_keys_are_those_of_the_country() {
        let id = caller(Some("12345678"), None, Presentation::Allowed);
        let sent = FORMS.map(|form| form.signs(&id));
        assert_eq!(sent, ["A12345678C", "A12345678#", "D12345678C", "12345678#"]);
        assert_eq!(Form::FromAToC.render(&id).len(), Form::FromAToC.samples(&id));
    }

    #[test]
    fn a_redirecting_number_is_not_the_callers() {
        assert_eq!(read("A081234567D0855555C").unwrap().number.as_deref(), Some("081234567"));
        assert_eq!(read("D0000000000C").unwrap().presentation(), Presentation::Unavailable);
        assert_eq!(read("B10D0855555C").unwrap().presentation(), Presentation::Restricted);
    }

    #[test]
    fn what_is_no_caller_id_is_nothing() {
        for signs in
            ["#", "C", "A#", "ABC", "A12*4C", "AA1C", "B10#", "A1A2#", &format!("A{}#", "1".repeat(21))]
        {
            assert_eq!(read(signs), None, "{signs}");
        }
        assert_eq!(read(&"1".repeat(1_000)), None);
        // What was before does not spoil what comes.
        assert_eq!(read("A1#D3#").unwrap().presentation(), Presentation::Unavailable);
    }

    #[test]
    fn a_hundred_thousand_key_sequences_do_no_harm() {
        let mut state = 3_u64;
        let mut collector = Collector::default();
        let mut read = 0;
        for _ in 0..1_000_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let sign = b"0123456789*#ABCD"[(state >> 60) as usize];
            let received = collector.push(char::from(sign));
            read += usize::from(received.is_some());
            assert!(received.and_then(|r| r.number).is_none_or(|number| number.len() <= NUMBER_CHARS));
        }
        assert!(read > 1_000, "{read}");
    }
}
