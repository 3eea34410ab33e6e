//! What an office makes of a call: whose it is, who called, for which job, and how it went.

use serde::{Deserialize, Serialize};

/// What the office made of a call, by a person or by the port that answered. The call itself goes on without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    /// Who has the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<Claim>,
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerLink>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobLink>,
    /// Why it ended as it did, one of the directory's call reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `good_lead`, `not_a_lead`, or absent: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_status: Option<String>,
    /// Tags, each once, in the order they were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A note, at most 4,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether a missed call was called back: `to_call`, `called_back`, `no_need`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back: Option<String>,
    /// Tracked calls from the same number before this one; absent without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_calls: Option<u32>,
}

impl Handling {
    /// Whether nobody has made anything of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who has a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The user's id; absent where the port has no user.
    pub user_id: Option<String>,
    /// Name as shown.
    pub name: String,
    /// `port`: the handset that answered is theirs; `taken`: they took it over on the page.
    pub how: String,
}

/// The customer of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLink {
    /// Id in the directory (`cus_…`).
    pub id: String,
    /// Id in the office's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Name as it was then.
    pub name: String,
    /// `number`: the calling number is theirs; `chosen`: a person said so; `lookup`: the office's system said so.
    #[serde(rename = "match")]
    pub matched: String,
}

/// The job of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLink {
    /// Id in the directory (`job_…`).
    pub id: String,
    /// The office's number of it.
    pub job_number: String,
    /// Who linked it.
    pub linked_by: String,
}
