//! Packet loss concealment: what a listener hears while audio is missing (the task of ITU-T G.711 Appendix I).
//!
//! Nothing is kept while audio comes in. At the moment of loss the audio heard so far is handed in; from it the
//! predictor of the voice's spectrum and the last pitch periods of what it cannot predict are taken. Repeated, they
//! drive the predictor on from where the audio broke off, so that there is no seam to cover and no delay. What comes
//! after the loss is cross-faded with the continued concealment. A long loss fades into noise like that of the
//! background.
//!
//! ```text
//!  Idle --begin--> Filling --join--> Joining --(cross-fade over)--> Idle
//!                    ^---------begin----'
//! ```

/// Most samples of history that are of use: 300 ms, in which the background is looked for.
pub const HISTORY: usize = 2_400;
/// Samples from which pitch and spectrum are taken.
const PAST: usize = 480;
/// Order of the predictor.
const ORDER: usize = 16;
/// Samples that the predictor is made from: 30 ms.
const SPECTRUM: usize = 240;
/// Shortest and longest pitch period: 400 Hz and 57 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 20..=140;
/// Least likeness of two pitch periods of a voice.
const VOICED: f32 = 0.6;
/// Samples that are compared with those one period before.
const MATCH: usize = 80;
/// Samples of concealment at full level: 5 ms.
const HOLD: u32 = 40;
/// Samples after which only noise is left: 70 ms.
const GONE: u32 = 560;
/// Samples of the cross-fade out of a loss: 2 ms.
const JOIN: u32 = 16;
/// Samples in which the level of the background is measured: 20 ms.
const QUIET: usize = 160;
/// Greatest mean square of the background noise: −40 dBm0. What is louder is speech.
const LOUDEST: f32 = 26_000.0;
/// The background is believed to grow by this for each loss.
const BACKGROUND_GROWTH: f32 = 1.05;

/// Conceals the losses of one stream.
#[derive(Debug)]
pub struct Concealer {
    state: State,
    /// What was heard at the end of the last loss, then before this one; newest last.
    past: [f32; PAST],
    predictor: [f32; ORDER],
    /// Last outputs of the predictor, newest first.
    memory: [f32; ORDER],
    /// What the predictor is driven with, one pitch period or more.
    excitation: [f32; PAST],
    /// Samples of `excitation` that are repeated, and the next of them.
    period: usize,
    next: usize,
    noise: Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// So many samples were filled.
    Filling(u32),
    /// So many samples were filled and joined.
    Joining(u32, u32),
}

impl Default for Concealer {
    fn default() -> Self {
        Self {
            state: State::Idle,
            past: [0.0; PAST],
            predictor: [0.0; ORDER],
            memory: [0.0; ORDER],
            excitation: [0.0; PAST],
            period: 1,
            next: 0,
            noise: Noise::default(),
        }
    }
}

impl Concealer {
    /// Whether nothing is missing and the last loss is joined.
    #[inline]
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether a loss is being filled.
    #[inline]
    #[must_use]
    pub const fn is_filling(&self) -> bool {
        matches!(self.state, State::Filling(_))
    }

    /// Forgets everything: another stream begins.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// A loss begins. `heard` is what was heard since the last loss, newest last, no more than [`HISTORY`].
    pub fn begin(&mut self, heard: &[i16]) {
        self.keep_past(heard);
        self.noise.listen(heard);
        self.predictor = predictor(&self.past[PAST - SPECTRUM..]);
        for (memory, &sample) in self.memory.iter_mut().zip(self.past.iter().rev()) {
            *memory = sample;
        }
        self.period = pitch(&self.past);
        self.excite();
        self.state = State::Filling(0);
    }

    /// The sender pauses: what is missing from now on is its background.
    pub fn begin_pause(&mut self) {
        self.state = State::Filling(GONE);
    }

    /// The background is `level` dB below the overload point (RFC 3389 3), 0 to 127.
    pub fn set_background(&mut self, level: u8) {
        self.noise.set_level(level);
    }

    /// Fills `out` with what is missing; returns how many samples of it are made of what was heard, and not noise.
    pub fn fill(&mut self, out: &mut [i16]) -> u32 {
        let start = match self.state {
            State::Filling(filled) => filled,
            State::Idle | State::Joining(..) => GONE,
        };
        let mut filled = start;
        for sample in out {
            *sample = self.advance(filled) as i16;
            filled = filled.saturating_add(1);
        }
        self.state = State::Filling(filled);
        filled.min(GONE) - start.min(GONE)
    }

