//! The directory for programs: `/api/v1/{trackers,advertised-numbers,forwarding-numbers,campaigns,reasons,search}`;
//! customers and jobs are in `people`. What is changed is answered as it is now, with what somebody should look at.

use super::{
    form::{Advertised, Campaign, Forwarding, Reasons, Tracker},
    perform, wire,
};
use crate::{
    access::{Role, Task},
    directory::{Directory, Edit, Edited, Hit, NumberEntry, Refused, Rule, Source, Use},
    number::E164,
    web::{Site, access::Asking, api::problem},
};
use axum::{
    Json,
    extract::{FromRequest, Path, Query, Request, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;

/// A JSON body, or why it is none.
pub(super) struct Sent<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let Json(sent) = Json::<T>::from_request(request, state).await.map_err(|why| unreadable(&why))?;
        Ok(Self(sent))
    }
}

/// What a search gives of each kind.
const MOST_HITS: usize = 20;

/// A refusal as an answer.
pub(super) fn refused(why: &Refused) -> Response {
    problem(status(why.rule), why.rule.code(), &why.to_string())
}

/// The HTTP status of a rule.
pub(super) const fn status(rule: Rule) -> StatusCode {
    match rule {
        Rule::NotThere => StatusCode::NOT_FOUND,
        Rule::Taken | Rule::InUse | Rule::Porting | Rule::FromFile => StatusCode::CONFLICT,
        Rule::Advertised
        | Rule::OneKind
        | Rule::Campaign
        | Rule::Ring
        | Rule::Cycle
        | Rule::Text
        | Rule::Limit => StatusCode::UNPROCESSABLE_ENTITY,
        Rule::NotWritten => StatusCode::INSUFFICIENT_STORAGE,
    }
}

pub(super) fn not_there(what: &str, id: &str) -> Refused {
    let what = format!("there is no {what} {id}");
    Refused { rule: Rule::NotThere, what, remedy: "look at the list".to_owned() }
}

/// Makes a change, and answers with the entry as `show` finds it then.
pub(super) async fn change(
    site: &Site,
    asking: &Asking,
    edit: Result<Edit, Refused>,
    done: StatusCode,
    show: impl FnOnce(&Directory) -> Option<Value>,
) -> Response {
    let edited = match edit {
        Ok(edit) => perform(site, asking, edit).await,
        Err(why) => Err(why),
    };
    match edited {
        Ok(Edited { warnings, .. }) => match show(&site.state.directory.newest()) {
            Some(Value::Object(mut entry)) => {
                entry.insert("warnings".to_owned(), json!(warnings));
                (done, Json(Value::Object(entry))).into_response()
            }
            _ => StatusCode::NO_CONTENT.into_response(),
        },
        Err(why) => refused(&why),
    }
}

pub(super) fn value(of: impl Serialize) -> Option<Value> {
    serde_json::to_value(of).ok()
}

fn list(name: &str, entries: Vec<impl Serialize>) -> Response {
    Json(json!({ name: entries, "total_records": entries.len() })).into_response()
}

fn unreadable(why: &JsonRejection) -> Response {
    problem(
        StatusCode::BAD_REQUEST,
        "not_an_entry",
        &format!("not what is expected here: {}", why.body_text()),
    )
}

/// A number of the directory by its id or in any spelling.
pub(super) fn number<'a>(directory: &'a Directory, text: &str) -> Option<(&'a NumberEntry, Source)> {
    let by_id = directory.numbers().into_iter().find(|(entry, _)| entry.id == text);
    by_id.or_else(|| directory.number(&directory.read_number(text)?))
}

/// The same, of one kind.
fn known<'a>(
    directory: &'a Directory,
    text: &str,
    what: &str,
    is: fn(&Use) -> bool,
) -> Result<&'a NumberEntry, Refused> {
    let found = number(directory, text).map(|(entry, _)| entry).filter(|entry| is(&entry.used));
    found.ok_or_else(|| not_there(what, text))
}

const fn is_tracking(used: &Use) -> bool {
    matches!(used, Use::Tracking { .. })
}

const fn is_advertised(used: &Use) -> bool {
    matches!(used, Use::Advertised { .. })
}

const fn is_forwarding(used: &Use) -> bool {
    matches!(used, Use::Forwarding)
}

