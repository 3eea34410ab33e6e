//! The lifeline relay: released, it wires the telco's line straight to a phone, so that it works without the box.
//!
//! ```text
//!            no fault, pair idle, 10 s in this position
//!  Joined ───────────────────────────────────────────────► Separate
//!  (coil  ◄─────────────────────────────────────────────── (coil
//!  released)  a fault that waits: pair idle, 10 s in this   energised)
//!             position · a fault that does not wait: now
//! ```
//!
//! The coil is energised only while the daemon runs and every port is up. Nothing but a fault under which the call is
//! lost anyway moves the contacts while the pair's line or phone is in use: they would cut the call. Loss of power, a
//! reset by the watchdog and the end of the daemon release the coil without us.

use crate::time::Instant;

/// Shortest time in one position: what flaps does not wear the contacts out.
const DWELL_MS: u64 = 10_000;
/// From here on the box is too hot to carry calls, °C (industrial parts end at 105).
pub const HOT_CELSIUS: i16 = 95;
/// Down to here it stays too hot, °C.
pub const COOL_CELSIUS: i16 = 85;

/// A reason to join line and phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The daemon is not ready for calls; so it is at first.
    NotReady,
    /// A port of the board is not up; so it is at first.
    PortDown,
    /// The daemon takes no more calls because it is about to stop.
    Draining,
    /// The box is too hot. Raised and cleared by [`Event::Temperature`].
    TooHot,
    /// The chips of the pair cannot be reached: their call has been given up, and its end could not be seen.
    SpiLost,
    /// A thread gives no sign of life; the watchdog will reset the box.
    Watchdog,
    /// The daemon cannot go on. It is never cleared.
    Fatal,
}

impl Fault {
    /// All of them, mildest first.
    pub const ALL: [Self; 7] = [
        Self::NotReady,
        Self::PortDown,
        Self::Draining,
        Self::TooHot,
        Self::SpiLost,
        Self::Watchdog,
        Self::Fatal,
    ];

    /// Whether the coil is released at once, whatever the pair is doing.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        match self {
            Self::NotReady | Self::PortDown | Self::Draining | Self::TooHot => false,
            Self::SpiLost | Self::Watchdog | Self::Fatal => true,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What happens to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A fault has come; again is no harm.
    Raised(Fault),
    /// A fault is over; one that was not there is no harm.
    Cleared(Fault),
    /// The hottest sensor, in °C.
    Temperature(i16),
    /// The pair's phone is off hook or rings, or its line rings or is held, by us or by another set.
    PairUsed,
    /// Phone and line of the pair are idle. Until this was reported once they count as used: somebody may be talking
    /// through the released contacts.
    PairIdle,
    /// A deadline passed.
    Deadline,
}

/// What the relay shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Separate line and phone.
    Energise,
    /// Join line and phone.
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The coil is released; not to be energised before.
    Joined { until: Instant },
    /// The coil is energised; not to be released before, but for an urgent fault.
    Separate { until: Instant },
}

/// The policy of one relay.
#[derive(Debug)]
pub struct Lifeline {
    state: State,
    /// Bits of [`Fault`].
    faults: u8,
    in_use: bool,
}

impl Default for Lifeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifeline {
    /// A box that has just been switched on: joined, not ready, ports down, the pair's use unknown.
    #[must_use]
    pub const fn new() -> Self {
        let faults = Fault::NotReady.bit() | Fault::PortDown.bit();
        // The contacts have been in this position since before we started.
        Self { state: State::Joined { until: Instant::ZERO }, faults, in_use: true }
    }

