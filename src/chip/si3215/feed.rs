//! A port that is up: the linefeed as ordered, and what the loop and the chip itself make of it.

use super::bus::Registers;
use super::reg::{self, Reg};
use super::{Error, SPI_FAULTS_MAX};
use crate::chip::{Linefeed, PortChange};
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;

/// The chip's detectors are not believed for this long after the feed changed: currents of the changing voltage, and
/// the switch-over at a zero crossing of the ringing, look like a handset.
const SETTLE_MS: u64 = 48;
/// Time between two checks that the chip still has its registers.
const CHECK_MS: u64 = 64;

/// Linefeed and loop of one port.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    /// R2, which differs among the chips of a chain: it tells whose registers are being read.
    tx_start_low: u8,
    feed: Linefeed,
    /// An order that did not reach the chip.
    unsent: bool,
    closed: bool,
    settled_at: Instant,
    check_at: Instant,
    spi_faults: u8,
}

/// Why a port is not up any more (a single failed transfer excepted).
#[derive(Debug)]
pub(super) enum Fault<E> {
    /// A transfer failed; `lost` after several in a row.
    Transfer { error: Error<E>, lost: bool },
    /// The chip shows reset values.
    LostRegisters,
    /// The chip opened the loop: R19.
    PowerAlarm { alarms: u8 },
}

impl Feed {
    /// A loop fed forward active, taken as open until the chip says otherwise.
    pub(super) fn new(tx_start_low: u8) -> Self {
        Self {
            tx_start_low,
            feed: Linefeed::Active,
            unsent: false,
            closed: false,
            settled_at: Instant::ZERO,
            check_at: Instant::ZERO,
            spi_faults: 0,
        }
    }

    /// Feeds the loop as told.
    pub(super) fn set<S: SpiDevice>(
        &mut self,
        feed: Linefeed,
        regs: &mut Registers<'_, S>,
        now: Instant,
    ) -> Result<(), Error<S::Error>> {
        self.feed = feed;
        // An open loop carries no current: a handset that is still up when the battery returns is news.
        self.closed &= feed != Linefeed::Open;
        self.settled_at = now.after_ms(SETTLE_MS);
        // Set until the write has gone through.
        self.unsent = true;
        regs.write(Reg::Linefeed, code(feed))?;
        self.unsent = false;
        Ok(())
    }

    /// Reads the chip and reports changes of the loop.
    pub(super) fn poll<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<(), Fault<S::Error>> {
        match self.look(regs, now, out) {
            Ok(None) => {
                self.spi_faults = 0;
                Ok(())
            }
            Ok(Some(fault)) => Err(fault),
            Err(error) => {
                self.spi_faults += 1;
                Err(Fault::Transfer { error, lost: self.spi_faults >= SPI_FAULTS_MAX })
            }
        }
    }

    fn look<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<Option<Fault<S::Error>>, Error<S::Error>> {
        if self.unsent {
            self.set(self.feed, regs, now)?;
        }
        // The upper half of R64 is the state that the line is in (LFS), whatever brought it there.
        let actual = regs.read(Reg::Linefeed)? >> 4 & reg::linefeed::WANTED;
        let status = regs.read(Reg::LoopStatus)?;
        let settled = now >= self.settled_at;
        let surprise = actual != code(self.feed) && !self.moved_by_chip(actual, status);
        let judged = settled || self.feed == Linefeed::Ringing || actual == reg::linefeed::OPEN;
        let news = judged && (surprise || self.loop_differs(actual, status));
        if news || now >= self.check_at {
            self.check_at = now.after_ms(CHECK_MS);
            match self.check(regs)? {
                Check::Good => {}
                // What was read came from another chip.
                Check::ChainMended => return Ok(None),
                Check::Lost => return Ok(Some(Fault::LostRegisters)),
            }
        }
        if actual == reg::linefeed::OPEN && self.feed != Linefeed::Open {
            let alarms = regs.read(Reg::Interrupt2)? & reg::interrupt2::POWER_ALARMS;
            if alarms != 0 {
                return Ok(Some(Fault::PowerAlarm { alarms }));
            }
        }
        if surprise && settled {
            // Not an alarm and not a reset: the order was lost on its way.
            self.set(self.feed, regs, now)?;
            return Ok(None);
        }
        self.follow_loop(actual, status, regs, now, out)?;
        Ok(None)
    }

