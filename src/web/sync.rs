//! Syncing for the API: how it does, and now.

use super::{Site, api};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::{fmt, sync::Arc};

/// What to do when somebody wants everything sent now; nothing where there is no upstream.
#[derive(Clone, Default)]
pub struct SyncNow(Option<Arc<dyn Fn() + Send + Sync>>);

impl SyncNow {
    /// Calls `now`, which must not wait.
    #[must_use]
    pub fn new(now: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }
}

impl fmt::Debug for SyncNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SyncNow").field(&self.0.is_some()).finish()
    }
}

pub(super) async fn status(State(site): State<Arc<Site>>) -> Response {
    let Some(newest) = site.state.status.newest() else {
        return api::problem(StatusCode::SERVICE_UNAVAILABLE, "starting", "the box is still starting");
    };
    Json(&newest.sync).into_response()
}

pub(super) async fn now(State(site): State<Arc<Site>>) -> Response {
    match &site.state.sync.0 {
        Some(now) => {
            now();
            StatusCode::ACCEPTED.into_response()
        }
        None => api::problem(
            StatusCode::NOT_FOUND,
            "no_upstream",
            "this box has no upstream: add [upstream] to its configuration",
        ),
    }
}