    /// Cross-fades the concealment into `samples`, the audio after the loss.
    pub fn join<'s>(&mut self, samples: impl Iterator<Item = &'s mut i16>) {
        let (filled, mut joined) = match self.state {
            State::Filling(filled) => (filled, 0),
            State::Joining(filled, joined) => (filled, joined),
            State::Idle => return,
        };
        for sample in samples {
            if joined == JOIN {
                self.state = State::Idle;
                return;
            }
            joined += 1;
            let share = joined as f32 / (JOIN + 1) as f32;
            let filling = self.advance(filled + joined);
            *sample = (share * f32::from(*sample) + (1.0 - share) * filling) as i16;
        }
        self.state = State::Joining(filled, joined);
    }

    /// The next sample of concealment, `at` samples after the loss began.
    fn advance(&mut self, at: u32) -> f32 {
        let gain = gain(at);
        if gain <= 0.0 {
            return self.noise.advance();
        }
        let driven = self.excitation[self.next];
        self.next += 1;
        if self.next == self.period {
            self.next = 0;
        }
        let predicted: f32 = self.predictor.iter().zip(&self.memory).map(|(a, m)| a * m).sum();
        let voice = (driven + predicted).clamp(-32_768.0, 32_767.0);
        self.memory.copy_within(..ORDER - 1, 1);
        self.memory[0] = voice;
        if gain < 1.0 { gain * voice + (1.0 - gain) * self.noise.advance() } else { voice }
    }

    fn keep_past(&mut self, heard: &[i16]) {
        let fresh = heard.len().min(PAST);
        self.past.copy_within(fresh.., 0);
        for (past, &sample) in self.past[PAST - fresh..].iter_mut().zip(&heard[heard.len() - fresh..]) {
            *past = f32::from(sample);
        }
    }

    /// Takes the last period of what the predictor did not predict.
    fn excite(&mut self) {
        let start = PAST - self.period;
        for n in 0..self.period {
            let at = start + n;
            let before = self.past[at - ORDER..at].iter().rev();
            let predicted: f32 = self.predictor.iter().zip(before).map(|(a, m)| a * m).sum();
            self.excitation[n] = self.past[at] - predicted;
        }
        self.next = 0;
    }
}

/// Level of the concealment `at` samples after the loss began.
fn gain(at: u32) -> f32 {
    if at <= HOLD { 1.0 } else { 1.0 - (at - HOLD) as f32 / (GONE - HOLD) as f32 }
}

