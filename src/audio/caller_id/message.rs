//! Messages to a display as bytes: type, length, body, checksum.
//!
//! SDMF and MDMF of Telcordia GR-30-CORE and GR-31 (number), GR-1188 (name); call set-up and message waiting of
//! EN 300 659-3, clauses 5.2 and 5.4.

use super::{CallerId, LocalTime, NAME_CHARS, NUMBER_CHARS};
use crate::{
    audio::fsk::{Modulator, Variant},
    record::Presentation,
};

pub(super) const SDMF: u8 = 0x04;
pub(super) const SDMF_MESSAGE_WAITING: u8 = 0x06;
pub(super) const CALL_SETUP: u8 = 0x80;
pub(super) const MESSAGE_WAITING: u8 = 0x82;

pub(super) const DATE_AND_TIME: u8 = 0x01;
pub(super) const NUMBER: u8 = 0x02;
pub(super) const CALLED_NUMBER: u8 = 0x03;
pub(super) const REASON_FOR_ABSENCE_OF_NUMBER: u8 = 0x04;
pub(super) const NAME: u8 = 0x07;
pub(super) const REASON_FOR_ABSENCE_OF_NAME: u8 = 0x08;
pub(super) const VISUAL_INDICATOR: u8 = 0x0B;
pub(super) const CALL_TYPE: u8 = 0x11;
pub(super) const MESSAGES: u8 = 0x13;

pub(super) const PRIVATE: u8 = b'P';
pub(super) const OUT_OF_AREA: u8 = b'O';
/// Visual indicator (EN 300 659-3 5.4.6).
pub(super) const INDICATOR_ON: u8 = 0xFF;
pub(super) const INDICATOR_OFF: u8 = 0x00;

/// Level of the data. GR-30 asks for -13.5 dBm ±1 dB at the exchange's output, EN 300 659-1 for -13.5 dBV ±1.5 dB
/// across the terminal. The line circuit is set to 0 dB relative level, where dBm0 and dBm into 600 Ω are the same.
const DBM0: f32 = -13.5;
/// Bits of mark after a message, so that the last stop bit leaves the receiver's filter.
const TRAILING_BITS: u32 = 10;
/// Bits of a byte with start and stop.
const BYTE_BITS: u32 = 10;

/// What precedes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// Channel seizure of 300 bits and 180 bits of mark (GR-30 2.3.1, EN 300 659-1 6.2).
    OnHook,
    /// 80 bits of mark: the alerting signal has been acknowledged (GR-30 3.2, EN 300 659-2 6.2).
    OffHook,
}

impl Preamble {
    /// Bits of alternating space and mark, and of mark.
    const fn bits(self) -> (u32, u32) {
        match self {
            Self::OnHook => (300, 180),
            Self::OffHook => (0, 80),
        }
    }
}

/// What a call is (EN 300 659-3 5.4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallType {
    /// An ordinary call.
    Voice,
    /// The called party of an earlier attempt is free now.
    RingBackWhenFree,
    /// Only a message waits.
    MessageWaiting,
    /// Another value.
    Other(u8),
}

impl CallType {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Voice => 0x01,
            Self::RingBackWhenFree => 0x02,
            Self::MessageWaiting => 0x81,
            Self::Other(code) => code,
        }
    }

    pub(super) const fn from_code(code: u8) -> Self {
        match code {
            0x01 => Self::Voice,
            0x02 => Self::RingBackWhenFree,
            0x81 => Self::MessageWaiting,
            other => Self::Other(other),
        }
    }
}

/// One message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Time and number only (single data message format), for phones that know no other.
    #[must_use]
    pub fn single(id: &CallerId) -> Self {
        let mut body = id.at.digits().into_bytes();
        match shown_number(id) {
            Ok(number) => body.extend_from_slice(number.as_bytes()),
            Err(reason) => body.push(reason),
        }
        Self::seal(SDMF, &body)
    }

    /// Time, number and name (multiple data message format).
    #[must_use]
    pub fn multiple(id: &CallerId) -> Self {
        let mut body = Vec::new();
        put_caller(&mut body, id);
        Self::seal(CALL_SETUP, &body)
    }

    /// Call set-up of EN 300 659-3: as [`Self::multiple`], with the type of the call in front.
    #[must_use]
    pub fn call_setup(id: &CallerId, call_type: CallType) -> Self {
        let mut body = Vec::new();
        put(&mut body, CALL_TYPE, &[call_type.code()]);
        put_caller(&mut body, id);
        Self::seal(CALL_SETUP, &body)
    }

    /// Message waiting of EN 300 659-3, 0 messages to put the lamp out.
    #[must_use]
    pub fn message_waiting(messages: u8, at: LocalTime) -> Self {
        let mut body = Vec::new();
        put(&mut body, DATE_AND_TIME, at.digits().as_bytes());
        let lamp = if messages > 0 { INDICATOR_ON } else { INDICATOR_OFF };
        put(&mut body, VISUAL_INDICATOR, &[lamp]);
        put(&mut body, MESSAGES, &[messages]);
        Self::seal(MESSAGE_WAITING, &body)
    }

    /// Type, length, body and checksum.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Samples at 8 kHz, with what precedes the message.
    #[must_use]
    pub fn modulate(&self, variant: Variant, preamble: Preamble) -> Vec<i16> {
        let mut modulator = Modulator::new(variant, DBM0);
        let (seizure, marks) = preamble.bits();
        (0..seizure).for_each(|n| modulator.bit(n % 2 == 1));
        (0..marks).for_each(|_| modulator.bit(true));
        self.bytes.iter().for_each(|&byte| modulator.byte(byte));
        (0..TRAILING_BITS).for_each(|_| modulator.bit(true));
        modulator.finish()
    }

    /// Length of [`Self::modulate`] in bits.
    #[must_use]
    pub fn bits(&self, preamble: Preamble) -> u32 {
        let (seizure, marks) = preamble.bits();
        // A message has at most 258 bytes.
        seizure + marks + self.bytes.len() as u32 * BYTE_BITS + TRAILING_BITS
    }

    /// Type, length, body, and the byte that makes the sum of all bytes zero (GR-30 2.3.4).
    fn seal(kind: u8, body: &[u8]) -> Self {
        let mut bytes = vec![kind, body.len() as u8];
        bytes.extend_from_slice(body);
        let sum = sum(&bytes);
        bytes.push(sum.wrapping_neg());
        Self { bytes }
    }
}

pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

fn put_caller(body: &mut Vec<u8>, id: &CallerId) {
    put(body, DATE_AND_TIME, id.at.digits().as_bytes());
    match shown_number(id) {
        Ok(number) => put(body, NUMBER, number.as_bytes()),
        Err(reason) => put(body, REASON_FOR_ABSENCE_OF_NUMBER, &[reason]),
    }
    match id.name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => put(body, NAME, printable(name, NAME_CHARS).as_bytes()),
        None => put(body, REASON_FOR_ABSENCE_OF_NAME, &[reason(id)]),
    }
}

fn put(body: &mut Vec<u8>, kind: u8, value: &[u8]) {
    body.extend([kind, value.len() as u8]);
    body.extend_from_slice(value);
}

/// The number if it may be shown and there is one, else the reason for its absence.
fn shown_number(id: &CallerId) -> Result<String, u8> {
    id.shown_number().map(|number| printable(number, NUMBER_CHARS)).ok_or_else(|| reason(id))
}

const fn reason(id: &CallerId) -> u8 {
    match id.presentation {
        Presentation::Restricted => PRIVATE,
        Presentation::Allowed | Presentation::Unavailable => OUT_OF_AREA,
    }
}

fn printable(text: &str, most: usize) -> String {
    let shown = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    text.chars().take(most).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::caller_id::tests::{AT, caller};

    #[test]
    fn number_and_name_are_laid_out_as_gr_30_says() {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        let message = Message::multiple(&id).bytes;
        assert_eq!(message[..2], [0x80, 36]);
        assert_eq!(message[2..12], *b"\x01\x0811220905");
        assert_eq!(message[12..24], *b"\x02\x0a3125550142");
        assert_eq!(message[24..38], *b"\x07\x0cADS Jane Doe");
        assert_eq!(sum(&message), 0);
    }

    #[test]
    fn a_restricted_number_is_never_sent() {
        let withheld = caller(Some("3125550142"), None, Presentation::Restricted);
        for message in [Message::multiple(&withheld), Message::single(&withheld)] {
            let text = String::from_utf8_lossy(message.bytes()).into_owned();
            assert!(!text.contains("312555") && text.contains('P'), "{text:?}");
        }
        assert_eq!(Message::multiple(&withheld).bytes[12..18], [0x04, 1, b'P', 0x08, 1, b'P']);
    }

    #[test]
    fn no_number_is_out_of_area() {
        let unknown = Message::multiple(&caller(None, Some("ADS"), Presentation::Allowed));
        assert_eq!(unknown.bytes[12..20], *b"\x04\x01O\x07\x03ADS");
    }

    #[test]
    fn a_long_name_is_cut_and_foreign_letters_are_marked() {
        let id = caller(None, Some("José Ångström-Lindqvist"), Presentation::Allowed);
        assert_eq!(Message::multiple(&id).bytes[15..32], *b"\x07\x0fJos? ?ngstr?m-L");
    }

    #[test]
    fn a_european_call_says_first_what_it_is() {
        let id = caller(Some("442079460000"), None, Presentation::Allowed);
        let message = Message::call_setup(&id, CallType::Voice);
        assert_eq!(message.bytes[..5], [0x80, 0x1e, 0x11, 1, 1]);
        assert_eq!(message.bytes[15..29], *b"\x02\x0c442079460000");
    }

    #[test]
    fn messages_that_wait_light_the_lamp_and_none_put_it_out() {
        let body = |messages| Message::message_waiting(messages, AT).bytes[12..18].to_vec();
        assert_eq!(body(3), [0x0B, 1, 0xFF, 0x13, 1, 3]);
        assert_eq!(body(0), [0x0B, 1, 0x00, 0x13, 1, 0]);
    }

    #[test]
    fn a_message_fits_between_two_rings() {
        let longest = caller(Some(&"9".repeat(40)), Some(&"W".repeat(40)), Presentation::Allowed);
        let message = Message::multiple(&longest);
        let samples = message.modulate(Variant::Bell202, Preamble::OnHook).len();
        assert_eq!(samples, (message.bits(Preamble::OnHook) * 20 / 3) as usize);
        // The pause between two rings is 4 s; 600 ms pass before and 200 ms are kept after.
        assert!(samples < 3_200 * 8);
    }
}
