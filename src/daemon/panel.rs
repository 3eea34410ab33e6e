//! Front panel and lifeline of the running box: what the switchboard does becomes lights, presses become wishes, and
//! the relay parts line and phone while all is well.

use super::{hardware::Celsius, status::BoxState};
use crate::{
    board::Profile,
    id::PortId,
    io::{address, front_panel::Lights},
    panel::{
        DeviceError, Edge, Relay,
        button::{self, Button, Stage},
        led::{self, Facts, Led, Light, Net, Power, Sync, lights},
        lifeline::{self, Fault, Lifeline},
    },
    status::{
        self, Battery, LedColour, LedPattern, LedStatus, LineState, PhoneState, Severity, SyncState,
        SyncStatus, TrunkState,
    },
    switchboard::Switchboard,
    time::Instant,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::mpsc::Sender,
};

/// How often the sensors and the network are looked at.
const SLOW_LOOK_MS: u64 = 10_000;
/// Threads without which no call works.
const VITAL: [&str; 2] = ["media", "line-io"];
/// Alarms that mean the same.
const FATAL: [&str; 3] = ["media", "threads", "chips"];

/// The panel as the signalling thread has it.
pub(super) struct Panel {
    lights: Sender<Lights>,
    /// The LEDs that the board has, by the name beside them.
    names: BTreeMap<Led, String>,
    shown: Facts,
    button: Button,
    stage: Stage,
    /// Alarms that somebody has seen.
    seen: BTreeSet<String>,
    pair: Option<Pair>,
    celsius: Celsius,
    trunk: Option<SocketAddr>,
    address: Option<IpAddr>,
    slow_look: Instant,
}

/// The pair of the lifeline.
struct Pair {
    line: PortId,
    phone: PortId,
    relay: Box<dyn Relay>,
    policy: Lifeline,
}

/// What `ringside status` shows of it.
pub(super) struct PanelStatus {
    pub(super) leds: Vec<LedStatus>,
    pub(super) lifeline: Option<status::Lifeline>,
    pub(super) set_up: bool,
}

impl Panel {
    /// A panel that nobody has touched. `lights` go to its thread; `trunk` is where the address is asked for.
    pub(super) fn new(
        profile: &Profile,
        lights: Sender<Lights>,
        (relay, celsius): (Option<Box<dyn Relay>>, Celsius),
        trunk: Option<SocketAddr>,
    ) -> Self {
        let pair = profile.lifeline_pairs().next().zip(relay);
        Self {
            lights,
            names: names(profile),
            shown: Facts::default(),
            button: Button::new(),
            stage: Stage::Rest,
            seen: BTreeSet::new(),
            pair: pair.map(|((line, phone), relay)| Pair { line, phone, relay, policy: Lifeline::new() }),
            celsius,
            trunk,
            address: None,
            slow_look: Instant::ZERO,
        }
    }

    /// The button's switch has moved.
    pub(super) fn edge(&mut self, edge: Edge, now: Instant) -> Vec<button::Command> {
        self.tell_button(
            match edge {
                Edge::Pressed => button::Event::Pressed,
                Edge::Released => button::Event::Released,
            },
            now,
        )
    }

