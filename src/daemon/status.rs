//! What the daemon knows of the box, once a second, as one snapshot. One function per section: each says where its
//! facts come from.

use super::{incomplete::Incomplete, line_alarms::LineAlarms, line_book::LineBook, panel::PanelStatus};
use crate::{
    board::Profile,
    call::{
        bubble::{Bubble, BubbleState},
        untracked::Kind,
    },
    chip::{LineChange, PortChange},
    config::{Config, TrunkMode},
    doctor,
    id::{CallId, PortId},
    io::{
        clock::Clock, cpu::ThreadCpu, line_io::Readings, media_loop::MediaStatus as MediaCounts,
        storage::StorageCounters, upstream,
    },
    line::fxo,
    record::{CallRecord, Ended, Recording},
    sip::event::{Registration, TrunkId},
    status::{
        Alarm, BoxStatus, CallCounters, CallStatus, HangUpSignal, LineStatus, MediaStatus, PhoneState,
        PhoneStatus, Polarity, Room, SCHEMA, StorageStatus, SyncStatus, ThreadStatus, TrackedCall,
        TrackedState, TrunkState, TrunkStatus, UntrackedCall,
    },
    switchboard::{LineView, PhoneView, Switchboard},
    time::WallTime,
    web::{Health, LiveBubbles, StatusBoard},
};
use std::{
    collections::BTreeMap,
    sync::{PoisonError, atomic::Ordering},
};

/// Name of the media thread; see the table in `daemon`.
const MEDIA_THREAD: &str = "media";
/// Name of the storage thread in the health report.
const STORAGE_THREAD: &str = "storage";

/// Less than this has no sign: a line without battery.
const DEAD_VOLTS: f32 = 3.0;

