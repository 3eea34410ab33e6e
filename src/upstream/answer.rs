//! Answers that are no success (RFC 9457), and bodies read within their limits.

use super::{Receiver, stored::StoreError};
use crate::sync::wire::{MAX_BATCH_BYTES, ProblemDetails};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use std::time::Duration;

/// Seconds after which one who was sent away may come back.
const COME_BACK_S: &str = "2";

/// Why a request was not done.
pub(super) fn problem(status: StatusCode, title: &str, detail: impl Into<String>) -> Response {
    let details = ProblemDetails { title: title.to_owned(), status: status.as_u16(), detail: detail.into() };
    let body = serde_json::to_vec(&details).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// The store did not do it: nothing was promised.
pub(super) fn unavailable(receiver: &Receiver, error: &StoreError) -> Response {
    tracing::warn!(%error, "a request was not done");
    receiver.metrics.failed.inc();
    come_back(problem(StatusCode::SERVICE_UNAVAILABLE, "not now", "the store does not take it; try again"))
}

/// Too much is in work.
pub(super) fn busy(receiver: &Receiver) -> Response {
    receiver.metrics.busy.inc();
    come_back(problem(StatusCode::TOO_MANY_REQUESTS, "busy", "too much is in work; try again"))
}

fn come_back(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(COME_BACK_S));
    response
}

/// Reads what a sender is about to send and keeps nothing of it: one that is cut off while it sends does not hear why.
/// Of a body longer than any that we take, as much as that.
pub(super) async fn drain(body: Body, patience: Duration) {
    let reading = async {
        let (mut stream, mut bytes) = (body.into_data_stream(), 0);
        while let Some(Ok(chunk)) = stream.next().await
            && bytes <= 2 * MAX_BATCH_BYTES
        {
            bytes += chunk.len();
        }
    };
    // Late or not, the answer is the same.
    let _ = tokio::time::timeout(patience, reading).await;
}

/// Reads a body of at most `limit` bytes within `patience`. A length that is announced is judged before a byte is read.
pub(super) async fn body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Response> {
    let too_long = || {
        problem(StatusCode::PAYLOAD_TOO_LARGE, "too long", format!("at most {limit} bytes are taken at once"))
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length > limit)) {
        drain(body, patience).await;
        return Err(too_long());
    }
    match tokio::time::timeout(patience, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Over the limit, or the connection broke; the second does not hear us.
        Ok(Err(_)) => Err(too_long()),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, "too slow", "the body did not come in time")),
    }
}
