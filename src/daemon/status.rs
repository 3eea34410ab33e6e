//! What the daemon knows of the box, once a second, as one snapshot. One function per section: each says where its
//! facts come from.

use super::line_book::LineBook;
use crate::{
    board::Profile,
    call::bubble::{Bubble, BubbleState},
    chip::{Linefeed, PortChange},
    config::{Config, TrunkMode},
    doctor,
    id::PortId,
    io::{clock::Clock, cpu::ThreadCpu, media_loop::MediaStatus as MediaCounts, storage::StorageCounters},
    record::{CallRecord, Ended},
    sip::event::{Registration, TrunkId},
    status::{
        Alarm, BoxStatus, CallCounters, CallStatus, LedStatus, Lifeline, LineStatus, MediaStatus, PhoneState,
        PhoneStatus, SCHEMA, StorageStatus, ThreadStatus, TrackedCall, TrackedState, TrunkState, TrunkStatus,
    },
    time::{Instant, WallTime},
    web::{Health, LiveBubbles, StatusBoard},
};
use std::sync::atomic::Ordering;

/// Name of the media thread; see the table in `daemon`.
const MEDIA_THREAD: &str = "media";
/// Name of the storage thread in the health report.
const STORAGE_THREAD: &str = "storage";

/// A phone that was fed ringing voltage within this time rings: the longest pause of any country's cadence is 5 s.
const STILL_RINGS_MS: u64 = 7_000;

/// A phone, and when it last had ringing voltage.
struct Phone {
    id: PortId,
    rang_at: Option<Instant>,
    status: PhoneStatus,
}

/// What the daemon knows of the box beside what its parts count themselves.
pub(super) struct BoxState {
    board: StatusBoard,
    health: Health,
    clock: Clock,
    started: WallTime,
    site: String,
    trunks: Vec<TrunkStatus>,
    phones: Vec<Phone>,
    lines: Vec<LineStatus>,
    counters: CallCounters,
    alarms: Vec<Alarm>,
    media_cpu: ThreadCpu,
}

impl BoxState {
    /// A box that has just started.
    pub(super) fn new(
        config: &Config,
        profile: &Profile,
        clock: Clock,
        board: StatusBoard,
        health: Health,
    ) -> Self {
        let trunk = |trunk: &crate::config::Trunk| TrunkStatus {
            name: trunk.name.clone(),
            state: match trunk.mode {
                TrunkMode::Ip => TrunkState::Peer,
                TrunkMode::Register(_) => TrunkState::Unregistered,
            },
        };
        Self {
            board,
            health,
            clock,
            started: clock.wall(),
            site: config.site.name.clone(),
            trunks: config.trunks.iter().map(trunk).collect(),
            phones: profile
                .fxs_ports()
                .map(|(id, port)| Phone {
                    id,
                    rang_at: None,
                    status: PhoneStatus::unknown(port.name.clone()),
                })
                .collect(),
            lines: profile.fxo_ports().map(|(_, port)| LineStatus::unknown(port.name.clone())).collect(),
            counters: CallCounters::default(),
            alarms: Vec::new(),
            media_cpu: ThreadCpu::new(MEDIA_THREAD),
        }
    }

    /// Name of a trunk.
    pub(super) fn trunk_name(&self, trunk: TrunkId) -> &str {
        self.trunks.get(trunk.0).map_or("", |trunk| &trunk.name)
    }

    /// A trunk's registration changed.
    pub(super) fn trunk(&mut self, trunk: TrunkId, registration: &Registration) {
        let Some(trunk) = self.trunks.get_mut(trunk.0) else { return };
        trunk.state = match registration {
            Registration::Unregistered => TrunkState::Unregistered,
            Registration::Trying => TrunkState::Trying,
            Registration::Registered { expires_s } => TrunkState::Registered { expires_s: *expires_s },
            Registration::Refused { status, reason } => {
                TrunkState::Refused { status: *status, reason: reason.clone() }
            }
            Registration::Unreachable => TrunkState::Unreachable,
        };
    }

    /// The chip of a phone said something.
    pub(super) fn phone(&mut self, port: PortId, change: PortChange) {
        let Some(Phone { status: phone, .. }) = self.phones.iter_mut().find(|phone| phone.id == port) else {
            return;
        };
        let (chip_up, off_hook) = match change {
            PortChange::Up | PortChange::LoopOpened => (true, false),
            PortChange::LoopClosed | PortChange::RingTripped => (true, true),
            PortChange::PowerAlarm | PortChange::Reset | PortChange::Down => (false, false),
        };
        (phone.chip_up, phone.off_hook) = (Some(chip_up), Some(off_hook));
    }

    /// A phone is fed in another way.
    pub(super) fn fed(&mut self, port: PortId, feed: Linefeed) {
        if feed == Linefeed::Ringing
            && let Some(phone) = self.phones.iter_mut().find(|phone| phone.id == port)
        {
            phone.rang_at = Some(self.clock.now());
        }
    }

    /// Whether the last call that rang a line brought caller ID.
    pub(super) fn caller_id_seen(&self, line: &str) -> Option<bool> {
        self.lines.iter().find(|status| status.port == line)?.caller_id_seen
    }

