//! `/api/v1/audit`: who did what, and what a program beside the daemon did that has to be accounted for.

use super::{Site, api, retention};
use crate::{note::Account, recording::request::Refused};
use axum::{
    Json,
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Lines if nobody says how many, and lines at most.
const USUAL_LINES: usize = 100;
const MAX_LINES: usize = 1_000;
/// Longest name of somebody or something, in bytes.
const MAX_TEXT_BYTES: usize = 500;

#[derive(Deserialize)]
pub(super) struct Paging {
    limit: Option<usize>,
}

/// Answer of `GET /api/v1/audit`, newest first.
#[derive(Serialize)]
struct Audit {
    audit: Vec<Account>,
}

/// What was done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {
    by: String,
    did: Did,
    on: String,
}

/// What programs beside the daemon do.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Did {
    Opened,
    Exported,
}

pub(super) async fn list(State(site): State<Arc<Site>>, Query(paging): Query<Paging>) -> Response {
    let limit = paging.limit.unwrap_or(USUAL_LINES).min(MAX_LINES);
    let audit = site.read(move |state| state.retention.desk().map(|desk| desk.audit(limit)));
    match audit.await {
        Some(Some(Some(audit))) => Json(Audit { audit }).into_response(),
        Some(Some(None)) => retention::refused(&Refused::Busy),
        Some(None) => retention::unavailable(),
        None => retention::unreadable(),
    }
}

pub(super) async fn account(
    State(site): State<Arc<Site>>,
    done: Result<Json<Done>, JsonRejection>,
) -> Response {
    let fits = |text: &str| !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES;
    let done = done.ok().filter(|Json(done)| fits(&done.by) && fits(&done.on));
    let Some(Json(Done { by, did, on })) = done else {
        let title = "say by whom, what was done (opened, exported), and on what";
        return api::problem(StatusCode::BAD_REQUEST, "not_an_account", title);
    };
    let did = match did {
        Did::Opened => "opened",
        Did::Exported => "exported",
    };
    match site.state.retention.desk().map(|desk| desk.account(&by, did, &on)) {
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(why)) => retention::refused(&why),
        None => retention::unavailable(),
    }
}
