//! Level and frequency of each tone that a detector listens for, 100 times a second.
//!
//! A period of 80 samples is correlated with the tone's frequency; eight periods, weighted by a Hann window, make a
//! [`Reading`]: the level, and by how many Hz the tone is off, told from how far its phase turned in between. The
//! window is 80 ms: frequencies 40 Hz apart are two, and an edge of a burst is where the reading has half its height.

pub(super) use crate::audio::PERIOD;
use std::f32::consts::{PI, TAU};

/// Periods of the window.
pub(super) const WINDOW: usize = 8;
/// Periods per second.
const PERIOD_HZ: f32 = 100.0;
/// Halves of a period per second.
const HALF_HZ: f32 = 2.0 * PERIOD_HZ;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turned_by(angle: f32) -> Self {
        Self { re: angle.cos(), im: angle.sin() }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    /// The turn from `before` to `self`, with the product of both lengths.
    fn turn_since(self, before: Self) -> Self {
        self.times(Self { re: before.re, im: -before.im })
    }

    fn scaled(self, by: f32) -> Self {
        Self { re: self.re * by, im: self.im * by }
    }

    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
}

/// How a tone fills its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// One sine, which keeps its phase through the window.
    Narrow,
    /// A modulated tone or one whose frequency is known to 50 Hz only: energy within some 100 Hz.
    Wide,
}

/// What is seen of a tone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Mean square of its samples, as if it were exactly on its frequency.
    pub(super) power: f32,
    /// The same before that correction: what edges are told by.
    pub(super) height: f32,
    /// Frequency off the nominal one in Hz: within 50 if narrow, 100 if wide.
    pub(super) off_hz: f32,
}

/// One frequency.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) hz: f32,
    pub(super) width: Width,
    cosines: [f32; PERIOD],
    sines: [f32; PERIOD],
    /// Phase of the reference at the period's first sample, and its move by the next.
    reference: Complex,
    step: Complex,
    /// Correlation with the halves of the last periods, oldest first.
    halves: [[Complex; 2]; WINDOW],
    /// The window's sum one period ago.
    before: Complex,
}

impl Line {
    pub(super) fn new(hz: f32, width: Width) -> Self {
        let radians = TAU * hz / 8_000.0;
        let at = |n: usize| radians * n as f32;
        Self {
            hz,
            width,
            cosines: std::array::from_fn(|n| at(n).cos()),
            sines: std::array::from_fn(|n| -at(n).sin()),
            reference: Complex { re: 1.0, im: 0.0 },
            step: Complex::turned_by(-(at(PERIOD) % TAU)),
            halves: [[Complex::default(); 2]; WINDOW],
            before: Complex::default(),
        }
    }

    /// Takes a period; one without sound costs less.
    pub(super) fn hear(&mut self, samples: Option<&[f32; PERIOD]>) {
        self.halves.copy_within(1.., 0);
        self.halves[WINDOW - 1] = samples.map_or_else(Default::default, |samples| self.correlate(samples));
        self.reference = self.reference.times(self.step);
        // Rounding would let the reference shrink or grow over hours.
        self.reference = self.reference.scaled(1.5 - 0.5 * self.reference.power());
    }

    fn correlate(&self, samples: &[f32; PERIOD]) -> [Complex; 2] {
        let (first, second) = (0..PERIOD / 2, PERIOD / 2..PERIOD);
        [first, second].map(|half| {
            let sum = |wave: &[f32; PERIOD]| dot(&samples[half.clone()], &wave[half.clone()]);
            Complex { re: sum(&self.cosines), im: sum(&self.sines) }.times(self.reference)
        })
    }

    /// Reads the window. What is softer than `least`, a mean square, is not looked at closely.
    pub(super) fn read(&mut self, least: f32) -> Reading {
        match self.width {
            Width::Narrow => self.read_narrow(least),
            Width::Wide => self.read_wide(least),
        }
    }

    fn read_narrow(&mut self, least: f32) -> Reading {
        let sum = self
            .halves
            .iter()
            .zip(HANN)
            .fold(Complex::default(), |sum, ([a, b], weight)| sum.plus(a.plus(*b).scaled(weight)));
        let turn = sum.turn_since(self.before);
        self.before = sum;
        // A sine of amplitude a gives a/2 for each sample.
        let height = 2.0 * sum.power() / (PERIOD as f32 * HANN_SUM).powi(2);
        if height < least {
            return Reading { power: height, height, off_hz: 0.0 };
        }
        let off_hz = turn.angle() / TAU * PERIOD_HZ;
        Reading { power: height / hann_gain(off_hz).powi(2), height, off_hz }
    }

