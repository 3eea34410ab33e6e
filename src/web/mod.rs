//! The live page and the API.
//!
//! `live` holds the bubbles that the signalling thread publishes, `stream` brings them to the open pages, `pages`
//! draws them and the calls of the day, `recording` plays audio (`sealed` if it is
//! encrypted), `api` answers machines. `view` and `wording` turn
//! records into the office's words, `bubble_view` and `missed` calls into what is to be done about them; `handling`
//! takes what people do to `desk`; `guard` finds out who asks, among `accounts`. `status` is the state of the box and the
//! way of line tests, `panel` its strip on the live page, `status_wording` the words for both.

mod access;
mod accounts;
mod api;
pub(crate) mod assets;
pub mod attribution_wording;
mod audit;
mod bar;
mod bubble_view;
pub mod calls;
pub(crate) mod connections;
mod cookie;
mod desk;
mod directory;
mod door;
mod form;
pub(crate) mod guard;
mod handling;
mod handling_page;
mod happenings;
mod health;
mod live;
#[cfg(test)]
mod made_up;
mod metrics;
mod missed;
mod office_book;
mod openapi;
mod pages;
mod panel;
mod proofs;
mod recording;
pub mod reports;
mod retention;
mod revoking;
mod route;
mod routes;
mod said;
mod sealed;
mod setup;
mod sign_in;
mod status;
pub mod status_wording;
mod stream;
mod sync;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod tokens;
mod users;
mod users_api;
mod view;
mod waveform;
mod webhooks;
pub mod wording;
mod you;

pub use accounts::{ACCOUNTS, Accounts, Draft, Loopback, Made, NewToken, PrivateFiles, Refusal, Token, User};
pub use connections::Bounds;
pub use desk::{CallDesk, Desk, NotPaused};
pub use directory::{DirectoryDesk, DirectoryWay};
pub use door::{Doors, HATCH, hatch};
pub use guard::Names;
pub use happenings::{Happenings, MAX_KEPT};
pub use health::{Health, Pulse, Report, ThreadReport};
pub use live::{Counts, ENDED_STAYS, LiveBubbles, MAX_BUBBLES, Shown, UNCLOSED_STAYS};
pub use metrics::Metrics;
pub use office_book::{EmptyBook, OfficeBook, found};
pub use openapi::openapi;
pub use proofs::{Opened as ProofShelf, Proofs, WeakProofs};
pub use retention::{Retention, RetentionDesk};
pub use setup::{Facts as SetUpFacts, SetUp};
pub use status::{LineTestOrder, LineTestRefused, LineTests, StatusBoard};
pub use sync::SyncNow;
pub use tls::{Certificate, CertificateFacts};
pub use webhooks::Webhooks;

use crate::{
    id::CallId,
    ledger::{Book, Listed},
    number::Dialplan,
    record::CallRecord,
    time::WallTime,
};
use axum::{Router, middleware};
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
/// Turns of the sweep between two writings of who is signed in, which cost the card a write, and two looks at the
/// certificate: 10 minutes.
const TEND_TURNS: u64 = 600;
/// Connections of the page: an office's browsers with six each; for each 30 s to say what it wants.
const PAGE_BOUNDS: Bounds = Bounds { connections: 256, headers: Duration::from_secs(30) };
/// Connections of the box's own socket: commands that somebody types.
const HATCH_BOUNDS: Bounds = Bounds { connections: 16, headers: Duration::from_secs(30) };
/// A server whose clock has not ticked for so long is stuck.
const STALE_MS: u64 = 5_000;

/// The stored calls, as the page reads them. Answers come from an index: both may wait for a disk and are called on a
/// thread that may.
pub trait Calls: Send + Sync {
    /// The calls of today, newest first, at most `limit`.
    fn today(&self, limit: usize) -> Vec<CallRecord>;

    /// The newest calls of any day, newest first, at most `limit`.
    fn recent(&self, limit: usize) -> Vec<CallRecord> {
        self.today(limit)
    }

