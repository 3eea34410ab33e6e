//! Tone plans of countries (ITU-T E.180 Supplement 2): what the box plays, what it recognises, how it rings.
//!
//! The facts stand in `board/countries.toml`, which is part of the program and read once. A mistake in it is found by
//! a test, with its line and key.

use super::tone::{Burst, Cadence, MAX_FREQUENCIES, Tone};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, sync::LazyLock};

/// The countries' plans as they are shipped.
const COUNTRIES: &str = include_str!("../../board/countries.toml");
/// Lowest and highest frequency of a tone in Hz: the band of a telephone line.
const BAND_HZ: (f32, f32) = (300.0, 3_400.0);
/// Lowest and highest frequency that modulates a tone, in Hz: below, it is a cadence; above, a tone of its own.
const MODULATION_HZ: (f32, f32) = (10.0, 60.0);
/// Lowest and highest level of a frequency in dBm0: what is softer is not heard, what is louder overloads the codec.
const LEVEL_DBM0: (f32, f32) = (-40.0, 0.0);

/// The tones of a country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TonePlan {
    /// How its phones ring; never continuous.
    pub ring: Cadence,
    /// Dialling may begin.
    pub dial: Tone,
    /// Called party busy.
    pub busy: Tone,
    /// Congestion; also what a phone hears that was not hung up after its call.
    pub reorder: Tone,
    /// Audible ringing toward the caller.
    pub ringback: Tone,
    /// Another call waits.
    pub call_waiting: Tone,
    /// Receiver off hook: loud, for a handset that lies beside its phone.
    pub howler: Tone,
    /// Precedes an announcement that a call cannot be completed.
    pub special_information: SpecialInformation,
}

/// The special information tone (ITU-T E.180 section 3.6): three bursts that rise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpecialInformation {
    /// Frequencies in Hz, one after the other.
    pub hz: [f32; 3],
    /// Length of each burst in milliseconds.
    pub burst_ms: u16,
    /// Silence before it is repeated, in milliseconds.
    pub pause_ms: u16,
    /// Level in dBm0.
    pub dbm0: f32,
}

impl SpecialInformation {
    /// The three bursts.
    #[must_use]
    pub fn bursts(&self) -> [Burst; 3] {
        self.hz.map(|hz| Burst { hz, ms: self.burst_ms })
    }
}

static PLANS: LazyLock<BTreeMap<String, TonePlan>> = LazyLock::new(|| {
    // A test reads the same text, so a build that passed has plans.
    parse(COUNTRIES).unwrap_or_else(|mistake| panic!("{mistake}"))
});

impl TonePlan {
    /// The plan of a country by its ISO 3166-1 alpha-2 code, in any case; `None` for a country that is not listed.
    #[must_use]
    pub fn for_country(code: &str) -> Option<&'static Self> {
        PLANS.get(&code.to_ascii_uppercase())
    }

    /// The plan of the United States.
    #[must_use]
    pub fn north_america() -> &'static Self {
        &PLANS["US"]
    }

    /// Every country's code and plan.
    pub fn all() -> impl Iterator<Item = (&'static str, &'static Self)> {
        PLANS.iter().map(|(code, plan)| (code.as_str(), plan))
    }
}

/// What is wrong with a file of tone plans.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    /// Path of the key: `country.GB.busy`.
    key: String,
    message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, message } = self;
        write!(f, "board/countries.toml:{line}: {key}: {message}")
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, TonePlan>, Mistake> {
    let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let mistake = |error: &toml::de::Error, key: String| Mistake {
        line: line_of(error.span().map_or(0, |span| span.start)),
        key,
        message: error.message().to_owned(),
    };
    let document = toml::Deserializer::parse(text).map_err(|error| mistake(&error, "syntax".to_owned()))?;
    let file: raw::File = serde_path_to_error::deserialize(document)
        .map_err(|error| mistake(error.inner(), error.path().to_string()))?;
    let plan = |(code, country): (String, raw::Country)| (code, country.plan(&file.default));
    Ok(file.country.into_iter().map(plan).collect())
}

