//! A probe: noise of a known sequence that is played on a line while what comes back is kept; the echo path is solved
//! from both.
//!
//! The noise is white, two-valued and -16 dBm0 (ITU-T G.168 tests with levels around it); the path is the least-squares
//! fit of [`TAPS`] taps. What the exchange plays meanwhile is not correlated with it and is averaged out, some 25 dB.

use super::{PERIOD, level};

/// Samples that are played: 64 ms.
pub const SENT: usize = 512;
/// Samples that are kept: 120 ms. The way from here to the line and back, and the echo, may take 56 ms together.
pub const HEARD: usize = 12 * PERIOD;
/// Taps of an echo path at 8 kHz: 8 ms, more than the hybrid of a line in a town has.
pub const TAPS: usize = 64;
/// A better echo return loss than this is not told apart, dB: what a step of 16 bits leaves of the noise.
pub const BEST_ERL_DB: f32 = 60.0;

const LEVEL_DBM0: f32 = -16.0;
/// Lags at which an echo path may begin.
const LAGS: usize = HEARD - SENT - TAPS;

/// One probe; allocates when it is made and never again.
#[derive(Clone, Debug)]
pub struct Probe {
    sent: Box<[i16]>,
    heard: Box<[i16]>,
    at: usize,
    /// Line clock of the next period.
    clock: Option<u64>,
    is_broken: bool,
}

/// What a line returns: an impulse response at 8 kHz, counted from the moment at which a sample is played.
#[derive(Clone, Debug, PartialEq)]
pub struct EchoPath {
    from: usize,
    taps: [f32; TAPS],
}

impl Probe {
    /// A probe that was not played yet.
    #[must_use]
    pub fn new() -> Self {
        // A sine of this level has twice the power of its peak as two-valued noise would have.
        let peak = (level::amplitude(LEVEL_DBM0) / std::f32::consts::SQRT_2) as i16;
        let mut state = 0x2545_f491_u32;
        let sent = (0..SENT).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { peak } else { -peak }
        });
        Self {
            sent: sent.collect(),
            heard: vec![0; HEARD].into_boxed_slice(),
            at: 0,
            clock: None,
            is_broken: false,
        }
    }

    /// To be played once more.
    pub const fn rewind(&mut self) {
        (self.at, self.clock, self.is_broken) = (0, None, false);
    }

    /// One period at a line clock in samples: what is to be played in it, and where what comes meanwhile is put.
    pub fn period(&mut self, clock: u64) -> (&[i16], &mut [i16]) {
        self.is_broken |= self.clock.is_some_and(|expected| expected != clock);
        self.clock = Some(clock + PERIOD as u64);
        let (from, to) = (self.at, (self.at + PERIOD).min(HEARD));
        self.at = to;
        let played = self.sent.get(from..to.min(SENT)).unwrap_or_default();
        (played, self.heard.get_mut(from..to).unwrap_or_default())
    }

    /// Whether it was played to its end.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.at >= HEARD
    }

    /// Whether it was played to its end without a gap: only then it says something.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_over() && !self.is_broken
    }

    /// The echo path, from a lag on that is known, else from where most of it is.
    #[must_use]
    pub fn echo(&self, from: Option<usize>) -> EchoPath {
        let from = from.unwrap_or_else(|| self.loudest()).min(LAGS);
        let autocorrelation: [f64; TAPS] = std::array::from_fn(|lag| correlate(&self.sent, &self.sent, lag));
        let returned: [f64; TAPS] = std::array::from_fn(|tap| correlate(&self.sent, &self.heard, from + tap));
        EchoPath { from, taps: solve(&autocorrelation, &returned).map(|tap| tap as f32) }
    }

    /// The lag from which on [`TAPS`] lags correlate best.
    fn loudest(&self) -> usize {
        let squares: Vec<f64> =
            (0..LAGS + TAPS).map(|lag| correlate(&self.sent, &self.heard, lag).powi(2)).collect();
        let energies = squares.windows(TAPS).map(|window| window.iter().sum::<f64>());
        energies.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(lag, _)| lag)
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoPath {
    /// Echo return loss over the whole band, in dB, -20 to [`BEST_ERL_DB`] (ITU-T G.168 3.2.6).
    #[must_use]
    pub fn erl_db(&self) -> f32 {
        let power: f32 = self.taps.iter().map(|tap| tap * tap).sum();
        (-10.0 * power.log10()).clamp(-20.0, BEST_ERL_DB)
    }

    /// What comes back `lag` samples after it is played.
    #[must_use]
    pub fn at(&self, lag: usize) -> f32 {
        let tap = lag.checked_sub(self.from).and_then(|tap| self.taps.get(tap));
        tap.copied().unwrap_or_default()
    }

    /// The impulse response from `lag` on.
    #[must_use]
    pub fn impulse_response<const N: usize>(&self, lag: usize) -> [f32; N] {
        std::array::from_fn(|tap| self.at(lag + tap))
    }

    /// The lag at which it differs most from another one, and by how much.
    #[must_use]
    pub fn difference(&self, other: &Self) -> (usize, f32) {
        let first = self.from.min(other.from);
        let lags = first..self.from.max(other.from) + TAPS;
        let apart = lags.map(|lag| (lag, self.at(lag) - other.at(lag)));
        apart.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs())).unwrap_or((first, 0.0))
    }
}

