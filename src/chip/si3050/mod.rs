//! Si3050 with a Si3019 line side: one FXO port, driven over a daisy chain.
//!
//! [`Si3050::poll`] is called when [`Si3050::deadline`] has come and never waits; time is an argument. A chip looks after
//! itself:
//!
//! ```text
//!             done             link lost: line side powered anew
//! Starting ─────────> Up ──────────────────────────────> Starting
//!  ^    │ fails       │ registers lost: from the beginning ^
//!  │    │             │ SPI lost
//!  │    └──> Resting <┘
//!  └─1, 5, 30 s─┘
//! ```
//!
//! The line is on hook and monitored (caller ID is heard) whenever the chip has come up: a call that a fault has cut is
//! not taken up again by itself. Numbers are those of DAHDI's drivers where they give any.

pub mod bus;
pub mod country;
mod detect;
mod error;
mod line;
pub mod pulse;
pub mod reg;
mod startup;

use crate::{id::Slot, time::Instant};
use bus::{Chain, Registers};
use country::Termination;
pub use detect::Battery;
use embedded_hal::spi::SpiDevice;
pub use error::{Error, Problem};
use line::{Fault, Hook, Line};
use pulse::{PulseTrain, Pulsing};
use reg::Reg;
use startup::StartUp;

/// Time between two samples of the line.
pub const POLL_MS: u64 = 16;
/// Waits before the first, the second and every later recovery.
const BACK_OFF_MS: [u64; 3] = [1_000, 5_000, 30_000];
/// Failed transfers in a row until the chip counts as lost.
const SPI_FAULTS_MAX: u8 = 3;
/// Shortest and longest flash; outside of it exchanges see a dial pulse or the end of the call.
const FLASH_MS: std::ops::RangeInclusive<u16> = 80..=1000;

/// What the line or the chip did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chip is up, its line on hook and monitored; it is fed, alone and silent until further events say otherwise,
    /// whatever was reported before.
    Up,
    /// The chip does not come up; it is tried again with back-off.
    Down,
    /// The chip lost its registers and is being started anew; the line is on hook.
    Reset,
    /// The link to the line side broke and is being brought up anew; the line is on hook.
    LinkLost,
    /// Ringing voltage.
    RingBegan,
    /// It stopped, or the line was seized.
    RingEnded,
    /// No battery for 64 ms: the far end disconnected, or the cable is out. Ends what a parallel phone did.
    BatteryLost,
    /// No battery for a second.
    LineDead,
    /// The battery is back.
    BatteryReturned,
    /// TIP and RING changed places.
    PolarityReversed {
        /// How they are now.
        to: Polarity,
    },
    /// Another phone on the line went off hook.
    ParallelLifted,
    /// It hung up.
    ParallelHungUp,
    /// Off hook and settled: readings can be trusted from now on.
    OffHook,
    /// The flash is over; the line is off hook and settles.
    Flashed,
    /// The digits are pulsed; the line is off hook and settles.
    Pulsed,
    /// Too much loop current; the driver has hung up.
    Overload,
}

/// What the port is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Hangs up, without hearing the line.
    OnHook,
    /// Hangs up, or stays so, and hears the line: caller ID.
    Monitor,
    /// Seizes the line.
    OffHook,
    /// Opens the loop of a seized line for a moment.
    Flash {
        /// 80..=1000 ms, brought into that range.
        open_ms: u16,
    },
    /// Dials by opening the loop of a seized line.
    Pulse {
        /// What is dialled.
        digits: PulseTrain,
    },
}

/// Sign of the line voltage. Which one is normal depends on how the jack is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// TIP above RING.
    Positive,
    /// TIP below RING.
    Negative,
}

/// One sample of a line that has settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// V between TIP and RING, signed, ±10 %.
    pub volts: i8,
    /// Loop current, mA, in steps of 1.1; only off hook.
    pub milliamps: Option<f32>,
}

/// A gain or, below 0, an attenuation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gain {
    tenths_db: i16,
}

impl Gain {
    /// Tenths of a dB, −150..=120; `None` outside.
    #[must_use]
    pub fn of_tenths_db(tenths_db: i16) -> Option<Self> {
        (-150..=120).contains(&tenths_db).then_some(Self { tenths_db })
    }

