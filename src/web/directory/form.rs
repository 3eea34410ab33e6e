//! What people and programs send to change the directory. A field that is left out keeps what was there; an empty one
//! takes it away.

use crate::{
    directory::{
        CampaignEntry, CampaignForm, Customer, CustomerForm, Directory, Edit, Job, JobForm, NumberEntry,
        NumberForm, Refused, Rule, Use,
    },
    id::{CampaignId, CustomerId, JobId, NumberId},
    number::E164,
};
use serde::Deserialize;

/// A campaign.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Campaign {
    pub(super) name: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) source_name: Option<String>,
    pub(super) medium: Option<String>,
}

/// A tracking number, in the names of CallRail's tracker.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tracker {
    pub(super) tracking_phone_number: Option<String>,
    pub(super) name: Option<String>,
    pub(super) campaign_id: Option<String>,
    pub(super) ring: Option<String>,
    pub(super) destination_number: Option<String>,
    pub(super) override_reason: Option<String>,
}

/// An advertised number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Advertised {
    pub(super) number: Option<String>,
    pub(super) name: Option<String>,
    pub(super) forwards_to: Option<String>,
    pub(super) campaign_id: Option<String>,
    pub(super) override_reason: Option<String>,
}

/// A forwarding number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Forwarding {
    pub(super) number: Option<String>,
    pub(super) name: Option<String>,
}

/// A customer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CustomerSent {
    pub(super) name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) numbers: Option<Texts>,
    pub(super) note: Option<String>,
    /// The call from which they are added; only the page uses it.
    pub(super) call: Option<String>,
}

/// A job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct JobSent {
    pub(super) job_number: Option<String>,
    pub(super) customer_id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) status: Option<String>,
}

/// The call reasons.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasons {
    pub(super) reasons: Texts,
}

/// Texts: a list, or one text with a line for each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    Lines(String),
    List(Vec<String>),
}

impl Texts {
    pub(super) fn each(&self) -> Vec<String> {
        let lines = match self {
            Self::Lines(text) => text.split(['\n', ';', ',']).map(str::to_owned).collect(),
            Self::List(list) => list.clone(),
        };
        lines.into_iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }
}

type Asked = Result<Edit, Refused>;

impl Campaign {
    pub(super) fn edit(&self, before: Option<&CampaignEntry>) -> Edit {
        let old = |of: fn(&CampaignEntry) -> Option<String>| before.and_then(of);
        let form = CampaignForm {
            name: self.name.clone().or_else(|| old(|c| Some(c.name.clone()))).unwrap_or_default(),
            tag: kept(&self.tag, || old(|c| Some(c.tag.clone()))),
            source_name: kept(&self.source_name, || old(|c| c.source_name.clone())),
            medium: kept(&self.medium, || old(|c| c.medium.clone())),
        };
        match before {
            Some(before) => Edit::CampaignChanged { id: before.id.clone(), form },
            None => {
                let (at, random) = fresh();
                Edit::CampaignAdded { id: CampaignId::from_parts(at, random).to_string(), form }
            }
        }
    }
}

impl Tracker {
    pub(super) fn edit(&self, directory: &Directory, before: Option<&NumberEntry>) -> Asked {
        let number = number_of(directory, before, self.tracking_phone_number.as_deref())?;
        let (campaign, ring, destination) = match before.map(|before| &before.used) {
            Some(Use::Tracking { campaign, ring, forwarding_number }) => {
                (Some(campaign.clone()), Some(ring.clone()), forwarding_number.clone())
            }
            _ => (None, None, None),
        };
        let forwarding_number = match &self.destination_number {
            None => destination,
            Some(text) => maybe(directory, text)?,
        };
        let used = Use::Tracking {
            campaign: self.campaign_id.clone().or(campaign).unwrap_or_default(),
            ring: self.ring.clone().or(ring).unwrap_or_default(),
            forwarding_number,
        };
        Ok(assigned(number, used, (&self.name, &self.override_reason), before))
    }
}

impl Advertised {
    pub(super) fn edit(&self, directory: &Directory, before: Option<&NumberEntry>) -> Asked {
        let number = number_of(directory, before, self.number.as_deref())?;
        let (target, campaign) = match before.map(|before| &before.used) {
            Some(Use::Advertised { forwards_to, campaign, .. }) => {
                (Some(forwards_to.clone()), campaign.clone())
            }
            _ => (None, None),
        };
        let forwards_to = match (&self.forwards_to, target) {
            (Some(text), _) => read(directory, text)?,
            (None, Some(target)) => target,
            (None, None) => read(directory, "")?,
        };
        let campaign = kept(&self.campaign_id, || campaign).filter(|campaign| !campaign.is_empty());
        let used = Use::Advertised { forwards_to, campaign, porting_since: None };
        Ok(assigned(number, used, (&self.name, &self.override_reason), before))
    }
}

