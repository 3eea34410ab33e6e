//! The office's own book: what people have put into the directory, above what the configuration file says.
//!
//! ```text
//! Edit ── consider (the rules) ──► Edited { changed } ── put ──► Book
//!                                       └── journal, file: read back with put alone, so rules may change
//! ```

use super::{
    base::Base,
    customers::Customers,
    edit::{By, Edit, Edited, Refused},
    entries::{CampaignEntry, Change, Changed, Customer, Entry, Job, NumberEntry, Use},
    numbers, people,
    shards::{Shards, Spread},
};
use crate::{
    handling::CustomerLink,
    id::{CustomerId, JobId},
    number::E164,
};
use std::{collections::BTreeMap, sync::Arc};

/// Lines of history that are kept of a campaign, a number or a job; the journal has every one.
const MOST_CHANGES: usize = 200;

/// What a call may have been about, until the office says otherwise.
const USUAL_REASONS: [&str; 7] =
    ["Booked", "Price only", "Existing job", "Call back later", "Wrong number", "Job applicant", "Spam"];

/// The book. A clone is cheap: it shares what neither has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    campaigns: Arc<BTreeMap<String, CampaignEntry>>,
    numbers: Arc<BTreeMap<E164, NumberEntry>>,
    customers: Customers,
    jobs: Shards<JobId, Job>,
    reasons: Option<Arc<Vec<String>>>,
}

impl Book {
    /// Makes a change, if the rules allow it.
    ///
    /// # Errors
    /// [`Refused`] names the rule, the thing and the remedy; nothing has changed then.
    pub fn edit(&mut self, base: &Base, edit: &Edit, by: &By) -> Result<Edited, Refused> {
        let edited = self.consider(base, edit, by)?;
        edited.changed.iter().for_each(|changed| self.put(changed));
        Ok(edited)
    }

