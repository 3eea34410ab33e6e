//! Performs what the switchboard wants done outside: lines, media, storage, the page.

use super::{
    line_book::LineBook,
    notice::Notice,
    panel::PanelStatus,
    proofs::ProofFeed,
    sounds::{Sounds, spoken},
    status::BoxState,
    webhooks::Tell,
};
use crate::{
    audio::dtmf,
    call::untracked::Via,
    id::{CallId, PortId, Slot},
    io::{
        line_io::{LineCommand, Order},
        media_loop::MediaControl,
        storage::Storage,
        upstream::Orders,
    },
    media::control::{Command, Event, Sound, TapFrame},
    record::CallRecord,
    recording::{lifecycle, tap::TAP_RING_FRAMES},
    sip::{
        endpoint::Counters,
        event::{Registration, TrunkId},
    },
    switchboard::{Output, Report, Switchboard},
    web::{LiveBubbles, Metrics, OfficeBook, Pulse, found, wording},
    webhook::Kind,
};
use prometheus_client::metrics::counter::Counter;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering, mpsc},
};

/// The outside as the signalling thread reaches it. Nothing here waits.
pub(super) struct Edges {
    pub(super) lines: mpsc::Sender<LineCommand>,
    pub(super) media: MediaControl,
    pub(super) media_pulse: Pulse,
    pub(super) storage: Storage,
    pub(super) storage_pulse: Pulse,
    pub(super) live: LiveBubbles,
    pub(super) metrics: Metrics,
    pub(super) office: Arc<dyn OfficeBook>,
    pub(super) notice: Option<Notice>,
    pub(super) sounds: Sounds,
    pub(super) ports: Vec<String>,
    pub(super) state: BoxState,
    pub(super) book: LineBook,
    pub(super) tell: Tell,
    pub(super) patches: usize,
    /// Slots that are listened to.
    pub(super) ears: BTreeSet<Slot>,
    pub(super) periods_seen: u64,
    pub(super) turns_seen: u64,
    /// The way to the sync client, if there is an upstream.
    pub(super) upstream: Option<Orders>,
    pub(super) proofs: ProofFeed,
}

impl Edges {
    /// Performs one output; the answer is the call whose bubble the office can see now.
    pub(super) fn perform(&mut self, output: Output) -> Option<CallId> {
        match output {
            Output::Fxs { port, feed } => self.line(port, Order::Feed(feed)),
            Output::Fxo { port, order } => self.line(port, Order::Line(order)),
            Output::Balance { port, balance } => self.line(port, Order::Balance(balance)),
            Output::CallerId { slot, id, delivery } => {
                self.order(Command::Play { slot, sound: Sound::Once(Arc::from(delivery.render(&id))) })
            }
            Output::Announce { slot, id } => {
                self.order(Command::Announce { slot, waiting: self.sounds.waiting(&id) })
            }
            Output::Media(command) => {
                if let Command::Ignore { slot } = command {
                    self.ears.remove(&slot);
                }
                self.order(command);
            }
            Output::Listen { slot, to } => {
                self.ears.insert(slot);
                self.order(Command::Listen { slot, ear: self.sounds.ear(to) });
            }
            Output::Dial { slot, keys } => {
                self.order(Command::Play { slot, sound: Sound::Once(Arc::from(dtmf::dial(&keys))) });
            }
            Output::Say { slot, words } => {
                self.order(Command::Play { slot, sound: Sound::Once(spoken(words)) });
            }
            Output::Interject { slot, words } => {
                self.order(Command::Interject { slot, samples: spoken(words) })
            }
            Output::Report(Report::LineTested { port, result }) => {
                self.book.tested(port, result, &mut self.state);
            }
            Output::Report(report) => {
                if let Report::Learned { line, learned } = report {
                    self.book.learned(line, learned);
                }
                self.report(&report);
            }
            Output::Patch { rtp, slot, trunk, source, rtcp_seed, recording, notice } => {
                let tap = recording.and_then(|start| self.start_recording(start));
                let notice = self.notice.as_ref().filter(|_| notice).map(Notice::samples);
                self.patches += 1;
                self.order(Command::Patch { rtp, slot, trunk, source, rtcp_seed, notice, tap });
            }
            Output::Show(bubble) => {
                let call = bubble.call;
                self.tell.shown(&bubble);
                self.live.publish(*bubble);
                return Some(call);
            }
            Output::Store(mut command) => {
                self.look_up(&mut command);
                self.proofs.stored(&mut command);
                if let lifecycle::Command::Save(record) = &command {
                    self.ended(record);
                }
                self.tell.stores(&command);
                self.storage.send(command);
            }
            Output::Trunk { trunk, state } => self.trunk(trunk, &state),
            // The signalling loop sends these itself.
            Output::Sip { .. } => {}
        }
        None
    }

