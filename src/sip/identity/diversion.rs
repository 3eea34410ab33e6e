//! Who forwarded the call before it came here: Diversion (RFC 5806), else History-Info (RFC 7044, with the causes of
//! RFC 4458 and the mapping of RFC 7544).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::super::{
    message::{Message, NameAddr},
    uri::Uri,
};
use crate::{
    number::{Dialplan, E164},
    record::Diverter,
};

/// Diverters that are kept; a longer chain is a loop.
const MAX_DIVERTERS: usize = 16;

/// One party that forwarded the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// Its number; `None` if it is no telephone number.
    pub number: Option<E164>,
    /// Its user part as received.
    pub raw: String,
    /// Reason in the words of RFC 5806: `unconditional`, `no-answer`, `user-busy` …
    pub reason: Option<String>,
    /// How many times it stands for, 1 unless stated (RFC 5806 `counter`).
    pub times: u32,
}

/// Every party that forwarded the call, first diverter first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diversions(Vec<Diversion>);

/// Reads the diverting parties.
#[must_use]
pub fn diversions(invite: &Message, plan: &Dialplan) -> Diversions {
    let mut list: Vec<Diversion> = invite
        .values("Diversion")
        .filter_map(NameAddr::parse)
        .map(|address| {
            let times = address.params().value("counter").and_then(|times| times.parse().ok()).unwrap_or(1);
            let reason = address.params().value("reason").map(str::to_ascii_lowercase);
            Diversion { times, ..diversion(address.uri(), reason, plan) }
        })
        .take(MAX_DIVERTERS)
        .collect();
    // RFC 5806 7.1: each diverting proxy adds its header on top.
    list.reverse();
    if list.is_empty() {
        list = from_history(invite, plan);
    }
    Diversions(list)
}

/// RFC 7044: entries are in the order of their indices. An entry diverted the call if the one after it says why it
/// exists (`cause` of RFC 4458, or `mp`: mapped to another user), if it carries a Reason itself (RFC 4244), or if
/// another number follows it.
fn from_history(invite: &Message, plan: &Dialplan) -> Vec<Diversion> {
    let entries: Vec<NameAddr> = invite.values("History-Info").filter_map(NameAddr::parse).collect();
    let pairs = entries.iter().zip(entries.iter().skip(1));
    let diverting = pairs.filter_map(|(entry, next)| {
        let cause =
            next.uri().params().value("cause").map(str::to_owned).or_else(|| reason_cause(entry.uri()));
        let reason = cause.as_deref().map(reason_of_cause).map(str::to_owned);
        let diversion = diversion(entry.uri(), reason, plan);
        let target = next.uri().number().and_then(|text| E164::from_dialled(&text, plan));
        let moved = target.is_some() && target != diversion.number;
        (cause.is_some() || next.params().has("mp") || moved).then_some(diversion)
    });
    diverting.take(MAX_DIVERTERS).collect()
}

fn diversion(uri: &Uri, reason: Option<String>, plan: &Dialplan) -> Diversion {
    let raw = uri.number().unwrap_or_default().into_owned();
    Diversion { number: E164::from_dialled(&raw, plan), raw, reason, times: 1 }
}

/// `302` of `sip:…?Reason=SIP%3Bcause%3D302`.
fn reason_cause(uri: &Uri) -> Option<String> {
    let reason = uri.header("Reason")?;
    let cause = reason.split(';').find_map(|part| part.trim().strip_prefix("cause="))?;
    Some(cause.trim().to_owned())
}

/// RFC 7544 5.2.
fn reason_of_cause(cause: &str) -> &'static str {
    match cause {
        "302" => "unconditional",
        "408" => "no-answer",
        "480" | "487" => "deflection",
        "486" => "user-busy",
        "503" => "unavailable",
        _ => "unknown",
    }
}

impl Diversions {
    /// The numbers of the parties that have one.
    pub fn numbers(&self) -> impl Iterator<Item = &E164> {
        self.0.iter().filter_map(|diversion| diversion.number.as_ref())
    }

    /// The parties, first diverter first.
    #[must_use]
    pub fn list(&self) -> &[Diversion] {
        &self.0
    }

    /// The number that the caller dialled: the first diverter's.
    #[must_use]
    pub fn advertised(&self) -> Option<&E164> {
        self.0.first()?.number.as_ref()
    }

    /// Whether some party forwards only sometimes; then calls it takes itself are never tracked.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        let sometimes = [
            "no-answer",
            "user-busy",
            "unavailable",
            "out-of-service",
            "time-of-day",
            "do-not-disturb",
            "away",
        ];
        self.0.iter().filter_map(|d| d.reason.as_deref()).any(|reason| sometimes.contains(&reason))
    }

    /// How many times the call was forwarded.
    #[must_use]
    pub fn times(&self) -> u32 {
        self.0.iter().fold(0, |sum, diversion| sum.saturating_add(diversion.times))
    }

    /// The parties as the call record keeps them.
    #[must_use]
    pub fn to_record(&self) -> Vec<Diverter> {
        let number = |d: &Diversion| d.number.as_ref().map_or_else(|| d.raw.clone(), E164::to_string);
        self.0.iter().map(|d| Diverter { number: number(d), reason: d.reason.clone() }).collect()
    }
}
