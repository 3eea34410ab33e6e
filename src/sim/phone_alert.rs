//! The ear of a Type II phone for the CPE alerting signal (CAS): 2,130 and 2,750 Hz together for 80 to 85 ms
//! (TIA-777, GR-30-CORE 3.2). Written from the standards and apart from the generator of the box.
//!
//! Speech must not trip it (talk-off): nearly all power of every 10 ms has to be in the two frequencies, both about
//! equally loud and close to their nominal values, for as long as the signal lasts and not longer.

use std::f32::consts::PI;

const RATE: f32 = 8000.0;
const LOW_HZ: f32 = 2130.0;
const HIGH_HZ: f32 = 2750.0;
/// Samples of one look: 10 ms.
const LOOK: usize = 80;
/// Looks that begin 5 ms apart; so many in a row are whole looks into a signal of 80 ms, with one to spare.
const STEP: usize = 40;
const LOOKS_MIN: u8 = 12;
/// A tone of 110 ms or longer is no CAS.
const LOOKS_MAX: u8 = 20;
/// Share of the power that must be in the two frequencies.
const SHARE_MIN: f32 = 0.80;
/// Power ratio of the two frequencies: 6 dB (GR-30 3.2.1.1 has them within 3 dB at the exchange).
const TWIST_MAX: f32 = 4.0;
/// Mean square below which nothing is heard: two sines of −36 dBm0 each.
const POWER_MIN: f32 = 130_000.0;

/// Listens for CAS.
#[derive(Clone, Debug)]
pub struct AlertDetector {
    samples: [f32; LOOK],
    place: usize,
    since_look: usize,
    looks: u8,
}

impl Default for AlertDetector {
    fn default() -> Self {
        Self { samples: [0.0; LOOK], place: 0, since_look: 0, looks: 0 }
    }
}

impl AlertDetector {
    /// Hears one sample; `true` once at the end of a CAS.
    pub fn hear(&mut self, sample: i16) -> bool {
        self.samples[self.place] = f32::from(sample);
        self.place = (self.place + 1) % LOOK;
        self.since_look += 1;
        if self.since_look < STEP {
            return false;
        }
        self.since_look = 0;
        if self.is_dual_tone() {
            self.looks = self.looks.saturating_add(1);
            return false;
        }
        (LOOKS_MIN..=LOOKS_MAX).contains(&std::mem::take(&mut self.looks))
    }

    /// Fits both tones at once: their frequencies are six looks' turns apart, so the two fits hardly disturb each other.
    fn is_dual_tone(&self) -> bool {
        let power = self.samples.iter().map(|s| s * s).sum::<f32>() / LOOK as f32;
        if power < POWER_MIN {
            return false;
        }
        let (low, high) = (self.power_at(LOW_HZ), self.power_at(HIGH_HZ));
        let balanced = low < high * TWIST_MAX && high < low * TWIST_MAX;
        balanced && low + high > power * SHARE_MIN
    }

    /// Mean square of a sine of `hz` in the window.
    fn power_at(&self, hz: f32) -> f32 {
        let step = 2.0 * PI * hz / RATE;
        let (mut re, mut im) = (0.0, 0.0);
        let in_order = self.samples.iter().cycle().skip(self.place).take(LOOK);
        for (n, sample) in in_order.enumerate() {
            re += sample * (step * n as f32).cos();
            im += sample * (step * n as f32).sin();
        }
        2.0 * (re * re + im * im) / (LOOK * LOOK) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(hz: &[f32], peak: f32, ms: usize) -> Vec<i16> {
        let sample =
            |n: usize| hz.iter().map(|f| peak * (2.0 * PI * f * n as f32 / RATE).sin()).sum::<f32>() as i16;
        (0..ms * 8).map(sample).collect()
    }

    /// How often CAS is heard in `samples` with silence around them.
    fn heard(samples: &[i16], lead: usize) -> usize {
        let mut detector = AlertDetector::default();
        let line = [vec![0; lead], samples.to_vec(), vec![0; 800]].concat();
        line.into_iter().filter(|&sample| detector.hear(sample)).count()
    }

    #[test]
    fn cas_is_heard_once_whatever_its_place_level_and_error() {
        for lead in 0..80 {
            for (factor, peak, ms) in [(1.0, 3_000.0, 80), (1.005, 600.0, 80), (0.995, 9_000.0, 85)] {
                let cas = tones(&[LOW_HZ * factor, HIGH_HZ * factor], peak, ms);
                assert_eq!(heard(&cas, lead), 1, "{lead} {factor} {peak} {ms}");
            }
        }
    }

    #[test]
    fn other_tones_are_not_cas() {
        for (hz, ms) in [
            (&[LOW_HZ][..], 80),
            (&[HIGH_HZ], 80),
            (&[LOW_HZ, HIGH_HZ], 40),
            (&[LOW_HZ, HIGH_HZ], 200),
            (&[2_060.0, 2_600.0], 80),
            (&[941.0, 1_633.0], 80),
            (&[1_400.0, 2_060.0, 2_450.0, 2_600.0], 80),
            (&[LOW_HZ, HIGH_HZ, 500.0, 900.0], 80),
        ] {
            assert_eq!(heard(&tones(hz, 3_000.0, ms), 13), 0, "{hz:?} {ms}");
        }
    }

    /// Ten minutes of voiced and hissed sounds: harmonics of a gliding pitch with gliding formants.
    #[test]
    fn a_voice_does_not_trip_it() {
        let mut detector = AlertDetector::default();
        let mut state = 9_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 16_777_216.0
        };
        let mut filters = [[0.0_f32; 2]; 3];
        for _ in 0..6_000 {
            // 100 ms of one sound, sharp resonances anywhere, also at the two frequencies.
            let pitch = 80.0 + 300.0 * random();
            let hz = [200.0 + 700.0 * random(), 900.0 + 1_500.0 * random(), 1_900.0 + 1_200.0 * random()];
            let hisses = random() < 0.3;
            let mut pulse = 0.0;
            for _ in 0..800 {
                pulse += pitch / RATE;
                let beat = if pulse >= 1.0 { 4_000.0 } else { 0.0 };
                pulse -= if pulse >= 1.0 { 1.0 } else { 0.0 };
                let source = if hisses { (random() - 0.5) * 2_000.0 } else { beat };
                let mut voice = 0.0;
                for (state, hz) in filters.iter_mut().zip(hz) {
                    let next = source + 2.0 * 0.97 * (2.0 * PI * hz / RATE).cos() * state[0]
                        - 0.97 * 0.97 * state[1];
                    *state = [next, state[0]];
                    voice += next;
                }
                assert!(!detector.hear((voice * 0.3) as i16), "talk-off");
            }
        }
    }
}
