//! The playout buffer: received packets, in the order of the sender's clock, read out by the line's clock.
//!
//! Its slots are the receive buffers. The kernel writes a datagram into [`Playout::rx_buf`], [`Playout::file`] swaps
//! that buffer into place by sequence number, and [`Playout::pull`] lends the payload to the codec: no byte is copied.
//!
//! There is one timeline, in samples of the sender's clock, that moves with every sample pulled, whether it was there
//! or not. The first packet sets it so that it plays [`DEPTH`] later. Loss, silence without packets and reordering
//! need no state: what is not there when its time comes is missing. The timeline is set anew when packets are
//! persistently overdue, when a talkspurt begins overdue, when more than [`MAX_AHEAD`] is waiting, or when the
//! sender's clock jumps.

use super::packet::Packet;

/// Samples between the arrival of a stream's first packet and its playout: 40 ms.
pub const DEPTH: u32 = 320;
/// Most samples that may wait: 200 ms. A sender that is quicker than the line skips ahead here.
pub const MAX_AHEAD: u32 = 1_600;
/// Packets that may wait: [`MAX_AHEAD`] in packets of 10 ms, and room for their like; a power of two.
const PLACES: usize = 32;
/// Bytes of a receive buffer: 60 ms of G.711 with any sensible header. A datagram that fills it was cut.
pub const BUFFER_BYTES: usize = 640;
/// Farther from the timeline than this (2 s), a packet is not early or late, but its sender's clock jumped.
const JUMP: u32 = 16_000;
/// Samples for which every packet must be overdue until the timeline gives in: 100 ms.
const OVERDUE: u64 = 800;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It waits for its time.
    Waits,
    /// Its time is over; it is dropped.
    Late,
    /// It was here before; it is dropped.
    Duplicate,
}

/// The next stretch of the timeline, never longer than asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Payload bytes, one for each sample; at least one.
    Audio(&'a [u8]),
    /// So many samples that are not there; at least one.
    Missing(usize),
}

/// What a place knows of the packet that was last filed in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    seq: u16,
    timestamp: u32,
    start: u16,
    samples: u16,
    /// Index of its buffer.
    buffer: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was filed since the stream began.
    Unused,
    /// Audio that waits.
    Waiting,
    /// Audio that was played or skipped, or a packet without audio.
    Over,
}

/// A playout buffer of fixed size; see the module.
#[derive(Debug)]
pub struct Playout {
    buffers: Box<[[u8; BUFFER_BYTES]; PLACES + 1]>,
    /// By sequence number, modulo [`PLACES`].
    places: [Place; PLACES],
    /// The buffer that receives next.
    spare: u8,
    /// The place that probably holds the next sample.
    head: u8,
    /// Whether the timeline is set.
    running: bool,
    /// Time of the next sample to be pulled, on the sender's clock.
    now: u32,
    /// Samples pulled in all: the line's own time.
    pulled: u64,
    /// When the packets began to be overdue, if the last one was.
    overdue_since: Option<u64>,
}

impl Default for Playout {
    fn default() -> Self {
        let place =
            |n| Place { state: State::Unused, seq: 0, timestamp: 0, start: 0, samples: 0, buffer: n as u8 };
        Self {
            buffers: Box::new([[0; BUFFER_BYTES]; PLACES + 1]),
            places: std::array::from_fn(place),
            spare: PLACES as u8,
            head: 0,
            running: false,
            now: 0,
            pulled: 0,
            overdue_since: None,
        }
    }
}

impl Playout {
    /// Where the next datagram is to be received.
    #[inline]
    pub fn rx_buf(&mut self) -> &mut [u8] {
        &mut self.buffers[usize::from(self.spare)]
    }

    /// The first `len` bytes received into [`Self::rx_buf`]; none if the datagram may have been cut.
    #[inline]
    #[must_use]
    pub fn received(&self, len: usize) -> &[u8] {
        let len = if len < BUFFER_BYTES { len } else { 0 };
        &self.buffers[usize::from(self.spare)][..len]
    }

    /// Samples from the next one to be pulled to the end of what waits; at most [`MAX_AHEAD`] and one packet.
    #[must_use]
    pub fn ahead(&self) -> u32 {
        self.waiting().map(|(_, place)| place.end().wrapping_sub(self.now)).max().unwrap_or(0)
    }

    /// Forgets all packets and the timeline: another stream begins.
    pub fn reset(&mut self) {
        self.places.iter_mut().for_each(|place| place.state = State::Unused);
        self.running = false;
        self.overdue_since = None;
    }

