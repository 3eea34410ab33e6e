//! What a person asks of the directory, and why not.

use super::entries::{Changed, Use, Verified};
use crate::{
    access::Role,
    id::{CustomerId, JobId},
    number::E164,
    time::WallTime,
};
use std::fmt;

/// A change that somebody asks for. New entries bring their id, so that a change is the same wherever it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A campaign is new.
    CampaignAdded {
        /// Its id, not used before.
        id: String,
        /// What it is.
        form: CampaignForm,
    },
    /// A campaign is called something else.
    CampaignChanged {
        /// Its id.
        id: String,
        /// What it is.
        form: CampaignForm,
    },
    /// A campaign is over.
    CampaignEnded {
        /// Its id.
        id: String,
    },
    /// A number is new, or used for something else.
    NumberAssigned {
        /// Id for a number that is new; one that is known keeps its own.
        id: String,
        /// The number.
        number: E164,
        /// What for.
        form: NumberForm,
    },
    /// A number is not used any more; its history stays.
    NumberUnassigned {
        /// The number.
        number: E164,
    },
    /// An advertised number is being ported: it is accepted on both paths.
    PortingStarted {
        /// The number.
        number: E164,
    },
    /// It has arrived: it is a tracking number now, and nothing else of it changes.
    PortingFinished {
        /// The number.
        number: E164,
    },
    /// It stays where it is.
    PortingCalledOff {
        /// The number.
        number: E164,
    },
    /// A test call has shown something of a number.
    NumberVerified {
        /// The number.
        number: E164,
        /// What.
        verified: Verified,
    },
    /// The call reasons, in the order in which they are offered.
    ReasonsSet {
        /// All of them.
        reasons: Vec<String>,
    },
    /// A customer is new.
    CustomerAdded {
        /// Their id.
        id: CustomerId,
        /// Who.
        form: CustomerForm,
    },
    /// Something is changed about a customer.
    CustomerChanged {
        /// Who.
        id: CustomerId,
        /// As they are now.
        form: CustomerForm,
    },
    /// A customer is no more.
    CustomerRemoved {
        /// Who.
        id: CustomerId,
    },
    /// Two customers are one.
    CustomersMerged {
        /// Who stays, with the numbers and jobs of both.
        keep: CustomerId,
        /// Who goes.
        gone: CustomerId,
    },
    /// A list of customers was brought in. Who has an external id or a number that is known is changed, not added.
    CustomersImported {
        /// Everybody, with an id for whoever is new.
        customers: Vec<(CustomerId, CustomerForm)>,
    },
    /// A job is new.
    JobAdded {
        /// Its id.
        id: JobId,
        /// What.
        form: JobForm,
    },
    /// Something is changed about a job.
    JobChanged {
        /// Its id.
        id: JobId,
        /// As it is now.
        form: JobForm,
    },
    /// A job is no more.
    JobRemoved {
        /// Its id.
        id: JobId,
    },
}

/// A campaign as a person describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignForm {
    /// Name, 1 to 200 characters.
    pub name: String,
    /// What a phone displays; absent: the beginning of the name.
    pub tag: Option<String>,
    /// Where its numbers are advertised.
    pub source_name: Option<String>,
    /// Kind of advertising.
    pub medium: Option<String>,
}

/// A number as a person describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberForm {
    /// Name shown to the office.
    pub name: Option<String>,
    /// What for. An empty ring group is the first one.
    pub used: Use,
    /// Why a forwarding number is to be advertised all the same; an administrator's to say.
    pub reason: Option<String>,
}

/// A customer as a person describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerForm {
    /// Name, 1 to 200 characters.
    pub name: String,
    /// Id in the office's own system.
    pub external_id: Option<String>,
    /// Telephone numbers.
    pub numbers: Vec<E164>,
    /// A note, at most 4,000 characters.
    pub note: Option<String>,
}

/// A job as a person describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobForm {
    /// The office's number of it.
    pub job_number: String,
    /// Whose.
    pub customer: CustomerId,
    /// What is to be done.
    pub title: String,
    /// One of [`super::JOB_STATUS`].
    pub status: String,
}

/// Who asks, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Name in the history and the audit.
    pub who: String,
    /// What they may do.
    pub role: Role,
    /// When.
    pub at: WallTime,
}

/// What a change comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The entries after it.
    pub changed: Vec<Changed>,
    /// What was done, for the audit: `added the campaign`.
    pub did: &'static str,
    /// To what: a number or a name.
    pub on: String,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {remedy}")]
pub struct Refused {
    /// The rule it is against.
    pub rule: Rule,
    /// What is the matter, and with what.
    pub what: String,
    /// What to do instead.
    pub remedy: String,
}

impl Refused {
    pub(super) fn new(rule: Rule, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { rule, what: what.into(), remedy: remedy.into() }
    }
}

/// The rules of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// R12: only tracking numbers, and what forwards to them, are advertised.
    Advertised,
    /// R13: a number is one thing.
    OneKind,
    /// R14: a number belongs to a campaign that is there.
    Campaign,
    /// R15: what is new is not taken.
    Taken,
    /// R17: porting is begun before it ends.
    Porting,
    /// R18: a tracking number reaches a line.
    Ring,
    /// R28: no number forwards to itself.
    Cycle,
    /// Nothing that is still in use goes.
    InUse,
    /// There is no such entry.
    NotThere,
    /// The configuration file says so, and is changed there.
    FromFile,
    /// A text is missing or too long.
    Text,
    /// There is no room for more.
    Limit,
    /// It could not be written to the disk.
    NotWritten,
}

impl Rule {
    /// Name of the rule for programs; it stays.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Advertised => "forwarding_number_advertised",
            Self::OneKind => "one_kind",
            Self::Campaign => "no_such_campaign",
            Self::Taken => "taken",
            Self::Porting => "porting",
            Self::Ring => "no_such_ring_group",
            Self::Cycle => "cycle",
            Self::InUse => "in_use",
            Self::NotThere => "not_there",
            Self::FromFile => "from_configuration_file",
            Self::Text => "text",
            Self::Limit => "limit",
            Self::NotWritten => "not_written",
        }
    }

    /// The requirement behind it: `R12`; none for plain care.
    #[must_use]
    pub const fn requirement(self) -> Option<&'static str> {
        match self {
            Self::Advertised => Some("R12"),
            Self::OneKind => Some("R13"),
            Self::Campaign => Some("R14"),
            Self::Taken => Some("R15"),
            Self::Porting => Some("R17"),
            Self::Ring => Some("R18"),
            Self::Cycle => Some("R28"),
            Self::InUse | Self::NotThere | Self::FromFile | Self::Text | Self::Limit | Self::NotWritten => {
                None
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.requirement().unwrap_or(self.code()))
    }
}
