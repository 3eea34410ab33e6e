//! The receiver: samples to bits.
//!
//! ```text
//! samples ─► high pass ─► correlators over one bit, mark and space ─► |mark| − |space| ─► bit clock ─► bits
//!                └─► power of all ──► share of it that is mark or space ─► carrier
//! ```
//! Each correlator is a matched filter: the magnitude of the last bit's samples against a complex exponential. Where
//! their difference crosses the middle, one bit ends and the next begins, and half a bit later is the best moment to
//! decide. A clock follows these crossings, slowly while it is locked and in larger steps at a start bit after a pause,
//! since a sender may leave any time between two bytes. On a line that is not flat (twist) marks and spaces differ in
//! level: the middle is that of their means.

use super::{BIT_RATE, Variant};
use crate::audio::{PERIOD, level, sine::SAMPLE_HZ};
use std::f32::consts::{SQRT_2, TAU};

/// A bit is 6 2/3 samples.
const BIT_SAMPLES: f32 = SAMPLE_HZ as f32 / BIT_RATE as f32;
/// Taps of a correlator: one bit, rounded up.
const TAPS: usize = 7;
/// Samples that the next period needs of this one.
const KEPT: usize = TAPS - 1;

/// Pole of the high pass at 130 Hz against direct current and hum.
const HIGH_PASS: f32 = 0.9;
/// Level from which on there may be a carrier (GR-30: receivers work from -38 dBm on, EN 300 778-1 from -40 dBV),
/// and the one below which it is gone.
const CARRIER_DBM0: f32 = -44.0;
const CARRIER_LOST_DBM0: f32 = -47.0;
/// Peak of a period in which nobody speaks: a carrier has at least 130.
const QUIET_PEAK: u16 = 40;
/// Share of the power that is mark or space. A clean signal has 1, one in white noise of the same power 0.65, noise
/// alone 0.4.
const CARRIER_SHARE: f32 = 0.70;
const CARRIER_LOST_SHARE: f32 = 0.55;
/// Weight of one bit in the averages behind the two.
const PER_BIT: f32 = 1.0 / 8.0;
/// A bit with less than this share of the mean power is no bit of the carrier; so many in a row end it.
const FAINT_SHARE: f32 = 0.05;
const FAINT_BITS: u8 = 6;
/// What of its error the bit clock corrects at a crossing: with a carrier, and while there is none.
const CLOCK_LOCKED: f32 = 0.16;
const CLOCK_FREE: f32 = 0.35;
/// The same at a start bit after a pause.
const CLOCK_START: f32 = 0.5;
/// Weight of one bit in the two magnitudes whose middle decides.
const MIDDLE: f32 = 1.0 / 16.0;
/// Marks after which a space begins a byte whose clock may be another: more than a byte of 0xFF with its stop bit.
const PAUSE_BITS: u8 = 11;

/// What the receiver finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A carrier began.
    Carrier,
    /// A bit; mark is `true`.
    Bit(bool),
    /// The carrier ended.
    Lost,
}

/// Finds carrier and bits in periods of 80 samples; allocates nothing.
///
/// Levels from -42 to 0 dBm0, frequency and bit rate within ± 1 %, mark and space within 6 dB of each other.
#[derive(Clone, Debug)]
pub struct Demodulator {
    /// Real and imaginary part of mark, then of space, newest sample last.
    taps: [[f32; TAPS]; 4],
    /// The end of the last period behind the high pass.
    kept: [f32; KEPT],
    last_sample: f32,
    last_passed: f32,
    /// Mean square of the samples in the correlators' window.
    power: f32,
    /// Mean square of the louder correlator, scaled to the mean square of a sine.
    tone_power: f32,
    /// Bits in a row without power.
    faint: u8,
    carrier: bool,
    clock: Clock,
}

/// What the correlators say of one period.
struct Correlated {
    /// Mark less space, as amplitude over √2.
    difference: [f32; PERIOD],
    /// The louder of the two, squared.
    peak: [f32; PERIOD],
    /// The samples behind the high pass, from the first that the first window holds.
    samples: [f32; PERIOD + KEPT],
}

