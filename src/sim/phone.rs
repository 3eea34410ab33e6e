//! An analog phone: ringer, hook switch, caller ID display, earpiece.

use super::person::Perception;
use super::phone_caller_id::{CallerId, Display, Heard};
use super::si3215::{Load, LoopFeed};
use super::supervision::Supervision;
use std::collections::VecDeque;

/// Ringing that a ringer answers to (TIA-968: 40 V rms at the jack of the longest loop, less some margin) and its
/// frequencies.
const RINGER_VOLTS_RMS: f32 = 35.0;
const RINGER_HZ: std::ops::RangeInclusive<f32> = 15.0..=68.0;
/// Bursts and callers kept.
const HISTORY_MAX: usize = 64;
/// Resistance of handset and cable, Ω.
const OFF_HOOK_OHMS: f32 = 300.0;

/// One ring burst, in samples of the world's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// First sample.
    pub started_at: u64,
    /// First sample of the pause; `None` while it rings.
    pub ended_at: Option<u64>,
}

/// What happened at a phone in one millisecond.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A burst began.
    RingStarted,
    /// It ended.
    RingStopped,
    /// The loop lost its battery.
    BatteryLost,
    /// It came back.
    BatteryReturned,
    /// The display shows a caller.
    CallerShown(CallerId),
    /// A transmission to the display could not be shown.
    CallerGarbled,
}

/// One phone.
#[derive(Clone, Debug)]
pub struct Phone {
    off_hook: bool,
    /// The hook switch is open for this long although the handset is up.
    flash_ms: u16,
    ren: f32,
    /// The wires of its cable touch.
    pub shorted: bool,
    /// Its cable is wet: 10 kΩ between the wires.
    pub wet: bool,
    volts: f32,
    display: Display,
    supervision: Supervision,
    bursts: VecDeque<Burst>,
    callers: VecDeque<CallerId>,
    garbled: bool,
    shown: bool,
    hung_up_on: Option<super::supervision::HungUpOn>,
}

impl Phone {
    /// A phone on hook.
    #[must_use]
    pub fn new(ren: f32) -> Self {
        Self {
            off_hook: false,
            flash_ms: 0,
            ren,
            shorted: false,
            wet: false,
            volts: 0.0,
            display: Display::new(),
            supervision: Supervision::default(),
            bursts: VecDeque::new(),
            callers: VecDeque::new(),
            garbled: false,
            shown: false,
            hung_up_on: None,
        }
    }

    /// Whether the handset is up and the hook switch closed.
    #[must_use]
    pub fn is_off_hook(&self) -> bool {
        self.off_hook && self.flash_ms == 0
    }

    /// Whether the ringer sounds.
    #[must_use]
    pub fn is_ringing(&self) -> bool {
        self.bursts.back().is_some_and(|burst| burst.ended_at.is_none())
    }

    /// The latest bursts, oldest first.
    pub fn bursts(&self) -> impl Iterator<Item = Burst> {
        self.bursts.iter().copied()
    }

    /// The callers displayed, oldest first.
    pub fn callers(&self) -> impl Iterator<Item = &CallerId> {
        self.callers.iter()
    }

    /// Loop voltage, V, TIP to RING.
    #[must_use]
    pub fn volts(&self) -> f32 {
        self.volts
    }

    /// Lifts the handset.
    pub fn lift(&mut self) {
        self.off_hook = true;
        self.supervision = Supervision::default();
    }

    /// Puts the handset down.
    pub fn hang_up(&mut self) {
        self.off_hook = false;
        self.display = Display::new();
    }

    /// Opens the loop for `ms` with the handset up.
    pub fn flash(&mut self, ms: u16) {
        self.flash_ms = ms;
    }

    /// What the port sees of the phone.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            off_hook: self.is_off_hook(),
            ohms: OFF_HOOK_OHMS,
            ren: self.ren,
            shorted: self.shorted,
            wet: self.wet,
        }
    }

    /// Feels the loop for one millisecond.
    pub fn sense(&mut self, feed: &LoopFeed, at: u64, out: &mut Vec<Happening>) -> Perception {
        self.flash_ms = self.flash_ms.saturating_sub(1);
        let rings = feed
            .ringing
            .is_some_and(|r| r.volts_rms >= RINGER_VOLTS_RMS && RINGER_HZ.contains(&r.hz) && !self.off_hook);
        let burst_started = rings && !self.is_ringing();
        if burst_started {
            push_bounded(&mut self.bursts, Burst { started_at: at, ended_at: None });
            out.push(Happening::RingStarted);
        } else if let Some(burst) = self.bursts.back_mut().filter(|burst| !rings && burst.ended_at.is_none())
        {
            burst.ended_at = Some(at);
            out.push(Happening::RingStopped);
        }
        // Ringing rides on a battery: the loop is not dead while it lasts.
        let volts = if feed.ringing.is_some() { 48.0 } else { feed.volts };
        match (self.volts != 0.0, volts != 0.0) {
            (true, false) => out.push(Happening::BatteryLost),
            (false, true) => out.push(Happening::BatteryReturned),
            _ => {}
        }
        self.volts = volts;
        if std::mem::take(&mut self.shown) {
            out.extend(self.callers.back().cloned().map(Happening::CallerShown));
        }
        if std::mem::take(&mut self.garbled) {
            out.push(Happening::CallerGarbled);
        }
        let dead = if self.is_off_hook() { self.supervision.sense(volts) } else { None };
        let hung_up_on = self.hung_up_on.take().or(dead);
        Perception { burst_started, ringing: rings, hung_up_on }
    }

    /// Whether silence on the loop would go unnoticed.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        !self.is_off_hook() && self.display.is_idle()
    }

    /// Hears one sample: the person if the handset is up, else the display.
    pub fn hear(&mut self, sample: i16, at: u64) {
        if self.is_off_hook() {
            self.hung_up_on = self.supervision.hear(sample).or(self.hung_up_on);
            return;
        }
        match self.display.hear(sample, at) {
            Some(Heard::CallerId(caller)) => {
                push_bounded(&mut self.callers, caller);
                self.shown = true;
            }
            Some(Heard::Garbled { .. }) => self.garbled = true,
            None => {}
        }
    }
}

fn push_bounded<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == HISTORY_MAX {
        list.pop_front();
    }
    list.push_back(item);
}