    /// The newest revision of one call.
    fn get(&self, call: CallId) -> Option<CallRecord>;

    /// All finished calls, to be asked.
    fn book(&self) -> Arc<dyn Book> {
        Arc::new(Listed::new(self.today(usize::MAX)))
    }

    /// The office's time zone, and how numbers are dialled there.
    fn place(&self) -> (jiff::tz::TimeZone, Dialplan) {
        (jiff::tz::TimeZone::UTC, Dialplan::NORTH_AMERICA)
    }

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
    /// The office's directory.
    pub directory: DirectoryWay,
    /// Who may come in.
    pub accounts: Accounts,
    /// Names of the box beside its addresses.
    pub names: Names,
    /// What the office knows beside its calls.
    pub office: Arc<dyn OfficeBook>,
    /// Where the office writes into its calls.
    pub desk: Desk,
    /// Proofs of double forwarding.
    pub proofs: Proofs,
    /// What the installer has seen to.
    pub set_up: SetUp,
    /// What the page shows for itself over TLS; without one it is for this machine only.
    pub certificate: Certificate,
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
/// A listener is not what it should be.
pub async fn serve(
    doors: impl Into<Doors>,
    state: State,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Doors { page, hatch } = doors.into();
    let address = page.local_addr()?;
    if !address.ip().is_loopback() && state.certificate.facts().is_none() {
        let why =
            format!("{address}: without a certificate the page is for this machine only; use 127.0.0.1");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let page = door::Page::new(page, &state.certificate)?;
    let (stopping, stop) = watch::channel(false);
    let sweeping = tokio::spawn(sweep(state.clone(), state.health.watch("web", STALE_MS)));
    let router = router(state, stop.clone());
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        // No sender left: nobody would say so any more.
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    let inside = async {
        if let Some(hatch) = hatch {
            let (hatch, router) = (door::Hatch(hatch), router.clone());
            connections::serve(hatch, router, HATCH_BOUNDS, stopped(stop.clone())).await;
        }
    };
    let outside = connections::serve(page, router.clone(), PAGE_BOUNDS, stopped(stop.clone()));
    let stops = async move {
        shutdown.await;
        // No receiver left: nothing to stop.
        let _ = stopping.send(true);
        // A browser may hold a connection open on which it never asks for anything.
        tokio::time::sleep(LINGER).await;
    };
    let served = async { tokio::join!(inside, outside) };
    tokio::pin!(served, stops);
    tokio::select! {
        _ = &mut served => {}
        () = stops => {}
    }
    sweeping.abort();
    Ok(())
}

fn router(state: State, stop: watch::Receiver<bool>) -> Router {
    let gate = guard::Gate { accounts: state.accounts.clone(), names: state.names.clone() };
    let site = Site { state, streams: Arc::new(Semaphore::new(MAX_STREAMS)), stop };
    routes::routes()
        .into_router()
        .fallback(pages::not_found)
        .layer(middleware::from_fn_with_state(gate, guard::guard))
        .with_state(Arc::new(site))
}

/// Has it in the audit; never waits. The journal counts and logs what it refuses.
fn account(site: &Site, by: &str, did: &str, on: &str) {
    if let Some(desk) = site.state.retention.desk() {
        let _ = desk.account(by, did, on);
    }
}

async fn sweep(state: State, pulse: Pulse) {
    let mut turn = tokio::time::interval(SWEEP);
    for turns in 1_u64.. {
        turn.tick().await;
        pulse.beat();
        state.live.sweep(std::time::Instant::now());
        if turns.is_multiple_of(TEND_TURNS) {
            let state = state.clone();
            // Nobody waits for it.
            drop(tokio::task::spawn_blocking(move || {
                state.accounts.tend(wall_now());
                state.certificate.tend(wall_now());
            }));
        }
    }
}

fn wall_now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
