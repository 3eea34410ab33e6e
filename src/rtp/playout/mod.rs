//! The playout buffer: received packets, in the order of the sender's clock, read out by the line's clock.
//!
//! Its slots are the receive buffers. The kernel writes a datagram into [`Playout::rx_buf`], [`Playout::file`] swaps
//! that buffer into place by sequence number, and [`Playout::pull`] lends the payload to the codec: no byte is copied.
//!
//! There is one timeline, in samples of the sender's clock, that moves with every sample pulled, whether it was there
//! or not. The first packet sets it so that it plays 40 ms later. Loss, silence without packets and reordering need no
//! state: what is not there when its time comes is missing.
//!
//! How far the timeline lies behind the quickest packets is the depth. [`depth`] says which depth the network needs:
//! - A packet that comes late, but before anything that was sent after it was played, is waited for: the timeline goes
//!   back to it. What is missing is prolonged, too, until the depth is reached.
//! - Where the depth is off the target by [`SHORTEN_AT`] or [`LENGTHEN_AT`], by jitter or by the drift of the clocks,
//!   [`Playout::wish`] says so, and whoever plays chooses the moment.
//! - A talkspurt after a silence without packets begins at the right depth.
//!
//! The timeline is set anew when packets are persistently overdue, when more than [`MAX_AHEAD`] is waiting, or when the
//! sender's clock jumps. A modem wants no sample inserted or dropped: [`Playout::set_fixed`].

mod depth;
mod slots;
#[cfg(test)]
mod tests;

use super::packet::Packet;
use depth::{Delays, STEP};
pub use slots::BUFFER_BYTES;
use slots::{PLACES, Slots, State};

/// Samples between the arrival of a stream's first packet and its playout: 40 ms.
pub const START: u32 = depth::START;
/// Most samples that may wait: 240 ms. A sender that is quicker than the line skips ahead here.
pub const MAX_AHEAD: u32 = 1_920;
/// Farther from the timeline than this (2 s), a packet is not early or late, but its sender's clock jumped.
const JUMP: u32 = 16_000;
/// Samples for which every packet must be overdue until the timeline gives in: 100 ms.
const OVERDUE: u32 = 800;
/// Depth above the target from which the timeline is to be shortened.
const SHORTEN_AT: i32 = STEP;
/// Depth below the target from which it is to be lengthened.
const LENGTHEN_AT: i32 = -STEP / 2;
/// Depth at which a fixed buffer has run empty: one packet.
const EMPTY: i32 = 160;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It waits for its time.
    Waits,
    /// Its time was over, but the timeline waited for it: it plays next.
    Awaited,
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

/// What the depth asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: it is right.
    Nothing,
    /// Audio is to be left out; so many samples too many wait.
    Shorten(u32),
    /// Audio is to be inserted; so many samples too few wait.
    Lengthen(u32),
}

/// A playout buffer of fixed size; see the module.
#[derive(Debug)]
pub struct Playout {
    slots: Slots,
    delays: Delays,
    /// Depth that never changes, in samples.
    fixed: Option<i32>,
    /// The place that probably holds the next sample.
    head: u8,
    /// Whether even a packet that comes in time needs care: the first one, one after a pause or a late one.
    careful: bool,
    /// Whether the timeline is set.
    running: bool,
    /// Whether the sender said that it pauses.
    pausing: bool,
    /// Time of the next sample to be pulled, on the sender's clock.
    now: u32,
    /// Where the last audio that was pulled ended, on the sender's clock.
    heard_to: u32,
    /// Samples pulled in all: the line's own time; wraps.
    line: u32,
    /// The line's time when it last jumped.
    jumped: u32,
    /// Depth less target, in samples.
    error: i32,
    /// When the packets began to be overdue, if the last one was.
    overdue_since: Option<u32>,
}

impl Default for Playout {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
            delays: Delays::default(),
            fixed: None,
            head: 0,
            careful: true,
            running: false,
            pausing: false,
            now: 0,
            heard_to: 0,
            line: 0,
            jumped: u32::MAX,
            error: 0,
            overdue_since: None,
        }
    }
}

