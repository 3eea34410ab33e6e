//! The live page and the API.
//!
//! `live` holds the bubbles that the signalling thread publishes, `stream` brings them to the open pages, `pages`
//! draws them and the calls of the day, `recording` plays audio (`sealed` if it is
//! encrypted), `api` answers machines. `view` and `wording` turn
//! records into the office's words; `guard` keeps the page on this machine. `status` is the state of the box and the
//! way of line tests, `panel` its strip on the live page, `status_wording` the words for both.

mod access;
mod api;
pub(crate) mod assets;
mod audit;
mod bar;
pub(crate) mod guard;
mod happenings;
mod health;
mod live;
#[cfg(test)]
mod made_up;
mod metrics;
mod openapi;
mod pages;
mod panel;
mod recording;
mod retention;
mod sealed;
mod status;
pub mod status_wording;
mod stream;
mod sync;
#[cfg(test)]
mod tests;
mod view;
mod waveform;
mod webhooks;
pub mod wording;

pub use happenings::{Happenings, MAX_KEPT};
pub use health::{Health, Pulse, Report, ThreadReport};
pub use live::{Counts, ENDED_STAYS, LiveBubbles, MAX_BUBBLES, Shown};
pub use metrics::Metrics;
pub use openapi::openapi;
pub use retention::{Retention, RetentionDesk};
pub use status::{LineTestOrder, LineTestRefused, LineTests, StatusBoard};
pub use sync::SyncNow;
pub use webhooks::Webhooks;

use crate::{access::Task, id::CallId, record::CallRecord, time::WallTime};
use access::needs;
use axum::{
    Router, middleware,
    routing::{get, post},
};
use std::{
    future::Future,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{Semaphore, watch};

/// Live pages open at once; each costs a task and a short queue.
pub const MAX_STREAMS: usize = 64;

/// How long a stopping server waits for answers under way.
const LINGER: Duration = Duration::from_secs(1);

/// How often ended bubbles are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// A server whose clock has not ticked for so long is stuck.
const STALE_MS: u64 = 5_000;

/// The stored calls, as the page reads them. Answers come from an index: both may wait for a disk and are called on a
/// thread that may.
pub trait Calls: Send + Sync {
    /// The calls of today, newest first, at most `limit`.
    fn today(&self, limit: usize) -> Vec<CallRecord>;

    /// The newest revision of one call.
    fn get(&self, call: CallId) -> Option<CallRecord>;

    /// Opens an encrypted recording.
    ///
    /// # Errors
    /// If it cannot be read, or there is no key for it here, as by default.
    fn open_sealed(&self, _recording: &Path) -> io::Result<Arc<dyn SealedAudio>> {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "there is no key here to open it"))
    }
}

/// An encrypted recording that has been opened. Called on a thread that may wait for a disk.
pub trait SealedAudio: Send + Sync {
    /// Bytes of the Ogg Opus file inside.
    fn bytes(&self) -> u64;

    /// These bytes of it.
    ///
    /// # Errors
    /// If they cannot be read, or are not as they were written.
    fn read_range(&self, range: Range<u64>) -> io::Result<Vec<u8>>;
}

/// Everything the page shows.
#[derive(Clone)]
pub struct State {
    /// Bubbles on the screens.
    pub live: LiveBubbles,
    /// Stored calls.
    pub calls: Arc<dyn Calls>,
    /// The data directory; records name their recordings relative to it.
    pub recordings: PathBuf,
    /// The daemon's counters.
    pub metrics: Metrics,
    /// The daemon's threads.
    pub health: Health,
    /// The state of the box.
    pub status: StatusBoard,
    /// The way of line tests to the daemon.
    pub line_tests: LineTests,
    /// The way of erasures and holds to the daemon.
    pub retention: Retention,
    /// The way of "now" to the sync client.
    pub sync: SyncNow,
    /// What happens on the box.
    pub happenings: Happenings,
    /// The way to the webhooks.
    pub webhooks: Webhooks,
}

