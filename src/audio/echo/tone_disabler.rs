//! Tone disabler: hears a fax or modem ask for a clear line (ITU-T G.168 clause 7, V.25 clause 6, V.8 clause 3).
//!
//! 2100 Hz whose phase is reversed every 450 ms turns the canceller off, from whichever side it comes; without reversals
//! it is a fax's CED, which the canceller may stay for. 2100 Hz is 21 turns in a period of 10 ms, so the phase of one
//! period compares with that of the next as it is.

use super::PERIOD;
use crate::audio::{
    level,
    sine::{Phase, SAMPLE_HZ},
};

const TONE_HZ: f32 = 2_100.0;
/// Weakest tone that disables (G.168 7.2).
const TONE_DBM0: f32 = -31.0;
/// The canceller comes back when both sides are below this level (G.168 7.4) ...
const HOLD_DBM0: f32 = -36.0;
/// ... for that many periods: 250 ms (G.168 7.8: 250 ± 150 ms).
const RELEASE_PERIODS: u16 = 25;
/// Least part of a period's energy that is the tone's: the guard band (G.168 7.3). A tone 21 Hz off keeps 0.86.
const PURE: f32 = 0.7;
/// Periods without a pure tone that do not end it: the one with the reversal, and its ringing.
const LONGEST_GAP: u16 = 4;
/// Periods from one reversal to the next: 450 ± 25 ms (V.25), and a period more on both sides.
const REVERSAL_PERIODS: std::ops::RangeInclusive<u16> = 41..=49;
/// Reversals that disable; the second comes at most 925 ms after the tone's begin, and G.168 7.5 allows a second.
const REVERSALS: u8 = 2;
/// Cosine of a phase that went on: within 37°.
const STEADY: f32 = 0.8;
/// Cosine of a reversed phase: 180° ± 45°. G.168 7.2.1 asks to take ± 25° and to leave jumps up to 110° alone.
const REVERSED: f32 = -0.7;
/// Periods from one to the next of which the phase must have gone on before its reversal counts.
const STEADY_PERIODS: u16 = 4;

/// A complex number.
#[derive(Clone, Copy, Debug, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn conjugate(self) -> Self {
        Self { im: -self.im, ..self }
    }

    fn square(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    /// The same direction with length 1.
    fn unit(self) -> Self {
        let length = self.square().sqrt().max(f32::MIN_POSITIVE);
        Self { re: self.re / length, im: self.im / length }
    }
}

/// 2100 Hz in one direction.
#[derive(Clone, Debug, Default)]
struct Direction {
    /// Direction of the tone in the last pure period.
    last: Complex,
    /// How far it turns in a period.
    turn: Complex,
    /// Periods for which it turned so.
    steady_periods: u16,
    /// Periods since the last pure one.
    gap: u16,
    since_reversal: u16,
    reversals: u8,
}

impl Direction {
    /// Takes a period: what it holds of the tone if that is pure. Whether the tone asks for a clear line.
    fn take(&mut self, tone: Option<Complex>) -> bool {
        self.since_reversal = self.since_reversal.saturating_add(1);
        self.gap += 1;
        let Some(tone) = tone else {
            if self.gap > LONGEST_GAP {
                *self = Self { gap: LONGEST_GAP, ..Self::default() };
            }
            return false;
        };
        let now = tone.unit();
        let step = now.times(self.last.conjugate());
        if self.steady_periods < STEADY_PERIODS {
            self.learn(step);
        } else {
            self.compare(now);
        }
        self.last = now;
        self.gap = 0;
        self.reversals >= REVERSALS
    }

    fn learn(&mut self, step: Complex) {
        let on = self.gap == 1 && step.times(self.turn.conjugate()).re > STEADY;
        self.steady_periods = if on { self.steady_periods + 1 } else { 1 };
        self.turn = step.unit();
    }

    fn compare(&mut self, now: Complex) {
        let expected = (0..self.gap).fold(self.last, |phase, _| phase.times(self.turn));
        let cosine = now.times(expected.conjugate()).re;
        if cosine < REVERSED {
            let timely = REVERSAL_PERIODS.contains(&self.since_reversal);
            self.reversals = if timely { self.reversals + 1 } else { 1 };
            self.since_reversal = 0;
        } else if cosine < STEADY {
            *self = Self::default();
        }
    }
}

/// Turns the canceller off and on.
#[derive(Clone, Debug)]
pub(super) struct ToneDisabler {
    cosine: [f32; PERIOD],
    sine: [f32; PERIOD],
    directions: [Direction; 2],
    disabled: bool,
    quiet_periods: u16,
    /// Energies of a period at the levels of the tone and of the hold.
    tone_energy: f32,
    hold_energy: f32,
}

