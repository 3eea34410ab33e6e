//! How a stream is received: loss for each report, interarrival jitter (RFC 3550 6.4.1, appendices A.3 and A.8).
//!
//! Sequence numbers are counted by [`Source`](super::source::Source); here is what a report makes of them. Packets
//! arrive by the line's clock, which moves in periods of 10 ms: that is the resolution of one difference, and the mean
//! over many is finer.

use super::source::Numbers;

/// A transit that changes by more than this (2 s) is a sender's clock that jumped, and no jitter.
const JUMP: u32 = 16_000;
/// Buckets of the histogram: 1 ms each, the last one for all above.
const BUCKETS: usize = 128;
/// Fixed-point places of the running jitter (RFC 3550 A.8 keeps four).
const SCALE_BITS: u32 = 4;
/// Scaled samples in a bucket: 8 samples are 1 ms.
const BUCKET_BITS: u32 = SCALE_BITS + 3;

/// Statistics of the stream that is received.
#[derive(Debug)]
pub struct Reception {
    /// Arrival minus timestamp of the last audio packet, in samples.
    transit: u32,
    /// Running jitter in samples, with [`SCALE_BITS`] binary places.
    jitter: u32,
    /// How often each jitter was seen over the whole call.
    histogram: [u32; BUCKETS],
    /// Packets received before the stream began.
    before: u64,
    /// What the last report said.
    reported: Reported,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    expected: u64,
    received: u64,
}

/// What a report says about the stream: a report block without its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Synchronisation source of the stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the stream began: negative if there were more second copies; 24 bits.
    pub lost: i32,
    /// Highest sequence number, extended by the count of wraps.
    pub highest: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
}

impl Default for Reception {
    fn default() -> Self {
        Self { transit: 0, jitter: 0, histogram: [0; BUCKETS], before: 0, reported: Reported::default() }
    }
}

impl Reception {
    /// A stream begins with a packet sent at `timestamp` that arrived at `clock`, after `received` packets of earlier ones
    /// in this call.
    pub const fn begin(&mut self, received: u64, timestamp: u32, clock: u64) {
        self.before = received;
        self.transit = (clock as u32).wrapping_sub(timestamp);
        self.jitter = 0;
        self.reported = Reported { expected: 0, received: 0 };
    }

    /// An audio packet that was sent at `timestamp` arrived at the line clock `clock`, in samples.
    ///
    /// Telephone-events repeat the timestamp of their begin (RFC 4733 2.3.1) and say nothing about jitter.
    #[inline]
    pub fn arrived(&mut self, timestamp: u32, clock: u64) {
        let transit = (clock as u32).wrapping_sub(timestamp);
        let change = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        if change > JUMP {
            return;
        }
        // RFC 3550 A.8: J += (|D| - J) / 16, rounded.
        self.jitter = self.jitter + change - ((self.jitter + 8) >> SCALE_BITS);
        let bucket = (self.jitter >> BUCKET_BITS) as usize;
        self.histogram[bucket.min(BUCKETS - 1)] += 1;
    }

    /// What the next report says, and the start of the interval after it; `None` if nothing came since the last one.
    ///
    /// `received` counts all packets of the call, the late ones and second copies included (RFC 3550 A.3).
    pub fn report(&mut self, numbers: Numbers, received: u64) -> Option<Received> {
        let now = Reported { expected: numbers.expected, received: received.saturating_sub(self.before) };
        let last = std::mem::replace(&mut self.reported, now);
        if now.received == last.received {
            return None;
        }
        let expected = now.expected.saturating_sub(last.expected);
        let lost = expected.saturating_sub(now.received - last.received);
        let fraction = (lost << 8).checked_div(expected).unwrap_or(0);
        Some(Received {
            ssrc: numbers.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: cumulative(now),
            highest: numbers.highest,
            jitter: self.jitter >> SCALE_BITS,
        })
    }

    /// The jitter that was not exceeded by 95 of 100 packets, in ms, 0 to 127; `None` before the first.
    #[must_use]
    pub fn jitter_p95_ms(&self) -> Option<u32> {
        let packets: u64 = self.histogram.iter().map(|&count| u64::from(count)).sum();
        let mut left = packets * 95;
        let bucket = self.histogram.iter().position(|&count| {
            let within = u64::from(count) * 100 >= left;
            left = left.saturating_sub(u64::from(count) * 100);
            within
        });
        bucket.filter(|_| packets > 0).and_then(|bucket| u32::try_from(bucket).ok())
    }
}

