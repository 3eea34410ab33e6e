//! Start-up of one chip: presence, indirect registers, battery, leak test, calibration, verification.
//!
//! A sequence of stages that is taken a step further on each poll and never waits, so that all chips of a board start
//! side by side and a chip that recovers does not delay the ring trip of another.
//!
//! ```text
//! Identify ─> Charge ─> Leak ─> Charge ─> Calibrate ─> DcDc ─> done
//!                └──────(quick: known calibration)──────┘
//! ```
//! Order and values: Si3210/15 data sheet rev 0.92 and the behaviour of chips in the field.

use super::bus::Registers;
use super::indirect::{self, Part};
use super::reg::{self, Reg};
use super::{Error, Problem, Settings};
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;

/// Time for the battery to reach its voltage.
const CHARGE_MS: u64 = 500;
/// Time for which the battery must hold without converter.
const LEAK_MS: u64 = 500;
/// R82 below which the battery counts as drained in the leak test, 0.376 V steps.
const DRAINED: u8 = 6;
/// Time for calibration; the chip takes about 300 ms.
const CALIBRATION_MS: u64 = 2000;
/// Attempts at calibration.
const CALIBRATION_ATTEMPTS: u8 = 2;
/// Time for the converter's own calibration.
const DCDC_MS: u64 = 20;
/// Good results of the converter's calibration, and what stands in for a bad one.
const DCDC_GOOD: std::ops::RangeInclusive<u8> = 0x2..=0xD;
const DCDC_DEFAULT: u8 = 0x8;
/// Silicon revisions B and later; 0, 1 and 15 are what a missing or unfinished part shows.
const REVISIONS: std::ops::RangeInclusive<u8> = 2..=14;

/// What a calibration found; a chip that lost its registers gets it back without a second one.
pub(super) type Calibration = [u8; reg::CALIBRATION_RESULTS.len()];

/// A start-up under way.
#[derive(Clone, Debug)]
pub(super) struct StartUp {
    stage: Stage,
    part: Part,
    known: Option<Calibration>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Identify,
    Charge { since: Instant, leak_tested: bool },
    Leak { since: Instant },
    Calibrate { since: Instant, attempt: u8 },
    DcDc { since: Instant },
}

impl StartUp {
    /// From the beginning; with a `known` calibration leak test and calibration are left out.
    pub(super) fn new(known: Option<Calibration>) -> Self {
        Self { stage: Stage::Identify, part: Part::Si3215, known }
    }

    /// Goes as far as is possible now. `Some` when the chip is up, its loop fed (forward active).
    pub(super) fn step<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        settings: &Settings,
        now: Instant,
    ) -> Result<Option<Calibration>, Error<S::Error>> {
        let next = match self.stage {
            Stage::Identify => {
                self.part = identify(regs)?;
                load(regs, self.part, settings)?;
                charge(regs)?;
                Stage::Charge { since: now, leak_tested: self.known.is_some() }
            }
            Stage::Charge { since, leak_tested } => {
                if !charged(regs, settings, now.ms_since(since))? {
                    return Ok(None);
                }
                regs.write_all(&[
                    (Reg::CurrentLimit, settings.current_limit()),
                    (Reg::DcDcDelay, reg::dcdc_delay::RUN),
                ])?;
                self.after_charge(regs, leak_tested, now)?
            }
            Stage::Leak { since } => {
                if !leak_free(regs, now.ms_since(since))? {
                    return Ok(None);
                }
                charge(regs)?;
                Stage::Charge { since: now, leak_tested: true }
            }
            Stage::Calibrate { since, attempt } => {
                let Some(next) = calibrated(regs, since, attempt, now)? else { return Ok(None) };
                next
            }
            Stage::DcDc { since } if now.ms_since(since) < DCDC_MS => return Ok(None),
            Stage::DcDc { .. } => return finish(regs, self.part, settings).map(Some),
        };
        self.stage = next;
        Ok(None)
    }

    fn after_charge<S: SpiDevice>(
        &self,
        regs: &mut Registers<'_, S>,
        leak_tested: bool,
        now: Instant,
    ) -> Result<Stage, Error<S::Error>> {
        if !leak_tested {
            regs.write_all(&[(Reg::Linefeed, reg::linefeed::OPEN), (Reg::Power1, reg::power1::DCDC_OFF)])?;
            return Ok(Stage::Leak { since: now });
        }
        let Some(known) = self.known else {
            calibrate(regs)?;
            return Ok(Stage::Calibrate { since: now, attempt: 1 });
        };
        for (result, value) in reg::CALIBRATION_RESULTS.into_iter().zip(known) {
            regs.write(result, value)?;
        }
        // The reset has left both calibration requests set.
        regs.write_all(&[(Reg::Calibration2, 0), (Reg::Calibration1, 0)])?;
        Ok(Stage::DcDc { since: now })
    }
}