impl ToneDisabler {
    pub(super) fn new() -> Self {
        let step = Phase::step(TONE_HZ);
        let mut phase = Phase::default();
        let sine: [f32; PERIOD] = std::array::from_fn(|_| phase.advance(step));
        // A quarter of a turn before the sine.
        let mut phase = Phase::default();
        phase.advance(1 << 30);
        let cosine = std::array::from_fn(|_| phase.advance(step));
        let energy = |dbm0| level::amplitude(dbm0).powi(2) / 2.0 * PERIOD as f32;
        Self {
            cosine,
            sine,
            directions: Default::default(),
            disabled: false,
            quiet_periods: 0,
            tone_energy: energy(TONE_DBM0),
            hold_energy: energy(HOLD_DBM0),
        }
    }

    /// A call begins: the line is enabled, no tone was heard.
    pub(super) fn begin(&mut self) {
        self.directions = Default::default();
        self.disabled = false;
    }

    /// Takes a period of both directions; whether the canceller is to be off.
    pub(super) fn is_disabled(&mut self, far: &[f32; PERIOD], near: &[f32; PERIOD]) -> bool {
        let (mut asked, mut loud) = (false, false);
        for (direction, samples) in [far, near].into_iter().enumerate() {
            let (tone, energy) = self.look(samples);
            loud |= energy > self.hold_energy;
            let pure = energy > self.tone_energy && tone.square() * 2.0 > PURE * energy * PERIOD as f32;
            asked |= self.directions[direction].take(pure.then_some(tone));
        }
        self.quiet_periods = if loud { 0 } else { self.quiet_periods.saturating_add(1) };
        if asked && !self.disabled {
            self.disabled = true;
        } else if self.quiet_periods >= RELEASE_PERIODS {
            self.disabled = false;
        }
        self.disabled
    }

    /// The tone's part of a period, and all of its energy.
    fn look(&self, samples: &[f32; PERIOD]) -> (Complex, f32) {
        const LANES: usize = 8;
        let (mut re, mut im, mut energy) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let lanes = |of: &[f32; PERIOD], n: usize| -> [f32; LANES] { of.as_chunks().0[n] };
        for n in 0..PERIOD / LANES {
            let (sample, cosine, sine) = (lanes(samples, n), lanes(&self.cosine, n), lanes(&self.sine, n));
            for i in 0..LANES {
                re[i] += sample[i] * cosine[i];
                im[i] -= sample[i] * sine[i];
                energy[i] += sample[i] * sample[i];
            }
        }
        (Complex { re: re.iter().sum(), im: im.iter().sum() }, energy.iter().sum())
    }
}

const _: () = assert!((TONE_HZ as usize * PERIOD).is_multiple_of(SAMPLE_HZ as usize));

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(reversals_ms: &[usize], hz: f32, ms: usize) -> Vec<[f32; PERIOD]> {
        let step = Phase::step(hz);
        let mut phase = Phase::default();
        let sample = |n: usize| {
            if reversals_ms.iter().any(|ms| n == ms * 8 + 3) {
                phase.advance(1 << 31);
            }
            8_000.0 * phase.advance(step)
        };
        let samples: Vec<f32> = (0..ms * 8).map(sample).collect();
        samples.as_chunks().0.to_vec()
    }

    fn disables(reversals_ms: &[usize], hz: f32) -> bool {
        let mut disabler = ToneDisabler::new();
        let tone = periods(reversals_ms, hz, 1_600);
        tone.iter().fold(false, |was, period| was | disabler.is_disabled(&[0.0; PERIOD], period))
    }

    #[test]
    fn the_tone_may_be_21_hz_off_and_its_reversals_25_ms() {
        for hz in [2_079.0, 2_100.0, 2_121.0] {
            assert!(disables(&[450, 900, 1_350], hz), "{hz} Hz");
            assert!(disables(&[425, 850, 1_275], hz) && disables(&[475, 950, 1_425], hz), "{hz} Hz");
        }
        for hz in [1_900.0, 2_000.0, 2_250.0] {
            assert!(!disables(&[450, 900, 1_350], hz), "{hz} Hz");
        }
    }

    #[test]
    fn one_reversal_or_reversals_out_of_time_do_not_disable() {
        assert!(!disables(&[], 2_100.0) && !disables(&[450], 2_100.0));
        assert!(!disables(&[300, 600, 900, 1_200], 2_100.0) && !disables(&[300, 900, 1_500], 2_100.0));
    }
}
