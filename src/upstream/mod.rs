//! The receiver, `ringside upstream`: takes the records and recordings of any number of boxes, and shows the fleet.
//!
//! It is HTTP in front of stores that others have proven, and keeps nothing itself: `records` (a directory, or any
//! engine that speaks PostgreSQL's protocol) and `objects` (a directory, or the S3 API). So any number of receivers stand
//! side by side, and any of them may be killed at any time. A receipt is given only for what its store has made
//! durable. `batch`, `upload` and `site` are the protocol of `sync::wire`, `openapi.json` says it to others; `access`
//! and `tls` know who asks, `pages` draws the fleet.

pub mod access;
mod answer;
mod batch;
mod directory;
mod metrics;
mod objects;
mod pages;
mod player;
mod postgres;
mod records;
pub mod site;
pub mod stored;
pub mod tls;
mod upload;

pub use crate::web::Bounds;
pub use access::Operator;
pub use metrics::Metrics;
pub use objects::{Bucket, Objects};
pub use records::Records;

use crate::{time::WallTime, web};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, head, post},
};
use std::{
    future::Future,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, sync::Semaphore};

/// The protocol for those who write another receiver.
pub const OPENAPI: &str = include_str!("openapi.json");
/// How long a receiver that stops waits for what is in work.
const LINGER: Duration = Duration::from_secs(10);
/// How often abandoned uploads are looked for.
const SWEEP: Duration = Duration::from_secs(3_600);

/// One receiver.
pub struct Receiver {
    /// Where records go.
    pub records: Records,
    /// Where recordings go.
    pub objects: Objects,
    /// Who may see the fleet.
    pub operator: Operator,
    /// Its counters.
    pub metrics: Metrics,
    /// Room for batches in work: each holds up to 2 MiB.
    pub batches: Semaphore,
    /// Room for pieces in work: each holds up to 1 MiB, and 8 MiB more while a recording is joined.
    pub pieces: Semaphore,
    /// One at a time tries an operator's token.
    pub signing_in: Semaphore,
    /// How long a body may take to arrive.
    pub patience: Duration,
    /// Room for connections.
    pub bounds: Bounds,
}

/// Serves boxes and operators until `shutdown` is ready, then lets what is in work come to its end.
///
/// # Errors
/// The certificates are not as they should be, or nothing can be accepted.
pub async fn serve(
    listener: TcpListener,
    tls: Option<&tls::Files>,
    receiver: Receiver,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let receiver = Arc::new(receiver);
    let sweeping = tokio::spawn(sweep(receiver.objects.clone()));
    let bounds = receiver.bounds;
    let router = router(receiver);
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = stopping.send(());
    };
    let patience = async move {
        let _ = stopped.await;
        tokio::time::sleep(LINGER).await;
    };
    let served = async move {
        match tls {
            Some(files) => {
                let listener = tls::TlsListener::new(listener, files)?;
                web::connections::serve(listener, router, bounds, shutdown).await;
            }
            None => web::connections::serve(listener, router, bounds, shutdown).await,
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = patience => Ok(()),
    };
    sweeping.abort();
    ended
}

fn router(receiver: Arc<Receiver>) -> Router {
    let boxes = Router::new()
        .route("/v1/boxes/{box}/records", post(batch::records))
        .route("/v1/boxes/{box}/recordings/{recording}", head(upload::standing).put(upload::piece))
        .route("/v1/boxes/{box}/gaps", get(site::gaps))
        .route("/v1/boxes/{box}/site", get(site::site))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&receiver), access::boxes));
    let operators = Router::new()
        .route("/", get(pages::fleet))
        .route("/boxes/{box}", get(pages::one_box))
        .route("/boxes/{box}/recordings/{recording}", get(player::audio))
        .route("/sign-in", get(pages::sign_in).post(pages::signed_in))
        .route("/metrics", get(pages::metrics))
        .route("/ui.js", get(crate::web::assets::js))
        .route("/ui.css", get(crate::web::assets::css))
        .route("/favicon.svg", get(crate::web::assets::favicon))
        .layer(middleware::map_response(pages::with_headers));
    Router::new()
        .merge(boxes)
        .merge(operators)
        .route("/healthz", get(health))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .fallback(|| async { answer::problem(StatusCode::NOT_FOUND, "not here", "") })
        .with_state(receiver)
}

async fn health(State(receiver): State<Arc<Receiver>>) -> Response {
    let ready = async {
        receiver.records.ready().await?;
        receiver.objects.ready().await
    };
    match ready.await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

async fn sweep(objects: Objects) {
    let mut turn = tokio::time::interval(SWEEP);
    loop {
        turn.tick().await;
        match objects.drop_abandoned(SystemTime::now()).await {
            Ok(0) => {}
            Ok(pieces) => tracing::info!(pieces, "pieces of abandoned uploads were removed"),
            Err(error) => tracing::warn!(%error, "abandoned uploads could not be looked for"),
        }
    }
}

/// The wall clock.
#[must_use]
pub fn wall_now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
