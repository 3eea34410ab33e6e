//! Self-test: what the chip measures on its line, with units.

use super::{Error, bus::Registers, reg::Reg};
use embedded_hal::spi::SpiDevice;
use std::fmt;

/// Loop current that an idle loop may draw, mA: below the lowest step but one of R79. More is a leak, or a phone that is
/// off hook.
pub const IDLE_LOOP_MILLIAMPS_MAX: f32 = 1.25;

/// Measurements of one line, updated by the chip at 800 Hz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// TIP minus RING, V; negative when the polarity is reversed. Steps of 1.5 V.
    pub loop_volts: f32,
    /// Loop current, mA; negative when the polarity is reversed. Steps of 1.25 mA.
    pub loop_milliamps: f32,
    /// TIP to ground, V, 0 or less. Steps of 0.376 V.
    pub tip_volts: f32,
    /// RING to ground, V, 0 or less.
    pub ring_volts: f32,
    /// Battery to ground, V, 0 or less.
    pub battery_volts: f32,
    /// Current of the line transistors Q1 to Q6, mA.
    pub transistor_milliamps: [f32; 6],
}

/// Q1 and Q2 carry the loop, Q3 and Q4 are their drivers, Q5 and Q6 the lower half (data sheet, registers 84 to 89).
const TRANSISTORS: [(Reg, f32); 6] = [
    (Reg::TransistorQ1, 0.319),
    (Reg::TransistorQ2, 0.319),
    (Reg::TransistorQ3, 0.0376),
    (Reg::TransistorQ4, 0.0376),
    (Reg::TransistorQ5, 0.316),
    (Reg::TransistorQ6, 0.316),
];

impl Readings {
    /// Takes one set of readings.
    ///
    /// # Errors
    /// [`super::Problem::Spi`].
    pub fn take<S: SpiDevice>(regs: &mut Registers<'_, S>) -> Result<Self, Error<S::Error>> {
        let mut transistor_milliamps = [0.0; 6];
        for (milliamps, (reg, step)) in transistor_milliamps.iter_mut().zip(TRANSISTORS) {
            *milliamps = f32::from(regs.read(reg)?) * step;
        }
        Ok(Self {
            loop_volts: sign_and_magnitude(regs.read(Reg::LoopVoltage)?) * 1.5,
            loop_milliamps: sign_and_magnitude(regs.read(Reg::LoopCurrent)?) * 1.25,
            tip_volts: below_ground(regs.read(Reg::TipVoltage)?),
            ring_volts: below_ground(regs.read(Reg::RingVoltage)?),
            battery_volts: below_ground(regs.read(Reg::BatteryVoltage)?),
            transistor_milliamps,
        })
    }

    /// What an idle line (phone on hook) should not show; `None` if it looks well.
    #[must_use]
    pub fn idle_fault(&self) -> Option<String> {
        let current = self.loop_milliamps.abs();
        if current > IDLE_LOOP_MILLIAMPS_MAX {
            return Some(format!("{current:.1} mA flow on an idle loop; look for a wet or shorted cable"));
        }
        (self.battery_volts > -20.0)
            .then(|| format!("the battery is at {:.0} V; check the DC-DC converter", self.battery_volts))
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loop {:.1} V {:.2} mA, ", self.loop_volts, self.loop_milliamps)?;
        write!(f, "tip {:.1} V, ring {:.1} V, ", self.tip_volts, self.ring_volts)?;
        write!(f, "battery {:.1} V, Q1..Q6", self.battery_volts)?;
        self.transistor_milliamps.iter().try_for_each(|milliamps| write!(f, " {milliamps:.2}"))?;
        f.write_str(" mA")
    }
}

/// Bit 6 is the sign.
fn sign_and_magnitude(value: u8) -> f32 {
    let magnitude = f32::from(value & 0x3F);
    if value & 0x40 == 0 { magnitude } else { -magnitude }
}

fn below_ground(value: u8) -> f32 {
    -0.376 * f32::from(value)
}