    /// What the office's books say of a call that comes in or is answered goes into its record, and into its bubble.
    fn look_up(&self, command: &mut lifecycle::Command) {
        let (record, is_shown) = match command {
            lifecycle::Command::Ringing(record) | lifecycle::Command::Answered { record, .. } => {
                (record, true)
            }
            // One that rang has what was found then, unless a person knew better.
            lifecycle::Command::Save(record) => (record, false),
            lifecycle::Command::Start { .. } => return,
        };
        record.handling = found(&*self.office, record);
        if is_shown {
            self.live.found(record.id, &record.handling);
        }
    }

    /// Every turn: the sync client makes way for calls at once, and a test sees what the lines do.
    pub(super) fn look(&mut self, switchboard: &Switchboard) {
        self.proofs.look(switchboard, &self.ports);
        let is_in_use = switchboard.is_in_use();
        self.state.upstream().calls_up.store(usize::from(is_in_use), Ordering::Relaxed);
    }

    /// Whether the media thread has patches whose reports are awaited.
    pub(super) const fn has_patches(&self) -> bool {
        self.patches > 0
    }

    /// Whether the media thread may have something to report.
    pub(super) fn expects_reports(&self) -> bool {
        self.has_patches() || !self.ears.is_empty()
    }

    /// The next report of the media thread. What it used up is freed here.
    pub(super) fn media_event(&mut self) -> Option<Event> {
        let event = self.media.events.pop().ok()?;
        if let Event::Unpatched { counters, .. } = &event {
            self.patches = self.patches.saturating_sub(1);
            self.metrics.rtp_packets.inc_by(counters.packets);
            self.metrics.rtp_lost.inc_by(counters.lost);
            self.metrics.rtcp_received.inc_by(counters.rtcp_received);
            self.metrics.rtcp_sent.inc_by(counters.rtcp_sent);
            self.metrics.rtcp_refused.inc_by(counters.rtcp_refused);
        }
        Some(event)
    }

    /// Once a second: the media thread is alive if it handled a period since, storage if its loop turned.
    pub(super) fn feel_pulse(&mut self) {
        let periods = self.media.status.periods.load(Ordering::Relaxed);
        if periods != self.periods_seen {
            self.media_pulse.beat();
            self.periods_seen = periods;
        }
        let turns = self.storage.counters().turns.load(Ordering::Relaxed);
        if turns != self.turns_seen {
            self.storage_pulse.beat();
            self.turns_seen = turns;
        }
    }

    /// Once a second: brings the metrics level with what others have counted.
    pub(super) fn count(&self, sip: Counters) {
        let level = |metric: &Counter, counted: u64| {
            metric.inc_by(counted.saturating_sub(metric.get()));
        };
        level(&self.metrics.pcm_xruns, self.media.status.xruns.load(Ordering::Relaxed));
        level(&self.metrics.invites, sip.offered + sip.shed + sip.not_for_us);
        level(&self.metrics.sip_dropped, sip.strangers + sip.unreadable + sip.scanners + sip.unwanted);
    }

    /// Once a second: shows the state of the box.
    pub(super) fn publish_state(&mut self, switchboard: &Switchboard, panel: PanelStatus) {
        self.proofs.turn();
        let counts = (&*self.media.status, self.storage.counters());
        let sync = self.state.sync();
        let waiting = i64::try_from(sync.records_waiting + sync.recordings_waiting).unwrap_or(i64::MAX);
        self.metrics.outbox_pending.set(waiting);
        let oldest = i64::try_from(sync.oldest_age_ms / 1000).unwrap_or(i64::MAX);
        self.metrics.outbox_oldest_seconds.set(oldest);
        self.state.publish(&self.live, (switchboard, panel), counts, &self.book);
    }

    /// Storage reported: the page shows the record as it is now.
    pub(super) fn stored(&mut self, event: &lifecycle::Event) {
        self.tell.stored(event);
        if let (Some(upstream), lifecycle::Event::Saved { .. } | lifecycle::Event::Recorded { .. }) =
            (&self.upstream, event)
        {
            upstream.stored();
        }
        match event {
            lifecycle::Event::Saved { call } => self.live.record_changed(*call),
            lifecycle::Event::Recorded { call, recording } => {
                self.metrics.recording_gap_seconds.inc_by(seconds(recording.gap_ms));
                self.state.recorded(*call, recording);
                self.live.record_changed(*call);
            }
            lifecycle::Event::Handled { call, handling, .. } => {
                self.live.handled(*call, (**handling).clone())
            }
            lifecycle::Event::Journaled { ms, .. } => self.metrics.journaled_seconds.observe(seconds(*ms)),
        }
    }

