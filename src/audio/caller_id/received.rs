//! What came from a line: the bytes of a message, and what they say. Nothing here trusts a byte.

use super::{
    LocalTime,
    message::{self, CallType},
};
use crate::record::Presentation;

/// Most bytes of a message: type, length, 255 bytes and checksum.
pub(super) const FRAME_MAX: usize = 258;
/// Most characters that are kept of a number and of a name; EN 300 659-3 5.4.2 and 5.4.5 allow 20 and 50.
const NUMBER_MAX: usize = 20;
const NAME_MAX: usize = 50;
/// The eighth bit, where seven carry a character.
const PARITY: u8 = 0x80;

/// A message as received, not yet understood.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; FRAME_MAX],
    len: usize,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call comes.
    Call,
    /// Messages wait, or do no longer.
    MessageWaiting,
}

/// Why there is no number or no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// `P`: the caller withheld it.
    Private,
    /// `O`: the network has none.
    OutOfArea,
}

/// What a line told about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What the message is about.
    pub kind: Kind,
    /// Caller's number as sent, at most 20 signs out of `0`–`9`, `*`, `#`, `+`, `A`–`D`.
    pub number: Option<String>,
    /// Why there is none.
    pub number_absent: Option<Absence>,
    /// Caller's name, at most 50 characters without control characters.
    pub name: Option<String>,
    /// Why there is none.
    pub name_absent: Option<Absence>,
    /// Date and time at the exchange.
    pub at: Option<LocalTime>,
    /// Number that was called, limited as the caller's.
    pub called_number: Option<String>,
    /// What kind of call it is.
    pub call_type: Option<CallType>,
    /// Whether the lamp is to be lit.
    pub lamp: Option<bool>,
    /// How many messages wait.
    pub messages: Option<u8>,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Fewer or more bytes than the length says.
    #[error("caller ID message: length {declared} with {actual} bytes behind it")]
    Length {
        /// As declared.
        declared: u8,
        /// Bytes of the body.
        actual: usize,
    },
    /// Nothing, or only a part of the header.
    #[error("caller ID message: cut off in its header")]
    Short,
    /// The bytes do not sum to zero.
    #[error("caller ID message: checksum is off by {0:#04x}")]
    Checksum(u8),
    /// A type that is not known.
    #[error("caller ID message: type {0:#04x} is not known")]
    Kind(u8),
    /// A parameter reaches beyond the body.
    #[error("caller ID message: parameter {0:#04x} is cut off")]
    Parameter(u8),
}

impl Frame {
    pub(super) const EMPTY: Self = Self { bytes: [0; FRAME_MAX], len: 0 };

    /// Bytes of a message; those beyond the longest message are left out.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut frame = Self::EMPTY;
        bytes.iter().for_each(|&byte| frame.push(byte));
        frame
    }

    /// Type, length, body and checksum.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// Whether the length that the second byte declares is reached.
    pub(super) fn is_complete(&self) -> bool {
        self.bytes().get(1).is_some_and(|&length| self.len >= usize::from(length) + 3)
    }

    /// Reads the message.
    ///
    /// # Errors
    /// What is wrong with it; nothing of a wrong message is given away.
    pub fn parse(&self) -> Result<Received, ParseError> {
        let [kind, declared, rest @ ..] = self.bytes() else { return Err(ParseError::Short) };
        let Some((_, body)) = rest.split_last() else { return Err(ParseError::Short) };
        if body.len() != usize::from(*declared) {
            return Err(ParseError::Length { declared: *declared, actual: body.len() });
        }
        match message::sum(self.bytes()) {
            0 => {}
            off => return Err(ParseError::Checksum(off)),
        }
        match *kind {
            message::SDMF => Ok(single(body)),
            message::SDMF_MESSAGE_WAITING => Ok(single_message_waiting(body)),
            message::CALL_SETUP => multiple(body, Received::new(Kind::Call)),
            message::MESSAGE_WAITING => multiple(body, Received::new(Kind::MessageWaiting)),
            other => Err(ParseError::Kind(other)),
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes are a person's number and name.
        write!(f, "Frame({} bytes)", self.len)
    }
}

