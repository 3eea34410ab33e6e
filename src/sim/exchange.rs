//! The telephone exchange: the lines behind the FXO ports. For now they are idle: battery and nothing else.

/// One line as it arrives at a jack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Battery with the loop open, V, TIP to RING; 0 when the cable is unplugged.
    pub battery_volts: f32,
    /// Resistance of the loop and the exchange's feed, Ω.
    pub ohms: f32,
    /// The half wave of ringing at this moment: 1, −1, or 0 without ringing.
    pub ring_sign: i8,
}

impl Default for Line {
    fn default() -> Self {
        Self { battery_volts: -48.0, ohms: 1200.0, ring_sign: 0 }
    }
}

impl Line {
    /// What the DC termination of the port keeps across itself when off hook, V.
    const TERMINATION_VOLTS: f32 = 7.0;

    /// Loop current with the port off hook, mA.
    #[must_use]
    pub fn loop_milliamps(&self) -> f32 {
        (self.battery_volts.abs() - Self::TERMINATION_VOLTS).max(0.0) / self.ohms * 1000.0
    }

    /// Voltage at the jack.
    #[must_use]
    pub fn volts(&self, off_hook: bool) -> f32 {
        let closed = Self::TERMINATION_VOLTS.min(self.battery_volts.abs()).copysign(self.battery_volts);
        if off_hook { closed } else { self.battery_volts }
    }
}
