//! `POST /v1/boxes/{box}/records`: a batch of records, and how the box is.

use super::{
    Receiver, answer,
    stored::{Arrived, Taken},
    wall_now,
};
use crate::{
    id::BoxId,
    sync::wire::{Batch, ChainHead, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Receipts, SCHEMA},
};
use axum::{
    Extension, Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

pub(super) async fn records(
    State(receiver): State<Arc<Receiver>>,
    Extension(id): Extension<BoxId>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(_place) = receiver.batches.try_acquire() else {
        answer::drain(body, receiver.patience).await;
        return answer::busy(&receiver);
    };
    let bytes = match answer::body(&head.headers, body, MAX_BATCH_BYTES, receiver.patience).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    let batch = match read(&bytes, id) {
        Ok(batch) => batch,
        Err((status, why)) => return answer::problem(status, "this batch is not taken", why),
    };
    drop(bytes);
    let mut receipts = Receipts::default();
    let mut arrived = Vec::with_capacity(batch.records.len());
    for sent in &batch.records {
        match Arrived::read(sent, id) {
            Ok(record) => arrived.push(record),
            Err(refusal) => receipts.refused.push(refusal),
        }
    }
    match receiver.records.take(id, batch, arrived, wall_now()).await {
        Ok(taken) => {
            for taken in taken {
                receiver.metrics.taken(&taken);
                match taken {
                    Taken::New(receipt) | Taken::Known(receipt) => receipts.receipts.push(receipt),
                    Taken::Refused(refusal) => receipts.refused.push(refusal),
                }
            }
            if !receipts.refused.is_empty() {
                tracing::warn!(%id, records = receipts.refused.len(), why = receipts.refused[0].why, "refused");
            }
            Json(receipts).into_response()
        }
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

fn read(bytes: &[u8], id: BoxId) -> Result<Batch, (StatusCode, String)> {
    let batch: Batch =
        serde_json::from_slice(bytes).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    if batch.schema != SCHEMA {
        return Err((StatusCode::BAD_REQUEST, format!("this upstream speaks {SCHEMA}")));
    }
    if batch.box_id != id {
        return Err((StatusCode::FORBIDDEN, "a box sends its own records only".to_owned()));
    }
    if batch.records.len() > MAX_BATCH_RECORDS {
        let why = format!("at most {MAX_BATCH_RECORDS} records are taken at once");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    if batch.head.as_ref().is_some_and(|head| !is_hex(head)) {
        return Err((StatusCode::BAD_REQUEST, "the head of the journal is not in hex".to_owned()));
    }
    Ok(batch)
}

fn is_hex(head: &ChainHead) -> bool {
    let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex(&head.digest, 64) && hex(&head.signature, 128) && hex(&head.public_key, 64)
}
