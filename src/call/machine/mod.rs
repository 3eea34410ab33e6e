//! One tracked call, from the INVITE to its record.
//!
//! ```text
//!   offer ──► Ringing ── off hook ──► Answered ── a side hangs up ──► Closing ── counters or 200 ms ──► Ended
//!     │          │                      │ line taken: Leaving, until the caller has heard why ──► Closing │
//!     │          └── cancelled, nobody answers, lines lost ─────────────────────────────────────────────►│
//!     └── every port busy, line fault, no common codec ──────────────────────────────────────────────────►┘
//! ```
//! "Answered" means that a handset went off hook, or that the far end of the office line was proven to answer, never
//! that a 200 was sent. The record is saved exactly once.

mod talk;

use super::{
    bubble::{Bubble, BubbleState},
    event::{Command, Event, Evidence, LineFault},
    incoming::{Identity, Incoming, Route},
    ring_group::{Port, PortKind, RingGroup},
    story,
};
use crate::{
    id::{PortId, RecordingId},
    record::{AnsweredBy, CallRecord, Ended, Hop, LegKind},
    rtp::session::Trunk,
    time::{Instant, WallTime},
};

/// How long the end of a call waits for the patch's counters.
const CLOSING_MS: u64 = 200;
/// How long it waits for a line that has opened to show whether its battery returns (GR-506: an open loop of up to
/// 900 ms is a hang-up).
const VERDICT_MS: u64 = 2_500;
/// How long a caller whose line was taken may listen to why.
const LEAVING_MS: u64 = 8_000;

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

#[derive(Clone, Debug)]
enum State {
    Ringing { until: Instant, ports: Vec<Port> },
    Answered(Talk),
    Leaving { talk: Talk, until: Instant },
    Closing(Closing),
    Ended,
}

/// What the record of a call that is over still waits for.
#[derive(Clone, Copy, Debug)]
struct Closing {
    until: Instant,
    /// The patch's counters.
    counters: bool,
    /// Whether this line was hung up or pulled out: the exchange opens the loop for both.
    line: Option<PortId>,
}

