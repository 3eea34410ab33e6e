//! ITU-T G.711: µ-law and A-law, exact for every sample and every code.
//!
//! Compression is arithmetic: the exponent and the upper mantissa bits of a float *are* segment and step of the code,
//! so one conversion to `f32` replaces the search for the segment, without a branch and for many samples at once.
//! Expansion is a table of 256 entries, which is fewer instructions than arithmetic where samples are written one by
//! one into an interleaved area. Negative samples are folded by one's complement, as in the ITU-T reference software
//! (G.191), which settles on which side of a decision value an equal sample falls.

use super::interleaved::{ColumnMut, in_blocks};

/// A companding law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law: PCMU.
    Mu,
    /// A-law: PCMA.
    A,
}

impl Law {
    /// The code of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    const fn expansion(self) -> &'static [i16; 256] {
        match self {
            Self::Mu => &EXPAND_MU,
            Self::A => &EXPAND_A,
        }
    }
}

/// Expands one code to a linear sample.
#[must_use]
pub fn expand(law: Law, code: u8) -> i16 {
    law.expansion()[usize::from(code)]
}

/// Compresses one linear sample.
#[must_use]
pub fn compress(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => compress_mu(sample),
        Law::A => compress_a(sample),
    }
}

/// Expands `codes` into the column from its first frame on; what does not fit is left out.
pub fn decode(law: Law, codes: &[u8], line: &mut ColumnMut<'_>) {
    let table = law.expansion();
    line.write(codes, |&code| table[usize::from(code)]);
}

/// Compresses `samples` into `codes`, as many as both have.
pub fn encode(law: Law, samples: &[i16], codes: &mut [u8]) {
    // One loop for each law, so that each is vectorised without a choice inside.
    match law {
        Law::Mu => in_blocks::<16, _, _>(codes, samples, |code, &sample| *code = compress_mu(sample)),
        Law::A => in_blocks::<16, _, _>(codes, samples, |code, &sample| *code = compress_a(sample)),
    }
}

/// Added to a µ-law magnitude so that segments begin at powers of two: 33 steps of the 14-bit scale.
const MU_BIAS: i16 = 33 << 2;
/// Largest µ-law magnitude; above it every sample has the last code.
const MU_CLIP: i16 = i16::MAX - MU_BIAS;
/// Mantissa bits of `f32` below the four that the code keeps.
const DROPPED_BITS: u32 = 19;
/// Exponent of `f32` for 1.0.
const FLOAT_BIAS: i32 = 127;

#[inline(always)]
fn compress_mu(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = (sample ^ sign).min(MU_CLIP) + MU_BIAS;
    // The first segment begins at 2^7.
    let code = segment_and_step(magnitude) - ((FLOAT_BIAS + 7) << 4);
    // Codes travel inverted; the sign bit of a positive sample is 1.
    !(code as u8 | (sign as u8 & 0x80))
}

#[inline(always)]
fn compress_a(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = sample ^ sign;
    // Segments 0 and 1 have the same step: segment 0 is lifted by the 2^8 at which segment 1 begins.
    let first = (magnitude - 256) >> 15;
    let code = segment_and_step(magnitude + (first & 256)) - ((FLOAT_BIAS + 7) << 4) - i32::from(first & 16);
    // Even bits travel inverted; the sign bit of a positive sample is 1.
    (code as u8 | (!sign as u8 & 0x80)) ^ 0x55
}

/// Exponent and upper four mantissa bits of a positive number.
#[inline(always)]
fn segment_and_step(magnitude: i16) -> i32 {
    (f32::from(magnitude).to_bits() >> DROPPED_BITS) as i32
}

static EXPAND_MU: [i16; 256] = table(Law::Mu);
static EXPAND_A: [i16; 256] = table(Law::A);

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => expand_mu(code as u8),
            Law::A => expand_a(code as u8),
        };
        code += 1;
    }
    table
}

const fn expand_mu(code: u8) -> i16 {
    let code = !code;
    let (segment, step) = ((code >> 4) & 7, (code & 15) as i16);
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

const fn expand_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, (code & 15) as i16);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 8 + 256) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lower decision value and output value of each magnitude code, on the 16-bit scale: G.711 tables 1a and 2a.
    fn recommendation(law: Law) -> Vec<(i32, i32)> {
        (0..128)
            .map(|code| {
                let (segment, step) = (code >> 4, code & 15);
                match (law, segment) {
                    (Law::Mu, _) => {
                        (4 * (((32 + 2 * step) << segment) - 33), 4 * (((33 + 2 * step) << segment) - 33))
                    }
                    (Law::A, 0) => (16 * step, 16 * step + 8),
                    (Law::A, _) => {
                        ((16 * (16 + step)) << (segment - 1), (16 * (16 + step) + 8) << (segment - 1))
                    }
                }
            })
            .collect()
    }

    /// The code as it travels, from sign and magnitude code.
    fn on_the_wire(law: Law, negative: bool, magnitude_code: usize) -> u8 {
        let code = u8::try_from(magnitude_code).unwrap() | if negative { 0 } else { 0x80 };
        match law {
            // µ-law inverts the magnitude bits, A-law the even bits.
            Law::Mu => code ^ 0x7f,
            Law::A => code ^ 0x55,
        }
    }

    fn by_the_recommendation(law: Law, intervals: &[(i32, i32)], sample: i16) -> u8 {
        let magnitude = if sample < 0 { -1 - i32::from(sample) } else { i32::from(sample) };
        let code = intervals.iter().rposition(|&(lower, _)| lower <= magnitude).unwrap();
        on_the_wire(law, sample < 0, code)
    }

    #[test]
    fn every_sample_gets_the_code_of_the_recommendation() {
        for law in [Law::Mu, Law::A] {
            let intervals = recommendation(law);
            for sample in i16::MIN..=i16::MAX {
                assert_eq!(
                    compress(law, sample),
                    by_the_recommendation(law, &intervals, sample),
                    "{law:?} {sample}"
                );
            }
        }
    }

    #[test]
    fn every_code_gets_the_output_value_of_the_recommendation() {
        for law in [Law::Mu, Law::A] {
            for (code, (_, output)) in recommendation(law).into_iter().enumerate() {
                assert_eq!(i32::from(expand(law, on_the_wire(law, false, code))), output);
                assert_eq!(i32::from(expand(law, on_the_wire(law, true, code))), -output);
            }
        }
    }

    #[test]
    fn a_second_trip_through_the_law_changes_nothing() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255 {
                let sample = expand(law, code);
                assert_eq!(expand(law, compress(law, sample)), sample, "{law:?} {code}");
            }
            assert!(expand(law, law.silence()).abs() <= 8);
        }
    }

    #[test]
    fn many_samples_are_coded_like_single_ones() {
        let samples: Vec<i16> = (0..80_i16).map(|n| n.wrapping_mul(2_749)).collect();
        for law in [Law::Mu, Law::A] {
            let mut codes = [0; 80];
            encode(law, &samples, &mut codes);
            let mut playback = vec![7; 80 * 3];
            decode(law, &codes, &mut ColumnMut::new(&mut playback, 3, 1));
            for (n, frame) in playback.chunks(3).enumerate() {
                assert_eq!(codes[n], compress(law, samples[n]));
                assert_eq!(frame, [7, expand(law, codes[n]), 7]);
            }
        }
    }
}
