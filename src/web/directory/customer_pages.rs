//! The pages of customers, jobs and call reasons, and the search.

use super::{
    api,
    fields::{self, Form, Kind},
    form::{CustomerSent, JobSent, Reasons, Texts},
    pages::{Done, EditPage},
    people, perform, said, see_other, wire,
};
use crate::{
    access::Task,
    directory::{Change, Customer, Directory, Edit, Refused},
    web::{
        Site,
        access::Asking,
        bar::{Bar, Page},
        pages::{drawn, problem},
    },
};
use askama::Template;
use axum::{
    extract::{Form as Sent, Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Customers on one page.
const MOST_ROWS: usize = 100;

#[derive(Template)]
#[template(path = "directory/customers.html")]
struct CustomersPage {
    bar: Bar,
    may_change: bool,
    said: Option<&'static str>,
    problem: Option<String>,
    q: String,
    total: usize,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    numbers: Vec<String>,
    external_id: String,
    note: String,
}

/// Who is looked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    done: Option<String>,
}

pub(super) async fn customers(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(Wanted { q, done }): Query<Wanted>,
) -> Response {
    let who = Arc::clone(&asking.0);
    let page = site.read(move |state| {
        let (found, total) = state.directory.newest().find_customers(&q, MOST_ROWS);
        let rows = found.into_iter().map(|customer| Row {
            id: customer.id.to_string(),
            name: customer.name,
            numbers: customer.numbers.iter().map(said).collect(),
            external_id: customer.external_id.unwrap_or_default(),
            note: customer.note.unwrap_or_default().chars().take(120).collect(),
        });
        CustomersPage {
            bar: Bar::new(Page::Customers, &who),
            may_change: who.role.may(Task::Manage),
            said: done.map(|_| "Saved."),
            problem: None,
            rows: rows.collect(),
            total,
            q,
        }
    });
    drawn(StatusCode::OK, page.await)
}

/// Whose number a new customer has, and in which call.
#[derive(Deserialize)]
pub(super) struct From {
    number: Option<String>,
    call: Option<String>,
}

pub(super) async fn new_customer(asking: Asking, Query(From { number, call }): Query<From>) -> Response {
    let numbers = number.map(Texts::Lines);
    let call = call.filter(|call| call.parse::<crate::id::CallId>().is_ok());
    new_page(&asking, &CustomerSent { numbers, call, ..CustomerSent::default() }, None)
}

fn new_page(asking: &Asking, sent: &CustomerSent, refused: Option<&Refused>) -> Response {
    let page = EditPage {
        bar: Bar::new(Page::Customers, &asking.0),
        title: "Add customer",
        lead: "Their name shows in the bubble from the first ring of their next call.",
        said: None,
        problem: refused.map(ToString::to_string),
        form: fields::customer(sent, "/customers".to_owned()),
    };
    drawn(refused.map_or(StatusCode::OK, |why| api::status(why.rule)), Some(page))
}

pub(super) async fn add_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<CustomerSent>,
) -> Response {
    let edit = sent.edit(&site.state.directory.newest(), None);
    let id = if let Ok(Edit::CustomerAdded { id, .. }) = &edit { id.to_string() } else { String::new() };
    match asked(&site, &asking, edit).await {
        Ok(()) => match sent.call.filter(|call| call.parse::<crate::id::CallId>().is_ok()) {
            Some(call) => see_other(&format!("/calls/{call}")),
            None => see_other(&format!("/customers/{id}?done=1")),
        },
        Err(why) => new_page(&asking, &sent, Some(&why)),
    }
}

async fn asked(site: &Site, asking: &Asking, edit: Result<Edit, Refused>) -> Result<(), Refused> {
    perform(site, asking, edit?).await.map(drop)
}

#[derive(Template)]
#[template(path = "directory/customer.html")]
struct CustomerPage {
    bar: Bar,
    may_change: bool,
    id: String,
    name: String,
    numbers: Vec<String>,
    note: Option<String>,
    said: Option<&'static str>,
    problem: Option<String>,
    jobs: Vec<JobRow>,
    add_job: Option<Form>,
    form: Option<Form>,
    merge: Option<Form>,
    history: Vec<Change>,
}

struct JobRow {
    id: String,
    job_number: String,
    title: String,
    status: String,
    form: Form,
}

pub(super) async fn customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Response {
    let directory = site.state.directory.newest();
    match people::customer_at(&directory, &id) {
        Ok(customer) => page(&directory, &asking, customer, (done.words().map(|_| "Saved."), None)),
        Err(_) => nobody(&asking),
    }
}

