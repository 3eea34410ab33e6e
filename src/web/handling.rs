//! What people do with calls: take one, write into it, pause its recording, close it. Each both as JSON for programs and
//! as a form for people, who get a page that says what happened.

use super::{
    Site, State as PageState,
    access::{Asking, Routes, needs},
    api,
    desk::NotPaused,
    handling_page,
};
use crate::{
    access::{Task, Who},
    handling::{Claim, ClaimEdit, CustomerLink, Edit, EditRefused, JobLink, NoteEdit},
    id::CallId,
    record::CallRecord,
};
use axum::{
    Form, Json,
    extract::{Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/api/v1/calls/{id}/claim", needs(Task::Handle, post(claim)))
        .route("/api/v1/calls/{id}/pause", needs(Task::Handle, post(pause)))
        .route("/api/v1/calls/{id}/resume", needs(Task::Handle, post(resume)))
        .route("/api/v1/calls/{id}/close", needs(Task::Handle, post(close)))
        .route("/calls/{id}/handling", needs(Task::Handle, get(handling_page::page).post(submit)))
        .wrapped(|router| router.layer(middleware::from_fn(small)))
}

/// Bytes of a body: a note of 4,000 characters in the longest of encodings, and the rest.
const MAX_BODY: u64 = 64 << 10;

async fn small(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > MAX_BODY) {
        return api::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_long",
            "more than a call can hold: write less",
        );
    }
    next.run(request).await
}

/// Body of `PATCH /api/v1/calls/{id}`: what is absent stays, `null` or an empty text takes it away.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(deserialize_with = "given")]
    note: Option<Option<String>>,
    /// What the note was when the writer saw it; a note that is another one by now is not written over.
    note_was: Option<String>,
    tags: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    lead_status: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    reason: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    customer_id: Option<Option<String>>,
    /// Id or number of the job.
    #[serde(deserialize_with = "given")]
    job: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    call_back: Option<Option<String>>,
}

/// Tells `null` from nothing.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// Body of a claim.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Taking {
    /// Whether to take the call from whoever has it.
    take_over: bool,
}

/// Body of a close.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Closing {
    reason: Option<String>,
}

/// Why something that a person wanted was not done.
pub(super) enum Refusal {
    Edit(EditRefused),
    Pause(NotPaused),
    StillUp,
    NoReason,
    NoCustomer,
    NoJob,
    Unreadable,
}

impl Refusal {
    pub(super) fn words(&self) -> (StatusCode, &'static str, String) {
        let (status, code) = match self {
            Self::Edit(EditRefused::UnknownCall) => (StatusCode::NOT_FOUND, "no_such_call"),
            Self::Edit(EditRefused::Erased) => (StatusCode::GONE, "erased"),
            Self::Edit(EditRefused::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Edit(EditRefused::NotWritten) => (StatusCode::INSUFFICIENT_STORAGE, "not_written"),
            Self::Edit(EditRefused::NoteChanged) => (StatusCode::CONFLICT, "note_changed"),
            Self::Edit(EditRefused::Claimed(_)) => (StatusCode::CONFLICT, "claimed"),
            Self::Edit(EditRefused::TooLong(..) | EditRefused::TooManyTags | EditRefused::NotAChoice(..)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "not_possible")
            }
            Self::Pause(NotPaused::NotRecorded) => (StatusCode::CONFLICT, "not_recorded"),
            Self::Pause(NotPaused::NoAnswer) => (StatusCode::SERVICE_UNAVAILABLE, "no_answer"),
            Self::StillUp => (StatusCode::CONFLICT, "still_up"),
            Self::NoReason => (StatusCode::UNPROCESSABLE_ENTITY, "no_reason"),
            Self::NoCustomer => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_customer"),
            Self::NoJob => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_job"),
            Self::Unreadable => (StatusCode::INTERNAL_SERVER_ERROR, "unreadable"),
        };
        let title = match self {
            Self::Edit(why) => why.to_string(),
            Self::Pause(why) => why.to_string(),
            Self::StillUp => "somebody is still on the phone; a call is closed when it is over".to_owned(),
            Self::NoReason => "say why the call ended as it did: choose a reason".to_owned(),
            Self::NoCustomer => "there is no customer with this id; add the customer first".to_owned(),
            Self::NoJob => "there is no job with this id or number; add the job first".to_owned(),
            Self::Unreadable => "the call records could not be read; see the log".to_owned(),
        };
        (status, code, title)
    }
}

impl From<EditRefused> for Refusal {
    fn from(why: EditRefused) -> Self {
        Self::Edit(why)
    }
}

/// A refusal for a program, with what is there now (RFC 9457, 3.2: members of our own).
#[derive(Serialize)]
struct Problem {
    title: String,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Box<CallRecord>>,
}

