//! The front panel of a board: LEDs, button, and the GPIO lines beside the SPI bus, by the names that the kernel has.

use super::{PortKind, Profile, ProfileError, require, value};
use crate::id::PortId;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Highest key code of the kernel (`KEY_MAX` in input-event-codes.h).
const KEY_MAX: u16 = 0x2FF;

/// A LED by what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Led {
    /// Power and what the box itself is doing.
    Power,
    /// Network and trunk.
    Net,
    /// What waits for the upstream.
    Sync,
    /// An FXO port.
    Line(PortId),
    /// An FXS port.
    Phone(PortId),
    /// What somebody should look at.
    Alarm,
}

/// GPIO lines, by line name (`gpio-line-names` of the device tree).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpio {
    /// The chip, as `gpiochip4` or by its label; without it the line is looked for on every chip.
    pub chip: Option<String>,
    /// Resets all line chips; output.
    pub reset: Option<String>,
    /// A line chip has something to tell; input.
    pub irq: Option<String>,
    /// The coil of the lifeline relay; output, high is energised. What is released joins line and phone.
    pub lifeline: Option<String>,
}

/// The kernel's names of one LED (`/sys/class/leds/<name>`): one lamp, or two colours in one housing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LampNames {
    /// One lamp, whatever its colour.
    One(String),
    /// A green and a red lamp.
    #[serde(rename_all = "lowercase")]
    Two {
        /// Lit where the table says green.
        green: String,
        /// Lit where the table says red.
        red: String,
    },
}

impl LampNames {
    /// Every name, green before red.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::One(name) => (name, None),
            Self::Two { green, red } => (green, Some(red)),
        };
        std::iter::once(first).chain(second).map(String::as_str)
    }
}

/// The button of the front panel, a key of an input device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// Name of the input device, as `/proc/bus/input/devices` shows it.
    pub event: String,
    /// Key code, 1..=767; 141 is `KEY_SETUP`.
    pub code: u16,
}

impl Profile {
    /// The LEDs that the board has, with the kernel's names for them.
    pub fn leds(&self) -> impl Iterator<Item = (Led, &LampNames)> {
        self.leds.iter().filter_map(|(key, names)| Some((self.led(key)?, names)))
    }

    /// What a key of `[leds]` stands for: `power`, `net`, `sync`, `alarm`, or a port's name in small letters.
    fn led(&self, key: &str) -> Option<Led> {
        let port = || {
            let at = self.ports.iter().position(|port| port.name.to_ascii_lowercase() == *key)?;
            let id = PortId(u8::try_from(at).ok()?);
            Some(match self.ports.get(at)?.kind {
                PortKind::Fxs => Led::Phone(id),
                PortKind::Fxo => Led::Line(id),
            })
        };
        match key {
            "power" => Some(Led::Power),
            "net" => Some(Led::Net),
            "sync" => Some(Led::Sync),
            "alarm" => Some(Led::Alarm),
            _ => port(),
        }
    }

    pub(super) fn check_panel(&self) -> Result<(), ProfileError> {
        self.check_gpio()?;
        let mut names = BTreeSet::new();
        for (key, lamps) in &self.leds {
            require(self.led(key).is_some(), "leds", || {
                let ports: Vec<_> = self.ports.iter().map(|port| port.name.to_ascii_lowercase()).collect();
                format!(
                    "{key} is no LED of this board; there are power, net, sync, alarm and {}",
                    ports.join(", ")
                )
            })?;
            for name in lamps.iter() {
                // A name becomes a folder below /sys/class/leds.
                require(!name.is_empty() && !name.contains('/'), "leds", || {
                    format!("{key} = {name:?}, but it is the name of a folder in /sys/class/leds")
                })?;
                require(names.insert(name), "leds", || format!("{key} = {name:?} is used twice"))?;
            }
        }
        let Some(button) = &self.button else { return Ok(()) };
        require(!button.event.is_empty(), "button", || "event is empty; name the input device".into())?;
        require((1..=KEY_MAX).contains(&button.code), "button", || {
            format!("code = {}, but key codes are 1 to {KEY_MAX}; KEY_SETUP is 141", button.code)
        })
    }

