//! Facts that a trunk's headers must yield; D0 to D8 are the double-forwarding fixtures of the product.

use super::*;
use crate::record::Diverter;
use crate::sip::message::parse;

const TRACKING: &str = "+13125550100";
const ADVERTISED: &str = "+13125550900";
const CALLER: &str = "+14155550123";

fn plan() -> Dialplan {
    Dialplan::for_country("US").unwrap()
}

/// An INVITE to the tracking number with its own From and more headers.
fn invite(from: &str, headers: &str) -> Message {
    invite_to("sip:+13125550100@192.0.2.9", "<sip:+13125550100@192.0.2.9>", from, headers)
}

fn invite_to(request_uri: &str, to: &str, from: &str, headers: &str) -> Message {
    let text = format!(
        "INVITE {request_uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\nFrom: {from};tag=1\r\n\
         To: {to}\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
    );
    parse(text.as_bytes(), "198.51.100.7:5060".parse().unwrap()).unwrap()
}

fn plain(headers: &str) -> Message {
    invite("\"DOE JOHN\" <sip:+14155550123@carrier.example>", headers)
}

fn tracking(invite: &Message) -> Vec<(String, AttributionMethod)> {
    called(invite, &DidSource::Auto, &plan()).into_iter().map(|c| (c.number.to_string(), c.method)).collect()
}

fn number(number: Option<&E164>) -> Option<&str> {
    number.map(E164::as_str)
}

#[test]
fn d0_a_plain_call_has_a_caller_a_tracking_number_and_no_diversion() {
    let invite = plain("");
    let caller = caller(&invite, &plan());
    assert_eq!((number(caller.number.as_ref()), caller.name.as_deref()), (Some(CALLER), Some("DOE JOHN")));
    assert_eq!((caller.presentation, caller.source), (Presentation::Allowed, CallerSource::From));
    assert_eq!(tracking(&invite), [(TRACKING.to_owned(), AttributionMethod::RequestUri)]);
    let diversions = diversions(&invite, &plan());
    assert!(diversions.list().is_empty() && diversions.advertised().is_none());
}

#[test]
fn d1_an_unconditional_forward_names_the_advertised_number() {
    let invite =
        plain("Diversion: <sip:3125550900@carrier.example>;reason=Unconditional;counter=1;privacy=off\r\n");
    let diversions = diversions(&invite, &plan());
    assert_eq!(number(diversions.advertised()), Some(ADVERTISED));
    assert!(!diversions.list().is_empty() && !diversions.is_conditional());
    let expected = Diverter { number: ADVERTISED.to_owned(), reason: Some("unconditional".to_owned()) };
    assert_eq!(diversions.to_record(), [expected]);
}

#[test]
fn d2_of_two_diversions_the_bottom_one_is_the_first_diverter() {
    let chain = "<tel:+13125550950>;reason=unknown, <sip:+13125550900@h>;reason=no-answer;counter=2\r\n";
    let diversions = diversions(&plain(&format!("Diversion: {chain}")), &plan());
    assert_eq!(number(diversions.advertised()), Some(ADVERTISED));
    assert_eq!((diversions.list().len(), diversions.times(), diversions.is_conditional()), (2, 3, true));
}

#[test]
fn d3_when_only_the_last_diverter_is_left_it_is_taken_as_it_is() {
    let diversions =
        diversions(&plain("Diversion: \"Front desk\" <sip:front-desk@pbx>;reason=follow-me\r\n"), &plan());
    assert!(!diversions.list().is_empty() && diversions.advertised().is_none());
    assert_eq!(diversions.to_record().first().unwrap().number, "front-desk");
}

#[test]
fn d4_a_forwarder_in_place_of_the_caller_is_a_caller_like_any_other_here() {
    let invite = invite("<sip:+13125550900@carrier.example>", "");
    assert_eq!(number(caller(&invite, &plan()).number.as_ref()), Some(ADVERTISED));
    assert!(diversions(&invite, &plan()).list().is_empty());
}

#[test]
fn d5_history_info_names_the_diverter_before_the_cause() {
    for history in [
        "<sip:+13125550900@h>;index=1, <sip:+13125550100@h;cause=302>;index=1.1;mp=1",
        "<sip:+13125550900@h?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1, <sip:+13125550100@h>;index=1.1",
    ] {
        let diversions = diversions(&plain(&format!("History-Info: {history}\r\n")), &plan());
        assert_eq!(number(diversions.advertised()), Some(ADVERTISED), "{history}");
        assert!(!diversions.is_conditional());
    }
    let busy = "<sip:+13125550900@h>;index=1,<sip:+13125550100@h;cause=486>;index=1.1\r\nHistory-Info: <sip:r1@h>;index=1.1.1;rc=1.1";
    let diversions = diversions(&plain(&format!("History-Info: {busy}\r\n")), &plan());
    assert_eq!((diversions.list().len(), diversions.is_conditional()), (1, true));
}