    /// A tracked call is over.
    pub(super) fn ended(&mut self, record: &CallRecord) {
        let was_missed = matches!(record.outcome.ended, Ended::Cancelled | Ended::NoAnswer | Ended::Busy);
        self.counters.tracked += 1;
        self.counters.answered += u64::from(record.answered);
        self.counters.missed += u64::from(was_missed && !record.answered);
    }

    /// Publishes a snapshot of this moment.
    pub(super) fn publish(
        &mut self,
        live: &LiveBubbles,
        media: &MediaCounts,
        storage: &StorageCounters,
        book: &LineBook,
    ) {
        let bubbles: Vec<Bubble> = live.snapshot().into_iter().map(|shown| shown.bubble).collect();
        let mut status = BoxStatus {
            schema: SCHEMA.to_owned(),
            at: self.clock.wall(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            uptime_s: self.clock.now().0 / 1_000_000,
            site: self.site.clone(),
            trunks: self.trunks.clone(),
            lines: self.lines(),
            phones: self.phones(&bubbles),
            calls: calls(&bubbles),
            panel: panel(),
            lifeline: lifeline(),
            media: self.media(media),
            storage: self.storage(storage),
            threads: self.threads(),
            alarms: Vec::new(),
            counters: self.counters,
        };
        book.show(&mut status);
        status.alarms = doctor::alarms(&status, &self.alarms);
        self.alarms.clone_from(&status.alarms);
        self.board.publish(status);
    }

    /// Office lines: their names, until their chips have a driver in `line-io`.
    fn lines(&self) -> Vec<LineStatus> {
        self.lines.clone()
    }

    /// Phones: what their chips said, what they were fed, and which of them the live bubbles have in a call.
    fn phones(&self, bubbles: &[Bubble]) -> Vec<PhoneStatus> {
        let talks = |port: &str| {
            bubbles.iter().any(|one| one.state == BubbleState::Live && one.port.as_deref() == Some(port))
        };
        let somebody_calls = bubbles.iter().any(|one| one.state == BubbleState::Ringing);
        let now = self.clock.now();
        let rings = |at: Option<Instant>| at.is_some_and(|at| now.ms_since(at) < STILL_RINGS_MS);
        let state = |Phone { rang_at, status: phone, .. }: &Phone| match (phone.chip_up, phone.off_hook) {
            (None, _) => PhoneState::Unknown,
            (Some(false), _) => PhoneState::Down,
            (Some(true), Some(true)) if talks(&phone.port) => PhoneState::Talking,
            (Some(true), Some(true)) => PhoneState::OffHook,
            (Some(true), _) if somebody_calls && rings(*rang_at) => PhoneState::Ringing,
            (Some(true), _) => PhoneState::Idle,
        };
        self.phones.iter().map(|phone| PhoneStatus { state: state(phone), ..phone.status.clone() }).collect()
    }

    /// Audio: what the media thread counts, and what the kernel counts of it.
    fn media(&mut self, media: &MediaCounts) -> MediaStatus {
        MediaStatus {
            card_up: media.card_up.load(Ordering::Relaxed),
            cpu_percent: self.media_cpu.percent(self.clock.now()),
            xruns: media.xruns.load(Ordering::Relaxed),
            periods: media.periods.load(Ordering::Relaxed),
        }
    }

    /// The disk: what the storage thread counts, and whether it shows life.
    fn storage(&self, storage: &StorageCounters) -> StorageStatus {
        let (free, total) =
            (storage.free_bytes.load(Ordering::Relaxed), storage.total_bytes.load(Ordering::Relaxed));
        let percent = free.saturating_mul(100).checked_div(total);
        StorageStatus {
            ok: self.threads().iter().all(|thread| thread.ok || thread.name != STORAGE_THREAD),
            free_percent: percent.and_then(|percent| u8::try_from(percent).ok()),
            failed_recordings: storage.failed_recordings.load(Ordering::Relaxed),
        }
    }

    /// The threads: what `/healthz` says.
    fn threads(&self) -> Vec<ThreadStatus> {
        let threads = self.health.report().threads.into_iter();
        let thread = |(name, report): (&str, crate::web::ThreadReport)| ThreadStatus {
            name: name.to_owned(),
            ok: report.status == "ok",
            restarts: report.restarts,
        };
        threads.map(thread).collect()
    }
}

/// The lamps: none until the panel machine drives them.
const fn panel() -> Vec<LedStatus> {
    Vec::new()
}

/// The relay: unknown until the box drives it.
const fn lifeline() -> Option<Lifeline> {
    None
}

/// Tracked calls: the bubbles that are not ended, oldest first. Calls that are not tracked have none.
fn calls(bubbles: &[Bubble]) -> Vec<CallStatus> {
    let call = |bubble: &Bubble| {
        let state = match bubble.state {
            BubbleState::Ringing => TrackedState::Ringing,
            BubbleState::Live => TrackedState::Talking,
            BubbleState::Ended => return None,
        };
        Some(CallStatus::Tracked(Box::new(TrackedCall {
            call: bubble.call,
            state,
            since: bubble.start_time,
            answered_at: bubble.answered_at,
            caller_number: bubble.caller_number.clone(),
            presentation: bubble.presentation,
            caller_name: bubble.caller_name.clone(),
            tracking_number: bubble.tracking_number.clone(),
            campaign: bubble.campaign.clone(),
            port: bubble.port.clone(),
            recording: bubble.recording,
            sound: None,
        })))
    };
    bubbles.iter().rev().filter_map(call).collect()
}
