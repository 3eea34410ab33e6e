//! An encrypted recording as a plain one: whole or one range of it, opened piece by piece as the player takes it.

use super::SealedAudio;
use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;

/// Bytes opened at once: about 16 s of audio.
const PIECE_BYTES: u64 = 64 << 10;

/// Which part of a recording is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// Nothing of it is there.
    Beyond,
}

/// The answer to a request for `audio`; its conditional headers have been judged.
pub(super) fn answer(audio: Arc<dyn SealedAudio>, method: &Method, headers: &HeaderMap) -> Response {
    let bytes = audio.bytes();
    // RFC 9110 14.2: only GET knows ranges.
    let range = headers.get(header::RANGE).filter(|_| method == Method::GET);
    let (status, range) = match range.map_or(Asked::Whole, |range| asked(range.to_str().ok(), bytes)) {
        Asked::Whole => (StatusCode::OK, 0..bytes),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            let there = [(header::CONTENT_RANGE, format!("bytes */{bytes}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, there).into_response();
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, range.end - range.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let of = format!("bytes {}-{}/{bytes}", range.start, range.end - 1);
        response = response.header(header::CONTENT_RANGE, of);
    }
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(Pieces { audio, range, reading: None }),
    };
    response.body(body).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Reads a `Range` header (RFC 9110 14.1.2). What is not understood, and several ranges at once, give the whole.
fn asked(range: Option<&str>, bytes: u64) -> Asked {
    let one = range.and_then(|range| range.strip_prefix("bytes=")).and_then(|one| one.trim().split_once('-'));
    let number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok());
    let range = match one {
        Some(("", last)) => number(last).flatten().map(|last: u64| bytes.saturating_sub(last)..bytes),
        Some((first, "")) => number(first).flatten().map(|first| first..bytes),
        Some((first, last)) => match (number(first).flatten(), number(last).flatten()) {
            (Some(first), Some(last)) if first <= last => Some(first..bytes.min(last.saturating_add(1))),
            _ => None,
        },
        None => None,
    };
    match range {
        Some(range) if range.is_empty() => Asked::Beyond,
        Some(range) => Asked::Part(range),
        None => Asked::Whole,
    }
}

/// What is left to send. A player that pauses holds no thread.
struct Pieces {
    audio: Arc<dyn SealedAudio>,
    range: Range<u64>,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.reading.is_none() {
            if self.range.is_empty() {
                return Poll::Ready(None);
            }
            let end = self.range.end.min(self.range.start.saturating_add(PIECE_BYTES));
            let (audio, piece) = (Arc::clone(&self.audio), self.range.start..end);
            self.range.start = end;
            self.reading = Some(spawn_blocking(move || audio.read_range(piece)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read =
            ready!(Pin::new(reading).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
        self.reading = None;
        if let Err(error) = &read {
            tracing::warn!(%error, "a recording broke off; run `ringside recordings verify`");
            self.range.end = self.range.start;
        }
        Poll::Ready(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        let cases = [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-", Asked::Part(10..100)),
            ("bytes=-1", Asked::Part(99..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=0-18446744073709551615", Asked::Part(0..100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=100-200", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=5-4", Asked::Whole),
            ("bytes=+5-9", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("", Asked::Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(asked(Some(range), 100), expected, "{range}");
        }
    }
}
