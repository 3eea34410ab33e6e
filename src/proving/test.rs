//! One test: somebody calls an advertised number, and the box watches where the call comes out.
//!
//! ```text
//!            ┌─ another call to the tracking number: remembered
//!            ├─ a line rings straight: remembered
//!            v
//! ──> waiting ──┬─ the test's call arrived ─────────────> over: verified, conditional, wrong_number, unknown
//!               ├─ our own call came back ──────────────> over: loop
//!               ├─ called off ──────────────────────────> over: unknown
//!               └─ 60 s ────────────────────────────────> over: no_arrival, direct_to_forwarding, unknown
//! ```

use super::{
    judge::{Arrival, evidence, judge},
    proof::{Finding, Verdict},
};
use crate::{id::CallId, number::E164, time::Instant};
use serde::{Deserialize, Serialize};

/// How long a test waits: a call is set up through two networks within 20 s, and somebody has to dial it first.
pub const TEST_MS: u64 = 60_000;

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The number that is called.
    pub advertised: E164,
    /// Where the call is to come out.
    pub tracking: E164,
    /// The number it is called from, if the tester knows it.
    pub caller: Option<E164>,
    /// What the office's lines are to be doing meanwhile.
    pub office: Office,
}

/// What the office's lines are doing; of an office without lines on the box, its phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Office {
    /// All are free.
    Free,
    /// At least one is in use.
    Busy,
}

/// What happens meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A tracked call came in; the same one may be told twice.
    Arrived(Arrival),
    /// An office line rings: somebody called it straight.
    RangDirectly {
        /// Name of the line.
        line: String,
    },
    /// A call that the box itself had dialled came back to a tracking number.
    CameBack {
        /// The tracking number.
        tracking: E164,
    },
    /// Nobody wants to know any more.
    CalledOff,
    /// A deadline passed.
    Deadline,
}

/// Where a test stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// For the call.
    Waiting {
        /// When it is given up.
        until: Instant,
        /// A line that rang straight meanwhile.
        direct: Option<String>,
        /// A call to the tracking number that may have been anybody's.
        stranger: Option<CallId>,
    },
    /// It is known.
    Over,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    order: Order,
    began: Instant,
    state: State,
}

impl Test {
    /// Begins to wait.
    #[must_use]
    pub const fn begin(order: Order, now: Instant) -> Self {
        let state = State::Waiting { until: now.after_ms(TEST_MS), direct: None, stranger: None };
        Self { order, began: now, state }
    }

