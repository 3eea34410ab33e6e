//! Calls over a network at its worst, in virtual time: burst loss, jitter, copies, forgeries and clocks that drift.

use super::plane::{OFFICE, PERIOD, Plane, address, rtp, trunk};
use ringside::{
    audio::{
        g711::{self, Law},
        level,
    },
    media::control::{PatchCounters, TapFrame, Trunk},
};
use std::collections::VecDeque;

/// Ticks of the calls over a bad network: 18 minutes.
const TICKS: usize = 110_000;
/// Louder than anything the peer says: what forged packets carry.
const FORGED: u8 = 0x80;
const LOUD: i16 = 24_000;

/// One second of a voice of 120 Hz, one of silence; or the voice alone.
struct Voice {
    codes: Vec<u8>,
}

impl Voice {
    fn new(pauses: bool) -> Self {
        let code = |n: usize| {
            if pauses && n % 16_000 >= 8_000 {
                return 0xff;
            }
            let phase = (n as f32 * 120.0 / 8_000.0).fract();
            g711::compress(Law::Mu, (8_000.0 * (-12.0 * phase).exp() - 600.0) as i16)
        };
        Self { codes: (0..16_000).map(code).collect() }
    }

    /// Packet `n` of the stream.
    fn packet(&self, n: u32) -> Vec<u8> {
        let at = n as usize % 100 * 160;
        rtp(0, n as u16, n.wrapping_mul(160), 7, &self.codes[at..at + 160])
    }
}

struct Dice(u32);

impl Dice {
    /// 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1_u32 << 24)
    }
}

/// When packet `n` is sent, in ticks of a line whose clock is slower than the sender's by `ppm`.
fn sent_at(n: u32, ppm: f64) -> f64 {
    f64::from(n) * 2.0 / (1.0 + ppm / 1e6)
}

#[test]
fn the_recording_keeps_the_line_s_time_and_forgeries_stay_out_whatever_the_network_does() {
    for ppm in [200.0, -200.0] {
        let mut plane = Plane::new(1, 1);
        let tap = plane.patch(0, 0, Trunk { send: false, ..trunk() }, None);
        let (voice, mut dice, start) = (Voice::new(true), Dice(1), plane.clock());
        let (mut next, mut losing, mut frames, mut lost) = (0_u32, false, 0_u64, 0_u64);
        // The recorder gets a little later what the line hears.
        let mut waiting = VecDeque::new();
        let mut check = |recorded: Vec<TapFrame>, waiting: &mut VecDeque<[i16; PERIOD]>| {
            for frame in recorded {
                assert_eq!(Some(frame.caller), waiting.pop_front());
                assert_eq!(frame.at, start + frames * 80);
                frames += 1;
            }
        };
        let mut under_way: Vec<(f64, Vec<u8>)> = Vec::new();
        for tick in 0..TICKS {
            while sent_at(next, ppm) <= tick as f64 {
                // 15 % are lost, in bursts of three on average.
                losing = dice.roll() < if losing { 2.0 / 3.0 } else { 0.15 / 0.85 / 3.0 };
                let copies = if losing { 0 } else { 1 + u32::from(dice.roll() < 0.05) };
                lost += u64::from(losing);
                for _ in 0..copies {
                    under_way.push((sent_at(next, ppm) + 8.0 * dice.roll(), voice.packet(next)));
                }
                next += 1;
            }
            let (here, later) = under_way.into_iter().partition(|(at, _)| *at <= tick as f64);
            under_way = later;
            let here: Vec<(f64, Vec<u8>)> = here;
            here.into_iter().for_each(|(_, packet)| plane.arrives(0, OFFICE, packet));
            forge(&mut plane, next);
            let said = [tick as i16; PERIOD];
            plane.says(0, &said);
            let heard = plane.tick_and_hear(0);
            assert!(heard.iter().all(|sample| sample.unsigned_abs() < LOUD as u16), "tick {tick}");
            waiting.push_back(heard);
            check(plane.frames(tap), &mut waiting);
        }
        assert_eq!(plane.heap_calls(), 0);
        let counters = plane.unpatch(0);
        check(plane.frames(tap), &mut waiting);
        assert_eq!((frames, waiting.len()), (TICKS as u64, 0));
        assert_eq!(counters.recorded_samples, TICKS as u64 * 80);
        assert!(counters.refused >= 2 * u64::from(next) - 2, "{counters:?}");
        assert!(lost > 7_000 && counters.lost.abs_diff(lost) < counters.late + 20, "{counters:?}");
        assert!(counters.late * 100 < counters.packets, "{counters:?}");
        assert!(counters.most_depth_samples <= 1_600 + 160, "{counters:?}");
    }
}

