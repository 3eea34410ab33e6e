//! The directory as programs get it.

use crate::{
    access::{Role, Task},
    directory::{CampaignEntry, Change, Customer, Directory, Job, NumberEntry, Source, Use, Verified},
    number::E164,
};
use serde::Serialize;
use std::borrow::Cow;

/// Where an entry is changed.
pub(super) const fn from(source: Source) -> &'static str {
    match source {
        Source::File => "configuration_file",
        Source::Book => "directory",
    }
}

/// A tracking number, in the names of CallRail's tracker.
#[derive(Serialize)]
pub(super) struct TrackerOut<'a> {
    pub(super) id: &'a str,
    name: &'a str,
    /// Always `source`: one number for a campaign.
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    tracking_phone_number: &'a E164,
    tracking_numbers: [&'a E164; 1],
    /// Not for everybody: it is unadvertised.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_number: Option<&'a E164>,
    campaign_id: &'a str,
    campaign_name: &'a str,
    source_name: Option<&'a str>,
    medium: Option<&'a str>,
    ring: &'a str,
    ports: Vec<String>,
    advertised_numbers: Vec<E164>,
    override_reason: Option<&'a str>,
    verified: Option<&'a Verified>,
    from: &'static str,
    history: &'a [Change],
}

/// Every tracking number that `role` may see, all of each.
pub(super) fn trackers(directory: &Directory, role: Role) -> Vec<TrackerOut<'_>> {
    let numbers = directory.numbers().into_iter();
    numbers.filter_map(|(entry, source)| tracker(directory, entry, source, role)).collect()
}

/// One tracking number; `None` if it is none.
pub(super) fn tracker<'a>(
    directory: &'a Directory,
    entry: &'a NumberEntry,
    source: Source,
    role: Role,
) -> Option<TrackerOut<'a>> {
    let Use::Tracking { campaign, ring, forwarding_number } = &entry.used else { return None };
    let (of, _) = directory.campaign(campaign)?;
    let live = directory.lookup(&entry.number);
    Some(TrackerOut {
        id: &entry.id,
        name: entry.name.as_deref().unwrap_or(&of.name),
        kind: "source",
        status: if live.is_some() { "active" } else { "disabled" },
        tracking_phone_number: &entry.number,
        tracking_numbers: [&entry.number],
        destination_number: forwarding_number.as_ref().filter(|_| role.may(Task::Manage)),
        campaign_id: campaign,
        campaign_name: &of.name,
        source_name: of.source_name.as_deref(),
        medium: of.medium.as_deref(),
        ring,
        ports: live.map(|live| live.ports.clone()).unwrap_or_default(),
        advertised_numbers: live.map(|live| live.advertised.clone()).unwrap_or_default(),
        override_reason: entry.override_reason.as_deref(),
        verified: entry.verified.as_ref(),
        from: from(source),
        history: history(entry, role),
    })
}

/// R21: a history names forwarding numbers.
fn history(entry: &NumberEntry, role: Role) -> &[Change] {
    if role.may(Task::Manage) { &entry.history } else { &[] }
}

/// An advertised number.
#[derive(Serialize)]
pub(super) struct AdvertisedOut<'a> {
    id: &'a str,
    number: &'a E164,
    name: Option<&'a str>,
    forwards_to: &'a E164,
    campaign_id: Option<&'a str>,
    /// `none`, `under_way`.
    porting: &'static str,
    porting_since: Option<crate::time::WallTime>,
    override_reason: Option<&'a str>,
    verified: Option<&'a Verified>,
    from: &'static str,
    history: &'a [Change],
}

