//! The `line-io` thread: owns every line chip of the board, starts them, polls them every 8 ms or when they ask for it,
//! passes orders to them and changes of their lines on. The only folder that knows `linux-embedded-hal`.
//!
//! [`LineIo`] itself has neither clock nor thread, so the simulation can turn it in virtual time; [`LineIo::run`] is
//! the thread's loop.

mod fault_log;
mod jack;

use crate::board::Profile;
use crate::chip::si3050::{self, country::Termination};
use crate::chip::{LineChange, LineOrder, Linefeed, PortChange, si3215};
use crate::id::PortId;
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;
use jack::{Chain, Jack};
use linux_embedded_hal::SpidevDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// Time between two polls of every chip.
const POLL_MS: u64 = si3215::POLL_MS;
/// How often the voltages and currents of every port are told.
const READINGS_MS: u64 = 1_000;

/// An order for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCommand {
    /// The port.
    pub port: PortId,
    /// What it is to do.
    pub order: Order,
}

/// What a port is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// An FXS port: how to feed its loop.
    Feed(Linefeed),
    /// An FXO port: what to do with its line.
    Line(LineOrder),
    /// An FXO port: how to balance its hybrid.
    Balance(si3050::Balance),
}

impl LineCommand {
    /// Feeds the loop of an FXS port.
    #[must_use]
    pub const fn feed(port: PortId, linefeed: Linefeed) -> Self {
        Self { port, order: Order::Feed(linefeed) }
    }
}

/// A change of a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineEvent {
    /// The port.
    pub port: PortId,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// At an FXS port.
    Fxs(PortChange),
    /// At an FXO port.
    Fxo(LineChange),
    /// Voltage and current, once a second while the chip is up.
    Readings(Readings),
}

/// What a port measures of its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// V between TIP and RING, signed.
    pub volts: f32,
    /// Loop current in mA; of an FXO port only while it is off hook.
    pub milliamps: Option<f32>,
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

/// All ports of a board.
pub struct LineIo<S> {
    chains: Vec<Chain<S>>,
    jacks: Vec<Jack>,
    readings_at: Instant,
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
        let chains = profile.spi.iter().zip(devices).map(|(spi, device)| Chain::new(profile, spi, device));
        Ok(Self {
            chains: chains.collect(),
            jacks: profile.numbered_ports().map(|(id, port)| Jack::new(id, port, profile)).collect(),
            readings_at: Instant::ZERO,
        })
    }

    /// Terminates the lines of the FXO ports as their country asks for; without it, as the United States do.
    #[must_use]
    pub fn with_termination(mut self, termination: Termination) -> Self {
        self.jacks.iter_mut().for_each(|jack| jack.terminate(termination));
        self
    }

    /// Carries an order out. If the transfer fails, the next turn tries again.
    pub fn command(&mut self, command: LineCommand, now: Instant, emit: &mut impl FnMut(LineEvent)) {
        let Some(jack) = self.jacks.iter_mut().find(|jack| jack.id == command.port) else {
            tracing::warn!(port = command.port.0, "order for a port that the board does not have");
            return;
        };
        jack.obey(command.order, &mut self.chains, now, emit);
    }

    /// Polls every port whose time has come.
    pub fn turn(&mut self, now: Instant, emit: &mut impl FnMut(LineEvent)) {
        for jack in &mut self.jacks {
            jack.poll(&mut self.chains, now, emit);
        }
        if now >= self.readings_at {
            self.readings_at = now.after_ms(READINGS_MS);
            for jack in &mut self.jacks {
                jack.tell_readings(&mut self.chains, emit);
            }
        }
    }

    /// When the next turn is due, at the latest 8 ms after one at `now`: chips that dial or flash ask for less.
    #[must_use]
    pub fn due(&self, now: Instant) -> Instant {
        let asked = self.jacks.iter().filter_map(Jack::deadline).min();
        // A chip whose transfers fail asks for the past.
        asked.map_or(now.after_ms(POLL_MS), |at| at.clamp(now.after_ms(1), now.after_ms(POLL_MS)))
    }

    /// Measures the loop of an FXS port; `None` if there is no such port.
    ///
    /// # Errors
    /// That of the transfer.
    pub fn readings(
        &mut self,
        port: PortId,
    ) -> Option<Result<si3215::readings::Readings, si3215::Error<S::Error>>> {
        self.jacks.iter().find(|jack| jack.id == port)?.fxs_readings(&mut self.chains)
    }

    /// Turns until the other end of `commands` is dropped, then opens every loop and hangs up every line. An order
    /// wakes the loop and is written at once; `now` is the clock of the box.
    pub fn run(
        mut self,
        commands: &Receiver<LineCommand>,
        now: impl Fn() -> Instant,
        mut emit: impl FnMut(LineEvent),
    ) {
        let mut due = now();
        loop {
            match commands.recv_timeout(due - now()) {
                Ok(command) => {
                    self.command(command, now(), &mut emit);
                    due = due.min(self.due(now()));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if now() >= due {
                let began = now();
                self.turn(began, &mut emit);
                // A turn that took too long is not caught up with.
                due = self.due(began).max(now());
            }
        }
        let rest = self.jacks.iter().map(|jack| LineCommand { port: jack.id, order: jack.at_rest() });
        rest.collect::<Vec<_>>().into_iter().for_each(|command| self.command(command, now(), &mut |_| ()));
    }
}
