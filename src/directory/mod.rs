//! The directory: which number is tracked, for which campaign, and which phones ring for it; who the customers are.
//!
//! Routing is [`Directory::lookup`] and nothing else: a number is in the directory, and then everything about the
//! call follows from its [`Tracker`], or it is not, and the call is refused with 404.
//!
//! ```text
//! configuration file, signed site ──► Base ──┐
//!                                            ├──► Directory       made anew with each change of either
//! page, command line, API ── Edit ──► Book ──┘
//! ```

mod base;
mod book;
mod campaigns;
mod csv;
mod customers;
mod edit;
mod entries;
mod find;
mod numbers;
mod people;
mod shards;
mod text;

pub use base::Base;
pub use book::Book;
pub use csv::{Csv, Preview};
pub use edit::{By, CampaignForm, CustomerForm, Edit, Edited, JobForm, NumberForm, Refused, Rule};
pub use entries::{
    CampaignEntry, Change, Changed, Customer, Entry, JOB_STATUS, Job, NumberEntry, Use, Verified,
};
pub use find::Hit;
pub use people::MOST_CUSTOMERS;

use crate::{
    config::{Config, Ports},
    handling::CustomerLink,
    id::JobId,
    number::E164,
    record::Campaign,
};
use std::{collections::BTreeMap, sync::Arc};

/// A tracking number with all that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// Id in records: `trk_13125550100`.
    pub id: String,
    /// The tracking number.
    pub number: E164,
    /// Its campaign, as records show it.
    pub campaign: Campaign,
    /// The campaign on a phone's display: 1 to 15 printable ASCII characters.
    pub tag: String,
    /// Names of the ports that ring.
    pub ports: Vec<String>,
    /// The unadvertised number of the office behind it.
    pub forwarding_number: Option<E164>,
    /// Numbers printed where customers see them that forward to it.
    pub advertised: Vec<E164>,
}

/// What a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A tracking number.
    Tracking(&'a Tracker),
    /// An advertised number, and the tracking number it forwards to.
    Advertised(&'a E164, &'a Tracker),
    /// A forwarding number: calls placed straight to it are not tracked.
    NotTracked(&'a E164),
}

/// Where an entry is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The configuration file or a signed site: it is changed there.
    File,
    /// The office's own book.
    Book,
}

/// Everything that the box knows of numbers, campaigns and customers. A clone is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    trackers: BTreeMap<E164, Tracker>,
    /// Advertised numbers that are being ported, as the tracking numbers that they are about to be.
    porting: BTreeMap<E164, Tracker>,
    base: Arc<Base>,
    book: Book,
}

impl Directory {
    /// Builds the directory of a configuration alone; `phone_ports` are the names of the board's phone ports, which
    /// ring for a group that names none.
    #[must_use]
    pub fn from_config(config: &Config, phone_ports: &[String]) -> Self {
        let ports = Ports { phones: phone_ports.to_vec(), lines: Vec::new() };
        Self::new(Arc::new(Base::new(config, &ports)), Book::default())
    }

    /// Lays the office's book over the configuration. Where both speak of a number, the configuration is right.
    #[must_use]
    pub fn new(base: Arc<Base>, book: Book) -> Self {
        let mut directory = Self { trackers: BTreeMap::new(), porting: BTreeMap::new(), base, book };
        directory.trackers = directory
            .in_force()
            .filter_map(|(entry, _)| directory.tracker(entry))
            .map(|tracker| (tracker.number.clone(), tracker))
            .collect();
        let advertised: Vec<(E164, E164)> = directory
            .in_force()
            .filter_map(|(entry, _)| match &entry.used {
                Use::Advertised { forwards_to, .. } => Some((entry.number.clone(), forwards_to.clone())),
                Use::Tracking { .. } | Use::Forwarding | Use::Unassigned => None,
            })
            .collect();
        for (number, target) in advertised {
            if let Some(tracker) = directory.trackers.get_mut(&target) {
                tracker.advertised.push(number);
            }
        }
        directory.porting = directory.in_force().filter_map(|(entry, _)| directory.ported(entry)).collect();
        directory
    }

    /// The tracker of a called number; `None` means that the number is not ours to answer. A number that is being
    /// ported is answered before it has arrived.
    #[must_use]
    pub fn lookup(&self, called: &E164) -> Option<&Tracker> {
        self.trackers.get(called).or_else(|| self.porting.get(called))
    }

    /// Every tracker, in the order of the numbers.
    pub fn trackers(&self) -> impl Iterator<Item = &Tracker> {
        self.trackers.values()
    }

    /// The customer with a calling number.
    #[must_use]
    pub fn customer_of(&self, caller: &E164) -> Option<CustomerLink> {
        self.book.customer_of(caller)
    }

    /// The customer with an id (`cus_…`), as somebody chose them; also by an id that was merged into theirs.
    #[must_use]
    pub fn customer(&self, id: &str) -> Option<CustomerLink> {
        self.book.chosen(id.trim().parse().ok()?)
    }

    /// Id and number of a job, by either.
    #[must_use]
    pub fn job(&self, id_or_number: &str) -> Option<(String, String)> {
        let wanted = id_or_number.trim().trim_start_matches('#');
        let by_id = wanted.parse::<JobId>().ok().and_then(|id| self.book.job(id));
        let job = by_id.or_else(|| self.book.jobs().find(|job| job.job_number == wanted))?;
        Some((job.id.to_string(), job.job_number.clone()))
    }

