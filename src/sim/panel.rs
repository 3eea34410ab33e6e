//! The panel of the simulated box: LEDs that tell what they show, a button that a test or a page presses, and the relay.

use crate::{
    board::Profile,
    panel::{
        Button, DeviceError, Edge, Leds, Relay,
        led::{Led, Light},
    },
    time::Instant,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Presses that may wait for the finger.
const PRESSES_MAX: usize = 16;
/// The finger rests so long between two presses.
const BETWEEN_MS: u64 = 100;

/// The panel, as all who hold a part of it share it.
#[derive(Clone)]
pub struct SimPanel(Arc<Mutex<Panel>>);

struct Panel {
    leds: BTreeMap<Led, Lamp>,
    /// Time of the last turn.
    now: Instant,
    presses: VecDeque<Press>,
    finger: Finger,
    /// `None`: the board has no relay.
    relay: Option<RelaySnapshot>,
    celsius: Option<i16>,
}

struct Lamp {
    name: String,
    wanted: Light,
    shown: Light,
}

#[derive(Clone, Copy)]
enum Press {
    For { ms: u64, from: Instant },
    UntilLetGo,
}

#[derive(Clone, Copy)]
enum Finger {
    Away { until: Instant },
    Down { until: Option<Instant> },
}

/// The LEDs of a [`SimPanel`].
pub struct SimLeds(SimPanel);

/// The button of a [`SimPanel`].
pub struct SimButton(SimPanel);

/// The relay of a [`SimPanel`]; released when this is dropped.
pub struct SimRelay(SimPanel);

/// The panel at one moment, for a page and for `ringside status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PanelSnapshot {
    /// Every LED: power, net, sync, the ports in the order of the profile's kinds, alarm.
    pub leds: Vec<LedSnapshot>,
    /// The button is down.
    pub pressed: bool,
    /// The lifeline relay, if the board has one.
    pub relay: Option<RelaySnapshot>,
}

/// One LED at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedSnapshot {
    /// `power`, `net`, `sync`, `alarm`, or what is printed beside the port.
    pub name: String,
    /// How it blinks: `off`, `solid`, `slow`, `fast`, `double pulse`, `wink`.
    pub pattern: &'static str,
    /// `green`, `amber` or `red`.
    pub colour: &'static str,
    /// Whether it is lit at this moment.
    pub lit: bool,
}

/// The relay at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RelaySnapshot {
    /// The coil is energised: line and phone are the box's. Otherwise they are joined.
    pub energised: bool,
    /// How often the contacts have moved.
    pub moves: u64,
}