/// RFC 3550 A.3: clamped to 24 bits with a sign.
fn cumulative(now: Reported) -> i32 {
    let lost = now.expected as i64 - now.received as i64;
    i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::source::Source;

    /// A stream of packets of 20 ms; each is one second copy, lost or there.
    #[derive(Default)]
    struct Stream {
        source: Source,
        reception: Reception,
        received: u64,
    }

    impl Stream {
        fn packet(&mut self, seq: u16) {
            self.source.judge(7, seq);
            self.received += 1;
        }

        fn report(&mut self) -> Option<Received> {
            self.reception.report(self.source.numbers().unwrap(), self.received)
        }
    }

    #[test]
    fn each_report_has_the_loss_of_its_own_interval_and_of_the_whole_stream() {
        let mut stream = Stream::default();
        (0..100).filter(|n| n % 10 != 5).for_each(|n| stream.packet(65_500_u16.wrapping_add(n)));
        let first = stream.report().unwrap();
        assert_eq!((first.ssrc, first.fraction_lost, first.lost), (7, 25, 10));
        assert_eq!(first.highest, 0x1_0000 + 63, "one wrap");
        (100..200).for_each(|n| stream.packet(65_500_u16.wrapping_add(n)));
        let second = stream.report().unwrap();
        assert_eq!((second.fraction_lost, second.lost, second.highest), (0, 10, 0x1_0000 + 163));
        assert_eq!(stream.report(), None, "nothing came since");
    }

    #[test]
    fn second_copies_make_the_loss_negative_and_the_fraction_nothing() {
        let mut stream = Stream::default();
        (0..50_u16).flat_map(|n| [n, n]).for_each(|n| stream.packet(n));
        let report = stream.report().unwrap();
        assert_eq!((report.fraction_lost, report.lost), (0, -50));
    }

    #[test]
    fn a_stream_that_begins_anew_is_counted_from_its_own_start() {
        let mut stream = Stream::default();
        (0..100_u16).filter(|n| n % 2 == 0).for_each(|n| stream.packet(n));
        stream.source = Source::default();
        stream.reception.begin(stream.received, 0, 0);
        (500..600).for_each(|n| stream.packet(n));
        assert_eq!(stream.report().map(|report| (report.lost, report.highest)), Some((0, 599)));
    }

    /// By hand from A.8: one difference of 160 gives 160/16 = 10 samples.
    #[test]
    fn jitter_is_the_running_mean_of_the_rfc() {
        let mut reception = Reception::default();
        reception.begin(0, 0, 1_000);
        reception.arrived(160, 1_160);
        assert_eq!(reception.jitter, 0);
        reception.arrived(320, 1_480);
        assert_eq!(reception.jitter >> SCALE_BITS, 10);
        for n in 3..400_u32 {
            reception.arrived(n * 160, 1_320 + u64::from(n) * 160 + u64::from(n % 2) * 160 - 160);
        }
        // Every difference is 160 samples: the mean settles there.
        assert!((158..=160).contains(&(reception.jitter >> SCALE_BITS)), "{}", reception.jitter);
    }

    #[test]
    fn the_percentile_is_of_the_whole_call() {
        let mut reception = Reception::default();
        assert_eq!(reception.jitter_p95_ms(), None);
        (0..950_u32).for_each(|n| reception.arrived(n * 160, u64::from(n) * 160));
        assert_eq!(reception.jitter_p95_ms(), Some(0));
        // From here on every second packet is 40 ms late: a jitter of 40 ms, for more than 5 of 100 packets.
        (950..1_200_u32)
            .for_each(|n| reception.arrived(n * 160, u64::from(n) * 160 + u64::from(n % 2) * 320));
        assert!((35..=40).contains(&reception.jitter_p95_ms().unwrap()), "{:?}", reception.jitter_p95_ms());
    }

    #[test]
    fn a_clock_that_jumps_or_wraps_is_no_jitter() {
        let mut reception = Reception::default();
        reception.begin(0, 0_u32.wrapping_sub(4_000), (1 << 32) - 8_000);
        for n in 0..100_u32 {
            let jump = if n < 50 { 0 } else { 1_000_000_000 };
            reception.arrived(
                (n * 160).wrapping_sub(4_000).wrapping_add(jump),
                u64::from(n) * 160 + (1 << 32) - 8_000,
            );
        }
        assert_eq!((reception.jitter, reception.jitter_p95_ms()), (0, Some(0)));
    }
}