fn correlate(sent: &[i16], heard: &[i16], lag: usize) -> f64 {
    let later = heard.get(lag..).unwrap_or_default();
    sent.iter().zip(later).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum::<i64>() as f64
}

/// Solves the symmetric Toeplitz equations of a least-squares fit (Levinson's recursion).
fn solve(autocorrelation: &[f64; TAPS], right: &[f64; TAPS]) -> [f64; TAPS] {
    let mut solution = [0.0; TAPS];
    let mut forward = [0.0; TAPS];
    // The sequence is not silence.
    forward[0] = 1.0 / autocorrelation[0];
    solution[0] = right[0] * forward[0];
    for n in 1..TAPS {
        let mirrored = |vector: &[f64; TAPS]| {
            vector.iter().take(n).enumerate().map(|(i, value)| value * autocorrelation[n - i]).sum::<f64>()
        };
        let error = mirrored(&forward);
        let scale = 1.0 / (1.0 - error * error);
        let before = forward;
        for i in 0..=n {
            let backward = if i == 0 { 0.0 } else { before[n - i] };
            forward[i] = scale * (before[i] - error * backward);
        }
        let missing = right[n] - mirrored(&solution);
        for i in 0..=n {
            solution[i] += missing * forward[n - i];
        }
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A probe on a line with this echo, `latency` samples away, under something else that plays.
    fn played(echo: &[f32], latency: usize, beside: impl Fn(usize) -> f32) -> Probe {
        let mut probe = Probe::new();
        let (sent, mut clock, mut at) = (probe.sent.clone(), 800, 0);
        while !probe.is_over() {
            let (playing, heard) = probe.period(clock);
            assert_eq!(playing, sent.get(at..(at + PERIOD).min(SENT)).unwrap_or_default());
            for (n, place) in (at..).zip(heard) {
                let taps = echo.iter().enumerate();
                let past = |tap: usize| n.checked_sub(latency + tap).and_then(|n| sent.get(n)).copied();
                let echo: f32 = taps.map(|(tap, weight)| f32::from(past(tap).unwrap_or(0)) * weight).sum();
                *place = (echo + beside(n)) as i16;
            }
            (clock, at) = (clock + PERIOD as u64, at + PERIOD);
        }
        assert!(probe.is_whole());
        probe
    }

    #[test]
    fn the_noise_has_its_level() {
        assert!((level::dbm0(&Probe::new().sent) - LEVEL_DBM0).abs() < 0.1);
    }

    #[test]
    fn an_echo_path_is_found_wherever_it_begins() {
        let echo = [0.0, 0.3, -0.1, 0.05];
        for latency in [0, 100, 320, 380] {
            let path = played(&echo, latency, |_| 0.0).echo(None);
            for (found, is) in path.impulse_response::<4>(latency).into_iter().zip(echo) {
                assert!((found - is).abs() < 0.002, "{path:?}");
            }
            assert!((path.erl_db() - 9.87).abs() < 0.1, "{}", path.erl_db());
        }
    }

    #[test]
    fn a_tone_beside_it_is_averaged_out() {
        let tone = |n: usize| 1_000.0 * (n as f32 * 0.35).sin();
        let path = played(&[0.25], 200, tone).echo(Some(190));
        assert!((path.at(200) - 0.25).abs() < 0.03, "{}", path.at(200));
    }

    #[test]
    fn a_line_without_echo_is_as_good_as_can_be_told() {
        assert!(played(&[], 0, |_| 0.0).echo(None).erl_db() >= BEST_ERL_DB);
    }

    #[test]
    fn two_paths_differ_where_one_tap_was_changed() {
        let (one, other) = (played(&[0.2, 0.1], 150, |_| 0.0), played(&[0.2, -0.15], 150, |_| 0.0));
        let (lag, by) = one.echo(None).difference(&other.echo(None));
        assert!(lag == 151 && (by - 0.25).abs() < 0.01, "{lag} {by}");
    }

    #[test]
    fn a_gap_spoils_it_until_it_is_played_again() {
        let mut probe = Probe::new();
        let late = |n: u64| if n == 0 { 0 } else { n * PERIOD as u64 + 80 };
        for n in 0..12 {
            let _ = probe.period(late(n));
        }
        assert!(probe.is_over() && !probe.is_whole());
        probe.rewind();
        for n in 0..12 {
            let _ = probe.period(n * PERIOD as u64);
        }
        assert!(probe.is_whole());
    }
}
