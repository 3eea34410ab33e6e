//! The verdicts in words: what was found, which hop failed, and what to do about it. The page and the tools say the same.

use super::{
    proof::{Finding, Proof, Verdict},
    test::Office,
};

/// What a proof comes to, as a sentence.
#[must_use]
pub const fn said(proof: &Proof) -> &'static str {
    match (proof.verdict, proof.unconditional) {
        (Verdict::Verified, true) => "Verified: every call to the advertised number is forwarded",
        (Verdict::Verified, false) => {
            "Verified while the office’s lines were free, not yet while they are busy"
        }
        (Verdict::Conditional, _) => "Conditional: only some calls are forwarded",
        (Verdict::WrongNumber, _) => "The call came to another tracking number",
        (Verdict::DirectToForwarding, _) => "The call rang the office’s own line, past the box",
        (Verdict::Loop, _) => "The call went round in a circle",
        (Verdict::NoArrival, _) => "No call came to the box",
        (Verdict::Unknown, _) => "Nothing is proven yet",
    }
}

/// The hop that failed; `None` if none did, or none can be named.
#[must_use]
pub const fn failed_hop(finding: &Finding) -> Option<&'static str> {
    match finding.verdict {
        Verdict::Verified | Verdict::Unknown => None,
        Verdict::Conditional => Some("advertised number to tracking number: the carrier’s forward"),
        Verdict::WrongNumber => Some("advertised number to tracking number: it forwards to another one"),
        Verdict::DirectToForwarding => {
            Some("advertised number to tracking number: the call stayed on the office’s line")
        }
        Verdict::Loop => Some("box to office: the forwarding number sends the call back"),
        Verdict::NoArrival => Some("advertised number to box: the forward, or the trunk"),
    }
}

/// What to do about a finding.
#[must_use]
pub const fn remedy(finding: &Finding) -> &'static str {
    match (finding.verdict, finding.office, finding.call) {
        (Verdict::Verified, Office::Free, _) => {
            "Now make the second test while an office line is in use: it shows that busy calls are forwarded too."
        }
        (Verdict::Verified, Office::Busy, _) => "Nothing is left to do.",
        (Verdict::Conditional, ..) => {
            "Ask the carrier for unconditional call forwarding, and to take “no answer” and “busy” forwarding off."
        }
        (Verdict::WrongNumber, ..) => {
            "Give the carrier the tracking number shown here, or choose the one it forwards to now."
        }
        (Verdict::DirectToForwarding, ..) => {
            "The forward is not on. Ask the carrier to switch it on, and to confirm the number it forwards to."
        }
        (Verdict::Loop, ..) => {
            "Take the forward off the forwarding number, or let the tracking number ring the phones instead."
        }
        (Verdict::NoArrival, ..) => {
            "Call the tracking number itself. If that rings here, the carrier’s forward is not on; if not, see the trunk."
        }
        (Verdict::Unknown, _, Some(_)) => {
            "A call came, but it does not show to be yours, or the office’s lines were not as they should be. Say which \
             number you call from, see to the lines, and test again."
        }
        (Verdict::Unknown, _, None) => "Test again.",
    }
}
