//! Phones, ring groups, campaigns and tracking numbers: what refers to what, and what must not stand twice.

use super::{
    Campaign, Phone, Ports, RingGroup, TrackingNumber,
    checker::{Checker, optional},
    error::{Problem, did_you_mean},
    raw,
};
use crate::number::E164;
use std::{collections::BTreeMap, ops::Range};
use toml::Spanned;

/// Characters of a name on a phone's display (Bellcore TR-NWT-001188: 15).
const TAG_MAX: usize = 15;

/// The ring group of a file that has none: every phone port.
const EVERY_PHONE: &str = "office";

/// Largest gain of a port, in dB.
pub(super) const GAIN_MAX_DB: i8 = 12;

/// Builds the phones that the file sets; their ports must be among those of the board, if those are known.
pub(super) fn phones(
    checker: &mut Checker<'_>,
    raw: &[Spanned<raw::Phone>],
    ports: Option<&Ports>,
) -> Vec<Phone> {
    checker.unique("port", raw.iter().filter_map(|phone| phone.get_ref().port.as_ref()));
    let known: Option<Vec<&str>> = ports.map(|ports| ports.phones.iter().map(String::as_str).collect());
    raw.iter()
        .filter_map(|table| {
            let raw = table.get_ref();
            let port = checker.required("port", &raw.port, &table.span())?;
            if let Some(known) = &known {
                refers(checker, "port", "phone port of the board has this name", port, known);
            }
            let gains = -GAIN_MAX_DB..=GAIN_MAX_DB;
            Some(Phone {
                port: port.get_ref().clone(),
                to_phone_db: checker.within("to_phone_db", &raw.to_phone_db, gains.clone(), 0),
                from_phone_db: checker.within("from_phone_db", &raw.from_phone_db, gains, 0),
                echo_canceller: raw.echo_canceller.as_ref().is_none_or(|on| *on.get_ref()),
                pbx: raw.pbx.as_ref().is_some_and(|on| *on.get_ref()),
            })
        })
        .collect()
}

/// Builds the ring groups; their ports must be among those of the board, if those are known.
pub(super) fn ring_groups(
    checker: &mut Checker<'_>,
    raw: &[Spanned<raw::RingGroup>],
    ports: Option<&Ports>,
) -> Vec<RingGroup> {
    let known: Option<Vec<&str>> =
        ports.map(|ports| ports.phones.iter().chain(&ports.lines).map(String::as_str).collect());
    checker.unique("ring group", raw.iter().filter_map(|group| group.get_ref().name.as_ref()));
    if raw.is_empty() {
        return vec![RingGroup { name: EVERY_PHONE.to_owned(), ports: Vec::new() }];
    }
    raw.iter()
        .filter_map(|table| {
            let raw = table.get_ref();
            let ports = raw.ports.as_deref().unwrap_or_default();
            checker.unique("port", ports.iter());
            if let Some(known) = &known {
                for port in ports {
                    refers(checker, "port", "port of the board has this name", port, known);
                }
            }
            let ports = ports.iter().map(|port| port.get_ref().clone()).collect();
            let name = checker.required("name", &raw.name, &table.span())?;
            Some(RingGroup { name: name.get_ref().clone(), ports })
        })
        .collect()
}

pub(super) fn campaigns(checker: &mut Checker<'_>, raw: &[Spanned<raw::Campaign>]) -> Vec<Campaign> {
    checker.unique("campaign", raw.iter().filter_map(|campaign| campaign.get_ref().id.as_ref()));
    raw.iter()
        .filter_map(|table| {
            let raw = table.get_ref();
            let id = checker.required("id", &raw.id, &table.span())?.get_ref().clone();
            let name = optional(raw.name.as_ref()).unwrap_or_else(|| id.clone());
            let tag = match &raw.tag {
                Some(tag) => checked_tag(checker, tag),
                None => name.chars().filter(|c| (' '..='~').contains(c)).take(TAG_MAX).collect(),
            };
            let (source_name, medium) = (optional(raw.source_name.as_ref()), optional(raw.medium.as_ref()));
            Some(Campaign { id, name, tag, source_name, medium })
        })
        .collect()
}

fn checked_tag(checker: &mut Checker<'_>, tag: &Spanned<String>) -> String {
    let text = tag.get_ref();
    let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if text.trim().is_empty() || text.len() > TAG_MAX || !printable {
        let message = format!("a phone cannot show the tag `{text}`");
        let remedy = format!("use 1 to {TAG_MAX} letters, digits and signs of ASCII");
        checker.report(Problem::new("text", message, tag.span()).help(remedy));
    }
    text.clone()
}

/// Builds the tracking numbers; `campaigns` and `ring_groups` are what they may refer to.
pub(super) fn tracking_numbers(
    checker: &mut Checker<'_>,
    raw: &[Spanned<raw::TrackingNumber>],
    campaigns: &[Campaign],
    ring_groups: &[RingGroup],
) -> Vec<TrackingNumber> {
    checker.unique("tracking number id", raw.iter().filter_map(|table| table.get_ref().id.as_ref()));
    let campaigns: Vec<&str> = campaigns.iter().map(|campaign| campaign.id.as_str()).collect();
    let groups: Vec<&str> = ring_groups.iter().map(|group| group.name.as_str()).collect();
    let mut uses = Uses::default();
    let built = raw
        .iter()
        .filter_map(|table| {
            tracking_number(checker, table.get_ref(), &table.span(), &campaigns, &groups, &mut uses)
        })
        .collect();
    uses.check(checker);
    built
}

