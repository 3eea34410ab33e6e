//! `/calls/{id}/recording`: the audio of a call, in ranges.
//!
//! The file is the one that the record names; nothing of the address reaches the file system. Its entity tag is the
//! record's BLAKE3, so the conditional headers are judged here and only the range is left to `ServeFile`.

use super::{Calls, Site, access::Asking, sealed, view};
use crate::{
    id::CallId,
    record::{CallRecord, Ended, RecordingState},
};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request},
    response::{IntoResponse, Response},
};
use std::{io, path::PathBuf, sync::Arc};
use tower_http::services::ServeFile;

/// What can be said of a call's audio.
enum Audio {
    NoSuchCall,
    /// The call, or the writing of its file, is still going on.
    NotYet,
    /// There is none, and there will be none.
    None,
    File {
        path: PathBuf,
        hash: Option<String>,
        encrypted: bool,
    },
}

pub(super) async fn audio(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let Ok(id) = id.parse::<CallId>() else { return said(Audio::NoSuchCall) };
    let audio = site.read(move |state| match state.calls.get(id) {
        Some(record) => Audio::of(&record, &state.recordings),
        None => Audio::NoSuchCall,
    });
    match audio.await {
        Some(Audio::File { path, hash, encrypted }) => {
            let calls = encrypted.then(|| Arc::clone(&site.state.calls));
            let begins = is_beginning(&request);
            let response = file(path, hash, calls, request).await;
            let is_played = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
            if let Some(desk) = site.state.retention.desk().filter(|_| begins && is_played) {
                // The journal counts and logs what it refuses.
                let _ = desk.account(&asking.0.name, "played", &id.to_string());
            }
            response
        }
        Some(other) => said(other),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Audio {
    fn of(record: &CallRecord, data_dir: &std::path::Path) -> Self {
        match record.recording.state {
            RecordingState::Closed | RecordingState::Recovered => {
                let hash = record.recording.hash.clone();
                let encrypted = record.recording.encryption.is_some();
                let path = view::recording_path(record, data_dir);
                path.map_or(Self::None, |path| Self::File { path, hash, encrypted })
            }
            RecordingState::Writing => Self::NotYet,
            RecordingState::None if record.outcome.ended == Ended::InProgress => Self::NotYet,
            RecordingState::None | RecordingState::Failed | RecordingState::Erased => Self::None,
        }
    }
}

fn said(audio: Audio) -> Response {
    match audio {
        Audio::NoSuchCall => (StatusCode::NOT_FOUND, "there is no such call\n").into_response(),
        Audio::NotYet => {
            (StatusCode::ACCEPTED, "the recording is still being written: ask again after the call\n")
                .into_response()
        }
        Audio::None | Audio::File { .. } => {
            (StatusCode::NOT_FOUND, "this call has no recording\n").into_response()
        }
    }
}

/// The file in `path`, opened by `sealed_by` if it is encrypted.
async fn file(
    path: PathBuf,
    hash: Option<String>,
    sealed_by: Option<Arc<dyn Calls>>,
    mut request: Request,
) -> Response {
    let etag = hash.and_then(|hash| HeaderValue::try_from(format!("\"{hash}\"")).ok());
    if let Some(etag) = &etag
        && !judge_conditions(request.headers_mut(), etag)
    {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.clone())]).into_response();
    }
    let served = match sealed_by {
        Some(calls) => {
            let (asked, _) = request.into_parts();
            open(calls, path.clone(), &asked).await
        }
        None => ServeFile::new(&path).try_call(request).await.map(|response| response.map(Body::new)),
    };
    let mut response = match served {
        Ok(response) => response,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), %error, "a recording cannot be opened");
            let why = "this recording is encrypted, and its key is not on this box\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), "a recording is missing; run `ringside verify`");
            return (StatusCode::NOT_FOUND, "the recording's file is missing\n").into_response();
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a recording could not be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/ogg"));
    // The browser may keep it, but asks whether the record still names this file.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Some(etag) = etag {
        headers.insert(header::ETAG, etag);
    }
    response
}

async fn open(calls: Arc<dyn Calls>, path: PathBuf, asked: &request::Parts) -> io::Result<Response> {
    let opened = tokio::task::spawn_blocking(move || calls.open_sealed(&path)).await;
    let audio = opened.map_err(io::Error::other)??;
    Ok(sealed::answer(audio, &asked.method, &asked.headers))
}

/// Whether somebody begins to play: a player asks for the beginning first, and then for the rest in pieces.
fn is_beginning(request: &Request) -> bool {
    let range = request.headers().get(header::RANGE).map(HeaderValue::as_bytes);
    *request.method() == Method::GET && range.is_none_or(|range| range.starts_with(b"bytes=0-"))
}

/// Takes the conditional headers out of a request; false if the client has this very file (RFC 9110 13.2.2).
fn judge_conditions(headers: &mut HeaderMap, etag: &HeaderValue) -> bool {
    let current = |value: &HeaderValue| {
        let tags = value.to_str().unwrap_or_default();
        tags.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag)
    };
    let has_it = headers.get_all(header::IF_NONE_MATCH).iter().any(current);
    // RFC 9110 13.1.5: a range of another version is no use, the whole file is sent instead.
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        headers.remove(header::RANGE);
    }
    for judged in [header::IF_NONE_MATCH, header::IF_RANGE, header::IF_MATCH, header::IF_MODIFIED_SINCE] {
        headers.remove(judged);
    }
    !has_it
}
