//! Reset values and the indirect space of the Si3215 model.

pub(super) const LF_OPEN: u8 = 0;
pub(super) const LF_ACTIVE: u8 = 1;
pub(super) const LF_OHT: u8 = 2;
pub(super) const LF_RINGING: u8 = 4;
pub(super) const LF_REV_ACTIVE: u8 = 5;
pub(super) const LF_REV_OHT: u8 = 6;

/// Revision G with bit 5 of the part number clear, as in the parts that are in the field.
const REVISION: u8 = 0x05;

/// Direct registers that are not 0 after a reset.
const RESET: [(usize, u8); 29] = [
    (0, REVISION),
    (1, 0x88),
    (8, 0x02),
    (10, 0x08),
    (11, 0x33),
    (14, 0x10),
    (65, 0x61),
    (66, 0x03),
    (67, 0x1F),
    (69, 0x0A),
    (70, 0x0A),
    (72, 0x20),
    (73, 0x02),
    (74, 0x32),
    (75, 0x10),
    (92, 0xFF),
    (93, 0x14),
    (96, 0x1F),
    (97, 0x1F),
    (98, 0x10),
    (99, 0x10),
    (100, 0x11),
    (101, 0x11),
    (102, 0x08),
    (103, 0x88),
    (104, 0x00),
    (105, 0x00),
    (106, 0x20),
    (107, 0x08),
];

pub(super) fn reset_values() -> [u8; 128] {
    let mut regs = [0; 128];
    for (place, value) in RESET {
        regs[place] = value;
    }
    regs
}

/// What a finished calibration leaves in R98 to R106.
pub(super) const CALIBRATED: [u8; 9] = [0x0E, 0x12, 0x0F, 0x13, 0x09, 0x86, 0x01, 0x02, 0x1D];

/// The indirect space.
#[derive(Clone, Debug)]
pub(super) struct Indirect {
    pub(super) values: [u16; 128],
    /// Data were written since the last access, so the next one writes.
    pub(super) loaded: bool,
    /// An access is under way; it ends with the next look at R31.
    pub(super) busy: bool,
}

impl Indirect {
    pub(super) fn new() -> Self {
        // The data sheet leaves them undefined after a reset.
        Self { values: [0xA5A5; 128], loaded: false, busy: false }
    }
}

pub(super) fn indirect_exists(address: u8) -> bool {
    matches!(address, 0..=9 | 13..=27 | 64..=66 | 69..=74)
}
