//! Telephone-events (RFC 4733): keys pressed on the far side, as the peer reports them.
//!
//! An event is named by its RTP timestamp. It is repeated while the key is held and three times when it is released;
//! any of these packets may be lost, so each of them is enough to begin the event, and each last one to end it.

/// Event codes below this one are keys: 0–9, `*`, `#`, A–D (RFC 4733 section 3.2).
const KEYS: u8 = 16;
/// An event that began at most this much before the last one (2 s) is an old one that was overtaken.
const STALE: u32 = 16_000;

/// A key that is or was pressed, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// Event code of the key, 0 to 15.
    pub code: u8,
    /// Whether this is the first that is heard of it.
    pub first: bool,
    /// Length so far, in samples.
    pub samples: u32,
    /// Whether it was released.
    pub over: bool,
}

/// Follows the events of one stream.
#[derive(Debug, Default)]
pub struct Events {
    last: Option<Event>,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    code: u8,
    /// Names the event, or its last segment if it is longer than 8 s (RFC 4733 section 2.5.1.3).
    timestamp: u32,
    /// Samples of the earlier segments.
    before: u32,
    /// Samples of this segment so far.
    samples: u32,
    over: bool,
}

impl Events {
    /// Takes one packet; `None` if it says nothing new, is not a key, or is malformed.
    pub fn packet(&mut self, timestamp: u32, payload: &[u8]) -> Option<Press> {
        let &[code, flags, high, low, ..] = payload else { return None };
        if code >= KEYS {
            return None;
        }
        let samples = u32::from(u16::from_be_bytes([high, low]));
        let fresh = Event { code, timestamp, before: 0, samples, over: flags & 0x80 != 0 };
        let known = self.last;
        let event = match known {
            Some(known) if known.timestamp == timestamp => known.updated(fresh)?,
            Some(known) if known.continues_in(fresh) => {
                Event { before: known.before + known.samples, ..fresh }
            }
            Some(known) if known.timestamp.wrapping_sub(timestamp) < STALE => return None,
            Some(_) | None => fresh,
        };
        self.last = Some(event);
        let first = !known.is_some_and(|known| known.timestamp == timestamp || known.continues_in(fresh));
        Some(Press { code: event.code, first, samples: event.before + event.samples, over: event.over })
    }
}

impl Event {
    /// The event after another packet of it; `None` if it was over before.
    fn updated(self, packet: Self) -> Option<Self> {
        let samples = self.samples.max(packet.samples);
        (!self.over).then_some(Self { samples, over: packet.over, ..self })
    }

    /// A segment that begins where the one before ends is the same press.
    const fn continues_in(&self, packet: Self) -> bool {
        let end = self.timestamp.wrapping_add(self.samples);
        !self.over && self.code == packet.code && end == packet.timestamp && self.samples > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(code: u8, samples: u16, end: bool) -> [u8; 4] {
        let [high, low] = samples.to_be_bytes();
        [code, if end { 0x8a } else { 0x0a }, high, low]
    }

    #[test]
    fn one_press_is_told_once_and_ends_once() {
        let mut events = Events::default();
        let mut told = Vec::new();
        for samples in [160, 320, 480] {
            told.extend(events.packet(5_000, &payload(5, samples, false)));
        }
        for _ in 0..3 {
            told.extend(events.packet(5_000, &payload(5, 640, true)));
        }
        let firsts: Vec<bool> = told.iter().map(|press| press.first).collect();
        assert_eq!(firsts, [true, false, false, false]);
        assert_eq!(told.last(), Some(&Press { code: 5, first: false, samples: 640, over: true }));
    }

    #[test]
    fn any_single_packet_of_a_press_is_enough() {
        let mut events = Events::default();
        let press = events.packet(5_000, &payload(11, 800, true));
        assert_eq!(press, Some(Press { code: 11, first: true, samples: 800, over: true }));
        assert_eq!(events.packet(5_000, &payload(11, 640, false)), None);
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        let mut events = Events::default();
        assert!(events.packet(1_000, &payload(1, 400, true)).unwrap().first);
        assert!(events.packet(2_000, &payload(1, 160, false)).unwrap().first);
        assert_eq!(events.packet(1_000, &payload(1, 400, true)), None, "an old packet comes last");
    }

    #[test]
    fn a_press_longer_than_a_segment_is_one_press() {
        let mut events = Events::default();
        events.packet(0, &payload(0, u16::MAX, false));
        let press = events.packet(65_535, &payload(0, 1_000, true)).unwrap();
        assert_eq!(press, Press { code: 0, first: false, samples: 66_535, over: true });
    }

    #[test]
    fn what_is_not_a_key_or_cut_short_says_nothing() {
        let mut events = Events::default();
        assert_eq!(events.packet(0, &payload(16, 160, false)), None);
        assert_eq!(events.packet(0, &[1, 0, 0]), None);
    }
}
