//! Debounce: what has to last how long until it is an event (figures of DAHDI's drivers unless said otherwise).

use super::POLL_MS;
use crate::time::Instant;

/// A change of battery, polarity or parallel phone must last this long.
pub(super) const HOLD_MS: u64 = 64;
/// Ringing that makes a ring.
const RING_MS: u64 = 64;
/// What a quiet sample takes from the ringing seen so far: four samples of quiet undo one of ringing, so that the zero
/// crossings of the half-wave detector end nothing and a ring ends 256 ms after the last half wave.
const RING_DECAY_MS: u64 = POLL_MS / 4;

/// A value that changes only when the change lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<T> {
    value: T,
    other: Option<(T, Instant)>,
}

impl<T: Copy + PartialEq> Held<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, other: None }
    }

    pub(super) fn value(&self) -> T {
        self.value
    }

    /// Takes a sample; the value before, if it has changed.
    pub(super) fn see(&mut self, seen: T, now: Instant) -> Option<T> {
        if seen == self.value {
            self.other = None;
            return None;
        }
        let since = self.other.filter(|(other, _)| *other == seen).map_or(now, |(_, since)| since);
        if now.ms_since(since) < HOLD_MS {
            self.other = Some((seen, since));
            return None;
        }
        self.other = None;
        Some(std::mem::replace(&mut self.value, seen))
    }

    /// Forgets a change that is under way.
    pub(super) fn hold(&mut self) {
        self.other = None;
    }
}

/// Ringing, sample by sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ring {
    seen_ms: u64,
    rings: bool,
}

impl Ring {
    pub(super) fn rings(self) -> bool {
        self.rings
    }

    /// Takes a sample of the comparators; `true` if ringing began or ended with it.
    pub(super) fn see(&mut self, half_wave: bool) -> bool {
        self.seen_ms = if half_wave {
            (self.seen_ms + POLL_MS).min(RING_MS)
        } else {
            self.seen_ms.saturating_sub(RING_DECAY_MS)
        };
        let rings = if self.rings { self.seen_ms > 0 } else { self.seen_ms >= RING_MS };
        std::mem::replace(&mut self.rings, rings) != rings
    }
}

/// What feeds the line, and who else draws from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Battery {
    /// None: unplugged, or the exchange opened the loop.
    Absent,
    /// There, and another phone on the same line is off hook.
    Shared,
    /// There, and no one but this port uses it.
    Whole,
}

/// Volts below which there is no battery.
const PRESENT_VOLTS: u8 = 3;
/// Volts below which another phone holds an idle line.
const IDLE_VOLTS: u8 = 20;
/// Share of the loop current below which another phone takes part of it.
const WHOLE_SHARE: f32 = 0.8;

impl Battery {
    /// By the voltage of a line that is on hook.
    pub(super) fn on_hook(volts: i8) -> Self {
        match volts.unsigned_abs() {
            ..PRESENT_VOLTS => Self::Absent,
            PRESENT_VOLTS..IDLE_VOLTS => Self::Shared,
            IDLE_VOLTS.. => Self::Whole,
        }
    }
}

/// Loop current as it is when no other phone draws from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// 0 until the first sample.
    whole_milliamps: f32,
    last_milliamps: f32,
    shared_before: bool,
}

impl Draw {
    /// For a line seized just now; `before` is what it was on hook.
    pub(super) fn new(before: Battery) -> Self {
        Self { whole_milliamps: 0.0, last_milliamps: 0.0, shared_before: before == Battery::Shared }
    }

    /// By voltage and current of a line that is off hook and settled.
    pub(super) fn see(&mut self, volts: i8, milliamps: f32) -> Battery {
        if volts.unsigned_abs() < PRESENT_VOLTS {
            return Battery::Absent;
        }
        if self.last_milliamps == 0.0 {
            // A line that was shared on hook is taken to carry two thirds of its current, so that the rise when the
            // other phone hangs up is seen.
            self.whole_milliamps = if self.shared_before { milliamps * 1.5 } else { milliamps };
            self.last_milliamps = milliamps;
        }
        // One sample that is too high is not the new measure.
        self.whole_milliamps = self.whole_milliamps.max(milliamps.min(self.last_milliamps));
        self.last_milliamps = milliamps;
        if milliamps < self.whole_milliamps * WHOLE_SHARE { Battery::Shared } else { Battery::Whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_has_lasted() {
        let mut held = Held::new(false);
        assert_eq!(held.see(true, Instant(0)), None);
        assert_eq!(held.see(true, Instant(63_999)), None);
        assert_eq!(held.see(true, Instant(64_000)), Some(false));
        assert!(held.value());
        assert_eq!(held.see(false, Instant(70_000)), None);
        assert_eq!(held.see(true, Instant(80_000)), None);
        assert_eq!(held.see(false, Instant(150_000)), None, "an interruption begins it anew");
    }

    #[test]
    fn four_samples_of_ringing_make_a_ring_and_sixteen_of_quiet_end_it() {
        let mut ring = Ring::default();
        assert_eq!([true; 4].map(|half| ring.see(half)), [false, false, false, true]);
        let quiet: Vec<_> = (0..16).map(|_| ring.see(false)).collect();
        assert_eq!(quiet.iter().position(|ended| *ended), Some(15));
        assert!(!ring.rings());
    }

    #[test]
    fn three_and_twenty_volts_part_dead_shared_and_idle() {
        let seen = [0, 2, -2, 3, -19, 20, i8::MIN].map(Battery::on_hook);
        use Battery::{Absent, Shared, Whole};
        assert_eq!(seen, [Absent, Absent, Absent, Shared, Shared, Whole, Whole]);
    }
}
