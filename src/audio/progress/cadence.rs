//! Bursts and pauses against a cadence.

use super::burst::Burst;
use crate::audio::tone::{Cadence, MAX_BURSTS};

/// Cycles after which a cadence is believed.
pub(super) const CYCLES: usize = 3;
/// Most bursts that are looked back at.
const MOST: usize = CYCLES * MAX_BURSTS;
/// Milliseconds of a period.
const PERIOD_MS: f32 = 10.0;
/// How far a length may be from its nominal one.
const TOLERANCE: f32 = 0.15;
/// Milliseconds that a length may be measured wrong by.
const BLUR_MS: f32 = 4.0;
/// Largest ratio of the amplitudes of two bursts that belong together: 3 dB.
const ALIKE: f32 = 1.41;

/// The last bursts of a tone, newest last.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    bursts: [Burst; MOST],
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { bursts: [Burst::default(); MOST] }
    }

    /// Takes a burst whose pause has ended.
    pub(super) fn push(&mut self, burst: Burst) {
        self.bursts.copy_within(1.., 0);
        self.bursts[MOST - 1] = burst;
    }

    /// Whether the last `cycles` cycles follow `cadence`, wherever in it the listening began.
    pub(super) fn follows(&self, cadence: &Cadence, cycles: usize) -> bool {
        let nominal = cadence.bursts_ms();
        let bursts = &self.bursts[MOST - (cycles * nominal.len()).min(MOST)..];
        // Every second burst may be softer than the others (Australian congestion tone).
        let alike = bursts.windows(3).all(|three| {
            let [a, _, b] = three else { return true };
            a.amplitude < ALIKE * b.amplitude && b.amplitude < ALIKE * a.amplitude
        });
        let starts_at = |first| {
            let places = nominal.iter().cycle().skip(first);
            bursts.iter().zip(places).all(|(burst, &(on, off))| fits(burst, on, off))
        };
        !bursts.is_empty() && alike && (0..nominal.len()).any(starts_at)
    }

    /// Whether a burst whose pause still lasts ends a cycle of `cadence`: the bursts before it are those of the cycle,
    /// and the pause is long enough already.
    pub(super) fn ends_cycle(&self, last: &Burst, cadence: &Cadence) -> bool {
        let Some((&(on, off), before)) = cadence.bursts_ms().split_last() else { return false };
        let bursts = &self.bursts[MOST - before.len()..];
        last.is_clean
            && is_near(last.on, on)
            && last.off * PERIOD_MS >= f32::from(off) * (1.0 - TOLERANCE)
            && bursts.iter().zip(before).all(|(burst, &(on, off))| fits(burst, on, off))
    }
}

/// Whether a burst and its pause are somewhere in a cadence.
pub(super) fn belongs(burst: &Burst, cadence: &Cadence) -> bool {
    cadence.bursts_ms().iter().any(|&(on, off)| fits(burst, on, off))
}

fn fits(burst: &Burst, on_ms: u16, off_ms: u16) -> bool {
    burst.is_clean && is_near(burst.on, on_ms) && is_near(burst.off, off_ms)
}

fn is_near(periods: f32, nominal_ms: u16) -> bool {
    let nominal = f32::from(nominal_ms);
    (periods * PERIOD_MS - nominal).abs() <= TOLERANCE * nominal + BLUR_MS
}
