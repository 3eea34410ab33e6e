//! What can go wrong with a chip: which chip, which register, and what to do about it.

use super::reg::Reg;
use std::fmt;

/// A fault of one chip. The driver recovers by itself where that is possible; the error is for the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error<E> {
    /// Place in the daisy chain, 0 nearest to the processor.
    pub chip: u8,
    /// The register that showed it.
    pub reg: Reg,
    /// What is wrong.
    pub problem: Problem<E>,
}

/// What is wrong with a chip or its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Problem<E> {
    /// The SPI device refused the transfer.
    Spi(E),
    /// The register does not hold what a Si3210/15 holds there.
    Absent {
        /// What was read.
        read: u8,
    },
    /// A silicon revision that is not known to work.
    Revision(u8),
    /// An indirect access did not finish.
    IndirectStuck,
    /// An indirect register does not keep what was written.
    IndirectMismatch {
        /// Indirect address in this part.
        address: u8,
        /// What was written.
        wrote: u16,
        /// What was read back.
        read: u16,
    },
    /// The DC-DC converter does not reach its voltage.
    BatteryLow {
        /// Volts below ground after half a second.
        volts: f32,
        /// Volts that ringing needs.
        wanted: f32,
    },
    /// The battery drains although nothing is fed.
    Leak {
        /// Volts below ground that were left.
        volts: f32,
        /// Milliseconds since the converter was switched off.
        after_ms: u64,
    },
    /// Calibration did not finish, twice.
    CalibrationStuck,
    /// Too much power in line transistors; the chip opened the loop.
    PowerAlarm {
        /// R19: bit 2 is Q1 … bit 7 is Q6.
        alarms: u8,
    },
    /// More power alarms in a row than a passing fault explains; the port stays open.
    Stopped,
    /// The registers hold reset values.
    LostRegisters,
}

impl<E: fmt::Debug> fmt::Display for Problem<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spi(e) => write!(f, "the SPI transfer failed ({e:?}); check the SPI device and the wiring"),
            Self::Absent { read } => {
                write!(
                    f,
                    "reads {read:#04x}: no Si3210/15 answers; check its power, reset line and SPI wiring"
                )
            }
            Self::Revision(rev) => write!(f, "silicon revision {rev} is not known to work; replace the chip"),
            Self::IndirectStuck => {
                f.write_str("an indirect access does not finish; check that PCLK and FSYNC are running")
            }
            Self::IndirectMismatch { address, wrote, read } => {
                let what =
                    format!("indirect register {address} reads {read:#06x} after {wrote:#06x} was written");
                write!(f, "{what}; check PCLK and the SPI clock rate")
            }
            Self::BatteryLow { volts, wanted } => {
                write!(
                    f,
                    "the battery reaches {volts:.0} V of {wanted:.0} V; check the DC-DC converter and its supply"
                )
            }
            Self::Leak { volts, after_ms } => {
                write!(
                    f,
                    "the battery fell to {volts:.0} V in {after_ms} ms with nothing fed; look for a leak"
                )
            }
            Self::CalibrationStuck => f.write_str(
                "calibration did not finish, twice; unplug the phone and check the line transistors",
            ),
            Self::PowerAlarm { alarms } => {
                f.write_str("power alarm of")?;
                (0..6).filter(|q| alarms & (4 << q) != 0).try_for_each(|q| write!(f, " Q{}", q + 1))?;
                f.write_str("; look for a short on the phone's cable")
            }
            Self::Stopped => f.write_str(
                "power alarms do not cease and the port stays open; repair the cable, then restart",
            ),
            Self::LostRegisters => f.write_str("the chip lost its registers (noise or a dip of its supply)"),
        }
    }
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Si3215 {} of the chain, {}: {}", self.chip, self.reg, self.problem)
    }
}

impl<E: fmt::Debug> std::error::Error for Error<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_chip_register_and_remedy() {
        let error =
            Error { chip: 3, reg: Reg::Interrupt2, problem: Problem::<()>::PowerAlarm { alarms: 0x44 } };
        let says = "Si3215 3 of the chain, R19 (Interrupt2): power alarm of Q1 Q5; look for a short on the phone's cable";
        assert_eq!(error.to_string(), says);
    }
}
