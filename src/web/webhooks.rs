//! Webhooks for the API: how each receiver does, a test, a replay.

use super::{Site, access::Asking, api};
use crate::{
    time::WallTime,
    webhook::desk::{Desk, NoWebhooks, Refused, Report},
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The way to the webhooks; a clone is the same way.
#[derive(Clone)]
pub struct Webhooks(Arc<dyn Desk>);

impl Webhooks {
    /// Asks this desk.
    #[must_use]
    pub fn new(desk: impl Desk + 'static) -> Self {
        Self(Arc::new(desk))
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self::new(NoWebhooks)
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhooks")
    }
}

/// Answer of `/api/v1/webhooks`.
#[derive(Serialize)]
struct List {
    webhooks: Vec<Report>,
}

/// Which calls are sent again, by when they came in.
#[derive(Deserialize)]
pub(super) struct Range {
    from: String,
    to: Option<String>,
}

pub(super) async fn list(State(site): State<Arc<Site>>) -> Response {
    Json(List { webhooks: site.state.webhooks.0.reports() }).into_response()
}

pub(super) async fn test(State(site): State<Arc<Site>>, Path(n): Path<String>, asking: Asking) -> Response {
    let Ok(n) = n.parse::<usize>() else { return refused(Refused::Unknown) };
    let done = site.read(move |state| {
        account(state, &asking, "webhook tested", n);
        state.webhooks.0.test(n)
    });
    match done.await.unwrap_or(Err(Refused::Busy)) {
        Ok(tested) => Json(tested).into_response(),
        Err(why) => refused(why),
    }
}

pub(super) async fn replay(
    State(site): State<Arc<Site>>,
    Path(n): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
    asking: Asking,
) -> Response {
    let Ok(n) = n.parse::<usize>() else { return refused(Refused::Unknown) };
    let range = range.ok().and_then(|Query(range)| {
        let to = range.to.map_or(Some(super::wall_now()), |to| WallTime::parse(&to));
        Some((WallTime::parse(&range.from)?, to?))
    });
    let Some((from, to)) = range else {
        let title = "`from`, and `to` if it is not now, are needed as RFC 3339 times: 2026-11-22T13:05:09Z";
        return api::problem(StatusCode::BAD_REQUEST, "not_a_time", title);
    };
    let done = site.read(move |state| {
        account(state, &asking, "webhook replayed", n);
        state.webhooks.0.replay(n, from, to)
    });
    match done.await.unwrap_or(Err(Refused::Busy)) {
        Ok(calls) => (StatusCode::ACCEPTED, Json(serde_json::json!({ "calls": calls }))).into_response(),
        Err(why) => refused(why),
    }
}

/// Into the audit log; a log that takes nothing now stops no test.
fn account(state: &super::State, Asking(who): &Asking, did: &str, n: usize) {
    if let Some(desk) = state.retention.desk() {
        let _ = desk.account(&who.name, did, &format!("webhook {n}"));
    }
}

fn refused(why: Refused) -> Response {
    let (status, code) = match why {
        Refused::Unknown => (StatusCode::NOT_FOUND, "no_such_webhook"),
        Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        Refused::TooMany => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_calls"),
    };
    api::problem(status, code, &why.to_string())
}
