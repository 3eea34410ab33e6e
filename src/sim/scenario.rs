//! The demo's scenario: the calls of a morning at an office with two phones.
//!
//! The person at PHONE1 answers after the second ring, PHONE2 is never answered (`board/sim/office.toml`).

use super::provider::{CallPlan, End, Outcome, Speech};
use std::time::Duration;

/// One call of the scenario.
pub struct Step {
    /// What happens, for the person who watches.
    pub words: &'static str,
    /// When the call is placed.
    pub when: When,
    /// The call.
    pub plan: CallPlan,
    /// Whether the box keeps a record of it.
    pub tracked: bool,
    /// What must become of it.
    pub expected: Expected,
}

/// When a call is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Every earlier call has ended and every phone is on hook.
    OfficeIsQuiet,
    /// The call before has been answered.
    PreviousAnswered,
    /// The call before rings.
    PreviousRings,
    /// At once.
    Now,
}

/// What must become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Answered, heard, and ended by the caller.
    Conversation,
    /// Ended by the caller while it rang.
    GivenUp,
    /// Refused after ringing.
    NotAnswered,
    /// Refused with this status, without ringing.
    Refused(u16),
}

impl Expected {
    /// Whether `outcome` is what was expected.
    #[must_use]
    pub fn is_met(self, outcome: &Outcome) -> bool {
        let rang = outcome.rang_after.is_some();
        match self {
            Self::Conversation => {
                outcome.end == Some(End::CallerHungUp) && outcome.heard.iter().any(|s| *s != 0)
            }
            Self::GivenUp => rang && outcome.end == Some(End::Cancelled),
            Self::NotAnswered => rang && matches!(outcome.end, Some(End::Refused(_))),
            Self::Refused(status) => !rang && outcome.end == Some(End::Refused(status)),
        }
    }
}

/// The calls, in the order they are placed; callers say `speech`.
#[must_use]
pub fn office_morning(speech: &Speech) -> [Step; 6] {
    let call = |from: &str, name: &str, to: &str| CallPlan {
        display_name: name.to_owned(),
        speech: speech.clone(),
        ..CallPlan::new(from, to)
    };
    [
        Step {
            words: "A customer with the spring mailer calls; PHONE1 will answer after the second ring",
            when: When::OfficeIsQuiet,
            plan: CallPlan {
                hang_up_after: Some(Duration::from_secs(8)),
                ..call("+13125550142", "ANNA WEBER", "+13125550100")
            },
            tracked: true,
            expected: Expected::Conversation,
        },
        Step {
            words: "While they talk, a yard sign makes PHONE2 ring in the workshop, where nobody is",
            when: When::PreviousAnswered,
            plan: call("+13125550143", "BEN ORTIZ", "+13125550103"),
            tracked: true,
            expected: Expected::NotAnswered,
        },
        Step {
            words: "A third customer finds both phones busy",
            when: When::PreviousRings,
            plan: call("+13125550144", "CARLA DIAZ", "+13125550101"),
            tracked: true,
            expected: Expected::Refused(486),
        },
        Step {
            words: "Somebody calls a number of the trunk that is not a tracking number",
            when: When::Now,
            plan: call("+13125550145", "", "+13125550177"),
            tracked: false,
            expected: Expected::Refused(404),
        },
        Step {
            words: "A caller who withholds the number answers an ad; PHONE1 will answer",
            when: When::OfficeIsQuiet,
            plan: CallPlan {
                anonymous: true,
                hang_up_after: Some(Duration::from_secs(5)),
                ..call("+13125550146", "", "+13125550102")
            },
            tracked: true,
            expected: Expected::Conversation,
        },
        Step {
            words: "A customer gives up after the first ring",
            when: When::OfficeIsQuiet,
            plan: CallPlan {
                give_up_after: Some(Duration::from_secs(3)),
                ..call("+13125550147", "DAN REED", "+13125550101")
            },
            tracked: true,
            expected: Expected::GivenUp,
        },
    ]
}
