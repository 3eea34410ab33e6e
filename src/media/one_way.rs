//! Audio that goes one way only: a leg is silent although the other one talks.
//!
//! ```text
//!   Fine --a leg silent for SILENT_PERIODS, voice on the other meanwhile--> OneWay(leg)
//!    ^--------------------------HEARD_PERIODS with sound--------------------'
//! ```
//! Behind it is most often a translator or a firewall between trunk and box, or a broken handset.

use super::tap::Leg;
use crate::audio::meter::{Energy, SILENCE_DBM0, VOICE_DBM0};

/// A leg without sound for 10 s is suspicious, ...
const SILENT_PERIODS: u32 = 1_000;
/// ... if the other talked for at least 1 s of them.
const VOICE_PERIODS: u32 = 100;
/// Sound for 200 ms ends the alarm: a click does not.
const HEARD_PERIODS: u32 = 20;

/// The silence of one leg.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    /// Periods since the last sound.
    periods: u32,
    /// Periods among them in which the other leg talked.
    answered: u32,
    /// Periods of sound in a row.
    heard: u32,
}

/// Watches both legs of one call.
#[derive(Debug)]
pub(super) struct OneWay {
    silent_below: Energy,
    voice_from: Energy,
    caller: Silence,
    office: Silence,
    alarm: Option<Leg>,
}

impl Default for OneWay {
    fn default() -> Self {
        Self {
            silent_below: Energy::from_dbm0(SILENCE_DBM0),
            voice_from: Energy::from_dbm0(VOICE_DBM0),
            caller: Silence::default(),
            office: Silence::default(),
            alarm: None,
        }
    }
}

impl OneWay {
    /// Takes the energy of both legs in one period; tells when the silent leg is another one than before.
    #[inline]
    pub(super) fn hear(&mut self, caller: Energy, office: Energy) -> Option<Option<Leg>> {
        let is_voice = (caller >= self.voice_from, office >= self.voice_from);
        let caller_is = self.caller.pass(caller < self.silent_below, is_voice.1);
        let office_is = self.office.pass(office < self.silent_below, is_voice.0);
        let alarm = match self.alarm {
            Some(Leg::Caller) if self.caller.heard < HEARD_PERIODS => return None,
            Some(Leg::Office) if self.office.heard < HEARD_PERIODS => return None,
            Some(Leg::Caller | Leg::Office) => None,
            None if caller_is => Some(Leg::Caller),
            None if office_is => Some(Leg::Office),
            None => return None,
        };
        self.forget();
        self.alarm = alarm;
        Some(alarm)
    }

    /// Silence is meant: the call is held, or a fax.
    pub(super) fn forget(&mut self) {
        (self.caller, self.office) = (Silence::default(), Silence::default());
    }
}

impl Silence {
    /// One period; whether the silence is suspicious.
    #[inline]
    fn pass(&mut self, is_silent: bool, other_talks: bool) -> bool {
        if !is_silent {
            *self = Self { heard: self.heard.saturating_add(1), ..Self::default() };
            return false;
        }
        self.heard = 0;
        self.periods = self.periods.saturating_add(1);
        self.answered = self.answered.saturating_add(u32::from(other_talks));
        self.periods >= SILENT_PERIODS && self.answered >= VOICE_PERIODS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: f32 = -20.0;
    const NOTHING: f32 = -70.0;

    /// What was told in `periods` of these levels, with the period it was told in.
    fn listen(watch: &mut OneWay, caller: f32, office: f32, periods: u32) -> Vec<(u32, Option<Leg>)> {
        let energies = (Energy::from_dbm0(caller), Energy::from_dbm0(office));
        (0..periods).filter_map(|n| Some((n, watch.hear(energies.0, energies.1)?))).collect()
    }

    #[test]
    fn ten_seconds_without_the_caller_are_told_once_and_so_is_their_end() {
        let mut watch = OneWay::default();
        assert_eq!(listen(&mut watch, NOTHING, TALK, 5_000), [(999, Some(Leg::Caller))]);
        assert_eq!(listen(&mut watch, TALK, NOTHING, 500), [(19, None)]);
    }

    #[test]
    fn an_office_that_is_not_heard_is_told_too() {
        let mut watch = OneWay::default();
        assert_eq!(listen(&mut watch, TALK, NOTHING, 1_001), [(999, Some(Leg::Office))]);
    }

    #[test]
    fn two_silent_sides_are_a_pause_and_no_alarm() {
        let mut watch = OneWay::default();
        assert_eq!(listen(&mut watch, NOTHING, NOTHING, 20_000), []);
        // Who then begins to talk is not accused at once.
        assert_eq!(listen(&mut watch, NOTHING, TALK, 99), []);
        assert_eq!(listen(&mut watch, NOTHING, TALK, 1), [(0, Some(Leg::Caller))]);
    }

    #[test]
    fn people_who_talk_in_turns_raise_no_alarm() {
        let mut watch = OneWay::default();
        for _ in 0..50 {
            assert_eq!(listen(&mut watch, TALK, NOTHING, 900), []);
            assert_eq!(listen(&mut watch, NOTHING, TALK, 900), []);
        }
    }

    #[test]
    fn a_click_does_not_end_the_alarm() {
        let mut watch = OneWay::default();
        listen(&mut watch, NOTHING, TALK, 1_000);
        assert_eq!(listen(&mut watch, TALK, TALK, 5), []);
        assert_eq!(listen(&mut watch, NOTHING, TALK, 500), []);
    }
}
