//! `[[line]]` of `office.toml`: how the exchange treats a line.

use super::plan::{Destination, LinePlan, Profile, Then};
use crate::sim::hybrid::{Balance, LINE_TAPS};
use crate::sim::office::{OfficeError, Speech, words};
use serde::Deserialize;

/// Longest time that a key may give: an hour.
const LONGEST_MS: u64 = 3_600_000;
/// Highest impedance code.
const IMPEDANCE_MAX: u8 = 15;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Read already; here so that it is known.
    #[serde(rename = "port")]
    _port: String,
    #[serde(default)]
    profile: Name,
    cpc_ms: Option<u64>,
    dial_tone_after_ms: Option<u64>,
    release_ms: Option<u64>,
    complete_after_ms: Option<u64>,
    caller_id: Option<bool>,
    impedance: Option<u8>,
    echo: Option<Vec<f32>>,
    #[serde(rename = "destination", default)]
    destinations: Vec<To>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    #[default]
    Cpc,
    Polarity,
    Busy,
    Reorder,
    DialTone,
    None,
}

/// A destination; without a number it stands for every other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    number: Option<String>,
    answer_after_ms: Option<u64>,
    say: Option<String>,
    #[serde(default)]
    say_once: bool,
    tone_hz: Option<f32>,
    hang_up_after_s: Option<f64>,
    #[serde(default)]
    reverses_polarity: bool,
    #[serde(default)]
    busy: bool,
    #[serde(default)]
    reorder: bool,
    #[serde(default)]
    no_answer: bool,
    #[serde(default)]
    special_information: bool,
}

/// Ringback before a destination answers that gives no time for it.
const ANSWER_AFTER_MS: u64 = 6_000;

/// The port of an entry and what it says.
pub(in crate::sim) fn read(
    table: toml::Table,
    read: &impl Fn(&str) -> Result<Vec<u8>, OfficeError>,
) -> Result<(String, LinePlan), OfficeError> {
    let Some(port) = table.get("port").and_then(toml::Value::as_str).map(str::to_owned) else {
        return Err(OfficeError::Syntax("a [[line]] needs port = \"LINE1\", or another line".into()));
    };
    let refuse = |problem: String| OfficeError::Line { port: port.clone(), problem };
    let entry: Entry = table.try_into().map_err(|error: toml::de::Error| refuse(error.message().into()))?;
    let mut plan = LinePlan { profile: entry.profile().map_err(refuse)?, ..LinePlan::default() };
    plan.balance = entry.balance().map_err(refuse)?;
    let times = [
        ("dial_tone_after_ms", entry.dial_tone_after_ms, &mut plan.dial_tone_after_ms),
        ("release_ms", entry.release_ms, &mut plan.release_ms),
        ("complete_after_ms", entry.complete_after_ms, &mut plan.complete_after_ms),
    ];
    for (key, given, place) in times {
        *place = in_time(key, given.unwrap_or(*place)).map_err(refuse)?;
    }
    plan.caller_id = entry.caller_id.unwrap_or(true);
    // The table is searched from its beginning: an entry overrides the emergency operators.
    for to in entry.destinations.into_iter().rev() {
        let destination = to.destination(read, &refuse)?;
        match to.number {
            Some(number) => plan = plan.with(&number, destination),
            None => plan.otherwise = Some(destination),
        }
    }
    Ok((port, plan))
}

fn in_time(key: &str, ms: u64) -> Result<u64, String> {
    if ms <= LONGEST_MS { Ok(ms) } else { Err(format!("{key} is at most {LONGEST_MS}")) }
}

impl Entry {
    fn profile(&self) -> Result<Profile, String> {
        if self.cpc_ms.is_some() && self.profile != Name::Cpc {
            return Err("cpc_ms goes with profile = \"cpc\" only".into());
        }
        let open_ms = in_time("cpc_ms", self.cpc_ms.unwrap_or(500))?;
        Ok(match self.profile {
            Name::Cpc => Profile::Cpc { open_ms },
            Name::Polarity => Profile::Polarity,
            Name::Busy => Profile::Busy,
            Name::Reorder => Profile::Reorder,
            Name::DialTone => Profile::DialTone,
            Name::None => Profile::None,
        })
    }

