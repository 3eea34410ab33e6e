//! Caller ID on a phone line, to and from a display: FSK (Telcordia GR-30, EN 300 659) and DTMF.
//!
//! [`CallerId`] is what to show, [`Delivery`] how and when a country sends it, [`Message`] its bytes; [`Receiver`] and
//! [`dtmf::Collector`] read it from a line as [`Received`]; [`waiting::CallWaiting`] sends it during a conversation.

mod delivery;
pub mod dtmf;
mod message;
mod received;
mod receiver;
pub mod waiting;

pub use delivery::{Alert, Delivery, Standard, Timing};
pub use message::{CallType, Message, Preamble};
pub use received::{Absence, Frame, Kind, ParseError, Received};
pub use receiver::{Heard, Receiver};

use crate::{number::E164, record::Presentation};

/// Most characters of a number (GR-1188 leaves room for more than a display shows).
pub const NUMBER_CHARS: usize = 20;
/// Most characters of a name.
pub const NAME_CHARS: usize = 15;

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

    /// The number if there is one and it may be shown.
    fn shown_number(&self) -> Option<&str> {
        match self.presentation {
            Presentation::Allowed => self.number.as_deref().filter(|number| !number.is_empty()),
            Presentation::Restricted | Presentation::Unavailable => None,
        }
    }
}

impl LocalTime {
    /// `MMDDHHMM`.
    fn digits(self) -> String {
        format!("{:02}{:02}{:02}{:02}", self.month % 100, self.day % 100, self.hour % 100, self.minute % 100)
    }

    /// The time of `MMDDHHMM`; `None` for anything that is no date.
    fn from_digits(digits: &[u8]) -> Option<Self> {
        let two = |at: usize| match digits.get(at..at + 2)? {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
            _ => None,
        };
        let at = Self { month: two(0)?, day: two(2)?, hour: two(4)?, minute: two(6)? };
        let good =
            (1..=12).contains(&at.month) && (1..=31).contains(&at.day) && at.hour < 24 && at.minute < 60;
        good.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const AT: LocalTime = LocalTime { month: 11, day: 22, hour: 9, minute: 5 };

    pub(super) fn caller(number: Option<&str>, name: Option<&str>, presentation: Presentation) -> CallerId {
        CallerId { number: number.map(str::to_owned), name: name.map(str::to_owned), presentation, at: AT }
    }

    #[test]
    fn a_national_number_is_shown_without_its_country_code() {
        let shown = |text: &str| CallerId::display_number(&text.parse().unwrap());
        assert_eq!(shown("+13125550142"), "3125550142");
        assert_eq!(shown("+493012345678"), "493012345678");
    }

    #[test]
    fn only_a_date_is_a_date() {
        assert_eq!(LocalTime::from_digits(b"11220905"), Some(AT));
        for wrong in ["13220905", "11000905", "11222405", "11220960", "1122090", "112209x5", ""] {
            assert_eq!(LocalTime::from_digits(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