    /// Whole dB (R38, R39) and tenths (R40, R41): bit 4 attenuates.
    fn words(self) -> [u8; 2] {
        let sign = u8::from(self.tenths_db < 0) << 4;
        let size = self.tenths_db.unsigned_abs();
        [size / 10, size % 10].map(|step| step as u8 | sign)
    }
}

/// How the 2-wire end is matched to its line, for the least echo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// ACIM, 0..=15: the impedance of [`Termination::acim`].
    pub acim: u8,
    /// Coefficients of the hybrid; all 0 leaves the echo as it is.
    pub hybrid: [i8; 8],
}

/// How a port is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time slot of 16 bits on the PCM bus.
    pub slot: Slot,
    /// Line words of the country.
    pub termination: Termination,
    /// Towards the line.
    pub tx_gain: Gain,
    /// From the line.
    pub rx_gain: Gain,
    /// Coefficients of the hybrid; all 0 leaves the echo as it is.
    pub hybrid: [i8; 8],
}

impl Settings {
    /// North American values for a port on `slot`.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        let flat = Gain::default();
        Self { slot, termination: country::FCC, tx_gain: flat, rx_gain: flat, hybrid: [0; 8] }
    }

    /// R34 and R35. The bus has the most significant bit in the clock of FSYNC (`dsp_b`), so slot n starts
    /// n × 16 PCLKs after it.
    fn tx_start(&self) -> [u8; 2] {
        (u16::from(self.slot.0) * 16).to_le_bytes()
    }

    fn gains(&self) -> [(Reg, u8); 4] {
        let ([tx, tx_tenths], [rx, rx_tenths]) = (self.tx_gain.words(), self.rx_gain.words());
        [(Reg::TxGain, tx), (Reg::RxGain, rx), (Reg::TxGainTenths, tx_tenths), (Reg::RxGainTenths, rx_tenths)]
    }

    fn hybrid(&self) -> [(Reg, u8); 8] {
        let mut values = reg::HYBRID.map(|register| (register, 0));
        for ((_, value), coefficient) in values.iter_mut().zip(self.hybrid) {
            *value = coefficient.to_le_bytes()[0];
        }
        values
    }
}

/// One chip and its line.
#[derive(Clone, Debug)]
pub struct Si3050 {
    index: u8,
    settings: Settings,
    state: State,
    /// Start-ups that failed since the chip was last up.
    failures: u8,
}

#[derive(Clone, Debug)]
enum State {
    Starting(StartUp),
    Up(Box<Line>),
    Resting { until: Instant },
}

impl Si3050 {
    /// Chip `index` of its chain; it starts with the first poll.
    #[must_use]
    pub fn new(index: u8, settings: Settings) -> Self {
        Self { index, settings, state: State::Starting(StartUp::new(Instant::ZERO)), failures: 0 }
    }