/// When to decide, and what.
#[derive(Clone, Debug)]
struct Clock {
    /// Samples until the next decision.
    due: f32,
    /// Difference of the correlators one sample ago.
    last: f32,
    /// Mean difference of marks and of spaces.
    mark: f32,
    space: f32,
    /// Marks in a row.
    marks: u8,
}

impl Demodulator {
    /// A receiver that has heard silence so far.
    #[must_use]
    pub fn new(variant: Variant) -> Self {
        Self {
            taps: correlators(variant),
            kept: [0.0; KEPT],
            last_sample: 0.0,
            last_passed: 0.0,
            power: 0.0,
            tone_power: 0.0,
            faint: 0,
            carrier: false,
            clock: Clock { due: BIT_SAMPLES, last: 0.0, mark: 0.0, space: 0.0, marks: 0 },
        }
    }

    /// Whether there is a carrier.
    #[must_use]
    pub const fn has_carrier(&self) -> bool {
        self.carrier
    }

    /// Takes one period and tells what is in it, in order.
    pub fn feed(&mut self, period: &[i16; PERIOD], found: &mut impl FnMut(Signal)) {
        if !self.carrier && period.iter().all(|sample| sample.unsigned_abs() <= QUIET_PEAK) {
            return self.rest();
        }
        let correlated = self.correlate(period);
        let windows = correlated.samples.windows(TAPS);
        let looks = correlated.difference.iter().zip(&correlated.peak).zip(windows);
        for ((&difference, peak), window) in looks {
            let Some(value) = self.clock.step(difference, self.carrier) else { continue };
            let power: f32 = window.iter().zip(&WINDOW).map(|(sample, part)| sample * sample * part).sum();
            self.tone_power += (peak - self.tone_power) * PER_BIT;
            self.power += (power - self.power) * PER_BIT;
            self.faint = if power < self.power * FAINT_SHARE { self.faint.saturating_add(1) } else { 0 };
            self.judge_carrier(found);
            if self.carrier {
                found(Signal::Bit(self.clock.decide(value)));
            }
        }
    }

    fn correlate(&mut self, period: &[i16; PERIOD]) -> Correlated {
        let mut samples = [0.0; PERIOD + KEPT];
        let (kept, new) = samples.split_at_mut(KEPT);
        kept.copy_from_slice(&self.kept);
        for (passed, &sample) in new.iter_mut().zip(period) {
            let sample = f32::from(sample);
            self.last_passed = sample - self.last_sample + HIGH_PASS * self.last_passed;
            self.last_sample = sample;
            *passed = self.last_passed;
        }
        self.kept.copy_from_slice(new.split_at(PERIOD - KEPT).1);
        let [mark_re, mark_im, space_re, space_im] = self.taps.each_ref().map(|taps| filter(&samples, taps));
        let mark: [f32; PERIOD] = std::array::from_fn(|n| mark_re[n] * mark_re[n] + mark_im[n] * mark_im[n]);
        let space: [f32; PERIOD] =
            std::array::from_fn(|n| space_re[n] * space_re[n] + space_im[n] * space_im[n]);
        Correlated {
            difference: std::array::from_fn(|n| mark[n].sqrt() - space[n].sqrt()),
            peak: std::array::from_fn(|n| mark[n].max(space[n])),
            samples,
        }
    }

    /// Forgets what was heard: so little that it could be no carrier, nor begin one.
    fn rest(&mut self) {
        self.kept = [0.0; KEPT];
        (self.last_sample, self.last_passed) = (0.0, 0.0);
        (self.power, self.tone_power) = (0.0, 0.0);
        self.clock.last = 0.0;
    }