    fn balance(&self) -> Result<Option<Balance>, String> {
        let impedance = self.impedance.unwrap_or(0);
        if impedance > IMPEDANCE_MAX {
            return Err(format!("impedance is a code from 0 (600 ohm) to {IMPEDANCE_MAX}"));
        }
        let echo = self.echo.clone().unwrap_or_default();
        if echo.len() > LINE_TAPS || echo.iter().any(|tap| !(-1.0..=1.0).contains(tap)) {
            return Err(format!("echo is up to {LINE_TAPS} numbers from -1 to 1"));
        }
        let given = self.impedance.is_some() || self.echo.is_some();
        Ok(given.then_some(Balance { impedance, echo }))
    }
}

impl To {
    fn destination(
        &self,
        read: &impl Fn(&str) -> Result<Vec<u8>, OfficeError>,
        refuse: &impl Fn(String) -> OfficeError,
    ) -> Result<Destination, OfficeError> {
        let name = self.number.as_deref().unwrap_or("without a number");
        let refuse = |problem: &str| refuse(format!("destination {name}: {problem}"));
        let dialable = |number: &String| {
            !number.is_empty() && number.chars().all(|sign| sign.is_ascii_digit() || sign == '*')
        };
        if !self.number.as_ref().is_none_or(dialable) {
            return Err(refuse("a number is made of 0-9 and *"));
        }
        let refusals = [
            (self.busy, Then::Busy),
            (self.reorder, Then::Reorder),
            (self.no_answer, Then::NoAnswer),
            (self.special_information, Then::SpecialInformation),
        ];
        let mut refusals = refusals.into_iter().filter(|(is, _)| *is).map(|(_, then)| then);
        let (refusal, another) = (refusals.next(), refusals.next());
        let answers = self.answer_after_ms.is_some()
            || self.say.is_some()
            || self.tone_hz.is_some()
            || self.hang_up_after_s.is_some()
            || self.reverses_polarity;
        if another.is_some() || refusal.is_some() && answers {
            return Err(refuse(
                "does one thing: busy, reorder, no_answer, special_information, or it answers",
            ));
        }
        if let Some(then) = refusal {
            return Ok(Destination::refusing(then));
        }
        let ringback_ms = in_time("answer_after_ms", self.answer_after_ms.unwrap_or(ANSWER_AFTER_MS));
        Ok(Destination {
            ringback_ms: ringback_ms.map_err(|problem| refuse(&problem))?,
            then: Then::Answers {
                speech: self.speech(read, &refuse)?,
                hang_up_after_ms: self.hang_up_after_ms().map_err(refuse)?,
            },
            reverses_polarity_on_answer: self.reverses_polarity,
        })
    }

