//! The receive buffers of a playout buffer, and which packet lies in which.
//!
//! A packet is filed by sequence number modulo [`PLACES`], by swapping the buffer that it was received into against
//! the one of its place. What was played stays where it is until its place is needed again: concealment reads its
//! history there.

use crate::rtp::packet::Packet;

/// Packets that are kept: a power of two. 240 ms of packets of 10 ms wait at most, and some that were played.
pub(super) const PLACES: usize = 32;
/// Bytes of a receive buffer: 60 ms of G.711 with any sensible header. A datagram that fills it was cut.
pub const BUFFER_BYTES: usize = 640;

/// What a place knows of the packet that was last filed in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) state: State,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    start: u16,
    /// Samples of audio; 0 for a packet without.
    pub(super) samples: u16,
    /// Index of its buffer.
    buffer: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was filed since the stream began.
    Unused,
    /// Audio that waits.
    Waiting,
    /// Audio that was played or skipped, or a packet without audio.
    Over,
}

impl Place {
    pub(super) const fn end(&self) -> u32 {
        self.timestamp.wrapping_add(self.samples as u32)
    }
}

/// Buffers and places; one buffer more than places, which receives.
#[derive(Debug)]
pub(super) struct Slots {
    buffers: Box<[[u8; BUFFER_BYTES]; PLACES + 1]>,
    /// By sequence number, modulo [`PLACES`].
    pub(super) places: [Place; PLACES],
    /// The buffer that receives next.
    spare: u8,
}

impl Default for Slots {
    fn default() -> Self {
        let place =
            |n| Place { state: State::Unused, seq: 0, timestamp: 0, start: 0, samples: 0, buffer: n as u8 };
        Self {
            buffers: Box::new([[0; BUFFER_BYTES]; PLACES + 1]),
            places: std::array::from_fn(place),
            spare: PLACES as u8,
        }
    }
}

impl Slots {
    #[inline]
    pub(super) fn rx_buf(&mut self) -> &mut [u8] {
        &mut self.buffers[usize::from(self.spare)]
    }

    /// The first `len` bytes received; none if the datagram may have been cut.
    #[inline]
    pub(super) fn received(&self, len: usize) -> &[u8] {
        let len = if len < BUFFER_BYTES { len } else { 0 };
        &self.buffers[usize::from(self.spare)][..len]
    }

    #[inline]
    pub(super) fn place(&mut self, index: u8) -> &mut Place {
        &mut self.places[usize::from(index) % PLACES]
    }

    /// `samples` codes of the packet in a place, from `offset` on.
    #[inline]
    pub(super) fn codes(&self, index: u8, offset: usize, samples: usize) -> &[u8] {
        let place = &self.places[usize::from(index) % PLACES];
        let start = usize::from(place.start) + offset;
        self.buffers[usize::from(place.buffer)].get(start..start + samples).unwrap_or_default()
    }

    /// Swaps the receive buffer into the packet's place; one byte of payload is one sample of audio.
    #[inline]
    pub(super) fn put(&mut self, state: State, packet: &Packet) {
        let place = &mut self.places[usize::from(packet.seq) % PLACES];
        let buffer = std::mem::replace(&mut self.spare, place.buffer);
        *place = Place {
            state,
            seq: packet.seq,
            timestamp: packet.timestamp,
            start: packet.payload.start as u16,
            samples: packet.payload.len() as u16,
            buffer,
        };
    }

    /// Remembers a packet that is not played, unless that would cost one that is.
    pub(super) fn remember(&mut self, packet: &Packet, is_audio: bool) {
        if self.places[usize::from(packet.seq) % PLACES].state != State::Waiting {
            self.put(State::Over, packet);
            if !is_audio {
                self.places[usize::from(packet.seq) % PLACES].samples = 0;
            }
        }
    }

    #[inline]
    pub(super) fn knows(&self, seq: u16) -> bool {
        let place = &self.places[usize::from(seq) % PLACES];
        place.seq == seq && place.state != State::Unused
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.places.iter().enumerate().filter(|(_, place)| place.state == State::Waiting)
    }

    /// Copies the codes from `timestamp` on, as far as they are here without a gap; returns how many.
    pub(super) fn copy_from(&self, timestamp: u32, out: &mut [u8]) -> usize {
        let mut copied = 0;
        while copied < out.len() {
            let at = timestamp.wrapping_add(copied as u32);
            let Some((index, offset)) = self.find(at) else { break };
            let left = usize::from(self.places[index].samples) - offset;
            let some = left.min(out.len() - copied);
            out[copied..copied + some].copy_from_slice(self.codes(index as u8, offset, some));
            copied += some;
        }
        copied
    }

    /// Copies the codes before `timestamp` into the end of `out`, as far back as they are here without a gap; returns
    /// how many.
    pub(super) fn copy_before(&self, timestamp: u32, out: &mut [u8]) -> usize {
        let mut copied = 0;
        while copied < out.len() {
            let at = timestamp.wrapping_sub(copied as u32 + 1);
            let Some((index, offset)) = self.find(at) else { break };
            let some = (offset + 1).min(out.len() - copied);
            let end = out.len() - copied;
            out[end - some..end].copy_from_slice(self.codes(index as u8, offset + 1 - some, some));
            copied += some;
        }
        copied
    }

    /// The place that holds the sample of time `at`, and where in it.
    fn find(&self, at: u32) -> Option<(usize, usize)> {
        self.places.iter().enumerate().find_map(|(index, place)| {
            let offset = at.wrapping_sub(place.timestamp) as usize;
            let holds = place.state != State::Unused && offset < usize::from(place.samples);
            holds.then_some((index, offset))
        })
    }
}
