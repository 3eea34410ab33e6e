//! What happens on the box, for programs: `/api/v1/events`, and whoever else is told.
//!
//! The stream opens with a `snapshot` and goes on with one event per happening. Ids count up; a program that comes back
//! with `Last-Event-ID` is given what it missed, as long as that is kept, and a new snapshot otherwise.

use super::{Site, api};
use crate::webhook::{
    Kind,
    happening::{Data, Happening},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Happenings kept for programs that come back: some hours of a busy office.
pub const MAX_KEPT: usize = 1_024;
/// Happenings a slow program may lag behind before it is given a new snapshot.
const MAX_LAG: usize = 256;
/// Events that wait for a slow program.
const MAX_QUEUED: usize = 4;
/// A comment in a silent stream, before any proxy or reader gives it up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who else is told of what happens. Must not wait.
type Told = Box<dyn Fn(&Happening) + Send + Sync>;

/// What happens on the box; a clone is the same.
#[derive(Clone)]
pub struct Happenings(Arc<Inner>);

struct Inner {
    ring: Mutex<Ring>,
    changes: broadcast::Sender<(u64, Happening)>,
    told: OnceLock<Told>,
    /// Sets this run of the daemon apart from the last one in the ids.
    started_ms: u64,
}

#[derive(Default)]
struct Ring {
    last: u64,
    kept: VecDeque<(u64, Happening)>,
}

/// A moment, and all that happens after it.
struct Following {
    /// What a program missed; `None` if it is given a snapshot.
    missed: Option<Vec<(u64, Happening)>>,
    last: u64,
    changes: broadcast::Receiver<(u64, Happening)>,
}

impl Happenings {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        let (changes, _) = broadcast::channel(MAX_LAG);
        let (ring, told, started_ms) = (Mutex::default(), OnceLock::new(), super::wall_now().0);
        Self(Arc::new(Inner { ring, changes, told, started_ms }))
    }

    /// Tells `told` of everything that happens from now on. The first caller has it.
    pub fn tell(&self, told: impl Fn(&Happening) + Send + Sync + 'static) {
        let _ = self.0.told.set(Box::new(told));
    }

    /// Something happened. It takes one short lock and never waits for a program.
    pub fn publish(&self, happening: Happening) {
        if let Some(told) = self.0.told.get() {
            told(&happening);
        }
        let mut ring = self.ring();
        ring.last += 1;
        let entry = (ring.last, happening);
        if ring.kept.len() >= MAX_KEPT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(entry.clone());
        // Sent under the lock, so that a follower sees them in order. No receiver is no error.
        let _ = self.0.changes.send(entry);
    }

    /// The id of an event.
    fn id(&self, n: u64) -> String {
        format!("{:x}-{n}", self.0.started_ms)
    }

    /// What happened after the event `last_id`, and what does from now on.
    fn follow(&self, last_id: Option<&str>) -> Following {
        let ring = self.ring();
        let seen = last_id
            .and_then(|id| id.split_once('-'))
            .filter(|(run, _)| *run == format!("{:x}", self.0.started_ms));
        let seen = seen.and_then(|(_, n)| n.parse::<u64>().ok()).filter(|n| *n <= ring.last);
        let oldest = ring.kept.front().map_or(ring.last + 1, |(n, _)| *n);
        let missed = seen
            .filter(|seen| seen + 1 >= oldest)
            .map(|seen| ring.kept.iter().filter(|(n, _)| *n > seen).cloned().collect());
        Following { missed, last: ring.last, changes: self.0.changes.subscribe() }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Happenings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Happenings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Happenings").field("last", &self.ring().last).finish_non_exhaustive()
    }
}

pub(super) async fn events(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return api::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many",
            "too many open streams: close some",
        );
    };
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let (out, events) = mpsc::channel(MAX_QUEUED);
    tokio::spawn(async move {
        let mut stop = site.stop.clone();
        let reader = out.clone();
        // Ends with the program or with the daemon, whatever is first.
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = reader.closed() => {}
            () = stream(&site, last_id, out) => {}
        }
        drop(permit);
    });
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

