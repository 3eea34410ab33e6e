//! The line side of the Si3215 model: battery, loop current, ringing, detectors, measurements, in steps of 1 ms.

use super::register::CALIBRATED;
use super::{LF_ACTIVE, LF_OHT, LF_OPEN, LF_REV_ACTIVE, LF_REV_OHT, LF_RINGING, Model};
use std::f32::consts::{PI, SQRT_2};

/// What is connected to the jack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The handset is up.
    pub off_hook: bool,
    /// Resistance of cable and handset, Ω.
    pub ohms: f32,
    /// Ringers, in ringer equivalence numbers; 5 is what the chip can ring.
    pub ren: f32,
    /// The two wires touch.
    pub shorted: bool,
    /// A wet cable: 10 kΩ between the wires.
    pub wet: bool,
}

impl Load {
    /// No phone at all.
    pub(in crate::sim) const NOTHING: Self =
        Self { off_hook: false, ohms: 1_000_000.0, ren: 0.0, shorted: false, wet: false };
}

/// What the chip puts on the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoopFeed {
    /// TIP minus RING with the phone on hook, V; 0 when the loop is open.
    pub volts: f32,
    /// Direct current through the loop, mA.
    pub milliamps: f32,
    /// The ringing signal, if there is one.
    pub ringing: Option<Ringing>,
}

/// A ringing signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ringing {
    /// V rms at the phone.
    pub volts_rms: f32,
    /// Hz.
    pub hz: f32,
}

/// Charging and draining of the battery, V per ms.
const CHARGE: f32 = 0.75;
const DRAIN: f32 = 0.08;
const DRAIN_LEAKING: f32 = 1.0;
/// Steps of the registers in volts and milliamperes.
const STEP_VOLTS: f32 = 1.5;
const STEP_SENSE_VOLTS: f32 = 0.376;
const STEP_MILLIAMPS: f32 = 1.25;
/// Loop detector thresholds: mA per step of the bits above bit 8.
const THRESHOLD_MILLIAMPS: f32 = 1.27;
/// Resistance of the feed itself, Ω.
const FEED_OHMS: f32 = 80.0;
/// Ringing load that the chip drives without and with sag.
const REN_FULL: f32 = 5.0;
const REN_ALARM: f32 = 8.0;
/// After ringing the charge of the ringers shows as loop current, for longer than the usual debounce of the detector.
pub(super) const DISCHARGE_MS: u16 = 18;
const DISCHARGE_MILLIAMPS: f32 = 12.0;
/// A power filter takes this long to raise an alarm, ms.
const STRESS_MS: u16 = 10;

impl Model {
    /// Moves the chip on by one millisecond with `load` on its jack and says what the loop carries.
    pub fn tick(&mut self, load: &Load) -> LoopFeed {
        self.charge_battery();
        self.calibrate();
        let feed = self.feed(load);
        self.loop_milliamps =
            feed.milliamps.max(if self.discharge_ms > 0 { DISCHARGE_MILLIAMPS } else { 0.0 });
        self.discharge_ms = self.discharge_ms.saturating_sub(1);
        self.watch_power(load);
        if self.linefeed() == LF_RINGING {
            self.watch_ring_trip(load);
        } else {
            self.watch_loop();
        }
        self.measure(&feed);
        feed
    }

    fn register_volts(&self, register: usize) -> f32 {
        f32::from(self.regs[register] & 0x3F) * STEP_VOLTS
    }

    fn charge_battery(&mut self) {
        let running = self.regs[14] & 0x10 == 0 && self.regs[92] > 0 && self.regs[93] & 0x1F > 0;
        let high = self.register_volts(74);
        let tracks = self.regs[66] & 1 != 0 && !matches!(self.linefeed(), LF_OPEN | LF_RINGING);
        let wanted = if tracks { self.register_volts(72) + self.register_volts(73) + 4.0 } else { high };
        let wanted = if self.faults.weak_converter { wanted.min(40.0) } else { wanted };
        self.battery_volts = match (running, self.faults.leak) {
            (true, _) => (self.battery_volts + CHARGE).min(wanted),
            (false, false) => (self.battery_volts - DRAIN).max(0.0),
            (false, true) => (self.battery_volts - DRAIN_LEAKING).max(0.0),
        };
    }

    fn calibrate(&mut self) {
        let Some(left) = self.calibration_ms_left else { return };
        self.calibration_ms_left = match left {
            // A fault: it never ends.
            u16::MAX => Some(left),
            0 => {
                self.regs[98..107].copy_from_slice(&CALIBRATED);
                [self.regs[96], self.regs[97]] = [0, 0];
                None
            }
            _ => Some(left - 1),
        };
    }

    fn feed(&self, load: &Load) -> LoopFeed {
        let state = self.linefeed();
        if state == LF_RINGING {
            return LoopFeed { volts: 0.0, milliamps: 0.0, ringing: self.ringing(load) };
        }
        let on_hook_volts = self.register_volts(72).min(self.battery_volts);
        let volts = match state {
            LF_ACTIVE | LF_OHT => on_hook_volts,
            LF_REV_ACTIVE | LF_REV_OHT => -on_hook_volts,
            _ => 0.0,
        };
        let ohms = match load {
            Load { shorted: true, .. } => 5.0,
            Load { off_hook: true, ohms, .. } => *ohms,
            Load { wet: true, .. } => 10_000.0,
            _ => f32::INFINITY,
        };
        let limit = 20.0 + 3.0 * f32::from(self.regs[71] & 0x07);
        let milliamps = (volts.abs() / (ohms + FEED_OHMS) * 1000.0).min(limit);
        LoopFeed { volts, milliamps, ringing: None }
    }

