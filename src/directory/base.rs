//! The lower layer of the directory: what the configuration file and a signed site say. It is changed there.

use super::entries::{CampaignEntry, NumberEntry, Use};
use crate::{
    config::{Config, Ports},
    number::{Dialplan, E164},
};
use std::collections::BTreeMap;

/// What the configuration says of numbers, and what they may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub(super) campaigns: BTreeMap<String, CampaignEntry>,
    pub(super) numbers: BTreeMap<E164, NumberEntry>,
    /// Names and ports, in the order of the file.
    groups: Vec<(String, Vec<String>)>,
    ports: Vec<String>,
    plan: Dialplan,
}

impl Base {
    /// Takes what a configuration says of a board with these ports.
    #[must_use]
    pub fn new(config: &Config, ports: &Ports) -> Self {
        let campaigns = config.campaigns.iter().map(|campaign| {
            let entry = CampaignEntry {
                id: campaign.id.clone(),
                name: campaign.name.clone(),
                tag: campaign.tag.clone(),
                source_name: campaign.source_name.clone(),
                medium: campaign.medium.clone(),
                ended: false,
                history: Vec::new(),
            };
            (campaign.id.clone(), entry)
        });
        let ring =
            |ports_of: &[String]| if ports_of.is_empty() { ports.phones.clone() } else { ports_of.to_vec() };
        Self {
            campaigns: campaigns.collect(),
            numbers: numbers(config),
            groups: config.ring_groups.iter().map(|group| (group.name.clone(), ring(&group.ports))).collect(),
            ports: ports.phones.iter().chain(&ports.lines).cloned().collect(),
            // The check of the configuration lets no country pass that has no plan.
            plan: Dialplan::for_country(&config.site.country)
                .or_else(|| Dialplan::for_country("US"))
                .unwrap_or(NO_PLAN),
        }
    }

    /// The ports that ring for a ring group, or for the name of one port; empty is the first group. `None` if there is
    /// no such thing.
    #[must_use]
    pub fn ring(&self, name: &str) -> Option<Vec<String>> {
        if name.is_empty() {
            return self.groups.first().map(|(_, ports)| ports.clone());
        }
        let group = self.groups.iter().find(|(group, _)| group == name).map(|(_, ports)| ports.clone());
        group.or_else(|| self.ports.iter().find(|port| *port == name).map(|port| vec![port.clone()]))
    }

    /// Everything that can ring: ring groups, then ports.
    pub fn rings(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter().map(|(name, _)| name.as_str());
        groups.chain(self.ports.iter().map(String::as_str))
    }

    /// A number as people of the site's country write it.
    #[must_use]
    pub fn read_number(&self, text: &str) -> Option<E164> {
        E164::from_dialled(text, &self.plan)
    }
}

/// Where there is no plan only the international form is read.
const NO_PLAN: Dialplan =
    Dialplan { country_code: "", trunk_prefix: "", international_prefix: "", national_digits: (16, 15) };

impl Default for Base {
    fn default() -> Self {
        Self {
            campaigns: BTreeMap::new(),
            numbers: BTreeMap::new(),
            groups: Vec::new(),
            ports: Vec::new(),
            plan: Dialplan::for_country("US").unwrap_or(NO_PLAN),
        }
    }
}

/// Every number of the file once. What a tracking number is stands before what is said of it elsewhere.
fn numbers(config: &Config) -> BTreeMap<E164, NumberEntry> {
    let mut numbers = BTreeMap::new();
    for tracking in &config.tracking_numbers {
        let used = Use::Tracking {
            campaign: tracking.campaign.clone(),
            ring: tracking.ring_group.clone(),
            forwarding_number: tracking.forwarding_number.clone(),
        };
        numbers.insert(tracking.number.clone(), entry(&tracking.id, &tracking.number, used));
    }
    for tracking in &config.tracking_numbers {
        for number in &tracking.advertised {
            let used =
                Use::Advertised { forwards_to: tracking.number.clone(), campaign: None, porting_since: None };
            numbers.entry(number.clone()).or_insert_with(|| entry(&id_of(number), number, used));
        }
        if let Some(number) = &tracking.forwarding_number {
            numbers.entry(number.clone()).or_insert_with(|| entry(&id_of(number), number, Use::Forwarding));
        }
    }
    numbers
}

fn id_of(number: &E164) -> String {
    format!("trk_{}", number.digits())
}

fn entry(id: &str, number: &E164, used: Use) -> NumberEntry {
    let history = Vec::new();
    NumberEntry {
        id: id.to_owned(),
        number: number.clone(),
        name: None,
        used,
        override_reason: None,
        verified: None,
        history,
    }
}
