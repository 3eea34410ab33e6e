//! The JSON API, health and counters, for machines.

use super::{Site, metrics, pages::MAX_CALLS};
use crate::{call::bubble::Bubble, id::CallId, record::CallRecord};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Answer of `/api/v1/calls`.
#[derive(Serialize)]
struct CallList {
    calls: Vec<CallRecord>,
}

/// Answer of `/api/v1/bubbles`.
#[derive(Serialize)]
struct BubbleList {
    bubbles: Vec<Bubble>,
}

/// An error as RFC 9457 wants it.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    /// Stable name of the error.
    code: &'static str,
}

/// How much of the list is asked for.
#[derive(Deserialize)]
pub(super) struct Paging {
    per_page: Option<usize>,
}

pub(super) async fn calls(State(site): State<Arc<Site>>, Query(paging): Query<Paging>) -> Response {
    let limit = paging.per_page.unwrap_or(MAX_CALLS).min(MAX_CALLS);
    match site.read(move |state| state.calls.today(limit)).await {
        Some(calls) => Json(CallList { calls }).into_response(),
        None => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "the call records could not be read")
        }
    }
}

pub(super) async fn call(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<CallId>() else {
        return problem(StatusCode::NOT_FOUND, "no_such_call", "not the id of a call");
    };
    match site.read(move |state| state.desk.newest(id).or_else(|| state.calls.get(id))).await {
        Some(Some(record)) => Json(record).into_response(),
        Some(None) => problem(StatusCode::NOT_FOUND, "no_such_call", "this box knows no such call"),
        None => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "the call records could not be read")
        }
    }
}

pub(super) async fn bubbles(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let bubbles = site.state.live.snapshot().into_iter().map(|shown| shown.bubble).collect();
    Json(BubbleList { bubbles })
}

pub(super) async fn health(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let report = site.state.health.report();
    let status = if report.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

pub(super) async fn metrics(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let counts = site.state.live.counts();
    let open = i64::try_from(counts.ringing + counts.live).unwrap_or(i64::MAX);
    site.state.metrics.bubbles_open.set(open);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], site.state.metrics.text())
}

/// An error as an answer; `title` says what is the matter and what to do.
pub(super) fn problem(status: StatusCode, code: &'static str, title: &str) -> Response {
    let body = Problem { title, status: status.as_u16(), code };
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
}
