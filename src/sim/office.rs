//! `office.toml`: what the people at the simulated phones do, and how the exchange treats the office lines. A tester may
//! change it without touching the code.

use super::exchange::{self, LinePlan};
use super::hybrid::EchoPath;
use crate::audio::wav;
use crate::board::Profile;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// Longest speech of a person: 10 minutes.
const SPEECH_SAMPLES_MAX: usize = 600 * 8000;
/// Longest time that phones keep their audio for inspection.
const KEEP_AUDIO_S_MAX: u32 = 600;
/// The name that stands for every phone without an entry of its own.
const EVERY_OTHER: &str = "*";

/// The behaviour of every phone and every office line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Office {
    /// Seconds of audio that each phone keeps for inspection.
    pub keep_audio_s: u32,
    phones: Vec<(String, Script)>,
    lines: Vec<(String, LinePlan)>,
    /// Whether the contacts of the lifeline relay are wired: while it is released the phone is on the line.
    pub lifeline_contacts: bool,
    /// When somebody presses the button of the box.
    pub presses: Vec<Press>,
}

/// A press of the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// Milliseconds after the start of the box.
    pub at_ms: u64,
    /// How long it is held, ms.
    pub hold_ms: u64,
}

/// The behaviour of one phone and its person.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// When the handset is lifted; `None`: never.
    pub answer: Option<Answer>,
    /// What the person says.
    pub speech: Speech,
    /// Milliseconds from lifting to the first word.
    pub say_after_ms: u64,
    /// Milliseconds from lifting to hanging up; `None`: when hung up on.
    pub hang_up_after_ms: Option<u64>,
    /// Keys pressed, ms after lifting.
    pub keys: Vec<(u64, String)>,
    /// Ringer equivalence number.
    pub ren: f32,
    /// Echo path of the loop.
    pub echo: EchoPath,
}

/// A phone nobody answers.
impl Default for Script {
    fn default() -> Self {
        Self {
            answer: None,
            speech: Speech::Silence,
            say_after_ms: 0,
            hang_up_after_ms: None,
            keys: Vec::new(),
            ren: 1.0,
            echo: EchoPath::ideal(),
        }
    }
}

/// When a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Ring bursts, 1 or more.
    pub rings: u32,
    /// Milliseconds from the start of the last of them.
    pub delay_ms: u64,
}

/// What a person says.
#[derive(Clone, Debug, PartialEq)]
pub enum Speech {
    /// Nothing.
    Silence,
    /// A continuous tone.
    Tone {
        /// Frequency.
        hz: f32,
        /// Peak, in samples.
        peak: f32,
    },
    /// Recorded speech at 8 kHz.
    Words {
        /// Samples.
        samples: Arc<[i16]>,
        /// Whether it starts again at its end.
        repeat: bool,
    },
}

