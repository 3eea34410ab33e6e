//! The JSON API, health and counters, for machines.

use super::{Site, metrics};
use crate::call::bubble::Bubble;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::sync::Arc;

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