    fn hang_up_after_ms(&self) -> Result<Option<u64>, &'static str> {
        match self.hang_up_after_s {
            Some(s) if !(0.1..=86_400.0).contains(&s) => Err("hang_up_after_s is 0.1 to 86400"),
            s => Ok(s.map(|s| (s * 1000.0) as u64)),
        }
    }

    fn speech(
        &self,
        read: &impl Fn(&str) -> Result<Vec<u8>, OfficeError>,
        refuse: &impl Fn(&str) -> OfficeError,
    ) -> Result<Speech, OfficeError> {
        match (&self.say, self.tone_hz) {
            (Some(_), Some(_)) => Err(refuse("has both say and tone_hz; choose one")),
            (Some(name), None) => Ok(Speech::Words { samples: words(name, read)?, repeat: !self.say_once }),
            (None, Some(hz)) if (50.0..3900.0).contains(&hz) => Ok(Speech::Tone { hz, peak: 8000.0 }),
            (None, Some(_)) => Err(refuse("tone_hz is 50 to 3900")),
            (None, None) => Ok(Speech::Silence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;
    use crate::sim::office::Office;
    use std::sync::Arc;

    fn parse(text: &str) -> Result<Office, OfficeError> {
        Office::parse(text, |name| match name {
            "hello.wav" => Ok(wav::encode(&[1, 2, 3])),
            _ => Err(OfficeError::File { file: name.into(), problem: "not found".into() }),
        })
    }

    #[test]
    fn a_line_without_an_entry_is_one_with_calling_party_control_and_emergency_operators() {
        let plan = parse("").unwrap().line("LINE1");
        assert_eq!(plan, LinePlan::default());
        assert_eq!(plan.profile, Profile::Cpc { open_ms: 500 });
        let numbers: Vec<_> = plan.destinations.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers, ["911", "933", "112"]);
    }

    #[test]
    fn an_entry_says_how_the_line_is_treated_and_who_can_be_called() {
        let plan = parse(
            "[[line]]\nport = \"LINE1\"\nprofile = \"dial_tone\"\ndial_tone_after_ms = 900\nrelease_ms = 600\n\
             complete_after_ms = 5000\ncaller_id = false\nimpedance = 2\necho = [0.1, -0.05]\n\
             [[line.destination]]\nnumber = \"5550142\"\nanswer_after_ms = 3000\nsay = \"hello.wav\"\n\
             hang_up_after_s = 2.5\nreverses_polarity = true\n\
             [[line.destination]]\nnumber = \"911\"\nbusy = true\n\
             [[line.destination]]\nspecial_information = true\n",
        )
        .unwrap()
        .line("LINE1");
        assert_eq!(plan.profile, Profile::DialTone);
        assert_eq!((plan.dial_tone_after_ms, plan.release_ms, plan.complete_after_ms), (900, 600, 5000));
        assert_eq!(plan.balance, Some(Balance { impedance: 2, echo: vec![0.1, -0.05] }));
        assert!(!plan.caller_id);
        let country = super::super::Country::north_america();
        let speech = Speech::Words { samples: Arc::from([1, 2, 3]), repeat: true };
        let answers = Then::Answers { speech, hang_up_after_ms: Some(2500) };
        assert_eq!(
            plan.destination("5550142", &country),
            Destination { ringback_ms: 3000, then: answers, reverses_polarity_on_answer: true }
        );
        assert_eq!(plan.destination("911", &country).then, Then::Busy);
        assert_eq!(plan.destination("7", &country).then, Then::SpecialInformation);
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (line, says) in [
            ("profil = \"cpc\"", "line LINE1: unknown field `profil`, expected one of `port`, `profile`"),
            ("profile = \"kewl\"", "line LINE1: unknown variant `kewl`, expected one of `cpc`"),
            ("profile = \"busy\"\ncpc_ms = 9", "line LINE1: cpc_ms goes with profile = \"cpc\" only"),
            ("release_ms = 3600001", "line LINE1: release_ms is at most"),
            ("impedance = 16", "line LINE1: impedance is a code"),
            ("echo = [2.0]", "line LINE1: echo is up to 8"),
            ("destination = [{ number = \"1\", bussy = true }]", "line LINE1: unknown field `bussy`"),
            (
                "destination = [{ number = \"1\", busy = true, say = \"hello.wav\" }]",
                "line LINE1: destination 1: does one",
            ),
            ("destination = [{ number = \"+1\" }]", "line LINE1: destination +1: a number is made of"),
            ("destination = [{ say = \"bye.wav\" }]", "bye.wav: not found"),
        ] {
            let error = parse(&format!("[[line]]\nport = \"LINE1\"\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        let twice = parse("[[line]]\nport = \"LINE1\"\n[[line]]\nport = \"LINE1\"\n").unwrap_err();
        assert_eq!(twice.to_string(), "line LINE1: has two entries");
        assert!(parse("[[line]]\n").unwrap_err().to_string().contains("needs port"));
    }
}
