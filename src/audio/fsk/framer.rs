//! Start and stop bits: from a stream of bits to bytes.

/// Marks that must have been counted before a start bit is believed: 20 ms. GR-30 sends 180 of them, EN 300 659-1 and
/// GR-30 off hook 80 ± 25; the seizure before them is no run of marks.
const MARKS_MIN: u8 = 24;
/// A space takes this many marks off the count, so that one wrong bit among the marks costs little.
const SPACE_COSTS: u8 = 8;

/// What a bit completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A byte.
    Byte(u8),
    /// A byte whose stop bit was a space: the byte may be right, the checksum knows.
    NoStop(u8),
}

/// Finds bytes behind a run of marks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framer {
    marks: u8,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// No run of marks yet.
    #[default]
    Hunting,
    /// The line rests at mark.
    Resting,
    /// A start bit came, and `count` bits after it.
    Data { count: u8, value: u8 },
}

impl Framer {
    /// Takes one bit.
    pub fn bit(&mut self, mark: bool) -> Option<Framed> {
        match self.state {
            State::Hunting => {
                let less = self.marks.saturating_sub(SPACE_COSTS);
                self.marks = if mark { self.marks + 1 } else { less };
                if self.marks >= MARKS_MIN {
                    self.state = State::Resting;
                }
                None
            }
            State::Resting => {
                if !mark {
                    self.state = State::Data { count: 0, value: 0 };
                }
                None
            }
            State::Data { count: 8, value } => {
                self.state = State::Resting;
                Some(if mark { Framed::Byte(value) } else { Framed::NoStop(value) })
            }
            State::Data { count, value } => {
                self.state = State::Data { count: count + 1, value: value >> 1 | u8::from(mark) << 7 };
                None
            }
        }
    }

    /// Whether a byte is under way.
    #[must_use]
    pub const fn is_inside_byte(&self) -> bool {
        matches!(self.state, State::Data { .. })
    }

    /// Forgets everything, also that there were marks.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(bits: impl IntoIterator<Item = bool>) -> Vec<Framed> {
        let mut framer = Framer::default();
        bits.into_iter().filter_map(|bit| framer.bit(bit)).collect()
    }

    fn byte(value: u8) -> impl Iterator<Item = bool> {
        [false].into_iter().chain((0..8).map(move |n| value >> n & 1 == 1)).chain([true])
    }

    #[test]
    fn a_byte_is_found_behind_marks_only() {
        let seizure = (0..300).map(|n| n % 2 == 1);
        assert_eq!(feed(seizure.clone().chain(byte(0x80))), []);
        let marked = seizure.chain([true; 55]).chain(byte(0x80)).chain([true; 7]).chain(byte(0x41));
        assert_eq!(feed(marked), [Framed::Byte(0x80), Framed::Byte(0x41)]);
    }

    #[test]
    fn a_space_where_the_stop_bit_belongs_is_told() {
        let bits = [true; 40].into_iter().chain([false; 10]).chain(byte(0x41));
        assert_eq!(feed(bits), [Framed::NoStop(0), Framed::Byte(0x41)]);
    }
}
