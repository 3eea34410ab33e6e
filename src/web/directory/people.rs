//! Customers and jobs for programs: `/api/v1/{customers,jobs}`.

use super::{
    api::{Sent, change, not_there, refused, value},
    form::{CustomerSent, JobSent},
    wire,
};
use crate::{
    directory::{Customer, Directory, Edit, Job, Refused},
    web::{Site, access::Asking, api::problem},
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Entries of one kind on a page, usual and most (CallRail v3).
const USUAL_PER_PAGE: usize = 100;
const MOST_PER_PAGE: usize = 250;

/// Which customers, and how many of them.
#[derive(Deserialize)]
pub(super) struct Customers {
    #[serde(default)]
    q: String,
    per_page: Option<usize>,
}

pub(super) async fn customers(State(site): State<Arc<Site>>, Query(asked): Query<Customers>) -> Response {
    let limit = asked.per_page.unwrap_or(USUAL_PER_PAGE).clamp(1, MOST_PER_PAGE);
    let found = site.read(move |state| {
        let directory = state.directory.newest();
        let (customers, all) = directory.find_customers(&asked.q, limit);
        let customers = customers.into_iter().map(|customer| wire::customer(&directory, customer));
        json!({ "customers": customers.collect::<Vec<_>>(), "total_records": all })
    });
    Json(found.await).into_response()
}

/// A customer by `cus_…` or by one of their numbers.
pub(super) fn customer_at(directory: &Directory, text: &str) -> Result<Customer, Refused> {
    let by_number = || {
        let link = directory.customer_of(&directory.read_number(text)?)?;
        link.id.parse().ok()
    };
    let id = text.parse().ok().or_else(by_number);
    id.and_then(|id| directory.book().customer(id)).ok_or_else(|| not_there("customer", text))
}

pub(super) async fn customer(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let directory = site.state.directory.newest();
    match customer_at(&directory, &id) {
        Ok(customer) => Json(wire::customer(&directory, customer)).into_response(),
        Err(why) => refused(&why),
    }
}

pub(super) async fn add_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<CustomerSent>,
) -> Response {
    let edit = sent.edit(&site.state.directory.newest(), None);
    let id = if let Ok(Edit::CustomerAdded { id, .. }) = &edit { Some(*id) } else { None };
    let show = |directory: &Directory| value(wire::customer(directory, directory.book().customer(id?)?));
    change(&site, &asking, edit, StatusCode::CREATED, show).await
}

pub(super) async fn change_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<CustomerSent>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = customer_at(&directory, &id).and_then(|before| sent.edit(&directory, Some(&before)));
    let show = |directory: &Directory| value(wire::customer(directory, customer_at(directory, &id).ok()?));
    change(&site, &asking, edit, StatusCode::OK, show).await
}

pub(super) async fn remove_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let customer = customer_at(&site.state.directory.newest(), &id);
    let edit = customer.map(|customer| Edit::CustomerRemoved { id: customer.id });
    change(&site, &asking, edit, StatusCode::OK, |_| None).await
}

/// Who is the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    pub(super) gone: String,
}

pub(super) async fn merge_customers(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(Merge { gone }): Sent<Merge>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = merged(&directory, &id, &gone);
    let show = |directory: &Directory| value(wire::customer(directory, customer_at(directory, &id).ok()?));
    change(&site, &asking, edit, StatusCode::OK, show).await
}

pub(super) fn merged(directory: &Directory, keep: &str, gone: &str) -> Result<Edit, Refused> {
    let (keep, gone) = (customer_at(directory, keep)?, customer_at(directory, gone.trim())?);
    Ok(Edit::CustomersMerged { keep: keep.id, gone: gone.id })
}

/// Whose jobs.
#[derive(Deserialize)]
pub(super) struct Jobs {
    customer_id: Option<String>,
}

pub(super) async fn jobs(State(site): State<Arc<Site>>, Query(asked): Query<Jobs>) -> Response {
    let directory = site.state.directory.newest();
    let whose = asked.customer_id.map(|id| customer_at(&directory, &id));
    let mut all: Vec<&Job> = match whose {
        Some(Err(why)) => return refused(&why),
        Some(Ok(customer)) => wire::jobs_of(&directory, &customer),
        None => directory.book().jobs().collect(),
    };
    all.sort_by_key(|job| std::cmp::Reverse(job.id));
    let total = all.len();
    all.truncate(MOST_PER_PAGE);
    Json(json!({ "jobs": all, "total_records": total })).into_response()
}

pub(super) fn job_at<'a>(directory: &'a Directory, id: &str) -> Result<&'a Job, Refused> {
    let found = directory.job(id).and_then(|(id, _)| directory.book().job(id.parse().ok()?));
    found.ok_or_else(|| not_there("job", id))
}

pub(super) async fn job(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let directory = site.state.directory.newest();
    match job_at(&directory, &id) {
        Ok(job) => Json(job).into_response(),
        Err(why) => refused(&why),
    }
}

pub(super) async fn add_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<JobSent>,
) -> Response {
    let edit = sent.edit(None);
    let id = if let Ok(Edit::JobAdded { id, .. }) = &edit { Some(*id) } else { None };
    change(&site, &asking, edit, StatusCode::CREATED, |directory| value(directory.book().job(id?)?)).await
}

pub(super) async fn change_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<JobSent>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = job_at(&directory, &id).and_then(|before| sent.edit(Some(before)));
    let id = if let Ok(Edit::JobChanged { id, .. }) = &edit { Some(*id) } else { None };
    change(&site, &asking, edit, StatusCode::OK, |directory| value(directory.book().job(id?)?)).await
}

pub(super) async fn remove_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let directory = site.state.directory.newest();
    let edit = job_at(&directory, &id).map(|job| Edit::JobRemoved { id: job.id });
    change(&site, &asking, edit, StatusCode::OK, |_| None).await
}

// Lists of customers.

/// Whether to only look.
#[derive(Deserialize)]
pub(super) struct Import {
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn import(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(Import { dry_run }): Query<Import>,
    text: String,
) -> Response {
    let (edit, preview) = match super::import::look(&site, text).await {
        Ok(looked) => looked,
        Err(why) => return problem(StatusCode::UNPROCESSABLE_ENTITY, "not_a_list", &why),
    };
    let preview = value(&preview).unwrap_or_default();
    if dry_run {
        return Json(preview).into_response();
    }
    change(&site, &asking, Ok(edit), StatusCode::OK, |_| Some(preview)).await
}
