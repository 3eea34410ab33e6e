//! Register-level model of a Si3215 ProSLIC, written from the data sheet and apart from the driver.
//!
//! It is strict: an access that the real part would answer with rubbish (indirect access while busy, an indirect
//! address that does not exist, calibration into a closed loop) is kept as a violation for the tests to find. It moves
//! only with the world's clock, a millisecond at a time.

mod analog;
mod register;

pub use analog::{Load, LoopFeed, Ringing};
use register::{Indirect, LF_ACTIVE, LF_OHT, LF_OPEN, LF_REV_ACTIVE, LF_REV_OHT, LF_RINGING};

/// Violations kept.
const VIOLATIONS_MAX: usize = 32;

/// What can be broken about a chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing answers on SPI.
    pub absent: bool,
    /// The output capacitor of the DC-DC converter leaks.
    pub leak: bool,
    /// The converter stays at 40 V.
    pub weak_converter: bool,
    /// Calibrations that will not finish.
    pub stuck_calibrations: u8,
    /// The indirect access never finishes: PCLK is missing.
    pub no_pclk: bool,
    /// One indirect register that loses bit 8.
    pub bad_indirect: Option<u8>,
}

/// One chip.
#[derive(Clone, Debug)]
pub struct Model {
    regs: [u8; 128],
    indirect: Indirect,
    chained: bool,
    battery_volts: f32,
    loop_milliamps: f32,
    calibration_ms_left: Option<u16>,
    closed_ms: f32,
    opened_ms: f32,
    trip_ms: f32,
    stress_ms: u16,
    /// The ringer's capacitor discharges through the loop for this long.
    discharge_ms: u16,
    /// What is broken.
    pub faults: Faults,
    violations: Vec<String>,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// A chip just out of reset, its battery empty.
    #[must_use]
    pub fn new() -> Self {
        Self {
            regs: register::reset_values(),
            indirect: Indirect::new(),
            chained: false,
            battery_volts: 0.0,
            loop_milliamps: 0.0,
            calibration_ms_left: None,
            closed_ms: 0.0,
            opened_ms: 0.0,
            trip_ms: 0.0,
            stress_ms: 0,
            discharge_ms: 0,
            faults: Faults::default(),
            violations: Vec::new(),
        }
    }

    /// Takes the chip back to its reset state, as noise or a dip of its supply does; what is broken stays broken.
    pub fn reset(&mut self) {
        let (faults, violations) = (self.faults, std::mem::take(&mut self.violations));
        let battery_volts = self.battery_volts;
        *self = Self { faults, violations, battery_volts, ..Self::new() };
    }

    /// Whether the chip takes frames of three bytes.
    #[must_use]
    pub fn is_chained(&self) -> bool {
        self.chained
    }

    /// What the driver did that the real part does not take kindly.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The raw value of a direct register, without side effects.
    #[must_use]
    pub fn peek(&self, address: u8) -> u8 {
        self.regs[usize::from(address & 0x7F)]
    }

    /// The value of an indirect register, without side effects.
    #[must_use]
    pub fn peek_indirect(&self, address: u8) -> u16 {
        self.indirect.values[usize::from(address & 0x7F)]
    }

