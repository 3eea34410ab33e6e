//! How a call was attributed, in the words of the page and the command line.

use super::wording::plain;
use crate::{call::attribution as found, record::Confidence};

/// Where the tracking number was found.
#[must_use]
pub fn method(method: &str) -> String {
    match method {
        "request_uri" => "the called address".to_owned(),
        "to" => "the To header".to_owned(),
        "p_called_party_id" => "P-Called-Party-ID".to_owned(),
        "history_info" => "History-Info".to_owned(),
        "header" => "the header that the set-up names".to_owned(),
        other => plain(other),
    }
}

/// How sure the campaign is.
#[must_use]
pub fn confidence(confidence: Confidence) -> String {
    let word = match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Unsure => "unsure",
    };
    word.to_owned()
}

/// What a person should look at, and why.
#[must_use]
pub fn warning(warning: &str) -> String {
    let words = match warning {
        found::CALLER_IS_DIVERTER => {
            "the caller’s number is one of the office’s own: whoever forwards the call puts it in place of the caller’s"
        }
        found::CONDITIONAL_FORWARD => {
            "the advertised number forwards only when busy or unanswered: calls it takes itself are not tracked"
        }
        found::SEVERAL_DIVERTERS => "the call was forwarded more than once on its way",
        found::UNKNOWN_ADVERTISED_NUMBER => {
            "it was forwarded from a number that is not listed as advertised for this tracking number"
        }
        found::ADVERTISED_ELSEWHERE => {
            "it was forwarded from a number that is advertised for another tracking number"
        }
        found::ADVERTISED_NUMBER_HIDDEN => "it was forwarded, and the trunk does not say from which number",
        found::SEVERAL_TRACKING_NUMBERS => "the trunk names two tracking numbers for this call",
        other => return plain(other),
    };
    words.to_owned()
}
