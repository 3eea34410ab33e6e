//! Registers of the Si3050 with its line side and the bits that this driver uses.
//!
//! Known from the data sheet's public pages and the behaviour of DAHDI's drivers; what rests on memory alone and was
//! never held against the part is marked "unverified".

use std::fmt;

macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A register.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reg { $($(#[$doc])* $name = $number,)* }
    };
}

registers! {
    /// Control 1: [`control1`].
    Control1 = 1,
    /// Control 2; [`CONTROL2_AT_RESET`] after a reset and ever after.
    Control2 = 2,
    /// Interrupt sources, sticky; writing a 0 clears: [`interrupt`].
    Interrupt = 4,
    /// Hook switch and ring detectors: [`daa1`].
    Daa1 = 5,
    /// Power of the line side: [`daa2`].
    Daa2 = 6,
    /// Line side id (upper half, 0 without link) and revision of the system side.
    Identity = 11,
    /// Frame lock and coarse loop current: [`line_status`].
    LineStatus = 12,
    /// International control 1: on-hook speed, ringer impedance, ring threshold.
    International1 = 16,
    /// International control 3: bit 1 detects rings by full wave.
    International3 = 18,
    /// International control 4: [`overload`].
    International4 = 19,
    /// Ring validation 3: bit 7 enables it in the chip, the rest is the longest half wave.
    RingValidation3 = 24,
    /// DC termination.
    DcTermination = 26,
    /// Loop current, 1.1 mA steps, off hook only.
    LoopCurrent = 28,
    /// Line voltage, signed, 1 V steps.
    LineVoltage = 29,
    /// AC termination.
    AcTermination = 30,
    /// DAA control 3: off-hook counter, on-hook speed, filter, low voltages.
    Daa3 = 31,
    /// PCM mode: [`pcm_mode`].
    PcmMode = 33,
    /// Transmit start, PCLKs after FSYNC, low byte.
    TxStartLow = 34,
    /// Transmit start, high 2 bits.
    TxStartHigh = 35,
    /// Receive start, low byte.
    RxStartLow = 36,
    /// Receive start, high 2 bits.
    RxStartHigh = 37,
    /// Transmit gain, whole dB; bit 4 attenuates.
    TxGain = 38,
    /// Receive gain, whole dB.
    RxGain = 39,
    /// Transmit gain, tenths of a dB.
    TxGainTenths = 40,
    /// Receive gain, tenths of a dB.
    RxGainTenths = 41,
    /// Hybrid coefficient 1; seven more follow.
    Hybrid1 = 45,
    /// Hybrid coefficient 2.
    Hybrid2 = 46,
    /// Hybrid coefficient 3.
    Hybrid3 = 47,
    /// Hybrid coefficient 4.
    Hybrid4 = 48,
    /// Hybrid coefficient 5.
    Hybrid5 = 49,
    /// Hybrid coefficient 6.
    Hybrid6 = 50,
    /// Hybrid coefficient 7.
    Hybrid7 = 51,
    /// Hybrid coefficient 8.
    Hybrid8 = 52,
}

/// `R11`, as the data sheet writes it.
impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{} ({self:?})", *self as u8)
    }
}

/// The digital hybrid, a filter of eight taps.
pub const HYBRID: [Reg; 8] = [
    Reg::Hybrid1,
    Reg::Hybrid2,
    Reg::Hybrid3,
    Reg::Hybrid4,
    Reg::Hybrid5,
    Reg::Hybrid6,
    Reg::Hybrid7,
    Reg::Hybrid8,
];

/// R2 after a reset: hybrid and receive path enabled, no interrupt pin.
pub const CONTROL2_AT_RESET: u8 = 0x03;

/// R1.
pub mod control1 {
    /// Software reset of one chip, clears itself.
    pub const RESET: u8 = 0x80;
}

/// R4.
pub mod interrupt {
    /// Ring detected.
    pub const RING: u8 = 0x80;
    /// Receive overload. Loud audio may set it as well as a short (unverified), so the driver does not act on it.
    pub const RECEIVE_OVERLOAD: u8 = 0x40;
    /// The link lost its frames.
    pub const FRAME_LOST: u8 = 0x20;
    /// The sign of R29 changed.
    pub const POLARITY: u8 = 0x01;
}

/// R5.
pub mod daa1 {
    /// Ring comparator, negative half wave, live.
    pub const RING_NEGATIVE: u8 = 0x40;
    /// Ring comparator, positive half wave, live.
    pub const RING_POSITIVE: u8 = 0x20;
    /// Either half wave.
    pub const RINGING: u8 = RING_NEGATIVE | RING_POSITIVE;
    /// On-hook line monitor: audio while on hook.
    pub const MONITOR: u8 = 0x08;
    /// Ring present, held for seconds after the last one.
    pub const RING_LATCHED: u8 = 0x04;
    /// Reads 1 only while the link is upset.
    pub const UPSET: u8 = 0x02;
    /// Off hook.
    pub const OFF_HOOK: u8 = 0x01;
    /// Bits that read as they were written while the link is well.
    pub const COMPARED: u8 = 0x9B;
}

/// R6.
pub mod daa2 {
    /// Line side without power; so after a reset.
    pub const LINE_SIDE_OFF: u8 = 0x10;
    /// Everything powered.
    pub const ALL_ON: u8 = 0x00;
}

/// R11.
pub mod identity {
    /// Revision of the system side.
    pub const REVISION: u8 = 0x0F;
    /// Line side id of a Si3019 (unverified).
    pub const SI3019: u8 = 3;
}

/// R12.
pub mod line_status {
    /// The link has frame lock.
    pub const FRAME_LOCK: u8 = 0x40;
    /// Coarse loop current, 3.3 mA steps; all set: more than about 102 mA.
    pub const CURRENT: u8 = 0x1F;
}

/// R19.
pub mod overload {
    /// Overload detected (OVL) and overload protection at work (OPD), as in the Si3016.
    pub const ANY: u8 = 0x05;
}

/// R33.
pub mod pcm_mode {
    /// PCM enabled, 16-bit linear (the code of the format is unverified).
    pub const LINEAR_ON: u8 = 0x38;
}
