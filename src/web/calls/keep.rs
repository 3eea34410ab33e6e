//! `/calls/{id}/keep`: how long a call stays, its legal hold, and its erasure, for administrators. Every request goes to
//! the desk that the API and the command line use.

use super::super::{
    Site, State,
    access::Asking,
    bar::{Bar, Page},
    pages::{drawn, problem},
    wording,
};
use crate::{
    id::CallId,
    ledger::calendar,
    note::Part,
    recording::request::{Receipt, Refused, Request, Subject, When},
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State as Extract},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::web) struct Wish {
    #[serde(default, rename = "do")]
    what: String,
    #[serde(default)]
    part: String,
    #[serde(default)]
    when: String,
    #[serde(default)]
    why: String,
}

/// What was done before the page was asked for.
#[derive(Deserialize)]
pub(in crate::web) struct Before {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "keep.html")]
struct KeepPage {
    bar: Bar,
    id: String,
    caller: String,
    start: String,
    kept: String,
    hold: Option<String>,
    erasures: Vec<String>,
    done: Option<&'static str>,
    wrong: Option<String>,
    why: String,
}

pub(in crate::web) async fn show(
    Extract(site): Extract<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Query(before): Query<Before>,
) -> Response {
    let done = match before.done.as_str() {
        "hold" => Some("The call is held: nothing of it is erased until the hold is lifted."),
        "release" => Some("The hold is lifted."),
        "erase" => Some("The erasure is noted."),
        "cancel" => Some("The erasure is called off."),
        _ => None,
    };
    answer(&site, &asking, &id, done, None).await
}

pub(in crate::web) async fn ask(
    Extract(site): Extract<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Response {
    let Ok(call) = id.parse::<CallId>() else { return unknown(&asking) };
    let Some((request, done)) = request(&wish, call, &asking.0.name) else {
        let why = "say what to do: hold, release, erase or cancel".to_owned();
        return answer(&site, &asking, &id, None, Some((StatusCode::BAD_REQUEST, why, wish.why))).await;
    };
    let asked = site.read(move |state| state.retention.desk().map(|desk| desk.ask(&request)));
    let (status, why) = match asked.await {
        Some(Some(Ok(answer))) => match answer.left.first() {
            None => {
                let to = format!("/calls/{call}/keep?done={done}");
                return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
            }
            Some((_, why)) => (StatusCode::UNPROCESSABLE_ENTITY, format!("it stays as it is: {why}")),
        },
        Some(Some(Err(Refused::UnknownCall))) => return unknown(&asking),
        Some(Some(Err(why))) => (StatusCode::UNPROCESSABLE_ENTITY, why.to_string()),
        Some(None) => (StatusCode::NOT_IMPLEMENTED, "this box erases nothing".to_owned()),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the call records could not be read".to_owned()),
    };
    answer(&site, &asking, &id, None, Some((status, why, wish.why))).await
}

fn request(wish: &Wish, call: CallId, by: &str) -> Option<(Request, &'static str)> {
    let (by, why) = (by.to_owned(), wish.why.trim().to_owned());
    Some(match wish.what.as_str() {
        "hold" => (Request::Hold { call, by, why }, "hold"),
        "release" => (Request::Release { call, by }, "release"),
        "cancel" => (Request::Cancel { call, by }, "cancel"),
        "erase" => {
            let part = if wish.part == "record" { Part::Record } else { Part::Recording };
            let when = if wish.when == "now" { When::Now } else { When::AfterGrace };
            let of = Subject::Call(call);
            (Request::Erase { of, part, by, why, when, receipt: Receipt::Needed }, "erase")
        }
        _ => return None,
    })
}

/// Status, what is the matter, and the reason that was typed.
type Wrong = (StatusCode, String, String);

async fn answer(
    site: &Site,
    asking: &Asking,
    id: &str,
    done: Option<&'static str>,
    wrong: Option<Wrong>,
) -> Response {
    let Ok(call) = id.parse::<CallId>() else { return unknown(asking) };
    let status = wrong.as_ref().map_or(StatusCode::OK, |(status, _, _)| *status);
    let who = Arc::clone(&asking.0);
    let page = site.read(move |state| page(state, call, Bar::new(Page::Other, &who), done, wrong));
    match page.await {
        Some(Some(page)) => drawn(status, Some(page)),
        Some(None) => unknown(asking),
        None => drawn(status, None::<KeepPage>),
    }
}

fn page(
    state: &State,
    call: CallId,
    bar: Bar,
    done: Option<&'static str>,
    wrong: Option<Wrong>,
) -> Option<KeepPage> {
    let record = state.calls.get(call)?;
    let (zone, _) = state.calls.place();
    let listing = state.retention.desk().and_then(|desk| desk.listing()).unwrap_or_default();
    let hold = listing.held.iter().find(|hold| hold.call == call);
    let erasures = listing.asked.iter().filter(|asked| asked.call == call).map(|asked| {
        let part = match asked.part {
            Part::Recording => "The recording",
            Part::Record => "The record and the recording",
        };
        let due = calendar::local(asked.due, &zone);
        format!("{part}, due {due}, asked for by {}: {}", asked.by, asked.why)
    });
    let until = state.retention.kept_until(&record);
    let kept = until.map(|(part, at)| format!("The {}.", wording::kept_until(part, at)));
    let (wrong, why) = wrong.map(|(_, wrong, why)| (wrong, why)).unzip();
    Some(KeepPage {
        bar,
        id: call.to_string(),
        caller: wording::caller(record.customer_phone_number.as_ref(), record.customer_number_presentation),
        start: calendar::local(record.start_time, &zone),
        kept: kept.unwrap_or_else(|| "Nothing is to be erased by age.".to_owned()),
        hold: hold.map(|hold| {
            format!("Held since {} by {}: {}", calendar::local(hold.since, &zone), hold.by, hold.why)
        }),
        erasures: erasures.collect(),
        done,
        wrong,
        why: why.unwrap_or_default(),
    })
}

fn unknown(asking: &Asking) -> Response {
    let remedy = "Its address may be mistyped, or the call may belong to another box.";
    problem(StatusCode::NOT_FOUND, asking, "There is no such call", remedy)
}