    /// What is tested.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until, .. } => Some(*until),
            State::Over => None,
        }
    }

    /// Takes one event; the answer is what the test has found, once.
    pub fn handle(&mut self, event: Event, now: Instant) -> Option<Finding> {
        let State::Waiting { until, direct, stranger } = &mut self.state else { return None };
        let at_ms = now.ms_since(self.began);
        let nothing = |verdict| Finding::without_call(verdict, self.order.office, at_ms);
        let finding = match event {
            Event::Arrived(arrival) => match evidence(&self.order, &arrival) {
                Some(evidence) => Finding::of(judge(&self.order, &arrival), &arrival, evidence, at_ms),
                None => {
                    // A customer of another campaign is no news; one who came to this number may be the tester.
                    let may_be_ours =
                        arrival.tracking == self.order.tracking && arrival.forwarders.is_empty();
                    *stranger = stranger.or(may_be_ours.then_some(arrival.call));
                    return None;
                }
            },
            Event::RangDirectly { line } => {
                direct.get_or_insert(line);
                return None;
            }
            Event::CameBack { tracking } if tracking == self.order.tracking => nothing(Verdict::Loop),
            Event::CameBack { .. } => return None,
            Event::CalledOff => nothing(Verdict::Unknown),
            Event::Deadline if now < *until => return None,
            Event::Deadline => match (stranger.take(), direct.take()) {
                (Some(call), _) => Finding { call: Some(call), ..nothing(Verdict::Unknown) },
                (None, Some(line)) => Finding { line: Some(line), ..nothing(Verdict::DirectToForwarding) },
                (None, None) => nothing(Verdict::NoArrival),
            },
        };
        self.state = State::Over;
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proving::Evidence, time::WallTime};

    const ADVERTISED: &str = "+13125550150";
    const TRACKING: &str = "+13125550100";
    const OTHER: &str = "+13125550101";
    const TESTER: &str = "+14155550123";
    const STRANGER: &str = "+14155550999";

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn test(office: Office) -> Test {
        let caller = Some(number(TESTER));
        let order = Order { advertised: number(ADVERTISED), tracking: number(TRACKING), caller, office };
        Test::begin(order, Instant::ZERO)
    }

    fn arrival(tracking: &str, caller: &str, forwarders: &[&str]) -> Arrival {
        Arrival {
            call: CallId::from_parts(WallTime(1), 1),
            tracking: number(tracking),
            caller: Some(number(caller)),
            forwarders: forwarders.iter().map(|text| number(text)).collect(),
            is_conditional: false,
            office: Office::Free,
            warnings: Vec::new(),
        }
    }

    fn after_10_s(test: &mut Test, arrival: Arrival) -> Option<(Verdict, Option<Evidence>)> {
        let found = test.handle(Event::Arrived(arrival), Instant::ZERO.after_ms(10_000));
        found.map(|finding| (finding.verdict, finding.evidence))
    }

    #[test]
    fn the_testers_call_verifies_by_its_forwarder_or_by_its_caller() {
        let forwarded = arrival(TRACKING, STRANGER, &[ADVERTISED]);
        let verified = Some((Verdict::Verified, Some(Evidence::Forwarder)));
        assert_eq!(after_10_s(&mut test(Office::Free), forwarded), verified);
        let stripped = arrival(TRACKING, TESTER, &[]);
        let verified = Some((Verdict::Verified, Some(Evidence::Caller)));
        assert_eq!(after_10_s(&mut test(Office::Free), stripped), verified);
    }

    #[test]
    fn a_call_that_comes_out_elsewhere_is_a_wrong_number() {
        for call in [arrival(OTHER, TESTER, &[]), arrival(OTHER, STRANGER, &[ADVERTISED])] {
            let found = after_10_s(&mut test(Office::Free), call).unwrap();
            assert_eq!(found.0, Verdict::WrongNumber);
        }
    }

    #[test]
    fn a_forward_that_says_it_is_conditional_is() {
        let call = Arrival { is_conditional: true, ..arrival(TRACKING, TESTER, &[ADVERTISED]) };
        assert_eq!(after_10_s(&mut test(Office::Free), call).unwrap().0, Verdict::Conditional);
    }

    #[test]
    fn a_call_while_the_office_is_as_it_should_not_be_shows_nothing() {
        let busy = || Arrival { office: Office::Busy, ..arrival(TRACKING, TESTER, &[]) };
        assert_eq!(after_10_s(&mut test(Office::Free), busy()).unwrap().0, Verdict::Unknown);
        assert_eq!(after_10_s(&mut test(Office::Busy), busy()).unwrap().0, Verdict::Verified);
        let free = arrival(TRACKING, TESTER, &[]);
        assert_eq!(after_10_s(&mut test(Office::Busy), free).unwrap().0, Verdict::Unknown);
    }

    #[test]
    fn a_customer_who_calls_meanwhile_decides_nothing() {
        let mut test = test(Office::Free);
        assert_eq!(after_10_s(&mut test, arrival(OTHER, STRANGER, &[])), None);
        assert_eq!(after_10_s(&mut test, arrival(TRACKING, STRANGER, &[OTHER])), None);
        let over = test.handle(Event::Deadline, Instant::ZERO.after_ms(TEST_MS)).unwrap();
        assert_eq!(over.verdict, Verdict::NoArrival);
    }

    #[test]
    fn a_call_that_may_be_anybodys_leaves_it_open() {
        let mut test = test(Office::Free);
        assert_eq!(after_10_s(&mut test, arrival(TRACKING, STRANGER, &[])), None);
        let over = test.handle(Event::Deadline, Instant::ZERO.after_ms(TEST_MS)).unwrap();
        assert_eq!((over.verdict, over.call.is_some()), (Verdict::Unknown, true));
    }

    #[test]
    fn a_line_that_rings_straight_is_named_once_nothing_else_has_come() {
        let mut test = test(Office::Free);
        let rang = Event::RangDirectly { line: "LINE1".to_owned() };
        assert_eq!(test.handle(rang, Instant::ZERO.after_ms(5_000)), None);
        assert_eq!(test.handle(Event::Deadline, Instant::ZERO.after_ms(TEST_MS - 1)), None);
        let over = test.handle(Event::Deadline, Instant::ZERO.after_ms(TEST_MS)).unwrap();
        assert_eq!((over.verdict, over.line.as_deref()), (Verdict::DirectToForwarding, Some("LINE1")));
    }

    #[test]
    fn our_own_call_that_comes_back_is_a_loop_of_its_number_only() {
        let mut test = test(Office::Free);
        assert_eq!(test.handle(Event::CameBack { tracking: number(OTHER) }, Instant::ZERO), None);
        let over = test.handle(Event::CameBack { tracking: number(TRACKING) }, Instant::ZERO).unwrap();
        assert_eq!(over.verdict, Verdict::Loop);
    }

    #[test]
    fn a_test_that_is_over_stays_over_whatever_happens() {
        let mut test = test(Office::Free);
        assert_eq!(test.handle(Event::CalledOff, Instant::ZERO).unwrap().verdict, Verdict::Unknown);
        let line = "LINE1".to_owned();
        for event in [
            Event::Arrived(arrival(TRACKING, TESTER, &[])),
            Event::RangDirectly { line },
            Event::CameBack { tracking: number(TRACKING) },
            Event::CalledOff,
            Event::Deadline,
        ] {
            assert_eq!(test.handle(event, Instant::ZERO.after_ms(TEST_MS)), None);
        }
        assert_eq!((test.state(), test.deadline()), (&State::Over, None));
    }
}
