//! What the receiver sees of a period: its eight frequencies, and how much of it two of them explain.
//!
//! A high-pass with zeros at 350 and 440 Hz takes dial tone away first. Two sines over 10 ms are not orthogonal (941
//! and 1,209 Hz leak into each other by a tenth), so a pair is fitted by least squares, whose Gram matrix is known
//! beforehand. What the fit does not explain is told apart into what is above and what is below the high-pass.

use super::{HIGH_HZ, LOW_HZ};
pub(super) use crate::audio::PERIOD;
use std::{f64::consts::TAU, sync::LazyLock};

const RATE: f64 = 8_000.0;

/// Energy of a period below which it is silence: -48 dBm0, as both frequencies of the weakest key are 20 dB more.
const QUIET: f32 = 3.2e5;

/// The high-pass: numerators `1 + c z^-1 + z^-2` with zeros at 350 and 440 Hz, denominators with poles of radius
/// 0.93 at 640 Hz and 0.7 at 620 Hz. 425 Hz is 45 dB down; 697 to 1,633 Hz pass within 0.8 dB of each other.
const ZERO_HZ: [f64; 2] = [350.0, 440.0];
const POLES: [(f64, f64); 2] = [(0.7, 620.0), (0.93, 640.0)];

/// One section of the high-pass.
#[derive(Clone, Copy, Debug)]
struct Section {
    zero: f32,
    poles: [f32; 2],
}

/// A pair of a row and a column of the key-pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: u8,
    pub(super) column: u8,
}

impl Place {
    const fn index(self) -> usize {
        ((self.row & 3) << 2 | self.column & 3) as usize
    }
}

/// Everything that is known before the first sample.
#[derive(Debug)]
pub(super) struct Tables {
    sections: [Section; 2],
    /// What makes the gain of the high-pass 1 in its passband.
    gain: f32,
    /// For each sample the cosines of the eight frequencies, then their sines; with that gain.
    waves: [[f32; 16]; PERIOD],
    /// For each frequency the inverse of the high-pass, a complex factor.
    equalizer: [[f32; 2]; 8],
    /// For each place the Gram matrix of its four waves, and the inverse.
    gram: [[[f32; 4]; 4]; 16],
    inverse: [[[f32; 4]; 4]; 16],
    /// For each frequency how its phase moves in a period, a complex factor.
    advance: [[f32; 2]; 8],
}

/// Built once; receivers hold a reference, so the media thread never waits for it.
static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

impl Tables {
    /// The tables.
    pub(super) fn get() -> &'static Self {
        &TABLES
    }

    fn new() -> Self {
        let hz: [f64; 8] =
            std::array::from_fn(|n| f64::from(if n < 4 { LOW_HZ[n & 3] } else { HIGH_HZ[n & 3] }));
        let angle = |n: usize| TAU * hz[n] / RATE;
        let sections = std::array::from_fn(|n| {
            let (radius, hz) = POLES[n];
            let zero = -2.0 * (TAU * ZERO_HZ[n] / RATE).cos();
            let pole = -2.0 * radius * (TAU * hz / RATE).cos();
            Section { zero: zero as f32, poles: [pole as f32, (radius * radius) as f32] }
        });
        let inverses: [[f32; 2]; 8] = std::array::from_fn(|n| inverse_response(&sections, angle(n)));
        let gain = inverses.iter().map(|&response| size(response)).sum::<f32>() / 8.0;
        let equalizer = inverses.map(|response| response.map(|x| x / gain));
        let waves = std::array::from_fn(|sample| {
            std::array::from_fn(|lane| {
                let phase = angle(lane & 7) * sample as f64;
                gain * (if lane < 8 { phase.cos() } else { phase.sin() }) as f32
            })
        });
        let advance = std::array::from_fn(|n| {
            let (sin, cos) = (angle(n) * PERIOD as f64).sin_cos();
            [cos as f32, sin as f32]
        });
        let gram_of = |place: usize| gram(angle(place >> 2), angle(4 + (place & 3)));
        let gram = std::array::from_fn(|place| gram_of(place).map(|row| row.map(|x| x as f32)));
        let inverse = std::array::from_fn(|place| inverted(gram_of(place)).map(|row| row.map(|x| x as f32)));
        Self { sections, gain, waves, equalizer, gram, inverse, advance }
    }

    /// How far the phase of a wave moved between two periods, less what it should: a complex number whose angle is
    /// 0.01 turns for each hertz that the frequency is off.
    pub(super) fn slip(&self, frequency: usize, before: [f32; 2], now: [f32; 2]) -> [f32; 2] {
        times(times(now, conjugate(before)), conjugate(self.advance[frequency & 7]))
    }
}