    /// Files the packet that was just received; one byte of payload is one sample.
    #[inline]
    pub fn file(&mut self, packet: &Packet) -> Filed {
        if self.knows(packet.seq) {
            return Filed::Duplicate;
        }
        if !self.running {
            self.set_timeline(packet.timestamp);
        }
        let mut ahead = packet.timestamp.wrapping_sub(self.now) as i32;
        if self.must_yield(packet.marker, ahead) {
            self.set_timeline(packet.timestamp);
            ahead = DEPTH as i32;
        }
        if ahead.saturating_add_unsigned(packet.payload.len() as u32) <= 0 {
            self.remember(packet);
            return Filed::Late;
        }
        self.put(State::Waiting, packet);
        Filed::Waits
    }

    /// Notes a packet of the stream that carries no audio, so that a second copy of it is known.
    pub fn note(&mut self, packet: &Packet) -> Filed {
        if self.knows(packet.seq) {
            return Filed::Duplicate;
        }
        self.remember(packet);
        Filed::Waits
    }

    /// The next at most `want` samples, at least one; the timeline moves by what is returned.
    #[inline]
    pub fn pull(&mut self, want: usize) -> Piece<'_> {
        let place = &self.places[usize::from(self.head) % PLACES];
        let offset = self.now.wrapping_sub(place.timestamp) as usize;
        if place.state == State::Waiting && offset < usize::from(place.samples) {
            return self.pull_audio(offset, want);
        }
        match self.search() {
            Due::At(offset) => self.pull_audio(usize::from(offset), want),
            Due::In(gap) => self.pull_nothing(want.min(gap as usize)),
            Due::Nothing => self.pull_nothing(want),
        }
    }

    /// At most `want` samples of the packet at the head, from `offset` on.
    #[inline]
    fn pull_audio(&mut self, offset: usize, want: usize) -> Piece<'_> {
        let place = &mut self.places[usize::from(self.head) % PLACES];
        let left = usize::from(place.samples) - offset;
        let samples = left.min(want);
        if samples == left {
            place.state = State::Over;
            self.head = (self.head + 1) % PLACES as u8;
        }
        let start = usize::from(place.start) + offset;
        self.now = self.now.wrapping_add(samples as u32);
        self.pulled += samples as u64;
        Piece::Audio(&self.buffers[usize::from(place.buffer)][start..start + samples])
    }

    fn pull_nothing(&mut self, samples: usize) -> Piece<'_> {
        self.skip(samples as u32);
        Piece::Missing(samples)
    }

    /// Lets `samples` of the timeline pass unheard: the line's clock jumped.
    pub fn skip(&mut self, samples: u32) {
        self.now = self.now.wrapping_add(samples);
        self.pulled += u64::from(samples);
    }

    /// Whether the timeline must follow a packet that begins `ahead` of it.
    fn must_yield(&mut self, marker: bool, ahead: i32) -> bool {
        if ahead >= 0 {
            self.overdue_since = None;
            return ahead.unsigned_abs() > MAX_AHEAD;
        }
        let since = *self.overdue_since.get_or_insert(self.pulled);
        marker || ahead.unsigned_abs() > JUMP || self.pulled - since >= OVERDUE
    }

    /// Sets the timeline so that `timestamp` plays in [`DEPTH`] samples. What waits stays if it still fits.
    fn set_timeline(&mut self, timestamp: u32) {
        self.running = true;
        self.overdue_since = None;
        self.now = timestamp.wrapping_sub(DEPTH);
        let now = self.now;
        for place in self.places.iter_mut().filter(|place| place.state == State::Waiting) {
            if place.end().wrapping_sub(now) > MAX_AHEAD {
                place.state = State::Over;
            }
        }
    }

    /// Swaps the receive buffer into the packet's place.
    fn put(&mut self, state: State, packet: &Packet) {
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
    fn remember(&mut self, packet: &Packet) {
        if self.places[usize::from(packet.seq) % PLACES].state != State::Waiting {
            self.put(State::Over, packet);
        }
    }

    fn knows(&self, seq: u16) -> bool {
        let place = &self.places[usize::from(seq) % PLACES];
        place.seq == seq && place.state != State::Unused
    }

    fn waiting(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.places.iter().enumerate().filter(|(_, place)| place.state == State::Waiting)
    }

    /// What the next sample is, where the next packet in sequence is not the next in time: loss, a gap, the begin. If
    /// it is audio, `head` is its place.
    #[cold]
    fn search(&mut self) -> Due {
        for place in self.places.iter_mut().filter(|place| place.state == State::Waiting) {
            if (place.end().wrapping_sub(self.now) as i32) <= 0 {
                place.state = State::Over;
            }
        }
        let gap_of = |place: &Place| place.timestamp.wrapping_sub(self.now) as i32;
        let Some((index, place)) = self.waiting().min_by_key(|(_, place)| gap_of(place)) else {
            return Due::Nothing;
        };
        let gap = gap_of(place);
        self.head = index as u8;
        if gap > 0 { Due::In(gap.unsigned_abs()) } else { Due::At(gap.unsigned_abs() as u16) }
    }
}

