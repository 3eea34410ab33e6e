//! What a line has shown of itself: the signals with which its exchange ended calls.
//!
//! Learning never lowers what a signal has to show: three cycles of busy stay three cycles, however often the line has
//! ended calls with them. A speaker who is cut off is worse than a line that is held for a second more, and a recording
//! with a tone in it sounds the same on every line. What learning does:
//!
//! - a line that has ended three calls by CPC or reversal and none by a tone lets a tone wait
//!   ([`super::supervision::DOUBT_MS`]): the exchange would have said it otherwise, so the tone may be one that somebody
//!   plays. Who talks in that time refutes it; a call that does end so ends all doubt from then on;
//! - a line that has reversed on answer twice is believed when it does so again, and one whose reversals have ended two
//!   calls is believed on calls that come in as well;
//! - a line that has ended three calls in other ways and none by CPC is taken to be unplugged when its battery goes.
//!
//! A wrong lesson does little harm: it brings a line back to what every new line does.

use super::HangUp;
use serde::{Deserialize, Serialize};

/// Calls after which a habit is one where it makes a signal count less.
const HABIT: u16 = 3;
/// Calls after which a reversal is trusted.
const TRUST: u16 = 2;

/// How often a signal has ended a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// Calls.
    pub calls: u16,
    /// Milliseconds of the last one, as told in [`super::Command::Learned`].
    pub last_ms: u64,
}

/// What one line has shown. Stored with the line; a line that is moved to another jack starts with nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learned {
    /// Loop opened, and closed again.
    pub cpc: Lesson,
    /// Polarity turned back.
    pub polarity: Lesson,
    /// Busy tone.
    pub busy: Lesson,
    /// Reorder tone.
    pub reorder: Lesson,
    /// Dial tone.
    pub dial_tone: Lesson,
    /// Key D.
    pub key_d: Lesson,
    /// Calls whose answer reversed the polarity, since a ringback was last heard behind a reversal.
    pub answers: u16,
}

impl Learned {
    /// Takes a lesson; what teaches nothing (silence, the cap) is left out.
    pub fn ended(&mut self, how: HangUp, ms: u64) {
        if let Some(lesson) = self.lesson(how) {
            *lesson = Lesson { calls: lesson.calls.saturating_add(1), last_ms: ms };
        }
    }

    /// A reversal came with an answer.
    pub fn reversed_on_answer(&mut self) {
        self.answers = self.answers.saturating_add(1);
    }

    /// A reversal was none: the called phone rang on.
    pub fn reversed_for_nothing(&mut self) {
        self.answers = 0;
    }

    /// Whether a hang-up of this kind is a lesson.
    pub(super) fn is_lesson(how: HangUp) -> bool {
        Self::default().lesson(how).is_some()
    }

    /// Whether a reversal while the called phone rings is an answer.
    pub(super) const fn trusts_answers(&self) -> bool {
        self.answers >= TRUST
    }

    /// Whether a reversal ends a call that came in.
    pub(super) const fn trusts_polarity(&self) -> bool {
        self.polarity.calls >= TRUST
    }

    /// Whether a tone is unusual for the end of a call.
    pub(super) const fn doubts_tones(&self) -> bool {
        (self.cpc.calls >= HABIT || self.polarity.calls >= HABIT) && self.tones() == 0
    }

    /// Whether the loss of the battery is unusual for the end of a call.
    pub(super) const fn doubts_cpc(&self) -> bool {
        self.cpc.calls == 0 && (self.polarity.calls >= HABIT || self.tones() >= HABIT)
    }

    const fn tones(&self) -> u16 {
        self.busy.calls.saturating_add(self.reorder.calls).saturating_add(self.dial_tone.calls)
    }

    const fn lesson(&mut self, how: HangUp) -> Option<&mut Lesson> {
        match how {
            HangUp::Cpc => Some(&mut self.cpc),
            HangUp::Polarity => Some(&mut self.polarity),
            HangUp::Busy => Some(&mut self.busy),
            HangUp::Reorder => Some(&mut self.reorder),
            HangUp::DialTone => Some(&mut self.dial_tone),
            HangUp::KeyD => Some(&mut self.key_d),
            HangUp::SpecialInformation | HangUp::Silence | HangUp::Cap => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(how: HangUp, calls: u16) -> Learned {
        let mut learned = Learned::default();
        (0..calls).for_each(|_| learned.ended(how, 500));
        learned
    }

    #[test]
    fn tones_are_doubted_on_a_line_that_never_needed_them_and_one_of_them_ends_the_doubt() {
        assert!(!after(HangUp::Cpc, 2).doubts_tones());
        let mut learned = after(HangUp::Cpc, 3);
        assert!(learned.doubts_tones() && !learned.doubts_cpc());
        learned.ended(HangUp::Reorder, 1_500);
        assert!(!learned.doubts_tones());
    }

    #[test]
    fn a_lost_battery_is_doubted_on_a_line_that_ends_calls_otherwise() {
        assert!(!Learned::default().doubts_cpc() && !after(HangUp::Busy, 2).doubts_cpc());
        let mut learned = after(HangUp::Busy, 3);
        assert!(learned.doubts_cpc());
        learned.ended(HangUp::Cpc, 500);
        assert!(!learned.doubts_cpc());
    }

    #[test]
    fn two_answers_make_a_reversal_one_and_a_ringback_behind_it_unmakes_it() {
        let mut learned = Learned::default();
        learned.reversed_on_answer();
        assert!(!learned.trusts_answers());
        learned.reversed_on_answer();
        assert!(learned.trusts_answers());
        learned.reversed_for_nothing();
        assert!(!learned.trusts_answers());
    }

    #[test]
    fn silence_and_the_cap_teach_nothing() {
        for how in [HangUp::Silence, HangUp::Cap, HangUp::SpecialInformation] {
            assert_eq!(after(how, 5), Learned::default());
            assert!(!Learned::is_lesson(how));
        }
        assert!(Learned::is_lesson(HangUp::Cpc));
    }
}
