//! The ports that a call may reach, tracked or direct, and what of them can be had when it comes in.

use super::event::LineFault;
use crate::id::PortId;

/// One analog port of the ring group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its index.
    pub id: PortId,
    /// Its name in the board profile.
    pub name: String,
    /// What is behind it.
    pub kind: PortKind,
}

/// What is behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A handset: who lifts it has answered.
    Phone,
    /// An office exchange (PBX): what answers may be a machine, until two people are heard.
    Exchange,
    /// The office line: the forwarding number is dialled on it.
    Line,
}

/// Whether a port can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Its chip does not work.
    Down,
    /// Its line has no battery.
    Dead,
    /// It is taken.
    Busy,
    /// A person talks on it, and may be told of another call.
    InConversation,
    /// It is free.
    Idle,
}

/// What the ring group looks like when a call comes in.
#[derive(Clone, Debug)]
pub enum RingGroup {
    /// These ports are to ring: all that are idle, or one where a person hears that a call waits.
    Rings(Vec<Port>),
    /// Every port is busy.
    Busy,
    /// No port of the group works, the last of them for this reason.
    Fault(LineFault),
    /// The daemon stops.
    Closed,
    /// The call is our own, come back to us.
    Loop,
}

impl RingGroup {
    /// Judges a group by its ports. Without `room` for another call's audio everybody is busy; a direct call, which
    /// takes none of the trunk's, always has room.
    pub fn choose(ports: impl Iterator<Item = (Port, Availability)>, room: bool) -> Self {
        let (up, down): (Vec<_>, Vec<_>) =
            ports.partition(|(_, is)| !matches!(is, Availability::Down | Availability::Dead));
        if up.is_empty() {
            let is_dead = down.last().is_some_and(|(_, is)| *is == Availability::Dead);
            return Self::Fault(if is_dead { LineFault::Dead } else { LineFault::Broken });
        }
        let are = |wanted: Availability| {
            up.iter().filter(move |(_, is)| *is == wanted).map(|(port, _)| port.clone())
        };
        let idle: Vec<Port> = are(Availability::Idle).collect();
        match (room, idle.is_empty()) {
            (false, _) => Self::Busy,
            (true, false) => Self::Rings(idle),
            (true, true) => {
                are(Availability::InConversation).next().map_or(Self::Busy, |port| Self::Rings(vec![port]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ports: &[Availability], room: bool) -> String {
        let port = |n: u8| Port { id: PortId(n), name: format!("P{n}"), kind: PortKind::Phone };
        match RingGroup::choose((0..).map(port).zip(ports.iter().copied()), room) {
            RingGroup::Rings(ports) => ports.into_iter().map(|port| port.name).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn all_idle_ports_ring_else_one_person_hears_that_a_call_waits() {
        use Availability::{Busy, Dead, Down, Idle, InConversation as Talks};
        for (ports, room, expected) in [
            (&[Idle, Busy, Idle][..], true, "P0 P2"),
            (&[Talks, Idle], true, "P1"),
            (&[Busy, Talks, Talks], true, "P1"),
            (&[Busy, Busy], true, "Busy"),
            (&[Idle, Talks], false, "Busy"),
            (&[Down, Busy], true, "Busy"),
            (&[Down, Down], true, "Fault(Broken)"),
            (&[Down, Dead], true, "Fault(Dead)"),
            (&[], true, "Fault(Broken)"),
        ] {
            assert_eq!(chosen(ports, room), expected, "{ports:?}");
        }
    }
}
