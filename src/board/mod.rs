//! The board profile: which ports, chips, time slots and devices this box has.
//!
//! One TOML file per board (`board/<id>/profile.toml`), written by whoever designs the board and never by an installer.
//! It is parsed into a [`Profile`] that needs no further checks: every port names an existing SPI chain, no two ports
//! share a slot, a name or a place in a chain.

mod panel;

pub use panel::{Button, Gpio, LampNames, Led};

use crate::id::{PortId, Slot};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most ports one box may have: port numbers travel as one byte and a chassis has at most three chains of eight.
pub const MAX_PORTS: usize = 32;
/// Most time slots: a PCLK of 8.192 MHz carries 64 slots of 16 bits at 8 kHz (Si3215 data sheet, 2.11).
pub const MAX_SLOTS: u8 = 64;

/// A board, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What the board is called.
    pub board: Board,
    /// The PCM bus.
    pub pcm: Pcm,
    /// SPI devices (chip selects), each with one daisy chain.
    #[serde(default)]
    pub spi: Vec<Spi>,
    /// Analog jacks; the index in this list is the [`PortId`].
    #[serde(rename = "port", default)]
    pub ports: Vec<Port>,
    /// The lines beside the SPI bus, if the board has any.
    #[serde(default)]
    pub gpio: Gpio,
    /// The LEDs by what they show, as the file names them; read through [`Profile::leds`].
    #[serde(default)]
    leds: BTreeMap<String, LampNames>,
    /// The button of the front panel, if there is one.
    pub button: Option<Button>,
    /// Present on simulated boards only.
    pub sim: Option<Sim>,
}

/// Identity of a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Short name, equal to the folder of the profile.
    pub id: String,
    /// Revision printed on the board.
    #[serde(default)]
    pub rev: String,
}

/// The PCM bus as ALSA shows it: one card, interleaved 16-bit little-endian linear samples, a slot per port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pcm {
    /// ALSA device: `hw:ringside,0`.
    pub device: String,
    /// Frames per second; always 8000.
    pub rate: u32,
    /// Time slots of one frame, 1..=64.
    pub slots: u8,
    /// Frames per period, 40..=160 (5 to 20 ms), a multiple of 8.
    pub period: u32,
    /// Periods in the buffer, 2..=16.
    pub periods: u32,
}

/// One SPI device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spi {
    /// Name that ports refer to.
    pub name: String,
    /// Device file; absent on simulated boards.
    #[serde(default)]
    pub dev: String,
    /// Clock in Hz, up to 16.384 MHz.
    #[serde(default = "default_hz")]
    pub hz: u32,
    /// Chips in the daisy chain: 1..=8 Si3215 or 1..=16 Si3050.
    pub chain: u8,
}

fn default_hz() -> u32 {
    2_000_000
}

/// One jack.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Which end of a line it is.
    pub kind: PortKind,
    /// What is printed beside the jack: `PHONE1`.
    pub name: String,
    /// The line chip.
    pub chip: ChipKind,
    /// SPI chain, by name.
    pub spi: String,
    /// Place in the chain, 0-based.
    pub index: u8,
    /// Time slot on the PCM bus, 0-based.
    pub slot: u8,
    /// FXO only: the phone that the lifeline relay joins to this line when the power is off.
    pub lifeline_to: Option<String>,
}

/// Which end of a line a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortKind {
    /// A phone is plugged in; we feed and ring it.
    Fxs,
    /// The telephone company's line is plugged in; it feeds and rings us.
    Fxo,
}

/// A line chip that has a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChipKind {
    /// Si3210/Si3215 ProSLIC, one FXS port.
    Si3215,
    /// Si3050 with Si3019, one FXO port.
    Si3050,
}

/// What only a simulated board has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sim {
    /// The office's behaviour; a path relative to the profile.
    pub office: String,
}