impl Playout {
    /// Where the next datagram is to be received.
    #[inline]
    pub fn rx_buf(&mut self) -> &mut [u8] {
        self.slots.rx_buf()
    }

    /// The first `len` bytes received into [`Self::rx_buf`]; none if the datagram may have been cut.
    #[inline]
    #[must_use]
    pub fn received(&self, len: usize) -> &[u8] {
        self.slots.received(len)
    }

    /// Samples from the next one to be pulled to the end of what waits; at most [`MAX_AHEAD`] and one packet.
    #[must_use]
    pub fn ahead(&self) -> u32 {
        self.slots.waiting().map(|(_, place)| place.end().wrapping_sub(self.now)).max().unwrap_or(0)
    }

    /// Samples until `timestamp` plays; 0 if it is over, at most [`MAX_AHEAD`].
    #[must_use]
    pub fn until(&self, timestamp: u32) -> u32 {
        if !self.running {
            return START;
        }
        let ahead = timestamp.wrapping_sub(self.now) as i32;
        ahead.clamp(0, MAX_AHEAD as i32).unsigned_abs()
    }

    /// Samples from the arrival of the quickest packets to their playout.
    #[inline]
    #[must_use]
    pub const fn depth(&self) -> i32 {
        self.delays.quickest().wrapping_add(self.line).wrapping_sub(self.now) as i32
    }

    /// Forgets all packets and the timeline: another stream begins.
    pub fn reset(&mut self) {
        self.slots.places.iter_mut().for_each(|place| place.state = State::Unused);
        self.running = false;
        self.careful = true;
        self.pausing = false;
        self.error = 0;
        self.delays = Delays::default();
    }

    /// Holds `depth` samples (20 to 200 ms are sensible) from now on, for a fax or a modem: nothing is inserted or left
    /// out any more, but whole slips when the buffer runs empty or twice full. `None` adapts again.
    pub fn set_fixed(&mut self, depth: Option<u32>) {
        self.fixed = depth.map(|depth| depth.clamp(EMPTY as u32, MAX_AHEAD / 2) as i32);
        self.error = 0;
        if let Some(depth) = self.fixed.filter(|_| self.running) {
            self.now = self.now_at(depth);
        }
    }

