//! Frequency shift keying of caller ID at 1,200 bit/s: Bell 202 (Telcordia GR-30-CORE 2.1) and ITU-T V.23 mode 2
//! forward channel (EN 300 659-1 6.1). Phase continuous, mark is 1, bytes are sent 8N1 with the lowest bit first.

mod demodulator;
mod framer;
mod modulator;

pub use demodulator::{Demodulator, Signal};
pub use framer::{Framed, Framer};
pub use modulator::Modulator;

/// Bits per second of both variants.
pub const BIT_RATE: u32 = 1_200;

/// Which pair of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Mark 1,200 Hz, space 2,200 Hz.
    Bell202,
    /// Mark 1,300 Hz, space 2,100 Hz.
    V23,
}

impl Variant {
    /// Frequency of a 1 in Hz.
    #[must_use]
    pub const fn mark_hz(self) -> f32 {
        match self {
            Self::Bell202 => 1_200.0,
            Self::V23 => 1_300.0,
        }
    }

    /// Frequency of a 0 in Hz.
    #[must_use]
    pub const fn space_hz(self) -> f32 {
        match self {
            Self::Bell202 => 2_200.0,
            Self::V23 => 2_100.0,
        }
    }
}

#[cfg(test)]
mod tests;