/// Makes sure that a known part answers. It may be fresh from reset, left over from an earlier run of this program, or
/// have taken the frames of its neighbours for its own after a reset; R11 and the revision survive all of that.
fn identify<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<Part, Error<S::Error>> {
    regs.switch_chain()?;
    let hybrid = regs.read(Reg::Hybrid)?;
    if hybrid != reg::HYBRID_AT_RESET {
        return Err(regs.error(Reg::Hybrid, Problem::Absent { read: hybrid }));
    }
    let mode = regs.read(Reg::SpiMode)?;
    if mode & reg::spi_mode::DAISY_CHAIN == 0 {
        return Err(regs.error(Reg::SpiMode, Problem::Absent { read: mode }));
    }
    let revision = mode & reg::spi_mode::REVISION;
    if !REVISIONS.contains(&revision) {
        return Err(regs.error(Reg::SpiMode, Problem::Revision(revision)));
    }
    let is_3215 = regs.read(Reg::PcmMode)? & reg::pcm_mode::SI3215 != 0;
    Ok(if is_3215 { Part::Si3215 } else { Part::Si3210 })
}

/// Loads everything that does not need the battery; the loop is open and the converter off.
fn load<S: SpiDevice>(
    regs: &mut Registers<'_, S>,
    part: Part,
    settings: &Settings,
) -> Result<(), Error<S::Error>> {
    let off = [
        (Reg::SpiMode, reg::spi_mode::DAISY_CHAIN),
        (Reg::PcmMode, reg::pcm_mode::OFF),
        (Reg::Oscillator1, 0),
        (Reg::Oscillator2, 0),
        (Reg::IndirectAddress, 0),
        (Reg::Linefeed, reg::linefeed::OPEN),
        (Reg::Power1, reg::power1::DCDC_OFF),
        (Reg::InterruptEnable1, 0),
        (Reg::InterruptEnable2, 0),
        (Reg::InterruptEnable3, 0),
    ];
    regs.write_all(&off)?;
    for (address, value) in indirect_values(part, settings) {
        regs.write_indirect(address, value)?;
    }
    // The filters settle on the real line while it powers up; `finish` sets them.
    for address in filter_addresses(part) {
        regs.write_indirect(address, indirect::FILTER_FLUSH)?;
    }
    regs.write_all(&[
        (Reg::Loopback, 0),
        (Reg::Enhancement, 0xEB),
        (Reg::Automatic, reg::automatic::ALL),
        (Reg::BatteryFeed, 0x01),
    ])?;
    regs.write_all(&settings.ring.direct())
}

/// Switches the DC-DC converter on.
fn charge<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<(), Error<S::Error>> {
    regs.write_all(&[(Reg::DcDcPeriod, 0xFF), (Reg::Power1, reg::power1::ALL_ON)])
}

fn charged<S: SpiDevice>(
    regs: &mut Registers<'_, S>,
    settings: &Settings,
    elapsed_ms: u64,
) -> Result<bool, Error<S::Error>> {
    let volts = f32::from(regs.read(Reg::BatteryVoltage)?) * 0.376;
    // 96 %: 72 V of 75 V.
    let wanted = settings.ring.battery_volts() as f32 * 0.96;
    if volts >= wanted {
        return Ok(true);
    }
    if elapsed_ms < CHARGE_MS {
        return Ok(false);
    }
    regs.write(Reg::Power1, reg::power1::DCDC_OFF)?;
    Err(regs.error(Reg::BatteryVoltage, Problem::BatteryLow { volts, wanted }))
}