/// The pitch period of the end of `past`. Without a pitch it is the longest, whose repetition is least heard.
fn pitch(past: &[f32; PAST]) -> usize {
    let end = &past[PAST - MATCH..];
    let energy = dot(end, end);
    let (mut best, mut most) = (*PERIODS.end(), VOICED);
    for period in PERIODS {
        let before = &past[PAST - MATCH - period..PAST - period];
        let likeness = dot(end, before) / (energy * dot(before, before)).sqrt().max(1.0);
        if likeness > most {
            (best, most) = (period, likeness);
        }
    }
    best
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Linear prediction of `samples` (autocorrelation method, Levinson-Durbin); coefficients of the newest sample first.
fn predictor<const N: usize>(samples: &[f32]) -> [f32; N] {
    let last = samples.len() as f32;
    let mut windowed = [0.0; SPECTRUM];
    for (n, (to, &from)) in windowed.iter_mut().zip(samples).enumerate() {
        *to = from * (std::f32::consts::PI * (n as f32 + 0.5) / last).sin();
    }
    let windowed = &windowed[..samples.len().min(SPECTRUM)];
    let mut correlation = [0.0; ORDER + 1];
    for (lag, correlation) in correlation.iter_mut().enumerate().take(N + 1) {
        *correlation = dot(&windowed[lag..], &windowed[..windowed.len() - lag]);
    }
    // A floor of white noise 40 dB below keeps the predictor stable.
    correlation[0] = correlation[0] * 1.000_1 + 1.0;
    let mut coefficients = [0.0; N];
    let mut error = correlation[0];
    for order in 0..N {
        let known: f32 = (0..order).map(|n| coefficients[n] * correlation[order - n]).sum();
        let reflection = (correlation[order + 1] - known) / error;
        let before = coefficients;
        coefficients[order] = reflection;
        for n in 0..order {
            coefficients[n] -= reflection * before[order - 1 - n];
        }
        error *= 1.0 - reflection * reflection;
    }
    coefficients
}

/// Noise like that of the background.
#[derive(Debug)]
struct Noise {
    /// Mean square of the background.
    background: f32,
    known: bool,
    random: u32,
}

impl Default for Noise {
    fn default() -> Self {
        Self { background: 0.0, known: false, random: 1 }
    }
}

impl Noise {
    /// Looks for the background in what was heard: its quietest 20 ms.
    fn listen(&mut self, heard: &[i16]) {
        let quietest = heard
            .rchunks_exact(QUIET)
            .map(|frame| frame.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>() / QUIET as f32)
            .fold(f32::INFINITY, f32::min);
        let believed = if self.known { self.background * BACKGROUND_GROWTH } else { LOUDEST };
        if quietest < f32::INFINITY {
            self.background = quietest.min(believed.max(1.0)).min(LOUDEST);
            self.known = true;
        }
    }

    fn set_level(&mut self, level: u8) {
        let overload = 32_767.0_f32 * 32_767.0;
        self.background = (overload * 10_f32.powf(-f32::from(level.min(127)) / 10.0)).min(LOUDEST);
        self.known = true;
    }

    fn advance(&mut self) -> f32 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Uniform between −1 and 1 has a mean square of 1/3.
        let uniform = (self.random >> 8) as f32 / 8_388_608.0 - 1.0;
        uniform * (3.0 * self.background).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level;

    fn tone(samples: usize, hz: f32) -> Vec<i16> {
        (0..samples)
            .map(|n| (8_000.0 * (n as f32 * hz * std::f32::consts::TAU / 8_000.0).sin()) as i16)
            .collect()
    }

    fn hiss(samples: usize, peak: i32) -> Vec<i16> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i32 % (2 * peak + 1) - peak) as i16
        };
        (0..samples).map(|_| next()).collect()
    }

    fn filled(concealer: &mut Concealer, samples: usize) -> Vec<i16> {
        let mut out = vec![0; samples];
        concealer.fill(&mut out);
        out
    }

    #[test]
    fn a_tone_goes_on_without_a_seam() {
        let said = tone(HISTORY + 160, 200.0);
        let mut concealer = Concealer::default();
        concealer.begin(&said[..HISTORY]);
        let heard = filled(&mut concealer, 160);
        // Until the fade has taken 1 dB.
        for n in 0..100 {
            let off = i32::from(heard[n]).abs_diff(i32::from(said[HISTORY + n]));
            assert!(off < 1_200, "{n}: {} {}", heard[n], said[HISTORY + n]);
        }
    }

    #[test]
    fn a_long_loss_fades_into_noise_as_loud_as_the_background() {
        let mut said = hiss(HISTORY, 60);
        let voice = tone(800, 150.0);
        said[HISTORY - 800..].copy_from_slice(&voice);
        let mut concealer = Concealer::default();
        concealer.begin(&said);
        filled(&mut concealer, GONE as usize);
        let (noise, background) =
            (level::dbm0(&filled(&mut concealer, 8_000)), level::dbm0(&hiss(8_000, 60)));
        assert!((noise - background).abs() < 2.0, "{noise} {background}");
    }

    #[test]
    fn silence_stays_silent() {
        let mut concealer = Concealer::default();
        concealer.begin(&[0; HISTORY]);
        assert!(filled(&mut concealer, 4_000).iter().all(|&sample| sample == 0));
    }

    #[test]
    fn a_pause_is_as_loud_as_the_sender_says() {
        let mut concealer = Concealer::default();
        concealer.set_background(50);
        concealer.begin_pause();
        let noise = filled(&mut concealer, 8_000);
        // The overload point of a full square wave is 6.15 dBm0.
        assert!((level::dbm0(&noise) + 43.85).abs() < 0.5, "{}", level::dbm0(&noise));
    }

    #[test]
    fn only_what_is_made_of_the_voice_counts_as_concealed() {
        let mut concealer = Concealer::default();
        concealer.begin(&tone(HISTORY, 150.0));
        let counted: u32 = (0..20).map(|_| concealer.fill(&mut [0; 80])).sum();
        assert_eq!(counted, GONE);
    }

    #[test]
    fn after_a_short_cross_fade_only_what_came_is_heard() {
        let mut concealer = Concealer::default();
        concealer.begin(&tone(HISTORY, 150.0));
        filled(&mut concealer, 160);
        let mut came = [1_000; 80];
        concealer.join(came.iter_mut());
        assert!(concealer.is_idle());
        assert!(came[0] != 1_000 && came[JOIN as usize..].iter().all(|&sample| sample == 1_000));
    }

    #[test]
    fn the_worst_input_stays_in_range_and_ends() {
        let loudest: Vec<i16> = (0..HISTORY).map(|n| if n % 50 < 25 { i16::MAX } else { i16::MIN }).collect();
        for said in [&loudest[..], &loudest[..1], &[], &hiss(HISTORY, 32_000)] {
            let mut concealer = Concealer::default();
            concealer.begin(said);
            filled(&mut concealer, GONE as usize);
            let rest = filled(&mut concealer, 800);
            assert!(level::dbm0(&rest) < -39.0, "{}", level::dbm0(&rest));
        }
    }
}