type Out = mpsc::Sender<Result<Event, Infallible>>;

async fn stream(site: &Arc<Site>, mut last_id: Option<String>, out: Out) {
    let happenings = &site.state.happenings;
    loop {
        let Following { missed, last, mut changes } = happenings.follow(last_id.take().as_deref());
        match missed {
            Some(missed) => {
                for (n, happening) in missed {
                    if send(site, &out, n, happening).await.is_none() {
                        return;
                    }
                }
            }
            None => {
                let event = Event::default().event("snapshot").id(happenings.id(last)).data(snapshot(site));
                if out.send(Ok(event)).await.is_err() {
                    return;
                }
            }
        }
        // Fell behind: begin again with a snapshot.
        while let Ok((n, happening)) = changes.recv().await {
            if send(site, &out, n, happening).await.is_none() {
                return;
            }
        }
    }
}

/// The calls, trunks and lines of this moment.
fn snapshot(site: &Site) -> String {
    let calls: Vec<_> = site.state.live.snapshot().into_iter().map(|shown| shown.bubble).collect();
    let status = site.state.status.newest();
    let (trunks, lines) =
        status.as_ref().map_or((&[][..], &[][..]), |status| (&status.trunks[..], &status.lines[..]));
    serde_json::json!({
        "type": "snapshot",
        "timestamp": super::wall_now(),
        "data": { "calls": calls, "trunks": trunks, "lines": lines },
    })
    .to_string()
}

/// `None` if the program is gone.
async fn send(site: &Arc<Site>, out: &Out, n: u64, happening: Happening) -> Option<()> {
    // Who dials an emergency number is told to whom the site has named, not to everybody who may look.
    if happening.kind == Kind::EmergencyDialled {
        return Some(());
    }
    let name = happening.kind.name();
    let body = match &happening.data {
        Data::Written(_) => happening.body(|_| None),
        Data::Record { .. } => {
            site.read(move |state| happening.body(|call| state.calls.get(call))).await.flatten()
        }
    };
    // A record that was erased meanwhile has nothing to say.
    let Some(body) = body else { return Some(()) };
    let event = Event::default().event(name).id(site.state.happenings.id(n)).data(body);
    out.send(Ok(event)).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn happened(happenings: &Happenings, n: u64) {
        happenings.publish(Happening::of_box(Kind::TrunkState, (1, n), WallTime(n), "{}".to_owned()));
    }

    fn numbers(following: &Following) -> Option<Vec<u64>> {
        Some(following.missed.as_ref()?.iter().map(|(n, _)| *n).collect())
    }

    #[test]
    fn a_program_that_comes_back_is_given_what_it_missed() {
        let happenings = Happenings::new();
        for n in 1..=5 {
            happened(&happenings, n);
        }
        let follow = |id: &str| numbers(&happenings.follow(Some(id)));
        assert_eq!(follow(&happenings.id(3)), Some(vec![4, 5]));
        assert_eq!(follow(&happenings.id(5)), Some(vec![]));
        assert_eq!(numbers(&happenings.follow(None)), None);
        for stranger in ["", "x", "0-3", &happenings.id(6), "1-18446744073709551616"] {
            assert_eq!(follow(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn what_is_no_longer_kept_makes_a_new_snapshot() {
        let happenings = Happenings::new();
        for n in 0..MAX_KEPT as u64 + 2 {
            happened(&happenings, n);
        }
        assert_eq!(numbers(&happenings.follow(Some(&happenings.id(1)))), None);
        let missed = numbers(&happenings.follow(Some(&happenings.id(2)))).unwrap();
        assert_eq!((missed.len(), missed[0]), (MAX_KEPT, 3));
    }
}
