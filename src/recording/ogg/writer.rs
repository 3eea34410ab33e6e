//! Packets to pages (RFC 3533 5, 6), without an allocation once the buffers are warm.
//!
//! Every packet ends on the page it began on, so a file cut after any page is a whole file.

use super::page::{self, HEADER_BYTES};

/// Bytes of packets on one page: twice a second of the encoder's target, and a comment header.
pub const MAX_BODY_BYTES: usize = 8_192;
const MAX_SEGMENTS: usize = 255;

/// The page being filled, and the numbers that run through the stream.
pub struct PageWriter {
    serial: u32,
    sequence: u32,
    granule: u64,
    packets: usize,
    lacing: [u8; MAX_SEGMENTS],
    segments: usize,
    body: Vec<u8>,
}

impl PageWriter {
    /// A writer at the first page of stream `serial`.
    #[must_use]
    pub fn new(serial: u32) -> Self {
        Self {
            serial,
            sequence: 0,
            granule: 0,
            packets: 0,
            lacing: [0; MAX_SEGMENTS],
            segments: 0,
            body: Vec::with_capacity(MAX_BODY_BYTES),
        }
    }

    /// Packets on the page being filled.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// Whether a packet of `length` bytes fits on the page being filled; an empty page takes up to 8,192 bytes.
    #[must_use]
    pub fn fits(&self, length: usize) -> bool {
        self.segments + length / 255 < MAX_SEGMENTS && self.body.len() + length <= MAX_BODY_BYTES
    }

    /// Puts a packet on the page; `granule` is the stream's position after it. Call it only when [`Self::fits`].
    pub fn push(&mut self, packet: &[u8], granule: u64) {
        debug_assert!(self.fits(packet.len()), "the packet does not fit");
        let full = packet.len() / 255;
        self.lacing[self.segments..self.segments + full].fill(255);
        self.lacing[self.segments + full] = u8::try_from(packet.len() % 255).unwrap_or(0);
        self.segments += full + 1;
        self.body.extend_from_slice(packet);
        self.packets += 1;
        self.granule = granule;
    }

    /// Sets the position after the last packet, to trim what a decoder is not to play (RFC 7845 4.4).
    pub fn trim(&mut self, granule: u64) {
        self.granule = granule;
    }

    /// Appends the page to `out` and begins the next one.
    pub fn end_page(&mut self, flags: u8, out: &mut Vec<u8>) {
        let start = out.len();
        let segments = u8::try_from(self.segments).unwrap_or(u8::MAX);
        out.reserve(HEADER_BYTES + self.segments + self.body.len());
        out.extend_from_slice(b"OggS\0");
        out.push(flags);
        out.extend_from_slice(&self.granule.to_le_bytes());
        out.extend_from_slice(&self.serial.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(segments);
        out.extend_from_slice(&self.lacing[..self.segments]);
        out.extend_from_slice(&self.body);
        page::seal(&mut out[start..]);
        self.sequence += 1;
        (self.packets, self.segments) = (0, 0);
        self.body.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::{BEGIN_OF_STREAM, END_OF_STREAM, Page, PageError};
    use super::*;

    fn page_of(lengths: &[usize]) -> Vec<u8> {
        let mut writer = PageWriter::new(7);
        for &length in lengths {
            assert!(writer.fits(length));
            writer.push(&vec![u8::try_from(length % 251).unwrap(); length], 960);
        }
        let mut out = Vec::new();
        writer.end_page(BEGIN_OF_STREAM, &mut out);
        out
    }

    #[test]
    fn packets_of_every_lacing_shape_read_back() {
        let lengths = [0, 1, 254, 255, 256, 509, 510, 511, 1_000];
        let bytes = page_of(&lengths);
        let page = Page::parse(&bytes).unwrap();
        assert_eq!(page.packets().map(<[u8]>::len).collect::<Vec<_>>(), lengths);
        assert_eq!((page.serial(), page.sequence(), page.granule()), (7, 0, 960));
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&bytes));
        for length in lengths {
            assert_eq!(
                reader.read_packet().unwrap().unwrap().data.len(),
                length,
                "as another reader sees it"
            );
        }
    }

    #[test]
    fn a_page_is_full_at_255_segments_or_8_kib() {
        let mut writer = PageWriter::new(1);
        (0..255).for_each(|_| writer.push(&[0], 0));
        assert!(!writer.fits(0));
        let mut writer = PageWriter::new(1);
        (0..8).for_each(|_| writer.push(&[0; 1_000], 0));
        assert!(writer.fits(192) && !writer.fits(193));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = page_of(&[80, 300]);
        for at in 0..bytes.len() {
            assert!(Page::parse(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(Page::parse(&flipped).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn a_page_made_the_last_one_is_still_whole() {
        let bytes = page_of(&[10]);
        let last = Page::parse(&bytes).unwrap().to_last();
        assert_eq!(Page::parse(&last).unwrap().flags(), BEGIN_OF_STREAM | END_OF_STREAM);
        assert_eq!(Page::parse(b"RIFF and more than twenty-seven bytes").unwrap_err(), PageError::Foreign);
    }
}