/// The file as it is written.
mod raw {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct File {
        pub(super) default: Default,
        pub(super) country: BTreeMap<String, Country>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Default {
        #[serde(deserialize_with = "tone")]
        howler: super::Tone,
        #[serde(deserialize_with = "special_information")]
        special_information: super::SpecialInformation,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Country {
        #[serde(deserialize_with = "ring")]
        ring_ms: Cadence,
        #[serde(deserialize_with = "tone")]
        dial: super::Tone,
        #[serde(deserialize_with = "cadenced")]
        busy: super::Tone,
        #[serde(deserialize_with = "cadenced")]
        reorder: super::Tone,
        #[serde(deserialize_with = "cadenced")]
        ringback: super::Tone,
        #[serde(deserialize_with = "cadenced")]
        call_waiting: super::Tone,
        #[serde(default, deserialize_with = "own_tone")]
        howler: Option<super::Tone>,
        #[serde(default, deserialize_with = "own_special_information")]
        special_information: Option<super::SpecialInformation>,
    }

    impl Country {
        pub(super) fn plan(self, default: &Default) -> TonePlan {
            TonePlan {
                ring: self.ring_ms,
                dial: self.dial,
                busy: self.busy,
                reorder: self.reorder,
                ringback: self.ringback,
                call_waiting: self.call_waiting,
                howler: self.howler.unwrap_or(default.howler),
                special_information: self.special_information.unwrap_or(default.special_information),
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tone {
        hz: Vec<f32>,
        #[serde(default)]
        modulated_hz: f32,
        level_dbm0: f32,
        #[serde(default)]
        cadence_ms: Vec<u16>,
    }

    impl Tone {
        fn checked(self) -> Result<super::Tone, String> {
            let mut hz = [0.0; MAX_FREQUENCIES];
            if self.hz.is_empty() || self.hz.len() > MAX_FREQUENCIES {
                return Err(format!("hz: a tone has 1 to {MAX_FREQUENCIES} frequencies"));
            }
            for (place, &frequency) in hz.iter_mut().zip(&self.hz) {
                *place = within("hz", frequency, BAND_HZ)?;
            }
            if self.modulated_hz != 0.0 {
                within("modulated_hz", self.modulated_hz, MODULATION_HZ)?;
            }
            Ok(super::Tone {
                hz,
                modulated_hz: self.modulated_hz,
                cadence: Cadence::new(&self.cadence_ms).map_err(|error| format!("cadence_ms: {error}"))?,
                dbm0: within("level_dbm0", self.level_dbm0, LEVEL_DBM0)?,
            })
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SpecialInformation {
        hz: [f32; 3],
        level_dbm0: f32,
        burst_ms: u16,
        pause_ms: u16,
    }

    impl SpecialInformation {
        fn checked(self) -> Result<super::SpecialInformation, String> {
            for frequency in self.hz {
                within("hz", frequency, BAND_HZ)?;
            }
            Ok(super::SpecialInformation {
                hz: self.hz,
                burst_ms: self.burst_ms,
                pause_ms: self.pause_ms,
                dbm0: within("level_dbm0", self.level_dbm0, LEVEL_DBM0)?,
            })
        }
    }

    fn within(key: &str, value: f32, (least, most): (f32, f32)) -> Result<f32, String> {
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{key}: {value} is not between {least} and {most}"))
        }
    }

    fn tone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<super::Tone, D::Error> {
        Tone::deserialize(deserializer)?.checked().map_err(serde::de::Error::custom)
    }

    fn own_tone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<super::Tone>, D::Error> {
        tone(deserializer).map(Some)
    }

    fn cadenced<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<super::Tone, D::Error> {
        let tone = tone(deserializer)?;
        if tone.cadence.is_continuous() {
            return Err(serde::de::Error::custom("cadence_ms: this tone has pauses"));
        }
        Ok(tone)
    }

    fn ring<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Cadence, D::Error> {
        let cadence = Cadence::new(&Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        if cadence.is_continuous() {
            return Err(serde::de::Error::custom(
                "a phone that never stops ringing cannot be sent caller ID",
            ));
        }
        Ok(cadence)
    }

    fn special_information<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<super::SpecialInformation, D::Error> {
        SpecialInformation::deserialize(deserializer)?.checked().map_err(serde::de::Error::custom)
    }

    fn own_special_information<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<super::SpecialInformation>, D::Error> {
        special_information(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Dialplan;

    #[test]
    fn the_shipped_file_has_no_mistake() {
        if let Err(mistake) = parse(COUNTRIES) {
            panic!("{mistake}");
        }
    }

    #[test]
    fn every_country_of_the_dial_plan_has_tones_and_no_other_is_offered() {
        let mut dialled: Vec<&str> = Dialplan::countries().collect();
        dialled.sort_unstable();
        let tones: Vec<&str> = TonePlan::all().map(|(code, _)| code).collect();
        assert_eq!(tones, dialled);
        assert!(tones.len() >= 14);
        assert_eq!(TonePlan::for_country("gb"), TonePlan::for_country("GB"));
        assert_eq!(TonePlan::for_country("XX"), None);
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_key() {
        for (right, wrong, key, message) in [
            ("[375, 375]", "[375]", "country.GB.busy", "cadence_ms: a cadence is pairs"),
            ("[375, 375]", "[375, 0]", "country.GB.busy", "cadence_ms: 0 ms"),
            ("[375, 375]", "[]", "country.GB.busy", "cadence_ms: this tone has pauses"),
            ("[375, 375]", "[375, -1]", "country.GB.busy", "invalid value"),
            ("hz = [400], level", "hz = [4000], level", "country.GB.busy", "hz: 4000 is not between"),
            ("hz = [400], level", "hz = [], level", "country.GB.busy", "hz: a tone has 1 to 4"),
            (
                "-13, cadence_ms = [375",
                "6, cadence_ms = [375",
                "country.GB.busy",
                "level_dbm0: 6 is not between",
            ),
            ("busy = { hz = [400]", "bussy = { hz = [400]", "country.GB.bussy", "unknown field `bussy`"),
        ] {
            // The first place in Great Britain's table.
            let gb = COUNTRIES.find("[country.GB]").unwrap();
            let at = gb + COUNTRIES[gb..].find(right).unwrap();
            let text = [&COUNTRIES[..at], wrong, &COUNTRIES[at + right.len()..]].concat();
            let mistake = parse(&text).unwrap_err();
            assert!(mistake.key.starts_with(key), "{wrong}: {mistake}");
            assert!(mistake.message.contains(message), "{wrong}: {mistake}");
            assert_eq!(mistake.line, 1 + text[..at].matches('\n').count(), "{wrong}: {mistake}");
        }
        assert!(parse("[default\n").unwrap_err().to_string().starts_with("board/countries.toml:1: syntax"));
    }

    #[test]
    fn tones_that_are_added_and_tones_that_are_modulated_are_told_apart() {
        let plan = |code| TonePlan::for_country(code).unwrap();
        assert_eq!(plan("US").dial.frequencies().collect::<Vec<_>>(), [350.0, 440.0]);
        assert_eq!(plan("US").dial.modulated_hz, 0.0);
        assert_eq!((plan("ZA").dial.hz[0], plan("ZA").dial.modulated_hz), (400.0, 33.0));
        assert_eq!(plan("GB").reorder.cadence.bursts_ms(), [(400, 350), (225, 525)]);
    }
}
