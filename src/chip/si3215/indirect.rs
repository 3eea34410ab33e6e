//! Indirect registers: what each is for and the value it starts with.
//!
//! Addresses are those of the Si3215; a Si3210 has the same registers at other addresses and a few more of its own.

/// Which of the two parts answers (R1 bit 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// With DTMF decoder and pulse metering.
    Si3210,
    /// Without.
    Si3215,
}

/// Ringing oscillator coefficient (RCO).
pub(super) const RING_COEFFICIENT: u8 = 7;
/// Ringing oscillator amplitude (RNGX).
pub(super) const RING_AMPLITUDE: u8 = 8;
/// Ring trip threshold (RPTP).
pub(super) const RING_TRIP_THRESHOLD: u8 = 16;
/// Ring trip low-pass filter (NRTP).
pub(super) const RING_TRIP_FILTER: u8 = 23;

/// Loop closure and power filters. Together with [`RING_TRIP_FILTER`] they are opened wide ([`FILTER_FLUSH`]) while the
/// line powers up, so that they hold no stale value, and set afterwards.
pub(super) const FILTERS: [(u8, u16); 4] = [
    (22, 0x8000), // NCLR, loop closure
    (24, 0x008C), // NQ12
    (25, 0x0100), // NQ34
    (26, 0x0010), // NQ56
];

/// A filter that passes everything.
pub(super) const FILTER_FLUSH: u16 = 0x8000;

/// The other start values. Ringing comes from [`super::ring::RingSetting`]; the chip's own FSK generator is not used.
pub(super) const START_VALUES: [(u8, u16); 19] = [
    (0, 0x7B30),  // OSC1 coefficient
    (1, 0x0063),  // OSC1X
    (2, 0x0000),  // OSC1Y
    (3, 0x7870),  // OSC2 coefficient
    (4, 0x007D),  // OSC2X
    (5, 0x0000),  // OSC2Y
    (6, 0x0000),  // ROFF, DC offset of ringing
    (9, 0x0000),  // RNGY
    (13, 0x2000), // DACG, receive gain
    (14, 0x4000), // ADCG, transmit gain
    (15, 0x1000), // LCRT, loop closure threshold, 10 mA
    (17, 0x1000), // CML
    (18, 0x0200), // CMH
    (19, 0x07C0), // PPT12, power alarm Q1 Q2
    (20, 0x2600), // PPT34
    (21, 0x1B80), // PPT56
    (27, 0x0C00), // VCMR
    (64, 0x0C00), // VMIND
    (66, 0x1000), // LCRTL, loop closure threshold with hysteresis
];

/// The address of a Si3215 register (0..=27, 64..=66) in the part that is there.
pub(super) const fn address(part: Part, si3215_address: u8) -> u8 {
    match (part, si3215_address) {
        (Part::Si3215, a) => a,
        (Part::Si3210, a @ 0..=27) => a + 13,
        (Part::Si3210, a) => a - 23,
    }
}

/// Registers that only a Si3210 has: DTMF thresholds, pulse metering, DC-DC extension.
pub(super) const SI3210_ONLY: [(u8, u16); 18] = [
    (0, 0x55C2),
    (1, 0x51E6),
    (2, 0x4B85),
    (3, 0x4937),
    (4, 0x3333),
    (5, 0x0202),
    (6, 0x0202),
    (7, 0x0198),
    (8, 0x0198),
    (9, 0x0611),
    (10, 0x0202),
    (11, 0x00E5),
    (12, 0x0A1C),
    (23, 0x0000),
    (24, 0x0000),
    (25, 0x0000),
    (42, 0x1000),
    (97, 0x0000),
];
