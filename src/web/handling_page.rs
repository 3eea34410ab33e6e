//! The page on which people write into one call, at any time, and see why something was not saved.

use super::{
    Site, State as PageState,
    access::Asking,
    bar::{Bar, Page},
    bubble_view::FormView,
    handling::{Fields, Refusal},
    pages,
    view::Moment,
    wording,
};
use crate::{access::Who, handling::EditRefused, id::CallId, record::CallRecord};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;

/// The form again, with what was written, what is there now, and why it was not saved.
pub(super) fn refused(
    site: &Site,
    asking: &Asking,
    why: &Refusal,
    now: Option<Box<CallRecord>>,
    fields: &Fields,
) -> Response {
    let (status, _, words) = why.words();
    let Some(record) = now else {
        return pages::problem(status, asking, "There is no such call", "It may belong to another box.");
    };
    let mut page = HandlingPage::new(&record, &site.state, &asking.0);
    page.refused = Some(words);
    page.takes_over = matches!(why, Refusal::Edit(EditRefused::Claimed(_)));
    if let (Some(note), Refusal::Edit(EditRefused::NoteChanged)) = (&record.handling.note, why) {
        page.theirs = Some(note.clone());
    }
    if let Some(note) = &fields.note {
        page.form.note.clone_from(note);
    }
    if let Some(tags) = &fields.tags {
        page.form.tags.clone_from(tags);
    }
    pages::drawn(status, Some(page))
}

/// Whether something was just saved.
#[derive(Deserialize)]
pub(super) struct After {
    saved: Option<String>,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    after: Query<After>,
) -> Response {
    let who = Arc::clone(&asking.0);
    let is_saved = after.saved.is_some();
    let page = site.read(move |state| {
        let id = id.parse::<CallId>().ok()?;
        let record = state.desk.newest(id).or_else(|| state.calls.get(id))?;
        let mut page = HandlingPage::new(&record, state, &who);
        page.is_saved = is_saved;
        Some(page)
    });
    match page.await {
        Some(Some(page)) => pages::drawn(StatusCode::OK, Some(page)),
        Some(None) => {
            let remedy = "Its address may be mistyped, or the call may belong to another box.";
            pages::problem(StatusCode::NOT_FOUND, &asking, "There is no such call", remedy)
        }
        None => pages::drawn(StatusCode::OK, None::<HandlingPage>),
    }
}

/// What the office has of one call, to be changed at any time.
#[derive(Template)]
#[template(path = "handling.html")]
struct HandlingPage {
    bar: Bar,
    id: String,
    caller: String,
    campaign: String,
    start: Moment,
    customer: Option<(String, String)>,
    job: String,
    claimed_by: Option<String>,
    lead_status: String,
    form: FormView,
    /// The note as it is on the box: what the writer saw when they save again.
    note_now: String,
    /// Somebody else's note, which the writer has not seen.
    theirs: Option<String>,
    refused: Option<String>,
    takes_over: bool,
    is_saved: bool,
}

impl HandlingPage {
    fn new(record: &CallRecord, state: &PageState, who: &Who) -> Self {
        let handling = &record.handling;
        let number = record.customer_phone_number.as_ref();
        Self {
            bar: Bar::new(Page::Other, who),
            id: record.id.to_string(),
            caller: wording::caller(number, record.customer_number_presentation),
            campaign: record.campaign.as_ref().map_or_else(String::new, |campaign| campaign.name.clone()),
            start: record.start_time.into(),
            customer: handling.customer.as_ref().map(|one| (one.id.clone(), one.name.clone())),
            job: handling.job.as_ref().map_or_else(String::new, |job| job.job_number.clone()),
            claimed_by: handling.claimed_by.as_ref().map(|claim| claim.name.clone()),
            lead_status: handling.lead_status.clone().unwrap_or_default(),
            form: FormView::new(handling, &state.office.reasons(), false),
            note_now: handling.note.clone().unwrap_or_default(),
            theirs: None,
            refused: None,
            takes_over: false,
            is_saved: false,
        }
    }
}