impl Place {
    const fn end(&self) -> u32 {
        self.timestamp.wrapping_add(self.samples as u32)
    }
}

/// What the next sample is.
enum Due {
    /// Audio, from this sample of the packet at the head on.
    At(u16),
    /// Audio, after so many samples.
    In(u32),
    /// Nothing that is known of.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::HEADER_BYTES;

    /// A stream whose samples count up, so that each pulled byte tells where it came from.
    struct Stream {
        playout: Playout,
    }

    impl Stream {
        fn new() -> Self {
            Self { playout: Playout::default() }
        }

        fn file(&mut self, seq: u16, timestamp: u32, samples: usize) -> Filed {
            self.file_marked(false, seq, timestamp, samples)
        }

        fn file_marked(&mut self, marker: bool, seq: u16, timestamp: u32, samples: usize) -> Filed {
            let codes = (0..samples).map(|n| timestamp.wrapping_add(n as u32) as u8);
            let room = self.playout.rx_buf();
            room[HEADER_BYTES..].iter_mut().zip(codes).for_each(|(byte, code)| *byte = code);
            let payload = HEADER_BYTES..HEADER_BYTES + samples;
            self.playout.file(&Packet { payload_type: 0, marker, seq, timestamp, ssrc: 1, payload })
        }

        /// 10 ms; `None` where a sample is missing.
        fn period(&mut self) -> Vec<Option<u8>> {
            let mut out = Vec::new();
            while out.len() < 80 {
                match self.playout.pull(80 - out.len()) {
                    Piece::Audio(bytes) => out.extend(bytes.iter().map(|&b| Some(b))),
                    Piece::Missing(samples) => out.extend(std::iter::repeat_n(None, samples)),
                }
            }
            assert_eq!(out.len(), 80);
            out
        }

        fn periods(&mut self, count: usize) -> Vec<Option<u8>> {
            (0..count).flat_map(|_| self.period()).collect()
        }
    }

    fn counting(from: u32, samples: u32) -> Vec<Option<u8>> {
        (from..from + samples).map(|n| Some(n as u8)).collect()
    }

    #[test]
    fn the_first_packet_plays_after_the_depth() {
        let mut stream = Stream::new();
        assert_eq!(stream.period(), [None; 80]);
        stream.file(7, 1_000, 160);
        assert_eq!(stream.periods(4), [None; 320]);
        assert_eq!(stream.periods(2), counting(1_000, 160));
        assert_eq!(stream.period(), [None; 80]);
    }

    #[test]
    fn every_packet_time_from_10_to_60_ms_plays_without_a_seam() {
        for ms in [10, 20, 30, 40, 60_u32] {
            let (mut stream, mut played) = (Stream::new(), Vec::new());
            for period in 0..120_u32 {
                if (period * 10).is_multiple_of(ms) {
                    let n = period * 10 / ms;
                    assert_eq!(stream.file(n as u16, n * ms * 8, ms as usize * 8), Filed::Waits);
                }
                played.extend(stream.period());
            }
            assert_eq!(played[320..], counting(0, 120 * 80 - 320), "{ms} ms");
        }
    }

    #[test]
    fn packets_of_odd_size_and_a_timestamp_that_wraps_play_without_a_seam() {
        let (mut stream, mut played) = (Stream::new(), Vec::new());
        let start = u32::MAX - 500;
        for n in 0..40_u16 {
            stream.file(65_520_u16.wrapping_add(n), start.wrapping_add(u32::from(n) * 97), 97);
            played.extend(stream.period());
        }
        let expected: Vec<_> = (0..40 * 80 - 320).map(|n| Some(start.wrapping_add(n) as u8)).collect();
        assert_eq!(played[320..], expected);
    }

