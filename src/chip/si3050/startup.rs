//! Start-up of one chip: presence, reset, country words, power of the line side, link, verification.
//!
//! A sequence of stages that is taken a step further when it is due and never waits, so that all chips of a board start
//! side by side.
//!
//! ```text
//! Identify ──> Reset ──100 ms──> Link ──frame lock, words verified──> up, on hook, monitoring
//! PowerCycle (after a lost link) ──20 ms──^  └──2 s──> link down
//! ```
//! Order and times are those of DAHDI's drivers.

use super::bus::Registers;
use super::reg::{self, Reg};
use super::{Error, POLL_MS, Problem, Settings};
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;

/// Time after which a reset is over.
pub(super) const RESET_MS: u64 = 100;
/// Time for the link to come up.
pub(super) const LINK_MS: u64 = 2000;
/// Time that the line side is left without power after its link broke; our choice.
const POWER_CYCLE_MS: u64 = 20;

/// A start-up under way.
#[derive(Clone, Debug)]
pub(super) struct StartUp {
    stage: Stage,
    due: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Identify,
    Reset,
    PowerCycle { off: bool },
    Link { since: Instant },
}

impl StartUp {
    /// From the beginning, with a reset.
    pub(super) fn new(now: Instant) -> Self {
        Self { stage: Stage::Identify, due: now }
    }

    /// Only the line side and its link.
    pub(super) fn relink(now: Instant) -> Self {
        Self { stage: Stage::PowerCycle { off: false }, due: now }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Goes as far as is possible now; `true` when the chip is up, its line on hook.
    pub(super) fn step<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        settings: &Settings,
        now: Instant,
    ) -> Result<bool, Error<S::Error>> {
        if now < self.due {
            return Ok(false);
        }
        let (stage, wait_ms) = match self.stage {
            Stage::Identify => {
                present(regs)?;
                regs.write(Reg::Control1, reg::control1::RESET)?;
                (Stage::Reset, RESET_MS)
            }
            Stage::PowerCycle { off: false } => {
                present(regs)?;
                regs.write(Reg::Daa2, reg::daa2::LINE_SIDE_OFF)?;
                (Stage::PowerCycle { off: true }, POWER_CYCLE_MS)
            }
            Stage::Reset | Stage::PowerCycle { off: true } => {
                revision(regs)?;
                regs.write_all(&words(settings))?;
                regs.write(Reg::Daa2, reg::daa2::ALL_ON)?;
                (Stage::Link { since: now }, POLL_MS)
            }
            Stage::Link { since } if linked(regs)? => {
                finish(regs, settings)?;
                (Stage::Link { since }, 0)
            }
            Stage::Link { since } if now.ms_since(since) >= LINK_MS => {
                regs.write(Reg::Daa2, reg::daa2::LINE_SIDE_OFF)?;
                let problem = Problem::LinkDown { after_ms: now.ms_since(since) };
                return Err(regs.error(Reg::Identity, problem));
            }
            Stage::Link { since } => (Stage::Link { since }, POLL_MS),
        };
        (self.stage, self.due) = (stage, now.after_ms(wait_ms));
        // Every stage but the finished one waits for something.
        Ok(wait_ms == 0)
    }
}

/// Whether the line side answers: an id and frame lock. An open wire reads all ones.
pub(super) fn linked<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<bool, Error<S::Error>> {
    let id = regs.read(Reg::Identity)? >> 4;
    Ok((1..0xF).contains(&id) && regs.read(Reg::LineStatus)? & reg::line_status::FRAME_LOCK != 0)
}

fn present<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<(), Error<S::Error>> {
    let read = regs.read(Reg::Control2)?;
    if read == reg::CONTROL2_AT_RESET {
        return Ok(());
    }
    Err(regs.error(Reg::Control2, Problem::Absent { read }))
}

/// 0 and 15 are what a missing or unfinished part shows.
fn revision<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<(), Error<S::Error>> {
    let revision = regs.read(Reg::Identity)? & reg::identity::REVISION;
    if (1..=14).contains(&revision) {
        return Ok(());
    }
    Err(regs.error(Reg::Identity, Problem::Revision(revision)))
}

/// Everything that is loaded before the line side has power, and read back behind its link.
fn words(settings: &Settings) -> [(Reg, u8); 11] {
    let country = settings.termination;
    let [low, high] = settings.tx_start();
    [
        (Reg::PcmMode, reg::pcm_mode::LINEAR_ON),
        (Reg::International1, country.international1()),
        (Reg::International3, 0),
        // Rings are validated by this driver; the chip's own validation stays off.
        (Reg::RingValidation3, 0x19),
        (Reg::DcTermination, country.dc()),
        (Reg::AcTermination, country.ac()),
        (Reg::Daa3, country.daa3()),
        (Reg::TxStartLow, low),
        (Reg::TxStartHigh, high),
        (Reg::RxStartLow, low),
        (Reg::RxStartHigh, high),
    ]
}

/// Verifies what was loaded and leaves the line on hook, monitored for caller ID.
fn finish<S: SpiDevice>(regs: &mut Registers<'_, S>, settings: &Settings) -> Result<(), Error<S::Error>> {
    let id = regs.read(Reg::Identity)? >> 4;
    if id != reg::identity::SI3019 && !settings.termination.fits_si3018() {
        return Err(regs.error(Reg::Identity, Problem::LineSide { id }));
    }
    for (register, wrote) in words(settings) {
        let read = regs.read(register)?;
        if read != wrote {
            return Err(regs.error(register, Problem::Mismatch { wrote, read }));
        }
    }
    regs.write_all(&settings.gains())?;
    regs.write_all(&settings.hybrid())?;
    // What the link's coming up has latched is no news.
    regs.write_all(&[(Reg::Interrupt, 0), (Reg::Daa1, reg::daa1::MONITOR)])
}
