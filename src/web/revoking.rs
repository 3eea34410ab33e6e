//! Ends a stream whose reader may no longer read it: signed out, closed, demoted, run out.

use super::accounts::{Accounts, Pass};
use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::header,
    response::Response,
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio_stream::Stream;

/// How often time alone is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// The response; an endless one ends as soon as whoever showed `pass` is not what they were. The page then comes again
/// and is told what it may have.
pub(super) fn end_with(response: Response, accounts: Accounts, pass: Pass) -> Response {
    let is_endless = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_endless {
        return response;
    }
    response.map(|body| {
        let revoked = Box::pin(revoked(accounts, pass));
        Body::from_stream(Until { body: body.into_data_stream(), revoked })
    })
}

async fn revoked(accounts: Accounts, pass: Pass) {
    let mut changes = accounts.changes();
    let began = accounts.still(&pass, super::wall_now());
    loop {
        // The accounts live as long as we hold them.
        let _ = tokio::time::timeout(LOOK, changes.changed()).await;
        let now = accounts.still(&pass, super::wall_now());
        if now.is_none() || now.as_ref().map(|who| who.role) != began.as_ref().map(|who| who.role) {
            return;
        }
    }
}

struct Until<F> {
    body: BodyDataStream,
    revoked: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Stream for Until<F> {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.revoked.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_next(context)
    }
}
