//! What people dial on a phone of the office: when a number is complete, and which numbers are for emergencies.
//!
//! The facts stand in `board/dialling.toml`, which is part of the program and read once. A pattern is written as RFC
//! 3435 2.1.5 writes digit maps. An emergency number is complete with its last digit, whatever else it might become.

use crate::audio::dtmf::Key;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// The plans as they are shipped.
const COUNTRIES: &str = include_str!("../board/dialling.toml");
/// Keys of the longest number, prefixes and service codes included; longer is nobody's number.
pub const MOST_KEYS: usize = 32;
/// Elements of the longest pattern.
const MOST_ELEMENTS: usize = 31;
/// Pause after which a number that may be complete is (RFC 3435 calls it the critical timer and suggests 4 s).
pub const CRITICAL_MS: u64 = 4_000;
/// Pause after which one that cannot be complete is given up (RFC 3435: the partial timer, 16 s).
pub const PARTIAL_MS: u64 = 16_000;

/// How the phones of a country dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPlan {
    emergency: Vec<Vec<Key>>,
    patterns: Vec<Pattern>,
}

/// What the keys pressed so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// An emergency number.
    Emergency,
    /// A whole number.
    Complete,
    /// A number that may go on; it is whole after [`CRITICAL_MS`] of pause, or with `#`.
    MayEnd,
    /// The beginning of one; without another key for [`PARTIAL_MS`] it is nothing.
    Partial,
    /// No number begins like this.
    Nothing,
}

/// One element of a pattern: which keys fit, by their event codes, and whether it may be there any many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    keys: u16,
    repeats: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    elements: Vec<Element>,
    /// Ends in T.
    waits: bool,
}

/// What a pattern makes of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fit {
    whole: bool,
    goes_on: bool,
}

static PLANS: LazyLock<BTreeMap<String, DialPlan>> = LazyLock::new(|| {
    // A test reads the same text, so a build that passed has plans.
    parse(COUNTRIES).unwrap_or_else(|mistake| panic!("board/dialling.toml: {mistake}"))
});

impl DialPlan {
    /// The plan of a country by its ISO 3166-1 alpha-2 code, in any case; `None` for a country that is not listed.
    #[must_use]
    pub fn for_country(code: &str) -> Option<&'static Self> {
        PLANS.get(&code.to_ascii_uppercase())
    }

    /// Every country that [`Self::for_country`] knows.
    pub fn countries() -> impl Iterator<Item = &'static str> {
        PLANS.keys().map(String::as_str)
    }

    /// The same plan with more emergency numbers: a site may have its own, as a campus has.
    #[must_use]
    pub fn with_emergency(mut self, number: Vec<Key>) -> Self {
        self.emergency.push(number);
        self
    }

    /// Whether these keys, and no more, are an emergency number.
    #[must_use]
    pub fn is_emergency(&self, keys: &[Key]) -> bool {
        self.emergency.iter().any(|number| number == keys)
    }

    /// What the keys pressed so far are.
    #[must_use]
    pub fn judge(&self, keys: &[Key]) -> Dialled {
        if self.is_emergency(keys) {
            return Dialled::Emergency;
        }
        if keys.len() > MOST_KEYS {
            return Dialled::Nothing;
        }
        let begins_emergency = self.emergency.iter().any(|number| number.starts_with(keys));
        let fits: Vec<(Fit, bool)> = self.patterns.iter().map(|p| (p.fit(keys), p.waits)).collect();
        if fits.iter().any(|(fit, waits)| fit.whole && !waits) {
            Dialled::Complete
        } else if fits.iter().any(|(fit, _)| fit.whole) {
            Dialled::MayEnd
        } else if begins_emergency || fits.iter().any(|(fit, _)| fit.goes_on) {
            Dialled::Partial
        } else {
            Dialled::Nothing
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (text, waits) = text.strip_suffix('T').map_or((text, false), |rest| (rest, true));
        let mut elements: Vec<Element> = Vec::new();
        let mut signs = text.chars();
        while let Some(sign) = signs.next() {
            let keys = match sign {
                'x' => 0x3FF,
                '.' => {
                    let last = elements.last_mut().filter(|last| !last.repeats)?;
                    last.repeats = true;
                    continue;
                }
                '[' => range(&signs.by_ref().take_while(|&sign| sign != ']').collect::<Vec<_>>())?,
                sign => 1 << Key::from_sign(sign)?.event_code(),
            };
            elements.push(Element { keys, repeats: false });
        }
        (1..=MOST_ELEMENTS).contains(&elements.len()).then_some(Self { elements, waits })
    }

    /// Follows the keys through every way in which they may fit: bit n is set where the first n elements are behind.
    fn fit(&self, keys: &[Key]) -> Fit {
        let mut behind = self.skip_repeats(1);
        for key in keys {
            let mut next = 0;
            for (n, element) in self.elements.iter().enumerate() {
                if behind >> n & 1 == 1 && element.keys >> key.event_code() & 1 == 1 {
                    next |= if element.repeats { 1 << n } else { 1 << (n + 1) };
                }
            }
            behind = self.skip_repeats(next);
        }
        let end = 1 << self.elements.len();
        Fit { whole: behind & end != 0, goes_on: behind & (end - 1) != 0 }
    }

    /// An element that may be there any many times may be there not at all.
    fn skip_repeats(&self, mut behind: u32) -> u32 {
        for (n, element) in self.elements.iter().enumerate() {
            if element.repeats && behind >> n & 1 == 1 {
                behind |= 1 << (n + 1);
            }
        }
        behind
    }
}