fn leak_free<S: SpiDevice>(regs: &mut Registers<'_, S>, elapsed_ms: u64) -> Result<bool, Error<S::Error>> {
    let battery = regs.read(Reg::BatteryVoltage)?;
    if battery <= DRAINED {
        let problem = Problem::Leak { volts: f32::from(battery) * 0.376, after_ms: elapsed_ms };
        return Err(regs.error(Reg::BatteryVoltage, problem));
    }
    Ok(elapsed_ms >= LEAK_MS)
}

fn calibrate<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<(), Error<S::Error>> {
    regs.write_all(&[
        (Reg::Calibration2, reg::calibration::SECOND_GROUP),
        (Reg::Calibration1, reg::calibration::START_ALL),
    ])
}

fn calibrated<S: SpiDevice>(
    regs: &mut Registers<'_, S>,
    since: Instant,
    attempt: u8,
    now: Instant,
) -> Result<Option<Stage>, Error<S::Error>> {
    if regs.read(Reg::Calibration1)? & reg::calibration::BUSY == 0 {
        regs.write(Reg::DcDcDelay, reg::dcdc_delay::CALIBRATE)?;
        return Ok(Some(Stage::DcDc { since: now }));
    }
    if now.ms_since(since) < CALIBRATION_MS {
        return Ok(None);
    }
    if attempt == CALIBRATION_ATTEMPTS {
        regs.write(Reg::Power1, reg::power1::DCDC_OFF)?;
        return Err(regs.error(Reg::Calibration1, Problem::CalibrationStuck));
    }
    calibrate(regs)?;
    Ok(Some(Stage::Calibrate { since: now, attempt: attempt + 1 }))
}

/// Sets what needs a calibrated line, verifies all indirect registers and feeds the loop.
fn finish<S: SpiDevice>(
    regs: &mut Registers<'_, S>,
    part: Part,
    settings: &Settings,
) -> Result<Calibration, Error<S::Error>> {
    if !DCDC_GOOD.contains(&regs.read(Reg::ResultDcDc)?) {
        regs.write(Reg::ResultDcDc, DCDC_DEFAULT)?;
    }
    let mut calibration = Calibration::default();
    for (value, result) in calibration.iter_mut().zip(reg::CALIBRATION_RESULTS) {
        *value = regs.read(result)?;
    }
    let filters = filter_addresses(part);
    for (address, value) in indirect_values(part, settings).filter(|(address, _)| filters.contains(address)) {
        regs.write_indirect(address, value)?;
    }
    for (address, wrote) in indirect_values(part, settings) {
        let read = regs.read_indirect(address)?;
        if read != wrote {
            let problem = Problem::IndirectMismatch { address, wrote, read };
            return Err(regs.error(Reg::IndirectAddress, problem));
        }
    }
    regs.write_all(&settings.pcm())?;
    regs.write_all(&[
        (Reg::Interrupt1, 0xFF),
        (Reg::Interrupt2, 0xFF),
        (Reg::Interrupt3, 0xFF),
        (Reg::InterruptEnable1, 0xFF),
        (Reg::InterruptEnable2, 0xFF),
        (Reg::InterruptEnable3, 0xFF),
        (Reg::CommonVoltage, 0x04),
        (Reg::Impedance, settings.impedance.code()),
        (Reg::Linefeed, reg::linefeed::FORWARD_ACTIVE),
    ])?;
    Ok(calibration)
}

/// Every indirect register of this part with its final value.
fn indirect_values(part: Part, settings: &Settings) -> impl Iterator<Item = (u8, u16)> + use<> {
    let only_3210: &[(u8, u16)] = if part == Part::Si3210 { &indirect::SI3210_ONLY } else { &[] };
    let common = indirect::START_VALUES.into_iter().chain(indirect::FILTERS).chain(settings.ring.indirect());
    common
        .map(move |(address, value)| (indirect::address(part, address), value))
        .chain(only_3210.iter().copied())
}

fn filter_addresses(part: Part) -> [u8; 5] {
    [22, indirect::RING_TRIP_FILTER, 24, 25, 26].map(|address| indirect::address(part, address))
}
