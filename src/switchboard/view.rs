//! What the ports are doing and which untracked calls are up: for the panel, the lifeline and the screens. Read only.

use super::{
    Switchboard,
    jack::{Jack, Machine, User},
};
use crate::{
    call::untracked::Kind,
    id::PortId,
    line::fxo::{Alarm, Learned},
    status::{Battery, LineState, PhoneState},
    time::Instant,
};

/// A phone: an FXS port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneView {
    /// The port.
    pub port: PortId,
    /// What it does.
    pub state: PhoneState,
}

/// An office line: an FXO port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineView {
    /// The port.
    pub port: PortId,
    /// What it does.
    pub state: LineState,
    /// Whether its chip is up.
    pub is_up: bool,
    /// What the exchange feeds it with, if the chip can tell.
    pub battery: Option<Battery>,
    /// What it has shown so far.
    pub learned: Learned,
}

/// A call that is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedView {
    /// What it is.
    pub kind: Kind,
    /// The office line that it holds.
    pub line: Option<PortId>,
    /// The phone that has to do with it, if it is only one.
    pub phone: Option<PortId>,
    /// When it began.
    pub since: Instant,
}

impl Switchboard {
    /// Every phone, in the order of the board.
    pub fn phones(&self) -> impl Iterator<Item = PhoneView> {
        let phone = |jack: &Jack| Some(PhoneView { port: jack.port.id, state: self.phone_state(jack)? });
        self.jacks.iter().filter_map(phone)
    }

    /// Every office line, in the order of the board.
    pub fn lines(&self) -> impl Iterator<Item = LineView> {
        self.jacks.iter().filter_map(|jack| {
            let fxo = jack.fxo()?;
            let battery = match (fxo.shown(), fxo.is_shared()) {
                (LineState::Down, _) => (fxo.is_up() && is_dead(fxo)).then_some(Battery::Absent),
                (_, true) => Some(Battery::Shared),
                (_, false) => Some(Battery::Whole),
            };
            Some(LineView {
                port: jack.port.id,
                state: fxo.shown(),
                is_up: fxo.is_up(),
                battery,
                learned: fxo.learned(),
            })
        })
    }

    /// Calls that are passed through, oldest first. A phone that has only dial tone is in none.
    pub fn passed_calls(&self) -> impl Iterator<Item = PassedView> {
        self.passed.values().filter(|passed| passed.call.is_call()).map(|passed| PassedView {
            kind: passed.call.kind(),
            line: passed.call.line(),
            phone: passed.call.phone(),
            since: passed.since,
        })
    }

    /// Whether any call, tracked or not, is up.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !self.calls.is_empty() || self.passed_calls().next().is_some()
    }

    fn phone_state(&self, jack: &Jack) -> Option<PhoneState> {
        let Machine::Fxs(fxs) = &jack.machine else { return None };
        let has_call = |user: User| match user {
            User::Call(_) => true,
            User::Untracked(call) => self.passed.get(&call).is_some_and(|passed| passed.call.is_call()),
        };
        Some(if !fxs.is_up() {
            PhoneState::Down
        } else if fxs.is_ringing() {
            PhoneState::Ringing
        } else if fxs.is_at_rest() {
            PhoneState::Idle
        } else if fxs.is_off_hook() && jack.calls.active().is_some_and(has_call) {
            PhoneState::Talking
        } else {
            PhoneState::OffHook
        })
    }
}

/// Whether it is known that the line has no battery; a chip that has just come up has not looked yet.
fn is_dead(fxo: &crate::line::fxo::Fxo) -> bool {
    fxo.is_alarmed(Alarm::Unplugged) || fxo.is_alarmed(Alarm::BatteryNotBack)
}