/// Why a profile was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, a key is unknown, missing or of the wrong type; the text shows the place.
    #[error("the board profile cannot be read: {0}")]
    Syntax(String),
    /// A value contradicts the hardware or another value.
    #[error("{place}: {problem}")]
    Value {
        /// Table and name, as in `port PHONE1`.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl Profile {
    /// Parses and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`] with line and column, or the first contradiction as [`ProfileError::Value`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(|e| ProfileError::Syntax(e.to_string()))?;
        profile.check_pcm()?;
        profile.check_spi()?;
        profile.check_ports()?;
        profile.check_lifeline()?;
        profile.check_panel()?;
        Ok(profile)
    }

    /// The FXS ports with their ids, in the order of the file.
    pub fn fxs_ports(&self) -> impl Iterator<Item = (PortId, &Port)> {
        self.ports_of(PortKind::Fxs)
    }

    /// The FXO ports with their ids, in the order of the file.
    pub fn fxo_ports(&self) -> impl Iterator<Item = (PortId, &Port)> {
        self.ports_of(PortKind::Fxo)
    }

    /// Every port with its id, in the order of the file.
    pub fn numbered_ports(&self) -> impl Iterator<Item = (PortId, &Port)> {
        // `check_ports` keeps the list within MAX_PORTS, so the ids cannot run out.
        (0..).map(PortId).zip(&self.ports)
    }

    /// The port with this id.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(usize::from(id.0))
    }

    fn ports_of(&self, kind: PortKind) -> impl Iterator<Item = (PortId, &Port)> {
        self.numbered_ports().filter(move |(_, port)| port.kind == kind)
    }

    fn check_pcm(&self) -> Result<(), ProfileError> {
        let pcm = &self.pcm;
        require(pcm.rate == 8000, "pcm", || format!("rate = {}, but the line chips run at 8000", pcm.rate))?;
        require((1..=MAX_SLOTS).contains(&pcm.slots), "pcm", || {
            format!("slots = {}, but it must be 1 to {MAX_SLOTS}", pcm.slots)
        })?;
        require((40..=160).contains(&pcm.period) && pcm.period.is_multiple_of(8), "pcm", || {
            format!("period = {}, but it must be 40 to 160 frames and a multiple of 8", pcm.period)
        })?;
        require((2..=16).contains(&pcm.periods), "pcm", || {
            format!("periods = {}, but it must be 2 to 16", pcm.periods)
        })
    }

    fn check_spi(&self) -> Result<(), ProfileError> {
        let mut names = BTreeSet::new();
        for spi in &self.spi {
            let place = format!("spi {}", spi.name);
            require(names.insert(&spi.name), &place, || "the name is used twice".into())?;
            require((1..=16_384_000).contains(&spi.hz), &place, || {
                format!("hz = {}, but the chips take up to 16384000", spi.hz)
            })?;
            require(self.sim.is_some() || !spi.dev.is_empty(), &place, || {
                "dev is missing; name the device file, as in dev = \"/dev/spidev1.0\"".into()
            })?;
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), ProfileError> {
        require(!self.ports.is_empty() && self.ports.len() <= MAX_PORTS, "port", || {
            format!("{} ports, but a board has 1 to {MAX_PORTS}", self.ports.len())
        })?;
        let (mut names, mut slots, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for port in &self.ports {
            let place = format!("port {}", port.name);
            require(names.insert(&port.name), &place, || "the name is used twice".into())?;
            require(slots.insert(port.slot), &place, || format!("slot = {} is used twice", port.slot))?;
            require(port.slot < self.pcm.slots, &place, || {
                format!("slot = {}, but the PCM bus has slots 0 to {}", port.slot, self.pcm.slots - 1)
            })?;
            require(places.insert((&port.spi, port.index)), &place, || {
                format!("chip {} of chain {} is used twice", port.index, port.spi)
            })?;
            self.check_chip(port, &place)?;
        }
        Ok(())
    }

    fn check_chip(&self, port: &Port, place: &str) -> Result<(), ProfileError> {
        let Some(spi) = self.spi.iter().find(|spi| spi.name == port.spi) else {
            return Err(value(place, format!("there is no [[spi]] named {:?}", port.spi)));
        };
        require(port.index < spi.chain, place, || {
            format!(
                "index = {}, but chain {} has chips 0 to {}",
                port.index,
                spi.name,
                i16::from(spi.chain) - 1
            )
        })?;
        let (kind, limit) = match port.chip {
            ChipKind::Si3215 => (PortKind::Fxs, 8),
            ChipKind::Si3050 => (PortKind::Fxo, 16),
        };
        require(port.kind == kind, place, || {
            format!("a {:?} makes an {kind:?} port", port.chip).to_lowercase()
        })?;
        require((1..=limit).contains(&spi.chain), place, || {
            format!("chain {} has {} chips, but this chip allows 1 to {limit}", spi.name, spi.chain)
        })?;
        // The two parts frame their registers differently, so they cannot share a chip select.
        require(self.ports.iter().all(|p| p.spi != port.spi || p.chip == port.chip), place, || {
            format!("chain {} mixes two kinds of chips", spi.name)
        })
    }

    /// Telco line and phone of each pair that the lifeline relay joins.
    pub fn lifeline_pairs(&self) -> impl Iterator<Item = (PortId, PortId)> {
        self.fxo_ports().filter_map(|(line, port)| {
            let name = port.lifeline_to.as_ref()?;
            self.fxs_ports().find(|(_, phone)| phone.name == *name).map(|(phone, _)| (line, phone))
        })
    }

    fn check_lifeline(&self) -> Result<(), ProfileError> {
        let mut phones = BTreeSet::new();
        for port in &self.ports {
            let Some(phone) = &port.lifeline_to else { continue };
            let place = format!("port {}", port.name);
            let known = self.fxs_ports().any(|(_, p)| p.name == *phone);
            require(port.kind == PortKind::Fxo && known, &place, || {
                format!("lifeline_to = {phone:?}, but it goes from an FXO port to the name of an FXS port")
            })?;
            // Two lines on one phone would be joined to each other.
            require(phones.insert(phone), &place, || {
                format!("lifeline_to = {phone:?}, but another line is joined to that phone")
            })?;
        }
        Ok(())
    }
}

impl Port {
    /// The time slot as the media thread counts it.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot(self.slot)
    }
}