impl Forwarding {
    pub(super) fn edit(&self, directory: &Directory, before: Option<&NumberEntry>) -> Asked {
        let number = number_of(directory, before, self.number.as_deref())?;
        Ok(assigned(number, Use::Forwarding, (&self.name, &None), before))
    }
}

impl CustomerSent {
    pub(super) fn edit(&self, directory: &Directory, before: Option<&Customer>) -> Asked {
        let numbers = match (&self.numbers, before) {
            (Some(texts), _) => {
                texts.each().iter().map(|text| read(directory, text)).collect::<Result<_, _>>()?
            }
            (None, before) => before.map(|before| before.numbers.clone()).unwrap_or_default(),
        };
        let name = self.name.clone().or_else(|| before.map(|before| before.name.clone()));
        let form = CustomerForm {
            name: name.unwrap_or_default(),
            external_id: kept(&self.external_id, || before.and_then(|before| before.external_id.clone())),
            numbers,
            note: kept(&self.note, || before.and_then(|before| before.note.clone())),
        };
        Ok(match before {
            Some(before) => Edit::CustomerChanged { id: before.id, form },
            None => Edit::CustomerAdded { id: customer_id(), form },
        })
    }
}

impl JobSent {
    pub(super) fn edit(&self, before: Option<&Job>) -> Asked {
        let customer = match &self.customer_id {
            Some(text) => text.trim().parse().map_err(|_| no_customer(text))?,
            None => before.map(|before| before.customer).ok_or_else(|| no_customer(""))?,
        };
        let old = |of: fn(&Job) -> &String| before.map(of).cloned().unwrap_or_default();
        let form = JobForm {
            job_number: self.job_number.clone().unwrap_or_else(|| old(|job| &job.job_number)),
            customer,
            title: self.title.clone().unwrap_or_else(|| old(|job| &job.title)),
            status: self.status.clone().unwrap_or_else(|| old(|job| &job.status)),
        };
        Ok(match before {
            Some(before) => Edit::JobChanged { id: before.id, form },
            None => {
                let (at, random) = fresh();
                Edit::JobAdded { id: JobId::from_parts(at, random), form }
            }
        })
    }
}

fn assigned(
    number: E164,
    used: Use,
    (name, reason): (&Option<String>, &Option<String>),
    before: Option<&NumberEntry>,
) -> Edit {
    let (at, random) = fresh();
    let name = kept(name, || before.and_then(|before| before.name.clone()));
    let reason = kept(reason, || before.and_then(|before| before.override_reason.clone()));
    let form = NumberForm { name, used, reason };
    Edit::NumberAssigned { id: NumberId::from_parts(at, random).to_string(), number, form }
}

/// A text as it is now: absent is as before, empty is none.
fn kept(text: &Option<String>, before: impl FnOnce() -> Option<String>) -> Option<String> {
    match text {
        Some(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        None => before(),
    }
}

/// A new customer's id.
pub(super) fn customer_id() -> CustomerId {
    let (at, random) = fresh();
    CustomerId::from_parts(at, random)
}

/// What an id is made of.
fn fresh() -> (crate::time::WallTime, u128) {
    let mut random = [0; 16];
    // Without randomness the clock alone has to do: one person makes one entry at a time.
    let _ = getrandom::fill(&mut random);
    (crate::web::wall_now(), u128::from_le_bytes(random))
}

fn number_of(
    directory: &Directory,
    before: Option<&NumberEntry>,
    text: Option<&str>,
) -> Result<E164, Refused> {
    match before {
        Some(before) => Ok(before.number.clone()),
        None => read(directory, text.unwrap_or_default()),
    }
}

fn maybe(directory: &Directory, text: &str) -> Result<Option<E164>, Refused> {
    if text.trim().is_empty() { Ok(None) } else { read(directory, text).map(Some) }
}

/// A number as people write it.
pub(super) fn read(directory: &Directory, text: &str) -> Result<E164, Refused> {
    directory.read_number(text).ok_or_else(|| {
        let what = if text.trim().is_empty() {
            "a telephone number is missing".to_owned()
        } else {
            format!("`{}` is not a telephone number", text.trim())
        };
        let remedy = "write it with its area code, or with + and the country code".to_owned();
        Refused { rule: Rule::Text, what, remedy }
    })
}

fn no_customer(text: &str) -> Refused {
    let what = format!("there is no customer `{text}`");
    Refused { rule: Rule::NotThere, what, remedy: "say whose job it is: cus_…".to_owned() }
}