/// One advertised number; `None` if it is none.
pub(super) fn advertised<'a>(
    directory: &'a Directory,
    entry: &'a NumberEntry,
    source: Source,
    role: Role,
) -> Option<AdvertisedOut<'a>> {
    let Use::Advertised { forwards_to, campaign, porting_since } = &entry.used else { return None };
    let target = directory.lookup(forwards_to).map(|target| target.campaign.id.as_str());
    Some(AdvertisedOut {
        id: &entry.id,
        number: &entry.number,
        name: entry.name.as_deref(),
        forwards_to,
        campaign_id: campaign.as_deref().or(target),
        porting: if porting_since.is_some() { "under_way" } else { "none" },
        porting_since: *porting_since,
        override_reason: entry.override_reason.as_deref(),
        verified: entry.verified.as_ref(),
        from: from(source),
        history: history(entry, role),
    })
}

/// A forwarding number, and the tracking numbers before it.
#[derive(Serialize)]
pub(super) struct ForwardingOut<'a> {
    id: Option<&'a str>,
    number: E164,
    name: Option<&'a str>,
    behind: Vec<E164>,
    from: &'static str,
    history: &'a [Change],
}

/// Every forwarding number: those that stand for themselves, and those behind a tracking number.
pub(super) fn forwarding(directory: &Directory) -> Vec<ForwardingOut<'_>> {
    let numbers = directory.numbers();
    let alone = numbers
        .iter()
        .filter(|(entry, _)| entry.used == Use::Forwarding)
        .map(|(entry, _)| entry.number.clone());
    let behind = directory.trackers().filter_map(|tracker| tracker.forwarding_number.clone());
    let mut all: Vec<E164> = alone.chain(behind).collect();
    all.sort_unstable();
    all.dedup();
    let out = all.into_iter().map(|number| {
        let own = numbers.iter().find(|(entry, _)| entry.number == number && entry.used == Use::Forwarding);
        let before =
            directory.trackers().filter(|tracker| tracker.forwarding_number.as_ref() == Some(&number));
        ForwardingOut {
            id: own.map(|(entry, _)| entry.id.as_str()),
            name: own.and_then(|(entry, _)| entry.name.as_deref()),
            behind: before.map(|tracker| tracker.number.clone()).collect(),
            from: own.map_or("directory", |(_, source)| from(*source)),
            history: own.map_or(&[], |(entry, _)| &entry.history),
            number,
        }
    });
    out.collect()
}

/// A campaign and its numbers.
#[derive(Serialize)]
pub(super) struct CampaignOut<'a> {
    pub(super) id: &'a str,
    name: &'a str,
    tag: &'a str,
    source_name: Option<&'a str>,
    medium: Option<&'a str>,
    /// `active`, `ended`.
    status: &'static str,
    tracking_numbers: Vec<&'a E164>,
    from: &'static str,
    history: &'a [Change],
}

/// One campaign.
pub(super) fn campaign<'a>(
    directory: &'a Directory,
    entry: &'a CampaignEntry,
    source: Source,
) -> CampaignOut<'a> {
    let numbers = directory.trackers().filter(|tracker| tracker.campaign.id == entry.id);
    CampaignOut {
        id: &entry.id,
        name: &entry.name,
        tag: &entry.tag,
        source_name: entry.source_name.as_deref(),
        medium: entry.medium.as_deref(),
        status: if entry.ended { "ended" } else { "active" },
        tracking_numbers: numbers.map(|tracker| &tracker.number).collect(),
        from: from(source),
        history: &entry.history,
    }
}

/// A customer and their jobs.
#[derive(Serialize)]
pub(super) struct CustomerOut<'a> {
    #[serde(flatten)]
    pub(super) customer: Customer,
    jobs: Vec<Cow<'a, Job>>,
}

/// One customer.
pub(super) fn customer(directory: &Directory, customer: Customer) -> CustomerOut<'_> {
    let jobs = jobs_of(directory, &customer);
    CustomerOut { customer, jobs: jobs.into_iter().map(Cow::Borrowed).collect() }
}

/// The jobs of a customer, newest first.
pub(super) fn jobs_of<'a>(directory: &'a Directory, customer: &Customer) -> Vec<&'a Job> {
    let mut jobs: Vec<&Job> = directory.book().jobs().filter(|job| job.customer == customer.id).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    jobs
}