    fn check_gpio(&self) -> Result<(), ProfileError> {
        let Gpio { chip, reset, irq, lifeline } = &self.gpio;
        let mut names = BTreeSet::new();
        for (key, name) in [("chip", chip), ("reset", reset), ("irq", irq), ("lifeline", lifeline)] {
            let Some(name) = name else { continue };
            require(!name.is_empty(), "gpio", || format!("{key} is empty; leave the key out"))?;
            require(names.insert(name), "gpio", || format!("{key} = {name:?} is used twice"))?;
        }
        match lifeline {
            Some(name) if self.lifeline_pairs().next().is_none() => Err(value(
                "gpio",
                format!("lifeline = {name:?}, but no port says with lifeline_to which phone it joins"),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RB1: &str = include_str!("../../board/rb1/profile.toml");

    #[test]
    fn the_reference_board_names_its_panel() {
        let profile = Profile::parse(RB1).unwrap();
        let leds: Vec<Led> = profile.leds().map(|(led, _)| led).collect();
        for led in [
            Led::Power,
            Led::Net,
            Led::Sync,
            Led::Alarm,
            Led::Phone(PortId(0)),
            Led::Phone(PortId(1)),
            Led::Line(PortId(2)),
            Led::Line(PortId(3)),
        ] {
            assert!(leds.contains(&led), "{led:?}");
        }
        assert_eq!(profile.gpio.lifeline.as_deref(), Some("RS_LIFELINE"));
        assert_eq!(profile.button, Some(Button { event: "ringside-keys".into(), code: 141 }));
        assert_eq!(profile.lifeline_pairs().collect::<Vec<_>>(), [(PortId(2), PortId(0))]);
    }

    #[test]
    fn a_board_without_a_panel_is_a_board() {
        let profile = Profile::parse(include_str!("../../board/sim/profile.toml")).unwrap();
        assert_eq!((profile.leds().count(), &profile.button, &profile.gpio), (0, &None, &Gpio::default()));
    }

    #[test]
    fn a_contradiction_is_named_with_its_key() {
        for (from, to, says) in [
            (
                "line2 = ",
                "line9 = ",
                "leds: line9 is no LED of this board; there are power, net, sync, alarm and ph",
            ),
            (
                "\"ringside:green:net\"",
                "\"ringside:green:power\"",
                "leds: power = \"ringside:green:power\" is used",
            ),
            (
                "\"ringside:green:net\"",
                "\"../net\"",
                "leds: net = \"../net\", but it is the name of a folder",
            ),
            (
                "lifeline_to = \"PHONE1\"",
                "",
                "gpio: lifeline = \"RS_LIFELINE\", but no port says with lifeline_to",
            ),
            ("\"RS_INT#\"", "\"RS_RESET#\"", "gpio: irq = \"RS_RESET#\" is used twice"),
            ("\"RS_INT#\"", "\"\"", "gpio: irq is empty; leave the key out"),
            ("code = 141", "code = 0", "button: code = 0, but key codes are 1 to 767"),
            ("code = 141", "code = 768", "button: code = 768, but key codes are 1 to 767"),
            ("\"ringside-keys\"", "\"\"", "button: event is empty"),
            (
                "index = 1\nslot = 3",
                "index = 1\nslot = 3\nlifeline_to = \"PHONE1\"",
                "port LINE2: lifeline_to",
            ),
            (
                "slot = 0",
                "slot = 0\nlifeline_to = \"PHONE2\"",
                "port PHONE1: lifeline_to = \"PHONE2\", but it goes",
            ),
        ] {
            let changed = RB1.replacen(from, to, 1);
            assert_ne!(changed, RB1, "{from} is not in the profile");
            let error = Profile::parse(&changed).unwrap_err().to_string();
            assert!(error.starts_with(says), "{from} → {to}: {error}");
        }
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        for (from, to) in
            [("lifeline = ", "life_line = "), ("event = ", "device = "), ("green = ", "gren = ")]
        {
            let error = Profile::parse(&RB1.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains("line"), "{error}");
        }
    }
}
