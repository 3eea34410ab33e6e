//! The 2-wire loop: how much of what is sent to the phone comes back.

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
