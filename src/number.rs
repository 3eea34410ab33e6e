//! Telephone numbers: E.164 as the one stored form, and the ways people and trunks write them.

use std::{fmt, str::FromStr};

/// Digits of the longest number (ITU-T E.164 6.2).
const MOST_DIGITS: usize = 15;
/// Digits of the longest number as dialled, prefixes included.
const MOST_DIALLED: usize = 20;

/// An E.164 number: `+` and 3 to 15 digits (ITU-T E.164 6.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

/// How numbers are dialled in a country: what turns a dialled number into E.164.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialplan {
    /// Country code, digits only: `1`, `44`.
    pub country_code: &'static str,
    /// What precedes a national number when it is dialled: `0`, `1`; empty where nothing does.
    pub trunk_prefix: &'static str,
    /// What precedes a country code when it is dialled: `011`, `00`.
    pub international_prefix: &'static str,
    /// Digits of a national number without the trunk prefix, shortest and longest.
    pub national_digits: (usize, usize),
}

/// Country, country code, trunk prefix, international prefix and lengths (ITU-T E.164, "National numbering plans").
const COUNTRIES: [(&str, Dialplan); 22] = [
    ("US", plan("1", "1", "011", 10, 10)),
    ("CA", plan("1", "1", "011", 10, 10)),
    ("GB", plan("44", "0", "00", 9, 10)),
    ("IE", plan("353", "0", "00", 7, 9)),
    ("DE", plan("49", "0", "00", 6, 11)),
    ("AT", plan("43", "0", "00", 6, 12)),
    ("CH", plan("41", "0", "00", 9, 9)),
    ("FR", plan("33", "0", "00", 9, 9)),
    ("BE", plan("32", "0", "00", 8, 9)),
    ("NL", plan("31", "0", "00", 9, 9)),
    ("ES", plan("34", "", "00", 9, 9)),
    ("PT", plan("351", "", "00", 9, 9)),
    ("IT", plan("39", "", "00", 6, 11)),
    ("DK", plan("45", "", "00", 8, 8)),
    ("NO", plan("47", "", "00", 8, 8)),
    ("SE", plan("46", "0", "00", 7, 9)),
    ("FI", plan("358", "0", "00", 6, 10)),
    ("PL", plan("48", "", "00", 9, 9)),
    ("AU", plan("61", "0", "0011", 9, 9)),
    ("NZ", plan("64", "0", "00", 8, 10)),
    ("MX", plan("52", "", "00", 10, 10)),
    ("ZA", plan("27", "0", "00", 9, 9)),
];

const fn plan(
    country_code: &'static str,
    trunk_prefix: &'static str,
    international_prefix: &'static str,
    shortest: usize,
    longest: usize,
) -> Dialplan {
    Dialplan { country_code, trunk_prefix, international_prefix, national_digits: (shortest, longest) }
}

impl Dialplan {
    /// The plan of the USA and Canada.
    pub const NORTH_AMERICA: Self = plan("1", "1", "011", 10, 10);

    /// The plan of a country by its ISO 3166 code (`US`, any case); `None` for a country that is not in the table.
    #[must_use]
    pub fn for_country(code: &str) -> Option<Self> {
        COUNTRIES.iter().find(|(country, _)| country.eq_ignore_ascii_case(code)).map(|(_, plan)| *plan)
    }

    /// Every country that [`Self::for_country`] knows.
    pub fn countries() -> impl Iterator<Item = &'static str> {
        COUNTRIES.iter().map(|(country, _)| *country)
    }

    /// The digits with which `number` is dialled on an ordinary line of this country: trunk prefix and national number
    /// at home, international prefix and the whole number abroad.
    #[must_use]
    pub fn dialled(&self, number: &E164) -> String {
        let digits = number.digits();
        let national = digits.strip_prefix(self.country_code).filter(|national| self.is_national(national));
        match national {
            Some(national) => format!("{}{national}", self.trunk_prefix),
            None => format!("{}{digits}", self.international_prefix),
        }
    }

    /// The digits behind the `+` that `digits`, dialled in this country, stand for.
    fn international(&self, digits: &str) -> Option<String> {
        let abroad = digits.strip_prefix(self.international_prefix).or_else(|| digits.strip_prefix("00"));
        if let Some(international) = abroad {
            return Some(international.to_owned());
        }
        let in_full =
            |national: &str| self.is_national(national).then(|| format!("{}{national}", self.country_code));
        // Trunks leave the `+` away, people do not; where national numbers have no prefix of their own, a number of
        // national length is one, even if it starts like the country code (Italian mobiles: 39x).
        let without_plus = digits.strip_prefix(self.country_code).and_then(in_full);
        if self.trunk_prefix.is_empty() {
            return in_full(digits).or(without_plus);
        }
        without_plus
            .or_else(|| digits.strip_prefix(self.trunk_prefix).and_then(in_full))
            .or_else(|| in_full(digits))
    }

    fn is_national(&self, digits: &str) -> bool {
        let (shortest, longest) = self.national_digits;
        let prefixed = !self.trunk_prefix.is_empty() && digits.starts_with(self.trunk_prefix);
        (shortest..=longest).contains(&digits.len()) && !prefixed
    }
}

/// The text is not a telephone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a telephone number in international form: `+`, country code and at most 15 digits are expected")]
pub struct InvalidNumber;

