//! The `line-io` thread: owns every FXS chip of the board, starts them, polls them every 8 ms, passes orders to them and
//! changes of their loops on. The only file that knows `linux-embedded-hal`.
//!
//! [`LineIo`] itself has neither clock nor thread, so the simulation can turn it in virtual time; [`LineIo::run`] is
//! the thread's loop. FXO ports have no driver yet: their chips stay as a reset leaves them, on hook.

use crate::board::{ChipKind, Port, Profile};
use crate::chip::si3215::bus::Chain;
use crate::chip::si3215::readings::Readings;
use crate::chip::si3215::{Error, POLL_MS, Settings, Si3215};
use crate::chip::{Linefeed, PortChange};
use crate::id::PortId;
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;
use linux_embedded_hal::SpidevDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// A fault that persists is logged again after this long.
const REPEAT_LOG_MS: u64 = 60_000;

/// An order for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCommand {
    /// The port.
    pub port: PortId,
    /// How to feed its loop.
    pub linefeed: Linefeed,
}

/// A change of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEvent {
    /// The port.
    pub port: PortId,
    /// What changed.
    pub change: PortChange,
}

/// Why the chips cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum LineIoError {
    /// An SPI device does not open.
    #[error("{dev}: {problem}; check that the kernel has spidev and that this user may open it")]
    Open {
        /// Device file.
        dev: String,
        /// What the kernel says.
        problem: String,
    },
    /// The board has another number of chains than there are devices.
    #[error("the board has {chains} SPI chains, but {devices} devices were opened")]
    Devices {
        /// Chains in the profile.
        chains: usize,
        /// Devices given.
        devices: usize,
    },
}

/// All FXS ports of a board.
pub struct LineIo<S> {
    chains: Vec<Chain<S>>,
    ports: Vec<FxsPort>,
    changes: Vec<PortChange>,
}

struct FxsPort {
    id: PortId,
    name: String,
    chain: usize,
    chip: Si3215,
    log: FaultLog,
}

/// Keeps a fault that shows in each poll from filling the log.
#[derive(Default)]
struct FaultLog {
    last: String,
    again_at: Instant,
}

/// Opens the SPI devices of a board, mode 3, in the order of the profile.
///
/// # Errors
/// [`LineIoError::Open`] names the device file.
pub fn open_spidev(profile: &Profile) -> Result<Vec<SpidevDevice>, LineIoError> {
    let open = |dev: &str, hz: u32| {
        let mut spi = SpidevDevice::open(dev).map_err(|e| e.to_string())?;
        let options =
            SpidevOptions::new().bits_per_word(8).max_speed_hz(hz).mode(SpiModeFlags::SPI_MODE_3).build();
        spi.configure(&options).map_err(|e| e.to_string())?;
        Ok(spi)
    };
    let chains = profile.spi.iter();
    chains
        .map(|spi| {
            open(&spi.dev, spi.hz).map_err(|problem| LineIoError::Open { dev: spi.dev.clone(), problem })
        })
        .collect()
}

impl<S: SpiDevice> LineIo<S> {
    /// Takes one SPI device per chain of the profile, in its order. The chips start with the first turn.
    ///
    /// # Errors
    /// [`LineIoError::Devices`].
    pub fn new(profile: &Profile, devices: Vec<S>) -> Result<Self, LineIoError> {
        if devices.len() != profile.spi.len() {
            return Err(LineIoError::Devices { chains: profile.spi.len(), devices: devices.len() });
        }
        let ports = profile.fxs_ports().filter(|(_, port)| port.chip == ChipKind::Si3215);
        let ports = ports.map(|(id, port)| FxsPort::new(id, port, profile)).collect();
        Ok(Self { chains: devices.into_iter().map(Chain::new).collect(), ports, changes: Vec::new() })
    }

    /// Carries an order out. If the transfer fails, the next turn tries again.
    pub fn command(&mut self, command: LineCommand, now: Instant) {
        let Some(port) = self.ports.iter_mut().find(|port| port.id == command.port) else {
            tracing::warn!(port = command.port.0, "order for a port that is not an FXS port");
            return;
        };
        let Some(chain) = self.chains.get_mut(port.chain) else { return };
        let done = port.chip.set_linefeed(command.linefeed, chain, now);
        port.log.note(&port.name, done, now);
    }

    /// Polls every port once; due every 8 ms.
    pub fn turn(&mut self, now: Instant, emit: &mut impl FnMut(LineEvent)) {
        for port in &mut self.ports {
            let Some(chain) = self.chains.get_mut(port.chain) else { continue };
            let seen = port.chip.poll(chain, now, &mut self.changes);
            port.log.note(&port.name, seen, now);
            for change in self.changes.drain(..) {
                tracing::debug!(port = port.name, ?change);
                emit(LineEvent { port: port.id, change });
            }
        }
    }

    /// Measures the line of a port; `None` if there is no such FXS port.
    ///
    /// # Errors
    /// That of the transfer.
    pub fn readings(&mut self, port: PortId) -> Option<Result<Readings, Error<S::Error>>> {
        let port = self.ports.iter().find(|p| p.id == port)?;
        Some(port.chip.readings(self.chains.get_mut(port.chain)?))
    }

    /// Turns until the other end of `commands` is dropped, then opens every loop. An order wakes the loop and is
    /// written at once; `now` is the clock of the box.
    pub fn run(
        mut self,
        commands: &Receiver<LineCommand>,
        now: impl Fn() -> Instant,
        mut emit: impl FnMut(LineEvent),
    ) {
        let mut due = now();
        loop {
            match commands.recv_timeout(due - now()) {
                Ok(command) => self.command(command, now()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if now() >= due {
                self.turn(now(), &mut emit);
                // A turn that took too long is not caught up with.
                due = due.after_ms(POLL_MS).max(now());
            }
        }
        let ids: Vec<PortId> = self.ports.iter().map(|port| port.id).collect();
        ids.into_iter().for_each(|port| self.command(LineCommand { port, linefeed: Linefeed::Open }, now()));
    }
}

impl FxsPort {
    fn new(id: PortId, port: &Port, profile: &Profile) -> Self {
        let chain = profile.spi.iter().position(|spi| spi.name == port.spi).unwrap_or_default();
        let chip = Si3215::new(port.index, Settings::new(port.slot()));
        Self { id, name: port.name.clone(), chain, chip, log: FaultLog::default() }
    }
}

impl FaultLog {
    fn note<E: std::error::Error>(&mut self, port: &str, result: Result<(), E>, now: Instant) {
        let Err(error) = result else { return };
        let text = error.to_string();
        if text == self.last && now < self.again_at {
            return;
        }
        tracing::warn!(port, "{text}");
        self.last = text;
        self.again_at = now.after_ms(REPEAT_LOG_MS);
    }
}
