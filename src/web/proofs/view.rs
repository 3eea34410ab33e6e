//! What the pages of double forwarding show, in the office's words.

use super::super::{attribution_wording, view::Fact, wording};
use super::Proofs;
use crate::{
    directory::Directory,
    proving::{self, CHECKLIST, Evidence, Finding, Objection, Office, Proof, TEST_MS, Verdict},
};

/// A proof as a row of the list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) advertised: String,
    pub(super) tracking: String,
    pub(super) campaign: String,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) at: String,
}

/// One number that may be chosen.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) words: String,
    pub(super) is_chosen: bool,
}

/// A line of the checklist.
pub(super) struct Check {
    pub(super) word: &'static str,
    pub(super) asks: &'static str,
    pub(super) is_done: bool,
}

/// What one test has found.
pub(super) struct FindingView {
    pub(super) class: &'static str,
    pub(super) verdict: &'static str,
    pub(super) hop: Option<&'static str>,
    pub(super) remedy: &'static str,
    pub(super) call: Option<String>,
    pub(super) facts: Vec<Fact>,
    pub(super) warnings: Vec<String>,
}

/// One of the two tests.
pub(super) struct TestView {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) how: &'static str,
    pub(super) shows: &'static str,
    /// Milliseconds that it has waited.
    pub(super) waited_ms: Option<u64>,
    pub(super) found: Option<FindingView>,
    pub(super) may_begin: bool,
    pub(super) button: &'static str,
}

/// Everything on the page of one proof.
pub(super) struct ProofPage {
    pub(super) id: String,
    pub(super) advertised: String,
    pub(super) tracking: String,
    pub(super) tracking_dialled: String,
    pub(super) campaign: String,
    pub(super) said: &'static str,
    pub(super) class: &'static str,
    pub(super) by: String,
    pub(super) begun: String,
    pub(super) at: String,
    pub(super) has_finding: bool,
    pub(super) is_signed: bool,
    pub(super) caller: String,
    pub(super) checklist: Vec<Check>,
    pub(super) tests: Vec<TestView>,
}

impl Row {
    pub(super) fn new(proof: &Proof) -> Self {
        Self {
            id: proof.id.to_string(),
            advertised: wording::number(&proof.advertised),
            tracking: wording::number(&proof.tracking),
            campaign: proof.campaign.clone(),
            verdict: proving::said(proof),
            class: class(proof.verdict),
            at: proof.at.to_string(),
        }
    }
}

impl ProofPage {
    pub(super) fn new(proof: &Proof, proofs: &Proofs) -> Self {
        let waits_s = proofs.waits_s(proof.id);
        let next = proof.next_test().filter(|_| waits_s.is_none());
        let caller = [&proof.busy, &proof.free].into_iter().flatten().find_map(|found| found.caller.as_ref());
        let test = |office: Office| {
            let found = match office {
                Office::Free => &proof.free,
                Office::Busy => &proof.busy,
            };
            // The test that waits is the next one, as far as the findings go.
            let waits = waits_s.filter(|_| proof.next_test() == Some(office));
            TestView::new(office, found.as_ref(), waits, next == Some(office))
        };
        Self {
            id: proof.id.to_string(),
            advertised: wording::number(&proof.advertised),
            tracking: wording::number(&proof.tracking),
            tracking_dialled: proofs
                .0
                .plan
                .map_or_else(|| proof.tracking.to_string(), |plan| plan.dialled(&proof.tracking)),
            campaign: proof.campaign.clone(),
            said: proving::said(proof),
            class: class(proof.verdict),
            by: proof.by.clone(),
            begun: proof.begun.to_string(),
            at: proof.at.to_string(),
            has_finding: proof.free.is_some(),
            is_signed: proofs.signed(proof.id).is_some(),
            caller: caller.map(wording::number).unwrap_or_default(),
            checklist: CHECKLIST
                .iter()
                .map(|&(word, asks)| Check {
                    word,
                    asks,
                    is_done: proof.seen_to.iter().any(|done| done == word),
                })
                .collect(),
            tests: vec![test(Office::Free), test(Office::Busy)],
        }
    }
}