    /// The call reasons, in the order in which they are offered.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        self.book.reasons()
    }

    /// The office's own book.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// What the configuration says.
    #[must_use]
    pub const fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// A number as a person writes it.
    #[must_use]
    pub fn read_number(&self, text: &str) -> Option<E164> {
        self.base.read_number(text)
    }

    /// Every campaign and where it is from, by name.
    #[must_use]
    pub fn campaigns(&self) -> Vec<(&CampaignEntry, Source)> {
        let file = self.base.campaigns.values().map(|campaign| (campaign, Source::File));
        let own = self.book.campaigns().filter(|campaign| !self.base.campaigns.contains_key(&campaign.id));
        let mut all: Vec<_> = file.chain(own.map(|campaign| (campaign, Source::Book))).collect();
        all.sort_by_key(|(campaign, _)| (campaign.ended, campaign.name.to_lowercase()));
        all
    }

    /// A campaign.
    #[must_use]
    pub fn campaign(&self, id: &str) -> Option<(&CampaignEntry, Source)> {
        let file = self.base.campaigns.get(id).map(|campaign| (campaign, Source::File));
        file.or_else(|| self.book.campaign(id).map(|campaign| (campaign, Source::Book)))
    }

    /// Every number and where it is from, in order.
    #[must_use]
    pub fn numbers(&self) -> Vec<(&NumberEntry, Source)> {
        let mut all: Vec<_> = self.in_force().collect();
        let known = |number: &E164, all: &[(&NumberEntry, Source)]| {
            all.iter().any(|(entry, _)| entry.number == *number)
        };
        let unassigned =
            self.book.numbers().filter(|entry| entry.used == Use::Unassigned && !known(&entry.number, &all));
        let unassigned: Vec<_> = unassigned.map(|entry| (entry, Source::Book)).collect();
        all.extend(unassigned);
        all.sort_by(|(a, _), (b, _)| a.number.cmp(&b.number));
        all
    }

    /// A number.
    #[must_use]
    pub fn number(&self, number: &E164) -> Option<(&NumberEntry, Source)> {
        let file = self.base.numbers.get(number).map(|entry| (entry, Source::File));
        let own = self.book.number(number).map(|entry| (entry, Source::Book));
        match (file, own) {
            (Some((entry, source)), None) => Some((entry, source)),
            (Some((entry, source)), Some(_)) if entry.used != Use::Forwarding => Some((entry, source)),
            (_, own) => own,
        }
    }

    /// Every number that is used for something, once: what the configuration says of it, else what the book says.
    fn in_force(&self) -> impl Iterator<Item = (&NumberEntry, Source)> {
        // A forwarding number of the file that an administrator let be advertised is in the book.
        let is_overridden = |entry: &NumberEntry| {
            entry.used == Use::Forwarding
                && self.book.number(&entry.number).is_some_and(|own| own.used != Use::Unassigned)
        };
        let file = self.base.numbers.values().filter(move |entry| !is_overridden(entry));
        let own = self.book.numbers().filter(|entry| {
            let in_file = self.base.numbers.get(&entry.number);
            entry.used != Use::Unassigned && in_file.is_none_or(|file| file.used == Use::Forwarding)
        });
        file.map(|entry| (entry, Source::File)).chain(own.map(|entry| (entry, Source::Book)))
    }

    /// The tracker that an entry stands for; `None` if it stands for none, or what it refers to is gone.
    fn tracker(&self, entry: &NumberEntry) -> Option<Tracker> {
        let Use::Tracking { campaign, ring, forwarding_number } = &entry.used else { return None };
        let (campaign, _) = self.campaign(campaign)?;
        Some(Tracker {
            id: entry.id.clone(),
            number: entry.number.clone(),
            campaign: as_recorded(campaign),
            tag: campaign.tag.clone(),
            // A ring group that the file has no more: the first one rings rather than nobody.
            ports: self.base.ring(ring).or_else(|| self.base.ring(""))?,
            forwarding_number: forwarding_number.clone(),
            advertised: Vec::new(),
        })
    }

    /// A number that is being ported, as the tracker that it is about to be.
    fn ported(&self, entry: &NumberEntry) -> Option<(E164, Tracker)> {
        let Use::Advertised { forwards_to, campaign, porting_since: Some(_) } = &entry.used else {
            return None;
        };
        let target = self.trackers.get(forwards_to)?;
        let own =
            campaign.as_ref().and_then(|campaign| self.campaign(campaign)).map(|(campaign, _)| campaign);
        let tracker = Tracker {
            id: entry.id.clone(),
            number: entry.number.clone(),
            campaign: own.map_or_else(|| target.campaign.clone(), as_recorded),
            tag: own.map_or_else(|| target.tag.clone(), |campaign| campaign.tag.clone()),
            advertised: Vec::new(),
            ..target.clone()
        };
        Some((entry.number.clone(), tracker))
    }
}

fn as_recorded(campaign: &CampaignEntry) -> Campaign {
    Campaign {
        id: campaign.id.clone(),
        name: campaign.name.clone(),
        source_name: campaign.source_name.clone(),
        medium: campaign.medium.clone(),
    }
}

#[cfg(test)]
mod tests;
