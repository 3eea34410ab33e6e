//! One tracked call, from the INVITE to its record.
//!
//! ```text
//!   offer ──► Ringing ── off hook ──► Answered ── a side hangs up ──► Closing ── counters or 200 ms ──► Ended
//!     │          └── cancelled, nobody answers, lines lost ─────────────────────────────────────────────►│
//!     └── every port busy, line fault, no common codec ──────────────────────────────────────────────────►┘
//! ```
//! "Answered" means that a handset went off hook, never that a 200 was sent. The record is saved exactly once.

use super::{
    bubble::{Bubble, BubbleState},
    event::{Command, Event, TrunkEnd},
    incoming::{Identity, Incoming, Route},
    story,
};
use crate::{
    id::{PortId, RecordingId},
    record::{AnsweredBy, CallRecord, Ended, Hop, LegKind, RecordingState},
    rtp::session::Trunk,
    time::{Instant, WallTime},
};

/// How long the end of a call waits for the patch's counters.
const CLOSING_MS: u64 = 200;

/// One analog port of the ring group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its index.
    pub id: PortId,
    /// Its name in the board profile.
    pub name: String,
}

/// Site settings that shape every call.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long the phones ring, in ms.
    pub ring_timeout_ms: u64,
    /// Consent policy: `announce` and so on.
    pub consent_policy: String,
    /// Whether answered calls are recorded.
    pub records: bool,
}

/// What the ring group looks like when a call comes in.
#[derive(Clone, Debug)]
pub enum RingGroup {
    /// These ports are idle and ring.
    Idle(Vec<Port>),
    /// Every port is busy.
    Busy,
    /// No port of the group is up.
    Fault,
    /// The daemon stops.
    Closed,
}

impl RingGroup {
    /// Judges a group by its ports: each with whether it is up, and whether it is idle. Without `room` for another
    /// call's audio everybody is busy.
    pub fn choose(ports: impl Iterator<Item = (Port, bool, bool)>, room: bool) -> Self {
        let up: Vec<(Port, bool)> =
            ports.filter(|(_, up, _)| *up).map(|(port, _, idle)| (port, idle)).collect();
        if up.is_empty() {
            return Self::Fault;
        }
        let idle: Vec<Port> = up.into_iter().filter(|(_, idle)| *idle).map(|(port, _)| port).collect();
        if idle.is_empty() || !room { Self::Busy } else { Self::Idle(idle) }
    }
}

#[derive(Clone, Debug)]
enum State {
    Ringing { until: Instant, ports: Vec<Port> },
    Answered(Talk),
    Closing { until: Instant },
    Ended,
}

#[derive(Clone, Debug)]
struct Talk {
    port: Port,
    since: Instant,
    patched_at: Option<Instant>,
    held_since: Option<Instant>,
}

/// One tracked call.
#[derive(Debug)]
pub struct Call {
    state: State,
    began: Instant,
    tag: String,
    records: bool,
    recording: RecordingId,
    bubble_rev: u32,
    answered_at: Option<WallTime>,
    silent: Option<LegKind>,
    record: Box<CallRecord>,
}

impl Call {
    /// A call came in: rings the idle ports of its group, or refuses it with the reason on the record.
    pub fn offer(
        identity: &Identity,
        incoming: Incoming,
        route: &Route,
        group: RingGroup,
        settings: &Settings,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Self {
        let refused = incoming.media_refused;
        let mut call = Self {
            state: State::Ended,
            began: now,
            tag: route.tag.clone(),
            records: settings.records,
            recording: identity.recording,
            bubble_rev: 0,
            answered_at: None,
            silent: None,
            record: Box::new(story::begin(identity, incoming, route, &settings.consent_policy)),
        };
        match (refused, group) {
            (Some(why), _) => call.refuse(488, Ended::Failed, why, now, out),
            (None, RingGroup::Busy) => {
                call.refuse(486, Ended::Busy, "all_ports_busy", now, out);
            }
            (None, RingGroup::Fault) => {
                call.refuse(480, Ended::Failed, "line_fault", now, out);
            }
            (None, RingGroup::Closed) => {
                call.refuse(503, Ended::Failed, "daemon_stopped", now, out);
            }
            (None, RingGroup::Idle(ports)) => {
                out.push(Command::JournalRinging(call.record.clone()));
                call.show(BubbleState::Ringing, out);
                out.extend(ports.iter().map(|port| Command::Ring(port.id)));
                out.push(Command::Ringing);
                call.state = State::Ringing { until: now.after_ms(settings.ring_timeout_ms), ports };
            }
        }
        call
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Ringing { until, .. } | State::Closing { until } => Some(*until),
            State::Answered(_) | State::Ended => None,
        }
    }

    /// Whether the call is over and saved.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether this port belongs to the call now.
    #[must_use]
    pub fn holds(&self, port: PortId) -> bool {
        match &self.state {
            State::Ringing { ports, .. } => ports.iter().any(|p| p.id == port),
            State::Answered(talk) => talk.port.id == port,
            State::Closing { .. } | State::Ended => false,
        }
    }

