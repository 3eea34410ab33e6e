//! Register access over one daisy chain of Si3050: frames of three bytes, control, address and data.
//!
//! Control: bit 7 addresses every chip (writes only), bit 6 reads, bit 5 is set, bit 4 clear; the lower half is the
//! number of the chip with its bits reversed, so that chips 0 to 3 are 0x0, 0x8, 0x4 and 0xC.

use super::reg::Reg;
use super::{Error, Problem};
use embedded_hal::spi::{Operation, SpiDevice};

/// Most chips in one chain: the number has 4 bits.
pub const MAX_CHIPS: u8 = 16;
/// Every control byte has bit 5.
const FRAME: u8 = 0x20;
const READ: u8 = 0x40;
const BROADCAST: u8 = 0x80;

/// One SPI device with the chips behind it.
#[derive(Debug)]
pub struct Chain<S> {
    spi: S,
}

impl<S: SpiDevice> Chain<S> {
    /// Takes the SPI device: mode 3, most significant bit first, chip select low for a whole frame.
    pub fn new(spi: S) -> Self {
        Self { spi }
    }

    /// Gives the SPI device back.
    pub fn release(self) -> S {
        self.spi
    }

    /// Writes a register of every chip at once, as to hang up all lines when the program ends. The driver itself does
    /// not depend on it: the bit is known from a single source.
    ///
    /// # Errors
    /// That of the SPI device.
    pub fn broadcast(&mut self, reg: Reg, value: u8) -> Result<(), S::Error> {
        self.spi.write(&[BROADCAST | FRAME, reg as u8, value])
    }

    /// The registers of chip `index`, 0 nearest to the processor.
    ///
    /// # Panics
    /// In debug builds if `index` is not below [`MAX_CHIPS`]; the board profile has checked it.
    pub fn chip(&mut self, index: u8) -> Registers<'_, S> {
        debug_assert!(index < MAX_CHIPS);
        Registers { chain: self, index }
    }
}

/// The registers of one chip of a chain.
#[derive(Debug)]
pub struct Registers<'a, S> {
    chain: &'a mut Chain<S>,
    index: u8,
}

impl<S: SpiDevice> Registers<'_, S> {
    /// Reads a register.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn read(&mut self, reg: Reg) -> Result<u8, Error<S::Error>> {
        let mut data = [0];
        let frame = [FRAME | READ | self.number(), reg as u8];
        self.chain
            .spi
            .transaction(&mut [Operation::Write(&frame), Operation::Read(&mut data)])
            .map_err(|e| self.error(reg, Problem::Spi(e)))?;
        Ok(data[0])
    }

    /// Writes a register.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn write(&mut self, reg: Reg, value: u8) -> Result<(), Error<S::Error>> {
        let frame = [FRAME | self.number(), reg as u8, value];
        self.chain.spi.write(&frame).map_err(|e| self.error(reg, Problem::Spi(e)))
    }

    /// Writes registers in order.
    ///
    /// # Errors
    /// [`Problem::Spi`] at the first that fails.
    pub fn write_all(&mut self, values: &[(Reg, u8)]) -> Result<(), Error<S::Error>> {
        values.iter().try_for_each(|&(reg, value)| self.write(reg, value))
    }

    /// An error that names this chip.
    pub(super) fn error(&self, reg: Reg, problem: Problem<S::Error>) -> Error<S::Error> {
        Error { chip: self.index, reg, problem }
    }

    fn number(&self) -> u8 {
        self.index.reverse_bits() >> 4
    }
}
