//! The proof: what the tests of one advertised number have shown, as it is kept, signed and printed.

use super::{
    judge::{Arrival, Evidence},
    test::Office,
};
use crate::{
    id::{BoxId, CallId, ProofId},
    number::E164,
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// The schema name written into every proof.
pub const SCHEMA: &str = "ringside.proof/1";

/// What somebody has to see to at the carrier: a word, and what it asks.
pub const CHECKLIST: [(&str, &str); 5] = [
    ("unconditional", "The carrier forwards every call, not only when busy or unanswered"),
    ("no_voicemail", "Voicemail of the advertised number is off"),
    ("no_screening", "No menu, screening or simultaneous ring stands before the forward"),
    ("caller_id", "The carrier passes the caller’s number on, not its own customer’s"),
    ("paths", "As many calls at once are forwarded as the office takes"),
];

/// What a test, or a proof, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The call came to the tracking number.
    Verified,
    /// It does so only sometimes.
    Conditional,
    /// It came to another tracking number.
    WrongNumber,
    /// It rang the office's line straight, past the box.
    DirectToForwarding,
    /// It went round in a circle.
    Loop,
    /// Nothing came.
    NoArrival,
    /// Nothing is shown either way.
    Unknown,
}

/// What one test has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What the office's lines were to be doing.
    pub office: Office,
    /// Milliseconds from the start of the test until it was known.
    pub at_ms: u64,
    /// The call, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Why it is taken for the test's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The tracking number that it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<E164>,
    /// Its caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<E164>,
    /// Who forwarded it, as the trunk told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwarders: Vec<E164>,
    /// The office line that rang straight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// What a person should look at, the words of the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Finding {
    pub(super) const fn without_call(verdict: Verdict, office: Office, at_ms: u64) -> Self {
        Self {
            verdict,
            office,
            at_ms,
            call: None,
            evidence: None,
            tracking: None,
            caller: None,
            forwarders: Vec::new(),
            line: None,
            warnings: Vec::new(),
        }
    }

    pub(super) fn of(verdict: Verdict, arrival: &Arrival, evidence: Evidence, at_ms: u64) -> Self {
        Self {
            call: Some(arrival.call),
            evidence: Some(evidence),
            tracking: Some(arrival.tracking.clone()),
            caller: arrival.caller.clone(),
            forwarders: arrival.forwarders.clone(),
            warnings: arrival.warnings.clone(),
            ..Self::without_call(verdict, arrival.office, at_ms)
        }
    }
}

/// What is known of one advertised number's way to its tracking number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Its identity.
    pub id: ProofId,
    /// The box that saw it.
    pub box_id: BoxId,
    /// The advertised number.
    pub advertised: E164,
    /// The tracking number.
    pub tracking: E164,
    /// Name of the tracking number's campaign then.
    pub campaign: String,
    /// Who tested.
    pub by: String,
    /// When it was begun.
    pub begun: WallTime,
    /// When the last test was over.
    pub at: WallTime,
    /// What the tester has seen to, words of [`CHECKLIST`].
    pub seen_to: Vec<String>,
    /// The test with the office's lines free.
    pub free: Option<Finding>,
    /// The test with them busy.
    pub busy: Option<Finding>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Whether both tests have shown that every call is forwarded.
    pub unconditional: bool,
}

impl Proof {
    /// Takes what a test has found.
    pub(super) fn take(&mut self, office: Office, finding: Finding, at: WallTime) {
        self.at = at;
        match office {
            Office::Free => (self.free, self.busy) = (Some(finding), None),
            Office::Busy => self.busy = Some(finding),
        }
        let of = |finding: &Option<Finding>| finding.as_ref().map(|finding| finding.verdict);
        (self.verdict, self.unconditional) = conclude(of(&self.free), of(&self.busy));
    }

    /// What is still to be tested, if anything is.
    #[must_use]
    pub fn next_test(&self) -> Option<Office> {
        match (&self.free, &self.busy) {
            (Some(free), None) if free.verdict == Verdict::Verified => Some(Office::Busy),
            (Some(free), Some(busy)) if free.verdict == Verdict::Verified => match busy.verdict {
                Verdict::Verified => None,
                _ => Some(Office::Busy),
            },
            _ => Some(Office::Free),
        }
    }
}

/// What two tests come to, and whether they prove that every call is forwarded.
fn conclude(free: Option<Verdict>, busy: Option<Verdict>) -> (Verdict, bool) {
    use Verdict::{Conditional, DirectToForwarding, NoArrival, Unknown, Verified};
    match (free, busy) {
        (Some(Verified), Some(Verified)) => (Verified, true),
        // It came while the lines were free, and not while they were busy.
        (Some(Verified), Some(NoArrival | DirectToForwarding)) => (Conditional, false),
        (Some(Verified), None | Some(Unknown)) => (Verified, false),
        (Some(Verified), Some(other)) => (other, false),
        (Some(other), _) => (other, false),
        (None, _) => (Unknown, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_tests_prove_that_every_call_is_forwarded() {
        use Verdict::{Conditional, DirectToForwarding, Loop, NoArrival, Unknown, Verified, WrongNumber};
        for (free, busy, comes_to) in [
            (None, None, (Unknown, false)),
            (Some(Verified), None, (Verified, false)),
            (Some(Verified), Some(Verified), (Verified, true)),
            (Some(Verified), Some(NoArrival), (Conditional, false)),
            (Some(Verified), Some(DirectToForwarding), (Conditional, false)),
            (Some(Verified), Some(Conditional), (Conditional, false)),
            (Some(Verified), Some(Unknown), (Verified, false)),
            (Some(Verified), Some(Loop), (Loop, false)),
            (Some(WrongNumber), None, (WrongNumber, false)),
            (Some(NoArrival), Some(Verified), (NoArrival, false)),
        ] {
            assert_eq!(conclude(free, busy), comes_to, "{free:?} then {busy:?}");
        }
    }
}
