//! Register-level model of a Si3050 with its Si3019 line side (FXO): reset, link, hook switch, ring detectors, readings,
//! audio path.

use super::exchange::Line;

/// Time for the isolation link to come up after the line side is powered.
const LINK_MS: u16 = 40;
/// Time that a software reset takes.
const RESET_MS: u16 = 100;
/// Time for which R5 shows a ring after its last half wave.
const RING_LATCH_MS: u16 = 5000;
/// Loop current above which the line side reports overload, mA.
const OVERLOAD_MILLIAMPS: f32 = 102.0;
/// Registers of the part: 0 to 59.
const REGISTERS: usize = 60;
/// Registers after a reset that are not 0.
const AT_RESET: [(usize, u8); 6] = [(2, 0x03), (6, 0x10), (22, 0x96), (23, 0x2D), (24, 0x19), (31, 0x20)];
/// Off-hook counter by bits 6 and 5 of R31.
const SETTLE_MS: [u16; 4] = [512, 128, 64, 8];

/// First register of the hybrid's eight coefficients.
const HYBRID: usize = 45;

/// What the registers say about echo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EchoWords {
    /// Impedance code (R30).
    pub acim: u8,
    /// Coefficients of the hybrid (R45 to R52); 0 while it is off.
    pub hybrid: [i8; 8],
}

/// What is broken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The chip does not answer: an open wire.
    pub absent: bool,
    /// The line side has no supply or no capacitors: the link never comes up.
    pub no_line_side: bool,
    /// Milliseconds for which the link is still upset: R5 reads wrong, the line keeps its state.
    pub upset_ms: u16,
    /// The loop current is measured only when the off-hook counter of R31 has run out, as in a real part; otherwise at
    /// once.
    pub slow_loop: bool,
    /// A register that does not keep what is written.
    pub stuck: Option<u8>,
    /// Upper half of R11 in place of a Si3019's.
    pub line_side: Option<u8>,
}