impl Received {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            number: None,
            number_absent: None,
            name: None,
            name_absent: None,
            at: None,
            called_number: None,
            call_type: None,
            lamp: None,
            messages: None,
        }
    }

    /// What the exchange said about showing the number.
    #[must_use]
    pub const fn presentation(&self) -> Presentation {
        match (&self.number, self.number_absent) {
            (_, Some(Absence::Private)) => Presentation::Restricted,
            (Some(_), None | Some(Absence::OutOfArea)) => Presentation::Allowed,
            (None, None | Some(Absence::OutOfArea)) => Presentation::Unavailable,
        }
    }

    /// A number field; some exchanges write the reason for its absence into it.
    fn put_number(&mut self, value: &[u8]) {
        match absence(value) {
            Some(reason) => self.number_absent = Some(reason),
            None => self.number = number(value),
        }
    }

    fn put(&mut self, kind: u8, value: &[u8]) {
        let first = value.first().copied();
        match kind {
            message::DATE_AND_TIME => self.at = LocalTime::from_digits(&without_parity(value)),
            message::NUMBER => self.put_number(value),
            message::CALLED_NUMBER => self.called_number = number(value),
            message::REASON_FOR_ABSENCE_OF_NUMBER => self.number_absent = absence(value),
            message::NAME => self.name = name(value),
            message::REASON_FOR_ABSENCE_OF_NAME => self.name_absent = absence(value),
            message::VISUAL_INDICATOR => self.lamp = first.map(|lamp| lamp != message::INDICATOR_OFF),
            message::CALL_TYPE => self.call_type = first.map(CallType::from_code),
            message::MESSAGES => self.messages = first,
            // Receivers skip what they do not know (EN 300 659-3 5.3).
            _ => {}
        }
    }
}

/// SDMF: eight digits of date, then the number or the reason for its absence.
fn single(body: &[u8]) -> Received {
    let mut received = Received::new(Kind::Call);
    let (date, number) = body.split_at_checked(8).unwrap_or((body, &[]));
    received.at = LocalTime::from_digits(&without_parity(date));
    received.put_number(number);
    received
}

/// GR-1401: three bytes of 0x42 light the lamp, three of 0x6F put it out.
fn single_message_waiting(body: &[u8]) -> Received {
    let mut received = Received::new(Kind::MessageWaiting);
    received.lamp = match body {
        [0x42, 0x42, 0x42] => Some(true),
        [0x6F, 0x6F, 0x6F] => Some(false),
        _ => None,
    };
    received
}

/// MDMF: parameters of type, length, value.
fn multiple(mut body: &[u8], mut received: Received) -> Result<Received, ParseError> {
    while let [kind, rest @ ..] = body {
        let [length, rest @ ..] = rest else { return Err(ParseError::Parameter(*kind)) };
        let Some((value, after)) = rest.split_at_checked(usize::from(*length)) else {
            return Err(ParseError::Parameter(*kind));
        };
        received.put(*kind, value);
        body = after;
    }
    Ok(received)
}

fn absence(value: &[u8]) -> Option<Absence> {
    match value {
        [one] => match one & !PARITY {
            message::PRIVATE => Some(Absence::Private),
            message::OUT_OF_AREA => Some(Absence::OutOfArea),
            _ => None,
        },
        _ => None,
    }
}