fn target(edit: &Result<Edit, Refused>) -> Option<E164> {
    match edit {
        Ok(Edit::NumberAssigned { number, .. }) => Some(number.clone()),
        _ => None,
    }
}

// Trackers.

/// Every tracking number as `role` may see it.
pub(in crate::web) fn trackers_for(directory: &Directory, role: Role) -> Vec<Value> {
    wire::trackers(directory, role).into_iter().filter_map(value).collect()
}

pub(super) async fn trackers(State(site): State<Arc<Site>>, asking: Asking) -> Response {
    let directory = site.state.directory.newest();
    list("trackers", trackers_for(&directory, asking.0.role))
}

pub(super) async fn tracker(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let directory = site.state.directory.newest();
    let found = number(&directory, &id);
    match found.and_then(|(entry, source)| wire::tracker(&directory, entry, source, asking.0.role)) {
        Some(tracker) => Json(tracker).into_response(),
        None => refused(&not_there("tracking number", &id)),
    }
}

pub(super) async fn add_tracker(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Tracker>,
) -> Response {
    let edit = sent.edit(&site.state.directory.newest(), None);
    let number = target(&edit);
    let show = |directory: &Directory| show_number(directory, number.as_ref()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::CREATED, show).await
}

pub(super) async fn change_tracker(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<Tracker>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = known(&directory, &id, "tracking number", is_tracking)
        .and_then(|before| sent.edit(&directory, Some(before)));
    let number = target(&edit);
    let show = |directory: &Directory| show_number(directory, number.as_ref()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::OK, show).await
}

pub(super) async fn remove_tracker(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    remove_number(&site, &asking, &id, "tracking number", is_tracking).await
}

/// A number as it is now, whatever it is used for.
fn show_number(directory: &Directory, number: &E164, role: Role) -> Option<Value> {
    let (entry, source) = directory.number(number)?;
    match &entry.used {
        Use::Tracking { .. } => value(wire::tracker(directory, entry, source, role)?),
        Use::Advertised { .. } => value(wire::advertised(directory, entry, source, role)?),
        Use::Forwarding | Use::Unassigned => value(entry),
    }
}

async fn remove_number(site: &Site, asking: &Asking, id: &str, what: &str, is: fn(&Use) -> bool) -> Response {
    let directory = site.state.directory.newest();
    let edit =
        known(&directory, id, what, is).map(|entry| Edit::NumberUnassigned { number: entry.number.clone() });
    change(site, asking, edit, StatusCode::OK, |_| None).await
}

// Advertised numbers.

pub(super) async fn advertised_numbers(State(site): State<Arc<Site>>, asking: Asking) -> Response {
    let directory = site.state.directory.newest();
    let numbers = directory.numbers().into_iter();
    let all: Vec<_> = numbers
        .filter_map(|(entry, source)| wire::advertised(&directory, entry, source, asking.0.role))
        .collect();
    list("advertised_numbers", all)
}

pub(super) async fn add_advertised(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Advertised>,
) -> Response {
    let edit = sent.edit(&site.state.directory.newest(), None);
    let number = target(&edit);
    let show = |directory: &Directory| show_number(directory, number.as_ref()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::CREATED, show).await
}

pub(super) async fn change_advertised(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<Advertised>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = known(&directory, &id, "advertised number", is_advertised)
        .and_then(|before| sent.edit(&directory, Some(before)));
    let number = target(&edit);
    let show = |directory: &Directory| show_number(directory, number.as_ref()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::OK, show).await
}

pub(super) async fn remove_advertised(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    remove_number(&site, &asking, &id, "advertised number", is_advertised).await
}

/// What happens to the porting of a number.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Start,
    Finish,
    Cancel,
}

impl Step {
    pub(super) const fn edit(self, number: E164) -> Edit {
        match self {
            Self::Start => Edit::PortingStarted { number },
            Self::Finish => Edit::PortingFinished { number },
            Self::Cancel => Edit::PortingCalledOff { number },
        }
    }
}

/// One step of porting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Porting {
    pub(super) step: Step,
}

