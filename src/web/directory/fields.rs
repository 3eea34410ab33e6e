//! Forms as pages show them: what was there, or what was sent and refused.

use super::form::{Advertised, Campaign, CustomerSent, Forwarding, JobSent, Texts, Tracker};
use crate::{
    directory::{CampaignEntry, Customer, Directory, JOB_STATUS, Job, NumberEntry, Use},
    number::E164,
};

/// A form.
pub(super) struct Form {
    pub(super) action: String,
    pub(super) button: &'static str,
    pub(super) fields: Vec<Field>,
}

/// One of its fields.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) kind: Kind,
}

/// How a field is filled in.
pub(super) enum Kind {
    Hidden,
    Text,
    Area,
    /// Values and what they are called.
    Choice(Vec<(String, String)>),
}

fn field(name: &'static str, label: &'static str, hint: &'static str, value: &Option<String>) -> Field {
    Field { name, label, hint, value: value.clone().unwrap_or_default(), kind: Kind::Text }
}

impl Field {
    fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

fn campaigns(directory: &Directory, none: Option<&str>) -> Kind {
    let open = directory.campaigns().into_iter().filter(|(campaign, _)| !campaign.ended);
    let named = open.map(|(campaign, _)| (campaign.id.clone(), campaign.name.clone()));
    Kind::Choice(none.map(|none| (String::new(), none.to_owned())).into_iter().chain(named).collect())
}

const NUMBER_HINT: &str = "In any spelling, with its area code.";
const REASON: (&str, &str) =
    ("Reason to override", "Only for an administrator, if this is a forwarding number.");

/// The form of a number, by its use: `tracking`, `advertised`, `forwarding`.
pub(super) enum NumberFields {
    Tracking(Tracker),
    Advertised(Advertised),
    Forwarding(Forwarding),
}

impl NumberFields {
    /// What stands of a number; `None` if it is used for nothing.
    pub(super) fn of(entry: &NumberEntry) -> Option<Self> {
        let name = Some(entry.name.clone().unwrap_or_default());
        Some(match &entry.used {
            Use::Tracking { campaign, ring, forwarding_number } => Self::Tracking(Tracker {
                name,
                campaign_id: Some(campaign.clone()),
                ring: Some(ring.clone()),
                destination_number: Some(forwarding_number.as_ref().map(E164::to_string).unwrap_or_default()),
                ..Tracker::default()
            }),
            Use::Advertised { forwards_to, campaign, .. } => Self::Advertised(Advertised {
                name,
                forwards_to: Some(forwards_to.to_string()),
                campaign_id: Some(campaign.clone().unwrap_or_default()),
                ..Advertised::default()
            }),
            Use::Forwarding => Self::Forwarding(Forwarding { name, ..Forwarding::default() }),
            Use::Unassigned => return None,
        })
    }

