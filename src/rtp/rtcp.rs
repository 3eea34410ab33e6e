//! RTCP packets on the wire (RFC 3550 section 6): what a peer says is read in place, what we say is written into a
//! fixed buffer.
//!
//! `rtcp-types` reads sender reports, receiver reports and goodbyes; its builders and its reader of source descriptions
//! allocate, so the former are for tests and the latter are passed over: a name is of no use to a telephone.
#![deny(clippy::indexing_slicing)]

use super::ntp::NtpTime;
use rtcp_types::{Bye, ReceiverReport, ReportBlock, SenderReport, prelude::*};

/// Longest datagram that is read: an Ethernet frame without fragments.
pub const MAX_DATAGRAM: usize = 1_472;
/// Packets in one compound that are looked at: a peer of one stream sends three.
const MAX_PACKETS: usize = 16;
/// Bytes of the longest compound that we send.
pub const MAX_COMPOUND: usize = 28 + BLOCK_BYTES + 28 + 8;
const BLOCK_BYTES: usize = 24;

/// Packet types (RFC 3550 12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// Item of a source description: the canonical name (RFC 3550 6.5.1).
const CNAME_ITEM: u8 = 1;

/// What one side says about a stream of the other (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Source of the stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all; negative if second copies outnumber the lost. 24 bits.
    pub lost: i32,
    /// Highest sequence number, extended by the count of wraps.
    pub highest: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report received; 0 if none was.
    pub last_sr: u32,
    /// Time from its arrival to this report, in 1/65,536 s.
    pub delay_since_last_sr: u32,
}

/// What a sender says about its own stream (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// When the report was sent.
    pub at: NtpTime,
    /// The same moment on the stream's clock.
    pub timestamp: u32,
    /// Packets sent so far; wraps.
    pub packets: u32,
    /// Payload bytes sent so far; wraps.
    pub octets: u32,
}

/// What a peer's compound packet says to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Source of who reports.
    pub ssrc: u32,
    /// About the peer's stream, if it sends.
    pub sender: Option<Sender>,
    /// About our stream, if it was received.
    pub block: Option<Block>,
    /// Whether the peer leaves.
    pub leaves: bool,
}

/// Whether a datagram on a shared port is RTCP (RFC 5761 4): packet types 192 to 223, which RTP would read as payload
/// types 64 to 95.
#[inline]
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|packet_type| (192..=223).contains(packet_type))
}

impl Heard {
    /// Reads a compound packet of one sender; `ours` is the source of our stream.
    ///
    /// `None` if it is not well-formed in every packet, longer than [`MAX_DATAGRAM`], or does not begin with a report
    /// (RFC 3550 A.2).
    #[must_use]
    pub fn parse(datagram: &[u8], ours: u32) -> Option<Self> {
        if datagram.len() > MAX_DATAGRAM {
            return None;
        }
        let (first, mut rest) = split(datagram)?;
        let mut heard = Self::begin(first)?;
        heard.report(first, ours)?;
        for _ in 1..MAX_PACKETS {
            if rest.is_empty() {
                return Some(heard);
            }
            let (packet, behind) = split(rest)?;
            heard.report(packet, ours)?;
            rest = behind;
        }
        rest.is_empty().then_some(heard)
    }

    /// The first packet is a report, even if it is empty, and is never padded unless it is alone.
    fn begin(first: &[u8]) -> Option<Self> {
        let ssrc = match packet_type(first)? {
            SENDER_REPORT => SenderReport::parse(first).ok()?.ssrc(),
            RECEIVER_REPORT => ReceiverReport::parse(first).ok()?.ssrc(),
            _ => return None,
        };
        Some(Self { ssrc, sender: None, block: None, leaves: false })
    }

    /// Takes one packet of the compound; what is of no use is passed over.
    fn report(&mut self, packet: &[u8], ours: u32) -> Option<()> {
        match packet_type(packet)? {
            SENDER_REPORT => {
                let report = SenderReport::parse(packet).ok()?;
                // A mixer may speak for others; the first sender is the peer.
                if report.ssrc() == self.ssrc {
                    self.sender = Some(Sender::from(&report));
                }
                self.find(report.report_blocks(), ours);
            }
            RECEIVER_REPORT => self.find(ReceiverReport::parse(packet).ok()?.report_blocks(), ours),
            GOODBYE => self.leaves |= Bye::parse(packet).ok()?.ssrcs().any(|ssrc| ssrc == self.ssrc),
            _ => {}
        }
        Some(())
    }

    fn find<'a>(&mut self, mut blocks: impl Iterator<Item = ReportBlock<'a>>, ours: u32) {
        if let Some(block) = blocks.find(|block| block.ssrc() == ours) {
            self.block = Some(Block::from(&block));
        }
    }
}

impl From<&SenderReport<'_>> for Sender {
    fn from(report: &SenderReport<'_>) -> Self {
        Self {
            at: NtpTime(report.ntp_timestamp()),
            timestamp: report.rtp_timestamp(),
            packets: report.packet_count(),
            octets: report.octet_count(),
        }
    }
}