    /// Whether the depth is fixed.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.fixed.is_some()
    }

    /// Whether a stream plays.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the sender said that it pauses, and sent no audio since.
    #[must_use]
    pub const fn is_pausing(&self) -> bool {
        self.pausing
    }

    /// Whether the next sample follows the last one that was heard.
    #[must_use]
    pub const fn is_seamless(&self) -> bool {
        self.now == self.heard_to
    }

    /// The line's time: samples pulled in all; wraps.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// Files the packet that was just received; one byte of payload is one sample.
    #[inline]
    pub fn file(&mut self, packet: &Packet) -> Filed {
        if self.slots.knows(packet.seq) {
            return Filed::Duplicate;
        }
        let ahead = packet.timestamp.wrapping_sub(self.now);
        let in_step = ahead <= MAX_AHEAD && !(packet.marker || self.careful);
        let filed = if in_step { Filed::Waits } else { self.file_out_of_step(packet) };
        // Packets that waited for the line say nothing about the network.
        if self.jumped != self.line {
            self.delays.note(packet.timestamp.wrapping_sub(self.line), self.line);
            self.error = match self.fixed {
                Some(depth) => self.slip(depth),
                None => self.depth() - self.delays.target(),
            };
        }
        if let Filed::Late = filed {
            self.slots.remember(packet, true);
            return filed;
        }
        self.slots.put(State::Waiting, packet);
        filed
    }

    /// Notes a packet of the stream that carries no audio, so that a second copy of it is known.
    pub fn note(&mut self, packet: &Packet) -> Filed {
        if self.slots.knows(packet.seq) {
            return Filed::Duplicate;
        }
        self.slots.remember(packet, false);
        Filed::Waits
    }

    /// The sender pauses: the next packet with audio begins a talkspurt.
    pub const fn pause(&mut self) {
        self.careful = true;
        self.pausing = true;
    }

    /// What the depth asks for, nothing if it is fixed; to be answered by [`Self::pass`] at a moment that nobody hears.
    #[inline]
    #[must_use]
    pub const fn wish(&self) -> Wish {
        if self.error < SHORTEN_AT && self.error > LENGTHEN_AT {
            return Wish::Nothing;
        }
        let off = self.error.unsigned_abs();
        if self.error > 0 { Wish::Shorten(off) } else { Wish::Lengthen(off) }
    }

    /// Copies the codes that come next, as far as they are here without a gap; returns how many.
    #[must_use]
    pub fn peek(&self, out: &mut [u8]) -> usize {
        self.slots.copy_from(self.now, out)
    }

    /// Copies the codes that were heard last into the end of `out`, as far back as they are here without a gap; returns
    /// how many.
    #[must_use]
    pub fn look_back(&self, out: &mut [u8]) -> usize {
        self.slots.copy_before(self.heard_to, out)
    }

    /// Lets `played` samples of the line pass, and `samples` of the timeline: what was peeked at was played, shortened
    /// or lengthened.
    pub fn pass(&mut self, played: u32, samples: u32) {
        self.line = self.line.wrapping_add(played);
        self.now = self.now.wrapping_add(samples);
        self.heard_to = self.now;
        self.error += played as i32 - samples as i32;
    }

    /// The next at most `want` samples, at least one; the timeline moves by what is returned, but stands while
    /// something is missing and more depth is wished for.
    #[inline]
    pub fn pull(&mut self, want: usize) -> Piece<'_> {
        let place = &self.slots.places[usize::from(self.head) % PLACES];
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
        let head = self.head;
        let place = self.slots.place(head);
        let left = usize::from(place.samples) - offset;
        let samples = left.min(want);
        if samples == left {
            place.state = State::Over;
            self.head = (head + 1) % PLACES as u8;
        }
        self.skip_both(samples as u32);
        self.heard_to = self.now;
        Piece::Audio(self.slots.codes(head, offset, samples))
    }

    fn pull_nothing(&mut self, samples: usize) -> Piece<'_> {
        if self.running && matches!(self.wish(), Wish::Lengthen(_)) {
            self.line = self.line.wrapping_add(samples as u32);
            self.error += samples as i32;
        } else {
            self.skip_both(samples as u32);
        }
        Piece::Missing(samples)
    }

    /// Lets `samples` of the timeline pass unheard: the line's clock jumped.
    pub fn skip(&mut self, samples: u32) {
        self.skip_both(samples);
        self.jumped = self.line;
    }

    #[inline]
    fn skip_both(&mut self, samples: u32) {
        self.now = self.now.wrapping_add(samples);
        self.line = self.line.wrapping_add(samples);
    }

    /// Files a packet that is the first, the first after a pause, late, or far too early.
    #[cold]
    fn file_out_of_step(&mut self, packet: &Packet) -> Filed {
        let begins = packet.marker || std::mem::take(&mut self.pausing);
        let ahead = packet.timestamp.wrapping_sub(self.now) as i32;
        if !self.running || ahead > MAX_AHEAD as i32 || ahead.unsigned_abs() > JUMP {
            self.set_timeline(packet.timestamp);
        } else if begins && self.fixed.is_none() && self.is_free_before(packet.timestamp) {
            self.begin_talkspurt(packet.timestamp);
        } else if ahead < 0 {
            return self.file_late(packet);
        }
        self.overdue_since = None;
        self.careful = false;
        Filed::Waits
    }

    fn file_late(&mut self, packet: &Packet) -> Filed {
        // Packets that waited for the line prove nothing.
        let line_stood = self.jumped == self.line;
        let since = *self.overdue_since.get_or_insert(self.line);
        self.careful = true;
        if !line_stood && self.line.wrapping_sub(since) >= OVERDUE {
            self.set_timeline(packet.timestamp);
            return Filed::Waits;
        }
        if self.fixed.is_none() && !line_stood {
            self.wait_for(packet.timestamp);
        }
        let end = packet.timestamp.wrapping_add(packet.payload.len() as u32);
        match is_after(end, self.now) {
            false => Filed::Late,
            true if is_after(self.now, packet.timestamp) => Filed::Waits,
            true => Filed::Awaited,
        }
    }

    /// Moves the timeline back to a late packet, as far as nothing later was heard and the depth allows it.
    const fn wait_for(&mut self, timestamp: u32) {
        let heard = later(self.heard_to, timestamp);
        let start = later(heard, self.now_at(depth::MOST));
        if is_after(self.now, start) {
            self.now = start;
        }
    }

    /// Whether nothing was or will be heard of the stream from some time before `timestamp` on.
    fn is_free_before(&self, timestamp: u32) -> bool {
        !is_after(self.heard_to, timestamp) && self.slots.waiting().next().is_none()
    }

    /// A talkspurt begins where the target wants it, but is not cut.
    fn begin_talkspurt(&mut self, timestamp: u32) {
        let wanted = self.now_at(self.delays.target());
        let now = if is_after(wanted, timestamp) { timestamp } else { wanted };
        let depth = self.delays.quickest().wrapping_add(self.line).wrapping_sub(now) as i32;
        if depth > depth::MOST {
            self.set_timeline(timestamp);
        } else {
            self.now = now;
        }
    }

    /// A fixed buffer that ran empty or twice full begins anew at its depth, by whole packets. It has no error.
    #[cold]
    fn slip(&mut self, fixed: i32) -> i32 {
        let error = self.depth() - fixed;
        if error <= EMPTY - fixed || error >= fixed {
            let packets = error / EMPTY;
            self.now = self.now.wrapping_add((packets * EMPTY) as u32);
        }
        0
    }

    /// The next sample to be pulled at a depth of `depth`.
    const fn now_at(&self, depth: i32) -> u32 {
        self.delays.quickest().wrapping_add(self.line).wrapping_sub(depth as u32)
    }

    /// Sets the timeline so that `timestamp` plays after the target depth. What waits stays if it still fits.
    fn set_timeline(&mut self, timestamp: u32) {
        self.running = true;
        self.delays.align(timestamp.wrapping_sub(self.line), self.line);
        self.now = self.now_at(self.fixed.unwrap_or(self.delays.target()));
        self.heard_to = self.now;
        self.overdue_since = None;
        self.error = 0;
        let now = self.now;
        for place in self.slots.places.iter_mut().filter(|place| place.state == State::Waiting) {
            if place.end().wrapping_sub(now) > MAX_AHEAD {
                place.state = State::Over;
            }
        }
    }

    /// What the next sample is, where the next packet in sequence is not the next in time: loss, a gap, the begin. If
    /// it is audio, `head` is its place.
    #[cold]
    fn search(&mut self) -> Due {
        for place in self.slots.places.iter_mut().filter(|place| place.state == State::Waiting) {
            if !is_after(place.end(), self.now) {
                place.state = State::Over;
            }
        }
        let gap_of = |place: &slots::Place| place.timestamp.wrapping_sub(self.now) as i32;
        let Some((index, place)) = self.slots.waiting().min_by_key(|(_, place)| gap_of(place)) else {
            return Due::Nothing;
        };
        let gap = gap_of(place);
        self.head = index as u8;
        if gap > 0 { Due::In(gap.unsigned_abs()) } else { Due::At(gap.unsigned_abs() as u16) }
    }
}

/// Whether time `a` is after time `b`, on a clock that wraps.
const fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// The later of two times, on a clock that wraps.
const fn later(a: u32, b: u32) -> u32 {
    if is_after(a, b) { a } else { b }
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
