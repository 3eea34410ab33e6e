//! The 2-wire loop: how much of what is sent comes back, at a phone's loop and at an office line.

use super::si3050::EchoWords;

/// Samples of the longest echo path: 64 ms.
pub const TAIL_SAMPLES_MAX: usize = 512;

/// A linear echo path, from the sample sent to the phone to the sample that the port receives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EchoPath {
    taps: Vec<f32>,
}

impl EchoPath {
    /// A perfectly balanced loop.
    #[must_use]
    pub fn ideal() -> Self {
        Self::default()
    }

    /// One reflection after `delay_samples`, weaker by `loss_db`; `None` beyond [`TAIL_SAMPLES_MAX`].
    #[must_use]
    pub fn reflection(delay_samples: usize, loss_db: f32) -> Option<Self> {
        let mut taps = vec![0.0; delay_samples];
        taps.push(10f32.powf(-loss_db / 20.0));
        Self::impulse_response(taps)
    }

    /// An impulse response at 8 kHz, as ITU-T G.168 annex D gives them; `None` beyond [`TAIL_SAMPLES_MAX`].
    #[must_use]
    pub fn impulse_response(taps: Vec<f32>) -> Option<Self> {
        (taps.len() <= TAIL_SAMPLES_MAX).then_some(Self { taps })
    }
}

/// The hybrid of one port.
#[derive(Clone, Debug)]
pub struct Hybrid {
    path: EchoPath,
    sent: Vec<f32>,
    next: usize,
}

impl Hybrid {
    /// A hybrid with this echo path.
    #[must_use]
    pub fn new(path: EchoPath) -> Self {
        let sent = vec![0.0; path.taps.len()];
        Self { path, sent, next: 0 }
    }

    /// Another echo path from now on; what was sent before is forgotten unless both are equally long.
    pub(super) fn retune(&mut self, path: EchoPath) {
        if path.taps.len() == self.path.taps.len() {
            self.path = path;
        } else {
            *self = Self::new(path);
        }
    }

    /// Whether nothing comes back.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        self.path.taps.is_empty()
    }

    /// The echo at the moment in which `sent` leaves.
    pub fn echo(&mut self, sent: i16) -> f32 {
        let Some(place) = self.sent.get_mut(self.next) else { return 0.0 };
        *place = f32::from(sent);
        // Newest first: from `next` down to 0, then from the end down.
        let (newer, older) = self.sent.split_at(self.next + 1);
        let past = newer.iter().rev().chain(older.iter().rev());
        let echo = past.zip(&self.path.taps).map(|(sample, tap)| sample * tap).sum();
        self.next = (self.next + 1) % self.sent.len();
        echo
    }
}

/// Taps of an office line's echo, and of the filter in the chip that removes it.
pub const LINE_TAPS: usize = 8;
/// What one step of a coefficient of the chip's filter (R45 to R52, signed) is worth. The data sheet's scale is not
/// public; this is the model's.
const COEFFICIENT_STEP: f32 = 1.0 / 128.0;
/// Amplitude that comes back per step between the line's impedance code and the chip's; the model's.
const MISMATCH_STEP: f32 = 0.04;
/// How that is spread over time: a short low-pass, of energy 1.
const MISMATCH_SHAPE: [f32; 4] = [0.8, 0.5, 0.3, 0.141];

/// What an office line returns of what the box sends, by the impedance that the chip is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// The ACIM code, 0 to 15, that fits the line best.
    pub impedance: u8,
    /// Echo path that is left with that code, at 8 kHz; at most [`LINE_TAPS`] count.
    pub echo: Vec<f32>,
}

impl Balance {
    /// The echo that arrives at the PCM bus: what the line returns (nothing without a balance), less what the chip's
    /// filter takes away. The further the chip's ACIM code is from the line's, the more returns.
    pub(super) fn residual(line: Option<&Self>, chip: EchoWords) -> EchoPath {
        let mut taps = [0.0; LINE_TAPS];
        if let Some(line) = line {
            let mismatch = f32::from(line.impedance.abs_diff(chip.acim)) * MISMATCH_STEP;
            taps.iter_mut().zip(&line.echo).for_each(|(tap, echo)| *tap += echo);
            taps.iter_mut().zip(MISMATCH_SHAPE).for_each(|(tap, share)| *tap += mismatch * share);
        }
        for (tap, coefficient) in taps.iter_mut().zip(chip.hybrid) {
            *tap -= f32::from(coefficient) * COEFFICIENT_STEP;
        }
        if taps == [0.0; LINE_TAPS] { EchoPath::ideal() } else { EchoPath { taps: taps.to_vec() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reflection_comes_back_late_and_weaker() {
        let mut hybrid = Hybrid::new(EchoPath::reflection(3, 6.0206).unwrap());
        let heard: Vec<_> =
            (0..8).map(|i| hybrid.echo(if i == 1 { 1000 } else { 0 }).round() as i32).collect();
        assert_eq!(heard, [0, 0, 0, 0, 500, 0, 0, 0]);
    }

    #[test]
    fn an_ideal_hybrid_returns_nothing() {
        let mut hybrid = Hybrid::new(EchoPath::ideal());
        assert!(hybrid.is_ideal() && hybrid.echo(i16::MAX) == 0.0);
    }

    #[test]
    fn a_tail_of_more_than_64_ms_is_refused() {
        assert_eq!(EchoPath::reflection(512, 6.0), None);
    }
}