    fn judge_carrier(&mut self, found: &mut impl FnMut(Signal)) {
        let (least_dbm0, least_share) = if self.carrier {
            (CARRIER_LOST_DBM0, CARRIER_LOST_SHARE)
        } else {
            (CARRIER_DBM0, CARRIER_SHARE)
        };
        let peak = level::amplitude(least_dbm0);
        let present = self.tone_power >= peak * peak / 2.0
            && self.tone_power >= self.power * least_share
            && self.faint < FAINT_BITS;
        if present != self.carrier {
            self.carrier = present;
            let magnitude = self.tone_power.sqrt();
            (self.clock.mark, self.clock.space, self.clock.marks) = (magnitude, -magnitude, 0);
            found(if present { Signal::Carrier } else { Signal::Lost });
        }
    }
}

impl Clock {
    /// Takes the clock one sample further; the answer is what to decide a bit by, if one is due.
    fn step(&mut self, difference: f32, carrier: bool) -> Option<f32> {
        let middle = if carrier { self.middle() } else { 0.0 };
        let (before, now) = (self.last - middle, difference - middle);
        self.due -= 1.0;
        if (before < 0.0) != (now < 0.0) {
            let ends_pause = now < 0.0 && self.marks >= PAUSE_BITS;
            let share = match (carrier, ends_pause) {
                (false, _) => CLOCK_FREE,
                (true, true) => CLOCK_START,
                (true, false) => CLOCK_LOCKED,
            };
            // Samples from the crossing until now, 0 to 1.
            self.follow(now / (now - before), share);
        }
        let was = std::mem::replace(&mut self.last, difference);
        if self.due > 0.0 {
            return None;
        }
        // The decision was due `-due` samples ago.
        let back = (-self.due).min(1.0);
        self.due += BIT_SAMPLES;
        Some(difference + (was - difference) * back)
    }

    const fn middle(&self) -> f32 {
        (self.mark + self.space) / 2.0
    }

    /// Half a bit after a crossing a decision is due: corrects `share` of what the clock is off.
    fn follow(&mut self, ago: f32, share: f32) {
        let off = self.due + ago - BIT_SAMPLES / 2.0;
        let off = off - BIT_SAMPLES * (off / BIT_SAMPLES).round();
        self.due -= off * share;
    }

    fn decide(&mut self, value: f32) -> bool {
        let mark = value > self.middle();
        let mean = if mark { &mut self.mark } else { &mut self.space };
        *mean += (value - *mean) * MIDDLE;
        self.marks = if mark { self.marks.saturating_add(1) } else { 0 };
        mark
    }
}

/// One bit long, with a first and a last tap that stand for a part of a sample.
const WINDOW: [f32; TAPS] = {
    let end = (BIT_SAMPLES - (TAPS - 2) as f32) / 2.0 / BIT_SAMPLES;
    let mut window = [1.0 / BIT_SAMPLES; TAPS];
    window[0] = end;
    window[TAPS - 1] = end;
    window
};

/// The two matched filters, scaled so that a sine gives its amplitude over √2.
fn correlators(variant: Variant) -> [[f32; TAPS]; 4] {
    let taps = |hz: f32, turn: f32| {
        std::array::from_fn(|n| {
            let angle = TAU * (hz / SAMPLE_HZ as f32 * (n as f32 - (TAPS / 2) as f32) + turn);
            WINDOW[n] * angle.cos() * SQRT_2
        })
    };
    let (mark, space) = (variant.mark_hz(), variant.space_hz());
    [taps(mark, 0.0), taps(mark, 0.25), taps(space, 0.0), taps(space, 0.25)]
}

/// In blocks of sums that stay in registers.
fn filter(samples: &[f32; PERIOD + KEPT], taps: &[f32; TAPS]) -> [f32; PERIOD] {
    const BLOCK: usize = 8;
    let mut sums = [0.0; PERIOD];
    for (block, sums) in sums.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        for (n, tap) in taps.iter().enumerate() {
            let from = samples.get(block * BLOCK + n..).unwrap_or_default();
            sums.iter_mut().zip(from).for_each(|(sum, sample)| *sum += tap * sample);
        }
    }
    sums
}
