//! Counters of a receiver, for `/metrics`.

use super::stored::Taken;
use prometheus_client::{encoding::text, metrics::counter::Counter, registry::Registry};

/// What a receiver has done since it started.
#[derive(Default)]
pub struct Metrics {
    registry: Registry,
    new: Counter,
    known: Counter,
    refused: Counter,
    /// Pieces of recordings stored.
    pub(super) pieces: Counter,
    /// Recordings received whole.
    pub(super) recordings: Counter,
    /// Bytes of those.
    pub(super) recording_bytes: Counter,
    /// Requests sent away because too much was in work.
    pub(super) busy: Counter,
    /// Requests that a store failed.
    pub(super) failed: Counter,
    /// Requests of strangers.
    pub(super) denied: Counter,
}

impl Metrics {
    /// Every counter at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self::default();
        let mut registry = Registry::with_prefix("ringside_upstream");
        for (name, help, counter) in [
            ("records_new", "Revisions of records stored", &metrics.new),
            ("records_known", "Revisions of records that were here already", &metrics.known),
            ("records_refused", "Records refused", &metrics.refused),
            ("pieces", "Pieces of recordings stored", &metrics.pieces),
            ("recordings", "Recordings received whole", &metrics.recordings),
            ("recording_bytes", "Bytes of recordings received whole", &metrics.recording_bytes),
            ("busy", "Requests sent away because too much was in work", &metrics.busy),
            ("failed", "Requests that a store failed", &metrics.failed),
            ("denied", "Requests of strangers", &metrics.denied),
        ] {
            registry.register(name, help, counter.clone());
        }
        metrics.registry = registry;
        metrics
    }

    /// Counts what became of a record.
    pub(super) fn taken(&self, taken: &Taken) {
        match taken {
            Taken::New(_) => self.new.inc(),
            Taken::Known(_) => self.known.inc(),
            Taken::Refused(_) => self.refused.inc(),
        };
    }

    /// All counters as OpenMetrics text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