fn nobody(asking: &Asking) -> Response {
    problem(StatusCode::NOT_FOUND, asking, "There is no such customer", "Look for the name or a number.")
}

/// What was sent for a customer or a job, and refused.
enum Kept {
    Nothing,
    Customer(CustomerSent),
    Job(JobSent),
}

fn page(
    directory: &Directory,
    asking: &Asking,
    customer: Customer,
    (told, refused): (Option<&'static str>, Option<(&Refused, Kept)>),
) -> Response {
    let may_change = asking.0.role.may(Task::Manage);
    let id = customer.id.to_string();
    let jobs = wire::jobs_of(directory, &customer).into_iter().map(|job| JobRow {
        id: job.id.to_string(),
        job_number: job.job_number.clone(),
        title: job.title.clone(),
        status: job.status.clone(),
        form: fields::job(&fields::of_job(job), format!("/jobs/{}", job.id)),
    });
    let status = refused.as_ref().map_or(StatusCode::OK, |(why, _)| api::status(why.rule));
    let problem = refused.as_ref().map(|(why, _)| why.to_string());
    let mut sent = fields::of_customer(&customer);
    let mut job = JobSent { customer_id: Some(id.clone()), ..JobSent::default() };
    match refused.map(|(_, kept)| kept) {
        Some(Kept::Customer(kept)) => sent = kept,
        Some(Kept::Job(kept)) => job = kept,
        Some(Kept::Nothing) | None => {}
    }
    let page = CustomerPage {
        bar: Bar::new(Page::Customers, &asking.0),
        may_change,
        numbers: customer.numbers.iter().map(said).collect(),
        said: told,
        problem,
        jobs: jobs.collect(),
        add_job: may_change.then(|| fields::job(&job, format!("/customers/{id}/jobs"))),
        form: may_change.then(|| fields::customer(&sent, format!("/customers/{id}"))),
        merge: may_change.then(|| fields::merge(format!("/customers/{id}/merge"))),
        history: customer.history.iter().rev().cloned().collect(),
        note: customer.note.filter(|_| !may_change),
        name: customer.name,
        id,
    };
    drawn(status, Some(page))
}

/// Shows the customer again after a change, with what was sent if it was refused.
async fn changed(
    site: &Site,
    asking: &Asking,
    id: &str,
    edit: impl FnOnce(&Directory, &Customer) -> Result<Edit, Refused>,
    kept: Kept,
) -> Response {
    let directory = site.state.directory.newest();
    let Ok(customer) = people::customer_at(&directory, id) else { return nobody(asking) };
    match asked(site, asking, edit(&directory, &customer)).await {
        Ok(()) => see_other(&format!("/customers/{}?done=1", customer.id)),
        Err(why) => page(&directory, asking, customer, (None, Some((&why, kept)))),
    }
}

pub(super) async fn change_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<CustomerSent>,
) -> Response {
    let edit = |directory: &Directory, before: &Customer| sent.edit(directory, Some(before));
    changed(&site, &asking, &id, edit, Kept::Customer(sent.clone())).await
}

pub(super) async fn merge(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(people::Merge { gone }): Sent<people::Merge>,
) -> Response {
    let edit = |directory: &Directory, _: &Customer| people::merged(directory, &id, &gone);
    changed(&site, &asking, &id, edit, Kept::Nothing).await
}

pub(super) async fn remove_customer(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let directory = site.state.directory.newest();
    let Ok(customer) = people::customer_at(&directory, &id) else { return nobody(&asking) };
    match perform(&site, &asking, Edit::CustomerRemoved { id: customer.id }).await {
        Ok(_) => see_other("/customers?done=1"),
        Err(why) => page(&directory, &asking, customer, (None, Some((&why, Kept::Nothing)))),
    }
}

pub(super) async fn add_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<JobSent>,
) -> Response {
    let edit = |_: &Directory, customer: &Customer| {
        JobSent { customer_id: Some(customer.id.to_string()), ..sent.clone() }.edit(None)
    };
    changed(&site, &asking, &id, edit, Kept::Job(sent.clone())).await
}

pub(super) async fn change_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<JobSent>,
) -> Response {
    let directory = site.state.directory.newest();
    let Ok(job) = people::job_at(&directory, &id) else { return no_job(&asking) };
    let edit = |_: &Directory, _: &Customer| sent.edit(Some(job));
    changed(&site, &asking, &job.customer.to_string(), edit, Kept::Nothing).await
}