    /// The form; a number that is known cannot become another.
    pub(super) fn form(&self, directory: &Directory, action: String, is_new: bool) -> Form {
        let mut fields = Vec::new();
        match self {
            Self::Tracking(sent) => {
                if is_new {
                    fields.push(field(
                        "tracking_phone_number",
                        "Tracking number",
                        NUMBER_HINT,
                        &sent.tracking_phone_number,
                    ));
                }
                fields.push(
                    field("campaign_id", "Campaign", "", &sent.campaign_id).of(campaigns(directory, None)),
                );
                let rings = directory.base().rings().map(|ring| (ring.to_owned(), ring.to_owned()));
                let rings = std::iter::once((String::new(), "The usual phones".to_owned())).chain(rings);
                fields.push(field("ring", "Rings", "", &sent.ring).of(Kind::Choice(rings.collect())));
                let hint = "The office’s own line. It is never advertised and never tracked.";
                fields.push(field("destination_number", "Forwarding number", hint, &sent.destination_number));
                fields.push(field("name", "Name", "Where it is printed.", &sent.name));
                fields.push(field("override_reason", REASON.0, REASON.1, &sent.override_reason));
            }
            Self::Advertised(sent) => {
                if is_new {
                    fields.push(field("number", "Advertised number", NUMBER_HINT, &sent.number));
                }
                let targets = directory.trackers().map(|tracker| {
                    let number = &tracker.number;
                    (number.to_string(), format!("{} {}", super::said(number), tracker.campaign.name))
                });
                let hint = "The tracking number that its carrier forwards it to.";
                fields.push(
                    field("forwards_to", "Forwards to", hint, &sent.forwards_to)
                        .of(Kind::Choice(targets.collect())),
                );
                let same = campaigns(directory, Some("That of the tracking number"));
                let hint = "The campaign that it belongs to once it is ported.";
                fields.push(field("campaign_id", "Campaign", hint, &sent.campaign_id).of(same));
                fields.push(field("name", "Name", "Where it is printed.", &sent.name));
                fields.push(field("override_reason", REASON.0, REASON.1, &sent.override_reason));
            }
            Self::Forwarding(sent) => {
                if is_new {
                    fields.push(field("number", "Forwarding number", NUMBER_HINT, &sent.number));
                }
                fields.push(field("name", "Name", "", &sent.name));
            }
        }
        Form { action, button: if is_new { "Add" } else { "Save" }, fields }
    }
}

/// The form of a campaign.
pub(super) fn campaign(sent: &Campaign, action: String) -> Form {
    let fields = vec![
        field("name", "Name", "", &sent.name),
        field(
            "tag",
            "On the phone’s display",
            "At most 15 characters; the name’s beginning if empty.",
            &sent.tag,
        ),
        field(
            "source_name",
            "Source",
            "Where its numbers are advertised: Google Ads, Spring mailer.",
            &sent.source_name,
        ),
        field("medium", "Medium", "Print, web, radio.", &sent.medium),
    ];
    Form { action, button: "Save", fields }
}

/// What stands of a campaign.
pub(super) fn of_campaign(entry: &CampaignEntry) -> Campaign {
    Campaign {
        name: Some(entry.name.clone()),
        tag: Some(entry.tag.clone()),
        source_name: entry.source_name.clone(),
        medium: entry.medium.clone(),
    }
}

/// The form of a customer.
pub(super) fn customer(sent: &CustomerSent, action: String) -> Form {
    let numbers = sent.numbers.as_ref().map(Texts::each).map(|numbers| numbers.join("\n"));
    let mut fields = vec![
        field("name", "Name", "", &sent.name),
        field("numbers", "Telephone numbers", "One a line, in any spelling.", &numbers).of(Kind::Area),
        field("external_id", "Your id", "Their id in your own system.", &sent.external_id),
        field("note", "Note", "", &sent.note).of(Kind::Area),
    ];
    if sent.call.is_some() {
        fields.push(field("call", "", "", &sent.call).of(Kind::Hidden));
    }
    Form { action, button: "Save", fields }
}

/// What stands of a customer.
pub(super) fn of_customer(customer: &Customer) -> CustomerSent {
    CustomerSent {
        name: Some(customer.name.clone()),
        external_id: customer.external_id.clone(),
        numbers: Some(Texts::List(customer.numbers.iter().map(super::said).collect())),
        note: customer.note.clone(),
        call: None,
    }
}

/// The form of a job.
pub(super) fn job(sent: &JobSent, action: String) -> Form {
    let status = JOB_STATUS.map(|status| (status.to_owned(), status.to_owned())).to_vec();
    let fields = vec![
        field("customer_id", "", "", &sent.customer_id).of(Kind::Hidden),
        field("job_number", "Job number", "", &sent.job_number),
        field("title", "What is to be done", "", &sent.title),
        field("status", "Status", "", &sent.status).of(Kind::Choice(status)),
    ];
    Form { action, button: "Save", fields }
}

/// What stands of a job.
pub(super) fn of_job(job: &Job) -> JobSent {
    JobSent {
        job_number: Some(job.job_number.clone()),
        customer_id: Some(job.customer.to_string()),
        title: Some(job.title.clone()),
        status: Some(job.status.clone()),
    }
}

/// The form of the call reasons.
pub(super) fn reasons(reasons: &[String]) -> Form {
    let value = Some(reasons.join("\n"));
    let hint = "One a line, in the order in which they are offered.";
    let fields = vec![field("reasons", "Call reasons", hint, &value).of(Kind::Area)];
    Form { action: "/reasons".to_owned(), button: "Save", fields }
}

/// Who a customer is the same as.
pub(super) fn merge(action: String) -> Form {
    let hint = "The other one’s id or number. Their numbers and jobs move here.";
    Form { action, button: "Merge", fields: vec![field("gone", "Merge with", hint, &None)] }
}