    /// The record as it stands.
    #[must_use]
    pub const fn record(&self) -> &CallRecord {
        &self.record
    }

    /// The text that the phones' displays show beside the caller's number: at most 15 characters.
    #[must_use]
    pub fn display_text(&self) -> String {
        story::display_text(&self.tag, self.record.customer_name.as_deref())
    }

    /// Takes one event; an event that a state does not expect changes nothing.
    pub fn handle(&mut self, event: Event, now: Instant, wall: WallTime, out: &mut Vec<Command>) {
        self.note(event, now);
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (state, event) {
            (State::Ringing { ports, .. }, Event::OffHook(port)) => self.answer(ports, port, now, wall, out),
            (State::Ringing { ports, .. }, Event::Cancelled) => {
                self.give_up(&ports, None, Ended::Cancelled, now, out)
            }
            (State::Ringing { ports, .. }, Event::TrunkEnded(_)) => {
                self.give_up(&ports, None, Ended::Cancelled, now, out)
            }
            (State::Ringing { until, ports }, Event::Deadline) if now >= until => {
                self.give_up(&ports, Some(480), Ended::NoAnswer, now, out)
            }
            (State::Ringing { ports, .. }, Event::Stopped) => {
                self.record.outcome.why = Some("daemon_stopped".to_owned());
                self.give_up(&ports, Some(503), Ended::Failed, now, out)
            }
            (State::Answered(talk), Event::Stopped) => {
                self.record.outcome.why = Some("daemon_stopped".to_owned());
                out.extend([Command::HangUp, Command::Release(talk.port.id)]);
                self.hang_up(&talk, Ended::Interrupted, now, out)
            }
            (State::Ringing { until, ports }, Event::PortLost(port)) => {
                self.lose_port(ports, port, until, now, out)
            }
            (State::Answered(talk), Event::Media(trunk)) => State::Answered(self.join(talk, trunk, now, out)),
            (State::Answered(talk), Event::OneWay(silent)) => {
                self.silent = silent;
                self.show(BubbleState::Live, out);
                State::Answered(talk)
            }
            (State::Answered(talk), Event::TrunkEnded(end)) => {
                out.push(Command::Release(talk.port.id));
                let ended = if end == TrunkEnd::HungUp { Ended::CallerHungUp } else { Ended::TrunkLost };
                self.hang_up(&talk, ended, now, out)
            }
            (State::Answered(talk), Event::OnHook(port)) if port == talk.port.id => {
                out.push(Command::HangUp);
                self.hang_up(&talk, Ended::OfficeHungUp, now, out)
            }
            (State::Answered(talk), Event::PortLost(port)) if port == talk.port.id => {
                out.push(Command::HangUp);
                self.record.outcome.why = Some("line_lost".to_owned());
                self.hang_up(&talk, Ended::Failed, now, out)
            }
            (State::Closing { .. }, Event::Unpatched { .. }) => self.save(out),
            (State::Closing { until }, Event::Deadline) if now >= until => self.save(out),
            (same, _) => same,
        };
    }

    /// Facts that change no state, only the record.
    fn note(&mut self, event: Event, now: Instant) {
        let at_ms = now.ms_since(self.began);
        match (event, &self.state) {
            (Event::RingBegan(port) | Event::CallerIdSent(port), State::Ringing { ports, .. }) => {
                if let Some(port) = ports.iter().find(|p| p.id == port) {
                    story::note_ring(&mut self.record, event, &port.name, at_ms);
                }
            }
            (Event::AudioStarted, State::Answered(talk)) => {
                let ms = now.ms_since(talk.since);
                self.record.timing_ms.answer_to_audio.get_or_insert(ms);
            }
            (any, _) => story::note(&mut self.record, any, at_ms),
        }
    }

    fn answer(
        &mut self,
        ports: Vec<Port>,
        by: PortId,
        now: Instant,
        wall: WallTime,
        out: &mut Vec<Command>,
    ) -> State {
        let at_ms = now.ms_since(self.began);
        let (mut lifted, others): (Vec<Port>, Vec<Port>) = ports.into_iter().partition(|p| p.id == by);
        let Some(port) = lifted.pop() else {
            // A port that is not ours; the switchboard routes none such.
            return State::Ringing { until: now, ports: others };
        };
        out.extend(others.iter().map(|p| Command::StopRing(p.id)));
        self.record.timing_ms.ring = self.ring_ms(at_ms);
        self.record.timing_ms.sip_200_sent = Some(at_ms);
        self.record.answered = true;
        self.record.answered_by = Some(AnsweredBy {
            kind: "handset".to_owned(),
            port: port.name.clone(),
            evidence: "off_hook".to_owned(),
        });
        self.record.outcome.sip_status = Some(200);
        self.record.route.push(story::hop(&port.name, at_ms, "answered"));
        story::line_leg(&mut self.record, &port.name);
        self.answered_at = Some(wall);
        out.extend([Command::Answer, Command::JournalAnswered(self.record.clone())]);
        let talk = Talk { port, since: now, patched_at: None, held_since: None };
        self.state = State::Answered(talk.clone());
        self.show(BubbleState::Live, out);
        State::Answered(talk)
    }