    #[test]
    fn a_packet_that_was_overtaken_plays_in_its_place() {
        let mut stream = Stream::new();
        for n in [1_u16, 0, 3, 2] {
            assert_eq!(stream.file(100 + n, u32::from(n) * 160, 160), Filed::Waits);
        }
        assert_eq!(stream.periods(2), [None; 160]);
        assert_eq!(stream.periods(8), counting(0, 640));
    }

    #[test]
    fn a_lost_packet_leaves_exactly_its_own_gap() {
        let mut stream = Stream::new();
        for n in [0_u16, 2] {
            stream.file(n, u32::from(n) * 160, 160);
        }
        stream.periods(4);
        let played = stream.periods(6);
        assert_eq!(played[..160], counting(0, 160));
        assert_eq!(played[160..320], [None; 160]);
        assert_eq!(played[320..], counting(320, 160));
    }

    #[test]
    fn a_second_copy_is_known_before_and_after_it_played() {
        let mut stream = Stream::new();
        assert_eq!(stream.file(5, 0, 160), Filed::Waits);
        assert_eq!(stream.file(5, 0, 160), Filed::Duplicate);
        stream.periods(8);
        assert_eq!(stream.file(5, 0, 160), Filed::Duplicate);
    }

    #[test]
    fn a_packet_that_comes_too_late_is_dropped_and_half_a_packet_is_played() {
        let mut stream = Stream::new();
        stream.file(0, 0, 160);
        stream.periods(4 + 5);
        assert_eq!(stream.file(1, 160, 160), Filed::Late);
        assert_eq!(stream.file(2, 320, 160), Filed::Waits);
        assert_eq!(stream.period(), counting(400, 80));
    }

    #[test]
    fn silence_without_packets_takes_its_time() {
        let mut stream = Stream::new();
        stream.file(0, 0, 160);
        stream.periods(100);
        // 1 s later by both clocks.
        assert_eq!(stream.file(1, 8_000, 160), Filed::Waits);
        assert_eq!(stream.periods(4), [None; 320]);
        assert_eq!(stream.periods(2), counting(8_000, 160));
    }

    #[test]
    fn a_sender_whose_clock_jumps_is_followed_at_once() {
        for jump in [1_000_000_u32, 0_u32.wrapping_sub(1_000_000)] {
            let mut stream = Stream::new();
            stream.file(0, 0, 160);
            stream.periods(6);
            assert_eq!(stream.file(1, jump, 160), Filed::Waits);
            assert_eq!(stream.periods(4), [None; 320]);
            assert_eq!(stream.period()[0], Some(jump as u8));
        }
    }

    #[test]
    fn a_talkspurt_that_begins_overdue_is_not_cut() {
        let mut stream = Stream::new();
        stream.file(0, 0, 160);
        stream.periods(100);
        // The sender's clock stood still for 200 ms of the silence.
        assert_eq!(stream.file_marked(true, 1, 6_000, 160), Filed::Waits);
        assert_eq!(stream.periods(4), [None; 320]);
        assert_eq!(stream.periods(2), counting(6_000, 160));
    }

    #[test]
    fn a_path_that_becomes_slower_for_good_is_followed_after_100_ms() {
        let (mut stream, mut late) = (Stream::new(), 0);
        for n in 0..200_u32 {
            // Packets 50 on travel 200 ms longer.
            let sent = if n < 50 { Some(n) } else { n.checked_sub(10).filter(|&n| n >= 50) };
            if let Some(n) = sent {
                late += u32::from(stream.file(n as u16, n * 160, 160) == Filed::Late);
            }
            let played = stream.periods(2);
            if (72..200).contains(&n) {
                assert!(played.iter().all(Option::is_some), "{n}");
            }
        }
        assert_eq!(late, 5);
    }

    #[test]
    fn a_burst_after_a_stall_does_not_move_the_timeline() {
        let mut stream = Stream::new();
        for n in 0..10_u32 {
            stream.file(n as u16, n * 160, 160);
            stream.periods(2);
        }
        stream.periods(50);
        for n in 10..36 {
            stream.file(n, u32::from(n) * 160, 160);
        }
        assert!(stream.playout.ahead() <= DEPTH + 160, "{}", stream.playout.ahead());
    }

    #[test]
    fn a_sender_that_is_too_quick_never_fills_more_than_the_limit() {
        let mut stream = Stream::new();
        for n in 0..20_000_u32 {
            stream.file(n as u16, n * 160, 160);
            if n % 50 != 0 {
                stream.periods(2);
            }
            assert!(stream.playout.ahead() <= MAX_AHEAD + 160);
        }
    }
}
