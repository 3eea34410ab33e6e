//! `HEAD` and `PUT /v1/boxes/{box}/recordings/{rec}`: recordings, in pieces.
//!
//! ```text
//!            piece, not the last                  last piece
//!   nothing ─────────────────────▶ under way ─────────────────▶ joined ──read back──▶ whole, receipt
//!      ▲                               │ ▲ piece, 202              │
//!      └───────── 422, pieces gone ────┴─┘◀────── not the digest ──┘
//! ```
//! No receiver remembers anything: where an upload stands is what the store of recordings has of it.

use super::{Receiver, answer, objects::Announced, stored::StoreError};
use crate::{
    id::{BoxId, CallId, RecordingId},
    sync::wire::{
        BLAKE3, CALL, MAX_PIECE_BYTES, MAX_RECORDING_BYTES, MIN_PIECE_BYTES, RecordingReceipt,
        UPLOAD_COMPLETE, UPLOAD_LENGTH, UPLOAD_OFFSET,
    },
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use std::{collections::BTreeMap, sync::Arc};

/// The box and the recording of a path.
type Named = Path<BTreeMap<String, String>>;

/// A piece, as its headers announce it.
struct Piece {
    of: Announced,
    call: CallId,
    offset: u64,
    last: bool,
}

pub(super) async fn standing(
    State(receiver): State<Arc<Receiver>>,
    Extension(from): Extension<BoxId>,
    Path(path): Named,
    headers: HeaderMap,
) -> Response {
    let Some(recording) = named(&path) else { return no_recording() };
    let hash = header(&headers, BLAKE3).and_then(|hex| blake3::Hash::from_hex(hex).ok());
    match find(&receiver, from, recording, hash).await {
        Ok(Some((hash, offset, whole))) => {
            let whole = if whole { "?1" } else { "?0" };
            [(UPLOAD_OFFSET, offset.to_string()), (UPLOAD_COMPLETE, whole.to_owned()), (BLAKE3, hash)]
                .into_response()
        }
        Ok(None) => no_recording(),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

/// The digest, the bytes and whether that is all: of the upload with `hash`, else of the one that got furthest.
async fn find(
    receiver: &Receiver,
    from: BoxId,
    recording: RecordingId,
    hash: Option<blake3::Hash>,
) -> Result<Option<(String, u64, bool)>, StoreError> {
    let wanted = |other: &str| hash.is_none_or(|hash| hash.to_hex().as_str() == other);
    let received = receiver.records.recording(from, recording).await?;
    if let Some(receipt) = received.into_iter().rev().find(|receipt| wanted(&receipt.hash)) {
        return Ok(Some((receipt.hash, receipt.bytes, true)));
    }
    let mut furthest = None;
    for upload in receiver.objects.under_way(from, recording).await? {
        let hash = upload.hash.to_hex().to_string();
        if wanted(&hash) {
            let offset = receiver.objects.offset(&upload).await?;
            furthest = furthest.max(Some((offset, hash)));
        }
    }
    Ok(furthest.map(|(offset, hash)| (hash, offset, false)))
}

pub(super) async fn piece(
    State(receiver): State<Arc<Receiver>>,
    Extension(from): Extension<BoxId>,
    Path(path): Named,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(_place) = receiver.pieces.try_acquire() else {
        answer::drain(body, receiver.patience).await;
        return answer::busy(&receiver);
    };
    let piece = match Piece::read(&head.headers, from, named(&path)) {
        Ok(piece) => piece,
        Err(response) => {
            answer::drain(body, receiver.patience).await;
            return *response;
        }
    };
    let bytes = match answer::body(&head.headers, body, MAX_PIECE_BYTES, receiver.patience).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    if let Err(why) = piece.judge(&bytes) {
        return answer::problem(StatusCode::BAD_REQUEST, "this piece does not fit", why);
    }
    match piece.take(&receiver, bytes).await {
        Ok(response) => response,
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

impl Piece {
    fn read(headers: &HeaderMap, from: BoxId, recording: Option<RecordingId>) -> Result<Self, Box<Response>> {
        let not_understood =
            |why: String| Box::new(answer::problem(StatusCode::BAD_REQUEST, "not understood", why));
        let wrong = |name| move || not_understood(format!("the header {name} is missing or wrong"));
        let recording = recording.ok_or_else(|| not_understood("that is no recording's id".to_owned()))?;
        let number = |name| header(headers, name).and_then(|text| text.parse::<u64>().ok());
        let offset = number(UPLOAD_OFFSET).ok_or_else(wrong(UPLOAD_OFFSET))?;
        let bytes = number(UPLOAD_LENGTH).filter(|bytes| *bytes > 0).ok_or_else(wrong(UPLOAD_LENGTH))?;
        let last = match header(headers, UPLOAD_COMPLETE) {
            Some("?1") => true,
            Some("?0") => false,
            Some(_) | None => return Err(wrong(UPLOAD_COMPLETE)()),
        };
        let call = header(headers, CALL).and_then(|id| id.parse().ok()).ok_or_else(wrong(CALL))?;
        let hash = header(headers, BLAKE3).and_then(|hex| blake3::Hash::from_hex(hex).ok());
        let hash = hash.ok_or_else(wrong(BLAKE3))?;
        if bytes > MAX_RECORDING_BYTES {
            let why = format!("at most {MAX_RECORDING_BYTES} bytes are taken of one recording");
            return Err(Box::new(answer::problem(StatusCode::PAYLOAD_TOO_LARGE, "too long", why)));
        }
        Ok(Self { of: Announced { from, recording, hash, bytes }, call, offset, last })
    }

    fn judge(&self, bytes: &Bytes) -> Result<(), String> {
        let end = self.offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.of.bytes);
        let end = end.ok_or("it ends behind the announced length")?;
        if self.last != (end == self.of.bytes) {
            return Err("the last piece, and no other, reaches the announced length".to_owned());
        }
        if bytes.is_empty() || (!self.last && bytes.len() < MIN_PIECE_BYTES) {
            return Err(format!("a piece that is not the last has at least {MIN_PIECE_BYTES} bytes"));
        }
        Ok(())
    }

    async fn take(self, receiver: &Receiver, bytes: Bytes) -> Result<Response, StoreError> {
        let (objects, hash) = (&receiver.objects, self.of.hash.to_hex());
        let received = receiver.records.recording(self.of.from, self.of.recording).await?;
        if let Some(receipt) = received.into_iter().find(|receipt| receipt.hash == hash.as_str()) {
            return Ok(Json(receipt).into_response());
        }
        // The records were lost, the recording was not: what is here is read and counts.
        if objects.is_whole(&self.of).await? {
            return self.received(receiver).await;
        }
        if self.offset == 0 && self.last {
            if blake3::hash(&bytes) != self.of.hash {
                return self.not_the_digest(receiver).await;
            }
            objects.put_whole(&self.of, bytes).await?;
            return self.received(receiver).await;
        }
        let have = objects.offset(&self.of).await?;
        if self.offset != have {
            let why = format!("the next piece begins at {have}");
            let problem = answer::problem(StatusCode::CONFLICT, "another piece is next", why);
            return Ok(([(UPLOAD_OFFSET, have.to_string())], problem).into_response());
        }
        let end = self.offset + bytes.len() as u64;
        objects.put_piece(&self.of, self.offset, bytes).await?;
        receiver.metrics.pieces.inc();
        if !self.last {
            let so_far = [(UPLOAD_OFFSET, end.to_string()), (UPLOAD_COMPLETE, "?0".to_owned())];
            return Ok((StatusCode::ACCEPTED, so_far).into_response());
        }
        if objects.join(&self.of).await? {
            self.received(receiver).await
        } else {
            self.not_the_digest(receiver).await
        }
    }

    /// The receipt, once the recording has been read back and noted durably.
    async fn received(&self, receiver: &Receiver) -> Result<Response, StoreError> {
        if !receiver.objects.is_whole(&self.of).await? {
            let why = "what the store gives back is not what it was given".to_owned();
            return Err(StoreError { what: "a recording was not confirmed", why });
        }
        let Announced { from, recording, hash, bytes } = self.of;
        let receipt = RecordingReceipt { recording, call: self.call, bytes, hash: hash.to_hex().to_string() };
        receiver.records.receive_recording(from, receipt.clone()).await?;
        receiver.metrics.recordings.inc();
        receiver.metrics.recording_bytes.inc_by(bytes);
        if let Err(error) = receiver.objects.drop_pieces(&self.of).await {
            // They are given up after a while anyway.
            tracing::debug!(%error, "pieces of a whole recording are left");
        }
        let so_far = [(UPLOAD_OFFSET, bytes.to_string()), (UPLOAD_COMPLETE, "?1".to_owned())];
        Ok((so_far, Json(receipt)).into_response())
    }

    async fn not_the_digest(&self, receiver: &Receiver) -> Result<Response, StoreError> {
        receiver.objects.drop_pieces(&self.of).await?;
        tracing::warn!(box_id = %self.of.from, recording = %self.of.recording, "a recording has another digest");
        let why = "the whole has another BLAKE3 than announced; begin again";
        let problem = answer::problem(StatusCode::UNPROCESSABLE_ENTITY, "not the announced digest", why);
        Ok(([(UPLOAD_OFFSET, "0")], problem).into_response())
    }
}

fn named(path: &BTreeMap<String, String>) -> Option<RecordingId> {
    path.get("recording")?.parse().ok()
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn no_recording() -> Response {
    answer::problem(StatusCode::NOT_FOUND, "nothing of it is here", "")
}