/// One chip.
#[derive(Clone, Debug)]
pub struct Model {
    /// To break the chip; a reset mends nothing.
    pub faults: Faults,
    regs: [u8; REGISTERS],
    link_ms: u16,
    /// The link broke and stays down until the line side is powered anew.
    broken: bool,
    reset_ms: u16,
    /// Milliseconds off hook.
    off_hook_ms: u16,
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
        for (place, value) in AT_RESET {
            regs[place] = value;
        }
        Self {
            faults: Faults::default(),
            regs,
            link_ms: 0,
            broken: false,
            reset_ms: 0,
            off_hook_ms: 0,
            line: Line::default(),
            ring_detected_ms: 0,
        }
    }

    /// What a register holds, without the bus.
    #[must_use]
    pub fn peek(&self, address: u8) -> u8 {
        self.regs.get(usize::from(address)).copied().unwrap_or(0xFF)
    }

    /// Whether the port holds its line.
    #[must_use]
    pub fn holds_line(&self) -> bool {
        self.off_hook()
    }

    /// A reset by noise or a dip of the supply.
    pub fn reset(&mut self) {
        *self = Self { faults: self.faults, line: self.line, ..Self::new() };
    }

    /// Breaks the link as a surge does: it comes up again when the line side is powered anew.
    pub fn break_link(&mut self) {
        self.link_ms = 0;
        self.regs[4] |= 0x20;
        self.regs[5] = 0;
        self.broken = true;
    }

    fn linked(&self) -> bool {
        self.link_ms >= LINK_MS
    }

    fn off_hook(&self) -> bool {
        self.linked() && self.regs[5] & 0x01 != 0
    }

    /// Moves the chip on by one millisecond.
    pub fn tick(&mut self, line: &Line) {
        let turned = self.line.battery_volts * line.battery_volts < 0.0;
        self.line = *line;
        self.reset_ms = self.reset_ms.saturating_sub(1);
        let powered = self.regs[6] & 0x10 == 0 && self.reset_ms == 0 && !self.broken;
        let powered = powered && !self.faults.no_line_side;
        self.link_ms = if powered { (self.link_ms + 1).min(LINK_MS) } else { 0 };
        self.faults.upset_ms = self.faults.upset_ms.saturating_sub(1);
        self.off_hook_ms = if self.off_hook() { self.off_hook_ms.saturating_add(1) } else { 0 };
        self.ring_detected_ms = match (line.ring_sign != 0, self.off_hook()) {
            (_, true) => 0,
            (true, false) => RING_LATCH_MS,
            (false, false) => self.ring_detected_ms.saturating_sub(1),
        };
        if self.linked() {
            let news = [
                (0x80, line.ring_sign != 0 && !self.off_hook()),
                (0x40, self.milliamps() > OVERLOAD_MILLIAMPS),
                (0x01, turned),
            ];
            self.regs[4] |= news.iter().filter(|(_, is)| *is).map(|(bit, _)| bit).sum::<u8>();
        }
    }

    /// Loop current as the chip measures it.
    fn milliamps(&self) -> f32 {
        let counter_ms = SETTLE_MS[usize::from(self.regs[31] >> 5 & 3)];
        let settle_ms = if self.faults.slow_loop { counter_ms } else { 0 };
        let settled = self.off_hook() && self.off_hook_ms >= settle_ms;
        if settled { self.line.loop_milliamps() } else { 0.0 }
    }

    /// Reads a register as SPI does.
    pub(super) fn read(&self, address: u8) -> u8 {
        if self.faults.absent {
            return 0xFF;
        }
        let register = self.peek(address);
        if !self.linked() {
            return match address {
                5 => register & !0x08 | 0x02,
                11 => 0x03,
                12 | 13 | 28 | 29 => 0,
                _ => register,
            };
        }
        match address {
            5 if self.faults.upset_ms > 0 => 0x02,
            29 if self.faults.upset_ms > 0 => 0,
            5 => register & 0x09 | self.ringing(),
            11 => self.faults.line_side.unwrap_or(3) << 4 | 0x03,
            12 => 0x40 | ((self.milliamps() / 3.3) as u8).min(31),
            13 => 0x40 | 3 << 2,
            19 => u8::from(self.milliamps() > OVERLOAD_MILLIAMPS) << 2,
            28 => (self.milliamps() / 1.1) as u8,
            29 => self.volts().to_le_bytes()[0],
            _ => register,
        }
    }

    /// The ring comparators and the latch behind them, as R5 shows them.
    fn ringing(&self) -> u8 {
        if self.off_hook() {
            return 0;
        }
        let half_wave = match self.line.ring_sign {
            0 => 0,
            1.. => 0x20,
            _ => 0x40,
        };
        half_wave | if self.ring_detected_ms > 0 { 0x04 } else { 0 }
    }

    fn volts(&self) -> i8 {
        let volts = self.line.volts(self.off_hook()) as i8;
        // Without LVFD, 3 V and less are shown as 0.
        let shown = volts.unsigned_abs() > 3 || self.regs[31] & 0x01 != 0;
        if shown { volts } else { 0 }
    }

    /// Writes a register as SPI does.
    pub(super) fn write(&mut self, address: u8, value: u8) {
        match address {
            _ if self.faults.absent || self.faults.stuck == Some(address) => {}
            1 if value & 0x80 != 0 => {
                self.reset();
                self.reset_ms = RESET_MS;
            }
            // Not before the reset is over.
            _ if self.reset_ms > 0 => {}
            4 => self.regs[4] &= value,
            6 => {
                self.regs[6] = value;
                self.broken &= value & 0x10 == 0;
            }
            11..=13 | 19 | 28 | 29 => {}
            _ => {
                if let Some(register) = self.regs.get_mut(usize::from(address)) {
                    *register = value;
                }
            }
        }
    }

    /// The time slots of 16 bits that the chip sends in and listens to; `None` while PCM is off, not 16-bit linear or
    /// not aligned to a slot.
    #[must_use]
    pub fn slots(&self) -> Option<(usize, usize)> {
        let slot = |low: usize| {
            let start = usize::from(self.regs[low]) | usize::from(self.regs[low + 1] & 0x03) << 8;
            start.is_multiple_of(16).then_some(start / 16)
        };
        (self.regs[33] & 0x38 == 0x38).then(|| Some((slot(34)?, slot(36)?)))?
    }

    /// Whether audio of the line reaches the PCM bus: off hook, or on hook while the line is monitored (R5 ONHM), with
    /// the receive path on (R2 RXE) and not muted (R15 RXM).
    #[must_use]
    pub fn hears(&self) -> bool {
        self.linked() && self.regs[5] & 0x09 != 0 && self.regs[2] & 0x01 != 0 && self.regs[15] & 0x08 == 0
    }

    /// Whether audio of the PCM bus reaches the line: off hook and not muted (R15 TXM).
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.off_hook() && self.regs[15] & 0x80 == 0
    }

    /// Gain towards the line (R38, R40), as a factor of the amplitude.
    #[must_use]
    pub fn tx_gain(&self) -> f32 {
        self.gain(38)
    }

    /// Gain from the line (R39, R41), as a factor of the amplitude.
    #[must_use]
    pub fn rx_gain(&self) -> f32 {
        self.gain(39)
    }

    /// Whole dB in one register, tenths in the one after the next; bit 4 of each attenuates.
    fn gain(&self, whole: usize) -> f32 {
        let signed = |word: u8| {
            let size = f32::from(word & 0x0F);
            if word & 0x10 == 0 { size } else { -size }
        };
        match (self.regs[whole], self.regs[whole + 2]) {
            (0, 0) => 1.0,
            (whole, tenths) => 10f32.powf((signed(whole) + signed(tenths) / 10.0) / 20.0),
        }
    }

    /// What the chip does about echo; the filter works while R2 enables it.
    #[must_use]
    pub fn echo_words(&self) -> EchoWords {
        let mut words = EchoWords { acim: self.regs[30] & 0x0F, hybrid: [0; 8] };
        if self.regs[2] & 0x02 != 0 {
            words.hybrid = std::array::from_fn(|n| i8::from_le_bytes([self.regs[HYBRID + n]]));
        }
        words
    }
}
