//! The demodulator against lines that are quiet, tilted, off frequency and noisy.

use super::*;
use crate::audio::{
    g711::{self, Law},
    level,
};
use std::f64::consts::TAU;

const VARIANTS: [Variant; 2] = [Variant::Bell202, Variant::V23];
const TEXT: &[u8] = b"\x80\x27\x01\x0811220905\x02\x0a3125550142\x07\x0fWEB Springfield\x5a";

/// A transmission and its line.
#[derive(Clone, Copy)]
struct Line {
    variant: Variant,
    seizure: usize,
    marks: usize,
    /// Marks behind every stop bit.
    stuffing: usize,
    /// Of frequencies and bit rate.
    factor: f64,
    /// Mark over space.
    twist_db: f64,
    dbm0: f64,
    snr_db: f64,
}

impl Line {
    const fn good(variant: Variant) -> Self {
        let (seizure, marks, stuffing) = (300, 180, 0);
        Self { variant, seizure, marks, stuffing, factor: 1.0, twist_db: 0.0, dbm0: -13.5, snr_db: 60.0 }
    }

    fn bits(self) -> Vec<bool> {
        let mut bits: Vec<bool> = (0..self.seizure).map(|n| n % 2 == 1).collect();
        bits.resize(self.seizure + self.marks, true);
        for byte in TEXT {
            bits.push(false);
            bits.extend((0..8).map(|n| byte >> n & 1 == 1));
            bits.resize(bits.len() + 1 + self.stuffing, true);
        }
        bits.resize(bits.len() + 10, true);
        bits
    }

    fn carry(self, seed: u64) -> Vec<i16> {
        let bits = self.bits();
        let gain = |db: f64| 10_f64.powf(db / 20.0);
        let full = f64::from(level::amplitude(0.0));
        let noise = full / 2_f64.sqrt() * gain(self.dbm0 - self.snr_db);
        let lead = 2_000 + seed as usize % 97;
        let samples = (bits.len() as f64 * 20.0 / 3.0 / self.factor) as usize;
        let mut random = noise_source(seed);
        let mut phase = 0.0_f64;
        let sample = |n: usize| {
            let mut sample = noise * random();
            if (lead..lead + samples).contains(&n) {
                let bit = ((n - lead) as f64 * 0.15 * self.factor) as usize;
                let mark = bits[bit.min(bits.len() - 1)];
                let hz = if mark { self.variant.mark_hz() } else { self.variant.space_hz() };
                phase += TAU * f64::from(hz) * self.factor / 8_000.0;
                let tilt = if mark { self.twist_db } else { -self.twist_db } / 2.0;
                sample += full * gain(self.dbm0 + tilt) * phase.sin();
            }
            g711::expand(Law::Mu, g711::compress(Law::Mu, sample as i16))
        };
        (0..lead + samples + 2_000).map(sample).collect()
    }

    /// How many of `trials` transmissions arrive whole.
    fn arrive(self, trials: u64) -> u64 {
        (1..=trials).filter(|&seed| received(self.variant, &self.carry(seed)) == TEXT).count() as u64
    }
}

/// White noise of variance 1.
fn noise_source(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }
}

/// The bytes from the first that a message begins with.
fn received(variant: Variant, samples: &[i16]) -> Vec<u8> {
    let (mut demodulator, mut framer) = (Demodulator::new(variant), Framer::default());
    let mut bytes = Vec::new();
    for period in samples.as_chunks().0 {
        demodulator.feed(period, &mut |signal| match signal {
            Signal::Carrier => framer.reset(),
            Signal::Bit(mark) => match framer.bit(mark) {
                Some(Framed::Byte(byte) | Framed::NoStop(byte)) if byte != 0xFF || !bytes.is_empty() => {
                    bytes.push(byte);
                }
                _ => {}
            },
            Signal::Lost => {}
        });
    }
    bytes.truncate(TEXT.len());
    bytes
}

#[test]
fn every_bit_arrives_over_every_line_of_the_standards() {
    for variant in VARIANTS {
        let good = Line { snr_db: 25.0, ..Line::good(variant) };
        for (what, line) in [
            ("loud", Line { dbm0: -2.0, ..good }),
            ("-10 dBm0", Line { dbm0: -10.0, ..good }),
            ("-38 dBm0", Line { dbm0: -38.0, ..good }),
            ("-41 dBm0", Line { dbm0: -41.0, ..good }),
            ("1 % fast", Line { factor: 1.01, ..good }),
            ("1 % slow", Line { factor: 0.99, ..good }),
            ("mark 6 dB louder", Line { twist_db: 6.0, ..good }),
            ("space 6 dB louder", Line { twist_db: -6.0, ..good }),
            ("short seizure", Line { seizure: 80, ..good }),
            ("no seizure", Line { seizure: 0, marks: 80, ..good }),
            ("stuffed", Line { stuffing: 10, ..good }),
            ("all against it", Line { seizure: 80, dbm0: -38.0, factor: 0.99, twist_db: -6.0, ..good }),
        ] {
            assert_eq!(line.arrive(4), 4, "{variant:?} {what}");
        }
    }
}

#[test]
fn messages_arrive_through_noise_as_often_as_the_goals_ask() {
    for (variant, at_12_db, at_9_db) in [(Variant::Bell202, 30, 30), (Variant::V23, 30, 29)] {
        let good = Line::good(variant);
        assert_eq!(Line { snr_db: 15.0, ..good }.arrive(30), 30);
        let arrived = [12.0, 9.0].map(|snr_db| Line { snr_db, ..good }.arrive(30));
        assert!(arrived[0] >= at_12_db && arrived[1] >= at_9_db, "{variant:?} {arrived:?}");
        let tilted = [6.0, -6.0].map(|twist_db| Line { snr_db: 9.0, twist_db, ..good }.arrive(30));
        assert!(tilted.iter().all(|&arrived| arrived >= 28), "{variant:?} {tilted:?}");
    }
}

#[test]
fn a_carrier_is_found_within_ten_bits_and_missed_within_twenty() {
    for variant in VARIANTS {
        let line = Line::good(variant);
        let samples = line.carry(1);
        let (mut demodulator, mut found) = (Demodulator::new(variant), Vec::new());
        for (n, period) in samples.as_chunks().0.iter().enumerate() {
            demodulator.feed(period, &mut |signal| {
                if !matches!(signal, Signal::Bit(_)) {
                    found.push((n * 80, signal));
                }
            });
        }
        let [(from, Signal::Carrier), (to, Signal::Lost)] = found[..] else { panic!("{found:?}") };
        let end = 2_001 + line.bits().len() * 20 / 3;
        assert!((1_920..2_080).contains(&from), "{from}");
        assert!((end - 80..end + 140).contains(&to), "{to} {end}");
    }
}

#[test]
fn silence_noise_and_speech_like_tones_have_no_carrier() {
    for variant in VARIANTS {
        let mut random = noise_source(5);
        let noise: Vec<i16> = (0..400_000).map(|_| (random() * 2_000.0) as i16).collect();
        let hum: Vec<i16> =
            (0..40_000).map(|n| ((TAU * f64::from(n) / 160.0).sin() * 9_000.0) as i16).collect();
        for samples in [vec![0; 8_000], vec![3_000; 8_000], noise, hum] {
            let (mut demodulator, mut found) = (Demodulator::new(variant), 0);
            samples.as_chunks().0.iter().for_each(|period| demodulator.feed(period, &mut |_| found += 1));
            assert_eq!(found, 0, "{variant:?}");
        }
    }
}