    /// What a change would come to; nothing changes yet.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn consider(&self, base: &Base, edit: &Edit, by: &By) -> Result<Edited, Refused> {
        match edit {
            Edit::CampaignAdded { .. }
            | Edit::CampaignChanged { .. }
            | Edit::CampaignEnded { .. }
            | Edit::NumberAssigned { .. }
            | Edit::NumberUnassigned { .. }
            | Edit::PortingStarted { .. }
            | Edit::PortingFinished { .. }
            | Edit::PortingCalledOff { .. }
            | Edit::NumberVerified { .. } => numbers::consider(self, base, edit, by),
            Edit::ReasonsSet { .. }
            | Edit::CustomerAdded { .. }
            | Edit::CustomerChanged { .. }
            | Edit::CustomerRemoved { .. }
            | Edit::CustomersMerged { .. }
            | Edit::CustomersImported { .. }
            | Edit::JobAdded { .. }
            | Edit::JobChanged { .. }
            | Edit::JobRemoved { .. } => people::consider(self, edit, by),
        }
    }

    /// Puts an entry in its place, as it was decided before.
    pub fn put(&mut self, changed: &Changed) {
        let change = changed.change.as_ref();
        match &changed.entry {
            Entry::Campaign(entry) => {
                let campaigns = Arc::make_mut(&mut self.campaigns);
                let mut entry = entry.clone();
                add(&mut entry.history, campaigns.get(&entry.id).map(|old| &old.history), change);
                campaigns.insert(entry.id.clone(), entry);
            }
            Entry::Number(entry) => {
                let numbers = Arc::make_mut(&mut self.numbers);
                let mut entry = entry.clone();
                add(&mut entry.history, numbers.get(&entry.number).map(|old| &old.history), change);
                numbers.insert(entry.number.clone(), entry);
            }
            Entry::Customer(entry) => self.customers.put(entry.clone(), change),
            Entry::CustomerGone { id, into } => self.customers.remove(*id, *into),
            Entry::Job(entry) => {
                let mut entry = entry.clone();
                add(&mut entry.history, self.jobs.get(&entry.id).map(|old| &old.history), change);
                self.jobs.insert(entry.id, entry);
            }
            Entry::JobGone { id } => drop(self.jobs.remove(id)),
            Entry::Reasons { reasons } => self.reasons = Some(Arc::new(reasons.clone())),
        }
    }

    /// Every entry with its whole history: put into an empty book they make this one.
    pub fn entries(&self) -> impl Iterator<Item = Changed> {
        let campaigns = self.campaigns.values().cloned().map(Entry::Campaign);
        let numbers = self.numbers.values().cloned().map(Entry::Number);
        let reasons = self.reasons.iter().map(|reasons| Entry::Reasons { reasons: reasons.to_vec() });
        let customers = self.customers.iter().map(Entry::Customer);
        let merged = self.customers.merged().map(|(id, into)| Entry::CustomerGone { id, into: Some(into) });
        let jobs = self.jobs.iter().map(|(_, job)| Entry::Job(job.clone()));
        let all = campaigns.chain(numbers).chain(reasons).chain(customers).chain(merged).chain(jobs);
        all.map(|entry| Changed { entry, change: None })
    }

    /// Campaigns, in the order of their ids.
    pub fn campaigns(&self) -> impl Iterator<Item = &CampaignEntry> {
        self.campaigns.values()
    }

    /// A campaign.
    #[must_use]
    pub fn campaign(&self, id: &str) -> Option<&CampaignEntry> {
        self.campaigns.get(id)
    }

    /// Numbers, in their order.
    pub fn numbers(&self) -> impl Iterator<Item = &NumberEntry> {
        self.numbers.values()
    }

    /// A number.
    #[must_use]
    pub fn number(&self, number: &E164) -> Option<&NumberEntry> {
        self.numbers.get(number)
    }

    /// A customer, also under an id that was merged into theirs.
    #[must_use]
    pub fn customer(&self, id: CustomerId) -> Option<Customer> {
        self.customers.get(self.customers.present(id)?)
    }

    /// How many customers there are.
    #[must_use]
    pub fn customer_count(&self) -> usize {
        self.customers.len()
    }

    /// Every customer, oldest first.
    pub fn customers(&self) -> impl Iterator<Item = Customer> {
        self.customers.iter()
    }

    /// Customers that `text` or the end of a number, its `digits`, finds, by name, at most `limit`; and how many there
    /// are.
    #[must_use]
    pub fn find_customers(&self, text: &str, digits: &str, limit: usize) -> (Vec<Customer>, usize) {
        self.customers.find(text, digits, limit)
    }

    /// The customer with a number, as a call names them.
    #[must_use]
    pub fn customer_of(&self, number: &E164) -> Option<CustomerLink> {
        self.customers.link(self.customers.of(number)?, "number")
    }

    /// A customer that a person has chosen, as a call names them.
    #[must_use]
    pub fn chosen(&self, id: CustomerId) -> Option<CustomerLink> {
        self.customers.link(self.customers.present(id)?, "chosen")
    }

    /// A customer's name.
    #[must_use]
    pub fn customer_name(&self, id: CustomerId) -> Option<&str> {
        self.customers.name(self.customers.present(id)?)
    }

    pub(super) fn owner(&self, number: &E164) -> Option<CustomerId> {
        self.customers.of(number)
    }

    pub(super) fn external_ids(&self) -> BTreeMap<String, CustomerId> {
        self.customers.external_ids()
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Jobs, in no order that means something.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().map(|(_, job)| job)
    }

    /// The call reasons, in the order in which they are offered.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        match &self.reasons {
            Some(reasons) => reasons.to_vec(),
            None => USUAL_REASONS.map(str::to_owned).to_vec(),
        }
    }

    /// The tracking numbers that a campaign has here.
    pub(super) fn numbers_of(&self, campaign: &str) -> impl Iterator<Item = &NumberEntry> {
        self.numbers.values().filter(move |entry| match &entry.used {
            Use::Tracking { campaign: of, .. } => of == campaign,
            Use::Advertised { campaign: of, .. } => of.as_deref() == Some(campaign),
            Use::Forwarding | Use::Unassigned => false,
        })
    }
}

/// Makes a history whole: that of the entry before, unless the entry has its own, and the new line.
fn add(history: &mut Vec<Change>, before: Option<&Vec<Change>>, change: Option<&Change>) {
    if let Some(before) = before.filter(|_| history.is_empty()) {
        history.clone_from(before);
    }
    if let Some(change) = change.filter(|change| history.last() != Some(change)) {
        history.push(change.clone());
    }
    let surplus = history.len().saturating_sub(MOST_CHANGES);
    history.drain(..surplus);
}

impl Spread for JobId {
    fn spread(&self) -> usize {
        self.lowest_bits()
    }
}