#[test]
fn d6_an_account_in_the_request_uri_leaves_the_number_to_the_other_headers() {
    let from = "<sip:+14155550123@h>";
    let invite = invite_to("sip:trunk4711@192.0.2.9", "<sip:3125550100@h>", from, "");
    assert_eq!(tracking(&invite), [(TRACKING.to_owned(), AttributionMethod::To)]);
    let headers = "P-Called-Party-ID: <tel:+13125550100>\r\nHistory-Info: <sip:+13125550101@h>;index=1\r\n";
    let invite = invite_to("sip:trunk4711@192.0.2.9", "<sip:trunk4711@h>", from, headers);
    let expected = [
        (TRACKING.to_owned(), AttributionMethod::CalledPartyId),
        ("+13125550101".to_owned(), AttributionMethod::HistoryInfo),
    ];
    assert_eq!(tracking(&invite), expected);
    let number = called(&invite, &DidSource::Header("p-called-party-id".to_owned()), &plan());
    assert_eq!(number.first().map(|c| (c.number.as_str(), c.method.as_str())), Some((TRACKING, "header")));
    assert!(called(&invite, &DidSource::To, &plan()).is_empty());
}

#[test]
fn d7_an_anonymous_caller_stays_anonymous_whatever_the_network_asserts() {
    let asserted = "P-Asserted-Identity: \"DOE JOHN\" <sip:+14155550123@h>\r\n";
    for (from, headers) in [
        ("\"Anonymous\" <sip:anonymous@anonymous.invalid>", ""),
        ("<sip:+14155550123@h>", "Privacy: id;critical\r\n"),
        ("<sip:+14155550123@h>", "Privacy: user\r\n"),
        ("<sip:Restricted@h>", ""),
        ("\"anonymous\" <sip:+14155550123@h>", ""),
        ("<sip:+14155550123@h>", "Remote-Party-ID: <sip:+14155550123@h>;party=calling;privacy=full\r\n"),
    ] {
        let caller = caller(&invite(from, &format!("{asserted}{headers}")), &plan());
        assert_eq!(caller.presentation, Presentation::Restricted, "{from} {headers}");
        assert_eq!((caller.number, caller.name, caller.raw.as_str()), (None, None, ""), "{from} {headers}");
    }
    let open = caller(&invite("<sip:+14155550123@h>", "Privacy: none\r\n"), &plan());
    assert_eq!(open.presentation, Presentation::Allowed);
}

#[test]
fn d8_verstat_is_read_wherever_the_trunk_puts_it() {
    for asserted in [
        "<sip:+14155550123;verstat=TN-Validation-Passed@h;user=phone>",
        "<sip:+14155550123@h;user=phone;verstat=TN-Validation-Passed>",
        "<sip:+14155550123@h>;verstat=TN-Validation-Passed",
        "<tel:+14155550123;verstat=TN-Validation-Passed>",
        "<sip:anyone@h>, <tel:+1-415-555-0123;verstat=TN-Validation-Passed>",
    ] {
        let headers = format!("P-Asserted-Identity: {asserted}\r\nP-Attestation-Indicator: A\r\n");
        let caller = caller(&invite("<sip:+19995550000@h>", &headers), &plan());
        assert_eq!(number(caller.number.as_ref()), Some(CALLER), "{asserted}");
        assert_eq!(caller.verstat.as_deref(), Some("TN-Validation-Passed"), "{asserted}");
        assert_eq!((caller.attest.as_deref(), caller.source), (Some("A"), CallerSource::AssertedIdentity));
    }
}

#[test]
fn remote_party_id_counts_only_for_the_calling_side() {
    let headers = "Remote-Party-ID: <sip:+13125550100@h>;party=called, \"X\" <sip:4155550123@h>;party=calling;privacy=off\r\n";
    let caller = caller(&invite("<sip:pbx@h>", headers), &plan());
    assert_eq!((number(caller.number.as_ref()), caller.name.as_deref()), (Some(CALLER), Some("X")));
    assert_eq!(caller.source, CallerSource::RemotePartyId);
}

#[test]
fn a_caller_without_a_number_is_unavailable_and_keeps_what_was_received() {
    let caller = caller(&invite("<sip:unavailable@h>", ""), &plan());
    assert_eq!((caller.presentation, caller.raw.as_str()), (Presentation::Unavailable, "unavailable"));
}

#[test]
fn a_number_in_place_of_the_name_is_no_name() {
    let invite = invite("\"+1 (415) 555-0123\" <sip:+14155550123@h>", "");
    assert_eq!(caller(&invite, &plan()).name, None);
}

#[test]
fn the_routing_number_of_a_ported_number_is_never_the_called_number() {
    let invite =
        invite_to("sip:+13125550100;npdi;rn=+13125559999@h", "<sip:+13125550100@h>", "<sip:a@h>", "");
    assert_eq!(tracking(&invite), [(TRACKING.to_owned(), AttributionMethod::RequestUri)]);
}