/// The state and what belongs to one running server.
struct Site {
    state: State,
    streams: Arc<Semaphore>,
    /// Turns true when the server is to end; the endless streams watch it.
    stop: watch::Receiver<bool>,
}

impl Site {
    /// Reads stored calls on a thread that may wait for a disk; `None` if the reading panicked.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&State) -> T + Send + 'static) -> Option<T> {
        let state = self.state.clone();
        let done = tokio::task::spawn_blocking(move || read(&state)).await;
        done.inspect_err(|error| tracing::error!(%error, "reading stored calls failed")).ok()
    }
}

/// Serves the page until `shutdown` is ready, then ends the open streams and returns.
///
/// # Errors
/// The listener is not on a loopback address, or cannot accept.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: State,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let why = format!(
            "{address}: the page has no sign-in yet and is served on this machine only; use 127.0.0.1"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let (stopping, stop) = watch::channel(false);
    let mut stopped = stop.clone();
    let sweeping = tokio::spawn(sweep(state.live.clone(), state.health.watch("web", STALE_MS)));
    let served = axum::serve(listener, router(state, stop)).with_graceful_shutdown(async move {
        shutdown.await;
        // No receiver left: nothing to stop.
        let _ = stopping.send(true);
    });
    // A browser may hold a connection open on which it never asks for anything.
    let patience = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(LINGER).await;
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = patience => Ok(()),
    };
    sweeping.abort();
    ended
}

fn router(state: State, stop: watch::Receiver<bool>) -> Router {
    let site = Site { state, streams: Arc::new(Semaphore::new(MAX_STREAMS)), stop };
    Router::new()
        .merge(live_routes())
        .merge(call_routes())
        .merge(box_routes())
        .merge(open_routes())
        .fallback(pages::not_found)
        .layer(middleware::from_fn(guard::guard))
        .with_state(Arc::new(site))
}

/// What is on the screens now.
fn live_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", needs(Task::Watch, get(pages::live)))
        .route("/events", needs(Task::Watch, get(stream::events)))
        .route("/api/v1/bubbles", needs(Task::Watch, get(api::bubbles)))
        .route("/api/v1/events", needs(Task::Watch, get(happenings::events)))
}

/// The calls of before.
fn call_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/calls/{id}", needs(Task::Handle, get(pages::call)))
        .route("/calls/{id}/recording", needs(Task::Listen, get(recording::audio)))
        .route("/api/v1/calls", needs(Task::Handle, get(api::calls)))
        .route("/api/v1/calls/{id}", needs(Task::Handle, get(api::call)))
        .route("/api/v1/retention", needs(Task::Administer, get(retention::list).post(retention::ask)))
        .route("/api/v1/audit", needs(Task::Administer, get(audit::list).post(audit::account)))
}

/// The box itself.
fn box_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v1/status", needs(Task::Watch, get(status::status)))
        .route("/api/v1/status/events", needs(Task::Watch, get(status::events)))
        .route("/api/v1/lines/{port}/test", needs(Task::Install, post(status::test_line)))
        .route("/api/v1/sync", needs(Task::Watch, get(sync::status)))
        .route("/api/v1/sync/now", needs(Task::Install, post(sync::now)))
        .route("/api/v1/webhooks", needs(Task::Administer, get(webhooks::list)))
        .route("/api/v1/webhooks/{n}/test", needs(Task::Administer, post(webhooks::test)))
        .route("/api/v1/webhooks/{n}/replay", needs(Task::Administer, post(webhooks::replay)))
        .route("/api/v1/openapi.json", needs(Task::Watch, get(openapi::document)))
        .route("/metrics", needs(Task::Watch, get(api::metrics)))
}

/// What anyone may have who reaches the box.
fn open_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/healthz", get(api::health))
        .route("/ui.js", get(assets::js))
        .route("/ui.css", get(assets::css))
        .route("/favicon.svg", get(assets::favicon))
}

async fn sweep(live: LiveBubbles, pulse: Pulse) {
    let mut turn = tokio::time::interval(SWEEP);
    loop {
        turn.tick().await;
        pulse.beat();
        live.sweep(std::time::Instant::now());
    }
}

fn wall_now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
