//! One call's RTCP, without its sockets: when to report, what to say, and what the far end said.
//!
//! A call has two members, so the bandwidth of section 6.2 never lengthens the interval: the minimum of 5 s counts,
//! drawn anew each time between half and one and a half of it and divided by e - 3/2 (RFC 3550 6.3.1). Reconsideration
//! (6.3.3) has no one to make way for.

use super::{
    ntp::NtpTime,
    reception::Received,
    rtcp::{Block, Cname, Heard, MAX_COMPOUND, Sender, Statement},
};

/// Least interval, in ms (RFC 3550 6.2).
const INTERVAL_MS: u64 = 5_000;
/// e - 3/2 in thousandths (RFC 3550 6.3.1).
const COMPENSATION: u64 = 1_218;
/// Bounds of the time to the first report, in ms; to one peer it may be sent at any time (RFC 3550 6.2).
const FIRST_MS: (u64, u64) = (1_000, 2_500);
/// The line's clock.
const SAMPLES_PER_MS: u64 = 8;
/// Sender reports of ours that the peer may refer to.
const REMEMBERED: usize = 4;
/// A longer round trip (10 s) is a peer that is wrong about its clock, in 1/65,536 s.
const MAX_ROUND_TRIP: u32 = 10 << 16;

/// Our side of one call's RTCP.
#[derive(Debug)]
pub struct Reporter {
    ssrc: u32,
    cname: Cname,
    random: u32,
    /// Line clock of the next report, in samples.
    due: u64,
    /// Middle of the peer's last sender report, and its arrival.
    last_sr: Option<(u32, NtpTime)>,
    /// Middles of our own sender reports, the latest first; 0 is none.
    sent_srs: [u32; REMEMBERED],
    /// RTP packets sent at the time of the last two reports, the latest first.
    sent_before: [u64; 2],
    round_trips: u32,
    /// Sum of all round trips, in 1/65,536 s.
    round_trip_sum: u64,
    far_end: Option<FarEnd>,
}

/// What the far end said last about the stream that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarEnd {
    /// Packets of ours that it did not get.
    pub lost: u64,
    /// Interarrival jitter that it sees, in ms.
    pub jitter_ms: u32,
}

/// What we have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// RTP packets.
    pub packets: u64,
    /// Bytes of their payloads.
    pub octets: u64,
    /// The present moment on the stream's clock, in samples.
    pub timestamp: u32,
}

impl Reporter {
    /// For the stream `ssrc` that begins at the line clock `clock`. `random` makes name and intervals and is never the
    /// same for two calls.
    #[must_use]
    pub fn new(ssrc: u32, random: u128, clock: u64) -> Self {
        let mut reporter = Self {
            ssrc,
            cname: Cname::new(random),
            // Xorshift needs a bit that is set.
            random: (random >> 96) as u32 | 1,
            due: 0,
            last_sr: None,
            sent_srs: [0; REMEMBERED],
            sent_before: [0; 2],
            round_trips: 0,
            round_trip_sum: 0,
            far_end: None,
        };
        let (least, most) = FIRST_MS;
        reporter.due = clock + (least + reporter.draw(most - least)) * SAMPLES_PER_MS;
        reporter
    }

