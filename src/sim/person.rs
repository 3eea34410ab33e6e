//! A person at a phone, following a [`Script`].
//!
//! ```text
//! Waiting ──n-th burst──> Reaching ──delay──> Talking ──done, or hung up on──> Leaving ──> Waiting
//!    ^                        │ ringing stopped                                  reaction
//!    └────────────────────────┘
//! ```

use super::office::Script;
use super::supervision::HungUpOn;
use super::voice::Voice;

/// Silence of the ringer after which a call is over for the person: longer than the pause of any cadence.
const RINGING_OVER_MS: u64 = 5_000;
/// From noticing to the handset in its cradle.
const REACTION_MS: u64 = 300;
/// A key is held this long, and so is the pause after it (Q.24 asks for 40 ms each).
const KEY_MS: u64 = 100;
/// Peak of each of the two frequencies of a key.
const KEY_PEAK: f32 = 6000.0;
/// The key-pad, row by row.
const KEYS: &str = "123A456B789C*0#D";

/// What a person does to the hook switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Lifts the handset.
    Lift,
    /// Puts it down.
    HangUp,
}

/// What a person perceives in one millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub struct Perception {
    /// The phone began a burst.
    pub burst_started: bool,
    /// The phone rings.
    pub ringing: bool,
    /// The far end is gone.
    pub hung_up_on: Option<HungUpOn>,
}

/// One person.
#[derive(Clone, Debug)]
pub struct Person {
    script: Script,
    state: State,
    rings: u32,
    last_ring_ms: u64,
    voice: Voice,
    /// Keys pressed outside of the script, and since when.
    pressed: Option<(u64, String)>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    Reaching { until_ms: u64 },
    Talking { since_ms: u64 },
    Leaving { until_ms: u64 },
}

impl Person {
    /// A person who follows `script`.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self {
            script,
            state: State::Waiting,
            rings: 0,
            last_ring_ms: 0,
            voice: Voice::default(),
            pressed: None,
        }
    }

    /// The script.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Follows another script from the next call on.
    pub fn learn(&mut self, script: Script) {
        self.script = script;
    }

    /// Lets a millisecond pass.
    pub fn tick(&mut self, seen: Perception, now_ms: u64) -> Option<Act> {
        if seen.burst_started {
            self.rings += 1;
        }
        if seen.ringing {
            self.last_ring_ms = now_ms;
        }
        let ringing_over = now_ms > self.last_ring_ms + RINGING_OVER_MS;
        match self.state {
            State::Waiting => {
                if ringing_over {
                    self.rings = 0;
                }
                let answer =
                    self.script.answer.filter(|answer| seen.burst_started && self.rings == answer.rings)?;
                self.state = State::Reaching { until_ms: now_ms + answer.delay_ms };
                None
            }
            State::Reaching { .. } if ringing_over => {
                self.state = State::Waiting;
                None
            }
            State::Reaching { until_ms } if now_ms >= until_ms => {
                self.lifted(now_ms);
                Some(Act::Lift)
            }
            State::Talking { since_ms } => {
                let had_enough = self.script.hang_up_after_ms.is_some_and(|ms| now_ms >= since_ms + ms);
                if had_enough || seen.hung_up_on.is_some() {
                    let reaction_ms = if had_enough { 0 } else { REACTION_MS };
                    self.state = State::Leaving { until_ms: now_ms + reaction_ms };
                }
                None
            }
            State::Leaving { until_ms } if now_ms >= until_ms => {
                self.hung_up();
                Some(Act::HangUp)
            }
            State::Reaching { .. } | State::Leaving { .. } => None,
        }
    }

    /// The handset was lifted.
    pub fn lifted(&mut self, now_ms: u64) {
        self.state = State::Talking { since_ms: now_ms };
        (self.rings, self.voice) = (0, Voice::default());
    }

    /// The handset was put down.
    pub fn hung_up(&mut self) {
        self.state = State::Waiting;
        self.rings = 0;
        self.pressed = None;
    }

    /// Presses keys from now on, one after the other; a handset that is down sends none.
    pub fn press(&mut self, digits: &str, now_ms: u64) {
        self.pressed = Some((now_ms, digits.chars().filter(|key| KEYS.contains(*key)).collect()));
    }

    /// Speaks or presses keys for one millisecond, or the part of it that `said` is long.
    pub fn say(&mut self, said: &mut [i16], now_ms: u64) {
        said.fill(0);
        let State::Talking { since_ms } = self.state else { return };
        let elapsed_ms = now_ms.saturating_sub(since_ms);
        let scripted = self
            .script
            .keys
            .iter()
            .find_map(|(at_ms, digits)| key_at(digits, elapsed_ms.checked_sub(*at_ms)?));
        let unscripted = || {
            self.pressed.as_ref().and_then(|(from_ms, digits)| key_at(digits, now_ms.checked_sub(*from_ms)?))
        };
        match scripted.or_else(unscripted) {
            Some(Some(hz)) => self.voice.sound(hz, KEY_PEAK, said),
            // The pause after a key: the phone mutes the mouthpiece.
            Some(None) => {}
            None if elapsed_ms >= self.script.say_after_ms => self.voice.speak(&self.script.speech, said),
            None => {}
        }
    }
}

