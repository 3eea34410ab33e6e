//! Which stream is the peer's: one synchronisation source with continuous sequence numbers (RFC 3550 appendix A.1).
//!
//! A packet that does not continue the stream may be a forgery, a stray, or the first one after the peer restarted.
//! It is put on probation: only when its successors prove a new stream, and the old one says nothing meanwhile, is
//! the old one given up.
//!
//! ```text
//!  (no stream) --first packet--> Trusted --foreign packet--> Trusted + candidate
//!                                   ^ ^--packet of the stream-------'  |
//!                                   '--PROBATION foreign packets in a row--'
//! ```

/// Packets in a row that make a new stream believable.
pub const PROBATION: u8 = 3;
/// Largest step ahead that is loss and not a restart (RFC 3550 A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3_000;
/// Largest step back that is reordering and not a restart (RFC 3550 A.1, `MAX_MISORDER`).
const MAX_MISORDER: u16 = 100;

/// What a packet is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the stream.
    Continues,
    /// It is the first packet of the stream from now on.
    Begins,
    /// It is not yet believed.
    OnProbation,
}

/// The stream of one peer.
#[derive(Debug, Default)]
pub struct Source {
    trusted: Option<Position>,
    candidate: Option<Candidate>,
    expected: u64,
    /// Runs of packets that were missing when the next one came.
    gaps: u64,
    /// First sequence number of the stream.
    first: u16,
    /// What was expected before the stream began.
    before: u64,
}

/// The sequence numbers of a stream so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Highest sequence number, extended by the count of wraps (RFC 3550 A.1).
    pub highest: u32,
    /// Packets that the peer sent of it.
    pub expected: u64,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    ssrc: u32,
    /// Highest sequence number so far.
    seq: u16,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    ssrc: u32,
    next_seq: u16,
    packets: u8,
}

impl Source {
    /// Judges one packet that came from the peer's address with a known payload type.
    #[inline]
    pub fn judge(&mut self, ssrc: u32, seq: u16) -> Verdict {
        let Some(trusted) = &mut self.trusted else {
            return self.begin(ssrc, seq);
        };
        let ahead = seq.wrapping_sub(trusted.seq);
        let near = ahead < MAX_DROPOUT || ahead.wrapping_neg() <= MAX_MISORDER;
        if trusted.ssrc == ssrc && near {
            if ahead < MAX_DROPOUT {
                trusted.seq = seq;
                self.expected += u64::from(ahead);
                self.gaps += u64::from(ahead > 1);
            }
            self.candidate = None;
            return Verdict::Continues;
        }
        self.on_probation(ssrc, seq)
    }

    fn on_probation(&mut self, ssrc: u32, seq: u16) -> Verdict {
        let packets = match self.candidate {
            Some(known) if known.ssrc == ssrc && known.next_seq == seq => known.packets + 1,
            Some(_) | None => 1,
        };
        if packets == PROBATION {
            return self.begin(ssrc, seq);
        }
        self.candidate = Some(Candidate { ssrc, next_seq: seq.wrapping_add(1), packets });
        Verdict::OnProbation
    }

    fn begin(&mut self, ssrc: u32, seq: u16) -> Verdict {
        self.trusted = Some(Position { ssrc, seq });
        self.candidate = None;
        (self.first, self.before) = (seq, self.expected);
        self.expected += 1;
        Verdict::Begins
    }

    /// The stream's numbers, once there is one.
    #[must_use]
    pub fn numbers(&self) -> Option<Numbers> {
        let ssrc = self.trusted?.ssrc;
        let expected = self.expected - self.before;
        Some(Numbers {
            ssrc,
            highest: u32::from(self.first).wrapping_add(expected as u32).wrapping_sub(1),
            expected,
        })
    }

    /// Runs of lost packets, each as long as it was; one that was only overtaken counts too.
    #[must_use]
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Packets that the peer sent, by its sequence numbers (RFC 3550 A.3).
    #[must_use]
    pub const fn expected(&self) -> u64 {
        self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Begins, Continues, OnProbation};

    fn judge_all(source: &mut Source, packets: &[(u32, u16)]) -> Vec<Verdict> {
        packets.iter().map(|&(ssrc, seq)| source.judge(ssrc, seq)).collect()
    }

    #[test]
    fn loss_reordering_and_wrap_continue_the_stream() {
        let mut source = Source::default();
        let seqs = [65_530, 65_531, 65_535, 65_533, 0, 1, 2_900, 2_850];
        let verdicts = judge_all(&mut source, &seqs.map(|seq| (1, seq)));
        assert_eq!(verdicts[0], Begins);
        assert!(verdicts[1..].iter().all(|&v| v == Continues), "{verdicts:?}");
    }

    #[test]
    fn a_new_source_is_believed_at_its_third_packet_in_a_row() {
        let mut source = Source::default();
        let packets = [(1, 10), (2, 500), (2, 501), (2, 502), (2, 503)];
        assert_eq!(judge_all(&mut source, &packets), [Begins, OnProbation, OnProbation, Begins, Continues]);
    }

    #[test]
    fn a_forged_source_is_never_believed_while_the_stream_goes_on() {
        let mut source = Source::default();
        source.judge(1, 0);
        for n in 1..10_000_u16 {
            assert_eq!(source.judge(1, n), Continues);
            assert_eq!(source.judge(2, 2 * n), OnProbation);
            assert_eq!(source.judge(2, 2 * n + 1), OnProbation);
        }
    }

    #[test]
    fn a_sequence_that_restarts_is_on_probation_too() {
        let mut source = Source::default();
        let packets = [(1, 40_000), (1, 3), (1, 4), (1, 5), (1, 6)];
        assert_eq!(judge_all(&mut source, &packets), [Begins, OnProbation, OnProbation, Begins, Continues]);
    }

    #[test]
    fn the_highest_number_counts_wraps_and_begins_anew_with_a_stream() {
        let mut source = Source::default();
        judge_all(&mut source, &[(1, 65_534), (1, 65_535), (1, 2), (1, 1)]);
        assert_eq!(source.numbers(), Some(Numbers { ssrc: 1, highest: 0x1_0002, expected: 5 }));
        assert_eq!(source.gaps(), 1);
        judge_all(&mut source, &[(2, 9), (2, 10), (2, 11), (2, 12)]);
        assert_eq!(source.numbers(), Some(Numbers { ssrc: 2, highest: 12, expected: 2 }));
        assert_eq!(source.expected(), 7);
    }

    #[test]
    fn a_gap_breaks_the_probation() {
        let mut source = Source::default();
        let packets = [(1, 0), (2, 7), (2, 8), (2, 10), (2, 11), (2, 12)];
        assert_eq!(
            judge_all(&mut source, &packets),
            [Begins, OnProbation, OnProbation, OnProbation, OnProbation, Begins]
        );
    }
}