impl From<&ReportBlock<'_>> for Block {
    fn from(block: &ReportBlock<'_>) -> Self {
        Self {
            ssrc: block.ssrc(),
            fraction_lost: block.fraction_lost(),
            // The sign of 24 bits.
            lost: ((block.cumulative_lost() << 8) as i32) >> 8,
            highest: block.extended_sequence_number(),
            jitter: block.interarrival_jitter(),
            last_sr: block.last_sender_report_timestamp(),
            delay_since_last_sr: block.delay_since_last_sender_report_timestamp(),
        }
    }
}

/// The first packet of a compound, and what is behind it. Only the last one may be padded (RFC 3550 6.4.1).
fn split(compound: &[u8]) -> Option<(&[u8], &[u8])> {
    let &[flags, _, high, low, ..] = compound else { return None };
    let bytes = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, behind) = compound.split_at_checked(bytes)?;
    let padded = flags & 0x20 != 0;
    let is_sound = flags >> 6 == 2 && (!padded || (behind.is_empty() && is_padding(packet)));
    is_sound.then_some((packet, behind))
}

/// The last byte counts the padding, itself included, and leaves the header.
fn is_padding(packet: &[u8]) -> bool {
    packet.last().is_some_and(|&bytes| bytes > 0 && bytes % 4 == 0 && usize::from(bytes) + 4 <= packet.len())
}

fn packet_type(packet: &[u8]) -> Option<u8> {
    packet.get(1).copied()
}

/// The name of a call's stream: 96 random bits in base64, without a word about the box (RFC 7022 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cname([u8; 16]);

impl Cname {
    /// The name that the lower 96 bits of `random` make.
    #[must_use]
    pub fn new(random: u128) -> Self {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |place: usize| {
            let six = (random >> (6 * place)) as usize & 63;
            DIGITS.get(six).copied().unwrap_or(b'A')
        };
        Self(std::array::from_fn(digit))
    }
}

/// What we say: a report, our name, and a goodbye at the end.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Source of our stream.
    pub ssrc: u32,
    /// About our stream, if we send: that makes it a sender report.
    pub sender: Option<Sender>,
    /// About the peer's stream, if it was received.
    pub block: Option<Block>,
    /// Our name.
    pub cname: &'a Cname,
    /// Whether we leave.
    pub leaves: bool,
}

impl Statement<'_> {
    /// Writes the compound packet and returns its bytes.
    pub fn write<'b>(&self, out: &'b mut [u8; MAX_COMPOUND]) -> &'b [u8] {
        let mut writer = Writer { out, at: 0 };
        self.write_report(&mut writer);
        // One chunk: source, CNAME, and zeros up to the next word, at least one.
        writer.header(1, SOURCE_DESCRIPTION, 4 + 2 + 16 + 2);
        writer.word(self.ssrc);
        writer.put(&[CNAME_ITEM, 16]);
        writer.put(&self.cname.0);
        writer.put(&[0, 0]);
        if self.leaves {
            writer.header(1, GOODBYE, 4);
            writer.word(self.ssrc);
        }
        let Writer { out, at } = writer;
        out.get(..at).unwrap_or_default()
    }

    fn write_report(&self, writer: &mut Writer<'_>) {
        let blocks = if self.block.is_some() { BLOCK_BYTES } else { 0 };
        let count = u8::from(self.block.is_some());
        match self.sender {
            Some(Sender { at, timestamp, packets, octets }) => {
                writer.header(count, SENDER_REPORT, 24 + blocks);
                writer.word(self.ssrc);
                writer.put(&at.0.to_be_bytes());
                [timestamp, packets, octets].into_iter().for_each(|word| writer.word(word));
            }
            None => {
                writer.header(count, RECEIVER_REPORT, 4 + blocks);
                writer.word(self.ssrc);
            }
        }
        if let Some(block) = self.block {
            let lost = block.lost as u32 & 0xff_ffff;
            writer.word(block.ssrc);
            writer.word(u32::from(block.fraction_lost) << 24 | lost);
            let times = [block.last_sr, block.delay_since_last_sr];
            [block.highest, block.jitter].into_iter().chain(times).for_each(|word| writer.word(word));
        }
    }
}

/// Fills the buffer from its start; it is long enough for every statement.
struct Writer<'b> {
    out: &'b mut [u8; MAX_COMPOUND],
    at: usize,
}

impl Writer<'_> {
    fn header(&mut self, count: u8, packet_type: u8, bytes_behind: usize) {
        let [.., high, low] = (bytes_behind / 4).to_be_bytes();
        self.put(&[2 << 6 | count, packet_type, high, low]);
    }

    fn word(&mut self, word: u32) {
        self.put(&word.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if let Some(place) = self.out.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
            self.at = end;
        }
        debug_assert_eq!(self.at, end, "the buffer holds the longest statement");
    }
}

#[cfg(test)]
#[path = "rtcp/tests.rs"]
#[allow(clippy::indexing_slicing, reason = "a test that is wrong may panic")]
mod tests;