    /// When [`Self::due`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pair = self.pair.as_ref().and_then(|pair| pair.policy.deadline());
        self.button.deadline().into_iter().chain(pair).min()
    }

    /// A deadline may have passed.
    pub(super) fn due(&mut self, now: Instant) -> Vec<button::Command> {
        if self.pair.as_ref().is_some_and(|pair| pair.policy.deadline().is_some_and(|at| at <= now)) {
            self.tell_lifeline(lifeline::Event::Deadline, now);
        }
        if self.button.deadline().is_some_and(|at| at <= now) {
            return self.tell_button(button::Event::Deadline, now);
        }
        Vec::new()
    }

    /// The address that the box tells to whoever asks.
    pub(super) fn address(&self) -> Option<IpAddr> {
        address::towards(self.trunk)
    }

    /// Somebody has seen the alarms of this moment: they no longer light the lamp.
    pub(super) fn acknowledge(&mut self, state: &BoxState) {
        self.seen = state.alarms().iter().map(|alarm| alarm.code.clone()).collect();
    }

    /// The daemon is about to stop.
    pub(super) fn drain(&mut self, now: Instant) {
        self.tell_lifeline(lifeline::Event::Raised(Fault::Draining), now);
    }

    /// Brings lights and lifeline to what the box does now.
    pub(super) fn look(&mut self, switchboard: &Switchboard, state: &BoxState, ready: bool, now: Instant) {
        let in_use = button::Event::CallUp(switchboard.is_in_use());
        // A call only ever disarms the button.
        self.tell_button(in_use, now);
        self.watch_pair(switchboard, state, ready, now);
        if now >= self.slow_look {
            self.slow_look = now.after_ms(SLOW_LOOK_MS);
            self.address = self.address();
            if let Some(celsius) = (self.celsius)() {
                self.tell_lifeline(lifeline::Event::Temperature(celsius), now);
            }
        }
        self.seen.retain(|code| state.alarms().iter().any(|alarm| alarm.code == *code));
        let facts = self.facts(switchboard, state, ready);
        if facts != self.shown {
            // Without its thread the panel is dark; calls go on.
            let _ = self.lights.send(lights(&facts).collect());
            self.shown = facts;
        }
    }

    /// What is to be seen when the box has ended.
    pub(super) fn rest(&self) {
        let alarm = if self.pair.is_some() { led::Alarm::Fatal } else { led::Alarm::Ok };
        let dark =
            |ports: &[(PortId, led::Phone)]| ports.iter().map(|(id, _)| (*id, led::Phone::Idle)).collect();
        let facts = Facts {
            alarm,
            phones: dark(&self.shown.phones),
            lines: self.shown.lines.iter().map(|(id, _)| (*id, led::Line::NoBattery)).collect(),
            ..Facts::default()
        };
        let _ = self.lights.send(lights(&facts).collect());
    }

    /// For `ringside status`.
    pub(super) fn status(&self) -> PanelStatus {
        let mut shown: Vec<_> = lights(&self.shown).collect();
        shown.sort();
        let led = |(led, light): (Led, Light)| {
            let name = self.names.get(&led)?.clone();
            Some(LedStatus { name, colour: colour(light), pattern: pattern(light) })
        };
        PanelStatus {
            leds: shown.into_iter().filter_map(led).collect(),
            lifeline: self.pair.as_ref().map(|pair| {
                if pair.policy.is_joined() { status::Lifeline::Joined } else { status::Lifeline::Parted }
            }),
            set_up: self.button.is_set_up(),
        }
    }

    fn tell_button(&mut self, event: button::Event, now: Instant) -> Vec<button::Command> {
        let mut wishes = Vec::new();
        self.button.handle(event, now, &mut wishes);
        wishes.retain(|wish| {
            if let button::Command::Show(stage) = wish {
                self.stage = *stage;
            }
            !matches!(wish, button::Command::Show(_))
        });
        wishes
    }

    fn tell_lifeline(&mut self, event: lifeline::Event, now: Instant) {
        let Some(Pair { relay, policy, .. }) = &mut self.pair else { return };
        let mut orders = Vec::new();
        policy.handle(event, now, &mut orders);
        for order in orders {
            let faults: Vec<_> = policy.faults().collect();
            tracing::info!(?order, ?faults, "lifeline");
            let done: Result<(), DeviceError> = match order {
                lifeline::Command::Energise => relay.energise(),
                lifeline::Command::Release => relay.release(),
            };
            if let Err(error) = done {
                tracing::error!("{error}");
            }
        }
    }

    fn watch_pair(&mut self, switchboard: &Switchboard, state: &BoxState, ready: bool, now: Instant) {
        let Some(Pair { line, phone, .. }) = self.pair else { return };
        let phones = || switchboard.phones();
        let lines = || switchboard.lines();
        let is_down = |state: PhoneState| state == PhoneState::Down;
        let any_down = phones().any(|one| is_down(one.state)) || lines().any(|one| !one.is_up);
        let pair_lost = phones().any(|one| one.port == phone && is_down(one.state))
            && lines().any(|one| one.port == line && !one.is_up);
        let phone_used = phones()
            .any(|one| one.port == phone && !matches!(one.state, PhoneState::Idle | PhoneState::Down));
        let line_used = lines().any(|one| {
            let rests = matches!(one.state, LineState::Idle | LineState::Down);
            one.port == line && (!rests || one.battery == Some(Battery::Shared))
        });
        let is_used = phone_used || line_used;
        let used = if is_used { lifeline::Event::PairUsed } else { lifeline::Event::PairIdle };
        self.tell_lifeline(used, now);
        for (fault, is_there) in [
            (Fault::NotReady, !ready),
            (Fault::PortDown, any_down),
            (Fault::SpiLost, pair_lost),
            (Fault::Watchdog, !state.shows_life(&VITAL)),
        ] {
            let event =
                if is_there { lifeline::Event::Raised(fault) } else { lifeline::Event::Cleared(fault) };
            self.tell_lifeline(event, now);
        }
    }

    fn facts(&self, switchboard: &Switchboard, state: &BoxState, ready: bool) -> Facts {
        let line = |state: LineState, battery: Option<Battery>| match (state, battery) {
            (LineState::Unknown | LineState::Down, _) => led::Line::NoBattery,
            (LineState::Idle, Some(Battery::Shared)) => led::Line::Shared,
            (LineState::Idle, _) => led::Line::Idle,
            (LineState::Ringing, _) => led::Line::Ringing,
            (LineState::Seized | LineState::Talking | LineState::Releasing, _) => led::Line::InUse,
        };
        let phone = |state: PhoneState| match state {
            PhoneState::Unknown | PhoneState::Idle => led::Phone::Idle,
            PhoneState::Ringing => led::Phone::Ringing,
            PhoneState::Talking | PhoneState::OffHook => led::Phone::OffHook,
            // A chip that has not come up yet is no fault.
            PhoneState::Down if ready => led::Phone::Fault,
            PhoneState::Down => led::Phone::Idle,
        };
        Facts {
            power: match (self.button.is_set_up(), ready) {
                (true, _) => Power::SetUp,
                (false, true) => Power::Running,
                (false, false) => Power::Booting,
            },
            net: self.net(state),
            sync: sync(&state.sync()),
            lines: switchboard.lines().map(|one| (one.port, line(one.state, one.battery))).collect(),
            phones: switchboard.phones().map(|one| (one.port, phone(one.state))).collect(),
            alarm: self.alarm(state, ready),
            stage: self.stage,
        }
    }

    fn net(&self, state: &BoxState) -> Net {
        let works = |state: &TrunkState| matches!(state, TrunkState::Peer | TrunkState::Registered { .. });
        if state.trunks().iter().all(|trunk| works(&trunk.state)) {
            Net::Registered
        } else if self.address.is_some() {
            Net::LinkNoRegistration
        } else {
            Net::NoAddress
        }
    }

    fn alarm(&self, state: &BoxState, ready: bool) -> led::Alarm {
        let policy = self.pair.as_ref().map(|pair| &pair.policy);
        let is_fatal = |alarm: &status::Alarm| {
            alarm.severity == Severity::Failure && FATAL.contains(&alarm.code.as_str())
        };
        if policy.is_some_and(|policy| policy.faults().any(|fault| fault == Fault::TooHot)) {
            led::Alarm::OverTemperature
        } else if (ready && policy.is_some_and(Lifeline::is_joined)) || state.alarms().iter().any(is_fatal) {
            led::Alarm::Fatal
        } else if state.alarms().iter().any(|alarm| !self.seen.contains(&alarm.code)) {
            led::Alarm::Degraded
        } else {
            led::Alarm::Ok
        }
    }
}

