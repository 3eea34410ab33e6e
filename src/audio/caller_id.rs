//! Caller ID on a phone line: what is sent between the first and the second ring.
//!
//! On-hook data transmission of Telcordia GR-30-CORE with the messages of GR-31 (number) and GR-1188 (name), also
//! TIA-777: channel seizure, mark, then one message of type, length, body and checksum.

use super::fsk::Modulator;
use crate::{number::E164, record::Presentation};

/// Most characters of a number (GR-1188 leaves room for more than a display shows).
pub const NUMBER_CHARS: usize = 20;
/// Most characters of a name.
pub const NAME_CHARS: usize = 15;

/// Level of the data. GR-30 asks for -13.5 dBm ±1 dB at the exchange's output. The line circuit is set to 0 dB
/// relative level, where dBm0 and dBm into 600 Ω are the same figure.
const DBM0: f32 = -13.5;
/// Bits of alternating space and mark that wake the receiver (GR-30 2.3.1).
const SEIZURE_BITS: u32 = 300;
/// Bits of mark before the message.
const MARK_BITS: u32 = 180;
/// Bits of mark after it, so that the last stop bit leaves the receiver's filter.
const TRAILING_BITS: u32 = 10;

const SDMF: u8 = 0x04;
const MDMF: u8 = 0x80;
const DATE_AND_TIME: u8 = 0x01;
const NUMBER: u8 = 0x02;
const REASON_FOR_ABSENCE_OF_NUMBER: u8 = 0x04;
const NAME: u8 = 0x07;
const REASON_FOR_ABSENCE_OF_NAME: u8 = 0x08;
const PRIVATE: u8 = b'P';
const OUT_OF_AREA: u8 = b'O';

/// Wall-clock time at the office, as the display shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// What a phone is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerId {
    /// Number to display; `None` if there is none.
    pub number: Option<String>,
    /// Text to display as a name: campaign and caller's name. Printable ASCII; other characters show as `?`, and
    /// what is beyond [`NAME_CHARS`] is cut.
    pub name: Option<String>,
    /// Whether the number may be shown. A restricted number is never sent, even if it is given here.
    pub presentation: Presentation,
    /// Sets the clock of many phones.
    pub at: LocalTime,
}

impl CallerId {
    /// The way a North American phone shows a number: ten digits at home, all digits from elsewhere.
    #[must_use]
    pub fn display_number(number: &E164) -> String {
        let digits = number.digits();
        match digits.strip_prefix('1') {
            Some(national) if national.len() == 10 => national.to_owned(),
            Some(_) | None => digits.to_owned(),
        }
    }

    /// Samples at 8 kHz of number and name (multiple data message format).
    #[must_use]
    pub fn render(&self) -> Vec<i16> {
        modulate(&self.multiple_data_message())
    }

    /// Samples at 8 kHz of the number only (single data message format), for phones that know no other.
    #[must_use]
    pub fn render_number_only(&self) -> Vec<i16> {
        modulate(&self.single_data_message())
    }

    fn multiple_data_message(&self) -> Vec<u8> {
        let mut body = Vec::new();
        parameter(&mut body, DATE_AND_TIME, self.at.digits().as_bytes());
        match self.shown_number() {
            Ok(number) => parameter(&mut body, NUMBER, number.as_bytes()),
            Err(reason) => parameter(&mut body, REASON_FOR_ABSENCE_OF_NUMBER, &[reason]),
        }
        match self.name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => parameter(&mut body, NAME, printable(name, NAME_CHARS).as_bytes()),
            None => parameter(&mut body, REASON_FOR_ABSENCE_OF_NAME, &[self.reason()]),
        }
        message(MDMF, &body)
    }

    fn single_data_message(&self) -> Vec<u8> {
        let mut body = self.at.digits().into_bytes();
        match self.shown_number() {
            Ok(number) => body.extend_from_slice(number.as_bytes()),
            Err(reason) => body.push(reason),
        }
        message(SDMF, &body)
    }

    /// The number if it may be shown and there is one, else the reason for its absence.
    fn shown_number(&self) -> Result<String, u8> {
        match (&self.number, self.presentation) {
            (Some(number), Presentation::Allowed) if !number.is_empty() => {
                Ok(printable(number, NUMBER_CHARS))
            }
            (_, Presentation::Allowed | Presentation::Restricted | Presentation::Unavailable) => {
                Err(self.reason())
            }
        }
    }

    const fn reason(&self) -> u8 {
        match self.presentation {
            Presentation::Restricted => PRIVATE,
            Presentation::Allowed | Presentation::Unavailable => OUT_OF_AREA,
        }
    }
}