fn tracking_number(
    checker: &mut Checker<'_>,
    raw: &raw::TrackingNumber,
    table: &Range<usize>,
    campaigns: &[&str],
    groups: &[&str],
    uses: &mut Uses,
) -> Option<TrackingNumber> {
    let number = checker.required("number", &raw.number, table).and_then(|text| number_at(checker, text));
    let campaign = checker.required("campaign", &raw.campaign, table);
    let ring_group = raw.ring_group.as_ref();
    if let Some(campaign) = campaign {
        refers(checker, "campaign", "[[campaign]] has this id", campaign, campaigns);
    }
    if let Some(group) = ring_group {
        refers(checker, "ring group", "[[ring_group]] has this name", group, groups);
    }
    let forwarding = raw.forwarding_number.as_ref().and_then(|text| number_at(checker, text));
    let advertised: Vec<_> =
        raw.advertised.iter().flatten().filter_map(|text| number_at(checker, text)).collect();
    let (number, place) = number?;
    uses.tracking.push((number.clone(), place));
    uses.forwarding.extend(forwarding.clone());
    uses.advertised.extend(advertised.iter().map(|(n, place)| (n.clone(), place.clone(), number.clone())));
    Some(TrackingNumber {
        id: optional(raw.id.as_ref()).unwrap_or_else(|| format!("trk_{}", number.digits())),
        campaign: campaign?.get_ref().clone(),
        ring_group: ring_group.map_or(groups.first().copied(), |group| Some(group.get_ref()))?.to_owned(),
        forwarding_number: forwarding.map(|(number, _)| number),
        advertised: advertised.into_iter().map(|(number, _)| number).collect(),
        number,
    })
}

/// Reports a reference that leads nowhere.
pub(super) fn refers(
    checker: &mut Checker<'_>,
    what: &str,
    missing: &str,
    reference: &Spanned<String>,
    known: &[&str],
) {
    let name = reference.get_ref().as_str();
    if !known.contains(&name) {
        let message = format!("{what} `{name}` does not exist: no {missing}");
        let remedy = did_you_mean(name, known.iter().copied());
        checker.report(Problem::new("dangling", message, reference.span()).help(remedy));
    }
}

/// A telephone number and its place.
pub(super) type Placed = (E164, Range<usize>);

pub(super) fn number_at(checker: &mut Checker<'_>, text: &Spanned<String>) -> Option<Placed> {
    if let Ok(number) = text.get_ref().parse() {
        return Some((number, text.span()));
    }
    let message = format!("`{}` is not a number in international form", text.get_ref());
    let remedy = match checker.as_dialled(text.get_ref()) {
        Some(number) => format!("write \"{number}\""),
        None => "write `+`, the country code and the number, at most 15 digits: \"+13125550100\"".to_owned(),
    };
    checker.report(Problem::new("number", message, text.span()).help(remedy));
    None
}

/// Every use of a number in the file, to find the ones that exclude each other.
#[derive(Default)]
struct Uses {
    tracking: Vec<Placed>,
    forwarding: Vec<Placed>,
    /// With the tracking number that it forwards to.
    advertised: Vec<(E164, Range<usize>, E164)>,
}

impl Uses {
    fn check(&self, checker: &mut Checker<'_>) {
        let mut tracking = BTreeMap::new();
        for (number, place) in &self.tracking {
            if tracking.insert(number, place).is_some() {
                let message = format!("tracking number {number} is given twice");
                let remedy = "one tracking number belongs to one campaign: remove one of the two".to_owned();
                checker.report(Problem::new("duplicate", message, place.clone()).help(remedy));
            }
        }
        for (number, place) in &self.forwarding {
            if tracking.contains_key(number) {
                let message =
                    format!("forwarding number {number} is a tracking number: a call would come back");
                let remedy = "use the unadvertised number of the office's own line".to_owned();
                checker.report(Problem::new("forwarding", message, place.clone()).help(remedy));
            }
        }
        let mut advertised = BTreeMap::new();
        for (number, place, target) in &self.advertised {
            if self.forwarding.iter().any(|(forwarding, _)| forwarding == number) {
                let message =
                    format!("advertised number {number} is a forwarding number: its calls are not tracked");
                let remedy =
                    "advertise the tracking number, or another number that forwards to it".to_owned();
                checker.report(Problem::new("forwarding", message, place.clone()).help(remedy));
            }
            if number != target && tracking.contains_key(number) {
                let message = format!("advertised number {number} is a tracking number of its own");
                let remedy = format!("remove it here: its calls never pass {target}");
                checker.report(Problem::new("duplicate", message, place.clone()).help(remedy));
            }
            if advertised.insert(number, target).is_some() {
                let message = format!("advertised number {number} is given twice");
                let remedy = "it can forward to one tracking number only".to_owned();
                checker.report(Problem::new("duplicate", message, place.clone()).help(remedy));
            }
        }
    }
}
