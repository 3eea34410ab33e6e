//! What a line chip reports of its line, with the times of the real driver: samples of 16 ms, 64 ms of debounce.

use ringside::chip::{LineChange, LineOrder, si3050::Polarity};

const SAMPLE_MS: u64 = 16;
const HOLD_MS: u64 = 64;
const OFF_HOOK_SETTLES_MS: u64 = 192;
const ON_HOOK_SETTLES_MS: u64 = 200;
const RING_ENDS_MS: u64 = 256;
const DEAD_MS: u64 = 1_000;

/// The line as it arrives at the jack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copper {
    /// 0 when the loop is open at the exchange, or the cable is out.
    pub(crate) volts: i8,
    pub(crate) rings: bool,
}

/// A value that changes when the change has lasted.
#[derive(Clone, Copy, Debug)]
struct Held<T> {
    value: T,
    other_since: Option<u64>,
}

impl<T: Copy + PartialEq> Held<T> {
    fn new(value: T) -> Self {
        Self { value, other_since: None }
    }

    fn see(&mut self, seen: T, now: u64) -> bool {
        if seen == self.value {
            self.other_since = None;
            return false;
        }
        let since = *self.other_since.get_or_insert(now);
        let has_lasted = now - since >= HOLD_MS;
        if has_lasted {
            *self = Self::new(seen);
        }
        has_lasted
    }
}

#[derive(Debug)]
pub(crate) struct Chip {
    off_hook: bool,
    settling: bool,
    settled_at: u64,
    battery: Held<bool>,
    positive: Held<bool>,
    dead_at: Option<u64>,
    rings: bool,
    rang_at: u64,
}

impl Chip {
    pub(crate) fn new() -> Self {
        let (battery, positive) = (Held::new(true), Held::new(false));
        Self {
            off_hook: false,
            settling: false,
            settled_at: 0,
            battery,
            positive,
            dead_at: None,
            rings: false,
            rang_at: 0,
        }
    }

    pub(crate) fn holds_line(&self) -> bool {
        self.off_hook
    }

    pub(crate) fn order(&mut self, order: LineOrder, now: u64, out: &mut Vec<LineChange>) {
        let off_hook = match order {
            LineOrder::OffHook => true,
            LineOrder::OnHook | LineOrder::Monitor => false,
            LineOrder::Flash { .. } | LineOrder::Pulse { .. } => panic!("not in these tests: {order:?}"),
        };
        if self.off_hook == off_hook {
            return;
        }
        if off_hook && std::mem::take(&mut self.rings) {
            out.push(LineChange::RingEnded);
        }
        (self.off_hook, self.settling) = (off_hook, off_hook);
        self.settled_at = now + if off_hook { OFF_HOOK_SETTLES_MS } else { ON_HOOK_SETTLES_MS };
        self.battery.other_since = None;
    }

    pub(crate) fn tick(&mut self, now: u64, line: Copper, out: &mut Vec<LineChange>) {
        if !now.is_multiple_of(SAMPLE_MS) || now < self.settled_at {
            return;
        }
        if !self.off_hook && line.rings {
            self.rang_at = now;
            if !std::mem::replace(&mut self.rings, true) {
                out.push(LineChange::RingBegan);
            }
        } else if self.rings && now - self.rang_at >= RING_ENDS_MS {
            self.rings = false;
            out.push(LineChange::RingEnded);
        }
        if self.battery.see(line.volts != 0, now) {
            let change =
                if self.battery.value { LineChange::BatteryReturned } else { LineChange::BatteryLost };
            self.dead_at = (!self.battery.value).then_some(now + DEAD_MS - HOLD_MS);
            out.push(change);
        }
        if self.dead_at.is_some_and(|at| now >= at) {
            self.dead_at = None;
            out.push(LineChange::LineDead);
        }
        if line.volts != 0 && !line.rings && self.positive.see(line.volts > 0, now) {
            let to = if self.positive.value { Polarity::Positive } else { Polarity::Negative };
            out.push(LineChange::PolarityReversed { to });
        }
        if std::mem::take(&mut self.settling) {
            out.push(LineChange::OffHook);
        }
    }
}