/// The key that is held `elapsed_ms` after the first one was pressed, `Some(None)` in the pause after a key, `None` when
/// all have been pressed.
fn key_at(digits: &str, elapsed_ms: u64) -> Option<Option<[f32; 2]>> {
    let key = digits.chars().nth(usize::try_from(elapsed_ms / (2 * KEY_MS)).ok()?)?;
    Some((elapsed_ms % (2 * KEY_MS) < KEY_MS).then(|| key_hz(key)))
}

/// The two frequencies of a key (ITU-T Q.23).
fn key_hz(key: char) -> [f32; 2] {
    let place = KEYS.find(key).unwrap_or_default();
    [[697.0, 770.0, 852.0, 941.0][place / 4], [1209.0, 1336.0, 1477.0, 1633.0][place % 4]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::office::Answer;

    fn person(script: Script) -> Person {
        Person::new(Script { answer: Some(Answer { rings: 2, delay_ms: 500 }), ..script })
    }

    /// Rings 2 s on, 4 s off, `bursts` times; gives what the person did and when.
    fn ring(person: &mut Person, bursts: u64, from_ms: u64) -> Vec<(u64, Act)> {
        let mut acts = Vec::new();
        for ms in 0..20_000 {
            let ringing = ms / 6000 < bursts && ms % 6000 < 2000;
            let seen =
                Perception { burst_started: ringing && ms % 6000 == 0, ringing, ..Perception::default() };
            acts.extend(person.tick(seen, from_ms + ms).map(|act| (ms, act)));
        }
        acts
    }

    #[test]
    fn the_second_burst_is_answered() {
        assert_eq!(ring(&mut person(Script::default()), 3, 0), [(6500, Act::Lift)]);
    }

    #[test]
    fn two_calls_of_one_burst_are_not() {
        let mut person = person(Script::default());
        assert_eq!(ring(&mut person, 1, 0), []);
        assert_eq!(ring(&mut person, 1, 20_000), []);
    }

    #[test]
    fn being_hung_up_on_ends_the_call_after_a_moment() {
        let mut person = person(Script::default());
        person.lifted(0);
        let gone = Perception { hung_up_on: Some(HungUpOn::DeadLoop), ..Perception::default() };
        let act = (1..1000).find_map(|ms| {
            let seen = if ms == 100 { gone } else { Perception::default() };
            person.tick(seen, ms).map(|act| (ms, act))
        });
        assert_eq!(act, Some((400, Act::HangUp)));
    }

    #[test]
    fn keys_sound_one_after_the_other() {
        let mut person = person(Script { keys: vec![(50, "1#".into())], ..Script::default() });
        person.lifted(0);
        let mut said = [0; 8];
        let sounding: Vec<bool> = (0..500)
            .map(|ms| {
                person.say(&mut said, ms);
                said.iter().any(|&s| s != 0)
            })
            .collect();
        let from_to = |a, b| sounding[a..b].iter().all(|&s| s);
        assert!(from_to(50, 150) && from_to(250, 350));
        assert_eq!(sounding.iter().filter(|&&s| s).count(), 200);
    }
}