    /// Line clock at which [`Self::report`] is due, in samples.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.due
    }

    /// Source of our stream.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Sets the time of the next report, seen from one at `clock`.
    pub fn put_off(&mut self, clock: u64) {
        let interval_ms = (INTERVAL_MS / 2 + self.draw(INTERVAL_MS)) * 1_000 / COMPENSATION;
        self.due = clock + interval_ms * SAMPLES_PER_MS;
    }

    /// Takes what the peer said; it arrived at `at`.
    pub fn hear(&mut self, heard: &Heard, at: NtpTime) {
        if let Some(sender) = heard.sender {
            self.last_sr = Some((sender.at.middle(), at));
        }
        if let Some(block) = heard.block {
            let lost = u64::try_from(block.lost).unwrap_or(0);
            self.far_end = Some(FarEnd { lost, jitter_ms: block.jitter / SAMPLES_PER_MS as u32 });
            self.measure(&block, at);
        }
        if heard.leaves {
            self.last_sr = None;
        }
    }

    /// RFC 3550 6.4.1: the round trip is A - LSR - DLSR. Only a report of ours counts, or anybody could make one up.
    fn measure(&mut self, block: &Block, at: NtpTime) {
        if block.last_sr == 0 || !self.sent_srs.contains(&block.last_sr) {
            return;
        }
        let trip = at.middle().wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
        // Clocks of different steps make a short trip negative.
        let trip = if trip > u32::MAX - (1 << 13) { 0 } else { trip };
        if trip <= MAX_ROUND_TRIP {
            self.round_trips += 1;
            self.round_trip_sum += u64::from(trip);
        }
    }

    /// Writes the report of the moment `now`: a sender report if we sent something since the report before the last
    /// one (RFC 3550 6.4), with what was `received`; with a goodbye if the call `ends`.
    pub fn report<'b>(
        &mut self,
        now: NtpTime,
        sent: Sent,
        received: Option<Received>,
        ends: Ending,
        out: &'b mut [u8; MAX_COMPOUND],
    ) -> &'b [u8] {
        let sends = sent.packets > self.sent_before[1];
        self.sent_before = [sent.packets, self.sent_before[0]];
        let sender = sends.then_some(Sender {
            at: now,
            timestamp: sent.timestamp,
            packets: sent.packets as u32,
            octets: sent.octets as u32,
        });
        if sends {
            self.sent_srs.rotate_right(1);
            self.sent_srs[0] = now.middle();
        }
        let block = received.map(|received| self.block(received, now));
        let leaves = ends == Ending::Leaves;
        Statement { ssrc: self.ssrc, sender, block, cname: &self.cname, leaves }.write(out)
    }

    fn block(&self, received: Received, now: NtpTime) -> Block {
        let (last_sr, delay_since_last_sr) =
            self.last_sr.map_or((0, 0), |(middle, arrived)| (middle, now.units_since(arrived)));
        let Received { ssrc, fraction_lost, lost, highest, jitter } = received;
        Block { ssrc, fraction_lost, lost, highest, jitter, last_sr, delay_since_last_sr }
    }

    /// Mean round trip between the box and the far end's RTCP, in ms; `None` before the first.
    #[must_use]
    pub fn round_trip_ms(&self) -> Option<u32> {
        let mean = self.round_trip_sum.checked_div(u64::from(self.round_trips))?;
        u32::try_from((mean * 1_000) >> 16).ok()
    }

    /// What the far end said last about our stream.
    #[must_use]
    pub const fn far_end(&self) -> Option<FarEnd> {
        self.far_end
    }

    /// A number below `bound`, evenly enough (xorshift, Marsaglia 2003).
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        (u64::from(self.random) * bound) >> 32
    }
}