    /// Whether the port can be used.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.line().is_some()
    }

    /// Whether the port holds the line (not while it flashes or pulses).
    #[must_use]
    pub fn is_off_hook(&self) -> bool {
        self.line().is_some_and(Line::is_off_hook)
    }

    /// What feeds the line; `None` until the port has been up for 64 ms. Look here before seizing a line.
    #[must_use]
    pub fn battery(&self) -> Option<Battery> {
        self.line().and_then(Line::battery)
    }

    /// How TIP and RING lie; `None` until a battery has been seen.
    #[must_use]
    pub fn polarity(&self) -> Option<Polarity> {
        self.line().and_then(Line::polarity)
    }

    /// The latest sample; `None` while the port is not up, its line settles or its link is upset.
    #[must_use]
    pub fn readings(&self) -> Option<Readings> {
        self.line().and_then(Line::readings)
    }

    /// When [`Self::poll`] is due; earlier polls do nothing.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match &self.state {
            State::Starting(start) => start.due(),
            State::Up(line) => line.due(),
            State::Resting { until } => *until,
        }
    }

    /// Does as told.
    ///
    /// # Errors
    /// [`Problem::NotUp`], [`Problem::OnHook`]; [`Problem::Spi`], after which the next sample repeats the order.
    pub fn handle<S: SpiDevice>(
        &mut self,
        command: Command,
        chain: &mut Chain<S>,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<(), Error<S::Error>> {
        let regs = &mut chain.chip(self.index);
        let State::Up(line) = &mut self.state else { return Err(regs.error(Reg::Daa1, Problem::NotUp)) };
        let hook = match command {
            Command::OnHook => Hook::On,
            Command::Monitor => Hook::Monitor,
            Command::OffHook => Hook::Off,
            Command::Flash { .. } | Command::Pulse { .. } if !line.is_off_hook() => {
                return Err(regs.error(Reg::Daa1, Problem::OnHook));
            }
            Command::Flash { open_ms } => {
                let open_ms = open_ms.clamp(*FLASH_MS.start(), *FLASH_MS.end());
                Hook::Flash { until: now.after_ms(open_ms.into()) }
            }
            Command::Pulse { digits } => Hook::Pulse(Pulsing::new(digits, now)),
        };
        line.set(hook, regs, now, out)
    }

    /// Sets the gains, now if the port is up and at every start.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn set_gains<S: SpiDevice>(
        &mut self,
        tx: Gain,
        rx: Gain,
        chain: &mut Chain<S>,
    ) -> Result<(), Error<S::Error>> {
        (self.settings.tx_gain, self.settings.rx_gain) = (tx, rx);
        let values = self.settings.gains();
        self.load(&values, chain)
    }

    /// Sets impedance and hybrid, now if the port is up and at every start.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn set_balance<S: SpiDevice>(
        &mut self,
        balance: Balance,
        chain: &mut Chain<S>,
    ) -> Result<(), Error<S::Error>> {
        self.settings.termination.acim = balance.acim;
        self.settings.hybrid = balance.hybrid;
        let values = self.settings.hybrid();
        self.load(&[(Reg::AcTermination, self.settings.termination.ac())], chain)?;
        self.load(&values, chain)
    }

    /// The same chip on a line that asks for `termination`; for one that has not started yet.
    #[must_use]
    pub fn with_termination(&self, termination: Termination) -> Self {
        Self::new(self.index, Settings { termination, ..self.settings })
    }

    /// Looks at the line, or takes start-up or recovery a step further.
    ///
    /// # Errors
    /// What is wrong, for the log; the events tell the rest of the box and the chip recovers by itself.
    pub fn poll<S: SpiDevice>(
        &mut self,
        chain: &mut Chain<S>,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<(), Error<S::Error>> {
        let regs = &mut chain.chip(self.index);
        match &mut self.state {
            State::Starting(start) => match start.step(regs, &self.settings, now) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    self.failures = 0;
                    self.state = State::Up(Box::new(Line::new(now)));
                    out.push(Event::Up);
                    Ok(())
                }
                Err(error) => {
                    self.rest(now, out);
                    Err(error)
                }
            },
            State::Up(line) => match line.poll(regs, &self.settings, now, out) {
                Ok(()) => Ok(()),
                Err(fault) => Err(self.recover(fault, regs, now, out)),
            },
            State::Resting { until } if now >= *until => {
                self.state = State::Starting(StartUp::new(now));
                Ok(())
            }
            State::Resting { .. } => Ok(()),
        }
    }

    fn line(&self) -> Option<&Line> {
        match &self.state {
            State::Up(line) => Some(line),
            State::Starting(_) | State::Resting { .. } => None,
        }
    }

    fn load<S: SpiDevice>(&self, values: &[(Reg, u8)], chain: &mut Chain<S>) -> Result<(), Error<S::Error>> {
        if self.is_up() { chain.chip(self.index).write_all(values) } else { Ok(()) }
    }

    fn recover<S: SpiDevice>(
        &mut self,
        fault: Fault<S::Error>,
        regs: &Registers<'_, S>,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Error<S::Error> {
        match fault {
            Fault::Transfer { error, lost: false } => error,
            Fault::Transfer { error, lost: true } => {
                self.rest(now, out);
                error
            }
            Fault::LostRegisters => {
                out.push(Event::Reset);
                self.state = State::Starting(StartUp::new(now));
                regs.error(Reg::PcmMode, Problem::LostRegisters)
            }
            Fault::LinkLost => {
                out.push(Event::LinkLost);
                self.state = State::Starting(StartUp::relink(now));
                regs.error(Reg::Identity, Problem::LinkLost)
            }
            Fault::Overload => regs.error(Reg::LineStatus, Problem::Overload),
        }
    }

    fn rest(&mut self, now: Instant, out: &mut Vec<Event>) {
        if self.failures == 0 {
            out.push(Event::Down);
        }
        let wait_ms = BACK_OFF_MS[usize::from(self.failures).min(BACK_OFF_MS.len() - 1)];
        self.state = State::Resting { until: now.after_ms(wait_ms) };
        self.failures = self.failures.saturating_add(1);
    }
}
