//! Which office line a call gets that goes out.
//!
//! | a line that | anybody | an emergency |
//! |---|---|---|
//! | is free | gets it | gets it |
//! | is being tested | gets it if none is free: the test gives way | the same |
//! | is held by a call, or off hook for a telephone beside the box | | takes it if none of those is left |
//! | is held by an emergency call | | |
//! | rings | | |
//! | has no battery, or a chip that is down | | |
//!
//! Of several lines that are alike the first one is given.

use super::fxo::{Fxo, Urgency};
use crate::id::PortId;

/// An office line as a call that needs one finds it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The line.
    pub line: PortId,
    /// What it does.
    pub activity: Activity,
    /// Who has it.
    pub holder: Holder,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Its chip is down, or the exchange does not feed it.
    Dead,
    /// Nothing.
    Free,
    /// Somebody calls on it.
    Rings,
    /// It is off hook, or not yet at rest.
    Busy,
}

/// Who has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A line test.
    Test,
    /// A call.
    Call(Urgency),
}

impl Candidate {
    /// A line by its machine.
    #[must_use]
    pub const fn of(line: PortId, fxo: &Fxo, holder: Holder) -> Self {
        let activity = if !fxo.is_up() || !fxo.is_fed() {
            Activity::Dead
        } else if fxo.is_free() {
            Activity::Free
        } else if fxo.is_ringing() {
            Activity::Rings
        } else {
            Activity::Busy
        };
        Self { line, activity, holder }
    }

    const fn is_free(&self) -> bool {
        matches!((self.activity, self.holder), (Activity::Free, Holder::Nobody))
    }

    const fn is_tested(&self) -> bool {
        matches!(self.holder, Holder::Test) && !matches!(self.activity, Activity::Dead)
    }

    /// Of another emergency a line is not taken; and off hook on one that rings would answer the caller, and give no
    /// dial tone.
    const fn yields_to_emergency(&self) -> bool {
        matches!(self.activity, Activity::Free | Activity::Busy)
            && !matches!(self.holder, Holder::Call(Urgency::Urgent))
    }
}

/// The line that a call gets; its holder, if it has one, loses it.
#[must_use]
pub fn allocate(lines: &[Candidate], urgency: Urgency) -> Option<PortId> {
    let first = |wanted: fn(&Candidate) -> bool| lines.iter().find(|line| wanted(line));
    let free = first(Candidate::is_free).or_else(|| first(Candidate::is_tested));
    let given = match urgency {
        Urgency::Ordinary => free,
        Urgency::Urgent => free.or_else(|| first(Candidate::yields_to_emergency)),
    };
    given.map(|given| given.line)
}

#[cfg(test)]
mod tests {
    use super::{
        Activity::{Busy, Dead, Free, Rings},
        Holder::{Nobody, Test},
        *,
    };

    const CALL: Holder = Holder::Call(Urgency::Ordinary);
    const EMERGENCY: Holder = Holder::Call(Urgency::Urgent);

    /// The index of the line that is given: to anybody, and to an emergency.
    fn given(lines: &[(Activity, Holder)]) -> [Option<u8>; 2] {
        let candidate = |(line, &(activity, holder))| Candidate { line, activity, holder };
        let lines: Vec<_> = (0..).map(PortId).zip(lines).map(candidate).collect();
        [Urgency::Ordinary, Urgency::Urgent].map(|urgency| allocate(&lines, urgency).map(|line| line.0))
    }

    #[test]
    fn a_free_line_is_given_before_a_tested_one_and_an_emergency_takes_one_away() {
        for (lines, anybody, emergency) in [
            (&[(Free, Nobody), (Free, Nobody)][..], Some(0), Some(0)),
            (&[(Busy, CALL), (Free, Nobody)], Some(1), Some(1)),
            (&[(Busy, Test), (Free, Nobody)], Some(1), Some(1)),
            (&[(Busy, CALL), (Busy, Test)], Some(1), Some(1)),
            (&[(Busy, CALL), (Busy, CALL)], None, Some(0)),
            // Given to a call a moment ago: it does nothing yet.
            (&[(Free, CALL)], None, Some(0)),
            // A telephone beside the box is off hook.
            (&[(Rings, CALL), (Busy, Nobody)], None, Some(1)),
        ] {
            assert_eq!(given(lines), [anybody, emergency], "{lines:?}");
        }
    }

    #[test]
    fn no_line_is_taken_from_an_emergency_or_while_it_rings_or_when_it_is_dead() {
        for (lines, emergency) in [
            (&[(Busy, EMERGENCY), (Busy, CALL)][..], Some(1)),
            (&[(Busy, EMERGENCY), (Rings, Nobody), (Rings, CALL)], None),
            (&[(Dead, Nobody), (Dead, CALL), (Dead, Test)], None),
            (&[], None),
        ] {
            assert_eq!(given(lines), [None, emergency], "{lines:?}");
        }
    }
}