    pub(super) fn violate(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(what);
        }
    }

    /// Reads a direct register as SPI does.
    pub(super) fn read(&mut self, address: u8) -> u8 {
        match address {
            31 => {
                let busy = self.indirect.busy;
                self.indirect.busy = self.faults.no_pclk;
                u8::from(busy)
            }
            28 | 29 if self.indirect.busy => {
                self.violate(format!("R{address} read while an indirect access is under way"));
                0xFF
            }
            _ => self.peek(address),
        }
    }

    /// Writes a direct register as SPI does.
    pub(super) fn write(&mut self, address: u8, value: u8) {
        let old = self.peek(address);
        let new = match address {
            0 => {
                self.chained = value & 0x80 != 0;
                value & 0xC0 | old & 0x3F
            }
            1 => old & 0x80 | value & 0x7F,
            8 => value & 0x07,
            14 => value & 0x1F,
            18..=20 => old & !value,
            28 | 29 => {
                if self.indirect.busy {
                    self.violate(format!("R{address} written while an indirect access is under way"));
                }
                self.indirect.loaded = true;
                value
            }
            30 => {
                self.access_indirect(value);
                value
            }
            64 => return self.set_linefeed(value & 0x07),
            96 => {
                self.start_calibration(value);
                value
            }
            93 => {
                if value & 0x80 != 0 {
                    self.regs[107] = 0x08;
                }
                value & 0x7F
            }
            // Status and measurements.
            6 | 24 | 31 | 63 | 68 | 77..=89 => old,
            _ => value,
        };
        self.regs[usize::from(address & 0x7F)] = new;
    }

    fn access_indirect(&mut self, address: u8) {
        if self.indirect.busy {
            self.violate(format!("indirect {address} accessed while another access is under way"));
        }
        if !register::indirect_exists(address) {
            self.violate(format!("indirect {address} does not exist in a Si3215"));
        }
        self.indirect.busy = true;
        let place = usize::from(address & 0x7F);
        if std::mem::take(&mut self.indirect.loaded) {
            let lost = if self.faults.bad_indirect == Some(address) { 0x0100 } else { 0 };
            self.indirect.values[place] = u16::from_le_bytes([self.regs[28], self.regs[29]]) & !lost;
        } else {
            [self.regs[28], self.regs[29]] = self.indirect.values[place].to_le_bytes();
        }
    }

    fn start_calibration(&mut self, value: u8) {
        if value & 0x40 == 0 {
            self.calibration_ms_left = None;
            return;
        }
        if self.linefeed() != LF_OPEN || self.battery_volts < 20.0 {
            self.violate("calibration started with the loop fed or without battery".into());
        }
        let ms = if value & 0x20 == 0 { 300 } else { 30 };
        self.calibration_ms_left = Some(ms);
        if self.faults.stuck_calibrations > 0 {
            self.faults.stuck_calibrations -= 1;
            self.calibration_ms_left = Some(u16::MAX);
        }
    }

    /// The state that the line is in (LFS).
    fn linefeed(&self) -> u8 {
        self.regs[64] >> 4 & 0x07
    }

    fn set_linefeed(&mut self, state: u8) {
        if self.linefeed() == LF_RINGING && state != LF_RINGING {
            self.discharge_ms = analog::DISCHARGE_MS;
        }
        self.regs[64] = state << 4 | state;
        self.trip_ms = 0.0;
        self.regs[68] &= !0x02;
    }

    fn raise(&mut self, register: usize, bits: u8) {
        self.regs[register] |= bits & self.regs[register + 3];
    }

    /// The time slots of 16 bits that the chip sends in and listens to; `None` while PCM is off, not 16-bit linear or
    /// not aligned to a slot.
    #[must_use]
    pub fn slots(&self) -> Option<(usize, usize)> {
        let slot = |low: usize| {
            let start = usize::from(self.regs[low]) | usize::from(self.regs[low + 1] & 0x03) << 8;
            start.is_multiple_of(16).then_some(start / 16)
        };
        (self.regs[1] & 0x3E == 0x3C).then(|| Some((slot(2)?, slot(4)?)))?
    }

    /// Whether audio passes between the PCM bus and the loop. On-hook transmission always passes it; active only
    /// powers the audio path while the loop is closed.
    #[must_use]
    pub fn passes_audio(&self) -> bool {
        let powered = self.regs[14] & 0x1F == 0 && self.regs[8] == 0;
        powered
            && match self.linefeed() {
                LF_OHT | LF_REV_OHT => true,
                LF_ACTIVE | LF_REV_ACTIVE => self.loop_milliamps > 0.0,
                _ => false,
            }
    }

    /// Whether the receive path (bus to phone) is muted.
    #[must_use]
    pub fn receive_muted(&self) -> bool {
        self.regs[9] & 0x10 != 0 || self.regs[9] & 0x03 == 0x03
    }

    /// Whether the transmit path (phone to bus) is muted.
    #[must_use]
    pub fn transmit_muted(&self) -> bool {
        self.regs[9] & 0x20 != 0 || self.regs[9] & 0x0C == 0x0C
    }
}