fn problem(why: &Refusal, now: Option<Box<CallRecord>>) -> Response {
    let (status, code, title) = why.words();
    let call = now.filter(|_| status == StatusCode::CONFLICT);
    let body = Problem { title, status: status.as_u16(), code, call };
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
}

/// What came of it; of a refusal also the record as it is now.
type Done = Result<CallRecord, (Refusal, Option<Box<CallRecord>>)>;

/// Does something with a call on a thread that may wait.
async fn with_call(
    site: &Site,
    id: &str,
    who: &Arc<Who>,
    act: impl FnOnce(&PageState, CallId, &Who) -> Result<CallRecord, Refusal> + Send + 'static,
) -> Done {
    let Ok(id) = id.parse::<CallId>() else {
        return Err((Refusal::Edit(EditRefused::UnknownCall), None));
    };
    let (who, runs_office) = (Arc::clone(who), who.role.may(Task::Manage));
    let done = site
        .read(move |state| act(state, id, &who).map_err(|why| (why, state.desk.newest(id).map(Box::new))));
    let done = done.await.unwrap_or(Err((Refusal::Unreadable, None)));
    // A forwarding number stays unadvertised: who does not run the office is not told it.
    let hide = |record: CallRecord| CallRecord { business_phone_number: None, ..record };
    if runs_office {
        done
    } else {
        done.map(hide).map_err(|(why, now)| (why, now.map(|now| Box::new(hide(*now)))))
    }
}

fn answer(done: Done) -> Response {
    match done {
        Ok(record) => Json(record).into_response(),
        Err((why, now)) => problem(&why, now),
    }
}

fn not_readable() -> Response {
    api::problem(StatusCode::BAD_REQUEST, "not_a_request", "the body is not what this address takes")
}

/// An absent body is an empty one.
fn body<T: Default>(body: Result<Json<T>, JsonRejection>, headers: &HeaderMap) -> Option<T> {
    match body {
        Ok(Json(body)) => Some(body),
        Err(_) if headers.get(header::CONTENT_TYPE).is_none() => Some(T::default()),
        Err(_) => None,
    }
}

pub(super) async fn patch(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    patch: Result<Json<Patch>, JsonRejection>,
) -> Response {
    let Ok(Json(patch)) = patch else { return not_readable() };
    answer(
        with_call(&site, &id, &asking.0, |state, call, who| {
            let edit = patch.edit(state, who)?;
            Ok(state.desk.edit(call, &edit, &who.name)?)
        })
        .await,
    )
}

impl Patch {
    fn edit(self, state: &PageState, who: &Who) -> Result<Edit, Refusal> {
        let customer = match some(self.customer_id) {
            Some(Some(id)) => Some(Some(chosen(state, &id)?)),
            other => other.map(|_| None),
        };
        let job = match some(self.job) {
            Some(Some(job)) => Some(Some(job_of(state, &job, who)?)),
            other => other.map(|_| None),
        };
        let was = self.note_was;
        Ok(Edit {
            note: self.note.map(|text| NoteEdit { text: text.unwrap_or_default(), was }),
            tags: self.tags,
            lead_status: self.lead_status.map(Option::unwrap_or_default),
            reason: self.reason.map(Option::unwrap_or_default),
            call_back: self.call_back.map(Option::unwrap_or_default),
            customer,
            job,
            claim: None,
        })
    }
}

fn some(text: Option<Option<String>>) -> Option<Option<String>> {
    text.map(|text| text.filter(|text| !text.trim().is_empty()))
}

fn chosen(state: &PageState, id: &str) -> Result<CustomerLink, Refusal> {
    let customer = state.office.customer(id).ok_or(Refusal::NoCustomer)?;
    Ok(CustomerLink { matched: "chosen".to_owned(), ..customer })
}

fn job_of(state: &PageState, job: &str, who: &Who) -> Result<JobLink, Refusal> {
    let (id, job_number) = state.office.job(job.trim()).ok_or(Refusal::NoJob)?;
    Ok(JobLink { id, job_number, linked_by: who.name.clone() })
}

fn claim_edit(who: &Who, take_over: bool) -> ClaimEdit {
    let claim = Claim { user_id: who.user_id.clone(), name: who.name.clone(), how: "taken".to_owned() };
    if take_over { ClaimEdit::TakeOver(claim) } else { ClaimEdit::Take(claim) }
}

async fn claim(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    headers: HeaderMap,
    taking: Result<Json<Taking>, JsonRejection>,
) -> Response {
    let Some(Taking { take_over }) = body(taking, &headers) else { return not_readable() };
    answer(
        with_call(&site, &id, &asking.0, move |state, call, who| {
            let edit = Edit { claim: Some(claim_edit(who, take_over)), ..Edit::default() };
            Ok(state.desk.edit(call, &edit, &who.name)?)
        })
        .await,
    )
}