/// The high-pass of one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Highpass([[f32; 2]; 2]);

impl Highpass {
    fn filter(&mut self, sections: &[Section; 2], samples: &[f32; PERIOD]) -> [f32; PERIOD] {
        let mut out = [0.0; PERIOD];
        let [mut first, mut second] = self.0;
        for (out, &sample) in out.iter_mut().zip(samples) {
            let between = sections[0].advance(&mut first, sample);
            *out = sections[1].advance(&mut second, between);
        }
        // What rings on in silence would become denormal, and slow.
        self.0 = [first, second].map(|state| state.map(|x| if x.abs() < 1e-3 { 0.0 } else { x }));
        out
    }
}

impl Section {
    fn advance(&self, state: &mut [f32; 2], x: f32) -> f32 {
        let y = x + state[0];
        state[0] = self.zero * x - self.poles[0] * y + state[1];
        state[1] = x - self.poles[1] * y;
        y
    }
}

/// A period, correlated with the eight frequencies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spectrum {
    /// Cosine parts, then sine parts.
    parts: [f32; 16],
    /// Energy above the high-pass, and of all but the mean.
    energy: f32,
    whole: f32,
}

/// Two sines fitted to a period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Amplitude and phase of the low and of the high wave, as complex numbers, before the high-pass.
    pub(super) waves: [[f32; 2]; 2],
    /// Energy that they have.
    pub(super) explained: f32,
    /// Energy above the high-pass that they do not explain.
    pub(super) rest: f32,
    /// Energy below it.
    pub(super) below: f32,
}

impl Spectrum {
    pub(super) const SILENCE: Self = Self { parts: [0.0; 16], energy: 0.0, whole: 0.0 };

    pub(super) fn of(samples: &[i16; PERIOD], tables: &Tables, highpass: &mut Highpass) -> Self {
        let samples: [f32; PERIOD] = std::array::from_fn(|n| f32::from(samples[n]));
        let squares = energy(&samples);
        if squares < QUIET {
            *highpass = Highpass::default();
            return Self::SILENCE;
        }
        let high = highpass.filter(&tables.sections, &samples);
        let parts = correlated(&high, &tables.waves);
        let sum = samples
            .as_chunks::<8>()
            .0
            .iter()
            .fold([0.0; 8], |sums, x| std::array::from_fn(|n| sums[n] + x[n]));
        let sum: f32 = sum.iter().sum();
        Self {
            parts,
            energy: energy(&high) * tables.gain * tables.gain,
            whole: squares - sum * sum / PERIOD as f32,
        }
    }

    /// Energy below the high-pass, about.
    pub(super) fn below(&self) -> f32 {
        (self.whole - self.energy).max(0.0)
    }

    /// The strongest of each group.
    pub(super) fn strongest(&self) -> Place {
        let power = |n: usize| self.parts[n & 7].powi(2) + self.parts[(n & 7) + 8].powi(2);
        let best = |first: usize| {
            (1..4_u8).fold(0_u8, |best, n| {
                if power(first + usize::from(n)) > power(first + usize::from(best)) { n } else { best }
            })
        };
        Place { row: best(0), column: best(4) }
    }