impl E164 {
    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits without the `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    /// Reads a number as a person or a trunk in the plan's country writes it: `+1 (312) 555-0100`, `3125550100`,
    /// `011 44 …`, `tel:+1-312-555-0100`, `sip:13125550100@host`.
    ///
    /// `None` if it holds anything but digits and visual separators (RFC 3966 5.1.1), or has no length of the plan:
    /// a number without its area code is never guessed.
    #[must_use]
    pub fn from_dialled(text: &str, plan: &Dialplan) -> Option<Self> {
        let text = text.trim();
        let text =
            ["tel:", "sip:", "sips:"].iter().find_map(|scheme| without_prefix(text, scheme)).unwrap_or(text);
        let text = text.split(['@', ';']).next().unwrap_or_default();
        let (plus, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        // `+44 (0)20 …`: the trunk prefix in brackets is not dialled from abroad.
        let bracketed = if plus && rest.contains('(') { rest.split_once("(0)") } else { None };
        let (before, after) = bracketed.unwrap_or((rest, ""));
        let mut number = String::with_capacity(MOST_DIGITS + 1);
        number.push('+');
        for letter in before.chars().chain(after.chars()) {
            match letter {
                '0'..='9' if number.len() > MOST_DIALLED => return None,
                '0'..='9' => number.push(letter),
                ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' => {}
                _ => return None,
            }
        }
        if !plus {
            let dialled = number.split_off(1);
            number.push_str(&plan.international(&dialled)?);
        }
        Self::checked(number)
    }

    /// `None` unless `number` is `+` and the digits of a number.
    fn checked(number: String) -> Option<Self> {
        let digits = number.strip_prefix('+')?;
        let well_formed = (3..=MOST_DIGITS).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        well_formed.then_some(Self(number))
    }
}

/// `text` without `prefix`, any case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl FromStr for E164 {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        Self::checked(text.to_owned()).ok_or(InvalidNumber)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for E164 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for E164 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(text: &str, country: &str) -> Option<String> {
        E164::from_dialled(text, &Dialplan::for_country(country).unwrap()).map(|number| number.to_string())
    }

    #[test]
    fn one_caller_in_many_spellings_is_one_number() {
        for text in [
            "+13125550100",
            "13125550100",
            "3125550100",
            "312-555-0100",
            "sip:+13125550100@carrier.example",
            "tel:+1-312-555-0100",
            "(312) 555-0100",
            "1.312.555.0100",
            "TEL:3125550100;phone-context=+1",
            "sip:3125550100;npdi=yes@h",
            "01113125550100",
            "0013125550100",
            " +1 312 555\u{a0}0100 ",
        ] {
            assert_eq!(dialled(text, "us").as_deref(), Some("+13125550100"), "{text}");
        }
    }

    #[test]
    fn national_numbers_get_their_countrys_code() {
        for (country, text, number) in [
            ("GB", "020 7946 0123", "+442079460123"),
            ("GB", "+44 (0)20 7946 0123", "+442079460123"),
            ("GB", "442079460123", "+442079460123"),
            ("DE", "030/123456", "+4930123456"),
            ("DE", "4930123456", "+4930123456"),
            ("FR", "01 23 45 67 89", "+33123456789"),
            ("AU", "(02) 5550 1234", "+61255501234"),
            ("AU", "0011 1 312 555 0100", "+13125550100"),
            ("IT", "06 1234 5678", "+390612345678"),
            ("IT", "391 234 5678", "+393912345678"),
            ("ES", "34912345678", "+34912345678"),
            ("CA", "011442079460123", "+442079460123"),
        ] {
            assert_eq!(dialled(text, country).as_deref(), Some(number), "{country} {text}");
        }
    }

    #[test]
    fn every_country_dials_its_numbers_so_that_it_reads_them_back() {
        for country in Dialplan::countries() {
            let plan = Dialplan::for_country(country).unwrap();
            let national = "2".repeat(plan.national_digits.0);
            for number in [format!("+{}{national}", plan.country_code), "+88213125550".to_owned()] {
                let text = plan.dialled(&number.parse().unwrap());
                assert_eq!(dialled(&text, country), Some(number), "{country} {text}");
            }
        }
    }

    #[test]
    fn what_is_no_full_number_is_not_guessed() {
        for text in [
            "",
            "+",
            "5550100",
            "911",
            "anonymous",
            "1312555010",
            "+0312",
            "312555010x",
            "+1234567890123456",
            "12",
        ] {
            assert_eq!(dialled(text, "US"), None, "{text}");
        }
        assert_eq!(Dialplan::for_country("XX"), None);
    }

    #[test]
    fn every_plan_reads_its_own_shortest_and_longest_number() {
        for country in Dialplan::countries() {
            let plan = Dialplan::for_country(country).unwrap();
            for digits in [plan.national_digits.0, plan.national_digits.1] {
                let national = "2".repeat(digits);
                let expected = Some(format!("+{}{national}", plan.country_code));
                assert_eq!(
                    dialled(&format!("{}{national}", plan.trunk_prefix), country),
                    expected,
                    "{country}"
                );
                assert_eq!(
                    dialled(&format!("{}44{national}", plan.international_prefix), country).map(|n| n.len()),
                    Some(digits + 3)
                );
            }
        }
    }
}
