//! Si3210/Si3215 ProSLIC: one FXS port, driven over a daisy chain (Silicon Labs data sheet rev 0.92).
//!
//! [`Si3215::poll`] is called every 8 ms and never waits; time is an argument. A chip looks after itself:
//!
//! ```text
//!             done                 power alarm
//! Starting ─────────> Up ──────────────────────────> Cooling ──1, 5, 30 s──> Up
//!  ^    │             │ registers or SPI lost           │ 11th in a row
//!  │    │ fails       v                                 v
//!  │    └──> Resting <┘ (registers: quick Starting)    Stopped
//!  └─1, 5, 30 s─┘
//! ```
//!
//! The data sheet marks the part as not recommended for new designs; what the rest of the box sees of it is only
//! [`Linefeed`] and [`PortChange`], so that another SLIC can take its place.

pub mod bus;
mod error;
mod feed;
mod indirect;
pub mod readings;
pub mod reg;
pub mod ring;
mod startup;

use super::{Linefeed, PortChange};
use crate::{id::Slot, time::Instant};
use bus::{Chain, Registers};
use embedded_hal::spi::SpiDevice;
pub use error::{Error, Problem};
use feed::{Fault, Feed};
use readings::Readings;
use reg::Reg;
use startup::{Calibration, StartUp};

/// Polls are due this often; ring trip must open the ringing within 200 ms (the chip's own debounce takes 14 ms).
pub const POLL_MS: u64 = 8;
/// Waits before the first, the second and every later recovery.
const BACK_OFF_MS: [u64; 3] = [1_000, 5_000, 30_000];
/// Power alarms in a row that are recovered from.
const ALARMS_MAX: u8 = 10;
/// One alarm is forgotten for each such time without another.
const ALARM_DECAY_MS: u64 = 10_000;
/// Failed transfers in a row until the chip counts as lost.
const SPI_FAULTS_MAX: u8 = 3;

/// How a port is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Time slot of 16 bits on the PCM bus.
    pub slot: Slot,
    /// Ringing signal.
    pub ring: ring::RingSetting,
    /// Two-wire impedance toward the phone.
    pub impedance: Impedance,
    /// Current limit of a closed loop, mA, 20..=41 in steps of 3.
    pub loop_milliamps: u8,
}

impl Settings {
    /// North American values for a port on `slot`.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        Self { slot, ring: ring::RingSetting::default(), impedance: Impedance::R600, loop_milliamps: 20 }
    }

    /// R71: 20 mA and 3 mA per step.
    fn current_limit(&self) -> u8 {
        (self.loop_milliamps.saturating_sub(20) / 3).min(7)
    }

    /// R2 and R3. The bus has the most significant bit in the clock of FSYNC (`dsp_b`), so slot n starts
    /// n × 16 PCLKs after it.
    fn tx_start(&self) -> [u8; 2] {
        (u16::from(self.slot.0) * 16).to_le_bytes()
    }

    /// 16-bit linear, both directions in the same slot.
    fn pcm(&self) -> [(Reg, u8); 5] {
        let [low, high] = self.tx_start();
        [
            (Reg::TxStartLow, low),
            (Reg::TxStartHigh, high),
            (Reg::RxStartLow, low),
            (Reg::RxStartHigh, high),
            (Reg::PcmMode, reg::pcm_mode::LINEAR_ON),
        ]
    }
}

/// Two-wire impedance (R10, TISS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impedance {
    /// 600 Ω: North America.
    R600 = 0,
    /// 900 Ω.
    R900 = 1,
    /// 600 Ω + 2.16 µF.
    R600C = 2,
    /// 900 Ω + 2.16 µF.
    R900C = 3,
    /// 270 Ω + (750 Ω ‖ 150 nF): TBR 21.
    Tbr21 = 4,
    /// 220 Ω + (820 Ω ‖ 120 nF).
    Australia = 5,
    /// 220 Ω + (820 Ω ‖ 115 nF): Germany.
    Germany = 6,
    /// 200 Ω + (680 Ω ‖ 100 nF): China.
    China = 7,
}

impl Impedance {
    /// R10 with TISE, the enable bit.
    fn code(self) -> u8 {
        0x08 | self as u8
    }
}

/// One chip and its port.
#[derive(Clone, Debug)]
pub struct Si3215 {
    index: u8,
    settings: Settings,
    state: State,
    /// The latest order; applied again after a recovery.
    wanted: Linefeed,
    calibration: Option<Calibration>,
    /// Start-ups that failed since the chip was last up.
    failures: u8,
    alarms: u8,
    alarms_decay_at: Instant,
}

#[derive(Clone, Debug)]
enum State {
    Starting(StartUp),
    Up(Feed),
    Cooling { until: Instant },
    Resting { until: Instant },
    Stopped,
}

impl Si3215 {
    /// Chip `index` of its chain; it starts with the first poll.
    #[must_use]
    pub fn new(index: u8, settings: Settings) -> Self {
        Self {
            index,
            settings,
            state: State::Starting(StartUp::new(None)),
            wanted: Linefeed::Active,
            calibration: None,
            failures: 0,
            alarms: 0,
            alarms_decay_at: Instant::ZERO,
        }
    }