    /// The trunk's media is settled for the first time, or anew: hold, resume, another address.
    fn join(&mut self, mut talk: Talk, trunk: Trunk, now: Instant, out: &mut Vec<Command>) -> Talk {
        for leg in self.record.legs.iter_mut().filter(|leg| leg.kind == LegKind::Trunk) {
            leg.codec = Some(trunk.codec.name().to_owned());
        }
        // RFC 3264 8.4: who puts a call on hold may go on sending, music for instance, but wants nothing of us.
        let held = !trunk.send;
        if let (Some(since), false) = (talk.held_since, held) {
            self.record.timing_ms.hold += now.ms_since(since);
            talk.held_since = None;
        } else if held {
            talk.held_since.get_or_insert(now);
        }
        if talk.patched_at.is_some() {
            out.push(Command::Change(trunk));
            return talk;
        }
        talk.patched_at = Some(now);
        if self.records {
            self.record.recording.id = Some(self.recording);
            self.record.recording.state = RecordingState::Writing;
            self.record.recording.why_none = None;
        }
        out.push(Command::Patch { port: talk.port.id, trunk, record: self.records });
        talk
    }

    fn lose_port(
        &mut self,
        mut ports: Vec<Port>,
        lost: PortId,
        until: Instant,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        ports.retain(|p| p.id != lost);
        if !ports.is_empty() {
            return State::Ringing { until, ports };
        }
        self.record.outcome.why = Some("line_fault".to_owned());
        self.give_up(&[], Some(480), Ended::Failed, now, out)
    }

    /// It rang and was not answered.
    fn give_up(
        &mut self,
        ports: &[Port],
        reply: Option<u16>,
        ended: Ended,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        out.extend(ports.iter().map(|p| Command::StopRing(p.id)));
        out.extend(reply.map(|status| Command::Reject { status }));
        self.record.outcome.sip_status = Some(reply.unwrap_or(487));
        self.record.timing_ms.ring = self.ring_ms(now.ms_since(self.began));
        self.end(ended, now, out);
        self.save(out)
    }

    /// It never rang.
    fn refuse(&mut self, status: u16, ended: Ended, why: &str, now: Instant, out: &mut Vec<Command>) {
        out.push(Command::Reject { status });
        self.record.outcome.sip_status = Some(status);
        self.record.outcome.why = Some(why.to_owned());
        self.end(ended, now, out);
        self.state = self.save(out);
    }

    /// It was answered, and one side hung up.
    fn hang_up(&mut self, talk: &Talk, ended: Ended, now: Instant, out: &mut Vec<Command>) -> State {
        self.record.timing_ms.talk = Some(now.ms_since(talk.since));
        if let Some(since) = talk.held_since {
            self.record.timing_ms.hold += now.ms_since(since);
        }
        self.end(ended, now, out);
        let Some(patched_at) = talk.patched_at else { return self.save(out) };
        if self.records {
            // Until the line's own clock tells, which also knows when the notice began the recording.
            self.record.recording.expected_ms = now.ms_since(patched_at);
        }
        out.push(Command::Unpatch);
        State::Closing { until: now.after_ms(CLOSING_MS) }
    }

    fn end(&mut self, ended: Ended, now: Instant, out: &mut Vec<Command>) {
        let total_ms = now.ms_since(self.began);
        self.record.timing_ms.total = total_ms;
        self.record.duration = total_ms / 1000;
        self.record.outcome.ended = ended;
        let what = serde_json::to_string(&ended).unwrap_or_default();
        let last = self.record.route.last().map_or(total_ms, |hop: &Hop| hop.at_ms);
        self.record.route.push(story::hop("end", total_ms.max(last), what.trim_matches('"')));
        self.show(BubbleState::Ended, out);
    }

    fn save(&mut self, out: &mut Vec<Command>) -> State {
        self.record.rev += 1;
        out.push(Command::Save(self.record.clone()));
        State::Ended
    }

    fn ring_ms(&self, at_ms: u64) -> Option<u64> {
        self.record.timing_ms.invite_to_ring.map(|began| at_ms.saturating_sub(began))
    }

    fn show(&mut self, state: BubbleState, out: &mut Vec<Command>) {
        self.bubble_rev += 1;
        let record = &self.record;
        out.push(Command::Show(Box::new(Bubble {
            call: record.id,
            rev: self.bubble_rev,
            state,
            start_time: record.start_time,
            caller_number: record.customer_phone_number.clone(),
            presentation: record.customer_number_presentation,
            caller_name: record.customer_name.clone(),
            tracking_number: record.tracking_phone_number.clone(),
            campaign: record.campaign.as_ref().map(|c| c.name.clone()).unwrap_or_default(),
            port: record.answered_by.as_ref().map(|by| by.port.clone()),
            answered_at: self.answered_at,
            recording: self.records && state == BubbleState::Live,
            silent: self.silent.filter(|_| state == BubbleState::Live),
            ended: (state == BubbleState::Ended).then_some(record.outcome.ended),
        })));
    }
}
