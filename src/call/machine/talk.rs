//! A call that was answered: joined with its port, parked while the phone talks to somebody else, and hung up.

use super::{CLOSING_MS, Call, Closing, LEAVING_MS, State, Talk, VERDICT_MS};
use crate::{
    call::{
        bubble::BubbleState,
        event::{Command, Event, Evidence, LineFault, TrunkEnd},
        ring_group::PortKind,
        story,
    },
    id::PortId,
    record::{Ended, LegKind, RecordingState},
    rtp::session::Trunk,
    time::Instant,
};

impl Call {
    /// Two people talk, or one of them does not hear the other for a while.
    pub(super) fn answered(
        &mut self,
        talk: Talk,
        event: Event,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        let port = talk.port.id;
        match event {
            Event::Stopped => {
                self.record.outcome.why = Some("daemon_stopped".to_owned());
                out.extend([Command::HangUp, Command::Release(port)]);
                self.hang_up(&talk, Ended::Interrupted, now, out)
            }
            Event::Media(trunk) => State::Answered(self.join(talk, trunk, now, out)),
            Event::OneWay(silent) => {
                self.silent = silent;
                self.show(BubbleState::Live, out);
                State::Answered(talk)
            }
            Event::PauseAsked => State::Answered(self.pause(talk, true, out)),
            Event::ResumeAsked => State::Answered(self.pause(talk, false, out)),
            Event::Parked => State::Answered(self.park(talk, now, out)),
            Event::OffHook(by) if talk.parked => State::Answered(self.resume(talk, by, now, out)),
            Event::TwoWay => {
                self.promote();
                State::Answered(talk)
            }
            Event::Taken(taken) if taken == port => self.leave(talk, now, out),
            Event::TrunkEnded(end) => {
                out.push(Command::Release(port));
                let ended = if end == TrunkEnd::HungUp { Ended::CallerHungUp } else { Ended::TrunkLost };
                self.hang_up(&talk, ended, now, out)
            }
            Event::OnHook(by) if by == port => {
                out.push(Command::HangUp);
                self.hang_up(&talk, Ended::OfficeHungUp, now, out)
            }
            Event::LineOpened(by) if by == port => self.hang_up_opened(&talk, now, out),
            Event::PortLost(lost) if lost == port => {
                out.push(Command::HangUp);
                self.record.outcome.why = Some("line_lost".to_owned());
                self.hang_up(&talk, Ended::Failed, now, out)
            }
            _ => State::Answered(talk),
        }
    }

    /// The line was taken, and the caller hears why.
    pub(super) fn leaving(
        &mut self,
        talk: Talk,
        until: Instant,
        event: Event,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        let has_left = match event {
            Event::TrunkEnded(_) => return self.hang_up(&talk, Ended::Interrupted, now, out),
            Event::Media(trunk) => {
                out.push(Command::Change(trunk));
                false
            }
            Event::ReasonSaid(port) => port == talk.port.id,
            Event::Deadline => now >= until,
            Event::Stopped => true,
            _ => false,
        };
        if !has_left {
            return State::Leaving { talk, until };
        }
        out.push(Command::HangUp);
        self.hang_up(&talk, Ended::Interrupted, now, out)
    }

    /// The trunk's media is settled for the first time, or anew: hold, resume, another address.
    fn join(&mut self, mut talk: Talk, trunk: Trunk, now: Instant, out: &mut Vec<Command>) -> Talk {
        for leg in self.record.legs.iter_mut().filter(|leg| leg.kind == LegKind::Trunk) {
            leg.codec = Some(trunk.codec.name().to_owned());
        }
        // RFC 3264 8.4: who puts a call on hold may go on sending, music for instance, but wants nothing of us.
        let held = !trunk.send;
        if let (Some(since), false) = (talk.held_since, held || talk.parked) {
            self.record.timing_ms.hold += now.ms_since(since);
            talk.held_since = None;
        } else if held {
            talk.held_since.get_or_insert(now);
        }
        if talk.patched_at.is_some() {
            out.push(Command::Change(trunk));
        } else if talk.parked {
            // The phone is another call's; it is joined when it comes back.
            talk.unjoined = Some(trunk);
        } else {
            self.patch(&mut talk, trunk, now, out);
        }
        talk
    }

