//! Erasures, holds, and how long a call stays, for the API: requests go to the [`RetentionDesk`] of the daemon.

use super::{Site, api};
use crate::{
    note::{Account, Part},
    record::CallRecord,
    recording::request::{Answer, Listing, Refused, Request},
    time::WallTime,
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::{fmt, sync::Arc};

/// Takes requests. It may wait for a disk and is called on a thread that may.
pub trait RetentionDesk: Send + Sync {
    /// Takes a request; what it becomes is on the disk when this returns.
    ///
    /// # Errors
    /// Why nothing came of it.
    fn ask(&self, request: &Request) -> Result<Answer, Refused>;

    /// What is to come and what is held; `None` while it cannot be told.
    fn listing(&self) -> Option<Listing>;

    /// When the next part of a call goes, and which; `None` if it stays.
    fn kept_until(&self, record: &CallRecord) -> Option<(Part, WallTime)>;

    /// Notes for the journal that somebody did something that has to be accounted for; never waits.
    ///
    /// # Errors
    /// If the journal does not take it.
    fn account(&self, by: &str, did: &str, on: &str) -> Result<(), Refused>;

    /// Who did what, at most `limit`, newest first; `None` while it cannot be told.
    fn audit(&self, limit: usize) -> Option<Vec<Account>>;
}

/// The way of requests to the daemon; a clone is the same way.
#[derive(Clone)]
pub struct Retention(Option<Arc<dyn RetentionDesk>>);

impl Retention {
    /// A way to `desk`.
    #[must_use]
    pub fn new(desk: impl RetentionDesk + 'static) -> Self {
        Self(Some(Arc::new(desk)))
    }

    /// No way: everything is kept, and whoever asks is told so.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self(None)
    }

    pub(super) fn desk(&self) -> Option<&dyn RetentionDesk> {
        self.0.as_deref()
    }

    pub(super) fn kept_until(&self, record: &CallRecord) -> Option<(Part, WallTime)> {
        self.0.as_ref()?.kept_until(record)
    }
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Retention" } else { "Retention (unavailable)" })
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>) -> Response {
    let listing = site.read(|state| state.retention.0.as_ref().map(|desk| desk.listing()));
    match listing.await {
        Some(Some(Some(listing))) => Json(listing).into_response(),
        Some(Some(None)) => refused(&Refused::Busy),
        Some(None) => unavailable(),
        None => unreadable(),
    }
}

pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    request: Result<Json<Request>, JsonRejection>,
) -> Response {
    let Ok(Json(request)) = request else {
        let title = "not a request: say what to do, of which call, who asks and why";
        return api::problem(StatusCode::BAD_REQUEST, "not_a_request", title);
    };
    let answer = site.read(move |state| state.retention.0.as_ref().map(|desk| desk.ask(&request)));
    match answer.await {
        Some(Some(Ok(answer))) => Json(answer).into_response(),
        Some(Some(Err(why))) => refused(&why),
        Some(None) => unavailable(),
        None => unreadable(),
    }
}

pub(super) fn refused(why: &Refused) -> Response {
    let (status, code) = match why {
        Refused::UnknownCall => (StatusCode::NOT_FOUND, "no_such_call"),
        Refused::Unsaid => (StatusCode::BAD_REQUEST, "unsaid"),
        Refused::Not(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_possible"),
        Refused::NotWritten => (StatusCode::INSUFFICIENT_STORAGE, "not_written"),
        Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
    };
    api::problem(status, code, &why.to_string())
}

pub(super) fn unavailable() -> Response {
    api::problem(StatusCode::NOT_IMPLEMENTED, "not_available", "this box erases nothing")
}

pub(super) fn unreadable() -> Response {
    api::problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "the call records could not be read")
}
