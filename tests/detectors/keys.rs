//! The limits of ITU-T Q.24 and of its national variants, all after µ-law.

use crate::signal::{Random, clean, key, read, received, signs, silence, sines};
use ringside::audio::{
    dtmf::{Heard, Key, Receiver},
    tone,
    tone_plan::TonePlan,
};

const PAD: &str = "123A456B789C*0#D";
const NORMAL: [f32; 2] = [-8.0, -6.0];
/// Places of a key in its first period.
const OFFSETS: std::ops::Range<u32> = 0..8;

/// A key with silence around it, `offset` eighths of a period from the start of one.
fn alone(signal: Vec<f64>, offset: u32) -> Vec<i16> {
    clean(&[silence(100.0 + f64::from(offset) * 1.25), signal, silence(100.0)].concat())
}

/// A key whose frequencies are off by factors.
fn detuned(sign: char, low: f64, high: f64, ms: f64, seed: u32) -> Vec<f64> {
    let [nominal_low, nominal_high] = Key::from_sign(sign).unwrap().hz().map(f64::from);
    sines(&[(low * nominal_low, NORMAL[0]), (high * nominal_high, NORMAL[1])], ms, seed)
}

#[test]
fn a_key_of_40_ms_is_read_with_its_place_and_length() {
    for sign in PAD.chars() {
        for offset in OFFSETS {
            let keys = read(&alone(key(sign, NORMAL, 40.0, offset), offset));
            assert_eq!(keys.len(), 1, "{sign} {offset}: {keys:?}");
            let start = 800 + i64::from(offset) * 10;
            assert_eq!(keys[0].sign, sign);
            assert!((keys[0].start - start).abs() <= 24, "{sign} {offset}: {keys:?} {start}");
            assert!(keys[0].samples.abs_diff(320) <= 40, "{sign} {offset}: {keys:?}");
        }
    }
}

#[test]
fn at_most_20_ms_of_a_key_are_heard_before_it_is_suspected() {
    let mut most = 0;
    for sign in PAD.chars() {
        for offset in OFFSETS {
            let keys = read(&alone(key(sign, NORMAL, 70.0, offset), offset));
            let start = 800 + i64::from(offset) * 10;
            // The period in which it is suspected can be muted.
            most = most.max(keys[0].noticed as i64 * 80 - start);
        }
    }
    println!("{most} samples of a key before it is suspected");
    assert!(most <= 160, "{most}");
}

#[test]
fn a_tone_of_23_ms_is_no_key() {
    for sign in PAD.chars() {
        for offset in OFFSETS {
            assert_eq!(signs(&alone(key(sign, NORMAL, 23.0, offset), offset)), "", "{sign} {offset}");
        }
    }
}

#[test]
fn frequencies_1_5_percent_and_2_hz_off_are_read() {
    for sign in PAD.chars() {
        let [low, high] = Key::from_sign(sign).unwrap().hz().map(f64::from);
        for (a, b) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)] {
            let off = |hz: f64, way: f64| 1.0 + way * (0.015 + 2.0 / hz);
            for offset in OFFSETS {
                let tone = detuned(sign, off(low, a), off(high, b), 40.0, offset);
                assert_eq!(signs(&alone(tone, offset)), sign.to_string(), "{sign} {a} {b} {offset}");
            }
        }
    }
}

#[test]
fn frequencies_3_5_percent_off_are_not() {
    for sign in PAD.chars() {
        for (low, high) in [(0.965, 1.0), (1.035, 1.0), (1.0, 0.965), (1.0, 1.035)] {
            for offset in OFFSETS {
                let tone = detuned(sign, low, high, 200.0, offset);
                assert_eq!(signs(&alone(tone, offset)), "", "{sign} {low} {high} {offset}");
            }
        }
    }
}

#[test]
fn an_interruption_of_10_ms_is_one_key_and_a_pause_of_40_ms_two() {
    for sign in PAD.chars() {
        for offset in OFFSETS {
            for at in [15.0, 42.0, 60.0] {
                let half = |ms| key(sign, NORMAL, ms, offset);
                let broken = [half(at), silence(9.9), half(60.0)].concat();
                assert_eq!(signs(&alone(broken, offset)), sign.to_string(), "{offset} {at}");
            }
            let twice = [key(sign, NORMAL, 40.0, 1), silence(40.0), key(sign, NORMAL, 40.0, 2)].concat();
            assert_eq!(signs(&alone(twice, offset)), format!("{sign}{sign}"), "{offset}");
        }
    }
}

