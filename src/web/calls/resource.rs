//! A call under the names of the public CallRail v3 call resource, and a few of ours beside them.

use crate::{
    ledger::{
        calendar,
        label::{self, CallType, Facts},
        names,
    },
    record::{CallRecord, Presentation, RecordingState},
    web::wording,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// As what a call is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Under CallRail's names.
    Resource,
    /// The raw record, schema `ringside.call/1`.
    Record,
}

impl Format {
    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "resource" => Some(Self::Resource),
            "record" => Some(Self::Record),
            _ => None,
        }
    }
}

/// Fields that a call always has, as CallRail has them.
const USUAL: [&str; 13] = [
    "id",
    "answered",
    "business_phone_number",
    "customer_name",
    "customer_phone_number",
    "direction",
    "duration",
    "recording",
    "recording_duration",
    "recording_player",
    "start_time",
    "tracking_phone_number",
    "voicemail",
];

/// Every field, in the order of the export.
pub const FIELDS: [&str; 40] = [
    "start_time",
    "id",
    "answered",
    "answer_status",
    "call_type",
    "booking",
    "customer_name",
    "customer_phone_number",
    "formatted_customer_phone_number",
    "tracking_phone_number",
    "formatted_tracking_phone_number",
    "advertised_phone_number",
    "business_phone_number",
    "campaign",
    "campaign_id",
    "source",
    "source_name",
    "medium",
    "tracker_id",
    "direction",
    "duration",
    "ring_ms",
    "talk_ms",
    "first_call",
    "prior_calls",
    "total_calls",
    "agent_name",
    "agent_id",
    "answered_by",
    "voicemail",
    "lead_status",
    "tags",
    "reason",
    "job_number",
    "note",
    "recording",
    "recording_duration",
    "recording_player",
    "company_time_zone",
    "created_at",
];

/// The call with these fields besides the usual ones; with all if none are named.
#[must_use]
pub fn resource(record: &CallRecord, fields: &[&str], zone: &TimeZone) -> Map<String, Value> {
    let all = [who(record), what(record, zone), office(record)];
    let is_meant = |name: &str| fields.is_empty() || USUAL.contains(&name) || fields.contains(&name);
    all.into_iter().flatten().filter(|(name, _)| is_meant(name)).map(|(n, v)| (n.to_owned(), v)).collect()
}

type Field = (&'static str, Value);

fn who(record: &CallRecord) -> Vec<Field> {
    let may = record.customer_number_presentation == Presentation::Allowed;
    let caller = record.customer_phone_number.as_ref().filter(|_| may);
    let given = wording::caller_name(record.customer_name.as_deref(), record.customer_number_presentation);
    let name = record.handling.customer.as_ref().map(|customer| customer.name.clone()).or(given);
    let campaign = record.campaign.as_ref();
    let source = campaign.and_then(|campaign| campaign.source_name.clone());
    vec![
        ("id", json!(record.id)),
        ("customer_name", json!(name)),
        ("customer_phone_number", json!(caller)),
        ("formatted_customer_phone_number", json!(caller.map(wording::number))),
        ("tracking_phone_number", json!(record.tracking_phone_number)),
        ("formatted_tracking_phone_number", json!(wording::number(&record.tracking_phone_number))),
        ("advertised_phone_number", json!(record.advertised_phone_number)),
        ("business_phone_number", json!(record.business_phone_number)),
        ("campaign", json!(campaign.map(|campaign| &campaign.name))),
        ("campaign_id", json!(campaign.map(|campaign| &campaign.id))),
        ("source", json!(source)),
        ("source_name", json!(source)),
        ("medium", json!(campaign.and_then(|campaign| campaign.medium.clone()))),
        ("tracker_id", json!(record.tracker_id)),
    ]
}

fn what(record: &CallRecord, zone: &TimeZone) -> Vec<Field> {
    let facts = Facts::of(record);
    let is_there = matches!(record.recording.state, RecordingState::Closed | RecordingState::Recovered);
    let recording = is_there.then(|| format!("/api/v1/calls/{}/recording", record.id));
    let prior = record.handling.prior_calls;
    let call_type = match label::call_type(prior) {
        CallType::FirstCall => Some("first_call"),
        CallType::Repeat => Some("repeat"),
        CallType::Unknown => None,
    };
    let start = calendar::rfc3339(record.start_time, zone);
    vec![
        ("start_time", json!(start)),
        ("created_at", json!(start)),
        ("company_time_zone", json!(zone.iana_name())),
        ("answered", json!(record.answered)),
        ("answer_status", json!(label::answer_status(&facts))),
        ("booking", json!(label::booking(&facts))),
        ("call_type", json!(call_type)),
        ("direction", json!(record.direction)),
        ("duration", json!(record.duration)),
        ("ring_ms", json!(record.timing_ms.ring)),
        ("talk_ms", json!(record.timing_ms.talk)),
        ("voicemail", json!(record.voicemail)),
        ("first_call", json!(prior.map(|prior| prior == 0))),
        ("prior_calls", json!(prior)),
        ("total_calls", json!(prior.map(|prior| prior.saturating_add(1)))),
        ("recording_duration", json!(is_there.then_some(record.recording.duration_ms / 1_000))),
        ("recording_player", json!(is_there.then(|| format!("/calls/{}", record.id)))),
        ("recording", json!(recording)),
    ]
}

fn office(record: &CallRecord) -> Vec<Field> {
    let handling = &record.handling;
    let agent = names::agent(record);
    vec![
        ("agent_name", json!(agent.as_ref().map(|agent| &agent.name))),
        ("agent_id", json!(agent.as_ref().map(|agent| &agent.id))),
        ("answered_by", json!(record.answered_by.as_ref().map(|by| &by.port))),
        ("lead_status", json!(handling.lead_status)),
        ("tags", json!(handling.tags)),
        ("reason", json!(handling.reason)),
        ("job_number", json!(handling.job.as_ref().map(|job| &job.job_number))),
        ("note", json!(handling.note)),
    ]
}
