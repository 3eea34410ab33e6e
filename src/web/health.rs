//! Which threads are alive, for `/healthz` and for the watchdog of the init system.
//!
//! A thread beats once per turn of its loop; one that has been silent for longer than it announced is stuck.

use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};

/// The threads of the daemon; a clone watches the same threads.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    since: Instant,
    threads: Mutex<BTreeMap<&'static str, Arc<Watched>>>,
}

#[derive(Debug)]
struct Watched {
    since: Instant,
    stale_after_ms: u64,
    beat_ms: AtomicU64,
    restarts: AtomicU32,
}

/// A thread's own end of its watch.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Watched>);

/// What `/healthz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ok` if every thread has beaten in time, else `stuck`.
    pub status: &'static str,
    /// Version of the daemon.
    pub version: &'static str,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// The threads by name.
    pub threads: BTreeMap<&'static str, ThreadReport>,
}

/// One thread's part of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ThreadReport {
    /// `ok` or `stuck`.
    pub status: &'static str,
    /// Milliseconds since its last beat.
    pub silent_ms: u64,
    /// Milliseconds of silence after which it counts as stuck.
    pub stale_after_ms: u64,
    /// How often its work was restarted after a panic.
    pub restarts: u32,
}

impl Health {
    /// Nothing watched yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner { since: Instant::now(), threads: Mutex::default() }))
    }

    /// Watches a thread from now on; the thread must [`beat`](Pulse::beat) at least every `stale_after_ms`.
    #[must_use]
    pub fn watch(&self, thread: &'static str, stale_after_ms: u64) -> Pulse {
        let watched = Watched {
            since: self.0.since,
            stale_after_ms,
            beat_ms: AtomicU64::new(elapsed_ms(self.0.since)),
            restarts: AtomicU32::new(0),
        };
        let watched = Arc::new(watched);
        let mut threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.insert(thread, Arc::clone(&watched));
        Pulse(watched)
    }

    /// How every thread does at this moment.
    #[must_use]
    pub fn report(&self) -> Report {
        let threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = elapsed_ms(self.0.since);
        let threads: BTreeMap<_, _> =
            threads.iter().map(|(name, watched)| (*name, watched.report(now_ms))).collect();
        let all_beat = threads.values().all(|thread| thread.status == OK);
        Report {
            status: if all_beat { OK } else { STUCK },
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: now_ms / 1000,
            threads,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Report {
    /// Whether every thread has beaten in time.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == OK
    }
}

impl Pulse {
    /// Says that the thread is alive: one clock reading and one atomic store, so the media thread may do it each tick.
    pub fn beat(&self) {
        self.0.beat_ms.store(elapsed_ms(self.0.since), Ordering::Relaxed);
    }

    /// Counts a restart of the thread's work.
    pub fn restarted(&self) {
        self.0.restarts.fetch_add(1, Ordering::Relaxed);
        self.beat();
    }
}

const OK: &str = "ok";
const STUCK: &str = "stuck";

impl Watched {
    fn report(&self, now_ms: u64) -> ThreadReport {
        let silent_ms = now_ms.saturating_sub(self.beat_ms.load(Ordering::Relaxed));
        ThreadReport {
            status: if silent_ms <= self.stale_after_ms { OK } else { STUCK },
            silent_ms,
            stale_after_ms: self.stale_after_ms,
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_thread_is_stuck_until_it_beats() {
        let health = Health::new();
        let media = health.watch("media", 50);
        let _storage = health.watch("storage", 60_000);
        assert!(health.report().is_ok());
        std::thread::sleep(std::time::Duration::from_millis(80));
        let report = health.report();
        assert!(!report.is_ok());
        assert_eq!((report.threads["media"].status, report.threads["storage"].status), ("stuck", "ok"));
        media.beat();
        assert!(health.report().is_ok());
    }

    #[test]
    fn restarts_are_counted() {
        let health = Health::new();
        health.watch("web", 1000).restarted();
        assert_eq!(health.report().threads["web"].restarts, 1);
    }
}