impl TestView {
    fn new(office: Office, found: Option<&Finding>, waits_s: Option<u64>, may_begin: bool) -> Self {
        let (id, title, how, shows) = match office {
            Office::Free => (
                "free",
                "Test with the lines free",
                "Hang up every phone. Press the button, then call the advertised number from another phone, such as a \
                 mobile.",
                "Shows that the call comes to the tracking number, and not only when the office is busy.",
            ),
            Office::Busy => (
                "busy",
                "Test with a line in use",
                "Lift a phone and dial out on the office’s line, and stay on it. Press the button, then call the \
                 advertised number again.",
                "Shows that the forward does not wait for an unanswered ring. Both tests together prove that every call \
                 is forwarded.",
            ),
        };
        Self {
            id,
            title,
            how,
            shows,
            waited_ms: waits_s.map(|left| TEST_MS.saturating_sub(left * 1000)),
            found: found.map(FindingView::new),
            may_begin,
            button: if found.is_some() { "Test again" } else { "Begin the test" },
        }
    }
}

impl FindingView {
    fn new(finding: &Finding) -> Self {
        let number = |number: &crate::number::E164| wording::number(number);
        let evidence = finding.evidence.map(|evidence| match evidence {
            Evidence::Forwarder => "the trunk names the advertised number as the forwarder",
            Evidence::Caller => "it came from the number you call from",
        });
        let forwarders: Vec<String> = finding.forwarders.iter().map(number).collect();
        let facts = [
            ("Calling number", finding.caller.as_ref().map(number)),
            ("Tracking number", finding.tracking.as_ref().map(number)),
            ("Forwarded by", Some(forwarders.join(", ")).filter(|text| !text.is_empty())),
            ("Known by", evidence.map(str::to_owned)),
            ("Line that rang", finding.line.clone()),
            ("After", Some(format!("{} s", finding.at_ms.div_ceil(1000)))),
        ];
        Self {
            class: class(finding.verdict),
            verdict: verdict(finding.verdict),
            hop: proving::failed_hop(finding),
            remedy: proving::remedy(finding),
            call: finding.call.map(|call| call.to_string()),
            facts: facts.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value? })).collect(),
            warnings: finding.warnings.iter().map(|word| attribution_wording::warning(word)).collect(),
        }
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "Verified",
        Verdict::Conditional => "Conditional",
        Verdict::WrongNumber => "Wrong number",
        Verdict::DirectToForwarding => "Direct to the office’s line",
        Verdict::Loop => "Loop",
        Verdict::NoArrival => "No arrival",
        Verdict::Unknown => "Not known",
    }
}

/// The class of a result: `answered` is good, `missed` is bad, nothing is neither.
const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "answered",
        Verdict::Unknown => "",
        _ => "missed",
    }
}

/// What speaks against two numbers, and what to do.
pub(super) fn objection(objection: &Objection) -> String {
    let number = |number| wording::number(number);
    match objection {
        Objection::IsTrackingNumber => {
            "This number is a tracking number itself: its calls come to the box without a \
                                        forward. Advertise it as it is."
                .to_owned()
        }
        Objection::Circle { tracking } => format!(
            "This is the forwarding number behind {}: a call would go round in a circle. Choose another number.",
            number(tracking)
        ),
        Objection::ForwardsElsewhere { tracking } => format!(
            "This number is set up to forward to {}. A number forwards to one place only: choose that tracking number, or \
             take the advertised number off it first.",
            number(tracking)
        ),
        Objection::NoTrackingNumber => "Choose one of the tracking numbers of the list.".to_owned(),
        Objection::SharedWith { advertised } => format!(
            "{} forwards to the same tracking number: calls of both will look alike where the trunk does not name the \
             forwarder. A tracking number of its own is better.",
            number(advertised)
        ),
    }
}

/// The advertised numbers of the directory, and the tracking numbers.
pub(super) fn choices(directory: &Directory, chosen: &str) -> (Vec<Choice>, Vec<Choice>) {
    let choice = |number: &crate::number::E164, campaign: &str| Choice {
        value: number.to_string(),
        words: format!("{}, {campaign}", wording::number(number)),
        is_chosen: number.as_str() == chosen,
    };
    let advertised = directory
        .trackers()
        .flat_map(|tracker| tracker.advertised.iter().map(|number| choice(number, &tracker.campaign.name)));
    let tracking = directory.trackers().map(|tracker| choice(&tracker.number, &tracker.campaign.name));
    (advertised.collect(), tracking.collect())
}