/// What the daemon knows of the box beside what its parts count themselves.
pub(super) struct BoxState {
    board: StatusBoard,
    health: Health,
    clock: Clock,
    started: WallTime,
    site: String,
    trunks: Vec<TrunkStatus>,
    phones: BTreeMap<PortId, PhoneStatus>,
    lines: BTreeMap<PortId, LineStatus>,
    counters: CallCounters,
    line_alarms: LineAlarms,
    incomplete: Incomplete,
    /// What the doctor found the last time.
    standing: Vec<Alarm>,
    /// All that was published the last time.
    alarms: Vec<Alarm>,
    threads: Vec<ThreadStatus>,
    media_cpu: ThreadCpu,
    upstream: upstream::Shared,
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
                .map(|(id, port)| (id, PhoneStatus::unknown(port.name.clone())))
                .collect(),
            lines: profile
                .fxo_ports()
                .map(|(id, port)| (id, LineStatus::unknown(port.name.clone())))
                .collect(),
            counters: CallCounters::default(),
            line_alarms: LineAlarms::default(),
            incomplete: Incomplete::default(),
            standing: Vec::new(),
            alarms: Vec::new(),
            threads: Vec::new(),
            media_cpu: ThreadCpu::new(MEDIA_THREAD),
            upstream: upstream::Shared::default(),
        }
    }

    /// What the sync client and this share.
    pub(super) fn upstream(&self) -> upstream::Shared {
        self.upstream.clone()
    }

    /// How syncing does.
    pub(super) fn sync(&self) -> SyncStatus {
        self.upstream.status()
    }

    /// Name of a trunk.
    pub(super) fn trunk_name(&self, trunk: TrunkId) -> &str {
        self.trunks.get(trunk.0).map_or("", |trunk| &trunk.name)
    }

    /// Every trunk.
    pub(super) fn trunks(&self) -> &[TrunkStatus] {
        &self.trunks
    }

    /// What was published last of the alarms.
    pub(super) fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// Whether these threads showed life at the last publishing.
    pub(super) fn shows_life(&self, names: &[&str]) -> bool {
        self.threads.iter().all(|thread| thread.ok || !names.contains(&thread.name.as_str()))
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
        let Some(phone) = self.phones.get_mut(&port) else { return };
        let (chip_up, off_hook) = match change {
            PortChange::Up | PortChange::LoopOpened => (true, false),
            PortChange::LoopClosed | PortChange::RingTripped => (true, true),
            PortChange::PowerAlarm | PortChange::Reset | PortChange::Down => (false, false),
        };
        (phone.chip_up, phone.off_hook) = (Some(chip_up), Some(off_hook));
        if !chip_up {
            (phone.volts, phone.milliamps) = (None, None);
        }
    }

    /// The chip of an office line said something.
    pub(super) fn line(&mut self, port: PortId, change: LineChange) {
        let Some(line) = self.lines.get_mut(&port) else { return };
        let chip_up = match change {
            LineChange::Up => true,
            LineChange::Reset | LineChange::Down => false,
            _ => return,
        };
        line.chip_up = Some(chip_up);
        if !chip_up {
            (line.volts, line.milliamps, line.polarity) = (None, None, None);
        }
    }

    /// A port has measured its line.
    pub(super) fn measured(&mut self, port: PortId, Readings { volts, milliamps }: Readings) {
        if let Some(phone) = self.phones.get_mut(&port) {
            (phone.volts, phone.milliamps) = (Some(volts.abs()), milliamps);
        }
        if let Some(line) = self.lines.get_mut(&port) {
            // TIP above RING or below; which of them is normal depends on how the jack is wired.
            let polarity = if volts > 0.0 { Polarity::Forward } else { Polarity::Reversed };
            (line.volts, line.milliamps) = (Some(volts.abs()), milliamps.or(Some(0.0)));
            line.polarity = (volts.abs() >= DEAD_VOLTS).then_some(polarity);
        }
    }

    /// A line needs somebody, or does no more.
    pub(super) fn line_alarm(&mut self, line: PortId, alarm: fxo::Alarm, on: bool) {
        self.line_alarms.told(line, alarm, on, self.clock.wall());
    }

    /// The recording of a call was closed.
    pub(super) fn recorded(&mut self, call: CallId, recording: &Recording) {
        self.incomplete.closed(call, recording, self.clock.wall());
    }

    /// A call that is not tracked is over.
    pub(super) fn untracked_ended(&mut self, kind: Kind, line: Option<PortId>) {
        if kind == Kind::Announcement {
            return;
        }
        self.counters.untracked += 1;
        let Some(line) = line.and_then(|line| self.lines.get_mut(&line)) else { return };
        line.untracked += 1;
        match kind {
            Kind::Direct => line.calls.direct += 1,
            Kind::DialOut => line.calls.dialled_out += 1,
            Kind::Emergency => line.calls.emergency += 1,
            Kind::Announcement => {}
        }
    }

    /// Whether the last call that rang a line brought caller ID.
    pub(super) fn caller_id_seen(&self, line: &str) -> Option<bool> {
        self.lines.values().find(|status| status.port == line)?.caller_id_seen
    }

    /// A tracked call is over.
    pub(super) fn ended(&mut self, record: &CallRecord) {
        let was_missed = matches!(record.outcome.ended, Ended::Cancelled | Ended::NoAnswer | Ended::Busy);
        self.counters.tracked += 1;
        self.counters.answered += u64::from(record.answered);
        self.counters.missed += u64::from(was_missed && !record.answered);
        let port = record.answered_by.as_ref().map(|by| by.port.as_str());
        if let Some(line) = self.lines.values_mut().find(|line| port == Some(&line.port)) {
            line.calls.tracked += 1;
        }
    }

    /// Publishes a snapshot of this moment.
    pub(super) fn publish(
        &mut self,
        live: &LiveBubbles,
        (switchboard, panel): (&Switchboard, PanelStatus),
        (media, storage): (&MediaCounts, &StorageCounters),
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
            lines: self.lines(switchboard),
            phones: self.phones(switchboard),
            calls: calls(&bubbles).chain(self.passed_calls(switchboard)).collect(),
            panel: panel.leds,
            set_up: panel.set_up,
            lifeline: panel.lifeline,
            media: self.media(media),
            storage: self.storage(storage),
            sync: self.sync(),
            threads: self.threads(),
            alarms: Vec::new(),
            counters: self.counters,
        };
        book.show(&mut status);
        status.alarms = doctor::alarms(&status, &self.standing);
        self.standing.clone_from(&status.alarms);
        self.line_alarms.add_to(&mut status.alarms, &self.lines);
        self.incomplete.add_to(&mut status.alarms, status.at);
        self.alarms.clone_from(&status.alarms);
        let codes = status.alarms.iter().map(|alarm| alarm.code.clone()).collect();
        *self.upstream.alarms.lock().unwrap_or_else(PoisonError::into_inner) = codes;
        self.threads.clone_from(&status.threads);
        self.board.publish(status);
    }

    /// Office lines: what their machines say, their chips and what these measure.
    fn lines(&self, switchboard: &Switchboard) -> Vec<LineStatus> {
        let known = |line: LineView| {
            let status = self.lines.get(&line.port)?.clone();
            Some(match status.chip_up {
                None => status,
                Some(_) => LineStatus {
                    state: line.state,
                    battery: line.battery,
                    hang_up_signal: hang_up_signal(line.learned),
                    ..status
                },
            })
        };
        switchboard.lines().filter_map(known).collect()
    }

    /// Phones: what their machines say, their chips and what these measure.
    fn phones(&self, switchboard: &Switchboard) -> Vec<PhoneStatus> {
        let known = |phone: PhoneView| {
            let status = self.phones.get(&phone.port)?.clone();
            let state = status.chip_up.map_or(PhoneState::Unknown, |_| phone.state);
            Some(PhoneStatus { state, ..status })
        };
        switchboard.phones().filter_map(known).collect()
    }

    /// Calls that are passed through: what the switchboard says, oldest first.
    fn passed_calls(&self, switchboard: &Switchboard) -> impl Iterator<Item = CallStatus> {
        let line = |port: PortId| self.lines.get(&port).map(|line| line.port.clone());
        let phone = |port: PortId| self.phones.get(&port).map(|phone| phone.port.clone());
        let (now, wall) = (self.clock.now(), self.clock.wall());
        switchboard.passed_calls().filter_map(move |call| {
            let since = WallTime(wall.0.saturating_sub(now.ms_since(call.since)));
            let untracked =
                UntrackedCall { line: call.line.and_then(line), phone: call.phone.and_then(phone), since };
            match call.kind {
                Kind::Direct => Some(CallStatus::Direct(untracked)),
                Kind::DialOut => Some(CallStatus::DialOut(untracked)),
                Kind::Emergency => Some(CallStatus::Emergency(untracked)),
                Kind::Announcement => None,
            }
        })
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
            index_failed: storage.index_behind.load(Ordering::Relaxed)
                && storage.index_failures.load(Ordering::Relaxed) > 0,
            room: Room::from_code(storage.room.load(Ordering::Relaxed)),
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

/// How the exchange of a line most often ends calls, as far as it has shown.
fn hang_up_signal(learned: fxo::Learned) -> Option<HangUpSignal> {
    let tones = [learned.busy, learned.reorder, learned.dial_tone, learned.key_d]
        .iter()
        .fold(0_u16, |calls, lesson| calls.saturating_add(lesson.calls));
    let seen = [
        (learned.cpc.calls, HangUpSignal::OpenLoop),
        (learned.polarity.calls, HangUpSignal::PolarityReversal),
        (tones, HangUpSignal::Tone),
    ];
    seen.into_iter().filter(|(calls, _)| *calls > 0).max_by_key(|(calls, _)| *calls).map(|(_, signal)| signal)
}

/// Tracked calls: the bubbles that are not ended, oldest first. Calls that are not tracked have none.
fn calls(bubbles: &[Bubble]) -> impl Iterator<Item = CallStatus> {
    let call = |bubble: &Bubble| {
        let state = match bubble.state {
            BubbleState::Ringing => TrackedState::Ringing,
            BubbleState::Live | BubbleState::Paused => TrackedState::Talking,
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
    bubbles.iter().rev().filter_map(call)
}