fn require(holds: bool, place: &str, problem: impl FnOnce() -> String) -> Result<(), ProfileError> {
    if holds { Ok(()) } else { Err(value(place, problem())) }
}

fn value(place: &str, problem: String) -> ProfileError {
    ProfileError::Value { place: place.into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIM: &str = include_str!("../../board/sim/profile.toml");
    const SIM24: &str = include_str!("../../board/sim24/profile.toml");
    const RB1: &str = include_str!("../../board/rb1/profile.toml");

    #[test]
    fn the_simulated_board_is_wired_as_the_reference_board() {
        let (sim, rb1) = (Profile::parse(SIM).unwrap(), Profile::parse(RB1).unwrap());
        assert_eq!(sim.ports, rb1.ports);
        assert_eq!((sim.pcm.slots, sim.pcm.period, sim.pcm.periods), (8, 80, 4));
        let fxs: Vec<_> = sim.fxs_ports().map(|(id, p)| (id, p.name.as_str(), p.slot())).collect();
        assert_eq!(fxs, [(PortId(0), "PHONE1", Slot(0)), (PortId(1), "PHONE2", Slot(1))]);
        assert_eq!(sim.fxo_ports().map(|(id, _)| id).collect::<Vec<_>>(), [PortId(2), PortId(3)]);
    }

    #[test]
    fn the_load_board_has_24_phones_on_three_chains() {
        let profile = Profile::parse(SIM24).unwrap();
        assert_eq!((profile.fxs_ports().count(), profile.spi.len(), profile.pcm.slots), (24, 3, 24));
    }

    #[test]
    fn a_contradiction_is_named_with_its_port() {
        for (from, to, says) in [
            ("slot = 1", "slot = 0", "port PHONE2: slot = 0 is used twice"),
            ("slot = 3", "slot = 9", "port LINE2: slot = 9, but the PCM bus has slots 0 to 7"),
            ("rate = 8000", "rate = 16000", "pcm: rate = 16000, but the line chips run at 8000"),
            ("\"PHONE2\"", "\"PHONE1\"", "port PHONE1: the name is used twice"),
            ("lifeline_to = \"PHONE1\"", "lifeline_to = \"PHONE9\"", "port LINE1: lifeline_to = \"PHONE9\""),
            ("kind = \"fxo\"", "kind = \"fxs\"", "port LINE1: a si3050 makes an fxo port"),
        ] {
            let error = Profile::parse(&SIM.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = Profile::parse(&SIM.replace("periods = 4", "period_count = 4")).unwrap_err().to_string();
        assert!(error.contains("period_count") && error.contains("line"), "{error}");
    }
}