    fn read_wide(&self, least: f32) -> Reading {
        let weighted = self.halves.iter().zip(HANN);
        let power: f32 = weighted.clone().map(|([a, b], weight)| weight * (a.power() + b.power())).sum();
        let height = power / HANN_SUM / (PERIOD as f32 / 2.0).powi(2);
        if height < least {
            return Reading { power: height, height, off_hz: 0.0 };
        }
        let (mut turn, mut before) = (Complex::default(), Complex::default());
        for ([first, second], weight) in weighted {
            let turned = first.turn_since(before).plus(second.turn_since(*first));
            turn = turn.plus(turned.scaled(weight));
            before = *second;
        }
        let off_hz = turn.angle() / TAU * HALF_HZ;
        Reading { power: height / half_gain(off_hz).powi(2), height, off_hz }
    }
}

/// Sum of products of whole groups of eight, in lanes that the compiler makes vectors of.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

/// sin² at the middle of each period of the window.
pub(super) const HANN: [f32; WINDOW] =
    [0.038_060, 0.308_658, 0.691_342, 0.961_940, 0.961_940, 0.691_342, 0.308_658, 0.038_060];
pub(super) const HANN_SUM: f32 = 4.0;

/// Amplitude of a sine that is `off_hz` off, seen through the Hann window: sin(πu) / (πu - πu³) for u windows, by a
/// polynomial that is within 1 % up to 1.2 (15 Hz); and through the periods that it is made of.
fn hann_gain(off_hz: f32) -> f32 {
    let u = (off_hz * WINDOW as f32 / PERIOD_HZ).clamp(-1.2, 1.2);
    let square = u * u;
    let boxcar = 1.0 - (PI * off_hz / PERIOD_HZ).powi(2) / 6.0;
    boxcar * (1.0 - square * (0.6445 - square * (0.1634 - square * 0.0189)))
}

/// The same through half a period: sin(x)/x.
fn half_gain(off_hz: f32) -> f32 {
    let square = (PI * off_hz.clamp(-60.0, 60.0) / HALF_HZ).powi(2);
    1.0 - square / 6.0 + square * square / 120.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::sine::Oscillator;

    /// The last reading of 200 ms of tones at -10 dBm0.
    fn reading(line_hz: f32, width: Width, hz: &[f32]) -> Reading {
        let mut line = Line::new(line_hz, width);
        let mut tones: Vec<_> = hz.iter().map(|hz| Oscillator::new(*hz, -10.0)).collect();
        let mut reading = Reading::default();
        for _ in 0..20 {
            let samples = std::array::from_fn(|_| tones.iter_mut().map(Oscillator::advance).sum());
            line.hear(Some(&samples));
            reading = line.read(0.0);
        }
        reading
    }

    #[test]
    fn level_and_frequency_are_right_up_to_two_percent_off() {
        let full = crate::audio::level::amplitude(-10.0).powi(2) / 2.0;
        for off in [-13.0, -9.0, -4.0, 0.0, 3.0, 8.5] {
            let seen = reading(425.0, Width::Narrow, &[425.0 + off]);
            assert!((seen.off_hz - off).abs() < 0.3, "{off}: {seen:?}");
            assert!((seen.power / full - 1.0).abs() < 0.05, "{off}: {seen:?}");
        }
        for off in [-50.0, 0.0, 40.0] {
            let seen = reading(950.0, Width::Wide, &[950.0 + off]);
            assert!((seen.off_hz - off).abs() < 1.0, "{off}: {seen:?}");
            assert!((seen.power / full - 1.0).abs() < 0.05, "{off}: {seen:?}");
        }
    }

    #[test]
    fn a_frequency_40_hz_away_is_another() {
        let full = crate::audio::level::amplitude(-10.0).powi(2) / 2.0;
        assert!(reading(440.0, Width::Narrow, &[480.0]).height / full < 0.01);
        let both = reading(440.0, Width::Narrow, &[440.0, 480.0]);
        assert!(both.off_hz.abs() < 2.0 && (both.power / full - 1.0).abs() < 0.1, "{both:?}");
    }

    #[test]
    fn an_hour_does_not_change_the_reference() {
        let mut line = Line::new(425.0, Width::Narrow);
        (0..360_000).for_each(|_| line.hear(None));
        assert!((line.reference.power() - 1.0).abs() < 1e-5);
    }
}
