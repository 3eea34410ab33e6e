//! Pulse dialling: the digits, the rhythm, and when the loop opens and closes.
//!
//! ```text
//! digit 3      ──┐  ┌──┐  ┌──┐  ┌───────────────────
//!                └──┘  └──┘  └──┘     between_ms
//!               break make
//! ```

use crate::time::Instant;

/// Most digits of a train.
pub const MOST_DIGITS: usize = 32;

/// How a country's exchanges count: ITU-T Q.23 leaves it to them; 10 pulses per second with ratios between 1.5 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Loop open, in ms.
    pub break_ms: u16,
    /// Loop closed between two pulses, in ms.
    pub make_ms: u16,
    /// Loop closed between two digits, in ms, at least 700.
    pub between_ms: u16,
}

impl Rhythm {
    /// North America and most of the continent: 60 % break.
    pub const SIXTY_FORTY: Self = Self { break_ms: 60, make_ms: 40, between_ms: 750 };
    /// Great Britain and where its exchanges went: 67 % break.
    pub const SIXTY_SEVEN: Self = Self { break_ms: 67, make_ms: 33, between_ms: 800 };

    /// The rhythm of a country by its ISO 3166-1 alpha-2 code, in any case; `None` where a digit is not as many pulses
    /// as it says (New Zealand counts backwards, Sweden from one).
    #[must_use]
    pub fn for_country(code: &str) -> Option<Self> {
        match code.to_ascii_uppercase().as_str() {
            "NZ" | "SE" => None,
            "GB" | "IE" | "AU" | "ZA" => Some(Self::SIXTY_SEVEN),
            _ => Some(Self::SIXTY_FORTY),
        }
    }
}

/// Digits to be pulsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseTrain {
    digits: [u8; MOST_DIGITS],
    len: u8,
    rhythm: Rhythm,
}

impl PulseTrain {
    /// 1 to [`MOST_DIGITS`] digits, 0 to 9 each; `None` for anything else.
    #[must_use]
    pub fn new(digits: &[u8], rhythm: Rhythm) -> Option<Self> {
        if digits.is_empty() || digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let mut train = Self { digits: [0; MOST_DIGITS], len: u8::try_from(digits.len()).ok()?, rhythm };
        train.digits.get_mut(..digits.len())?.copy_from_slice(digits);
        Some(train)
    }

    /// The digits, 0 to 9.
    #[must_use]
    pub fn digits(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// How long the train takes, in ms, with the pause behind its last digit.
    #[must_use]
    pub fn ms(&self) -> u64 {
        let Rhythm { break_ms, make_ms, between_ms } = self.rhythm;
        let pulses: u64 = self.digits().iter().map(|digit| pulses_of(*digit)).sum();
        let digits = u64::from(self.len);
        pulses * u64::from(break_ms) + (pulses - digits) * u64::from(make_ms) + digits * u64::from(between_ms)
    }
}

/// Zero is ten.
const fn pulses_of(digit: u8) -> u64 {
    if digit == 0 { 10 } else { digit as u64 }
}

/// A train on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulsing {
    train: PulseTrain,
    /// The digit that is pulsed.
    place: usize,
    /// Its pulses that are not over.
    left: u64,
    is_open: bool,
    /// When the loop opens or closes next.
    until: Instant,
}

impl Pulsing {
    /// Begins with the first break, at `now`.
    pub(super) fn new(train: PulseTrain, now: Instant) -> Self {
        let left = train.digits().first().map_or(0, |digit| pulses_of(*digit));
        let until = now.after_ms(train.rhythm.break_ms.into());
        Self { train, place: 0, left, is_open: true, until }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// The next stretch, from the end of this one, so that lateness does not add up; `None` when all is dialled.
    pub(super) fn next(self) -> Option<Self> {
        let Rhythm { break_ms, make_ms, between_ms } = self.train.rhythm;
        let lasting = |ms: u16| self.until.after_ms(ms.into());
        if self.is_open {
            let left = self.left.saturating_sub(1);
            let until = lasting(if left == 0 { between_ms } else { make_ms });
            return Some(Self { is_open: false, left, until, ..self });
        }
        let opened = Self { is_open: true, until: lasting(break_ms), ..self };
        if self.left > 0 {
            return Some(opened);
        }
        let place = self.place + 1;
        let left = pulses_of(*self.train.digits().get(place)?);
        Some(Self { place, left, ..opened })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_train_is_one_to_thirty_two_digits() {
        for wrong in [&[][..], &[10], &[0; MOST_DIGITS + 1]] {
            assert_eq!(PulseTrain::new(wrong, Rhythm::SIXTY_FORTY), None);
        }
        assert_eq!(PulseTrain::new(&[9, 1, 1], Rhythm::SIXTY_FORTY).unwrap().digits(), [9, 1, 1]);
    }

    #[test]
    fn two_one_is_three_breaks_with_a_pause_and_takes_as_long_as_it_says() {
        let train = PulseTrain::new(&[2, 1], Rhythm::SIXTY_FORTY).unwrap();
        let mut next = Some(Pulsing::new(train, Instant::ZERO));
        let (mut stretches, mut since) = (Vec::new(), Instant::ZERO);
        while let Some(pulsing) = next {
            stretches.push((pulsing.is_open(), pulsing.until().ms_since(since)));
            since = pulsing.until();
            next = pulsing.next();
        }
        assert_eq!(stretches, [(true, 60), (false, 40), (true, 60), (false, 750), (true, 60), (false, 750)]);
        assert_eq!(train.ms(), since.ms_since(Instant::ZERO));
        assert_eq!(PulseTrain::new(&[0], Rhythm::SIXTY_SEVEN).unwrap().ms(), 10 * 67 + 9 * 33 + 800);
    }

    #[test]
    fn where_digits_are_counted_otherwise_nothing_is_pulsed() {
        assert_eq!(Rhythm::for_country("nz"), None);
        assert_eq!(Rhythm::for_country("us"), Some(Rhythm::SIXTY_FORTY));
        assert_eq!(Rhythm::for_country("GB"), Some(Rhythm::SIXTY_SEVEN));
        assert_eq!(Rhythm::SIXTY_SEVEN.break_ms + Rhythm::SIXTY_SEVEN.make_ms, 100);
    }
}
