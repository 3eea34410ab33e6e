//! `[[webhook]]` and `[lookup]`: who is told what happens, and who is asked who calls.

use super::{
    Password,
    checker::Checker,
    error::{Problem, did_you_mean},
    raw,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, ops::Range};
use toml::Spanned;

/// Receivers of one box: each costs a queue.
pub const MAX_WEBHOOKS: usize = 8;
/// A shared secret has so many bytes (Standard Webhooks 1.0.0).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What others can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A call came in; before the phones ring.
    PreCall,
    /// A handset went off hook, or none will.
    CallRoutingComplete,
    /// A call is over and its record is stored.
    PostCall,
    /// The recording of a call can be played.
    RecordingReady,
    /// A stored record was changed.
    CallModified,
    /// An office line needs somebody, or does no more.
    LineHealth,
    /// Somebody dialled an emergency number.
    EmergencyDialled,
    /// A trunk's registration changed.
    TrunkState,
}

impl WebhookEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::PreCall,
        Self::CallRoutingComplete,
        Self::PostCall,
        Self::RecordingReady,
        Self::CallModified,
        Self::LineHealth,
        Self::EmergencyDialled,
        Self::TrunkState,
    ];

    /// Its name in the file, in bodies and on the stream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreCall => "pre_call",
            Self::CallRoutingComplete => "call_routing_complete",
            Self::PostCall => "post_call",
            Self::RecordingReady => "recording_ready",
            Self::CallModified => "call_modified",
            Self::LineHealth => "line_health",
            Self::EmergencyDialled => "emergency_dialled",
            Self::TrunkState => "trunk_state",
        }
    }
}

/// A receiver of webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where it listens; unique. `https://`, or this machine, or any with `allow_http = true`.
    pub url: String,
    /// How it is signed.
    pub signing: WebhookSigning,
    /// What it is told. Default: `post_call`, `recording_ready`.
    pub events: Vec<WebhookEvent>,
    /// Whether its address is one of a local network, which a page from outside could not reach.
    pub is_private: bool,
}

/// How webhooks are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookSigning {
    /// `v1` with `secret`, which starts with `whsec_`.
    Secret(Password),
    /// `v1a` with the box's own key: `signing = "ed25519"`.
    Ed25519,
}

/// Whoever knows the callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where it is asked.
    pub url: String,
    /// How the question is signed.
    pub signing: WebhookSigning,
}

pub(super) fn webhooks(checker: &mut Checker<'_>, raw: &[Spanned<raw::Webhook>]) -> Vec<Webhook> {
    checker.unique("url", raw.iter().filter_map(|webhook| webhook.get_ref().url.as_ref()));
    if let Some(over) = raw.get(MAX_WEBHOOKS) {
        let message = format!("there are more than {MAX_WEBHOOKS} webhooks");
        let remedy = "let one receiver pass on what the others need".to_owned();
        checker.report(Problem::new("range", message, over.span()).help(remedy));
    }
    raw.iter().filter_map(|webhook| one(checker, webhook)).collect()
}

fn one(checker: &mut Checker<'_>, table: &Spanned<raw::Webhook>) -> Option<Webhook> {
    let (raw, place) = (table.get_ref(), table.span());
    let allows_http = raw.allow_http.as_ref().is_some_and(|allow| *allow.get_ref());
    let url = url(checker, &raw.url, allows_http, &place);
    let signing = signing(checker, (&raw.secret, &raw.signing), &place);
    let events = raw.events.as_deref().map_or_else(
        || vec![WebhookEvent::PostCall, WebhookEvent::RecordingReady],
        |names| names.iter().filter_map(|name| event(checker, name)).collect(),
    );
    let url = url?;
    let is_private = host(&url).parse::<IpAddr>().is_ok_and(is_private);
    Some(Webhook { url, signing: signing?, events, is_private })
}

pub(super) fn lookup(checker: &mut Checker<'_>, raw: Option<&Spanned<raw::Lookup>>) -> Option<Lookup> {
    let table = raw?;
    let (raw, place) = (table.get_ref(), table.span());
    let allows_http = raw.allow_http.as_ref().is_some_and(|allow| *allow.get_ref());
    let url = url(checker, &raw.url, allows_http, &place);
    let signing = signing(checker, (&raw.secret, &raw.signing), &place);
    Some(Lookup { url: url?, signing: signing? })
}

fn url(
    checker: &mut Checker<'_>,
    value: &raw::Text,
    allows_http: bool,
    place: &Range<usize>,
) -> Option<String> {
    let value = checker.required("url", value, place)?;
    let text = value.get_ref();
    let is_plain = |rest: &str| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['@', '#', ' ', '\\']) && rest.is_ascii()
    };
    let problem = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) if is_plain(rest) => return Some(text.clone()),
        (_, Some(rest)) if is_plain(rest) => {
            let name = host(text);
            if allows_http || name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
                return Some(text.clone());
            }
            let message = "calls would go over the network in the clear".to_owned();
            let remedy = "use https://, or add `allow_http = true` if the network is yours".to_owned();
            Problem::new("address", message, value.span()).help(remedy)
        }
        _ => {
            let remedy = "write it like \"https://crm.example.net/ringside\"".to_owned();
            Problem::new("address", format!("`{text}` is not the address of a receiver"), value.span())
                .help(remedy)
        }
    };
    checker.report(problem);
    None
}

/// The host in a URL that begins with its scheme, without port and brackets.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(address, _)| address),
        None => authority.rsplit_once(':').map_or(authority, |(name, _)| name),
    }
}