fn number(value: &[u8]) -> Option<String> {
    let is_sign = |c: &char| matches!(c, '0'..='9' | '*' | '#' | '+' | 'A'..='D');
    let text: String =
        without_parity(value).into_iter().map(char::from).filter(is_sign).take(NUMBER_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// Latin letters; what is beyond ASCII is read as ISO 8859-1, which European exchanges send.
fn name(value: &[u8]) -> Option<String> {
    let text: String = without_parity(value)
        .into_iter()
        .map(char::from)
        .filter(|c| !c.is_control())
        .take(NAME_MAX)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Characters of seven bits: if the eighth is set somewhere and makes every byte even, or every byte odd, it is parity.
fn without_parity(value: &[u8]) -> Vec<u8> {
    let odd = value.iter().filter(|byte| byte.count_ones() % 2 == 1).count();
    let has_parity = value.len() > 1
        && (odd == 0 || odd == value.len())
        && value.iter().any(|byte| byte & PARITY != 0)
        && value.iter().all(|byte| (b' '..0x7F).contains(&(byte & !PARITY)));
    let mask = if has_parity { !PARITY } else { 0xFF };
    value.iter().map(|byte| byte & mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::caller_id::{
        Message,
        tests::{AT, caller},
    };

    fn sealed(bytes: &[u8]) -> Frame {
        let mut bytes = bytes.to_vec();
        bytes.push(message::sum(&bytes).wrapping_neg());
        Frame::from_bytes(&bytes)
    }

    #[test]
    fn what_was_sent_is_received() {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        for message in [Message::multiple(&id), Message::call_setup(&id, CallType::Voice)] {
            let received = Frame::from_bytes(message.bytes()).parse().unwrap();
            assert_eq!(received.number, id.number);
            assert_eq!(received.name, id.name);
            assert_eq!(received.at, Some(AT));
            assert_eq!((received.kind, received.presentation()), (Kind::Call, Presentation::Allowed));
        }
        let single = Frame::from_bytes(Message::single(&id).bytes()).parse().unwrap();
        assert_eq!((single.number, single.at, single.name), (id.number, Some(AT), None));
        let waiting = Frame::from_bytes(Message::message_waiting(2, AT).bytes()).parse().unwrap();
        assert_eq!(
            (waiting.kind, waiting.lamp, waiting.messages),
            (Kind::MessageWaiting, Some(true), Some(2))
        );
    }

    #[test]
    fn the_reason_for_an_absence_is_received() {
        for (presentation, absence) in
            [(Presentation::Restricted, Absence::Private), (Presentation::Unavailable, Absence::OutOfArea)]
        {
            let id = caller(Some("3125550142"), None, presentation);
            for message in [Message::multiple(&id), Message::single(&id)] {
                let received = Frame::from_bytes(message.bytes()).parse().unwrap();
                assert_eq!((received.number.as_deref(), received.number_absent), (None, Some(absence)));
                assert_eq!(received.presentation(), presentation);
            }
        }
    }

    #[test]
    fn parity_bits_are_not_taken_for_letters() {
        // "312" and "ADA" with even parity.
        let received = sealed(b"\x80\x0a\x02\x03\x33\xb1\xb2\x07\x03\x41\x44\x41").parse().unwrap();
        assert_eq!((received.number.as_deref(), received.name.as_deref()), (Some("312"), Some("ADA")));
        let latin = sealed(b"\x80\x06\x07\x04Jos\xe9").parse().unwrap();
        assert_eq!(latin.name.as_deref(), Some("José"));
    }

    #[test]
    fn a_wrong_message_says_nothing() {
        let good = Message::multiple(&caller(Some("3125550142"), None, Presentation::Allowed));
        let mut bytes = good.bytes().to_vec();
        bytes[15] ^= 1;
        assert!(matches!(Frame::from_bytes(&bytes).parse(), Err(ParseError::Checksum(_))));
        assert_eq!(Frame::from_bytes(&[]).parse(), Err(ParseError::Short));
        assert_eq!(Frame::from_bytes(&[0x80, 0]).parse(), Err(ParseError::Short));
        assert_eq!(sealed(b"\x55\x01x").parse(), Err(ParseError::Kind(0x55)));
        assert_eq!(sealed(b"\x80\x03\x02\x0a3").parse(), Err(ParseError::Parameter(2)));
        assert_eq!(sealed(b"\x80\x01\x02").parse(), Err(ParseError::Parameter(2)));
        let short = sealed(b"\x80\x05\x02\x013");
        assert_eq!(short.parse(), Err(ParseError::Length { declared: 5, actual: 3 }));
    }

    #[test]
    fn a_hundred_thousand_mutations_do_no_harm() {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        let seeds = [
            Message::multiple(&id),
            Message::single(&id),
            Message::call_setup(&id, CallType::Voice),
            Message::message_waiting(2, AT),
        ];
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below.max(1)
        };
        let mut read = 0;
        for round in 0..100_000 {
            let mut bytes = seeds[round % seeds.len()].bytes().to_vec();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            // Half of them with a right length and checksum, so that the parameters are reached.
            let frame = if round % 2 == 0 {
                Frame::from_bytes(&bytes)
            } else {
                bytes.truncate(257);
                let body = bytes.len().saturating_sub(2) as u8;
                if let Some(length) = bytes.get_mut(1) {
                    *length = body;
                }
                sealed(&bytes)
            };
            let Ok(received) = frame.parse() else { continue };
            read += 1;
            assert!(received.number.is_none_or(|number| number.chars().count() <= NUMBER_MAX));
            assert!(
                received
                    .name
                    .is_none_or(|name| name.chars().count() <= NAME_MAX && !name.contains(char::is_control))
            );
        }
        assert!(read > 10_000, "{read}");
    }
}
