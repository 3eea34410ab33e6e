//! Makes test signals: sines at a level, noise, what companding leaves of them.

use ringside::audio::{
    dtmf::{Heard, Key, Receiver},
    g711::{self, Law},
    level,
};
use std::f64::consts::TAU;

/// Frequencies in Hz and their levels in dBm0, for some milliseconds, from a phase that depends on `seed`.
pub(crate) fn sines(waves: &[(f64, f32)], ms: f64, seed: u32) -> Vec<f64> {
    let start = f64::from(seed) * 0.37;
    let sample = |n: usize| {
        let wave = |&(hz, dbm0): &(f64, f32)| {
            f64::from(level::amplitude(dbm0)) * (TAU * hz * n as f64 / 8_000.0 + start * hz).sin()
        };
        waves.iter().map(wave).sum()
    };
    (0..(ms * 8.0).round() as usize).map(sample).collect()
}

/// The two sines of a key at a level each.
pub(crate) fn key(sign: char, dbm0: [f32; 2], ms: f64, seed: u32) -> Vec<f64> {
    let [low, high] = Key::from_sign(sign).unwrap().hz();
    sines(&[(f64::from(low), dbm0[0]), (f64::from(high), dbm0[1])], ms, seed)
}

pub(crate) fn silence(ms: f64) -> Vec<f64> {
    vec![0.0; (ms * 8.0).round() as usize]
}

/// A linear congruential generator: 24 good bits.
pub(crate) struct Random(pub(crate) u32);

impl Random {
    /// 0 to 1, without either.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(self.0 >> 8) + 0.5) / f64::from(1_u32 << 24)
    }

    /// White noise of this rms.
    pub(crate) fn noise(&mut self, rms: f64) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (TAU * self.uniform()).cos() * rms
    }
}

/// As samples, with white noise of `rms`, after µ-law.
pub(crate) fn received(signal: &[f64], rms: f64, random: &mut Random) -> Vec<i16> {
    let sample = |&x: &f64| {
        let linear = (x + random.noise(rms)).round() as i16;
        g711::expand(Law::Mu, g711::compress(Law::Mu, linear))
    };
    signal.iter().map(sample).collect()
}

/// After µ-law, without noise.
pub(crate) fn clean(signal: &[f64]) -> Vec<i16> {
    received(signal, 0.0, &mut Random(1))
}

/// A key that was read: where it began and its length, in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) sign: char,
    pub(crate) start: i64,
    pub(crate) samples: u32,
    /// The period in which it was first suspected or read.
    pub(crate) noticed: usize,
}

/// The keys in `samples`; one that never ended has no length.
pub(crate) fn read(samples: &[i16]) -> Vec<Read> {
    let mut receiver = Receiver::new();
    let (mut keys, mut noticed): (Vec<Read>, _) = (Vec::new(), None);
    for (n, period) in samples.as_chunks::<80>().0.iter().enumerate() {
        match receiver.hear(period) {
            Heard::Nothing => noticed = None,
            Heard::Suspected { .. } => noticed = noticed.or(Some(n)),
            Heard::Began { key, start } => {
                let start = n as i64 * 80 + i64::from(start);
                keys.push(Read { sign: key.sign(), start, samples: 0, noticed: noticed.unwrap_or(n) });
            }
            Heard::Held(key) => assert_eq!(keys.last().map(|read| read.sign), Some(key.sign())),
            Heard::Ended { key, samples } => {
                let last = keys.last_mut().unwrap();
                assert_eq!(last.sign, key.sign());
                last.samples = samples;
                noticed = None;
            }
        }
    }
    keys
}

/// The signs of the keys in `samples`.
pub(crate) fn signs(samples: &[i16]) -> String {
    read(samples).iter().map(|read| read.sign).collect()
}