impl SimPanel {
    /// The panel of a board: all LEDs that its ports call for, a button, and a relay if a line is joined to a phone.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let common = [(Led::Power, "power"), (Led::Net, "net"), (Led::Sync, "sync"), (Led::Alarm, "alarm")];
        let common = common.map(|(led, name)| (led, name.to_owned()));
        let phones = profile.fxs_ports().map(|(id, port)| (Led::Phone(id), port.name.clone()));
        let lines = profile.fxo_ports().map(|(id, port)| (Led::Line(id), port.name.clone()));
        let dark = |name| Lamp { name, wanted: Light::default(), shown: Light::default() };
        let leds = common.into_iter().chain(phones).chain(lines).map(|(led, name)| (led, dark(name)));
        Self(Arc::new(Mutex::new(Panel {
            leds: leds.collect(),
            now: Instant::ZERO,
            presses: VecDeque::new(),
            finger: Finger::Away { until: Instant::ZERO },
            relay: profile.lifeline_pairs().next().map(|_| RelaySnapshot { energised: false, moves: 0 }),
            celsius: None,
        })))
    }

    /// The LEDs, for whoever turns them.
    #[must_use]
    pub fn leds(&self) -> SimLeds {
        SimLeds(self.clone())
    }

    /// The button, for whoever looks at it.
    #[must_use]
    pub fn button(&self) -> SimButton {
        SimButton(self.clone())
    }

    /// The relay; `None` if the board joins no line to a phone.
    #[must_use]
    pub fn relay(&self) -> Option<SimRelay> {
        self.lock().relay.is_some().then(|| SimRelay(self.clone()))
    }

    /// Makes the box as hot as this, °C.
    pub fn set_celsius(&self, celsius: i16) {
        self.lock().celsius = Some(celsius);
    }

    /// How hot the box is, if that was set.
    #[must_use]
    pub fn celsius(&self) -> Option<i16> {
        self.lock().celsius
    }

    /// Presses the button for `ms` as soon as it is looked at, after the presses before this one.
    pub fn press_for_ms(&self, ms: u64) {
        self.press(Press::For { ms, from: Instant::ZERO });
    }

    /// Presses the button for `ms` at a time of the clock that looks at it, or after the presses before this one.
    pub fn press_at(&self, from: Instant, ms: u64) {
        self.press(Press::For { ms, from });
    }

    /// Presses the button until [`Self::let_go`].
    pub fn hold(&self) {
        self.press(Press::UntilLetGo);
    }

    /// Ends [`Self::hold`].
    pub fn let_go(&self) {
        let mut panel = self.lock();
        if let Finger::Down { until } = &mut panel.finger {
            *until = Some(Instant::ZERO);
        } else if let Some(held @ Press::UntilLetGo) = panel.presses.back_mut() {
            *held = Press::For { ms: 0, from: Instant::ZERO };
        }
    }

    /// Whether the relay joins line and phone; `false` if the board has none.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.lock().relay.is_some_and(|relay| !relay.energised)
    }

    /// What the panel shows now.
    #[must_use]
    pub fn snapshot(&self) -> PanelSnapshot {
        let panel = self.lock();
        let led = |lamp: &Lamp| LedSnapshot {
            name: lamp.name.clone(),
            pattern: lamp.shown.pattern.name(),
            colour: lamp.shown.colour.name(),
            lit: lamp.shown.pattern.is_lit(panel.now),
        };
        PanelSnapshot {
            leds: panel.leds.values().map(led).collect(),
            pressed: matches!(panel.finger, Finger::Down { .. }),
            relay: panel.relay,
        }
    }

    /// What one LED shows; `None` if the board has no such LED.
    #[must_use]
    pub fn light(&self, led: Led) -> Option<Light> {
        self.lock().leds.get(&led).map(|lamp| lamp.shown)
    }

    fn press(&self, press: Press) {
        let mut panel = self.lock();
        if panel.presses.len() < PRESSES_MAX {
            panel.presses.push_back(press);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Panel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leds for SimLeds {
    fn show(&mut self, led: Led, light: Light) {
        if let Some(lamp) = self.0.lock().leds.get_mut(&led) {
            lamp.wanted = light;
        }
    }

    fn turn(&mut self, now: Instant) -> Result<(), DeviceError> {
        let mut panel = self.0.lock();
        panel.now = now;
        panel.leds.values_mut().for_each(|lamp| lamp.shown = lamp.wanted);
        Ok(())
    }
}

impl Button for SimButton {
    fn poll(&mut self, now: Instant) -> Result<Option<Edge>, DeviceError> {
        let mut panel = self.0.lock();
        let (finger, edge) = match panel.finger {
            Finger::Down { until: Some(until) } if now >= until => {
                (Finger::Away { until: now.after_ms(BETWEEN_MS) }, Some(Edge::Released))
            }
            Finger::Away { until } if now >= until => match panel.presses.pop_front() {
                Some(later @ Press::For { from, .. }) if now < from => {
                    panel.presses.push_front(later);
                    return Ok(None);
                }
                Some(Press::For { ms, .. }) => {
                    (Finger::Down { until: Some(now.after_ms(ms)) }, Some(Edge::Pressed))
                }
                Some(Press::UntilLetGo) => (Finger::Down { until: None }, Some(Edge::Pressed)),
                None => return Ok(None),
            },
            Finger::Down { .. } | Finger::Away { .. } => return Ok(None),
        };
        panel.finger = finger;
        Ok(edge)
    }
}

impl SimRelay {
    fn set(&self, energised: bool) {
        if let Some(relay) = &mut self.0.lock().relay {
            relay.moves += u64::from(relay.energised != energised);
            relay.energised = energised;
        }
    }
}

impl Relay for SimRelay {
    fn energise(&mut self) -> Result<(), DeviceError> {
        self.set(true);
        Ok(())
    }

    fn release(&mut self) -> Result<(), DeviceError> {
        self.set(false);
        Ok(())
    }
}

impl Drop for SimRelay {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::PortId,
        io::front_panel::{FrontPanel, TURN_MS},
        panel::{
            button::{Button as Machine, Command, Event, Recordings},
            led::{Facts, Line, Pattern, Phone, Power, lights},
        },
    };

    fn panel() -> SimPanel {
        SimPanel::new(&Profile::parse(include_str!("../../board/sim/profile.toml")).unwrap())
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO.after_ms(ms)
    }

    /// The panel's loop and the button's machine, as the daemon has them.
    struct Office {
        panel: SimPanel,
        front: FrontPanel,
        machine: Machine,
        facts: Facts,
        done: Vec<(u64, Command)>,
    }

    impl Office {
        fn new() -> Self {
            let panel = panel();
            let front = FrontPanel::new(Box::new(panel.leds()), Some(Box::new(panel.button())));
            let facts = Facts {
                power: Power::Running,
                lines: vec![(PortId(2), Line::Idle)],
                phones: vec![(PortId(0), Phone::Idle)],
                ..Facts::default()
            };
            Self { panel, front, machine: Machine::new(), facts, done: Vec::new() }
        }

        fn run(&mut self, ms: std::ops::Range<u64>) {
            for ms in ms.step_by(TURN_MS as usize) {
                let (mut out, mut edges) = (Vec::new(), Vec::new());
                self.front.turn(at(ms), &mut |edge| edges.push(edge));
                for edge in edges {
                    let event = match edge {
                        Edge::Pressed => Event::Pressed,
                        Edge::Released => Event::Released,
                    };
                    self.machine.handle(event, at(ms), &mut out);
                }
                if self.machine.deadline().is_some_and(|due| due <= at(ms)) {
                    self.machine.handle(Event::Deadline, at(ms), &mut out);
                }
                for command in out {
                    if let Command::Show(stage) = command {
                        self.facts.stage = stage;
                    }
                    self.done.push((ms, command));
                }
                self.front.show(lights(&self.facts));
            }
        }

        fn patterns(&self) -> [Pattern; 4] {
            [Led::Power, Led::Line(PortId(2)), Led::Phone(PortId(0)), Led::Alarm]
                .map(|led| self.panel.light(led).unwrap().pattern)
        }
    }

    #[test]
    fn a_factory_reset_is_seen_before_the_button_is_released() {
        let mut office = Office::new();
        office.panel.press_for_ms(12_000);
        office.run(0..2_900);
        assert_eq!(office.patterns(), [Pattern::Solid, Pattern::Wink, Pattern::Off, Pattern::Off]);
        office.run(2_900..3_100);
        assert_eq!(office.patterns()[0], Pattern::DoublePulse);
        office.run(3_100..10_100);
        let armed = [Pattern::Fast, Pattern::Fast, Pattern::Fast, Pattern::DoublePulse];
        assert_eq!(office.patterns(), armed);
        assert!(office.panel.snapshot().pressed);
        assert!(office.done.iter().all(|(_, command)| matches!(command, Command::Show(_))));
        office.run(10_100..13_000);
        assert!(!office.panel.snapshot().pressed);
        let reset = Command::FactoryReset { recordings: Recordings::Keep };
        assert_eq!(office.done.last().unwrap().1, reset);
        assert_eq!(office.patterns()[0], Pattern::Solid);
    }

    #[test]
    fn presses_wait_for_each_other() {
        let mut office = Office::new();
        office.panel.press_for_ms(200);
        office.panel.press_for_ms(200);
        office.run(0..1_000);
        let done: Vec<_> = office.done.iter().map(|(_, command)| *command).collect();
        assert_eq!(done, [Command::SpeakStatus, Command::SpeakStatus]);
    }

    #[test]
    fn a_page_holds_the_button_and_lets_it_go() {
        let mut office = Office::new();
        office.panel.hold();
        office.run(0..5_000);
        assert!(office.panel.snapshot().pressed && office.facts.stage == crate::panel::button::Stage::SetUp);
        office.panel.let_go();
        office.run(5_000..5_200);
        assert_eq!(office.done.last().unwrap().1, Command::EnterSetUp);
        // A click that nobody has looked at yet is only a bounce.
        office.panel.hold();
        office.panel.let_go();
        office.run(6_000..7_000);
        assert_eq!(office.done.last().unwrap().1, Command::EnterSetUp);
    }

    #[test]
    fn the_snapshot_says_what_is_lit_now() {
        let mut office = Office::new();
        office.run(0..100);
        let snapshot = office.panel.snapshot();
        let names: Vec<_> = snapshot.leds.iter().map(|led| led.name.as_str()).collect();
        assert_eq!(names, ["power", "net", "sync", "LINE1", "LINE2", "PHONE1", "PHONE2", "alarm"]);
        let json = serde_json::to_value(&snapshot).unwrap();
        let line = serde_json::json!({"name": "LINE1", "pattern": "wink", "colour": "green", "lit": true});
        assert_eq!(json["leds"][3], line);
        assert_eq!(json["relay"], serde_json::json!({"energised": false, "moves": 0}));
        office.run(100..200);
        assert!(!office.panel.snapshot().leds[3].lit);
    }

    #[test]
    fn the_relay_falls_when_its_owner_is_gone() {
        let panel = panel();
        let mut relay = panel.relay().unwrap();
        relay.energise().unwrap();
        relay.energise().unwrap();
        assert_eq!(panel.snapshot().relay, Some(RelaySnapshot { energised: true, moves: 1 }));
        drop(relay);
        assert_eq!(panel.snapshot().relay, Some(RelaySnapshot { energised: false, moves: 2 }));
        let load = include_str!("../../board/sim24/profile.toml");
        assert!(SimPanel::new(&Profile::parse(load).unwrap()).relay().is_none());
    }
}
