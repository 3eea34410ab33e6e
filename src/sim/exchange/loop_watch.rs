//! What a loop that opens and closes means: seized, dial pulses, flash, released.

/// Shortest opening that counts.
const PULSE_MS_MIN: u64 = 20;
/// Shortest opening that is no dial pulse any more. A pulse is open for 60 ms (66 ms in some countries), ±10.
const FLASH_MS_MIN: u64 = 80;
/// Closed for this long, the pulses of one digit are over; between two pulses it is 34 to 40 ms.
const DIGIT_OVER_MS: u64 = 200;
/// Most pulses of a digit.
const PULSES_MAX: u8 = 10;

/// What the loop said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// An idle loop was closed.
    Seized,
    /// A dial pulse is over.
    Pulse,
    /// The pulses of a digit are over.
    Digit(char),
    /// The loop was opened for too long for a pulse and too short for a release.
    Flashed,
    /// The loop is open.
    Released,
}

/// Watches one loop, a millisecond at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoopWatch {
    seized: bool,
    open_ms: u64,
    closed_ms: u64,
    pulses: u8,
}

impl LoopWatch {
    /// Whether the loop is closed at this moment.
    pub(super) fn is_closed(&self) -> bool {
        self.seized && self.open_ms == 0
    }

    /// Sees the loop for one millisecond.
    pub(super) fn see(&mut self, closed: bool, release_ms: u64) -> Option<Signal> {
        match (self.seized, closed) {
            (false, false) => None,
            (false, true) => {
                *self = Self { seized: true, ..Self::default() };
                Some(Signal::Seized)
            }
            (true, false) => {
                self.open_ms += 1;
                self.closed_ms = 0;
                (self.open_ms >= release_ms).then(|| {
                    *self = Self::default();
                    Signal::Released
                })
            }
            (true, true) => self.closed(),
        }
    }

    fn closed(&mut self) -> Option<Signal> {
        self.closed_ms += 1;
        match std::mem::take(&mut self.open_ms) {
            0 if self.pulses > 0 && self.closed_ms >= DIGIT_OVER_MS => {
                let pulses = std::mem::take(&mut self.pulses);
                // Ten pulses are a 0; more are no digit.
                (pulses <= PULSES_MAX).then(|| Signal::Digit(char::from(b'0' + pulses % 10)))
            }
            ..PULSE_MS_MIN => None,
            PULSE_MS_MIN..FLASH_MS_MIN => {
                self.pulses = self.pulses.saturating_add(1);
                Some(Signal::Pulse)
            }
            _ => {
                self.pulses = 0;
                Some(Signal::Flashed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals of a loop that is closed, open, closed ... for these milliseconds.
    fn signals(turns_ms: &[u64]) -> Vec<Signal> {
        let mut watch = LoopWatch::default();
        let turns = turns_ms.iter().enumerate();
        turns
            .flat_map(|(n, &ms)| std::iter::repeat_n(n % 2 == 0, ms as usize))
            .filter_map(|closed| watch.see(closed, 400))
            .collect()
    }

    #[test]
    fn three_pulses_are_a_three_and_ten_a_zero() {
        let digit = |pulses: usize| {
            let train: Vec<u64> =
                std::iter::once(500).chain([60, 40].repeat(pulses)).chain([0, 700]).collect();
            signals(&train).last().copied()
        };
        assert_eq!(digit(3), Some(Signal::Digit('3')));
        assert_eq!(digit(10), Some(Signal::Digit('0')));
        assert_eq!(digit(11), Some(Signal::Pulse));
    }

    #[test]
    fn how_long_the_loop_is_open_tells_pulse_flash_and_release_apart() {
        use Signal::{Flashed, Pulse, Released, Seized};
        assert_eq!(signals(&[100, 19, 100]), [Seized]);
        assert_eq!(signals(&[100, 20, 100]), [Seized, Pulse]);
        assert_eq!(signals(&[100, 80, 100]), [Seized, Flashed]);
        assert_eq!(signals(&[100, 399, 300]), [Seized, Flashed]);
        assert_eq!(signals(&[100, 400, 300]), [Seized, Released, Seized]);
    }
}
