//! `/api/v1/proofs`: every proof, one of them as it was signed, and a stream that says when one changed.

use super::super::{
    Site,
    access::{Routes, needs},
    api::problem,
};
use crate::{access::Task, id::ProofId, proving::Proof};
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// A comment in a silent stream, before any proxy or reader gives it up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(in super::super) fn routes() -> Routes {
    Routes::new()
        .route("/api/v1/proofs", needs(Task::Handle, get(list)))
        .route("/api/v1/proofs/events", needs(Task::Handle, get(events)))
        .route("/api/v1/proofs/{id}", needs(Task::Handle, get(one)))
}

/// Answer of `GET /api/v1/proofs`, newest first.
#[derive(Serialize)]
struct List {
    proofs: Vec<Proof>,
}

async fn list(State(site): State<Arc<Site>>) -> Json<List> {
    Json(List { proofs: site.state.proofs.all() })
}

/// The file as it was signed, byte for byte.
async fn one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let signed = id.parse::<ProofId>().ok().and_then(|id| Some((id, site.state.proofs.signed(id)?)));
    let Some((id, text)) = signed else {
        return problem(StatusCode::NOT_FOUND, "no_such_proof", "this box keeps no such proof");
    };
    let name = format!("attachment; filename=\"{id}.json\"");
    let kind = (header::CONTENT_TYPE, "application/json".to_owned());
    ([kind, (header::CONTENT_DISPOSITION, name)], text.to_string()).into_response()
}

/// `proof_changed` with the proof, for each that changes from now on.
async fn events(State(site): State<Arc<Site>>) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "close other pages first");
    };
    let (out, events) = mpsc::channel::<Result<Event, Infallible>>(4);
    tokio::spawn(async move {
        let (mut news, mut stop) = (site.state.proofs.follow(), site.stop.clone());
        let mut known = site.state.proofs.all();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => break,
                () = out.closed() => break,
                changed = news.changed() => if changed.is_err() { break },
            }
            let now = site.state.proofs.all();
            for proof in now.iter().filter(|proof| !known.contains(proof)) {
                let event = Event::default().event("proof_changed").json_data(proof);
                let Ok(event) = event else { continue };
                if out.send(Ok(event)).await.is_err() {
                    break;
                }
            }
            known = now;
        }
        drop(permit);
    });
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
