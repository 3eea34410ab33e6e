//! The button of the panel: a key of an input device (`gpio-keys`), found by the device's name. The only file that
//! names `evdev`.

use crate::{
    board,
    panel::{Button, DeviceError, Edge},
    time::Instant,
};
use evdev::{Device, EventType, InputEvent, KeyCode};
use std::{collections::VecDeque, io};

/// Edges that may wait; a switch that bounces more between two polls is broken.
const EDGES_MAX: usize = 64;
const NAME_IT: &str = "name it in [button] of the board profile as the device tree labels its gpio-keys, \
                       and let this user read /dev/input (group input)";
const CODE_IT: &str = "write linux,code of the device tree into [button] code of the board profile";
const UNPLUGGED: &str = "see the kernel's log; the button works again after a restart";

/// One key of an input device.
pub struct KeyButton {
    device: Device,
    edges: Edges,
    is_gone: bool,
}

/// Edges of one key, taken out of what else the device tells.
struct Edges {
    code: u16,
    waiting: VecDeque<Edge>,
}

impl KeyButton {
    /// Opens the button that the profile names. One that is held down is pressed from now on.
    ///
    /// # Errors
    /// No input device that this user may read has this name, or it has no such key.
    pub fn open(button: &board::Button) -> Result<Self, DeviceError> {
        let fail = |problem: String, remedy| {
            Err(DeviceError { device: format!("button {}", button.event), problem, remedy })
        };
        let mut others = Vec::new();
        for (_, device) in evdev::enumerate() {
            let name = device.name().unwrap_or("a device without a name");
            if name != button.event {
                others.push(name.to_owned());
                continue;
            }
            if !device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::new(button.code))) {
                return fail(format!("it has no key {}", button.code), CODE_IT);
            }
            return match Self::start(device, button.code) {
                Ok(opened) => Ok(opened),
                Err(error) => fail(error.to_string(), UNPLUGGED),
            };
        }
        fail(format!("no such input device, only: {}", list(&others)), NAME_IT)
    }

    fn start(device: Device, code: u16) -> io::Result<Self> {
        device.set_nonblocking(true)?;
        let mut edges = Edges { code, waiting: VecDeque::new() };
        if device.get_key_state()?.contains(KeyCode::new(code)) {
            edges.waiting.push_back(Edge::Pressed);
        }
        Ok(Self { device, edges, is_gone: false })
    }
}

impl Button for KeyButton {
    fn poll(&mut self, _now: Instant) -> Result<Option<Edge>, DeviceError> {
        if self.edges.waiting.is_empty() && !self.is_gone {
            let edges = &mut self.edges;
            let fetched = self.device.fetch_events().map(|events| events.for_each(|event| edges.take(event)));
            match fetched {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    // A press that was going on is given up: it is never released.
                    self.is_gone = true;
                    let device = format!("button {}", self.device.name().unwrap_or_default());
                    return Err(DeviceError { device, problem: error.to_string(), remedy: UNPLUGGED });
                }
            }
        }
        Ok(self.edges.waiting.pop_front())
    }
}

impl Edges {
    fn take(&mut self, event: InputEvent) {
        if event.event_type() != EventType::KEY || event.code() != self.code {
            return;
        }
        let edge = match event.value() {
            0 => Edge::Released,
            1 => Edge::Pressed,
            // The kernel repeats a key that is held.
            _ => return,
        };
        if self.waiting.len() < EDGES_MAX {
            self.waiting.push_back(edge);
        } else {
            // What counts is where the switch is in the end.
            self.waiting.pop_back();
            self.waiting.push_back(edge);
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none that can be read".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: u16, value: i32) -> InputEvent {
        InputEvent::new(EventType::KEY.0, code, value)
    }

    #[test]
    fn only_edges_of_the_button_count() {
        let mut edges = Edges { code: 141, waiting: VecDeque::new() };
        for event in [
            key(30, 1),
            key(141, 1),
            key(141, 2),
            key(141, 2),
            InputEvent::new(EventType::SYNCHRONIZATION.0, 0, 0),
            InputEvent::new(EventType::SWITCH.0, 141, 1),
            key(30, 0),
            key(141, 0),
        ] {
            edges.take(event);
        }
        assert_eq!(edges.waiting, [Edge::Pressed, Edge::Released]);
    }

    #[test]
    fn a_switch_that_never_rests_fills_no_memory_and_ends_where_it_is() {
        let mut edges = Edges { code: 141, waiting: VecDeque::new() };
        (0..1_001).for_each(|n| edges.take(key(141, 1 - n % 2)));
        assert_eq!((edges.waiting.len(), edges.waiting.back()), (EDGES_MAX, Some(&Edge::Pressed)));
    }

    #[test]
    fn a_button_that_is_not_there_is_named_with_the_remedy() {
        let absent = board::Button { event: "no keys of this name".into(), code: 141 };
        let error = KeyButton::open(&absent).err().unwrap().to_string();
        assert!(error.starts_with("button no keys of this name: no such input device, only: "), "{error}");
        assert!(error.contains("[button]") && error.contains("group input"), "{error}");
        assert_eq!(list(&["lid".into(), "power".into()]), "lid, power");
    }
}
