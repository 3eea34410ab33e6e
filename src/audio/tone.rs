//! Cadenced tones (ITU-T E.180), with the North American set (Telcordia GR-506, section 17).

use super::sine::{Oscillator, SAMPLE_HZ};

/// Most frequencies that a tone is made of: the receiver-off-hook tone has four.
pub const MAX_FREQUENCIES: usize = 4;

/// A cadenced tone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// Frequencies in Hz, 0 to 4,000; 0 is none.
    pub hz: [f32; MAX_FREQUENCIES],
    /// Milliseconds on and off; off 0 is continuous.
    pub cadence_ms: [u16; 2],
    /// Level of each frequency in dBm0.
    pub dbm0: f32,
}

/// Dial tone.
pub const DIAL: Tone = Tone { hz: [350.0, 440.0, 0.0, 0.0], cadence_ms: [1_000, 0], dbm0: -13.0 };
/// Called party busy.
pub const BUSY: Tone = Tone { hz: [480.0, 620.0, 0.0, 0.0], cadence_ms: [500, 500], dbm0: -24.0 };
/// Congestion; also what a phone hears that was not hung up after its call.
pub const REORDER: Tone = Tone { hz: [480.0, 620.0, 0.0, 0.0], cadence_ms: [250, 250], dbm0: -24.0 };
/// Audible ringing toward the caller.
pub const RINGBACK: Tone = Tone { hz: [440.0, 480.0, 0.0, 0.0], cadence_ms: [2_000, 4_000], dbm0: -19.0 };
/// Another call waits.
pub const CALL_WAITING: Tone = Tone { hz: [440.0, 0.0, 0.0, 0.0], cadence_ms: [300, 9_700], dbm0: -13.0 };
/// Receiver off hook: loud, for a handset that lies beside its phone. GR-506 asks for +3 dBm in sum; four sines of
/// -9 dBm0 peak just below the overload point.
pub const HOWLER: Tone =
    Tone { hz: [1_400.0, 2_060.0, 2_450.0, 2_600.0], cadence_ms: [100, 100], dbm0: -9.0 };

/// One burst of a sequence that is not repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Frequency in Hz.
    pub hz: f32,
    /// Length in milliseconds.
    pub ms: u16,
}

/// Special information tone (ITU-T E.180 section 3.6): precedes an announcement that a call cannot be completed.
pub const SPECIAL_INFORMATION: [Burst; 3] =
    [Burst { hz: 950.0, ms: 330 }, Burst { hz: 1_400.0, ms: 330 }, Burst { hz: 1_800.0, ms: 330 }];

/// Samples of a sequence of bursts at 8 kHz, each frequency at `dbm0`.
#[must_use]
pub fn render(bursts: &[Burst], dbm0: f32) -> Vec<i16> {
    let mut samples = Vec::new();
    for burst in bursts {
        let mut oscillator = Oscillator::new(burst.hz, dbm0);
        samples.extend((0..samples_in(burst.ms)).map(|_| oscillator.advance().round() as i16));
    }
    samples
}

/// Plays a [`Tone`] sample by sample; allocates nothing.
#[derive(Clone, Debug)]
pub struct Generator {
    oscillators: [Option<Oscillator>; MAX_FREQUENCIES],
    on_samples: u32,
    cycle_samples: u32,
    at: u32,
}

impl Generator {
    /// Starts with the on part of the cadence.
    #[must_use]
    pub fn new(tone: &Tone) -> Self {
        let [on, off] = tone.cadence_ms.map(samples_in);
        Self {
            oscillators: tone.hz.map(|hz| (hz > 0.0).then(|| Oscillator::new(hz, tone.dbm0))),
            on_samples: on,
            cycle_samples: if off == 0 { 0 } else { on + off },
            at: 0,
        }
    }

    /// The next sample.
    pub fn advance(&mut self) -> i16 {
        let continuous = self.cycle_samples == 0;
        let sounds = continuous || self.at < self.on_samples;
        let sample = if sounds { self.sum() } else { 0 };
        if !continuous {
            self.at += 1;
            if self.at == self.cycle_samples {
                self.at = 0;
                self.oscillators.iter_mut().flatten().for_each(Oscillator::restart);
            }
        }
        sample
    }

    fn sum(&mut self) -> i16 {
        // A float to integer cast saturates: a sum above the overload point is clipped, not wrapped.
        self.oscillators.iter_mut().flatten().map(Oscillator::advance).sum::<f32>().round() as i16
    }
}

const fn samples_in(ms: u16) -> u32 {
    ms as u32 * (SAMPLE_HZ / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level;

    fn play(tone: &Tone, samples: usize) -> Vec<i16> {
        let mut generator = Generator::new(tone);
        (0..samples).map(|_| generator.advance()).collect()
    }

    /// Level of one frequency in `samples`, in dBm0, by correlation.
    fn level_at(samples: &[i16], hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &s) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hz * n as f64 / 8_000.0;
            re += f64::from(s) * angle.cos();
            im += f64::from(s) * angle.sin();
        }
        let peak = (re * re + im * im).sqrt() * 2.0 / samples.len() as f64;
        20.0 * (peak / f64::from(level::amplitude(0.0))).log10()
    }

    #[test]
    fn dial_tone_is_continuous_with_both_frequencies_at_their_level() {
        let samples = play(&DIAL, 80_000);
        for part in samples.chunks(8_000) {
            assert!((level_at(part, 350.0) + 13.0).abs() < 0.05);
            assert!((level_at(part, 440.0) + 13.0).abs() < 0.05);
            assert!(level_at(part, 620.0) < -70.0);
        }
    }

    #[test]
    fn busy_tone_is_half_a_second_on_and_half_a_second_off() {
        let samples = play(&BUSY, 16_000);
        for cycle in samples.chunks(8_000) {
            assert!((level::dbm0(&cycle[..4_000]) + 21.0).abs() < 0.1);
            assert!(cycle[4_000..].iter().all(|&s| s == 0));
        }
    }

    #[test]
    fn the_howler_is_loud_and_does_not_clip() {
        let samples = play(&HOWLER, 800);
        assert!(samples.iter().all(|&s| s.unsigned_abs() < 32_767));
        assert!(level::dbm0(&samples) > -3.5);
    }

    #[test]
    fn the_special_information_tone_rises_in_three_steps() {
        let samples = render(&SPECIAL_INFORMATION, -14.0);
        assert_eq!(samples.len(), 3 * 330 * 8);
        for (part, hz) in samples.chunks(330 * 8).zip([950.0, 1_400.0, 1_800.0]) {
            assert!((level_at(part, hz) + 14.0).abs() < 0.2);
        }
    }
}
