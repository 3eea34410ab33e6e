//! RTP packets in place (RFC 3550 section 5.1): received ones are read where the kernel put them, sent ones are
//! written behind a header that is built once and patched.

use rtp_rs::RtpReader;
use std::ops::Range;

/// Bytes of a header without contributing sources and extension.
pub const HEADER_BYTES: usize = 12;

/// First byte of a header of version 2 without padding, extension and contributing sources (RFC 3550 5.1).
const ORDINARY: u8 = 2 << 6;

/// What a received packet says, and where its payload lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Begin of a talkspurt or of an event.
    pub marker: bool,
    /// Sequence number; wraps.
    pub seq: u16,
    /// Time of the first sample on the sender's clock, in samples; wraps.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Place of the payload in the datagram, padding left out.
    pub payload: Range<usize>,
}

impl Packet {
    /// Reads the header of `datagram`; `None` if it is not RTP version 2 or is cut short.
    #[inline]
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        match datagram.first_chunk() {
            Some(header) if header[0] == ORDINARY => Some(Self::ordinary(header, datagram.len())),
            Some(_) | None => Self::any(datagram),
        }
    }

    /// A packet whose header is all there is before the payload, which is what telephones send.
    #[inline]
    const fn ordinary(header: &[u8; HEADER_BYTES], len: usize) -> Self {
        let [_, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *header;
        Self {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            payload: HEADER_BYTES..len,
        }
    }

    #[cold]
    fn any(datagram: &[u8]) -> Option<Self> {
        let reader = RtpReader::new(datagram).ok()?;
        let start = reader.payload_offset();
        let padding = usize::from(reader.padding().unwrap_or(0));
        Some(Self {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            seq: u16::from(reader.sequence_number()),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: start..datagram.len() - padding,
        })
    }
}

/// Most samples of one packet that we send: 60 ms of G.711.
pub const MAX_PAYLOAD: usize = 480;

/// A packet under construction: audio is encoded straight behind its header.
#[derive(Debug)]
pub struct Outgoing {
    bytes: [u8; HEADER_BYTES + MAX_PAYLOAD],
    filled: usize,
    target: usize,
    seq: u16,
    /// Time of the first sample of the packet.
    timestamp: u32,
    marker: bool,
}

impl Outgoing {
    /// A stream that begins with sequence number `seq` and `timestamp`.
    #[must_use]
    pub fn new(ssrc: u32, seq: u16, timestamp: u32) -> Self {
        let mut bytes = [0; HEADER_BYTES + MAX_PAYLOAD];
        bytes[0] = ORDINARY;
        bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
        Self { bytes, filled: 0, target: 160, seq, timestamp, marker: true }
    }

    /// Payload type and samples per packet from now on; audio not yet sent is given up if either changes.
    pub fn set_format(&mut self, payload_type: u8, samples: usize) {
        let samples = samples.clamp(1, MAX_PAYLOAD);
        if self.payload_type() != payload_type || self.target != samples {
            self.bytes[1] = payload_type & 0x7f;
            self.target = samples;
            self.give_up();
        }
    }

    /// Where the next `samples` codes belong.
    #[inline]
    pub fn room(&mut self, samples: usize) -> &mut [u8] {
        let start = HEADER_BYTES + self.filled;
        self.filled += samples;
        self.bytes.get_mut(start..start + samples).unwrap_or_default()
    }

    /// The packet, once it is full; the next [`Self::room`] begins another.
    #[inline]
    pub fn finished(&mut self) -> Option<&[u8]> {
        if self.filled < self.target {
            return None;
        }
        self.bytes[1] = self.payload_type() | (u8::from(self.marker) << 7);
        self.bytes[2..4].copy_from_slice(&self.seq.to_be_bytes());
        self.bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        let end = HEADER_BYTES + self.filled;
        self.timestamp = self.timestamp.wrapping_add(self.filled as u32);
        self.seq = self.seq.wrapping_add(1);
        self.filled = 0;
        self.marker = false;
        self.bytes.get(..end)
    }