/// Why an office was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfficeError {
    /// The file cannot be read, or a file that it names.
    #[error("{file}: {problem}")]
    File {
        /// Path as given.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// Not TOML, or a key is unknown or of the wrong type; the text shows the place.
    #[error("the office cannot be read: {0}")]
    Syntax(String),
    /// A value makes no sense.
    #[error("phone {port}: {problem}")]
    Value {
        /// The phone's port.
        port: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The same of an office line.
    #[error("line {port}: {problem}")]
    Line {
        /// The line's port.
        port: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keep_audio_s: u32,
    #[serde(rename = "phone", default)]
    phones: Vec<Entry>,
    /// Read one by one, so that a mistake is named with its line.
    #[serde(rename = "line", default)]
    lines: Vec<toml::Table>,
    #[serde(default)]
    lifeline_contacts: bool,
    #[serde(rename = "press", default)]
    presses: Vec<Press>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    port: String,
    answer_after_rings: Option<u32>,
    #[serde(default = "default_answer_delay_ms")]
    answer_delay_ms: u64,
    say: Option<String>,
    #[serde(default)]
    say_once: bool,
    tone_hz: Option<f32>,
    #[serde(default = "default_say_after_ms")]
    say_after_ms: u64,
    hang_up_after_s: Option<f64>,
    #[serde(default)]
    keys: Vec<Keys>,
    #[serde(default = "default_ren")]
    ren: f32,
    echo: Option<Echo>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    at_ms: u64,
    digits: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    #[serde(default)]
    delay_ms: f32,
    loss_db: Option<f32>,
    taps: Option<Vec<f32>>,
}

fn default_answer_delay_ms() -> u64 {
    2500
}

fn default_say_after_ms() -> u64 {
    500
}

fn default_ren() -> f32 {
    1.0
}

impl Office {
    /// Reads the office that a simulated board names; `profile_path` is where the profile was read.
    ///
    /// # Errors
    /// [`OfficeError`] names the file, the phone and the remedy.
    pub fn of_board(profile: &Profile, profile_path: &Path) -> Result<Self, OfficeError> {
        let Some(sim) = &profile.sim else {
            let problem = "is not a simulated board: it has no [sim] table".into();
            return Err(OfficeError::File { file: profile_path.display().to_string(), problem });
        };
        Self::load(&profile_path.with_file_name(&sim.office))
    }

    /// Reads an office and the speech that it names; paths in it are relative to it.
    ///
    /// # Errors
    /// [`OfficeError`] names the file, the phone and the remedy.
    pub fn load(path: &Path) -> Result<Self, OfficeError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|e| OfficeError::File { file: path.display().to_string(), problem: e.to_string() })
        };
        let bytes = read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, |name| read(&folder.join(name)))
    }

    /// Parses an office; `read` gives the content of the files that it names.
    ///
    /// # Errors
    /// [`OfficeError`] names the phone and the remedy.
    pub fn parse(
        text: &str,
        read: impl Fn(&str) -> Result<Vec<u8>, OfficeError>,
    ) -> Result<Self, OfficeError> {
        let mut file: File = toml::from_str(text).map_err(|e| OfficeError::Syntax(e.to_string()))?;
        if file.keep_audio_s > KEEP_AUDIO_S_MAX {
            return Err(OfficeError::Syntax(format!("keep_audio_s is at most {KEEP_AUDIO_S_MAX}")));
        }
        let mut phones: Vec<(String, Script)> = Vec::new();
        for entry in std::mem::take(&mut file.phones) {
            let port = entry.port.clone();
            if phones.iter().any(|(other, _)| *other == port) {
                return Err(OfficeError::Value { port, problem: "has two entries".into() });
            }
            phones.push((port, entry.script(&read)?));
        }
        let mut lines: Vec<(String, LinePlan)> = Vec::new();
        for table in std::mem::take(&mut file.lines) {
            let (port, plan) = exchange::read_entry(table, &read)?;
            if lines.iter().any(|(other, _)| *other == port) {
                return Err(OfficeError::Line { port, problem: "has two entries".into() });
            }
            lines.push((port, plan));
        }
        let File { keep_audio_s, lifeline_contacts, presses, .. } = file;
        Ok(Self { keep_audio_s, phones, lines, lifeline_contacts, presses })
    }

    /// An office that nobody is in; its phones keep `keep_audio_s` seconds of audio.
    #[must_use]
    pub fn empty(keep_audio_s: u32) -> Self {
        Self { keep_audio_s, ..Self::default() }
    }

    /// An office in which the phone on `port` does as the script says.
    #[must_use]
    pub fn with(mut self, port: &str, script: Script) -> Self {
        self.phones.push((port.into(), script));
        self
    }

    /// An office whose line on `port` is treated as the plan says.
    #[must_use]
    pub fn with_line(mut self, port: &str, plan: LinePlan) -> Self {
        self.lines.push((port.into(), plan));
        self
    }

    /// How the line on `port` is treated: its own entry, else that of `"*"`, else as by default.
    #[must_use]
    pub fn line(&self, port: &str) -> LinePlan {
        let named = |name: &str| self.lines.iter().find(|(port, _)| port == name);
        named(port).or_else(|| named(EVERY_OTHER)).map(|(_, plan)| plan.clone()).unwrap_or_default()
    }

    /// The behaviour of the phone on `port`: its own entry, else that of `"*"`, else nobody answers.
    #[must_use]
    pub fn script(&self, port: &str) -> Script {
        let named = |name: &str| self.phones.iter().find(|(port, _)| port == name);
        named(port).or_else(|| named(EVERY_OTHER)).map(|(_, script)| script.clone()).unwrap_or_default()
    }

    /// The lines that have an entry of their own.
    pub fn line_ports(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(port, _)| port.as_str()).filter(|port| *port != EVERY_OTHER)
    }

    /// The phones that have an entry of their own.
    pub fn ports(&self) -> impl Iterator<Item = &str> {
        self.phones.iter().map(|(port, _)| port.as_str()).filter(|port| *port != EVERY_OTHER)
    }
}

