//! Cadenced tones (ITU-T E.180): frequencies that are added or modulated, in bursts; and the source that plays them.
//!
//! Which tones a country knows stands in [`super::tone_plan`].

use super::sine::{Oscillator, SAMPLE_HZ};

/// Most frequencies that a tone is made of: the receiver-off-hook tone has four.
pub const MAX_FREQUENCIES: usize = 4;
/// Most bursts of one cycle of a cadence; the longest in ITU-T E.180 Supplement 2 have six.
pub const MAX_BURSTS: usize = 8;
/// How deep a modulated tone is modulated in amplitude. Countries that name a depth ask for 60 to 100 %.
const MODULATION_DEPTH: f32 = 0.8;

/// Bursts and pauses, repeated from the start when the list ends; empty is continuous sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cadence {
    bursts_ms: [(u16, u16); MAX_BURSTS],
    len: u8,
}

impl Cadence {
    /// Sound without pauses.
    pub const CONTINUOUS: Self = Self { bursts_ms: [(0, 0); MAX_BURSTS], len: 0 };

    /// From milliseconds on, off, on, off.
    ///
    /// # Errors
    /// What is wrong: an odd count, more than [`MAX_BURSTS`] bursts, a length of 0.
    pub fn new(on_off_ms: &[u16]) -> Result<Self, String> {
        let (pairs, rest) = on_off_ms.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a cadence is pairs of on and off".to_owned());
        }
        if pairs.len() > MAX_BURSTS {
            return Err(format!("a cadence has at most {MAX_BURSTS} bursts, not {}", pairs.len()));
        }
        if on_off_ms.contains(&0) {
            return Err("0 ms is neither a burst nor a pause".to_owned());
        }
        let mut cadence = Self { len: pairs.len() as u8, ..Self::CONTINUOUS };
        for (place, &[on, off]) in cadence.bursts_ms.iter_mut().zip(pairs) {
            *place = (on, off);
        }
        Ok(cadence)
    }

    /// Milliseconds of each burst and of the pause after it; none of a continuous tone.
    #[must_use]
    pub fn bursts_ms(&self) -> &[(u16, u16)] {
        self.bursts_ms.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether the sound has no pauses.
    #[must_use]
    pub const fn is_continuous(&self) -> bool {
        self.len == 0
    }

    /// Milliseconds of burst number `n` (0-based, past the end from the start again) and of the pause after it;
    /// `None` of a continuous tone.
    #[must_use]
    pub fn burst_ms(&self, n: u32) -> Option<(u16, u16)> {
        let turn = (n as usize).checked_rem(usize::from(self.len))?;
        self.bursts_ms.get(turn).copied()
    }
}

/// A cadenced tone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// Frequencies in Hz that are added, 0 to 4,000; 0 is none.
    pub hz: [f32; MAX_FREQUENCIES],
    /// Frequency in Hz that modulates their sum in amplitude; 0 is none.
    pub modulated_hz: f32,
    /// Bursts and pauses.
    pub cadence: Cadence,
    /// Level of each frequency in dBm0; of a modulated frequency with its side frequencies.
    pub dbm0: f32,
}

impl Tone {
    /// The frequencies that are there, in Hz.
    pub fn frequencies(&self) -> impl Iterator<Item = f32> + Clone + '_ {
        self.hz.iter().copied().filter(|hz| *hz > 0.0)
    }
}

/// One burst of a sequence that is not repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Frequency in Hz.
    pub hz: f32,
    /// Length in milliseconds.
    pub ms: u16,
}

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
    modulation: Option<Modulation>,
    cadence: Cadence,
    burst: u32,
    /// Samples left of the burst, and of the pause after it.
    left: (u32, u32),
}

/// The wave that a modulated tone swells with: its mean power is that of the tone without it.
#[derive(Clone, Copy, Debug)]
struct Modulation {
    wave: Oscillator,
    full_scale: f32,
    gain: f32,
}

impl Modulation {
    fn new(hz: f32) -> Self {
        let full_scale = super::level::amplitude(0.0);
        let gain = 1.0 / (1.0 + MODULATION_DEPTH * MODULATION_DEPTH / 2.0).sqrt();
        Self { wave: Oscillator::new(hz, 0.0), full_scale, gain }
    }

    fn advance(&mut self) -> f32 {
        self.gain * (1.0 + MODULATION_DEPTH * self.wave.advance() / self.full_scale)
    }
}

impl Generator {
    /// Starts with the first burst of the cadence.
    #[must_use]
    pub fn new(tone: &Tone) -> Self {
        Self {
            oscillators: tone.hz.map(|hz| (hz > 0.0).then(|| Oscillator::new(hz, tone.dbm0))),
            modulation: (tone.modulated_hz > 0.0).then(|| Modulation::new(tone.modulated_hz)),
            cadence: tone.cadence,
            burst: 0,
            left: lengths(&tone.cadence, 0),
        }
    }

    /// The next sample.
    pub fn advance(&mut self) -> i16 {
        match &mut self.left {
            (0, 0) => self.sum(),
            (0, off) => {
                *off -= 1;
                if *off == 0 {
                    self.next_burst();
                }
                0
            }
            (on, _) => {
                *on -= 1;
                self.sum()
            }
        }
    }

    fn next_burst(&mut self) {
        // Counted within the cycle, so that it never wraps in the middle of one.
        self.burst = (self.burst + 1) % u32::from(self.cadence.len.max(1));
        self.left = lengths(&self.cadence, self.burst);
        self.oscillators.iter_mut().flatten().for_each(Oscillator::restart);
        if let Some(modulation) = &mut self.modulation {
            modulation.wave.restart();
        }
    }