#[derive(Clone, Debug)]
struct Talk {
    port: Port,
    since: Instant,
    patched_at: Option<Instant>,
    held_since: Option<Instant>,
    /// The phone talks to somebody else.
    parked: bool,
    /// The trunk's side, settled while it did.
    unjoined: Option<Trunk>,
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
    is_paused: bool,
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
            is_paused: false,
            record: Box::new(story::begin(identity, incoming, route, &settings.consent_policy)),
        };
        match (refused, group) {
            (Some(why), _) => call.refuse(488, Ended::Failed, why, now, out),
            (None, RingGroup::Busy) => {
                call.refuse(486, Ended::Busy, "all_ports_busy", now, out);
            }
            (None, RingGroup::Fault(fault)) => {
                call.refuse(fault.sip_status(), Ended::Failed, fault.why(), now, out);
            }
            (None, RingGroup::Closed) => {
                call.refuse(503, Ended::Failed, "daemon_stopped", now, out);
            }
            (None, RingGroup::Loop) => call.refuse(482, Ended::Failed, "loop", now, out),
            (None, RingGroup::Rings(ports)) => {
                out.push(Command::JournalRinging(call.record.clone()));
                call.show(BubbleState::Ringing, out);
                out.extend(ports.iter().map(|port| Command::Ring(port.id)));
                // Of the far end of a line nobody knows yet whether it rings.
                out.extend(ports.iter().any(|port| port.kind != PortKind::Line).then_some(Command::Ringing));
                call.state = State::Ringing { until: now.after_ms(settings.ring_timeout_ms), ports };
            }
        }
        call
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Ringing { until, .. }
            | State::Leaving { until, .. }
            | State::Closing(Closing { until, .. }) => Some(*until),
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
            State::Leaving { .. } | State::Closing(_) | State::Ended => false,
        }
    }

    /// Whether two people are joined now, so that another call may be announced to the one at the phone.
    #[must_use]
    pub const fn is_talking(&self) -> bool {
        matches!(&self.state, State::Answered(talk) if talk.patched_at.is_some() && !talk.parked)
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
        self.state = match state {
            State::Ringing { until, ports } => self.ringing((ports, until), event, now, wall, out),
            State::Answered(talk) => self.answered(talk, event, now, out),
            State::Leaving { talk, until } => self.leaving(talk, until, event, now, out),
            State::Closing(closing) => self.close(closing, event, now, out),
            State::Ended => State::Ended,
        };
    }

    fn ringing(
        &mut self,
        (ports, until): (Vec<Port>, Instant),
        event: Event,
        now: Instant,
        wall: WallTime,
        out: &mut Vec<Command>,
    ) -> State {
        match event {
            Event::OffHook(port) => self.answer(ports, (port, Evidence::OffHook), now, wall, out),
            Event::LineAnswered(port, evidence) => self.answer(ports, (port, evidence), now, wall, out),
            Event::RingBegan(port) => {
                // The number is dialled: from now on the far end may be ringing.
                let is_line = |p: &Port| p.id == port && p.kind == PortKind::Line;
                out.extend(ports.iter().any(is_line).then_some(Command::Ringing));
                State::Ringing { until, ports }
            }
            Event::Cancelled | Event::TrunkEnded(_) => self.give_up(&ports, None, Ended::Cancelled, now, out),
            Event::Deadline if now >= until => self.give_up(&ports, Some(480), Ended::NoAnswer, now, out),
            Event::Stopped => {
                self.record.outcome.why = Some("daemon_stopped".to_owned());
                self.give_up(&ports, Some(503), Ended::Failed, now, out)
            }
            Event::PortLost(port) | Event::LineOpened(port) => {
                self.lose_port((ports, until), port, LineFault::Broken, now, out)
            }
            Event::LineRefused(port, fault) => self.lose_port((ports, until), port, fault, now, out),
            Event::Taken(port) => self.lose_port((ports, until), port, LineFault::Taken, now, out),
            // A phone that rings is on hook; it is a line, whose far end is busy.
            Event::OnHook(port) => self.lose_port((ports, until), port, LineFault::FarEndBusy, now, out),
            _ => State::Ringing { until, ports },
        }
    }

    /// Facts that change no state, only the record.
    fn note(&mut self, event: Event, now: Instant) {
        let at_ms = now.ms_since(self.began);
        match (event, &self.state) {
            (
                Event::RingBegan(port) | Event::CallerIdSent(port) | Event::LineSeized(port),
                State::Ringing { ports, .. },
            ) => {
                if let Some(port) = ports.iter().find(|p| p.id == port) {
                    story::note_ring(&mut self.record, event, port, at_ms);
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
        (by, evidence): (PortId, Evidence),
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
            kind: story::answerer(port.kind).to_owned(),
            port: port.name.clone(),
            evidence: evidence.name().to_owned(),
        });
        self.record.outcome.sip_status = Some(200);
        self.record.route.push(story::hop(&port.name, at_ms, "answered"));
        story::line_leg(&mut self.record, &port.name);
        self.answered_at = Some(wall);
        out.extend([Command::Answer, Command::JournalAnswered(self.record.clone())]);
        let talk =
            Talk { port, since: now, patched_at: None, held_since: None, parked: false, unjoined: None };
        self.state = State::Answered(talk.clone());
        self.show(BubbleState::Live, out);
        State::Answered(talk)
    }

    fn lose_port(
        &mut self,
        (mut ports, until): (Vec<Port>, Instant),
        lost: PortId,
        fault: LineFault,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        ports.retain(|p| p.id != lost);
        if !ports.is_empty() {
            return State::Ringing { until, ports };
        }
        self.record.outcome.why = Some(fault.why().to_owned());
        let ended = if fault.is_busy() { Ended::Busy } else { Ended::Failed };
        self.give_up(&[], Some(fault.sip_status()), ended, now, out)
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
        let is_up = state == BubbleState::Live;
        let state = if is_up && self.is_paused { BubbleState::Paused } else { state };
        let record = &self.record;
        out.push(Command::Show(Box::new(Bubble {
            call: record.id,
            rev: self.bubble_rev,
            state,
            start_time: record.start_time,
            caller_number: record.customer_phone_number.clone(),
            presentation: record.customer_number_presentation,
            caller_name: record.customer_name.clone(),
            verified: record.verstat.as_deref().is_some_and(story::is_verified),
            tracking_number: record.tracking_phone_number.clone(),
            campaign: record.campaign.as_ref().map(|c| c.name.clone()).unwrap_or_default(),
            port: record.answered_by.as_ref().map(|by| by.port.clone()),
            answered_at: self.answered_at,
            recording: self.records && state == BubbleState::Live,
            silent: self.silent.filter(|_| is_up),
            ended: (state == BubbleState::Ended).then_some(record.outcome.ended),
            why: record.outcome.why.clone().filter(|_| state == BubbleState::Ended),
        })));
    }
}