    /// A telephone-event packet (RFC 4733) of this stream: it takes the next sequence number, but has a timestamp of
    /// its own.
    pub fn event(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: [u8; 4],
    ) -> [u8; HEADER_BYTES + 4] {
        let mut packet = [0; HEADER_BYTES + 4];
        packet[..HEADER_BYTES].copy_from_slice(&self.bytes[..HEADER_BYTES]);
        packet[1] = (payload_type & 0x7f) | (u8::from(marker) << 7);
        packet[2..4].copy_from_slice(&self.seq.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[HEADER_BYTES..].copy_from_slice(&payload);
        self.seq = self.seq.wrapping_add(1);
        packet
    }

    /// Lets `samples` of time pass without sending; audio not yet sent is given up.
    pub fn skip(&mut self, samples: u32) {
        self.give_up();
        self.timestamp = self.timestamp.wrapping_add(samples);
    }

    /// RFC 3551 4.1: the first packet after a silence without packets carries the marker.
    fn give_up(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(self.filled as u32);
        self.filled = 0;
        self.marker = true;
    }

    /// Time of the next sample that belongs into [`Self::room`].
    #[must_use]
    pub const fn now(&self) -> u32 {
        self.timestamp.wrapping_add(self.filled as u32)
    }

    const fn payload_type(&self) -> u8 {
        self.bytes[1] & 0x7f
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtp_rs::RtpPacketBuilder;

    #[test]
    fn contributing_sources_extension_and_padding_are_left_out_of_the_payload() {
        let payload = [1_u8, 2, 3, 4, 5];
        let datagram = RtpPacketBuilder::new()
            .payload_type(8)
            .marked(true)
            .sequence(65_535.into())
            .timestamp(0xdead_beef)
            .ssrc(7)
            .add_csrc(1)
            .add_csrc(2)
            .extension(0xbede, &[0; 8])
            .padded(rtp_rs::Pad::round_to(4))
            .payload(&payload)
            .build()
            .unwrap();
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(datagram[packet.payload.clone()], payload);
        assert!(packet.marker);
        assert_eq!(
            (packet.payload_type, packet.seq, packet.timestamp, packet.ssrc),
            (8, 65_535, 0xdead_beef, 7)
        );
    }

    #[test]
    fn the_ordinary_header_is_read_as_the_library_reads_it() {
        let mut seed = 1_u32;
        for len in (0..200).cycle().take(20_000) {
            let next = |_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            };
            let mut bytes: Vec<u8> = (0..len).map(next).collect();
            bytes.iter_mut().take(1).for_each(|first| *first = ORDINARY);
            assert_eq!(Packet::parse(&bytes), Packet::any(&bytes));
        }
    }

    #[test]
    fn no_datagram_is_read_beyond_its_end() {
        let mut seed = 1_u32;
        for len in (0..64).cycle().take(200_000) {
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            if let Some(packet) = Packet::parse(&bytes) {
                assert_eq!(bytes[0] >> 6, 2);
                assert!(packet.payload.start >= HEADER_BYTES && packet.payload.end <= len);
            }
        }
    }

    #[test]
    fn sent_packets_equal_those_of_the_library() {
        let mut outgoing = Outgoing::new(0x0102_0304, 65_535, u32::MAX - 79);
        outgoing.set_format(8, 160);
        for n in 0..3_u8 {
            for half in 0..2 {
                assert!(outgoing.finished().is_none());
                outgoing.room(80).fill(2 * n + half);
            }
            let payload: Vec<u8> = [[2 * n; 80], [2 * n + 1; 80]].concat();
            let by_the_library = RtpPacketBuilder::new()
                .payload_type(8)
                .marked(n == 0)
                .sequence(65_535_u16.wrapping_add(n.into()).into())
                .timestamp((u32::MAX - 79).wrapping_add(160 * u32::from(n)))
                .ssrc(0x0102_0304)
                .payload(&payload)
                .build()
                .unwrap();
            assert_eq!(outgoing.finished().unwrap(), by_the_library);
        }
    }

    #[test]
    fn after_a_silence_the_time_has_passed_and_the_marker_is_set() {
        let mut outgoing = Outgoing::new(1, 10, 1_000);
        outgoing.set_format(0, 80);
        outgoing.room(80);
        outgoing.finished().unwrap();
        outgoing.skip(800);
        outgoing.room(80);
        let packet = Packet::parse(outgoing.finished().unwrap()).unwrap();
        assert_eq!((packet.seq, packet.timestamp, packet.marker), (11, 1_880, true));
    }
}
