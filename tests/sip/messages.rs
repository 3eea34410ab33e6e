//! Every message of `tests/data/sip` is read as its file says.

use super::corpus;
use ringside::{
    number::{Dialplan, E164},
    sip::{
        identity::{self, DidSource},
        message::{Message, Rejected, parse},
        sdp::Exchange,
    },
};
use std::net::SocketAddr;

fn source() -> SocketAddr {
    "198.51.100.7:5060".parse().unwrap()
}

/// What `message` says about `key`, as text; `-` for nothing.
fn fact(message: &Message, key: &str) -> String {
    let plan = Dialplan::for_country("US").unwrap();
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    match key {
        "method" => message.method().to_string(),
        "status" => message.status().map_or("-".to_owned(), |status| status.to_string()),
        "from_tag" => text(message.from_tag()),
        "to" => message.to().uri().to_string(),
        "contact" => text(message.contact().map(|contact| contact.uri().as_str())),
        "contacts" => message.contacts().len().to_string(),
        "vias" => message.vias().count().to_string(),
        "record_routes" => message.record_routes().len().to_string(),
        "expires" => message.expires().map_or("-".to_owned(), |seconds| seconds.to_string()),
        "body" => message.body().len().to_string(),
        "did" => text(identity::called(message, &DidSource::Auto, &plan).first().map(|c| c.number.as_str())),
        "caller" => text(identity::caller(message, &plan).number.as_ref().map(E164::as_str)),
        "name" => text(identity::caller(message, &plan).name.as_deref()),
        "verstat" => text(identity::caller(message, &plan).verstat.as_deref()),
        "advertised" => text(identity::diversions(message, &plan).advertised().map(E164::as_str)),
        "codec" => {
            let mut exchange = Exchange::new("192.0.2.9:4000".parse().unwrap(), 1);
            let agreed = message.sdp().and_then(|offer| exchange.answer(offer).ok());
            text(agreed.map(|(_, agreed)| agreed.codec.name()))
        }
        other => panic!("no such fact: {other}"),
    }
}

#[test]
fn valid_messages_are_accepted_with_the_facts_that_their_files_state() {
    let mut wrong = Vec::new();
    for sample in corpus::load("valid") {
        let message = match parse(&sample.bytes, source()) {
            Ok(message) => message,
            Err(why) => {
                wrong.push(format!("{}: {why:?}", sample.name));
                continue;
            }
        };
        for (key, expected) in sample.facts.iter().filter(|(key, _)| key != "line_ends") {
            let found = fact(&message, key);
            if found != *expected {
                wrong.push(format!("{}: {key} is {found}, not {expected}", sample.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn broken_messages_get_the_answer_that_their_names_state() {
    let mut wrong = Vec::new();
    for sample in corpus::load("reject") {
        let found = match parse(&sample.bytes, source()) {
            Ok(_) => "accepted".to_owned(),
            Err(Rejected::Dropped(_)) => "drop".to_owned(),
            Err(Rejected::Refused(refusal)) => {
                let answer = refusal.response(Some("t"));
                assert_eq!(answer.status(), Some(refusal.status()));
                refusal.status().to_string()
            }
        };
        if !sample.name.starts_with(&found) {
            wrong.push(format!("{}: {found}", sample.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_corpus_is_as_large_as_it_is_meant_to_be() {
    let valid = corpus::load("valid");
    let count = |kind: &str| valid.iter().filter(|sample| sample.name.starts_with(kind)).count();
    assert!(
        count("trunk_") >= 45 && count("torture_") >= 27,
        "{} and {}",
        count("trunk_"),
        count("torture_")
    );
    assert!(corpus::load("reject").len() >= 22);
}
