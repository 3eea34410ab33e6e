//! Who asks, and whether they may: every route names its task.

use super::api;
use crate::access::{Task, Who};
use axum::{
    extract::{FromRequestParts, Request},
    http::{StatusCode, request::Parts},
    middleware::{self, Next},
    response::Response,
    routing::MethodRouter,
};
use std::sync::Arc;

/// Lets only those through whose role covers the task.
pub(super) fn needs<S>(task: Task, methods: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    methods.route_layer(middleware::from_fn(move |request: Request, next: Next| admit(task, request, next)))
}

async fn admit(task: Task, request: Request, next: Next) -> Response {
    match request.extensions().get::<Asking>() {
        Some(asking) if asking.0.role.may(task) => next.run(request).await,
        Some(asking) => refused(&asking.0),
        None => api::problem(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first"),
    }
}

fn refused(who: &Who) -> Response {
    let title = format!("this is not for the role {}: ask an administrator", who.role);
    api::problem(StatusCode::FORBIDDEN, "not_allowed", &title)
}

/// Who sent the request, as the guard found out. A handler behind [`needs`] always has one.
#[derive(Clone, Debug)]
pub(super) struct Asking(pub(super) Arc<Who>);

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| api::problem(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first"))
    }
}