async fn pause(state: State<Arc<Site>>, asking: Asking, id: Path<String>) -> Response {
    paused(state, asking, id, true).await
}

async fn resume(state: State<Arc<Site>>, asking: Asking, id: Path<String>) -> Response {
    paused(state, asking, id, false).await
}

async fn paused(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    pauses: bool,
) -> Response {
    answer(
        with_call(&site, &id, &asking.0, move |state, call, who| set_paused(state, call, who, pauses)).await,
    )
}

fn set_paused(state: &PageState, call: CallId, who: &Who, pauses: bool) -> Result<CallRecord, Refusal> {
    state.desk.pause(call, pauses, &who.name).map_err(Refusal::Pause)?;
    state.desk.newest(call).ok_or(Refusal::Edit(EditRefused::UnknownCall))
}

async fn close(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    headers: HeaderMap,
    closing: Result<Json<Closing>, JsonRejection>,
) -> Response {
    let Some(Closing { reason }) = body(closing, &headers) else { return not_readable() };
    answer(
        with_call(&site, &id, &asking.0, |state, call, who| {
            close_with(state, call, who, Edit { reason, ..Edit::default() })
        })
        .await,
    )
}

/// Closes a call that is over; it needs a reason, given now or before.
fn close_with(state: &PageState, call: CallId, who: &Who, edit: Edit) -> Result<CallRecord, Refusal> {
    use crate::call::bubble::BubbleState::{Live, Paused, Ringing};
    if matches!(state.live.state_of(call), Some(Ringing | Live | Paused)) {
        return Err(Refusal::StillUp);
    }
    let had = || state.desk.newest(call).and_then(|record| record.handling.reason);
    if edit.reason.clone().or_else(had).is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Refusal::NoReason);
    }
    let record = state.desk.edit(call, &edit, &who.name)?;
    state.live.close(call);
    Ok(record)
}

/// What a form sends; every button has its own `do`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    #[serde(rename = "do")]
    order: String,
    pub(super) note: Option<String>,
    note_was: Option<String>,
    pub(super) tags: Option<String>,
    reason: Option<String>,
    lead_status: Option<String>,
    call_back: Option<String>,
    job: Option<String>,
    /// Where to go afterwards: `call` for the call's own page.
    then: String,
}

impl Fields {
    fn edit(&self, state: &PageState, who: &Who) -> Result<Edit, Refusal> {
        let job = match self.job.as_deref().map(str::trim) {
            None => None,
            Some("") => Some(None),
            Some(job) => Some(Some(job_of(state, job, who)?)),
        };
        let was = self.note_was.clone();
        Ok(Edit {
            note: self.note.clone().map(|text| NoteEdit { text, was }),
            tags: self.tags.as_ref().map(|tags| tags.split(',').map(str::to_owned).collect()),
            reason: self.reason.clone(),
            lead_status: self.lead_status.clone(),
            call_back: self.call_back.clone(),
            job,
            ..Edit::default()
        })
    }

    fn act(&self, state: &PageState, call: CallId, who: &Who) -> Result<CallRecord, Refusal> {
        match self.order.as_str() {
            "claim" | "take_over" => {
                let claim = Some(claim_edit(who, self.order == "take_over"));
                Ok(state.desk.edit(call, &Edit { claim, ..Edit::default() }, &who.name)?)
            }
            "pause" => set_paused(state, call, who, true),
            "resume" => set_paused(state, call, who, false),
            "close" => close_with(state, call, who, self.edit(state, who)?),
            // Who says that they will call back has the call.
            "to_call" => {
                let (claim, call_back) = (Some(claim_edit(who, true)), Some("to_call".to_owned()));
                Ok(state.desk.edit(call, &Edit { claim, call_back, ..Edit::default() }, &who.name)?)
            }
            "called_back" | "no_need" => {
                let call_back = Some(self.order.clone());
                Ok(state.desk.edit(call, &Edit { call_back, ..Edit::default() }, &who.name)?)
            }
            _ => Ok(state.desk.edit(call, &self.edit(state, who)?, &who.name)?),
        }
    }
}

/// A form of a page. A script that sends it asks for JSON and stays where it is.
async fn submit(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let wants_json = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    let fields = Arc::new(fields);
    let sent = Arc::clone(&fields);
    let done = with_call(&site, &id, &asking.0, move |state, call, who| sent.act(state, call, who)).await;
    match done {
        Ok(_) if wants_json => StatusCode::NO_CONTENT.into_response(),
        Ok(_) if fields.then == "call" => {
            Redirect::to(&format!("/calls/{id}/handling?saved=1")).into_response()
        }
        Ok(_) => Redirect::to("/").into_response(),
        Err((why, now)) if wants_json => problem(&why, now),
        Err((why, now)) => handling_page::refused(&site, &asking, &why, now, &fields),
    }
}
