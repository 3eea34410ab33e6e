//! The tones by which fax machines and modems announce themselves.
//!
//! | tone | what | source |
//! |---|---|---|
//! | CNG | 1,100 ± 38 Hz, 0.5 s on and 3 s off, ± 15 %, from a calling fax machine | ITU-T T.30 section 4 |
//! | CED, ANS | 2,100 ± 15 Hz for 2.6 to 4 s, from an answering machine or modem, also with phase reversals | T.30, V.25 |
//! | ANSam | the same, its amplitude modulated by 20 % at 15 Hz | ITU-T V.8 section 3.2 |
//! | preamble | HDLC flags at 300 bit/s, 1 = 1,650 Hz and 0 = 1,850 Hz, for 1 s | T.30, V.21 channel 2 |
//!
//! A period of 10 ms is mixed down around 1,100, 1,750 and 2,100 Hz and summed over blocks of 10 samples; each
//! detector follows its own blocks.

mod flags;
mod steady;

use super::{PERIOD, level};
use flags::Flags;
use std::{f64::consts::TAU, sync::LazyLock};
use steady::{Answer, Calling, Half};

/// Samples of a block, 1.25 ms, and blocks of a period.
const BLOCK: usize = 10;
const BLOCKS: usize = PERIOD / BLOCK;
/// Weakest tone. T.30 and V.25 receivers hear down to -43 dBm0; noise takes some of it in places.
const WEAKEST_DBM0: f32 = -45.0;
/// Frequencies of the mixers.
const CALLING_HZ: f64 = 1_100.0;
const FLAGS_HZ: f64 = 1_750.0;
const ANSWER_HZ: f64 = 2_100.0;

/// A tone of a fax machine or modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaxTone {
    /// Calling tone of a fax machine.
    Cng,
    /// Answer tone of a fax machine or modem.
    Ced,
    /// Answer tone of a V.8 modem.
    Ansam,
    /// A fax machine sends its first frame.
    Preamble,
}

/// A complex number.
type Wave = [f32; 2];

/// For each sample the cosine and the negated sine of each mixer; two lanes are free.
type Mixers = [[f32; 8]; PERIOD];

/// Built once; detectors hold a reference, so the media thread never waits for it.
static MIXERS: LazyLock<Mixers> = LazyLock::new(|| {
    std::array::from_fn(|sample| {
        let mut lanes = [0.0; 8];
        for (lane, hz) in [CALLING_HZ, FLAGS_HZ, ANSWER_HZ].into_iter().enumerate() {
            let phase = TAU * hz * sample as f64 / 8_000.0;
            lanes[2 * lane] = phase.cos() as f32;
            lanes[2 * lane + 1] = -phase.sin() as f32;
        }
        lanes
    })
});

/// Listens to one direction of a call.
#[derive(Clone, Debug)]
pub struct Detector {
    mixers: &'static Mixers,
    /// Energy of the weakest tone in a period.
    weakest: f32,
    calling: Calling,
    answer: Answer,
    flags: Flags,
    /// What was told before, one bit each.
    told: u8,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Has heard silence so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            mixers: &MIXERS,
            weakest: level::amplitude(WEAKEST_DBM0).powi(2) * PERIOD as f32 / 2.0,
            calling: Calling::default(),
            answer: Answer::default(),
            flags: Flags::default(),
            told: 0,
        }
    }

    /// Hears the next period; tells each tone once, in the period in which it is sure of it.
    pub fn hear(&mut self, period: &[i16; PERIOD]) -> Option<FaxTone> {
        let samples: [f32; PERIOD] = std::array::from_fn(|n| f32::from(period[n]));
        let energies = [energy(&samples[..PERIOD / 2]), energy(&samples[PERIOD / 2..])];
        let heard = if energies[0] + energies[1] < self.weakest {
            self.answer = Answer::default();
            self.flags = Flags::default();
            self.calling.silence()
        } else {
            self.follow(&samples, energies)
        };
        let fresh = heard.filter(|&tone| self.told & 1 << tone as u8 == 0)?;
        self.told |= 1 << fresh as u8;
        Some(fresh)
    }

    fn follow(&mut self, samples: &[f32; PERIOD], energies: [f32; 2]) -> Option<FaxTone> {
        let mut blocks = [[0.0_f32; 8]; BLOCKS];
        for ((block, samples), mixers) in
            blocks.iter_mut().zip(samples.as_chunks::<BLOCK>().0).zip(self.mixers.as_chunks::<BLOCK>().0)
        {
            for (sample, mixer) in samples.iter().zip(mixers) {
                for (sum, wave) in block.iter_mut().zip(mixer) {
                    *sum += sample * wave;
                }
            }
        }
        let half = |first: usize, lane: usize| {
            let sum =
                |part: usize| blocks[first..first + BLOCKS / 2].iter().map(|b| b[2 * lane + part]).sum();
            Half { wave: [sum(0), sum(1)], energy: energies[first / (BLOCKS / 2)] }
        };
        let halves = |lane| [half(0, lane), half(BLOCKS / 2, lane)];
        let calling = self.calling.hear(halves(0));
        let flags = self.flags.hear(&blocks.map(|block| [block[2], block[3]])).then_some(FaxTone::Preamble);
        let answer = self.answer.hear(halves(2));
        calling.or(flags).or(answer)
    }
}

/// Sum of squares, in lanes of eight so that it is vectorised.
fn energy(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for chunk in samples.as_chunks::<8>().0 {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x * x;
        }
    }
    lanes.iter().sum()
}