impl Entry {
    fn script(self, read: &impl Fn(&str) -> Result<Vec<u8>, OfficeError>) -> Result<Script, OfficeError> {
        let refuse = |problem: &str| OfficeError::Value { port: self.port.clone(), problem: problem.into() };
        let answer = match self.answer_after_rings {
            Some(0) => {
                return Err(refuse(
                    "answer_after_rings starts at 1; leave it out for a phone nobody answers",
                ));
            }
            rings => rings.map(|rings| Answer { rings, delay_ms: self.answer_delay_ms }),
        };
        let speech = match (&self.say, self.tone_hz) {
            (Some(_), Some(_)) => return Err(refuse("has both say and tone_hz; choose one")),
            (Some(name), None) => Speech::Words { samples: words(name, read)?, repeat: !self.say_once },
            (None, Some(hz)) if (50.0..3900.0).contains(&hz) => Speech::Tone { hz, peak: 8000.0 },
            (None, Some(_)) => return Err(refuse("tone_hz is 50 to 3900")),
            (None, None) => Speech::Silence,
        };
        if self.keys.iter().any(|keys| keys.digits.chars().any(|key| !"0123456789*#ABCD".contains(key))) {
            return Err(refuse("keys are 0-9, *, #, A-D"));
        }
        if !(0.0..=20.0).contains(&self.ren) {
            return Err(refuse("ren is 0 to 20"));
        }
        let hang_up_after_ms = match self.hang_up_after_s {
            Some(s) if !(0.1..=86_400.0).contains(&s) => {
                return Err(refuse("hang_up_after_s is 0.1 to 86400"));
            }
            s => s.map(|s| (s * 1000.0) as u64),
        };
        let echo = self.echo.as_ref().map_or(Some(EchoPath::ideal()), Echo::path);
        let echo = echo.ok_or_else(|| refuse("echo wants loss_db or taps, and ends within 64 ms"))?;
        let keys = self.keys.iter().map(|keys| (keys.at_ms, keys.digits.clone())).collect();
        Ok(Script {
            answer,
            speech,
            say_after_ms: self.say_after_ms,
            hang_up_after_ms,
            keys,
            ren: self.ren,
            echo,
        })
    }
}

impl Echo {
    fn path(&self) -> Option<EchoPath> {
        let delay_samples = (self.delay_ms.clamp(0.0, 1000.0) * 8.0) as usize;
        match (self.loss_db, &self.taps) {
            (Some(loss_db), None) => EchoPath::reflection(delay_samples, loss_db),
            (None, Some(taps)) => {
                let late = std::iter::repeat_n(0.0, delay_samples).chain(taps.iter().copied());
                EchoPath::impulse_response(late.collect())
            }
            _ => None,
        }
    }
}

pub(super) fn words(
    name: &str,
    read: &impl Fn(&str) -> Result<Vec<u8>, OfficeError>,
) -> Result<Arc<[i16]>, OfficeError> {
    let refuse = |problem: String| OfficeError::File { file: name.into(), problem };
    let samples = wav::decode(&read(name)?).map_err(|e| refuse(e.to_string()))?;
    if samples.is_empty() || samples.len() > SPEECH_SAMPLES_MAX {
        return Err(refuse(format!("{} samples; 1 sample to 10 minutes are possible", samples.len())));
    }
    Ok(samples.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Office, OfficeError> {
        Office::parse(text, |name| match name {
            "hello.wav" => Ok(wav::encode(&[1, 2, 3])),
            _ => Err(OfficeError::File { file: name.into(), problem: "not found".into() }),
        })
    }

    #[test]
    fn a_phone_with_an_entry_does_as_it_says_and_the_others_as_the_star() {
        let office = parse(
            "[[phone]]\nport = \"PHONE1\"\nanswer_after_rings = 2\nsay = \"hello.wav\"\n\
             keys = [{ at_ms = 900, digits = \"12#\" }]\n[[phone]]\nport = \"*\"\ntone_hz = 440.0\n",
        )
        .unwrap();
        let first = office.script("PHONE1");
        assert_eq!(first.answer, Some(Answer { rings: 2, delay_ms: 2500 }));
        assert_eq!(first.speech, Speech::Words { samples: Arc::from([1, 2, 3]), repeat: true });
        assert_eq!(first.keys, [(900, "12#".to_string())]);
        assert_eq!(office.script("PHONE7").speech, Speech::Tone { hz: 440.0, peak: 8000.0 });
        assert_eq!(office.ports().collect::<Vec<_>>(), ["PHONE1"]);
    }

    #[test]
    fn a_mistake_is_named_with_its_phone_or_file() {
        for (line, says) in [
            ("answer_after_rings = 0", "phone PHONE1: answer_after_rings starts at 1"),
            ("say = \"bye.wav\"", "bye.wav: not found"),
            ("say = \"hello.wav\"\ntone_hz = 440.0", "phone PHONE1: has both say and tone_hz"),
            ("keys = [{ at_ms = 1, digits = \"1x\" }]", "phone PHONE1: keys are"),
            ("echo = { delay_ms = 70.0, loss_db = 6.0 }", "phone PHONE1: echo wants"),
            ("answer = 2", "the office cannot be read: TOML parse error at line 3"),
        ] {
            let error = parse(&format!("[[phone]]\nport = \"PHONE1\"\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn the_offices_that_come_with_the_boards_are_good() {
        for board in ["sim", "sim24"] {
            let path = format!("{}/board/{board}/office.toml", env!("CARGO_MANIFEST_DIR"));
            Office::load(Path::new(&path)).unwrap();
        }
    }
}