    /// Whether the port can be used.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Feeds the loop as told; a port that is not up takes the order when it is (ringing excepted).
    ///
    /// # Errors
    /// [`Problem::Spi`]; the next poll tries again.
    pub fn set_linefeed<S: SpiDevice>(
        &mut self,
        feed: Linefeed,
        chain: &mut Chain<S>,
        now: Instant,
    ) -> Result<(), Error<S::Error>> {
        self.wanted = feed;
        let State::Up(up) = &mut self.state else { return Ok(()) };
        up.set(feed, &mut chain.chip(self.index), now)
    }

    /// Looks at the chip and takes its start-up or recovery a step further.
    ///
    /// # Errors
    /// What is wrong, for the log; the changes tell the rest of the box and the chip recovers by itself.
    pub fn poll<S: SpiDevice>(
        &mut self,
        chain: &mut Chain<S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<(), Error<S::Error>> {
        let regs = &mut chain.chip(self.index);
        match &mut self.state {
            State::Starting(start) => match start.step(regs, &self.settings, now) {
                Ok(None) => Ok(()),
                Ok(Some(calibration)) => {
                    self.calibration = Some(calibration);
                    self.failures = 0;
                    self.come_up(regs, now, out)
                }
                Err(error) => {
                    self.start_failed(now, out);
                    Err(error)
                }
            },
            State::Up(feed) => {
                let seen = feed.poll(regs, now, out);
                self.judge(seen, regs, now, out)
            }
            State::Cooling { until } if now >= *until => {
                let clear = [(Reg::Interrupt1, 0xFF), (Reg::Interrupt2, 0xFF), (Reg::Interrupt3, 0xFF)];
                regs.write_all(&clear)?;
                self.come_up(regs, now, out)
            }
            State::Resting { until } if now >= *until => {
                self.state = State::Starting(StartUp::new(None));
                Ok(())
            }
            State::Cooling { .. } | State::Resting { .. } | State::Stopped => Ok(()),
        }
    }

    /// Measures the line.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn readings<S: SpiDevice>(&self, chain: &mut Chain<S>) -> Result<Readings, Error<S::Error>> {
        Readings::take(&mut chain.chip(self.index))
    }

    fn come_up<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<(), Error<S::Error>> {
        // A burst that was cut short is not taken up again: its cadence has moved on.
        if self.wanted == Linefeed::Ringing {
            self.wanted = Linefeed::Active;
        }
        let mut feed = Feed::new(self.settings.tx_start()[0]);
        let set = feed.set(self.wanted, regs, now);
        self.alarms_decay_at = now.after_ms(ALARM_DECAY_MS);
        self.state = State::Up(feed);
        out.push(PortChange::Up);
        set
    }

    fn start_failed(&mut self, now: Instant, out: &mut Vec<PortChange>) {
        // A quick start after lost registers gets one full start at once before the port counts as down.
        if self.calibration.take().is_some() {
            self.state = State::Starting(StartUp::new(None));
            return;
        }
        if self.failures == 0 {
            out.push(PortChange::Down);
        }
        self.state = State::Resting { until: now.after_ms(back_off_ms(self.failures)) };
        self.failures = self.failures.saturating_add(1);
    }

    fn judge<S: SpiDevice>(
        &mut self,
        seen: Result<(), Fault<S::Error>>,
        regs: &Registers<'_, S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<(), Error<S::Error>> {
        match seen {
            Ok(()) => {
                if self.alarms > 0 && now >= self.alarms_decay_at {
                    self.alarms -= 1;
                    self.alarms_decay_at = now.after_ms(ALARM_DECAY_MS);
                }
                Ok(())
            }
            Err(Fault::Transfer { error, lost: false }) => Err(error),
            Err(Fault::Transfer { error, lost: true }) => {
                self.calibration = None;
                self.start_failed(now, out);
                Err(error)
            }
            Err(Fault::LostRegisters) => {
                out.push(PortChange::Reset);
                self.state = State::Starting(StartUp::new(self.calibration));
                Err(regs.error(Reg::Loopback, Problem::LostRegisters))
            }
            Err(Fault::PowerAlarm { alarms }) => {
                out.push(PortChange::PowerAlarm);
                if self.alarms == ALARMS_MAX {
                    out.push(PortChange::Down);
                    self.state = State::Stopped;
                    return Err(regs.error(Reg::Interrupt2, Problem::Stopped));
                }
                self.state = State::Cooling { until: now.after_ms(back_off_ms(self.alarms)) };
                self.alarms += 1;
                Err(regs.error(Reg::Interrupt2, Problem::PowerAlarm { alarms }))
            }
        }
    }
}

fn back_off_ms(attempt: u8) -> u64 {
    BACK_OFF_MS[usize::from(attempt).min(BACK_OFF_MS.len() - 1)]
}
