//! Reads messages from a line, period by period; allocates nothing.
//!
//! ```text
//! samples ─► fsk::Demodulator ─► bits ─► fsk::Framer ─► bytes ─► type known? ─► length ─► Frame
//! ```
//! The bytes wait for marks, not for the seizure: so a message is read with the full seizure, with a shortened one, and
//! with none at all, as it comes off hook. Noise among the marks makes bytes of unknown type, which are passed over.

use super::{message, received::Frame};
use crate::audio::fsk::{Demodulator, Framed, Framer, Signal, Variant};

/// Marks in a row inside of a message after which it is over: GR-30 2.3.2 allows 10 between two bytes.
const GAP_BITS_MAX: u8 = 40;

/// What came of a transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once in a call; a box would be a heap call")]
pub enum Heard {
    /// A message whose checksum is right.
    Frame(Frame),
    /// A message that cannot be read.
    Garbled,
}

/// The receiver of one line.
#[derive(Clone, Debug)]
pub struct Receiver {
    demodulator: Demodulator,
    bytes: Bytes,
}

#[derive(Clone, Debug)]
struct Bytes {
    framer: Framer,
    frame: Frame,
    /// Bits since the last byte of a message.
    gap: u8,
}

impl Receiver {
    /// A receiver that has heard silence so far.
    #[must_use]
    pub fn new(variant: Variant) -> Self {
        Self {
            demodulator: Demodulator::new(variant),
            bytes: Bytes { framer: Framer::default(), frame: Frame::EMPTY, gap: 0 },
        }
    }

    /// Whether there is a carrier.
    #[must_use]
    pub const fn has_carrier(&self) -> bool {
        self.demodulator.has_carrier()
    }

    /// Takes one period; a message is told in the period in which its checksum ends.
    pub fn feed(&mut self, period: &[i16; 80]) -> Option<Heard> {
        let mut heard = None;
        let bytes = &mut self.bytes;
        self.demodulator.feed(period, &mut |signal| heard = bytes.take(signal).or(heard));
        heard
    }
}

impl Bytes {
    fn take(&mut self, signal: Signal) -> Option<Heard> {
        match signal {
            Signal::Carrier => {
                self.framer.reset();
                self.give_up()
            }
            Signal::Lost => self.give_up(),
            Signal::Bit(mark) => {
                let framed = self.framer.bit(mark);
                self.gap = if self.framer.is_inside_byte() { 0 } else { self.gap.saturating_add(1) };
                match framed {
                    Some(Framed::Byte(byte) | Framed::NoStop(byte)) => self.byte(byte),
                    None if self.gap > GAP_BITS_MAX => self.give_up(),
                    None => None,
                }
            }
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Heard> {
        let is_first = self.frame.bytes().is_empty();
        if is_first && !is_known(byte) {
            return None;
        }
        self.frame.push(byte);
        if !self.frame.is_complete() {
            return None;
        }
        let frame = std::mem::replace(&mut self.frame, Frame::EMPTY);
        Some(if message::sum(frame.bytes()) == 0 { Heard::Frame(frame) } else { Heard::Garbled })
    }

    fn give_up(&mut self) -> Option<Heard> {
        let begun = !std::mem::replace(&mut self.frame, Frame::EMPTY).bytes().is_empty();
        begun.then_some(Heard::Garbled)
    }
}

const fn is_known(kind: u8) -> bool {
    matches!(
        kind,
        message::SDMF | message::SDMF_MESSAGE_WAITING | message::CALL_SETUP | message::MESSAGE_WAITING
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audio::caller_id::{Message, Preamble, tests::caller},
        record::Presentation,
    };

    fn hear(variant: Variant, samples: &[i16]) -> Vec<Heard> {
        let mut receiver = Receiver::new(variant);
        let line = [&[0; 1_001], samples, &[0; 2_000]].concat();
        line.as_chunks().0.iter().filter_map(|period| receiver.feed(period)).collect()
    }

    fn sent(variant: Variant, preamble: Preamble) -> (Message, Vec<i16>) {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        let message = Message::multiple(&id);
        let samples = message.modulate(variant, preamble);
        (message, samples)
    }

    #[test]
    fn a_message_is_read_with_and_without_seizure() {
        for variant in [Variant::Bell202, Variant::V23] {
            for preamble in [Preamble::OnHook, Preamble::OffHook] {
                let (message, samples) = sent(variant, preamble);
                assert_eq!(hear(variant, &samples), [Heard::Frame(Frame::from_bytes(message.bytes()))]);
            }
        }
    }

    #[test]
    fn a_message_that_breaks_off_is_garbled() {
        let (_, samples) = sent(Variant::Bell202, Preamble::OnHook);
        assert_eq!(hear(Variant::Bell202, &samples[..samples.len() - 400]), [Heard::Garbled]);
    }

    #[test]
    fn tones_and_noise_are_not_taken_for_messages() {
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 16) as i16;
        assert_eq!(hear(Variant::Bell202, &(0..800_000).map(noise).collect::<Vec<_>>()), []);
        for hz in [1_200.0, 2_200.0, 1_700.0, 440.0] {
            let tone =
                |n: u16| (f32::sin(f32::from(n) * std::f32::consts::TAU * hz / 8_000.0) * 9_000.0) as i16;
            assert_eq!(hear(Variant::Bell202, &(0..40_000).map(tone).collect::<Vec<_>>()), [], "{hz}");
        }
    }
}
