//! Who asks, and whether they may: every route names its task.

use super::{Site, api, pages};
use crate::access::{Task, Who};
use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse as _, Redirect, Response},
    routing::MethodRouter,
};
use std::sync::Arc;

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Everybody who reaches the box.
    Open,
    /// Those whose role covers the task.
    For(Task),
    /// Looking is one task, changing another.
    Split { look: Task, change: Task },
}

/// The methods of a route, and whom they are for.
pub(super) struct Guarded {
    place: Place,
    methods: MethodRouter<Arc<Site>>,
}

/// Lets only those through whose role covers the task.
pub(super) fn needs(task: Task, methods: MethodRouter<Arc<Site>>) -> Guarded {
    let admit = move |request: Request, next: Next| admit(task, request, next);
    Guarded { place: Place::For(task), methods: methods.route_layer(middleware::from_fn(admit)) }
}

/// Whoever handles calls may look, whoever manages the office may change.
pub(super) fn look_and_change(look: MethodRouter<Arc<Site>>, change: MethodRouter<Arc<Site>>) -> Guarded {
    let (look, change) = (needs(Task::Handle, look), needs(Task::Manage, change));
    let place = Place::Split { look: Task::Handle, change: Task::Manage };
    Guarded { place, methods: look.methods.merge(change.methods) }
}

/// Every route with its task: what the router is built from, and what the permission matrix is tested on.
#[derive(Default)]
pub(super) struct Routes {
    list: Vec<(&'static str, Place)>,
    router: Router<Arc<Site>>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A route for those whose role covers its task.
    pub(super) fn route(mut self, path: &'static str, guarded: Guarded) -> Self {
        self.list.push((path, guarded.place));
        self.router = self.router.route(path, guarded.methods);
        self
    }

    /// A route for everybody who reaches the box.
    pub(super) fn open(mut self, path: &'static str, methods: MethodRouter<Arc<Site>>) -> Self {
        self.list.push((path, Place::Open));
        self.router = self.router.route(path, methods);
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        self.router = self.router.merge(other.router);
        self
    }

    /// Puts something before all routes so far.
    pub(super) fn wrapped(mut self, wrap: impl FnOnce(Router<Arc<Site>>) -> Router<Arc<Site>>) -> Self {
        self.router = wrap(self.router);
        self
    }

    #[cfg(test)]
    pub(super) fn list(&self) -> &[(&'static str, Place)] {
        &self.list
    }

    pub(super) fn into_router(self) -> Router<Arc<Site>> {
        self.router
    }
}

async fn admit(task: Task, request: Request, next: Next) -> Response {
    let asks_for_page = is_for_page(request.method(), request.headers(), request.uri());
    match request.extensions().get::<Asking>() {
        Some(asking) if asking.0.role.may(task) => next.run(request).await,
        Some(asking) if asks_for_page => {
            let remedy = "Ask an administrator.";
            pages::problem(StatusCode::FORBIDDEN, asking, "This is not for your role", remedy)
        }
        Some(asking) => refused(&asking.0),
        None => stranger(request.uri(), asks_for_page),
    }
}

/// What somebody gets who is not signed in.
fn stranger(uri: &Uri, asks_for_page: bool) -> Response {
    if !asks_for_page {
        return api::problem(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first, or show a token");
    }
    let to = uri.path_and_query().map_or("/", |to| to.as_str());
    let address = match to {
        "/" => "/sign-in".to_owned(),
        to => format!("/sign-in?to={}", in_query(to)),
    };
    Redirect::to(&address).into_response()
}

/// A text as a value in a query (RFC 3986 3.4).
fn in_query(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Whether a browser asks for something to show to somebody.
fn is_for_page(method: &Method, headers: &HeaderMap, uri: &Uri) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    matches!(*method, Method::GET | Method::HEAD)
        && accepts.is_some_and(|accept| accept.contains("text/html"))
        && !uri.path().starts_with("/api/")
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
        let asking = parts.extensions.get::<Self>().cloned();
        asking.ok_or_else(|| stranger(&parts.uri, is_for_page(&parts.method, &parts.headers, &parts.uri)))
    }
}
