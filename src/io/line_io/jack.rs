//! One port and the chip behind it, and the chain that the chip is on.

use super::{Change, LineEvent, Order, Readings, fault_log::FaultLog};
use crate::board::{ChipKind, Port, Profile, Spi};
use crate::chip::si3050::{self, Si3050, country::Termination};
use crate::chip::si3215::{self, Si3215};
use crate::chip::{LineChange, LineOrder, Linefeed, PortChange};
use crate::id::PortId;
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;

/// The chips behind one chip select: of one kind, as the profile's check has seen to.
pub(super) enum Chain<S> {
    Fxs(si3215::bus::Chain<S>),
    Fxo(si3050::bus::Chain<S>),
}

impl<S: SpiDevice> Chain<S> {
    pub(super) fn new(profile: &Profile, spi: &Spi, device: S) -> Self {
        let is_fxo = profile.ports.iter().any(|port| port.spi == spi.name && port.chip == ChipKind::Si3050);
        if is_fxo {
            Self::Fxo(si3050::bus::Chain::new(device))
        } else {
            Self::Fxs(si3215::bus::Chain::new(device))
        }
    }
}

/// One port.
pub(super) struct Jack {
    pub(super) id: PortId,
    name: String,
    chain: usize,
    chip: Chip,
    log: FaultLog,
}

enum Chip {
    Fxs { chip: Si3215, changes: Vec<PortChange> },
    Fxo { chip: Box<Si3050>, changes: Vec<LineChange> },
}

impl Jack {
    pub(super) fn new(id: PortId, port: &Port, profile: &Profile) -> Self {
        let chain = profile.spi.iter().position(|spi| spi.name == port.spi).unwrap_or_default();
        let chip = match port.chip {
            ChipKind::Si3215 => {
                let settings = si3215::Settings::new(port.slot());
                Chip::Fxs { chip: Si3215::new(port.index, settings), changes: Vec::new() }
            }
            ChipKind::Si3050 => {
                let settings = si3050::Settings::new(port.slot());
                Chip::Fxo { chip: Box::new(Si3050::new(port.index, settings)), changes: Vec::new() }
            }
        };
        Self { id, name: port.name.clone(), chain, chip, log: FaultLog::default() }
    }

    /// Sets what the country's lines ask for; before the first poll.
    pub(super) fn terminate(&mut self, termination: Termination) {
        if let Chip::Fxo { chip, .. } = &mut self.chip {
            **chip = chip.with_termination(termination);
        }
    }

    /// When the chip wants to be polled, if it says so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.chip {
            Chip::Fxs { .. } => None,
            Chip::Fxo { chip, .. } => Some(chip.deadline()),
        }
    }

    /// What the port is told when the program ends.
    pub(super) const fn at_rest(&self) -> Order {
        match self.chip {
            Chip::Fxs { .. } => Order::Feed(Linefeed::Open),
            Chip::Fxo { .. } => Order::Line(LineOrder::OnHook),
        }
    }

    pub(super) fn obey<S: SpiDevice>(
        &mut self,
        order: Order,
        chains: &mut [Chain<S>],
        now: Instant,
        emit: &mut impl FnMut(LineEvent),
    ) {
        match (&mut self.chip, chains.get_mut(self.chain), order) {
            (Chip::Fxs { chip, .. }, Some(Chain::Fxs(chain)), Order::Feed(feed)) => {
                let done = chip.set_linefeed(feed, chain, now);
                self.log.note(&self.name, done, now);
            }
            (Chip::Fxo { chip, changes }, Some(Chain::Fxo(chain)), Order::Line(order)) => {
                let done = chip.handle(order, chain, now, changes);
                self.log.note(&self.name, done, now);
            }
            (Chip::Fxo { chip, .. }, Some(Chain::Fxo(chain)), Order::Balance(balance)) => {
                let done = chip.set_balance(balance, chain);
                self.log.note(&self.name, done, now);
            }
            (_, _, order) => {
                tracing::warn!(port = self.name, ?order, "an order that is not for this kind of port")
            }
        }
        self.tell_changes(emit);
    }

    pub(super) fn poll<S: SpiDevice>(
        &mut self,
        chains: &mut [Chain<S>],
        now: Instant,
        emit: &mut impl FnMut(LineEvent),
    ) {
        match (&mut self.chip, chains.get_mut(self.chain)) {
            (Chip::Fxs { chip, changes }, Some(Chain::Fxs(chain))) => {
                let seen = chip.poll(chain, now, changes);
                self.log.note(&self.name, seen, now);
            }
            (Chip::Fxo { chip, changes }, Some(Chain::Fxo(chain))) if now >= chip.deadline() => {
                let seen = chip.poll(chain, now, changes);
                self.log.note(&self.name, seen, now);
            }
            _ => {}
        }
        self.tell_changes(emit);
    }

    fn tell_changes(&mut self, emit: &mut impl FnMut(LineEvent)) {
        let (port, name) = (self.id, &self.name);
        let mut tell = |change: Change| {
            tracing::debug!(port = name, ?change);
            emit(LineEvent { port, change });
        };
        match &mut self.chip {
            Chip::Fxs { changes, .. } => changes.drain(..).map(Change::Fxs).for_each(&mut tell),
            Chip::Fxo { changes, .. } => changes.drain(..).map(Change::Fxo).for_each(&mut tell),
        }
    }

    /// Tells what the port measures; a port that is not up, or whose line settles, tells nothing.
    pub(super) fn tell_readings<S: SpiDevice>(
        &self,
        chains: &mut [Chain<S>],
        emit: &mut impl FnMut(LineEvent),
    ) {
        let readings = match &self.chip {
            Chip::Fxs { chip, .. } if !chip.is_up() => None,
            Chip::Fxs { .. } => self
                .fxs_readings(chains)
                .and_then(Result::ok)
                .map(|read| Readings { volts: read.loop_volts, milliamps: Some(read.loop_milliamps) }),
            Chip::Fxo { chip, .. } => chip
                .readings()
                .map(|read| Readings { volts: f32::from(read.volts), milliamps: read.milliamps }),
        };
        if let Some(readings) = readings {
            emit(LineEvent { port: self.id, change: Change::Readings(readings) });
        }
    }

    pub(super) fn fxs_readings<S: SpiDevice>(
        &self,
        chains: &mut [Chain<S>],
    ) -> Option<Result<si3215::readings::Readings, si3215::Error<S::Error>>> {
        match (&self.chip, chains.get_mut(self.chain)?) {
            (Chip::Fxs { chip, .. }, Chain::Fxs(chain)) => Some(chip.readings(chain)),
            _ => None,
        }
    }
}