pub(super) async fn remove_job(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let directory = site.state.directory.newest();
    let Ok(job) = people::job_at(&directory, &id) else { return no_job(&asking) };
    let edit = |_: &Directory, _: &Customer| Ok(Edit::JobRemoved { id: job.id });
    changed(&site, &asking, &job.customer.to_string(), edit, Kept::Nothing).await
}

fn no_job(asking: &Asking) -> Response {
    problem(StatusCode::NOT_FOUND, asking, "There is no such job", "Jobs stand on their customer’s page.")
}

pub(super) async fn reasons(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<Done>,
) -> Response {
    reasons_page(&asking, &site.state.directory.newest().reasons(), (done.words().map(|_| "Saved."), None))
}

fn reasons_page(
    asking: &Asking,
    reasons: &[String],
    (said, refused): (Option<&'static str>, Option<&Refused>),
) -> Response {
    let page = EditPage {
        bar: Bar::new(Page::Customers, &asking.0),
        title: "Call reasons",
        lead: "What a CSR closes a call with.",
        said,
        problem: refused.map(ToString::to_string),
        form: fields::reasons(reasons),
    };
    drawn(refused.map_or(StatusCode::OK, |why| api::status(why.rule)), Some(page))
}

pub(super) async fn set_reasons(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(Reasons { reasons }): Sent<Reasons>,
) -> Response {
    let reasons = reasons.each();
    match perform(&site, &asking, Edit::ReasonsSet { reasons: reasons.clone() }).await {
        Ok(_) => see_other("/reasons?done=1"),
        Err(why) => reasons_page(&asking, &reasons, (None, Some(&why))),
    }
}

#[derive(Template)]
#[template(path = "directory/search.html")]
struct SearchPage {
    bar: Bar,
    q: String,
    hits: Vec<Hit>,
}

struct Hit {
    to: String,
    name: String,
    kind: &'static str,
    more: String,
}

pub(super) async fn search(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(api::Wanted { q }): Query<api::Wanted>,
) -> Response {
    let who = Arc::clone(&asking.0);
    let page = site.read(move |state| {
        let hits = api::hits(&state.directory.newest(), &q, who.role).iter().map(hit).collect();
        SearchPage { bar: Bar::new(Page::Other, &who), q, hits }
    });
    drawn(StatusCode::OK, page.await)
}

/// A hit as the office reads it.
fn hit(found: &Value) -> Hit {
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    let number = |field: &str| text(field).parse().map_or_else(|_| text(field), |number| said(&number));
    match text("kind").as_str() {
        "tracking_number" => Hit {
            to: format!("/numbers/{}", text("id")),
            name: number("number"),
            kind: "Tracking number",
            more: text("campaign"),
        },
        "advertised_number" => Hit {
            to: format!("/numbers/{}", text("number").trim_start_matches('+')),
            name: number("number"),
            kind: "Advertised number",
            more: format!("forwards to {}, {}", number("forwards_to"), text("campaign")),
        },
        "forwarding_number" => {
            let ending = format!("… {}", text("ends_in"));
            let name = if found["number"].is_null() { ending } else { number("number") };
            Hit { to: String::new(), name, kind: "Forwarding number", more: "not tracked".to_owned() }
        }
        "campaign" => {
            let numbers = found["numbers"].as_u64().unwrap_or(0);
            let more = format!("{numbers} tracking {}", if numbers == 1 { "number" } else { "numbers" });
            Hit { to: format!("/campaigns/{}", text("id")), name: text("name"), kind: "Campaign", more }
        }
        _ => {
            let numbers = found["numbers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let numbers = numbers.filter_map(|number| number.parse().ok()).map(|number| said(&number));
            let more = numbers.collect::<Vec<_>>().join(", ");
            Hit { to: format!("/customers/{}", text("id")), name: text("name"), kind: "Customer", more }
        }
    }
}

pub(super) async fn export(State(site): State<Arc<Site>>, asking: Asking) -> Response {
    let who = Arc::clone(&asking.0);
    let list = site.read(move |state| {
        if let Some(desk) = state.retention.desk()
            && let Err(why) = desk.account(&who.name, "exported", "customers")
        {
            tracing::warn!(%why, "an export is not in the audit");
        }
        crate::directory::Csv::write(state.directory.newest().book())
    });
    match list.await {
        Some(list) => {
            let kind = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"customers.csv\""),
            ];
            (kind, list).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