    /// Fits the two waves of a place.
    pub(super) fn fit(&self, place: Place, tables: &Tables) -> Fit {
        let (low, high) = (usize::from(place.row & 3), usize::from(place.column & 3) + 4);
        let seen = [self.parts[low], self.parts[low + 8], self.parts[high], self.parts[high + 8]];
        let fitted = product(&tables.inverse[place.index()], seen);
        let above = dot(fitted, seen);
        // A wave c cos + s sin is the complex number c - js.
        let low = times([fitted[0], -fitted[1]], tables.equalizer[low]);
        let high = times([fitted[2], -fitted[3]], tables.equalizer[high]);
        let equal = [low[0], -low[1], high[0], -high[1]];
        let explained = dot(equal, product(&tables.gram[place.index()], equal));
        let rest = (self.energy - above).max(0.0);
        let below = (self.whole - explained - rest).max(0.0);
        Fit { waves: [low, high], explained, rest, below }
    }
}

/// Sum over the period of each wave times the sample. Inside a larger function it is not vectorised.
#[inline(never)]
fn correlated(samples: &[f32; PERIOD], waves: &[[f32; 16]; PERIOD]) -> [f32; 16] {
    let mut parts = [0.0_f32; 16];
    for (x, waves) in samples.iter().zip(waves) {
        for (part, wave) in parts.iter_mut().zip(waves) {
            *part += x * wave;
        }
    }
    parts
}

/// Sum of squares, in lanes so that it is vectorised.
fn energy(samples: &[f32; PERIOD]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for chunk in samples.as_chunks::<8>().0 {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x * x;
        }
    }
    lanes.iter().sum()
}

/// Gram matrix of the cosine and sine of two angles per sample.
fn gram(low: f64, high: f64) -> [[f64; 4]; 4] {
    let wave = |n: usize, sample: usize| {
        let phase = if n < 2 { low } else { high } * sample as f64;
        if n & 1 == 0 { phase.cos() } else { phase.sin() }
    };
    std::array::from_fn(|a| std::array::from_fn(|b| (0..PERIOD).map(|n| wave(a, n) * wave(b, n)).sum()))
}

/// Inverse of a positive definite matrix by Gauss and Jordan.
fn inverted(mut matrix: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
    let mut inverse: [[f64; 4]; 4] = std::array::from_fn(|a| std::array::from_fn(|b| f64::from(a == b)));
    for column in 0..4 {
        let pivot = matrix[column][column];
        let rows = (matrix[column].map(|x| x / pivot), inverse[column].map(|x| x / pivot));
        for row in 0..4 {
            let factor = matrix[row][column];
            for n in 0..4 {
                let (of_matrix, of_inverse) = (rows.0[n], rows.1[n]);
                if row == column {
                    (matrix[row][n], inverse[row][n]) = (of_matrix, of_inverse);
                } else {
                    matrix[row][n] -= factor * of_matrix;
                    inverse[row][n] -= factor * of_inverse;
                }
            }
        }
    }
    inverse
}

/// 1 / H of the high-pass at an angle per sample.
fn inverse_response(sections: &[Section; 2], angle: f64) -> [f32; 2] {
    let delay = [angle.cos() as f32, -angle.sin() as f32];
    let twice = times(delay, delay);
    sections.iter().fold([1.0, 0.0], |product, section| {
        let polynomial = |first: f32, second: f32| {
            [1.0 + first * delay[0] + second * twice[0], first * delay[1] + second * twice[1]]
        };
        let above = polynomial(section.zero, 1.0);
        let below = polynomial(section.poles[0], section.poles[1]);
        let size = above[0].powi(2) + above[1].powi(2);
        times(product, times(below, conjugate(above)).map(|x| x / size))
    })
}

pub(super) const fn times(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

pub(super) const fn conjugate(a: [f32; 2]) -> [f32; 2] {
    [a[0], -a[1]]
}

/// Amplitude of a complex number.
pub(super) fn size(a: [f32; 2]) -> f32 {
    (a[0] * a[0] + a[1] * a[1]).sqrt()
}

fn product(matrix: &[[f32; 4]; 4], vector: [f32; 4]) -> [f32; 4] {
    matrix.map(|row| dot(row, vector))
}

fn dot(a: [f32; 4], b: [f32; 4]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}
