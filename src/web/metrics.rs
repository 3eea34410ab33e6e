//! Counters of the daemon in OpenMetrics, read by `/metrics`.
//!
//! Every field is an atomic behind an `Arc`: any thread may update it, the media thread included.

use crate::{call::untracked::Kind, record::Ended};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use std::sync::{Arc, atomic::AtomicU64};

/// Content type of OpenMetrics text (OpenMetrics 1.0, "Exposition Format").
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds of the journal's way to the disk: a good disk is below 10 ms, an SD card may take a second.
const JOURNALED_BUCKETS_S: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Upper bounds in seconds of INVITE to bubble; the goal is 50 ms.
const BUBBLE_BUCKETS_S: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5];

/// The daemon's counters; a clone counts into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    calls: Family<EndedLabel, Counter>,
    untracked: Family<UntrackedLabel, Counter>,
    /// Emergency numbers dialled on the phones.
    pub emergency_dialled: Counter,
    /// Calls that the office's own system was asked about and did not answer in time.
    pub lookups_missed: Counter,
    /// INVITEs received, retransmissions not counted.
    pub invites: Counter,
    /// SIP datagrams dropped unread or unanswered: foreign source, not SIP, over a limit.
    pub sip_dropped: Counter,
    /// 1 while the trunk has us registered (or needs no registration), else 0.
    pub trunk_registered: Gauge,
    /// RTP packets accepted.
    pub rtp_packets: Counter,
    /// RTP packets that were due and not there.
    pub rtp_lost: Counter,
    /// RTCP packets of peers.
    pub rtcp_received: Counter,
    /// RTCP packets sent.
    pub rtcp_sent: Counter,
    /// RTCP packets refused: from a stranger, or malformed.
    pub rtcp_refused: Counter,
    /// Over- and underruns of the PCM bus.
    pub pcm_xruns: Counter,
    /// Seconds of silence written into recordings because audio was lost on its way to the disk.
    pub recording_gap_seconds: Counter<f64, AtomicU64>,
    /// Time from a call's first journal entry to its being on the disk, in seconds.
    pub journaled_seconds: Histogram,
    /// Time from an INVITE to its bubble, in seconds.
    pub invite_to_bubble_seconds: Histogram,
    /// Records and recordings that wait for the upstream.
    pub outbox_pending: Gauge,
    /// Age of the oldest call of which something waits; 0 if nothing does.
    pub outbox_oldest_seconds: Gauge,
    /// Call bubbles that are not ended.
    pub(super) bubbles_open: Gauge,
    /// Pages that follow the live stream.
    pub(super) streams_open: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndedLabel {
    ended: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UntrackedLabel {
    kind: &'static str,
    answered: &'static str,
}

impl Metrics {
    /// Every counter at zero, and registered under its name.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            calls: Family::default(),
            untracked: Family::default(),
            emergency_dialled: Counter::default(),
            lookups_missed: Counter::default(),
            invites: Counter::default(),
            sip_dropped: Counter::default(),
            trunk_registered: Gauge::default(),
            rtp_packets: Counter::default(),
            rtp_lost: Counter::default(),
            rtcp_received: Counter::default(),
            rtcp_sent: Counter::default(),
            rtcp_refused: Counter::default(),
            pcm_xruns: Counter::default(),
            recording_gap_seconds: Counter::default(),
            journaled_seconds: Histogram::new(JOURNALED_BUCKETS_S),
            invite_to_bubble_seconds: Histogram::new(BUBBLE_BUCKETS_S),
            outbox_pending: Gauge::default(),
            outbox_oldest_seconds: Gauge::default(),
            bubbles_open: Gauge::default(),
            streams_open: Gauge::default(),
        };
        // A series that appears with its first event hides that event from rate().
        for ended in FINAL_ENDS {
            drop(metrics.calls.get_or_create(&EndedLabel { ended: ended_label(ended) }));
        }
        metrics.registry = Arc::new(metrics.registered());
        metrics
    }

    /// Counts a finished call.
    pub fn call_ended(&self, ended: Ended) {
        self.calls.get_or_create(&EndedLabel { ended: ended_label(ended) }).inc();
    }

    /// Counts a call that was passed through untracked; there is nothing else kept of it.
    pub fn untracked_ended(&self, kind: Kind, joined: bool) {
        let kind = match kind {
            Kind::Direct => "direct",
            Kind::DialOut => "dial_out",
            Kind::Emergency => "emergency",
            Kind::Announcement => return,
        };
        let answered = if joined { "yes" } else { "no" };
        self.untracked.get_or_create(&UntrackedLabel { kind, answered }).inc();
    }

    /// All counters as OpenMetrics text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail; an encoder error would leave the text without its `# EOF`.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    fn registered(&self) -> Registry {
        let mut registry = Registry::with_prefix("ringside");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running daemon", build);
        registry.register("calls", "Finished calls by how they ended", self.calls.clone());
        registry.register("untracked_calls", "Calls passed through untracked", self.untracked.clone());
        registry.register("emergency_dialled", "Emergency numbers dialled", self.emergency_dialled.clone());
        registry.register("lookups_missed", "Lookups without an answer in time", self.lookups_missed.clone());
        registry.register("invites", "INVITEs received", self.invites.clone());
        registry.register("sip_dropped", "SIP datagrams dropped without an answer", self.sip_dropped.clone());
        registry.register("trunk_registered", "Whether the trunk is usable", self.trunk_registered.clone());
        registry.register("rtp_packets", "RTP packets accepted", self.rtp_packets.clone());
        registry.register("rtp_lost", "RTP packets due and not there", self.rtp_lost.clone());
        registry.register("rtcp_received", "RTCP packets accepted", self.rtcp_received.clone());
        registry.register("rtcp_sent", "RTCP packets sent", self.rtcp_sent.clone());
        registry.register("rtcp_refused", "RTCP packets refused", self.rtcp_refused.clone());
        registry.register("pcm_xruns", "Over- and underruns of the PCM bus", self.pcm_xruns.clone());
        registry.register_with_unit(
            "recording_gap",
            "Silence written where audio was lost",
            Unit::Seconds,
            self.recording_gap_seconds.clone(),
        );
        registry.register_with_unit(
            "journaled",
            "Time from a call's first journal entry to its being on the disk",
            Unit::Seconds,
            self.journaled_seconds.clone(),
        );
        registry.register_with_unit(
            "invite_to_bubble",
            "Time from an INVITE to its bubble",
            Unit::Seconds,
            self.invite_to_bubble_seconds.clone(),
        );
        let waiting = "Records and recordings that wait for the upstream";
        registry.register("outbox_pending", waiting, self.outbox_pending.clone());
        registry.register_with_unit(
            "outbox_oldest",
            "Age of the oldest call of which something waits",
            Unit::Seconds,
            self.outbox_oldest_seconds.clone(),
        );
        registry.register("bubbles_open", "Call bubbles that are not ended", self.bubbles_open.clone());
        registry.register("streams_open", "Pages that follow the live stream", self.streams_open.clone());
        registry
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Every end that [`Metrics::call_ended`] can be told of.
const FINAL_ENDS: [Ended; 8] = [
    Ended::Cancelled,
    Ended::NoAnswer,
    Ended::Busy,
    Ended::Failed,
    Ended::CallerHungUp,
    Ended::OfficeHungUp,
    Ended::TrunkLost,
    Ended::Interrupted,
];

