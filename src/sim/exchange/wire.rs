//! The pair of wires of one line, as the port's chip feels it once a millisecond.

/// What the DC termination of a port keeps across itself when off hook, V.
const TERMINATION_VOLTS: f32 = 7.0;
/// The same with another phone off hook on the pair, and the port's share of the current.
const SHARED_VOLTS: f32 = 5.0;
const SHARE: f32 = 0.5;
/// Resistance of the other phone, Ω: leaves about 8 V of a loop of 1200 Ω.
const PARALLEL_OHMS: f32 = 240.0;

/// One line as it arrives at a jack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Battery with the loop open, V, TIP to RING; 0 when the cable is unplugged.
    pub battery_volts: f32,
    /// Resistance of the loop and the exchange's feed, Ω.
    pub ohms: f32,
    /// The half wave of ringing at this moment: 1, −1, or 0 without ringing.
    pub ring_sign: i8,
    /// Another phone on the same pair is off hook.
    pub parallel: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { battery_volts: -48.0, ohms: 1200.0, ring_sign: 0, parallel: false }
    }
}

impl Line {
    /// Loop current through the port when it is off hook, mA.
    #[must_use]
    pub fn loop_milliamps(&self) -> f32 {
        let all = (self.battery_volts.abs() - self.closed_volts()).max(0.0) / self.ohms * 1000.0;
        if self.parallel { all * SHARE } else { all }
    }

    /// Voltage at the jack.
    #[must_use]
    pub fn volts(&self, off_hook: bool) -> f32 {
        match (off_hook, self.parallel) {
            (true, _) => self.closed_volts().min(self.battery_volts.abs()).copysign(self.battery_volts),
            (false, true) => self.battery_volts * PARALLEL_OHMS / (PARALLEL_OHMS + self.ohms),
            (false, false) => self.battery_volts,
        }
    }

    fn closed_volts(&self) -> f32 {
        if self.parallel { SHARED_VOLTS } else { TERMINATION_VOLTS }
    }
}