    fn sum(&mut self) -> i16 {
        let sum: f32 = self.oscillators.iter_mut().flatten().map(Oscillator::advance).sum();
        let gain = self.modulation.as_mut().map_or(1.0, Modulation::advance);
        // A float to integer cast saturates: a sum above the overload point is clipped, not wrapped.
        (sum * gain).round() as i16
    }
}

/// Samples of a burst and of the pause after it; both 0 for sound without end.
fn lengths(cadence: &Cadence, burst: u32) -> (u32, u32) {
    cadence.burst_ms(burst).map_or((0, 0), |(on, off)| (samples_in(on), samples_in(off)))
}

const fn samples_in(ms: u16) -> u32 {
    ms as u32 * (SAMPLE_HZ / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{level, tone_plan::TonePlan};

    fn tone(hz: &[f32], modulated_hz: f32, cadence_ms: &[u16]) -> Tone {
        let mut all = [0.0; MAX_FREQUENCIES];
        all[..hz.len()].copy_from_slice(hz);
        Tone { hz: all, modulated_hz, cadence: Cadence::new(cadence_ms).unwrap(), dbm0: -13.0 }
    }

    fn play(tone: &Tone, samples: usize) -> Vec<i16> {
        let mut generator = Generator::new(tone);
        (0..samples).map(|_| generator.advance()).collect()
    }

    /// Level of one frequency in `samples`, in dBm0, by the Goertzel recurrence.
    fn level_at(samples: &[i16], hz: f64) -> f64 {
        let coefficient = 2.0 * (std::f64::consts::TAU * hz / 8_000.0).cos();
        let (mut a, mut b) = (0.0, 0.0);
        for &sample in samples {
            (a, b) = (f64::from(sample) + coefficient * a - b, a);
        }
        let peak = (a * a + b * b - coefficient * a * b).sqrt() * 2.0 / samples.len() as f64;
        20.0 * (peak / f64::from(level::amplitude(0.0))).log10()
    }

    #[test]
    fn a_continuous_tone_has_all_its_frequencies_at_their_level() {
        let samples = play(&tone(&[350.0, 440.0], 0.0, &[]), 80_000);
        for part in samples.chunks(8_000) {
            assert!((level_at(part, 350.0) + 13.0).abs() < 0.05);
            assert!((level_at(part, 440.0) + 13.0).abs() < 0.05);
            assert!(level_at(part, 620.0) < -70.0);
        }
    }

    #[test]
    fn a_cadence_of_several_bursts_sounds_and_pauses_to_the_sample() {
        let samples = play(&tone(&[400.0], 0.0, &[400, 350, 225, 525]), 2 * 12_000);
        for cycle in samples.chunks(12_000) {
            let mut at = 0;
            for (on, off) in [(3_200, 2_800), (1_800, 4_200)] {
                assert!((level::dbm0(&cycle[at..at + on]) + 13.0).abs() < 0.1);
                assert_ne!(cycle[at + on - 1], 0);
                assert!(cycle[at + on..at + on + off].iter().all(|&s| s == 0));
                at += on + off;
            }
        }
    }

    #[test]
    fn a_modulated_tone_has_side_frequencies_and_the_level_of_one_without() {
        let samples = play(&tone(&[400.0], 25.0, &[]), 8_000);
        assert!((level::dbm0(&samples) + 13.0).abs() < 0.05, "{}", level::dbm0(&samples));
        let carrier = level_at(&samples, 400.0);
        for side in [375.0, 425.0] {
            assert!((level_at(&samples, side) - carrier - 20.0 * 0.4_f64.log10()).abs() < 0.1);
        }
        assert!(level_at(&samples, 450.0) < -70.0);
    }

    #[test]
    fn the_tones_of_every_country_have_their_frequencies_and_levels() {
        for (country, plan) in TonePlan::all() {
            for tone in [&plan.dial, &plan.busy, &plan.reorder, &plan.ringback, &plan.howler] {
                let samples = play(&Tone { cadence: Cadence::CONTINUOUS, ..*tone }, 8_000);
                let sum = tone.frequencies().count() as f32;
                let all = tone.dbm0 + 10.0 * sum.log10();
                assert!((level::dbm0(&samples) - all).abs() < 0.1, "{country} {tone:?}");
                for hz in tone.frequencies() {
                    let below = if tone.modulated_hz > 0.0 { 1.2 } else { 0.0 };
                    let level = level_at(&samples, f64::from(hz)) + below;
                    assert!((level - f64::from(tone.dbm0)).abs() < 0.1, "{country} {hz} Hz: {level}");
                }
            }
        }
    }

    #[test]
    fn the_howler_is_loud_and_does_not_clip() {
        let samples = play(&TonePlan::north_america().howler, 800);
        assert!(samples.iter().all(|&s| s.unsigned_abs() < 32_767));
        assert!(level::dbm0(&samples) > -3.5);
    }

    #[test]
    fn the_special_information_tone_rises_in_three_steps() {
        let plan = TonePlan::north_america();
        let samples = render(&plan.special_information.bursts(), plan.special_information.dbm0);
        assert_eq!(samples.len(), 3 * 330 * 8);
        for (part, hz) in samples.chunks(330 * 8).zip([950.0, 1_400.0, 1_800.0]) {
            assert!((level_at(part, hz) + 14.0).abs() < 0.2);
        }
    }

    #[test]
    fn a_cadence_repeats_from_its_start() {
        let cadence = Cadence::new(&[400, 200, 400, 2000]).unwrap();
        assert_eq!(cadence.burst_ms(0), Some((400, 200)));
        assert_eq!(cadence.burst_ms(1), Some((400, 2000)));
        assert_eq!(cadence.burst_ms(2), Some((400, 200)));
        assert_eq!(Cadence::CONTINUOUS.burst_ms(7), None);
    }
}