    /// AORD and AOLD: ringing and on-hook transmission become active when the handset is lifted. The charge of the
    /// ringers after a burst does the same, but the loop is open afterwards: then the order is repeated.
    fn moved_by_chip(&self, actual: u8, status: u8) -> bool {
        let closed = status & reg::loop_status::LOOP_CLOSED != 0;
        match self.feed {
            Linefeed::Ringing => actual == reg::linefeed::FORWARD_ACTIVE,
            Linefeed::OnHookTransmission => actual == reg::linefeed::FORWARD_ACTIVE && closed,
            Linefeed::ReverseOnHookTransmission => actual == reg::linefeed::REVERSE_ACTIVE && closed,
            Linefeed::Open | Linefeed::Active | Linefeed::ReverseActive => false,
        }
    }

    /// Whether the detectors say something new.
    fn loop_differs(&self, actual: u8, status: u8) -> bool {
        match self.feed {
            // Without battery no current tells whether the handset is up.
            Linefeed::Open => false,
            Linefeed::Ringing => {
                status & reg::loop_status::RING_TRIP != 0 || actual == reg::linefeed::FORWARD_ACTIVE
            }
            _ => (status & reg::loop_status::LOOP_CLOSED != 0) != self.closed,
        }
    }

    /// A reset sets R8, switches the converter off and takes the chip out of daisy chain mode, where it spoils the frames
    /// of its neighbours. So the chain is mended first and this chip judged afterwards.
    fn check<S: SpiDevice>(&self, regs: &mut Registers<'_, S>) -> Result<Check, Error<S::Error>> {
        if self.holds_our_values(regs)? {
            return Ok(Check::Good);
        }
        regs.switch_chain()?;
        Ok(if self.holds_our_values(regs)? { Check::ChainMended } else { Check::Lost })
    }

    fn holds_our_values<S: SpiDevice>(&self, regs: &mut Registers<'_, S>) -> Result<bool, Error<S::Error>> {
        let expected =
            [(Reg::Loopback, 0), (Reg::Power1, reg::power1::ALL_ON), (Reg::TxStartLow, self.tx_start_low)];
        for (register, value) in expected {
            if regs.read(register)? != value {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn follow_loop<S: SpiDevice>(
        &mut self,
        actual: u8,
        status: u8,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<PortChange>,
    ) -> Result<(), Error<S::Error>> {
        if !self.loop_differs(actual, status) {
            return Ok(());
        }
        if self.feed == Linefeed::Ringing {
            self.closed = true;
            out.push(PortChange::RingTripped);
            return self.set(Linefeed::Active, regs, now);
        }
        if now >= self.settled_at {
            self.closed = !self.closed;
            self.feed = off_hook_feed(self.feed, actual);
            out.push(if self.closed { PortChange::LoopClosed } else { PortChange::LoopOpened });
        }
        Ok(())
    }
}

/// R64.
fn code(feed: Linefeed) -> u8 {
    match feed {
        Linefeed::Open => reg::linefeed::OPEN,
        Linefeed::Active => reg::linefeed::FORWARD_ACTIVE,
        Linefeed::OnHookTransmission => reg::linefeed::FORWARD_ON_HOOK,
        Linefeed::Ringing => reg::linefeed::RINGING,
        Linefeed::ReverseActive => reg::linefeed::REVERSE_ACTIVE,
        Linefeed::ReverseOnHookTransmission => reg::linefeed::REVERSE_ON_HOOK,
    }
}

/// The feed after the chip may have gone from on-hook transmission to active.
fn off_hook_feed(ordered: Linefeed, actual: u8) -> Linefeed {
    match actual {
        reg::linefeed::FORWARD_ACTIVE => Linefeed::Active,
        reg::linefeed::REVERSE_ACTIVE => Linefeed::ReverseActive,
        _ => ordered,
    }
}

/// Whether the chip is still as it was set up.
enum Check {
    Good,
    ChainMended,
    Lost,
}
