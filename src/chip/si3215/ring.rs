//! Ringing: from frequency and voltage to oscillator words, battery and ring trip filter.

use super::{indirect, reg::Reg};
use std::f64::consts::PI;

/// What the ringing amplifier loses between battery and line, volts.
const HEADROOM_VOLTS: f64 = 7.5;
/// Step of the battery registers, volts.
const BATTERY_STEP_VOLTS: f64 = 1.5;
/// Highest battery that R74 can set, in steps: 94.5 V.
const BATTERY_STEPS_MAX: u8 = 0x3F;
/// Battery below which no ring setting goes, in steps: 75 V, enough for every loop that is only talked on.
const BATTERY_STEPS_MIN: u8 = 0x32;

/// A ringing signal that the chip can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSetting {
    coefficient: u16,
    amplitude: u16,
    battery_steps: u8,
    trip: Trip,
}

/// Ring trip detection for one range of ringing frequencies (data sheet, table of recommended values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trip {
    filter: u16,
    threshold: u16,
    debounce: u8,
}

const TRIPS: [(f64, Trip); 6] = [
    (16.667, Trip { filter: 0x0200, threshold: 0x3600, debounce: 0x0F }),
    (20.0, Trip { filter: 0x0320, threshold: 0x3600, debounce: 0x0B }),
    (30.0, Trip { filter: 0x0380, threshold: 0x3600, debounce: 0x09 }),
    (40.0, Trip { filter: 0x0400, threshold: 0x3600, debounce: 0x07 }),
    (50.0, Trip { filter: 0x06A8, threshold: 0x3600, debounce: 0x05 }),
    (60.0, Trip { filter: 0x0800, threshold: 0x3600, debounce: 0x05 }),
];

/// The ringing signal cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RingSettingError {
    /// Phones and the ring trip filters work from 15 to 68 Hz.
    #[error("ringing at {0} Hz: choose 15 to 68 Hz; phones in North America want 20 Hz")]
    Frequency(f64),
    /// The battery reaches 94.5 V and the amplifier needs 7.5 V of it.
    #[error("ringing at {0} V peak: choose 30 to 87 V")]
    Voltage(f64),
}

impl RingSetting {
    /// Sinusoidal ringing of `hz` (15..=68) at `peak_volts` (30..=87) into an open loop.
    ///
    /// # Errors
    /// [`RingSettingError`] names the range.
    pub fn sine(hz: f64, peak_volts: f64) -> Result<Self, RingSettingError> {
        if !(15.0..=68.0).contains(&hz) {
            return Err(RingSettingError::Frequency(hz));
        }
        if !(30.0..=87.0).contains(&peak_volts) {
            return Err(RingSettingError::Voltage(peak_volts));
        }
        // The oscillator is a two-pole resonator clocked at 1 kHz (data sheet 2.3).
        let c = (2.0 * PI * hz / 1000.0).cos();
        let amplitude = ((1.0 - c) / (1.0 + c)).sqrt() / 4.0 * peak_volts / 96.0;
        let battery = ((peak_volts + HEADROOM_VOLTS) / BATTERY_STEP_VOLTS).ceil();
        Ok(Self {
            coefficient: fixed_point(c),
            amplitude: fixed_point(amplitude),
            battery_steps: (battery as u8).clamp(BATTERY_STEPS_MIN, BATTERY_STEPS_MAX),
            trip: trip_at(hz),
        })
    }

    /// Battery that this ringing needs, volts below ground.
    #[must_use]
    pub fn battery_volts(&self) -> f64 {
        f64::from(self.battery_steps) * BATTERY_STEP_VOLTS
    }

    /// Indirect registers, Si3215 addresses.
    pub(super) fn indirect(&self) -> [(u8, u16); 4] {
        [
            (indirect::RING_COEFFICIENT, self.coefficient),
            (indirect::RING_AMPLITUDE, self.amplitude),
            (indirect::RING_TRIP_THRESHOLD, self.trip.threshold),
            (indirect::RING_TRIP_FILTER, self.trip.filter),
        ]
    }

    /// Direct registers. R34 = 0: a sine without the chip's own cadence timers, which know nothing of a caller ID
    /// between two bursts.
    pub(super) fn direct(&self) -> [(Reg, u8); 3] {
        [
            (Reg::RingOscillator, 0),
            (Reg::HighBattery, self.battery_steps),
            (Reg::RingTripDebounce, self.trip.debounce),
        ]
    }
}

/// 20 Hz, 65 V peak (46 V rms): North American practice with a battery of 75 V, up to 5 REN.
impl Default for RingSetting {
    fn default() -> Self {
        let trip = TRIPS[1].1;
        Self { coefficient: 0x7EFD, amplitude: 0x015C, battery_steps: BATTERY_STEPS_MIN, trip }
    }
}

/// Q15.
fn fixed_point(value: f64) -> u16 {
    (value * 32768.0) as u16
}

/// The recommended values of the nearest frequency in the table.
fn trip_at(hz: f64) -> Trip {
    let nearest = |best: (f64, Trip), next: (f64, Trip)| {
        if (next.0 - hz).abs() < (best.0 - hz).abs() { next } else { best }
    };
    TRIPS.into_iter().fold(TRIPS[0], nearest).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_hertz_at_70_volts_are_the_words_of_the_data_sheet() {
        let ring = RingSetting::sine(20.0, 70.0).unwrap();
        assert_eq!((ring.coefficient, ring.amplitude), (0x7EFD, 0x0177));
        assert_eq!((ring.trip.filter, ring.trip.debounce), (0x0320, 0x0B));
        assert!(ring.battery_volts() >= 77.5);
    }

    #[test]
    fn the_default_is_what_the_formulas_give_for_20_hertz_and_65_volts() {
        assert_eq!(RingSetting::default(), RingSetting::sine(20.0, 65.0).unwrap());
    }

    #[test]
    fn ring_trip_follows_the_frequency() {
        let debounce = |hz| RingSetting::sine(hz, 60.0).unwrap().trip.debounce;
        assert_eq!([16.7, 20.0, 25.1, 50.0, 60.0].map(debounce), [0x0F, 0x0B, 0x09, 0x05, 0x05]);
    }

    #[test]
    fn ringing_that_the_battery_cannot_carry_is_refused() {
        assert_eq!(RingSetting::sine(20.0, 90.0), Err(RingSettingError::Voltage(90.0)));
        assert_eq!(RingSetting::sine(5.0, 70.0), Err(RingSettingError::Frequency(5.0)));
    }
}