    fn patch(&mut self, talk: &mut Talk, trunk: Trunk, now: Instant, out: &mut Vec<Command>) {
        talk.patched_at = Some(now);
        if self.records {
            self.record.recording.id = Some(self.recording);
            self.record.recording.state = RecordingState::Writing;
            self.record.recording.why_none = None;
        }
        out.push(Command::Patch { port: talk.port.id, trunk, record: self.records });
        // Somebody was faster than the trunk: not a word of it.
        out.extend(self.is_paused.then_some(Command::Pause));
    }

    /// The recording is paused, and goes on when somebody says so, never by itself.
    fn pause(&mut self, talk: Talk, is_paused: bool, out: &mut Vec<Command>) -> Talk {
        if !self.records || self.is_paused == is_paused {
            return talk;
        }
        self.is_paused = is_paused;
        if talk.patched_at.is_some() {
            out.push(if is_paused { Command::Pause } else { Command::Resume });
        }
        self.show(BubbleState::Live, out);
        talk
    }

    /// The phone takes another call: this one goes on without it.
    fn park(&mut self, mut talk: Talk, now: Instant, out: &mut Vec<Command>) -> Talk {
        talk.parked = true;
        talk.held_since.get_or_insert(now);
        out.extend(talk.patched_at.is_some().then_some(Command::Park));
        talk
    }

    fn resume(&mut self, mut talk: Talk, port: PortId, now: Instant, out: &mut Vec<Command>) -> Talk {
        talk.parked = false;
        if let Some(since) = talk.held_since.take() {
            self.record.timing_ms.hold += now.ms_since(since);
        }
        if let Some(trunk) = talk.unjoined.take() {
            self.patch(&mut talk, trunk, now, out);
        } else if talk.patched_at.is_some() {
            out.push(Command::Unpark(port));
        }
        talk
    }

    /// Two people have been heard: no machine answered.
    fn promote(&mut self) {
        if let Some(by) = &mut self.record.answered_by
            && (by.kind == story::answerer(PortKind::Exchange) || by.evidence == Evidence::Assumed.name())
        {
            by.evidence = "two_way_speech".to_owned();
            if by.kind == story::answerer(PortKind::Exchange) {
                by.kind = "human".to_owned();
            }
        }
    }

    /// An emergency call needs the line: the caller is told why, and then let go.
    fn leave(&mut self, talk: Talk, now: Instant, out: &mut Vec<Command>) -> State {
        self.record.outcome.why = Some(LineFault::Taken.why().to_owned());
        let at_ms = now.ms_since(self.began);
        self.record.route.push(story::hop(&talk.port.name, at_ms, "taken for an emergency call"));
        if talk.patched_at.is_none() {
            out.push(Command::HangUp);
            return self.hang_up(&talk, Ended::Interrupted, now, out);
        }
        out.extend([Command::SayTaken(talk.port.id), Command::Park]);
        State::Leaving { talk, until: now.after_ms(LEAVING_MS) }
    }

    /// It was answered, and one side hung up.
    pub(super) fn hang_up(
        &mut self,
        talk: &Talk,
        ended: Ended,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
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
        State::Closing(Closing { until: now.after_ms(CLOSING_MS), counters: true, line: None })
    }

    /// The exchange has opened the loop: its far end hung up, or somebody pulled the cable.
    fn hang_up_opened(&mut self, talk: &Talk, now: Instant, out: &mut Vec<Command>) -> State {
        out.push(Command::HangUp);
        match self.hang_up(talk, Ended::OfficeHungUp, now, out) {
            State::Closing(closing) => {
                let until = now.after_ms(VERDICT_MS);
                State::Closing(Closing { until, line: Some(talk.port.id), ..closing })
            }
            ended => ended,
        }
    }

    /// The record waits for what is still to come, and not for long.
    pub(super) fn close(
        &mut self,
        mut closing: Closing,
        event: Event,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> State {
        match event {
            Event::Unpatched { .. } => closing.counters = false,
            Event::LineFree(port) if closing.line == Some(port) => closing.line = None,
            Event::LineDead(port) if closing.line == Some(port) => {
                self.record.outcome.why = Some("line_lost".to_owned());
                self.record.outcome.ended = Ended::Failed;
                closing.line = None;
            }
            Event::Deadline if now >= closing.until => (closing.counters, closing.line) = (false, None),
            _ => {}
        }
        if closing.counters || closing.line.is_some() { State::Closing(closing) } else { self.save(out) }
    }
}