#[test]
fn either_group_may_be_the_louder_one_and_both_be_faint_or_loud() {
    // High over low: -8 to +4 dB.
    let levels = [[-25.0, -25.0], [-17.0, -25.0], [-25.0, -21.0], [0.0, 0.0], [0.0, -8.0], [-4.0, 0.0]];
    for sign in PAD.chars() {
        for dbm0 in levels {
            for offset in OFFSETS {
                let tone = key(sign, dbm0, 40.0, offset);
                assert_eq!(signs(&alone(tone, offset)), sign.to_string(), "{dbm0:?} {offset}");
            }
        }
    }
    assert_eq!(signs(&alone(key('5', [-40.0, -40.0], 200.0, 0), 0)), "");
    assert_eq!(signs(&alone(key('5', [-6.0, -21.0], 200.0, 0), 0)), "");
    assert_eq!(signs(&alone(key('5', [-20.0, -6.0], 200.0, 0), 0)), "");
}

#[test]
fn keys_are_read_through_dial_tone() {
    for (level, offset) in [(-6.0, 0), (-6.0, 3), (-12.0, 5), (-16.0, 2)] {
        let mut dialled: Vec<f64> = silence(400.0 + f64::from(offset) * 1.25);
        for sign in PAD.chars() {
            dialled.extend(key(sign, [level - 2.0, level], 50.0, offset));
            dialled.extend(silence(50.0));
        }
        let mut dial = tone::Generator::new(&TonePlan::north_america().dial);
        dialled.iter_mut().for_each(|sample| *sample += f64::from(dial.advance()));
        assert_eq!(signs(&clean(&dialled)), PAD, "{level} {offset}");
    }
}

#[test]
fn a_key_that_is_held_is_one_key_of_its_length() {
    let keys = read(&alone(key('8', NORMAL, 5_000.0, 0), 3));
    assert_eq!(keys.len(), 1);
    assert!(keys[0].samples.abs_diff(40_000) <= 40, "{keys:?}");
}

#[test]
fn a_key_that_follows_without_a_pause_ends_the_one_before() {
    let tone = [key('1', NORMAL, 80.0, 0), key('9', NORMAL, 80.0, 0)].concat();
    let keys = read(&alone(tone, 3));
    assert_eq!(keys.iter().map(|read| read.sign).collect::<String>(), "19");
    assert!(keys.iter().all(|read| read.samples.abs_diff(640) <= 60), "{keys:?}");
}

#[test]
fn the_tones_of_the_exchange_are_no_keys() {
    let tones =
        |plan: &TonePlan| [plan.dial, plan.busy, plan.reorder, plan.ringback, plan.call_waiting, plan.howler];
    for (country, tone) in TonePlan::all().flat_map(|(country, plan)| tones(plan).map(|tone| (country, tone)))
    {
        let mut sound = tone::Generator::new(&tone);
        let mut receiver = Receiver::new();
        for n in 0..1_000 {
            let heard = receiver.hear(&std::array::from_fn(|_| sound.advance()));
            assert_eq!(heard, Heard::Nothing, "{country}: {tone:?} {n}");
        }
    }
}

#[test]
fn no_noise_square_wave_or_silence_is_a_key() {
    let mut random = Random(7);
    let mut receiver = Receiver::new();
    let mut heard = |period: [i16; 80], what: &str| {
        let heard = receiver.hear(&period);
        assert!(matches!(heard, Heard::Nothing | Heard::Suspected { .. }), "{what}: {heard:?}");
    };
    for n in 0..20_000 {
        heard(std::array::from_fn(|_| (random.uniform() * 65_536.0 - 32_768.0) as i16), "noise");
        let half = n / 50 % 40 + 1;
        heard(
            std::array::from_fn(|i| if (n * 80 + i) / half % 2 == 0 { i16::MIN } else { i16::MAX }),
            "square",
        );
        heard([if n % 2 == 0 { i16::MIN } else { i16::MAX }; 80], "direct current");
        heard([0; 80], "silence");
    }
    for period in 2..200_usize {
        for n in 0..100 {
            heard(
                std::array::from_fn(|i| if (n * 80 + i) % period < period / 2 { -32_768 } else { 32_767 }),
                "long square",
            );
        }
    }
    let loud: Vec<f64> = (0..80_000).map(|_| 0.0).collect();
    assert_eq!(signs(&received(&loud, 20_000.0, &mut random)), "");
}
