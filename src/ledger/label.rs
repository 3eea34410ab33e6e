//! What the vendors of call tracking call a call. Derived from the raw facts of its record, and never stored.
//!
//! ```text
//!   answer status   voicemail   the line ended in voicemail
//!                   answered    a handset went off hook
//!                   abandoned   it rang for less than 15 s and nobody answered
//!                   missed      every other call
//!   booking label   Booked      a job is linked
//!                   NotLead     marked as no lead, or its reason says so
//!                   Excused     its reason says that no job could come of it
//!                   Abandoned   nobody talked: not answered, or hung up within 15 s without anyone taking it up
//!                   Unbooked    every other call: somebody talked, or left a message, and there is no job
//! ```

use crate::record::CallRecord;
use serde::Serialize;

/// Who gives up earlier than this was not kept waiting; a conversation that is shorter was none.
pub const SHORT_MS: u64 = 15_000;
/// [`crate::handling::Handling::lead_status`] of a call that may become work.
pub const GOOD_LEAD: &str = "good_lead";
/// [`crate::handling::Handling::lead_status`] of a call that never was one.
pub const NOT_A_LEAD: &str = "not_a_lead";

/// Beginnings of reasons that tell that no customer called.
const NO_CUSTOMER: [&str; 7] =
    ["not_lead", "not_a_lead", "wrong_number", "spam", "robocall", "sales_call", "vendor"];
/// Beginnings of reasons that tell that a customer called, and no job could come of it.
const NO_JOB_POSSIBLE: [&str; 6] =
    ["excused", "out_of_area", "service_not_offered", "no_capacity", "existing_job", "billing"];

/// Whether a call was answered, and if not, how it ended for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerStatus {
    /// A handset went off hook.
    Answered,
    /// It rang long enough, or not at all, and nobody answered.
    Missed,
    /// The caller was gone before 15 s of ringing.
    Abandoned,
    /// The line ended in voicemail.
    Voicemail,
}

/// What became of a call for the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Booking {
    /// There is a job.
    Booked,
    /// There could have been one.
    Unbooked,
    /// There could not.
    Excused,
    /// Nobody talked.
    Abandoned,
    /// It was not a customer.
    NotLead,
}

/// What a call was for the campaign, as CallRail's `call_type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallType {
    /// The first tracked call from this number.
    FirstCall,
    /// It has called before.
    Repeat,
    /// There is no number to tell by, or nobody counted.
    Unknown,
}

/// What a reason says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nobody gave one, or it names no kind.
    Nothing,
    /// No customer called.
    NoCustomer,
    /// A customer called, and no job could come of it.
    NoJobPossible,
}

/// The raw facts that the labels are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// First ring burst to off-hook or to the end of ringing; absent if it never rang.
    pub ring_ms: Option<u64>,
    /// Whether a handset went off hook.
    pub off_hook: bool,
    /// Whether the line ended in voicemail.
    pub voicemail: bool,
    /// Off-hook to the end of the call.
    pub talk_ms: Option<u64>,
    /// Whether a person took the call over. The port that answered claims every call: that is no sign of work.
    pub taken: bool,
    /// Whether a job is linked.
    pub job: bool,
    /// What the reason says.
    pub reason: Said,
    /// Whether somebody marked it as no lead.
    pub not_a_lead: bool,
}

impl Facts {
    /// Those of a record.
    #[must_use]
    pub fn of(record: &CallRecord) -> Self {
        let CallRecord { handling, timing_ms, .. } = record;
        Self {
            ring_ms: timing_ms.ring,
            off_hook: record.answered,
            voicemail: record.voicemail,
            talk_ms: timing_ms.talk,
            taken: handling.claimed_by.as_ref().is_some_and(|claim| claim.how != "port"),
            job: handling.job.is_some(),
            reason: said(handling.reason.as_deref()),
            not_a_lead: handling.lead_status.as_deref() == Some(NOT_A_LEAD),
        }
    }
}

/// What a reason says, by how it begins: `wrong_number`, `Wrong number`, `spam: a recorded voice`.
#[must_use]
pub fn said(reason: Option<&str>) -> Said {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let reason: String = reason.unwrap_or_default().trim().chars().map(plain).collect();
    if NO_CUSTOMER.iter().any(|start| reason.starts_with(start)) {
        Said::NoCustomer
    } else if NO_JOB_POSSIBLE.iter().any(|start| reason.starts_with(start)) {
        Said::NoJobPossible
    } else {
        Said::Nothing
    }
}

/// Whether the call was answered, and if not, how it ended for the caller.
#[must_use]
pub fn answer_status(facts: &Facts) -> AnswerStatus {
    match facts {
        Facts { voicemail: true, .. } => AnswerStatus::Voicemail,
        Facts { off_hook: true, .. } => AnswerStatus::Answered,
        Facts { ring_ms: Some(ring), .. } if *ring < SHORT_MS => AnswerStatus::Abandoned,
        Facts { ring_ms: _, .. } => AnswerStatus::Missed,
    }
}

/// What became of the call for the business.
#[must_use]
pub fn booking(facts: &Facts) -> Booking {
    let talked = facts.voicemail
        || facts.off_hook && (facts.taken || facts.talk_ms.is_some_and(|talk| talk >= SHORT_MS));
    match facts {
        Facts { job: true, .. } => Booking::Booked,
        Facts { not_a_lead: true, .. } | Facts { reason: Said::NoCustomer, .. } => Booking::NotLead,
        Facts { reason: Said::NoJobPossible, .. } => Booking::Excused,
        Facts { reason: Said::Nothing, .. } if talked => Booking::Unbooked,
        Facts { reason: Said::Nothing, .. } => Booking::Abandoned,
    }
}