pub(super) async fn port(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(Porting { step }): Sent<Porting>,
) -> Response {
    let directory = site.state.directory.newest();
    let number = known(&directory, &id, "advertised number", is_advertised).map(|entry| entry.number.clone());
    let edit = number.clone().map(|number| step.edit(number));
    let show = |directory: &Directory| show_number(directory, number.as_ref().ok()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::OK, show).await
}

// Forwarding numbers.

pub(super) async fn forwarding_numbers(State(site): State<Arc<Site>>) -> Response {
    let directory = site.state.directory.newest();
    list("forwarding_numbers", wire::forwarding(&directory))
}

pub(super) async fn add_forwarding(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Forwarding>,
) -> Response {
    let edit = sent.edit(&site.state.directory.newest(), None);
    let number = target(&edit);
    let show = |directory: &Directory| show_number(directory, number.as_ref()?, Role::Administrator);
    change(&site, &asking, edit, StatusCode::CREATED, show).await
}

pub(super) async fn remove_forwarding(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    remove_number(&site, &asking, &id, "forwarding number", is_forwarding).await
}

// Campaigns.

pub(super) async fn campaigns(State(site): State<Arc<Site>>) -> Response {
    let directory = site.state.directory.newest();
    let all = directory.campaigns().into_iter();
    list(
        "campaigns",
        all.map(|(entry, source)| wire::campaign(&directory, entry, source)).collect::<Vec<_>>(),
    )
}

pub(super) async fn campaign(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    match show_campaign(&site.state.directory.newest(), &id) {
        Some(campaign) => Json(campaign).into_response(),
        None => refused(&not_there("campaign", &id)),
    }
}

fn show_campaign(directory: &Directory, id: &str) -> Option<Value> {
    let (entry, source) = directory.campaign(id)?;
    value(wire::campaign(directory, entry, source))
}

pub(super) async fn add_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Campaign>,
) -> Response {
    let edit = sent.edit(None);
    let id = if let Edit::CampaignAdded { id, .. } = &edit { id.clone() } else { String::new() };
    change(&site, &asking, Ok(edit), StatusCode::CREATED, |directory| show_campaign(directory, &id)).await
}

pub(super) async fn change_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<Campaign>,
) -> Response {
    let directory = site.state.directory.newest();
    let before = directory.campaign(&id).ok_or_else(|| not_there("campaign", &id));
    let edit = before.map(|(before, _)| sent.edit(Some(before)));
    change(&site, &asking, edit, StatusCode::OK, |directory| show_campaign(directory, &id)).await
}

pub(super) async fn end_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    change(&site, &asking, Ok(Edit::CampaignEnded { id }), StatusCode::OK, |_| None).await
}

// Call reasons and search.

pub(super) async fn reasons(State(site): State<Arc<Site>>) -> Response {
    Json(json!({ "reasons": site.state.directory.newest().reasons() })).into_response()
}

pub(super) async fn set_reasons(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(Reasons { reasons }): Sent<Reasons>,
) -> Response {
    let reasons = reasons.each();
    let show = |directory: &Directory| Some(json!({ "reasons": directory.reasons() }));
    change(&site, &asking, Ok(Edit::ReasonsSet { reasons }), StatusCode::OK, show).await
}

/// What is looked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pub(super) q: String,
}

pub(super) async fn search(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(Wanted { q }): Query<Wanted>,
) -> Response {
    let role = asking.0.role;
    let found = site.read(move |state| hits(&state.directory.newest(), &q, role)).await.unwrap_or_default();
    Json(json!({ "results": found })).into_response()
}

/// What a search finds; R21: of a forwarding number whoever may not change it sees the end.
pub(in crate::web) fn hits(directory: &Directory, text: &str, role: Role) -> Vec<Value> {
    let found = directory.find(text, MOST_HITS).into_iter();
    let show = |hit: Hit| {
        let ending = match &hit {
            Hit::ForwardingNumber { number, .. } if !role.may(Task::Manage) => {
                let digits = number.digits();
                Some(digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned())
            }
            _ => None,
        };
        let mut shown = value(&hit)?;
        if let (Some(ending), Some(fields)) = (ending, shown.as_object_mut()) {
            fields.remove("number");
            fields.insert("ends_in".to_owned(), json!(ending));
        }
        Some(shown)
    };
    found.filter_map(show).collect()
}
