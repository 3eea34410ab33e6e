//! What can go wrong with a chip or its line: which chip, which register, and what to do about it.

use super::reg::Reg;
use std::fmt;

/// A fault of one chip. The driver recovers by itself where that is possible; the error is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<E> {
    /// Place in the daisy chain, 0 nearest to the processor.
    pub chip: u8,
    /// The register that showed it.
    pub reg: Reg,
    /// What is wrong.
    pub problem: Problem<E>,
}

/// What is wrong with a chip or its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem<E> {
    /// The SPI device refused the transfer.
    Spi(E),
    /// The register does not hold what a Si3050 holds there.
    Absent {
        /// What was read.
        read: u8,
    },
    /// A revision that no Si3050 has.
    Revision(u8),
    /// The isolation link to the line side does not come up.
    LinkDown {
        /// Milliseconds since the line side was powered.
        after_ms: u64,
    },
    /// The line side cannot do the AC termination of the country.
    LineSide {
        /// Upper half of R11.
        id: u8,
    },
    /// A register does not keep what was written.
    Mismatch {
        /// What was written.
        wrote: u8,
        /// What was read back.
        read: u8,
    },
    /// The link was up and is not any more.
    LinkLost,
    /// The registers hold reset values.
    LostRegisters,
    /// More loop current than the port may carry; it went on hook.
    Overload,
    /// An order for a port that is not up.
    NotUp,
    /// A flash of, or digits for, a line that is on hook.
    OnHook,
}

impl<E: fmt::Debug> fmt::Display for Problem<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spi(e) => write!(f, "the SPI transfer failed ({e:?}); check the SPI device and the wiring"),
            Self::Absent { read } => {
                write!(f, "reads {read:#04x}: no Si3050 answers; check its power, reset line and SPI wiring")
            }
            Self::Revision(rev) => write!(f, "revision {rev} is not known to work; replace the chip"),
            Self::LinkDown { after_ms } => write!(
                f,
                "the line side does not answer after {after_ms} ms; check the isolation capacitors and the Si3019"
            ),
            Self::LineSide { id } => {
                write!(f, "line side {id} lacks the termination of this country; fit a Si3019")
            }
            Self::Mismatch { wrote, read } => {
                write!(f, "reads {read:#04x} after {wrote:#04x} was written; check PCLK and the SPI clock rate")
            }
            Self::LinkLost => {
                f.write_str("the link to the line side broke (surge or noise); check the line's surge protection")
            }
            Self::LostRegisters => f.write_str("the chip lost its registers (noise or a dip of its supply)"),
            Self::Overload => f.write_str(
                "too much loop current, the line was hung up; check that the jack is on an analog line, not on a PBX",
            ),
            Self::NotUp => f.write_str("the port is not up; wait until its chip has started"),
            Self::OnHook => f.write_str("the line is on hook and can neither be flashed nor dialled on; seize it first"),
        }
    }
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Si3050 {} of the chain, {}: {}", self.chip, self.reg, self.problem)
    }
}

impl<E: fmt::Debug> std::error::Error for Error<E> {}