/// The keys of `2-9`, `05`, `1-39`.
fn range(signs: &[char]) -> Option<u16> {
    let mut keys = 0;
    let mut at = 0;
    while let Some(&from) = signs.get(at) {
        let (to, used) = match signs.get(at + 1..at + 3) {
            Some(&['-', to]) => (to, 3),
            _ => (from, 1),
        };
        let (from, to) = (from.to_digit(10)?, to.to_digit(10)?);
        (from..=to).for_each(|digit| keys |= 1 << digit);
        at += used;
    }
    (keys != 0).then_some(keys)
}

/// The keys of a written number.
#[must_use]
pub fn keys_of(text: &str) -> Option<Vec<Key>> {
    text.chars().map(Key::from_sign).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    country: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    emergency: Vec<String>,
    digit_map: Vec<String>,
}

fn parse(text: &str) -> Result<BTreeMap<String, DialPlan>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let plan = |(code, written): (String, Written)| {
        let bad = |what: &str| format!("country.{code}: {what:?} cannot be dialled");
        let emergency = written.emergency.iter().map(|text| keys_of(text).ok_or_else(|| bad(text)));
        let patterns = written.digit_map.iter().map(|text| Pattern::parse(text).ok_or_else(|| bad(text)));
        let plan = DialPlan {
            emergency: emergency.collect::<Result<_, _>>()?,
            patterns: patterns.collect::<Result<_, _>>()?,
        };
        Ok((code, plan))
    };
    file.country.into_iter().map(plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::tone_plan::TonePlan, number::Dialplan};

    /// What a number is after each of its keys: `p` partial, `m` may end, `c` complete, `e` emergency, `-` nothing.
    fn course(country: &str, number: &str) -> String {
        let plan = DialPlan::for_country(country).unwrap();
        let keys = keys_of(number).unwrap();
        let sign = |n| match plan.judge(&keys[..n]) {
            Dialled::Emergency => 'e',
            Dialled::Complete => 'c',
            Dialled::MayEnd => 'm',
            Dialled::Partial => 'p',
            Dialled::Nothing => '-',
        };
        (1..=keys.len()).map(sign).collect()
    }

    #[test]
    fn a_number_is_complete_when_the_country_says() {
        for (country, number, expected) in [
            ("US", "911", "ppe"),
            ("US", "933", "ppe"),
            ("US", "411", "ppc"),
            ("US", "0", "m"),
            ("US", "5550199", "ppppppm"),
            ("US", "3125550199", "ppppppmppc"),
            ("US", "13125550199", "ppppppppppc"),
            ("US", "0114930123456", "mpppppppmmmmm"),
            ("US", "*67", "ppm"),
            ("US", "1012", "pppp"),
            ("US", "112", "p--"),
            ("GB", "02079460123", "ppppppppppc"),
            ("GB", "999", "ppe"),
            ("FR", "15", "pe"),
            ("FR", "0123456789", "pppppppppc"),
            ("DE", "110", "ppe"),
            ("DE", "116117", "ppmmmm"),
            ("AU", "000", "ppe"),
            ("ZA", "10111", "ppmme"),
        ] {
            assert_eq!(course(country, number), expected, "{country} {number}");
        }
    }

    #[test]
    fn every_emergency_number_is_one_with_its_last_digit_and_not_before() {
        for country in DialPlan::countries() {
            let plan = DialPlan::for_country(country).unwrap();
            assert!(!plan.emergency.is_empty(), "{country}");
            for number in &plan.emergency {
                for n in 1..number.len() {
                    // A shorter number that is complete at once would be dialled in its place.
                    assert_ne!(plan.judge(&number[..n]), Dialled::Complete, "{country} {number:?}");
                }
                assert_eq!(plan.judge(number), Dialled::Emergency, "{country} {number:?}");
            }
        }
    }

    #[test]
    fn the_countries_are_those_with_tones_and_numbers() {
        let ours: Vec<&str> = DialPlan::countries().collect();
        let mut numbers: Vec<&str> = Dialplan::countries().collect();
        numbers.sort_unstable();
        assert_eq!(ours, numbers);
        assert!(ours.iter().all(|country| TonePlan::for_country(country).is_some()));
    }

    #[test]
    fn a_number_longer_than_any_is_nothing() {
        let endless = keys_of(&"4".repeat(MOST_KEYS + 1)).unwrap();
        assert_eq!(DialPlan::for_country("DE").unwrap().judge(&endless), Dialled::Nothing);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for wrong in ["", "T", ".", "x..", "[]", "[a-c]", "y", &"x".repeat(32)] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong:?}");
        }
        assert!(Pattern::parse("[1-39]x.#T").is_some());
    }
}
