//! `/boxes/{box}/recordings/{recording}`: a recording for an operator's player, in ranges (RFC 9110 14).

use super::{Receiver, access::Visitor, answer, objects::Announced, pages, tls::Peer, wall_now};
use crate::id::{BoxId, RecordingId};
use axum::{
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{ops::Range, sync::Arc};

pub(super) async fn audio(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((from, recording)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if receiver.operator.visitor(&headers, &peer, wall_now()) != Visitor::Operator {
        return answer::problem(StatusCode::NOT_FOUND, "not here", "");
    }
    let (Ok(from), Ok(recording)) = (from.parse::<BoxId>(), recording.parse::<RecordingId>()) else {
        return answer::problem(StatusCode::NOT_FOUND, "not here", "");
    };
    let received = match receiver.records.recording(from, recording).await {
        Ok(received) => received.into_iter().next_back(),
        Err(error) => return answer::unavailable(&receiver, &error),
    };
    let Some(receipt) = received else { return answer::problem(StatusCode::NOT_FOUND, "not here", "") };
    let Ok(hash) = blake3::Hash::from_hex(&receipt.hash) else { return pages::broken() };
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some((status, range)) = ranged(asked, receipt.bytes) else {
        let size = [(header::CONTENT_RANGE, format!("bytes */{}", receipt.bytes))];
        return (StatusCode::RANGE_NOT_SATISFIABLE, size).into_response();
    };
    // Every play is to be accounted for.
    tracing::info!(box_id = %from, %recording, call = %receipt.call, peer = %peer.address, ?range, "played");
    let announced = Announced { from, recording, hash, bytes: receipt.bytes };
    let place = format!("bytes {}-{}/{}", range.start, range.end - 1, receipt.bytes);
    let length = range.end - range.start;
    match receiver.objects.stream(&announced, range).await {
        Ok(body) => {
            let about = [
                (header::CONTENT_TYPE, "audio/ogg".to_owned()),
                (header::ACCEPT_RANGES, "bytes".to_owned()),
                (header::CACHE_CONTROL, "private, no-cache".to_owned()),
                (header::CONTENT_LENGTH, length.to_string()),
                (header::ETAG, format!("\"{}\"", receipt.hash)),
            ];
            let mut response = (status, about, body).into_response();
            if let (StatusCode::PARTIAL_CONTENT, Ok(place)) = (status, HeaderValue::try_from(place)) {
                response.headers_mut().insert(header::CONTENT_RANGE, place);
            }
            response
        }
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

/// The bytes that a `Range` asks for of `bytes`; `None` if it cannot be satisfied. What is no single range of bytes is
/// as good as none.
fn ranged(asked: Option<&str>, bytes: u64) -> Option<(StatusCode, Range<u64>)> {
    let all = Some((StatusCode::OK, 0..bytes));
    let Some((from, to)) = asked.and_then(|asked| asked.strip_prefix("bytes=")?.split_once('-')) else {
        return all;
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..bytes.min(to.saturating_add(1)),
        (Ok(from), Err(_)) if to.is_empty() => from..bytes,
        (Err(_), Ok(last)) if from.is_empty() => bytes.saturating_sub(last)..bytes,
        _ => return all,
    };
    (range.start < range.end).then_some((StatusCode::PARTIAL_CONTENT, range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_gets_the_range_it_asks_for() {
        let of = |asked: &str| ranged(Some(asked), 100);
        let part = |range| Some((StatusCode::PARTIAL_CONTENT, range));
        assert_eq!(of("bytes=0-9"), part(0..10));
        assert_eq!(of("bytes=90-"), part(90..100));
        assert_eq!(of("bytes=-10"), part(90..100));
        assert_eq!(of("bytes=-200"), part(0..100));
        assert_eq!(of("bytes=50-999"), part(50..100));
        assert_eq!(of("bytes=100-"), None);
        assert_eq!(of("bytes=-0"), None);
        for odd in ["bytes=9-0", "bytes=0-1,5-6", "lines=1-2", "bytes=x"] {
            assert_eq!(of(odd), Some((StatusCode::OK, 0..100)), "{odd}");
        }
        assert_eq!(ranged(None, 100), Some((StatusCode::OK, 0..100)));
    }
}
