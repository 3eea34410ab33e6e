//! How sure it is which campaign brought a call, and what a person should look at.
//!
//! The tracking number that was called implies the campaign, and no header ever changes that. The headers only say by
//! which way the call came: they name the advertised number, they warn, and they set the confidence by a fixed rule:
//!
//! | confidence | when |
//! |---|---|
//! | unsure | the INVITE names two tracking numbers, or the advertised number of another one |
//! | likely | the number stood only in History-Info, the caller is lost, or the advertised number is hidden or unknown |
//! | certain | otherwise |

use crate::{
    directory::{Directory, Tracker},
    number::E164,
    record::{Attribution, Confidence, Diverter},
};

/// The forwarding carrier put its customer's number in place of the caller's, who is lost.
pub const CALLER_IS_DIVERTER: &str = "caller_is_diverter";
/// Some party forwards only sometimes: what it takes itself is never tracked.
pub const CONDITIONAL_FORWARD: &str = "conditional_forward";
/// The call was forwarded more than once before it came.
pub const SEVERAL_DIVERTERS: &str = "several_diverters";
/// The first forwarder is a number that the directory does not advertise for this tracking number.
pub const UNKNOWN_ADVERTISED_NUMBER: &str = "unknown_advertised_number";
/// The first forwarder is advertised, but for another tracking number.
pub const ADVERTISED_ELSEWHERE: &str = "advertised_elsewhere";
/// The call was forwarded, and the trunk does not say from which number.
pub const ADVERTISED_NUMBER_HIDDEN: &str = "advertised_number_hidden";
/// The headers name two of our tracking numbers.
pub const SEVERAL_TRACKING_NUMBERS: &str = "several_tracking_numbers";

/// The last resort: the number was only remembered on the way.
const HISTORY_INFO: &str = "history_info";

/// What an INVITE tells of the way of a call.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// Where the tracking number stood, the word of [`Attribution::method`].
    pub method: &'static str,
    /// Every number that the call may be for, in the order of attribution.
    pub called: Vec<&'a E164>,
    /// The caller, if known.
    pub caller: Option<&'a E164>,
    /// Who forwarded it, first forwarder first.
    pub diversion: Vec<Diverter>,
    /// The first forwarder, if it is a number.
    pub first: Option<&'a E164>,
    /// How many times it was forwarded.
    pub times: u32,
    /// Whether somebody forwards only sometimes.
    pub is_conditional: bool,
    /// The attestation that the trunk states: `A`, `B`, `C`.
    pub attestation: Option<&'a str>,
}

/// The advertised number as far as the trunk tells, and how the call was attributed to `tracker`.
#[must_use]
pub fn attribute(way: &Way<'_>, tracker: &Tracker, directory: &Directory) -> (Option<E164>, Attribution) {
    let is_advertised = |number: &&E164| tracker.advertised.contains(number);
    let forwarded_as_caller = way.caller.filter(is_advertised);
    let advertised = way.first.or(forwarded_as_caller);
    let warnings = warnings(way, tracker, directory);
    let attribution = Attribution {
        method: way.method.to_owned(),
        double_forwarded: way.times > 0 || forwarded_as_caller.is_some(),
        confidence: Some(confidence(way.method, &warnings)),
        proof_id: None,
        attestation: way.attestation.map(str::to_owned),
        diversion: way.diversion.clone(),
        warnings: warnings.into_iter().map(str::to_owned).collect(),
    };
    (advertised.cloned(), attribution)
}

fn warnings(way: &Way<'_>, tracker: &Tracker, directory: &Directory) -> Vec<&'static str> {
    let is_ours = |number: &E164| {
        tracker.advertised.contains(number)
            || tracker.forwarding_number.as_ref() == Some(number)
            || tracker.number == *number
    };
    let diverted_by = |caller: &E164| way.diversion.iter().any(|diverter| diverter.number == caller.as_str());
    let is_elsewhere = |number: &E164| {
        directory.trackers().any(|other| other.number != tracker.number && other.advertised.contains(number))
    };
    let is_other = |number: &&E164| **number != tracker.number && directory.lookup(number).is_some();
    let unlisted = way.first.filter(|first| !is_ours(first));
    let found = [
        (CALLER_IS_DIVERTER, way.caller.is_some_and(|caller| is_ours(caller) || diverted_by(caller))),
        (CONDITIONAL_FORWARD, way.is_conditional),
        (SEVERAL_DIVERTERS, way.times > 1),
        (UNKNOWN_ADVERTISED_NUMBER, unlisted.is_some_and(|number| !is_elsewhere(number))),
        (ADVERTISED_ELSEWHERE, unlisted.is_some_and(is_elsewhere)),
        (ADVERTISED_NUMBER_HIDDEN, way.times > 0 && way.first.is_none()),
        (SEVERAL_TRACKING_NUMBERS, way.called.iter().any(is_other)),
    ];
    found.into_iter().filter_map(|(warning, is_so)| is_so.then_some(warning)).collect()
}

fn confidence(method: &str, warnings: &[&str]) -> Confidence {
    let any = |of: &[&str]| warnings.iter().any(|warning| of.contains(warning));
    if any(&[SEVERAL_TRACKING_NUMBERS, ADVERTISED_ELSEWHERE]) {
        Confidence::Unsure
    } else if method == HISTORY_INFO
        || any(&[CALLER_IS_DIVERTER, UNKNOWN_ADVERTISED_NUMBER, ADVERTISED_NUMBER_HIDDEN])
    {
        Confidence::Likely
    } else {
        Confidence::Certain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_has_its_confidence() {
        for (method, warnings, confidence) in [
            ("request_uri", &[][..], Confidence::Certain),
            ("to", &[CONDITIONAL_FORWARD, SEVERAL_DIVERTERS], Confidence::Certain),
            ("history_info", &[], Confidence::Likely),
            ("request_uri", &[CALLER_IS_DIVERTER], Confidence::Likely),
            ("request_uri", &[UNKNOWN_ADVERTISED_NUMBER], Confidence::Likely),
            ("request_uri", &[ADVERTISED_NUMBER_HIDDEN], Confidence::Likely),
            ("history_info", &[ADVERTISED_ELSEWHERE], Confidence::Unsure),
            ("to", &[CALLER_IS_DIVERTER, SEVERAL_TRACKING_NUMBERS], Confidence::Unsure),
        ] {
            assert_eq!(super::confidence(method, warnings), confidence, "{method} {warnings:?}");
        }
    }
}