const fn ended_label(ended: Ended) -> &'static str {
    match ended {
        Ended::InProgress => "in_progress",
        Ended::Cancelled => "cancelled",
        Ended::NoAnswer => "no_answer",
        Ended::Busy => "busy",
        Ended::Failed => "failed",
        Ended::CallerHungUp => "caller_hung_up",
        Ended::OfficeHungUp => "office_hung_up",
        Ended::TrunkLost => "trunk_lost",
        Ended::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_counter_and_ends_as_openmetrics_asks() {
        let metrics = Metrics::new();
        metrics.call_ended(Ended::NoAnswer);
        metrics.untracked_ended(Kind::Direct, true);
        metrics.clone().rtp_lost.inc_by(3);
        metrics.recording_gap_seconds.inc_by(0.25);
        metrics.journaled_seconds.observe(0.004);
        let text = metrics.text();
        for line in [
            "ringside_calls_total{ended=\"no_answer\"} 1",
            "ringside_calls_total{ended=\"busy\"} 0",
            "ringside_untracked_calls_total{kind=\"direct\",answered=\"yes\"} 1",
            "ringside_emergency_dialled_total 0",
            "ringside_invites_total 0",
            "ringside_rtp_packets_total 0",
            "ringside_rtp_lost_total 3",
            "ringside_rtcp_received_total 0",
            "ringside_rtcp_sent_total 0",
            "ringside_rtcp_refused_total 0",
            "ringside_sip_dropped_total 0",
            "ringside_pcm_xruns_total 0",
            "ringside_trunk_registered 0",
            "ringside_bubbles_open 0",
            "ringside_outbox_pending 0",
            "ringside_outbox_oldest_seconds 0",
            "ringside_recording_gap_seconds_total 0.25",
            "ringside_journaled_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_label_of_an_end_is_its_name_in_the_record() {
        for ended in FINAL_ENDS {
            assert_eq!(serde_json::to_value(ended).unwrap(), ended_label(ended));
        }
    }
}
