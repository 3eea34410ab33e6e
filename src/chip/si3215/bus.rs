//! Register access over one daisy chain of Si3210/Si3215 (data sheet rev 0.92, section 2.10).
//!
//! After a reset a chip takes frames of two bytes, address and data, and passes them on unchanged, so the first frame
//! reaches every chip: it sets R0.SPIDC. From then on a frame has three bytes; each chip looks at the lowest bit of
//! the first one and passes it on shifted right by one, so bit n selects chip n.

use super::reg::{Reg, spi_mode};
use super::{Error, Problem};
use embedded_hal::spi::{Operation, SpiDevice};

/// Most chips in one chain: the chip select byte has 8 bits.
pub const MAX_CHIPS: u8 = 8;
/// Bit 7 of the address byte: read.
const READ: u8 = 0x80;
/// Reads of the status until an indirect access counts as stuck. It takes 62.5 µs at most (16 kHz service rate), the
/// fastest frame 1.5 µs (24 bits at 16.384 MHz).
const INDIRECT_POLLS_MAX: u32 = 200;

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

    /// Puts every chip into daisy chain mode. A chip that is already there sees a chip select byte of 0 and a frame
    /// that ends early, so this may be sent at any time.
    ///
    /// # Errors
    /// That of the SPI device.
    pub fn switch_to_daisy_chain(&mut self) -> Result<(), S::Error> {
        self.spi.write(&[Reg::SpiMode as u8, spi_mode::DAISY_CHAIN])
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
    /// Reads a direct register.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn read(&mut self, reg: Reg) -> Result<u8, Error<S::Error>> {
        let mut data = [0];
        let frame = [1 << self.index, READ | reg as u8];
        self.chain
            .spi
            .transaction(&mut [Operation::Write(&frame), Operation::Read(&mut data)])
            .map_err(|e| self.error(reg, Problem::Spi(e)))?;
        Ok(data[0])
    }

    /// Writes a direct register.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn write(&mut self, reg: Reg, value: u8) -> Result<(), Error<S::Error>> {
        let frame = [1 << self.index, reg as u8, value];
        self.chain.spi.write(&frame).map_err(|e| self.error(reg, Problem::Spi(e)))
    }

    /// Writes direct registers in order.
    ///
    /// # Errors
    /// [`Problem::Spi`] at the first that fails.
    pub fn write_all(&mut self, values: &[(Reg, u8)]) -> Result<(), Error<S::Error>> {
        values.iter().try_for_each(|&(reg, value)| self.write(reg, value))
    }

    /// Reads an indirect register.
    ///
    /// # Errors
    /// [`Problem::Spi`], [`Problem::IndirectStuck`].
    pub fn read_indirect(&mut self, address: u8) -> Result<u16, Error<S::Error>> {
        self.await_indirect()?;
        self.write(Reg::IndirectAddress, address)?;
        self.await_indirect()?;
        Ok(u16::from_le_bytes([self.read(Reg::IndirectLow)?, self.read(Reg::IndirectHigh)?]))
    }

    /// Writes an indirect register.
    ///
    /// # Errors
    /// [`Problem::Spi`], [`Problem::IndirectStuck`].
    pub fn write_indirect(&mut self, address: u8, value: u16) -> Result<(), Error<S::Error>> {
        self.await_indirect()?;
        let [low, high] = value.to_le_bytes();
        self.write(Reg::IndirectLow, low)?;
        self.write(Reg::IndirectHigh, high)?;
        self.write(Reg::IndirectAddress, address)
    }

    /// Puts every chip of this chain (back) into daisy chain mode.
    ///
    /// # Errors
    /// [`Problem::Spi`].
    pub fn switch_chain(&mut self) -> Result<(), Error<S::Error>> {
        self.chain.switch_to_daisy_chain().map_err(|e| self.error(Reg::SpiMode, Problem::Spi(e)))
    }

    /// An error that names this chip.
    pub(super) fn error(&self, reg: Reg, problem: Problem<S::Error>) -> Error<S::Error> {
        Error { chip: self.index, reg, problem }
    }

    fn await_indirect(&mut self) -> Result<(), Error<S::Error>> {
        for _ in 0..INDIRECT_POLLS_MAX {
            if self.read(Reg::IndirectStatus)? & 1 == 0 {
                return Ok(());
            }
        }
        Err(self.error(Reg::IndirectStatus, Problem::IndirectStuck))
    }
}