    /// The resonator of the ringing oscillator, read back from its two words.
    fn ringing(&self, load: &Load) -> Option<Ringing> {
        let c = f32::from(self.indirect.values[7] as i16) / 32768.0;
        let x = f32::from(self.indirect.values[8] as i16) / 32768.0;
        if !(0.0..1.0).contains(&c) || x <= 0.0 {
            return None;
        }
        let peak_volts = 96.0 * 4.0 * x / ((1.0 - c) / (1.0 + c)).sqrt();
        let peak_volts = peak_volts.min((self.battery_volts - 7.5).max(0.0));
        let sag = (REN_FULL / load.ren.max(REN_FULL)).min(1.0);
        let volts_rms = if load.shorted || load.off_hook { 0.0 } else { peak_volts / SQRT_2 * sag };
        Some(Ringing { volts_rms, hz: c.acos() / (2.0 * PI) * 1000.0 })
    }

    fn watch_power(&mut self, load: &Load) {
        let overload = load.shorted || self.linefeed() == LF_RINGING && load.ren > REN_ALARM;
        let stressed = overload && self.linefeed() != LF_OPEN && self.battery_volts > 20.0;
        self.stress_ms = if stressed { self.stress_ms + 1 } else { 0 };
        if self.stress_ms >= STRESS_MS {
            self.stress_ms = 0;
            // Q1 and Q4 carry the current of a short.
            self.raise(19, 0x24);
            if self.regs[67] & 0x01 != 0 {
                self.set_linefeed(LF_OPEN);
            }
        }
    }

    fn watch_ring_trip(&mut self, load: &Load) {
        self.regs[68] &= !0x01;
        (self.closed_ms, self.opened_ms) = (0.0, 0.0);
        let threshold = f32::from(self.indirect.values[16] >> 9) * THRESHOLD_MILLIAMPS;
        let filter_set = matches!(self.indirect.values[23], 0x0100..=0x0FFF);
        let milliamps =
            if load.off_hook { self.battery_volts / 2.0 / (load.ohms + FEED_OHMS) * 1000.0 } else { 0.0 };
        self.trip_ms = if milliamps > threshold && filter_set { self.trip_ms + 1.0 } else { 0.0 };
        if self.trip_ms > f32::from(self.regs[70] & 0x7F) * 1.25 {
            self.raise(19, 0x01);
            if self.regs[67] & 0x04 == 0 {
                self.regs[68] |= 0x02;
            } else {
                self.set_linefeed(LF_ACTIVE);
            }
        }
    }

    fn watch_loop(&mut self) {
        let threshold = f32::from(self.indirect.values[15] >> 9 & 0x3F) * THRESHOLD_MILLIAMPS;
        let debounce_ms = f32::from(self.regs[69] & 0x7F) * 1.25;
        let closed = self.loop_milliamps > threshold;
        (self.closed_ms, self.opened_ms) =
            if closed { (self.closed_ms + 1.0, 0.0) } else { (0.0, self.opened_ms + 1.0) };
        let was = self.regs[68] & 0x01 != 0;
        let is = if was { self.opened_ms <= debounce_ms } else { self.closed_ms > debounce_ms };
        self.regs[68] = self.regs[68] & !0x01 | u8::from(is);
        if is != was {
            self.raise(19, 0x02);
        }
        if is && self.regs[67] & 0x02 != 0 {
            match self.linefeed() {
                LF_OHT => self.set_linefeed(LF_ACTIVE),
                LF_REV_OHT => self.set_linefeed(LF_REV_ACTIVE),
                _ => {}
            }
        }
    }

    fn measure(&mut self, feed: &LoopFeed) {
        let closed_volts = feed.volts.signum() * (feed.volts.abs() - feed.milliamps * 0.5).max(0.0);
        let common = self.register_volts(73).min(self.battery_volts);
        let (near, far) = (common, common + closed_volts.abs());
        let fed = feed.volts != 0.0;
        let (tip, ring) = match (fed, feed.volts > 0.0) {
            (false, _) => (0.0, 0.0),
            (true, true) => (near, far),
            (true, false) => (far, near),
        };
        self.regs[78] = sign_and_magnitude(closed_volts / STEP_VOLTS);
        self.regs[79] = sign_and_magnitude(feed.milliamps.copysign(feed.volts) / STEP_MILLIAMPS);
        self.regs[80] = (tip / STEP_SENSE_VOLTS) as u8;
        self.regs[81] = (ring / STEP_SENSE_VOLTS) as u8;
        self.regs[82] = (self.battery_volts / STEP_SENSE_VOLTS) as u8;
        let loop_steps = (feed.milliamps / 0.319) as u8;
        let idle_steps = u8::from(fed) * 3;
        let currents = [loop_steps, idle_steps, idle_steps, idle_steps, idle_steps, loop_steps];
        self.regs[84..90].copy_from_slice(&currents);
    }
}

fn sign_and_magnitude(steps: f32) -> u8 {
    let magnitude = (steps.abs() as u8).min(0x3F);
    if steps < 0.0 { magnitude | 0x40 } else { magnitude }
}