/// Whether the caller is new.
#[must_use]
pub const fn call_type(prior_calls: Option<u32>) -> CallType {
    match prior_calls {
        Some(0) => CallType::FirstCall,
        Some(_) => CallType::Repeat,
        None => CallType::Unknown,
    }
}

macro_rules! said_as {
    ($kind:ident { $($case:ident = $word:literal, $words:literal;)* }) => {
        impl $kind {
            /// Every one, in the order of the reports.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$case),*];

            /// The name in the API and in addresses.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)* }
            }

            /// The name on a page.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$case => $words,)* }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.word() == word)
            }

            /// Its place in [`Self::ALL`].
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The one of this place.
            #[must_use]
            pub fn of_code(code: u8) -> Option<Self> {
                Self::ALL.get(usize::from(code)).copied()
            }
        }
    };
}

said_as!(AnswerStatus {
    Answered = "answered", "Answered";
    Missed = "missed", "Missed";
    Abandoned = "abandoned", "Abandoned";
    Voicemail = "voicemail", "Voicemail";
});

said_as!(Booking {
    Booked = "Booked", "Booked";
    Unbooked = "Unbooked", "Unbooked";
    Excused = "Excused", "Excused";
    Abandoned = "Abandoned", "Abandoned";
    NotLead = "NotLead", "Not a lead";
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination of the facts, both sides of each limit.
    fn every() -> Vec<Facts> {
        let mut all = Vec::new();
        let yes_no = [false, true];
        let lengths = [None, Some(0), Some(SHORT_MS - 1), Some(SHORT_MS), Some(3_600_000)];
        for ring_ms in lengths {
            for talk_ms in lengths {
                for reason in [Said::Nothing, Said::NoCustomer, Said::NoJobPossible] {
                    for bits in 0..32_u8 {
                        let bit = |at: u8| yes_no[usize::from(bits >> at & 1)];
                        let (off_hook, voicemail, taken) = (bit(0), bit(1), bit(2));
                        let (job, not_a_lead) = (bit(3), bit(4));
                        all.push(Facts {
                            ring_ms,
                            off_hook,
                            voicemail,
                            talk_ms,
                            taken,
                            job,
                            reason,
                            not_a_lead,
                        });
                    }
                }
            }
        }
        assert_eq!(all.len(), 5 * 5 * 3 * 32);
        all
    }

    #[test]
    fn the_answer_status_of_every_combination() {
        let mut seen = [0; 4];
        for facts in every() {
            // voicemail, off hook, rang, shorter than 15 s
            let rang = facts.ring_ms.is_some();
            let short = facts.ring_ms.is_some_and(|ms| ms < 15_000);
            let expected = match (facts.voicemail, facts.off_hook, rang, short) {
                (true, _, _, _) => "voicemail",
                (false, true, _, _) => "answered",
                (false, false, true, true) => "abandoned",
                (false, false, true, false) | (false, false, false, _) => "missed",
            };
            let status = answer_status(&facts);
            assert_eq!(status.word(), expected, "{facts:?}");
            seen[usize::from(status.code())] += 1;
        }
        assert_eq!(seen, [600, 360, 240, 1_200]);
    }

    #[test]
    fn the_booking_label_of_every_combination() {
        let mut seen = [0; 5];
        for facts in every() {
            let long = facts.talk_ms == Some(15_000) || facts.talk_ms == Some(3_600_000);
            let table = (facts.job, facts.not_a_lead, facts.reason, facts.voicemail, facts.off_hook);
            let expected = match table {
                (true, _, _, _, _) => "Booked",
                (false, true, _, _, _) | (false, false, Said::NoCustomer, _, _) => "NotLead",
                (false, false, Said::NoJobPossible, _, _) => "Excused",
                (false, false, Said::Nothing, true, _) => "Unbooked",
                (false, false, Said::Nothing, false, true) if facts.taken || long => "Unbooked",
                (false, false, Said::Nothing, false, _) => "Abandoned",
            };
            let label = booking(&facts);
            assert_eq!(label.word(), expected, "{facts:?}");
            seen[usize::from(label.code())] += 1;
        }
        assert_eq!(seen, [1_200, 135, 200, 65, 800]);
    }

    #[test]
    fn a_reason_is_known_by_how_it_begins_in_any_spelling() {
        for reason in ["wrong_number", "Wrong number", "  Spam: a recorded voice", "Not a lead", "Sales call"]
        {
            assert_eq!(said(Some(reason)), Said::NoCustomer, "{reason}");
        }
        for reason in ["Out of area", "excused: flood", "billing question"] {
            assert_eq!(said(Some(reason)), Said::NoJobPossible, "{reason}");
        }
        for reason in [None, Some(""), Some("price"), Some("will call back"), Some("leading edge")] {
            assert_eq!(said(reason), Said::Nothing, "{reason:?}");
        }
    }

    #[test]
    fn a_caller_is_new_only_if_somebody_counted() {
        assert_eq!(call_type(Some(0)), CallType::FirstCall);
        assert_eq!(call_type(Some(7)), CallType::Repeat);
        assert_eq!(call_type(None), CallType::Unknown);
    }

    #[test]
    fn a_label_is_found_by_its_name_and_its_code() {
        for one in AnswerStatus::ALL {
            assert_eq!(
                (AnswerStatus::named(one.word()), AnswerStatus::of_code(one.code())),
                (Some(one), Some(one))
            );
        }
        for one in Booking::ALL {
            assert_eq!((Booking::named(one.word()), Booking::of_code(one.code())), (Some(one), Some(one)));
        }
        assert_eq!((Booking::named("booked"), Booking::of_code(5)), (None, None));
    }
}
