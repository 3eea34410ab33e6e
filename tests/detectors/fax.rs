//! Fax and modem tones: spandsp's, and at the limits of T.30, V.25 and V.8, after µ-law.

use crate::{
    signal::{Random, clean, received, silence, sines},
    spandsp::make,
};
use ringside::audio::{
    dtmf::{self, Key},
    fax::{Detector, FaxTone},
    level, tone,
    tone_plan::TonePlan,
};
use std::f64::consts::TAU;

/// What is told of a signal, and the milliseconds when.
fn told(samples: &[i16]) -> Vec<(FaxTone, usize)> {
    let mut detector = Detector::new();
    let periods = samples.as_chunks::<80>().0.iter().enumerate();
    periods.filter_map(|(n, period)| detector.hear(period).map(|tone| (tone, 10 * (n + 1)))).collect()
}

fn tones(samples: &[i16]) -> Vec<FaxTone> {
    told(samples).into_iter().map(|(tone, _)| tone).collect()
}

/// After some silence, through µ-law and noise 12 dB below it.
fn noisy(samples: &[i16], seed: u32) -> Vec<i16> {
    let signal: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
    let power = signal.iter().map(|x| x * x).fold(0.0, f64::max) / 2.0;
    let rms = (power / 10_f64.powf(1.2)).sqrt();
    received(&[silence(303.0), signal, silence(300.0)].concat(), rms, &mut Random(seed))
}

/// Types of spandsp's modem_connect_tones.h.
const OF_SPANDSP: [(&str, FaxTone); 5] = [
    ("1", FaxTone::Cng),
    ("2", FaxTone::Ced),
    ("3", FaxTone::Ced),
    ("4", FaxTone::Ansam),
    ("5", FaxTone::Ansam),
];

#[test]
fn the_tones_of_spandsp_are_told_once_each() {
    for (name, expected) in OF_SPANDSP {
        let samples = make(&["connect", name, "80000"]);
        let clean = told(&clean(&samples.iter().map(|&sample| f64::from(sample)).collect::<Vec<_>>()));
        println!("{name}: {clean:?}");
        assert_eq!(clean.len(), 1, "{name}: {clean:?}");
        assert_eq!(clean[0].0, expected);
        for seed in 0..10 {
            assert_eq!(tones(&noisy(&samples, seed)), [expected], "{name} {seed}");
        }
    }
}

#[test]
fn the_preamble_of_spandsp_is_told_at_once() {
    let samples = make(&["flags", "8000"]);
    println!("{:?}", told(&samples));
    for seed in 0..10 {
        let told = told(&noisy(&samples, seed));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, FaxTone::Preamble);
        assert!(told[0].1 <= 303 + 300, "{told:?}");
    }
}

#[test]
fn the_calling_tone_is_known_by_its_frequency_and_length() {
    let burst = |hz: f64, ms: f64| {
        tones(&clean(&[silence(207.0), sines(&[(hz, -20.0)], ms, 1), silence(500.0)].concat()))
    };
    for hz in [1_062.0, 1_100.0, 1_138.0] {
        for ms in [425.0, 500.0, 575.0] {
            assert_eq!(burst(hz, ms), [FaxTone::Cng], "{hz} Hz {ms} ms");
        }
    }
    for hz in [1_000.0, 1_040.0, 1_160.0, 1_200.0] {
        assert_eq!(burst(hz, 500.0), [], "{hz} Hz");
    }
    for ms in [100.0, 330.0, 380.0, 650.0, 2_000.0] {
        assert_eq!(burst(1_100.0, ms), [], "{ms} ms");
    }
}

#[test]
fn a_burst_inside_other_sound_is_no_calling_tone() {
    let around = |ms| sines(&[(700.0, -22.0), (1_500.0, -22.0)], ms, 0);
    let burst = sines(&[(1_100.0, -20.0)], 500.0, 0);
    assert_eq!(tones(&clean(&[around(500.0), burst.clone(), silence(500.0)].concat())), []);
    assert_eq!(tones(&clean(&[silence(500.0), burst, around(500.0)].concat())), []);
}

/// An answer tone with some modulation, whose phase is reversed every 450 ms or never.
fn answer(hz: f64, dbm0: f32, depth: f64, reverses: bool) -> Vec<f64> {
    let sample = |n: usize| {
        let t = n as f64 / 8_000.0;
        let sign = if reverses && n / 3_600 % 2 == 1 { -1.0 } else { 1.0 };
        f64::from(level::amplitude(dbm0))
            * sign
            * (1.0 + depth * (TAU * 15.0 * t).sin())
            * (TAU * hz * t).sin()
    };
    (0..8 * 2_600).map(sample).collect()
}

#[test]
fn answer_tones_are_told_apart_by_their_modulation() {
    for hz in [2_085.0, 2_100.0, 2_115.0] {
        for dbm0 in [-43.0, -30.0, -10.0, -3.0] {
            for reverses in [false, true] {
                assert_eq!(tones(&clean(&answer(hz, dbm0, 0.0, reverses))), [FaxTone::Ced], "{hz} {dbm0}");
                assert_eq!(tones(&clean(&answer(hz, dbm0, 0.2, reverses))), [FaxTone::Ansam], "{hz} {dbm0}");
            }
        }
    }
    for hz in [2_000.0, 2_040.0, 2_160.0, 2_225.0] {
        assert_eq!(tones(&clean(&answer(hz, -10.0, 0.0, false))), [], "{hz}");
    }
}

#[test]
fn keys_and_the_tones_of_the_exchange_are_no_fax() {
    let keys: Vec<Key> = "0123456789*#ABCD".chars().filter_map(Key::from_sign).collect();
    assert_eq!(told(&dtmf::dial(&keys)), []);
    for (country, plan) in TonePlan::all() {
        for tone in [plan.dial, plan.busy, plan.reorder, plan.ringback, plan.call_waiting, plan.howler] {
            let mut sound = tone::Generator::new(&tone);
            let sound: Vec<i16> = (0..80_000).map(|_| sound.advance()).collect();
            assert_eq!(told(&sound), [], "{country}: {tone:?}");
        }
        let special = plan.special_information;
        assert_eq!(told(&tone::render(&special.bursts(), special.dbm0)), [], "{country}");
    }
}

#[test]
fn no_noise_square_wave_or_silence_is_a_fax() {
    let mut random = Random(3);
    let mut detector = Detector::new();
    for n in 0..20_000 {
        let half = n / 50 % 40 + 1;
        let noise = std::array::from_fn(|_| (random.uniform() * 65_536.0 - 32_768.0) as i16);
        let square = std::array::from_fn(|i| if (n * 80 + i) / half % 2 == 0 { i16::MIN } else { i16::MAX });
        for period in [noise, square, [i16::MIN; 80], [0; 80]] {
            assert_eq!(detector.hear(&period), None);
        }
    }
    assert_eq!(told(&received(&vec![0.0; 800_000], 3_000.0, &mut random)), []);
}
