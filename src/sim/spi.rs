//! SPI at frame level: what travels on the wires of a chip select, and which chip of the chain listens.

use super::world::{SharedWorld, World};
use super::{si3050, si3215};
use embedded_hal::spi::{ErrorKind, ErrorType, Operation, SpiDevice};

/// Longest frame of either part.
const FRAME_MAX: usize = 3;

/// Why a transfer failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpiFault {
    /// The device was told to fail.
    Injected,
    /// A frame that no chip of this chain understands.
    Malformed(Vec<u8>),
}

impl embedded_hal::spi::Error for SpiFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// One chip select of the simulated board.
#[derive(Clone)]
pub struct SimSpi {
    world: SharedWorld,
    chain: usize,
}

impl SimSpi {
    /// The chip select of `chain`, an index into the profile's list.
    #[must_use]
    pub fn new(world: SharedWorld, chain: usize) -> Self {
        Self { world, chain }
    }
}

impl ErrorType for SimSpi {
    type Error = SpiFault;
}

impl SpiDevice for SimSpi {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), SpiFault> {
        let mut mosi = Frame::default();
        for operation in operations.iter() {
            match operation {
                Operation::Write(bytes) | Operation::Transfer(_, bytes) => mosi.extend(bytes.iter().copied()),
                Operation::Read(bytes) => mosi.extend(bytes.iter().map(|_| 0)),
                Operation::TransferInPlace(bytes) => mosi.extend(bytes.iter().copied()),
                Operation::DelayNs(_) => {}
            }
        }
        let miso = self.world.lock().exchange(self.chain, mosi)?;
        let mut miso = miso.into_iter().chain(std::iter::repeat(0xFF));
        for operation in operations {
            match operation {
                Operation::Write(bytes) => drop(miso.by_ref().take(bytes.len()).last()),
                Operation::Read(bytes)
                | Operation::Transfer(bytes, _)
                | Operation::TransferInPlace(bytes) => {
                    bytes.iter_mut().zip(&mut miso).for_each(|(byte, received)| *byte = received);
                }
                Operation::DelayNs(_) => {}
            }
        }
        Ok(())
    }
}

/// The bytes of one frame; a longer one keeps its length only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    bytes: [u8; FRAME_MAX],
    len: usize,
}

impl Frame {
    fn extend(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
            }
            self.len += 1;
        }
    }

    fn malformed(&self) -> SpiFault {
        SpiFault::Malformed(self.bytes[..self.len.min(FRAME_MAX)].to_vec())
    }
}

impl World {
    pub(super) fn exchange(&mut self, chain: usize, mosi: Frame) -> Result<[u8; FRAME_MAX], SpiFault> {
        let Some(wires) = self.chains.get_mut(chain) else { return Err(mosi.malformed()) };
        if wires.faults_left > 0 {
            wires.faults_left -= 1;
            return Err(SpiFault::Injected);
        }
        match &mut wires.chips {
            Chips::Slics(chips) => exchange_slics(chips, mosi),
            Chips::Daas(chips) => exchange_daas(chips, mosi),
        }
    }
}

/// The chips behind one chip select.
pub(super) struct Chain {
    pub(super) chips: Chips,
    /// Transfers that will fail.
    pub(super) faults_left: u32,
}

pub(super) enum Chips {
    Slics(Vec<si3215::Model>),
    Daas(Vec<si3050::Model>),
}

/// Shifts a frame through a chain of Si3215 (data sheet 2.10): a chip in daisy chain mode listens if the lowest bit of
/// the select byte is set and passes it on shifted; a chip fresh from reset takes the first two bytes as address and
/// data and passes everything on as it is.
fn exchange_slics(chips: &mut [si3215::Model], mosi: Frame) -> Result<[u8; FRAME_MAX], SpiFault> {
    let mut miso = [0xFF; FRAME_MAX];
    let (mut select, mut drivers) = (mosi.bytes[0], 0);
    for chip in chips.iter_mut() {
        // A chip with a dead output still shifts.
        let (address, data, place) = match (chip.is_chained() || chip.faults.absent, mosi.len) {
            (false, 2 | 3) => (select, mosi.bytes[1], 1),
            (true, 2 | 3) => {
                let selected = select & 1 != 0;
                select >>= 1;
                if !selected {
                    continue;
                }
                if mosi.len == 2 {
                    return Err(mosi.malformed());
                }
                (mosi.bytes[1], mosi.bytes[2], 2)
            }
            _ => return Err(mosi.malformed()),
        };
        if chip.faults.absent {
            continue;
        }
        if address & 0x80 == 0 {
            chip.write(address, data);
        } else {
            miso[place] = chip.read(address & 0x7F);
            drivers += 1;
        }
    }
    // Two chips that drive one wire: what arrives is neither.
    if drivers > 1 {
        miso = [0x00; FRAME_MAX];
    }
    Ok(miso)
}

/// Si3050 frames: control (bit 7 broadcast, bit 6 read, bit 5 set, bit 4 clear, chip number with its bits reversed),
/// address, data.
fn exchange_daas(chips: &mut [si3050::Model], mosi: Frame) -> Result<[u8; FRAME_MAX], SpiFault> {
    let [control, address, data] = mosi.bytes;
    if mosi.len != 3 || control & 0x30 != 0x20 || address & 0x80 != 0 {
        return Err(mosi.malformed());
    }
    let (broadcast, read) = (control & 0x80 != 0, control & 0x40 != 0);
    let addressed = usize::from((control & 0x0F).reverse_bits() >> 4);
    let mut miso = [0xFF; FRAME_MAX];
    for (_, chip) in chips.iter_mut().enumerate().filter(|(index, _)| broadcast || *index == addressed) {
        if read {
            miso[2] = chip.read(address);
        } else {
            chip.write(address, data);
        }
    }
    Ok(miso)
}