impl LocalTime {
    /// `MMDDHHMM`.
    fn digits(self) -> String {
        format!("{:02}{:02}{:02}{:02}", self.month % 100, self.day % 100, self.hour % 100, self.minute % 100)
    }
}

fn printable(text: &str, most: usize) -> String {
    let shown = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    text.chars().take(most).map(shown).collect()
}

fn parameter(body: &mut Vec<u8>, kind: u8, value: &[u8]) {
    body.extend([kind, value.len() as u8]);
    body.extend_from_slice(value);
}

/// Type, length, body, and the byte that makes the sum of all bytes zero.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, body.len() as u8];
    bytes.extend_from_slice(body);
    let sum = bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
    bytes.push(sum.wrapping_neg());
    bytes
}

fn modulate(message: &[u8]) -> Vec<i16> {
    let mut modulator = Modulator::new(DBM0);
    (0..SEIZURE_BITS).for_each(|n| modulator.bit(n % 2 == 1));
    (0..MARK_BITS).for_each(|_| modulator.bit(true));
    message.iter().for_each(|&byte| modulator.byte(byte));
    (0..TRAILING_BITS).for_each(|_| modulator.bit(true));
    modulator.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: LocalTime = LocalTime { month: 11, day: 22, hour: 9, minute: 5 };

    fn caller(number: Option<&str>, name: Option<&str>, presentation: Presentation) -> CallerId {
        CallerId { number: number.map(str::to_owned), name: name.map(str::to_owned), presentation, at: AT }
    }

    #[test]
    fn number_and_name_are_laid_out_as_gr_30_says() {
        let message =
            caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed).multiple_data_message();
        assert_eq!(message[..2], [0x80, 36]);
        assert_eq!(message[2..12], *b"\x01\x0811220905");
        assert_eq!(message[12..24], *b"\x02\x0a3125550142");
        assert_eq!(message[24..38], *b"\x07\x0cADS Jane Doe");
        assert_eq!(message.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte)), 0);
    }

    #[test]
    fn a_restricted_number_is_never_sent() {
        let withheld = caller(Some("3125550142"), None, Presentation::Restricted);
        for message in [withheld.multiple_data_message(), withheld.single_data_message()] {
            let text = String::from_utf8_lossy(&message).into_owned();
            assert!(!text.contains("312555") && text.contains('P'), "{text:?}");
        }
        assert_eq!(withheld.multiple_data_message()[12..18], [0x04, 1, b'P', 0x08, 1, b'P']);
    }

    #[test]
    fn no_number_is_out_of_area() {
        let unknown = caller(None, Some("ADS"), Presentation::Allowed).multiple_data_message();
        assert_eq!(unknown[12..20], *b"\x04\x01O\x07\x03ADS");
    }

    #[test]
    fn a_long_name_is_cut_and_foreign_letters_are_marked() {
        let message =
            caller(None, Some("José Ångström-Lindqvist"), Presentation::Allowed).multiple_data_message();
        assert_eq!(message[15..32], *b"\x07\x0fJos? ?ngstr?m-L");
    }

    #[test]
    fn a_national_number_is_shown_without_its_country_code() {
        let shown = |text: &str| CallerId::display_number(&text.parse().unwrap());
        assert_eq!(shown("+13125550142"), "3125550142");
        assert_eq!(shown("+493012345678"), "493012345678");
    }

    #[test]
    fn a_message_fits_between_two_rings() {
        let longest = caller(Some(&"9".repeat(40)), Some(&"W".repeat(40)), Presentation::Allowed);
        // The pause between two rings is 4 s; 500 ms pass before and 200 ms are kept after.
        assert!(longest.render().len() < 3_300 * 8);
        assert!(longest.render_number_only().len() < longest.render().len());
    }
}