    /// The chip of a line came up: it is balanced as a line test has found out.
    pub(super) fn line_is_up(&self, port: PortId) {
        if let Some(balance) = self.book.balance(port) {
            self.line(port, Order::Balance(balance));
        }
    }

    fn line(&self, port: PortId, order: Order) {
        // The line thread ends only with the daemon.
        let _ = self.lines.send(LineCommand { port, order });
    }

    fn order(&mut self, command: Command) {
        if self.media.commands.push(command).is_err() {
            tracing::error!("the media thread does not take orders: a call has no audio");
        }
    }

    /// The tap's two ends: one for the media thread, one for the encoder.
    fn start_recording(&self, start: lifecycle::Command) -> Option<rtrb::Producer<TapFrame>> {
        let lifecycle::Command::Start { call, recording, tags } = start else { return None };
        let (producer, consumer) = rtrb::RingBuffer::new(TAP_RING_FRAMES);
        self.storage.start_recording(call, recording, tags, consumer);
        Some(producer)
    }

    /// What the people are told.
    fn report(&mut self, report: &Report) {
        let name = |port: &PortId| self.ports.get(usize::from(port.0)).map_or("?", String::as_str);
        match report {
            Report::EmergencyDialled { phone, keys, via } => {
                let number: String = keys.iter().map(|key| key.sign()).collect();
                tracing::warn!(phone = name(phone), number, ?via, "emergency_dialled");
                self.metrics.emergency_dialled.inc();
                let via = match via {
                    Via::Line(line) => name(line),
                    Via::Trunk => "trunk",
                    Via::Nothing => "nothing",
                };
                let data = serde_json::json!({ "phone": name(phone), "number": number, "via": via });
                self.tell.of_box(Kind::EmergencyDialled, &data);
            }
            Report::LineAlarm { line, alarm, on } => {
                let (text, remedy) = wording::line_alarm(*alarm);
                let data =
                    serde_json::json!({ "line": name(line), "on": on, "text": text, "remedy": remedy });
                self.tell.of_box(Kind::LineHealth, &data);
                if *on {
                    tracing::warn!(line = name(line), "{text}: {remedy}");
                } else {
                    tracing::info!(line = name(line), ?alarm, "is over");
                }
                self.state.line_alarm(*line, *alarm, *on);
            }
            Report::Loop { tracking_number } => {
                self.proofs.came_back(tracking_number);
                tracing::warn!(
                    %tracking_number,
                    "a call that was dialled on an office line came back: the forwarding number forwards to this \
                     tracking number; refused, change the forwarding at the telephone company"
                );
            }
            // The book tells.
            Report::LineTested { .. } => {}
            Report::Learned { line, learned } => tracing::debug!(line = name(line), ?learned, "learned"),
            Report::Untracked { kind, joined, line } => {
                self.metrics.untracked_ended(*kind, *joined);
                self.state.untracked_ended(*kind, *line);
            }
        }
    }

    fn ended(&mut self, record: &CallRecord) {
        self.metrics.call_ended(record.outcome.ended);
        self.state.ended(record);
        if let Some(ms) = record.timing_ms.invite_to_bubble {
            self.metrics.invite_to_bubble_seconds.observe(seconds(ms));
        }
        tracing::info!(
            call = %record.id,
            tracking = %record.tracking_phone_number,
            ended = ?record.outcome.ended,
            why = record.outcome.why.as_deref().unwrap_or(""),
            seconds = record.duration,
            "call ended"
        );
    }

    fn trunk(&mut self, trunk: TrunkId, state: &Registration) {
        self.state.trunk(trunk, state);
        if let Some(status) = self.state.trunks().get(trunk.0) {
            // A plain value that always can be written.
            self.tell.of_box(Kind::TrunkState, &serde_json::to_value(status).unwrap_or_default());
        }
        let name = self.state.trunk_name(trunk);
        match state {
            Registration::Registered { expires_s } => tracing::info!(trunk = name, expires_s, "registered"),
            Registration::Refused { status, reason } => {
                tracing::warn!(
                    trunk = name,
                    status,
                    reason,
                    "the registrar refuses us; check user and password"
                );
            }
            Registration::Unreachable => {
                tracing::warn!(trunk = name, "the registrar does not answer; check the network");
            }
            Registration::Unregistered | Registration::Trying => {}
        }
        self.metrics.trunk_registered.set(i64::from(matches!(state, Registration::Registered { .. })));
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
