//! Register-level model of a Si3050 with its Si3019 line side (FXO), as far as start-up and a look at the line need.

use super::exchange::Line;

/// Time for the isolation link to come up after the line side is powered.
const LINK_MS: u16 = 40;
/// Registers of the part: 0 to 59.
const REGISTERS: usize = 60;

/// One chip.
#[derive(Clone, Debug)]
pub struct Model {
    regs: [u8; REGISTERS],
    link_ms: u16,
    reset_ms: u16,
    /// The line as it was at the last tick.
    line: Line,
    ring_detected_ms: u16,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// A chip just out of reset.
    #[must_use]
    pub fn new() -> Self {
        let mut regs = [0; REGISTERS];
        for (place, value) in [(2, 0x03), (6, 0x10), (22, 0x96), (23, 0x2D), (24, 0x19), (31, 0x20)] {
            regs[place] = value;
        }
        Self { regs, link_ms: 0, reset_ms: 0, line: Line::default(), ring_detected_ms: 0 }
    }

    fn linked(&self) -> bool {
        self.link_ms >= LINK_MS
    }

    fn off_hook(&self) -> bool {
        self.regs[5] & 0x01 != 0
    }

    /// Moves the chip on by one millisecond.
    pub fn tick(&mut self, line: &Line) {
        self.line = *line;
        self.reset_ms = self.reset_ms.saturating_sub(1);
        let powered = self.regs[6] & 0x10 == 0 && self.reset_ms == 0;
        self.link_ms = if powered { (self.link_ms + 1).min(LINK_MS) } else { 0 };
        self.ring_detected_ms = match (line.ring_sign != 0, self.off_hook()) {
            (_, true) => 0,
            (true, false) => 5000,
            (false, false) => self.ring_detected_ms.saturating_sub(1),
        };
    }

    /// Reads a register as SPI does.
    pub(super) fn read(&self, address: u8) -> u8 {
        let register = self.regs.get(usize::from(address)).copied().unwrap_or(0xFF);
        if !self.linked() {
            return match address {
                11 => 0x03,
                12 | 28 | 29 => 0,
                _ => register,
            };
        }
        let milliamps = if self.off_hook() { self.line.loop_milliamps() } else { 0.0 };
        match address {
            5 => {
                let half_wave = match self.line.ring_sign {
                    0 => 0,
                    1.. => 0x20,
                    _ => 0x40,
                };
                let latched = if self.ring_detected_ms > 0 { 0x04 } else { 0 };
                let ringing = if self.off_hook() { 0 } else { half_wave | latched };
                register & 0x09 | ringing
            }
            // Si3019, revision C.
            11 => 0x33,
            12 => 0x40 | ((milliamps / 3.3) as u8).min(31),
            13 => 0x40 | 3 << 2,
            28 => (milliamps / 1.1) as u8,
            29 => (self.line.volts(self.off_hook()) as i8).to_le_bytes()[0],
            _ => register,
        }
    }

    /// Writes a register as SPI does.
    pub(super) fn write(&mut self, address: u8, value: u8) {
        match address {
            1 if value & 0x80 != 0 => *self = Self { reset_ms: 100, ..Self::new() },
            // Not before the reset is over.
            _ if self.reset_ms > 0 => {}
            4 => self.regs[4] &= value,
            11..=13 | 28 | 29 => {}
            _ => {
                if let Some(register) = self.regs.get_mut(usize::from(address)) {
                    *register = value;
                }
            }
        }
    }
}