    /// Whether line and phone are joined, past the box.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined { .. })
    }

    /// Why line and phone are or will be joined, mildest first.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        Fault::ALL.into_iter().filter(|fault| self.faults & fault.bit() != 0)
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Joined { until } | State::Separate { until } if self.wants_to_move() => Some(until),
            State::Joined { .. } | State::Separate { .. } => None,
        }
    }

    /// Takes one event; every (state, event) pair has an answer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Raised(fault) => self.faults |= fault.bit(),
            // What could not go on does not.
            Event::Cleared(Fault::Fatal) => {}
            Event::Cleared(fault) => self.faults &= !fault.bit(),
            Event::Temperature(HOT_CELSIUS..) => self.faults |= Fault::TooHot.bit(),
            Event::Temperature(..=COOL_CELSIUS) => self.faults &= !Fault::TooHot.bit(),
            Event::PairUsed => self.in_use = true,
            Event::PairIdle => self.in_use = false,
            // Between the two temperatures it is what it was.
            Event::Temperature(_) | Event::Deadline => {}
        }
        self.state = match self.state {
            State::Joined { until } if self.wants_to_move() && now >= until => {
                out.push(Command::Energise);
                State::Separate { until: now.after_ms(DWELL_MS) }
            }
            State::Separate { until } if self.is_urgent() || (self.wants_to_move() && now >= until) => {
                out.push(Command::Release);
                State::Joined { until: now.after_ms(DWELL_MS) }
            }
            same @ (State::Joined { .. } | State::Separate { .. }) => same,
        };
    }

    /// Whether only the dwell keeps the contacts where they are.
    const fn wants_to_move(&self) -> bool {
        let wants = match self.state {
            State::Joined { .. } => self.faults == 0,
            State::Separate { .. } => self.faults != 0,
        };
        wants && !self.in_use
    }

    fn is_urgent(&self) -> bool {
        self.faults().any(Fault::is_urgent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Command::{Energise, Release};

    fn at(ms: u64) -> Instant {
        Instant::ZERO.after_ms(ms)
    }

    fn give(lifeline: &mut Lifeline, event: Event, ms: u64) -> Vec<Command> {
        let mut out = Vec::new();
        lifeline.handle(event, at(ms), &mut out);
        out
    }

    /// Energised at 1 s, the pair idle.
    fn separate() -> Lifeline {
        let mut lifeline = Lifeline::new();
        assert_eq!(give(&mut lifeline, Event::PairIdle, 0), []);
        assert_eq!(give(&mut lifeline, Event::Cleared(Fault::PortDown), 0), []);
        assert_eq!(give(&mut lifeline, Event::Cleared(Fault::NotReady), 1_000), [Energise]);
        lifeline
    }

    #[test]
    fn the_coil_is_energised_when_all_is_well_and_not_before() {
        let needed = [Event::PairIdle, Event::Cleared(Fault::PortDown), Event::Cleared(Fault::NotReady)];
        for last in 0..needed.len() {
            let mut lifeline = Lifeline::new();
            for (_, event) in needed.iter().enumerate().filter(|(n, _)| *n != last) {
                assert_eq!(give(&mut lifeline, *event, 0), []);
                assert!(lifeline.is_joined() && lifeline.deadline().is_none());
            }
            assert_eq!(give(&mut lifeline, needed[last], 7), [Energise]);
            assert!(!lifeline.is_joined());
        }
    }

    #[test]
    fn every_fault_has_its_rule_in_every_state() {
        // Fault, then what it does to: an idle pair, a pair in use, an idle pair that moved a second ago.
        let rules = [
            (Fault::NotReady, [&[Release][..], &[], &[]]),
            (Fault::PortDown, [&[Release], &[], &[]]),
            (Fault::Draining, [&[Release], &[], &[]]),
            (Fault::TooHot, [&[Release], &[], &[]]),
            (Fault::SpiLost, [&[Release], &[Release], &[Release]]),
            (Fault::Watchdog, [&[Release], &[Release], &[Release]]),
            (Fault::Fatal, [&[Release], &[Release], &[Release]]),
        ];
        assert_eq!(rules.map(|(fault, _)| fault), Fault::ALL);
        for (fault, [idle, in_use, fresh]) in rules {
            let mut lifeline = separate();
            assert_eq!(give(&mut lifeline, Event::Raised(fault), 20_000), idle, "{fault:?} idle");

            let mut lifeline = separate();
            give(&mut lifeline, Event::PairUsed, 15_000);
            assert_eq!(give(&mut lifeline, Event::Raised(fault), 20_000), in_use, "{fault:?} in use");
            // The conversation may last as long as it likes.
            assert_eq!(lifeline.deadline(), None);
            let later = give(&mut lifeline, Event::PairIdle, 4_000_000);
            assert_eq!(later.is_empty(), !in_use.is_empty(), "{fault:?}: exactly one release");

            let mut lifeline = separate();
            assert_eq!(give(&mut lifeline, Event::Raised(fault), 2_000), fresh, "{fault:?} fresh");
            assert_eq!(lifeline.deadline(), fresh.is_empty().then_some(at(11_000)));
            let later = give(&mut lifeline, Event::Deadline, 11_000);
            assert_eq!(later.is_empty(), !fresh.is_empty(), "{fault:?}: exactly one release");

            // What is joined stays joined, and says why.
            let mut lifeline = Lifeline::new();
            give(&mut lifeline, Event::PairIdle, 0);
            assert_eq!(give(&mut lifeline, Event::Raised(fault), 0), []);
            assert!(lifeline.is_joined() && lifeline.faults().any(|found| found == fault));
        }
    }

    #[test]
    fn each_fault_alone_keeps_the_coil_released_until_it_is_cleared() {
        for fault in Fault::ALL {
            let mut lifeline = separate();
            give(&mut lifeline, Event::Raised(fault), 20_000);
            assert_eq!(give(&mut lifeline, Event::Deadline, 600_000), []);
            let back = give(&mut lifeline, Event::Cleared(fault), 700_000);
            let right: &[Command] = if fault == Fault::Fatal { &[] } else { &[Energise] };
            assert_eq!(back, right, "{fault:?}");
        }
    }

    #[test]
    fn a_call_through_the_released_contacts_is_not_cut() {
        let mut lifeline = separate();
        give(&mut lifeline, Event::Raised(Fault::PortDown), 20_000);
        give(&mut lifeline, Event::PairUsed, 25_000);
        assert_eq!(give(&mut lifeline, Event::Cleared(Fault::PortDown), 40_000), []);
        assert_eq!(lifeline.deadline(), None);
        assert_eq!(give(&mut lifeline, Event::PairIdle, 90_000), [Energise]);
    }

    #[test]
    fn a_port_that_flaps_moves_the_contacts_once_in_ten_seconds() {
        let mut lifeline = separate();
        let mut moves = Vec::new();
        for ms in (2_000..62_000).step_by(500) {
            let flap = if ms % 1_000 == 0 { Event::Raised } else { Event::Cleared };
            if !give(&mut lifeline, flap(Fault::PortDown), ms).is_empty() {
                moves.push(ms);
            }
        }
        assert!(moves.windows(2).all(|pair| pair[1] - pair[0] >= DWELL_MS), "{moves:?}");
        assert!((2..=6).contains(&moves.len()), "{moves:?}");
    }

    #[test]
    fn an_urgent_release_is_followed_by_the_dwell() {
        let mut lifeline = separate();
        assert_eq!(give(&mut lifeline, Event::Raised(Fault::SpiLost), 2_000), [Release]);
        assert_eq!(give(&mut lifeline, Event::Cleared(Fault::SpiLost), 3_000), []);
        assert_eq!(lifeline.deadline(), Some(at(12_000)));
        assert_eq!(give(&mut lifeline, Event::Deadline, 11_999), []);
        assert_eq!(give(&mut lifeline, Event::Deadline, 12_000), [Energise]);
        assert_eq!(lifeline.deadline(), None);
    }

    #[test]
    fn heat_trips_at_95_and_lets_go_at_85() {
        let mut lifeline = separate();
        let course = [(94, false), (95, true), (94, true), (86, true), (85, false), (94, false)];
        for (ms, (celsius, joined)) in (20_000..).step_by(20_000).zip(course) {
            give(&mut lifeline, Event::Temperature(celsius), ms);
            assert_eq!(lifeline.is_joined(), joined, "{celsius} °C");
        }
        for (celsius, hot) in [(i16::MAX, true), (i16::MIN, false)] {
            give(&mut lifeline, Event::Temperature(celsius), 10_000_000);
            assert_eq!(lifeline.faults().any(|fault| fault == Fault::TooHot), hot);
        }
    }

    #[test]
    fn a_second_fault_keeps_what_the_first_one_joined() {
        let mut lifeline = separate();
        give(&mut lifeline, Event::Raised(Fault::PortDown), 20_000);
        give(&mut lifeline, Event::Raised(Fault::TooHot), 21_000);
        assert_eq!(give(&mut lifeline, Event::Cleared(Fault::PortDown), 60_000), []);
        assert_eq!(lifeline.faults().collect::<Vec<_>>(), [Fault::TooHot]);
        assert_eq!(give(&mut lifeline, Event::Temperature(40), 90_000), [Energise]);
    }
}
