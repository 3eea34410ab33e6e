//! DTMF (ITU-T Q.23, Q.24): the two frequencies of a key, sent and received.

mod receiver;
mod spectrum;

use super::sine::Oscillator;
pub use receiver::{Heard, Receiver};

/// Level of the low group in dBm0. The high group is 2 dB louder, as lines lose more of it (ANSI T1.401 pre-emphasis).
pub const LOW_DBM0: f32 = -8.0;
/// Level of the high group in dBm0.
pub const HIGH_DBM0: f32 = -6.0;
/// Samples of a dialled key, and of the pause after it: 70 ms, which every exchange takes (Q.24 asks for 40 ms).
pub const DIALLED: usize = 560;

const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// A key of the key-pad: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u8);

impl Key {
    /// All keys in the order of their event codes (RFC 4733 section 3.2).
    const NAMES: [u8; 16] = *b"0123456789*#ABCD";
    /// The same keys as places of the key-pad, row by row.
    const PLACES: [u8; 16] = [13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15];

    /// The key of an event code, 0 to 15.
    #[must_use]
    pub const fn from_event_code(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The key with this sign on it.
    #[must_use]
    pub fn from_sign(sign: char) -> Option<Self> {
        let code = Self::NAMES.iter().position(|&name| char::from(name) == sign.to_ascii_uppercase())?;
        u8::try_from(code).ok().map(Self)
    }

    /// The key at a row and a column of the key-pad, 0 to 3 each.
    fn at(row: u8, column: u8) -> Self {
        let place = (row & 3) << 2 | column & 3;
        let code = Self::PLACES.iter().position(|&of_code| of_code == place).unwrap_or_default();
        Self(code as u8)
    }

    /// Event code, 0 to 15.
    #[must_use]
    pub const fn event_code(self) -> u8 {
        self.0
    }

    /// The sign on it.
    #[must_use]
    pub const fn sign(self) -> char {
        Self::NAMES[(self.0 & 15) as usize] as char
    }

    /// Low and high frequency in Hz.
    #[must_use]
    pub const fn hz(self) -> [f32; 2] {
        let place = Self::PLACES[(self.0 & 15) as usize];
        [LOW_HZ[(place >> 2) as usize], HIGH_HZ[(place & 3) as usize]]
    }
}

/// The sound of a key, sample by sample.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    low: Oscillator,
    high: Oscillator,
}

impl Generator {
    /// Both frequencies from phase 0.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let [low, high] = key.hz();
        Self { low: Oscillator::new(low, LOW_DBM0), high: Oscillator::new(high, HIGH_DBM0) }
    }

    /// The next sample.
    pub fn advance(&mut self) -> i16 {
        (self.low.advance() + self.high.advance()).round() as i16
    }
}

/// The sound of dialling: each key [`DIALLED`] samples on and as many off.
#[must_use]
pub fn dial(keys: &[Key]) -> Vec<i16> {
    let mut samples = Vec::with_capacity(keys.len() * 2 * DIALLED);
    for &key in keys {
        let mut generator = Generator::new(key);
        samples.extend((0..DIALLED).map(|_| generator.advance()));
        samples.resize(samples.len() + DIALLED, 0);
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level;

    /// Energy at `hz` relative to all, by the Goertzel recurrence.
    fn share(samples: &[i16], hz: f64) -> f64 {
        let coefficient = 2.0 * (std::f64::consts::TAU * hz / 8_000.0).cos();
        let (mut a, mut b) = (0.0, 0.0);
        for &sample in samples {
            (a, b) = (f64::from(sample) + coefficient * a - b, a);
        }
        let all: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        2.0 * (a * a + b * b - coefficient * a * b) / (all * samples.len() as f64)
    }

    #[test]
    fn every_key_has_its_two_frequencies_and_the_high_one_is_louder() {
        let pad = ["123A", "456B", "789C", "*0#D"];
        for (row, keys) in pad.iter().enumerate() {
            for (column, sign) in keys.chars().enumerate() {
                assert_eq!(Key::at(row as u8, column as u8).sign(), sign);
                let samples = dial(&[Key::from_sign(sign).unwrap()]);
                let (on, off) = samples.split_at(DIALLED);
                let (low, high) = (share(on, f64::from(LOW_HZ[row])), share(on, f64::from(HIGH_HZ[column])));
                assert!(low + high > 0.97, "{sign}: {low} {high}");
                assert!((10.0 * (high / low).log10() - 2.0).abs() < 0.3, "{sign}");
                assert!((level::dbm0(on) + 3.88).abs() < 0.2, "{sign}: {}", level::dbm0(on));
                assert!(off.iter().all(|&s| s == 0));
            }
        }
    }

    #[test]
    fn event_codes_name_the_keys_of_rfc_4733() {
        for (code, sign) in "0123456789*#ABCD".chars().enumerate() {
            let key = Key::from_event_code(code as u8).unwrap();
            assert_eq!(Some(key), Key::from_sign(sign));
            assert_eq!((key.sign(), usize::from(key.event_code())), (sign, code));
        }
        assert_eq!(Key::from_event_code(16), None);
        assert_eq!(Key::from_sign('x'), None);
    }
}
