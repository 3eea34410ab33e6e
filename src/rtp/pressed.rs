//! A key pressed on our side, on its way to the peer as a telephone-event (RFC 4733).
//!
//! The event is sent every 20 ms while the key is held and three times when it is released, always under the
//! timestamp at which it began. A key held longer than a duration can say goes on in another segment.

use super::packet::Outgoing;

/// Bytes of a telephone-event packet.
pub const EVENT_BYTES: usize = super::packet::HEADER_BYTES + 4;
/// Samples between two packets of a held key: 20 ms (RFC 4733 2.5.1.2 leaves it to us; this is what all peers expect).
const INTERVAL: u32 = 160;
/// Copies of the last packet (RFC 4733 2.5.1.4).
const LAST_COPIES: u8 = 3;
/// Volume in -dBm0 (RFC 4733 2.3.5).
const VOLUME: u8 = 10;
/// Longest segment: what 16 bits hold (RFC 4733 2.5.1.3).
const SEGMENT: u32 = u16::MAX as u32;

/// One key from its press to the last copy of its release.
#[derive(Clone, Copy, Debug)]
pub struct Pressed {
    code: u8,
    timestamp: u32,
    /// Length of this segment so far.
    samples: u32,
    /// Length that the last packet told.
    told: u32,
    first: bool,
    /// Copies of the last packet that are still to be sent, once the key was released.
    last_copies: Option<u8>,
}

impl Pressed {
    /// A key (event code 0 to 15) that began `samples` ago, by the clock of `outgoing`.
    #[must_use]
    pub const fn new(code: u8, samples: u32, outgoing: &Outgoing) -> Self {
        let timestamp = outgoing.now().wrapping_sub(samples);
        Self { code, timestamp, samples, told: 0, first: true, last_copies: None }
    }

    /// The key was released.
    pub const fn release(&mut self) {
        if self.last_copies.is_none() {
            self.last_copies = Some(LAST_COPIES);
        }
    }

    /// Whether everything was said.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.last_copies, Some(0))
    }

    /// Whether the key is still down.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.last_copies.is_none()
    }

    /// `samples` of time pass; the packet to send, if one is due.
    pub fn pass(
        &mut self,
        samples: u32,
        payload_type: u8,
        outgoing: &mut Outgoing,
    ) -> Option<[u8; EVENT_BYTES]> {
        match &mut self.last_copies {
            Some(0) => return None,
            Some(copies) => *copies -= 1,
            None => {
                self.samples += samples;
                // The first packet goes out at once: the key is known late enough.
                if !self.first && self.samples < self.told + INTERVAL {
                    return None;
                }
            }
        }
        if self.samples > SEGMENT {
            // Another segment begins where the last packet of this one ended.
            self.timestamp = self.timestamp.wrapping_add(self.told);
            self.samples -= self.told;
        }
        self.told = self.samples;
        let end = if self.is_held() { 0 } else { 0x80 };
        let [high, low] = u16::try_from(self.samples).unwrap_or(u16::MAX).to_be_bytes();
        let marker = std::mem::take(&mut self.first);
        Some(outgoing.event(payload_type, marker, self.timestamp, [self.code, end | VOLUME, high, low]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{packet::Packet, telephone_event::Events};

    fn sent(held_periods: u32) -> Vec<(Packet, [u8; 4])> {
        let mut outgoing = Outgoing::new(7, 100, 10_000);
        outgoing.skip(400);
        let mut pressed = Pressed::new(5, 320, &outgoing);
        let mut packets = Vec::new();
        for n in 0.. {
            if n == held_periods {
                pressed.release();
            }
            if let Some(bytes) = pressed.pass(80, 101, &mut outgoing) {
                packets.push((Packet::parse(&bytes).unwrap(), bytes[12..].try_into().unwrap()));
            }
            if pressed.is_over() {
                return packets;
            }
        }
        packets
    }

    #[test]
    fn a_key_is_sent_every_20_ms_and_three_times_at_its_end() {
        let packets = sent(5);
        let durations: Vec<u16> =
            packets.iter().map(|(_, payload)| u16::from_be_bytes([payload[2], payload[3]])).collect();
        assert_eq!(durations, [400, 560, 720, 720, 720, 720]);
        let ends: Vec<bool> = packets.iter().map(|(_, payload)| payload[1] & 0x80 != 0).collect();
        assert_eq!(ends, [false, false, false, true, true, true]);
        assert!(packets.iter().all(|(packet, payload)| packet.timestamp == 10_080 && payload[0] == 5));
        let markers: Vec<bool> = packets.iter().map(|(packet, _)| packet.marker).collect();
        assert_eq!(markers, [true, false, false, false, false, false]);
        assert!(packets.windows(2).all(|two| two[1].0.seq == two[0].0.seq.wrapping_add(1)));
    }

    #[test]
    fn our_own_receiver_hears_one_press_of_the_right_length() {
        for held in [5_u32, 1_000] {
            let mut events = Events::default();
            let told: Vec<_> = sent(held)
                .iter()
                .filter_map(|(packet, payload)| events.packet(packet.timestamp, payload))
                .collect();
            assert_eq!(told.iter().filter(|press| press.first).count(), 1, "{held}");
            let last = told.last().unwrap();
            assert!(last.over);
            assert_eq!(last.samples, 320 + held * 80);
        }
    }
}