/// Something that has waited longer is shown red.
const OVERDUE_MS: u64 = 86_400_000;

fn sync(status: &SyncStatus) -> Sync {
    let waits = status.records_waiting + status.recordings_waiting > 0;
    match status.state {
        SyncState::Off => Sync::Idle,
        _ if status.refused > 0 || (waits && status.oldest_age_ms > OVERDUE_MS) => Sync::Refused,
        SyncState::UnknownBox | SyncState::Refusing => Sync::Refused,
        SyncState::Behind | SyncState::Unreachable => Sync::Backlog,
        SyncState::Sending => Sync::Uploading,
        SyncState::UpToDate => Sync::UpToDate,
    }
}

/// The LEDs of a board: of a simulated one all that its ports call for.
fn names(profile: &Profile) -> BTreeMap<Led, String> {
    let common = [(Led::Power, "power"), (Led::Net, "net"), (Led::Sync, "sync"), (Led::Alarm, "alarm")];
    let phones = profile.fxs_ports().map(|(id, port)| (Led::Phone(id), port.name.to_ascii_lowercase()));
    let lines = profile.fxo_ports().map(|(id, port)| (Led::Line(id), port.name.to_ascii_lowercase()));
    let all = common.map(|(led, name)| (led, name.to_owned())).into_iter().chain(phones).chain(lines);
    let there: BTreeSet<Led> = profile.leds().map(|(led, _)| led).collect();
    all.filter(|(led, _)| profile.sim.is_some() || there.contains(led)).collect()
}

const fn colour(light: Light) -> LedColour {
    match light.colour {
        led::Colour::Green => LedColour::Green,
        led::Colour::Amber => LedColour::Amber,
        led::Colour::Red => LedColour::Red,
    }
}

const fn pattern(light: Light) -> LedPattern {
    match light.pattern {
        led::Pattern::Off => LedPattern::Off,
        led::Pattern::Solid => LedPattern::On,
        led::Pattern::Slow => LedPattern::Slow,
        led::Pattern::Fast => LedPattern::Fast,
        led::Pattern::DoublePulse => LedPattern::Double,
        led::Pattern::Wink => LedPattern::Wink,
    }
}