/// RFC 1918, RFC 4193, link-local: an address of somebody's own network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn signing(
    checker: &mut Checker<'_>,
    (secret, kind): (&raw::Text, &raw::Text),
    place: &Range<usize>,
) -> Option<WebhookSigning> {
    let problem = match (secret, kind) {
        (Some(secret), None) => {
            let bytes = secret.get_ref().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
            if bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes.len())) {
                return Some(WebhookSigning::Secret(Password(secret.get_ref().clone())));
            }
            let message = "secret is not one of Standard Webhooks".to_owned();
            let remedy = "it is `whsec_` and the base64 of 24 to 64 random bytes: \
                          echo whsec_$(head -c 32 /dev/urandom | base64)"
                .to_owned();
            Problem::new("key", message, secret.span()).help(remedy)
        }
        (None, Some(kind)) if kind.get_ref() == "ed25519" => return Some(WebhookSigning::Ed25519),
        (None, Some(kind)) => {
            let message = format!("there is no signing `{}`", kind.get_ref());
            let remedy = did_you_mean(kind.get_ref(), ["ed25519"].into_iter());
            Problem::new("choice", message, kind.span()).help(remedy)
        }
        (Some(_), Some(kind)) => {
            let message = "`secret` and `signing` are both given".to_owned();
            Problem::new("unused_key", message, kind.span()).help("keep one of the two".to_owned())
        }
        (None, None) => {
            let message = "the receiver could not tell that it is this box that speaks".to_owned();
            let remedy = "add `secret = \"whsec_…\"` or `signing = \"ed25519\"`".to_owned();
            Problem::new("missing_key", message, place.clone()).help(remedy)
        }
    };
    checker.report(problem);
    None
}

fn event(checker: &mut Checker<'_>, name: &Spanned<String>) -> Option<WebhookEvent> {
    let found = WebhookEvent::ALL.into_iter().find(|event| event.name() == name.get_ref());
    if found.is_none() {
        let message = format!("there is no event `{}`", name.get_ref());
        let names = WebhookEvent::ALL.iter().map(|event| event.name());
        let remedy = did_you_mean(name.get_ref(), names);
        checker.report(Problem::new("choice", message, name.span()).help(remedy));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SECRET: &str = "secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";

    fn problems(webhook: &str) -> Vec<String> {
        let errors = Config::parse(&format!("[[webhook]]\n{webhook}"), "x.toml").unwrap_err();
        errors.problems().iter().map(|problem| problem.message.clone()).collect()
    }

    fn webhook(text: &str) -> Webhook {
        Config::parse(&format!("[[webhook]]\n{text}"), "x.toml").unwrap().webhooks.remove(0)
    }

    #[test]
    fn a_receiver_has_an_address_a_key_and_what_it_wants() {
        let hook = webhook(&format!("url = \"https://crm.example.net/hook?x=1\"\n{SECRET}"));
        assert_eq!(hook.events, [WebhookEvent::PostCall, WebhookEvent::RecordingReady]);
        assert!(!format!("{hook:?}").contains("MfKQ"), "a secret does not show in logs");
        let hook = webhook("url = \"http://127.0.0.1:9000\"\nsigning = \"ed25519\"\nevents = [\"pre_call\"]");
        assert_eq!((hook.signing, hook.events), (WebhookSigning::Ed25519, vec![WebhookEvent::PreCall]));
    }

    #[test]
    fn calls_do_not_go_over_the_network_in_the_clear_unless_it_is_asked_for() {
        let clear = format!("url = \"http://10.0.0.7/hook\"\n{SECRET}");
        assert!(problems(&clear)[0].contains("in the clear"));
        assert!(webhook(&format!("{clear}\nallow_http = true")).is_private);
        assert!(!webhook(&format!("url = \"https://203.0.113.7/\"\n{SECRET}")).is_private);
        assert!(webhook(&format!("url = \"https://[fd00::1]:8443/\"\n{SECRET}")).is_private);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(problems(SECRET)[0].contains("`url` is missing"));
        assert!(problems("url = \"https://a.example\"")[0].contains("could not tell"));
        assert!(problems(&format!("url = \"ftp://a\"\n{SECRET}"))[0].contains("not the address"));
        assert!(problems(&format!("url = \"https://u:p@a\"\n{SECRET}"))[0].contains("not the address"));
        assert!(problems("url = \"https://a\"\nsecret = \"abc\"")[0].contains("Standard Webhooks"));
        assert!(problems("url = \"https://a\"\nsigning = \"rsa\"")[0].contains("`rsa`"));
        let both = problems(&format!("url = \"https://a\"\nsigning = \"ed25519\"\n{SECRET}"));
        assert!(both[0].contains("both"));
        let event = problems(&format!("url = \"https://a\"\n{SECRET}\nevents = [\"post_cal\"]"));
        assert!(event[0].contains("`post_cal`"));
        let twice = format!("url = \"https://a\"\n{SECRET}\n[[webhook]]\nurl = \"https://a\"\n{SECRET}");
        assert!(problems(&twice)[0].contains("given twice"));
    }

    #[test]
    fn a_lookup_is_checked_as_a_receiver_is() {
        let text = format!("[lookup]\nurl = \"https://crm.example.net/who\"\n{SECRET}");
        assert_eq!(Config::parse(&text, "x").unwrap().lookup.unwrap().url, "https://crm.example.net/who");
        assert!(Config::parse("[lookup]\nurl = \"http://a.example\"", "x").is_err());
    }
}
