//! A call that somebody placed straight to the office line: it rings the phones and is joined with the one that is
//! lifted.
//!
//! ```text
//!   offer ──► Ringing ── a phone is lifted ──► Answering ── line off hook ──► Talking ⇄ Parked
//!                │                                  │                            │
//!                └── the caller gives up, line lost ┴── either side hangs up ────┴──► Ended
//! ```

use super::{Command, Event, Kind};
use crate::{call::ring_group::RingGroup, id::PortId};

#[derive(Clone, Debug)]
enum State {
    Ringing {
        phones: Vec<PortId>,
    },
    Answering {
        phone: PortId,
    },
    Talking {
        phone: PortId,
    },
    /// The phone talks to somebody else, and rings for us if it is hung up.
    Parked {
        phone: PortId,
    },
    Ended,
}

/// One direct call.
#[derive(Debug)]
pub struct Direct {
    line: PortId,
    joined: bool,
    state: State,
}

impl Direct {
    /// The office line rings, and with it those of the office's phones that can; if none can, nobody answers here.
    pub fn offer(line: PortId, group: RingGroup, out: &mut Vec<Command>) -> Self {
        let phones: Vec<PortId> = match group {
            RingGroup::Rings(ports) => ports.into_iter().map(|port| port.id).collect(),
            RingGroup::Busy | RingGroup::Fault(_) | RingGroup::Closed | RingGroup::Loop => Vec::new(),
        };
        out.extend(phones.iter().map(|phone| Command::Ring(*phone)));
        Self { line, joined: false, state: State::Ringing { phones } }
    }

    /// The office line.
    #[must_use]
    pub const fn line(&self) -> PortId {
        self.line
    }

    pub(super) const fn phone(&self) -> Option<PortId> {
        match self.state {
            State::Answering { phone } | State::Talking { phone } | State::Parked { phone } => Some(phone),
            State::Ringing { .. } | State::Ended => None,
        }
    }

    pub(super) const fn is_talking(&self) -> bool {
        matches!(self.state, State::Talking { .. })
    }

    pub(super) fn handle(&mut self, event: Event, out: &mut Vec<Command>) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (state, event) {
            (State::Ringing { phones }, Event::OffHook(phone)) if phones.contains(&phone) => {
                out.extend(phones.iter().filter(|p| **p != phone).map(|p| Command::StopRing(*p)));
                out.push(Command::AnswerLine(self.line));
                State::Answering { phone }
            }
            (State::Ringing { mut phones }, Event::PhoneLost(phone)) => {
                phones.retain(|p| *p != phone);
                State::Ringing { phones }
            }
            (
                State::Ringing { phones },
                Event::RingStopped
                | Event::LineGone
                | Event::LineLost
                | Event::LineRefused
                | Event::Taken
                | Event::Stopped,
            ) => {
                out.extend(phones.iter().map(|p| Command::StopRing(*p)));
                self.end(out)
            }
            (State::Answering { phone }, Event::LineSeized) => {
                self.joined = true;
                out.push(Command::Join { phone, line: self.line });
                State::Talking { phone }
            }
            (State::Talking { phone }, Event::Parked) => {
                out.push(Command::Part(phone));
                State::Parked { phone }
            }
            (State::Parked { .. }, Event::OffHook(phone)) => {
                out.push(Command::Join { phone, line: self.line });
                State::Talking { phone }
            }
            (
                State::Answering { phone } | State::Talking { phone },
                Event::OnHook(by) | Event::PhoneLost(by),
            ) if by == phone => self.hang_up(phone, out),
            // It was held, and nobody came back for it.
            (State::Parked { phone }, Event::OnHook(by) | Event::PhoneLost(by)) if by == phone => {
                self.hang_up(phone, out)
            }
            (
                State::Answering { phone } | State::Talking { phone } | State::Parked { phone },
                Event::LineGone
                | Event::LineLost
                | Event::LineRefused
                | Event::RingStopped
                | Event::Taken
                | Event::Stopped,
            ) => {
                let ended = self.hang_up(phone, out);
                out.push(Command::Release(phone));
                ended
            }
            (same, _) => same,
        };
    }

    fn hang_up(&self, phone: PortId, out: &mut Vec<Command>) -> State {
        out.push(Command::Part(phone));
        self.end(out)
    }

    fn end(&self, out: &mut Vec<Command>) -> State {
        out.extend([
            Command::HangUpLine(self.line),
            Command::End { kind: Kind::Direct, joined: self.joined },
        ]);
        State::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ring_group::{Port, PortKind};

    const LINE: PortId = PortId(2);
    const PHONES: [PortId; 2] = [PortId(0), PortId(1)];

    fn phones() -> RingGroup {
        let phone = |id| Port { id, name: String::new(), kind: PortKind::Phone };
        RingGroup::Rings(PHONES.map(phone).to_vec())
    }

    fn course(events: &[Event]) -> Vec<Command> {
        let mut out = Vec::new();
        let mut call = Direct::offer(LINE, phones(), &mut out);
        out.clear();
        events.iter().for_each(|event| call.handle(*event, &mut out));
        out
    }

    fn end(joined: bool) -> [Command; 2] {
        [Command::HangUpLine(LINE), Command::End { kind: Kind::Direct, joined }]
    }

    #[test]
    fn the_phones_ring_that_can_and_a_busy_office_rings_none() {
        for (group, ringing) in [(phones(), &PHONES[..]), (RingGroup::Busy, &[])] {
            let mut out = Vec::new();
            let mut call = Direct::offer(LINE, group, &mut out);
            assert_eq!(out, ringing.iter().copied().map(Command::Ring).collect::<Vec<_>>());
            out.clear();
            call.handle(Event::OffHook(PortId(7)), &mut out);
            assert_eq!(out, [], "another phone");
        }
    }

    #[test]
    fn the_phone_that_is_lifted_is_joined_with_the_line_once_it_is_off_hook() {
        let out = course(&[Event::OffHook(PHONES[1]), Event::LineSeized]);
        let join = Command::Join { phone: PHONES[1], line: LINE };
        assert_eq!(out, [Command::StopRing(PHONES[0]), Command::AnswerLine(LINE), join]);
    }

    #[test]
    fn a_caller_who_gives_up_silences_every_phone() {
        let out = course(&[Event::RingStopped]);
        assert_eq!(out[..2], PHONES.map(Command::StopRing));
        assert_eq!(out[2..], end(false));
    }

    #[test]
    fn the_office_hangs_up_and_the_line_is_free() {
        let out = course(&[Event::OffHook(PHONES[0]), Event::LineSeized, Event::OnHook(PHONES[0])]);
        assert_eq!(out[3..], [&[Command::Part(PHONES[0])][..], &end(true)].concat());
    }

    #[test]
    fn the_caller_hangs_up_and_the_phone_is_let_go() {
        let out = course(&[Event::OffHook(PHONES[0]), Event::LineSeized, Event::LineGone]);
        assert_eq!(out.last(), Some(&Command::Release(PHONES[0])));
    }

    #[test]
    fn a_call_that_is_parked_is_joined_again() {
        let talk = [Event::OffHook(PHONES[0]), Event::LineSeized];
        let out = course(&[&talk[..], &[Event::Parked, Event::OffHook(PHONES[0])]].concat());
        let join = Command::Join { phone: PHONES[0], line: LINE };
        assert_eq!(out[3..], [Command::Part(PHONES[0]), join]);
    }

    #[test]
    fn a_phone_of_another_call_changes_nothing() {
        assert_eq!(course(&[Event::OffHook(PortId(7)), Event::OnHook(PHONES[0])]), []);
    }
}
