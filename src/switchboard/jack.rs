//! A port of the board and the machine behind it, and which calls have to do with it: maps, and no states of their own.

use super::input::{JackSettings, MachineSettings};
use crate::{
    call::{
        ring_group::{Availability, Port},
        untracked::UntrackedId,
    },
    id::{CallId, PortId, Slot},
    line::{fxo::Fxo, fxs::Fxs, two_calls::TwoCalls},
    time::Instant,
};
use std::collections::BTreeMap;

/// A call of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User {
    Call(CallId),
    Untracked(UntrackedId),
}

/// One port.
pub(super) struct Jack {
    pub(super) port: Port,
    pub(super) slot: Slot,
    pub(super) machine: Machine,
    pub(super) calls: TwoCalls<User>,
}

#[allow(clippy::large_enum_variant, reason = "a handful of ports, made once")]
pub(super) enum Machine {
    Fxs(Fxs),
    Fxo(Fxo),
}

impl Jack {
    fn new(settings: &JackSettings) -> Self {
        let machine = match &settings.machine {
            MachineSettings::Fxs(fxs) => Machine::Fxs(Fxs::new(*fxs)),
            MachineSettings::Fxo(fxo) => Machine::Fxo(Fxo::new(*fxo)),
        };
        Self { port: settings.port.clone(), slot: settings.slot, machine, calls: TwoCalls::default() }
    }

    /// Whether a call may have the port; `talks`: a person on it may be told of another call.
    pub(super) fn availability(&self, talks: bool) -> Availability {
        match &self.machine {
            Machine::Fxs(fxs) if !fxs.is_up() => Availability::Down,
            Machine::Fxs(fxs) if fxs.is_idle() && self.calls.active().is_none() => Availability::Idle,
            Machine::Fxs(fxs) if talks && fxs.is_off_hook() && self.calls.has_room() => {
                Availability::InConversation
            }
            Machine::Fxo(fxo) if !fxo.is_up() => Availability::Down,
            Machine::Fxo(fxo) if !fxo.is_fed() => Availability::Dead,
            Machine::Fxo(fxo) if fxo.is_free() && self.calls.active().is_none() => Availability::Idle,
            Machine::Fxs(_) | Machine::Fxo(_) => Availability::Busy,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Fxs(fxs) => fxs.deadline(),
            Machine::Fxo(fxo) => fxo.deadline(),
        }
    }

    pub(super) const fn fxs(&self) -> Option<&Fxs> {
        match &self.machine {
            Machine::Fxs(fxs) => Some(fxs),
            Machine::Fxo(_) => None,
        }
    }

    pub(super) const fn fxo(&self) -> Option<&Fxo> {
        match &self.machine {
            Machine::Fxo(fxo) => Some(fxo),
            Machine::Fxs(_) => None,
        }
    }
}

/// Every port of the board.
pub(super) struct Jacks(BTreeMap<PortId, Jack>);

impl Jacks {
    pub(super) fn new(settings: &[JackSettings]) -> Self {
        Self(settings.iter().map(|jack| (jack.port.id, Jack::new(jack))).collect())
    }

    pub(super) fn get(&self, port: PortId) -> Option<&Jack> {
        self.0.get(&port)
    }

    pub(super) fn get_mut(&mut self, port: PortId) -> Option<&mut Jack> {
        self.0.get_mut(&port)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Jack> {
        self.0.values()
    }

    pub(super) fn at_slot(&self, slot: Slot) -> Option<&Jack> {
        self.iter().find(|jack| jack.slot == slot)
    }

    /// Ports that this call rings, is heard on, or waits at.
    pub(super) fn of(&self, user: User) -> Vec<PortId> {
        self.iter().filter(|jack| jack.calls.involves(user)).map(|jack| jack.port.id).collect()
    }

    /// Ports whose machine has something to do by now.
    pub(super) fn due(&self, now: Instant) -> Vec<PortId> {
        let due = |jack: &&Jack| jack.deadline().is_some_and(|at| at <= now);
        self.iter().filter(due).map(|jack| jack.port.id).collect()
    }
}