/// The right stream from a wrong address, and a wrong stream from the right address.
fn forge(plane: &mut Plane, n: u32) {
    let forged = [FORGED; 160];
    plane.arrives(0, address(66), rtp(0, n as u16, n.wrapping_mul(160), 7, &forged));
    plane.arrives(0, OFFICE, rtp(0, (n as u16).wrapping_mul(7), n, 66, &forged));
}

/// A call of so many seconds over a perfect network.
fn drifting(voice: &Voice, seconds: u32, ppm: f64) -> PatchCounters {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, Trunk { send: false, ..trunk() }, None);
    plane.run(1);
    let mut next = 0_u32;
    for tick in 0..seconds * 100 {
        while sent_at(next, ppm) <= f64::from(tick) {
            plane.arrives(0, OFFICE, voice.packet(next));
            next += 1;
        }
        plane.run(1);
        if tick % 200 == 0 {
            plane.frames(tap);
        }
    }
    plane.unpatch(0)
}

#[test]
fn two_hours_of_drift_are_corrected_in_silence() {
    for ppm in [200.0, -200.0] {
        let counters = drifting(&Voice::new(true), 7_200, ppm);
        println!("{ppm} ppm: {counters:?}");
        assert_eq!((counters.lost, counters.late, counters.concealed_samples), (0, 0, 0), "{counters:?}");
        assert!(counters.most_depth_samples <= 420, "{counters:?}");
        // 1.44 s in steps of 10 ms, and what the depth needs at the start.
        assert!((138..=152).contains(&counters.corrections), "{counters:?}");
        assert_eq!(counters.corrections, counters.corrections_in_silence);
    }
}

#[test]
fn without_silence_whole_pitch_periods_correct_the_drift() {
    for ppm in [200.0, -200.0] {
        let counters = drifting(&Voice::new(false), 1_200, ppm);
        assert_eq!(
            (counters.lost, counters.late, counters.corrections_in_silence),
            (0, 0, 0),
            "{counters:?}"
        );
        assert!(counters.most_depth_samples <= 500 && counters.corrections >= 20, "{counters:?}");
    }
}

#[test]
fn a_pause_sounds_as_loud_as_the_peer_says_and_is_no_loss() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, Trunk { send: false, ..trunk() }, None);
    plane.run(1);
    for n in 0..50_u32 {
        plane.arrives(0, OFFICE, rtp(0, n as u16, n * 160, 7, &[0xff; 160]));
        plane.run(2);
    }
    // Comfort noise (RFC 3389) 50 dB below the overload point, which is a square wave of 6.15 dBm0.
    plane.arrives(0, OFFICE, rtp(13, 50, 50 * 160, 7, &[50]));
    plane.run(10);
    let heard: Vec<i16> = (0..100).flat_map(|_| plane.tick_and_hear(0)).collect();
    assert!((level::dbm0(&heard) + 43.85).abs() < 0.5, "{}", level::dbm0(&heard));
    let counters = plane.unpatch(0);
    assert_eq!((counters.lost, counters.concealed_samples), (0, 0));
}
