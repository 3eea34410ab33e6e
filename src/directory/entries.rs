//! What stands in the office's own directory: campaigns, numbers, customers, jobs, and how each came to be as it is.
//!
//! An entry is written whole. A reader skips fields that it does not know, and an entry that it cannot read.

use crate::{
    id::{CustomerId, JobId},
    number::E164,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One line of an entry's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: WallTime,
    /// Who.
    #[serde(with = "shared_text")]
    pub who: Arc<str>,
    /// What, in the office's words.
    #[serde(with = "shared_text")]
    pub what: Arc<str>,
}

/// A campaign: the marketing effort that numbers belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignEntry {
    /// `cmp_…`, or the id that the configuration file gives it.
    pub id: String,
    /// Name shown to the office.
    pub name: String,
    /// What a phone displays: 1 to 15 printable ASCII characters.
    pub tag: String,
    /// Where its numbers are advertised: `Google Ads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    /// Kind of advertising: `print`, `web`, `radio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// Whether it is over: no number can be assigned to it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// A telephone number and what it is used for. The id stays, whatever that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberEntry {
    /// `trk_…`.
    pub id: String,
    /// The number.
    pub number: E164,
    /// Name shown to the office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What for.
    #[serde(flatten)]
    pub used: Use,
    /// Why an administrator let a forwarding number be advertised all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
    /// What a test call has shown last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// What a number is used for: one thing at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "snake_case")]
pub enum Use {
    /// Its calls reach the box by SIP and are tracked.
    Tracking {
        /// Id of its campaign.
        campaign: String,
        /// Name of the ring group, or of one port.
        ring: String,
        /// The unadvertised number of the office behind it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forwarding_number: Option<E164>,
    },
    /// It is printed where customers see it, and its carrier forwards it.
    Advertised {
        /// The tracking number that it is forwarded to.
        forwards_to: E164,
        /// Id of the campaign that it becomes a tracking number of; absent: that of the tracking number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign: Option<String>,
        /// Since when it is being ported: it is accepted by SIP too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        porting_since: Option<WallTime>,
    },
    /// The unadvertised number of the office: a call straight to it is not tracked.
    Forwarding,
    /// Nothing any more; its history stays.
    Unassigned,
}

impl Use {
    /// The use in the office's words.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Tracking { .. } => "tracking number",
            Self::Advertised { .. } => "advertised number",
            Self::Forwarding => "forwarding number",
            Self::Unassigned => "unassigned number",
        }
    }
}

/// What a test call has shown of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// `verified`, `conditional`, `wrong_number`, …
    pub verdict: String,
    /// When.
    pub at: WallTime,
    /// Id of the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_id: Option<String>,
}

/// A customer of the office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// `cus_…`.
    pub id: CustomerId,
    /// Id in the office's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Name.
    pub name: String,
    /// Telephone numbers; each belongs to one customer.
    #[serde(default)]
    pub numbers: Vec<E164>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// A job for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `job_…`.
    pub id: JobId,
    /// The office's number of it; unique.
    pub job_number: String,
    /// Whose.
    pub customer: CustomerId,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// One of [`JOB_STATUS`].
    pub status: String,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// How a job may stand.
pub const JOB_STATUS: [&str; 4] = ["open", "scheduled", "done", "cancelled"];

/// One entry as it is now, as it is journaled and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A campaign.
    Campaign(CampaignEntry),
    /// A number.
    Number(NumberEntry),
    /// A customer.
    Customer(Customer),
    /// A customer that is no more.
    CustomerGone {
        /// The customer.
        id: CustomerId,
        /// Who they were found to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<CustomerId>,
    },
    /// A job.
    Job(Job),
    /// A job that is no more.
    JobGone {
        /// The job.
        id: JobId,
    },
    /// The call reasons, in their order.
    Reasons {
        /// All of them.
        reasons: Vec<String>,
    },
}

/// An entry after a change, and the line that this adds to its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The entry; a history in it is its whole history.
    #[serde(flatten)]
    pub entry: Entry,
    /// What was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// Text that many lines of history share.
mod shared_text {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}