/// Whether the call goes on after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It does.
    Stays,
    /// A goodbye belongs to it.
    Leaves,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent { packets: 100, octets: 16_000, timestamp: 5 };
    const SECOND: u64 = 1 << 32;

    fn reporter() -> Reporter {
        Reporter::new(7, 0x1234_5678 << 96, 0)
    }

    fn said(reporter: &mut Reporter, now: NtpTime, sent: Sent) -> Heard {
        let mut out = [0; MAX_COMPOUND];
        Heard::parse(reporter.report(now, sent, None, Ending::Stays, &mut out), 0).unwrap()
    }

    fn answer(last_sr: u32, delay_since_last_sr: u32) -> Heard {
        let block = Block { ssrc: 7, lost: 3, jitter: 40, last_sr, delay_since_last_sr, ..Block::default() };
        Heard { ssrc: 9, sender: None, block: Some(block), leaves: false }
    }

    #[test]
    fn reports_come_after_1_to_2_5_s_and_then_every_2_to_6_2_s() {
        let (mut first, mut next) = (Vec::new(), Vec::new());
        for seed in 1..=1_000_u128 {
            let mut reporter =
                Reporter::new(7, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835), 800);
            first.push((reporter.due() - 800) / 8);
            reporter.put_off(0);
            next.push(reporter.due() / 8);
        }
        let ends = |times: &[u64]| (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        let (earliest, latest) = ends(&first);
        assert!(
            (1_000..1_050).contains(&earliest) && (2_450..2_500).contains(&latest),
            "{earliest} {latest}"
        );
        let (earliest, latest) = ends(&next);
        assert!(
            (2_052..2_150).contains(&earliest) && (6_050..6_158).contains(&latest),
            "{earliest} {latest}"
        );
        let mean = next.iter().sum::<u64>() / 1_000;
        assert!((4_000..4_210).contains(&mean), "5 s / 1.218 = 4.1 s: {mean}");
    }

    /// The example of RFC 3550 figure 2: sent at b705:2000, answered after 5.25 s, back at b710:8000: 6.125 s.
    #[test]
    fn the_round_trip_is_that_of_the_example_of_the_rfc() {
        let mut reporter = reporter();
        said(&mut reporter, NtpTime(0xb44d_b705_2000_0000), SENT);
        assert_eq!(reporter.round_trip_ms(), None);
        reporter.hear(&answer(0xb705_2000, 0x0005_4000), NtpTime(0xb44d_b710_8000_0000));
        assert_eq!(reporter.round_trip_ms(), Some(6_125));
        assert_eq!(reporter.far_end(), Some(FarEnd { lost: 3, jitter_ms: 5 }));
    }

    #[test]
    fn a_report_that_was_never_sent_measures_nothing() {
        let mut reporter = reporter();
        let sent = NtpTime(1_000 * SECOND);
        said(&mut reporter, sent, SENT);
        for (last_sr, delay) in
            [(0, 0), (sent.middle() + 1, 0), (sent.middle(), 3 << 16), (sent.middle(), u32::MAX / 2)]
        {
            reporter.hear(&answer(last_sr, delay), NtpTime(1_001 * SECOND));
        }
        assert_eq!(reporter.round_trip_ms(), None);
        // 1/65,536 s too much is a rounding.
        reporter.hear(&answer(sent.middle(), (1 << 16) + 1), NtpTime(1_001 * SECOND));
        assert_eq!(reporter.round_trip_ms(), Some(0));
    }

    #[test]
    fn the_mean_of_all_round_trips_is_told() {
        let mut reporter = reporter();
        for (n, trip) in [(1, 20), (2, 40), (3, 60)] {
            let sent = NtpTime(n * 100 * SECOND);
            said(&mut reporter, sent, Sent { packets: n, ..SENT });
            reporter.hear(&answer(sent.middle(), 0), NtpTime(sent.0 + trip * SECOND / 1_000));
        }
        assert!((39..=40).contains(&reporter.round_trip_ms().unwrap()));
    }

    #[test]
    fn who_sent_nothing_for_two_reports_is_no_sender() {
        let mut reporter = reporter();
        let mut report = |packets| {
            let heard = said(&mut reporter, NtpTime(SECOND), Sent { packets, ..SENT });
            heard.sender.map(|sender| sender.packets)
        };
        assert_eq!([0, 5, 5, 5, 6].map(&mut report), [None, Some(5), Some(5), None, Some(6)]);
    }

    #[test]
    fn the_peers_report_is_referred_to_until_it_leaves() {
        let mut reporter = reporter();
        let received = Received { ssrc: 9, fraction_lost: 25, lost: 10, highest: 99, jitter: 4 };
        let sender = Sender { at: NtpTime(0xb44d_b705_2000_0000), timestamp: 0, packets: 1, octets: 160 };
        let arrived = NtpTime(50 * SECOND);
        let heard = Heard { ssrc: 9, sender: Some(sender), block: None, leaves: false };
        let mut block = |heard: &Heard| {
            reporter.hear(heard, arrived);
            let mut out = [0; MAX_COMPOUND];
            let now = NtpTime(arrived.0 + SECOND + SECOND / 2);
            Heard::parse(reporter.report(now, SENT, Some(received), Ending::Leaves, &mut out), 9).unwrap()
        };
        let said = block(&heard);
        assert!(said.leaves);
        let times = said.block.map(|block| (block.last_sr, block.delay_since_last_sr));
        assert_eq!(times, Some((0xb705_2000, 0x0001_8000)));
        let said = block(&Heard { leaves: true, ..heard });
        assert_eq!(said.block.map(|block| (block.fraction_lost, block.last_sr)), Some((25, 0)));
    }
}
