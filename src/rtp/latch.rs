//! Whose packets are listened to, and where ours go: symmetric RTP with one latch.
//!
//! The address that SDP names is always believed. A peer behind a translator sends from another one; it may prove
//! itself once, soon after the patch begins, by a run of packets of one stream. Until then nothing is sent to it, or
//! the box would send a call's audio to whoever asks ("RTP bleed"). Once an address is settled, every other one is
//! refused until signalling names a new one.
//!
//! ```text
//!  Open --packet from the SDP address--------------------> Settled(SDP address)
//!   | '---LATCH_PACKETS of one stream from elsewhere-----> Settled(that address)
//!   '-----LATCH_SAMPLES pass-----------------------------> Settled(SDP address)
//! ```

use std::net::SocketAddr;

/// Packets of one stream, without a gap, that prove an address.
pub const LATCH_PACKETS: u8 = 4;
/// Time in which an address may prove itself: 2 s of samples.
pub const LATCH_SAMPLES: u64 = 16_000;

/// The peer's address as far as it is known.
#[derive(Debug)]
pub struct Latch {
    remote: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Open { until: u64, candidate: Option<Candidate> },
    Settled,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next_seq: u16,
    packets: u8,
}

impl Latch {
    /// Believes the address that SDP names, and is open for another one from `clock` on.
    #[must_use]
    pub const fn new(named: SocketAddr, clock: u64) -> Self {
        Self { remote: named, state: State::Open { until: clock + LATCH_SAMPLES, candidate: None } }
    }

    /// Where our packets go.
    #[must_use]
    #[inline]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether the peer's address is final.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled)
    }

    /// Ends the time for proof.
    #[inline]
    pub fn pass(&mut self, clock: u64) {
        if let State::Open { until, .. } = self.state
            && clock >= until
        {
            self.state = State::Settled;
        }
    }

    /// Whether a packet with a known payload type may be heard.
    #[inline]
    pub fn admit(&mut self, from: SocketAddr, ssrc: u32, seq: u16) -> bool {
        if from == self.remote {
            self.state = State::Settled;
            return true;
        }
        let State::Open { candidate, .. } = &mut self.state else { return false };
        let packets = match *candidate {
            Some(known) if (known.from, known.ssrc, known.next_seq) == (from, ssrc, seq) => known.packets + 1,
            Some(_) | None => 1,
        };
        *candidate = Some(Candidate { from, ssrc, next_seq: seq.wrapping_add(1), packets });
        let proven = packets == LATCH_PACKETS;
        if proven {
            *self = Self { remote: from, state: State::Settled };
        }
        proven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], port))
    }

    #[test]
    fn the_named_address_is_heard_at_once_and_settles() {
        let mut latch = Latch::new(address(1, 4_000), 0);
        assert!(latch.admit(address(1, 4_000), 1, 1));
        assert!(latch.is_settled());
        assert!((0..50).all(|seq| !latch.admit(address(2, 4_000), 9, seq)));
        assert_eq!(latch.remote(), address(1, 4_000));
    }

    #[test]
    fn another_address_is_heard_after_four_packets_of_one_stream_and_not_sent_to_before() {
        let mut latch = Latch::new(address(1, 4_000), 0);
        for seq in 0..3 {
            assert!(!latch.admit(address(1, 9_999), 5, seq));
            assert_eq!(latch.remote(), address(1, 4_000));
        }
        assert!(latch.admit(address(1, 9_999), 5, 3));
        assert_eq!(latch.remote(), address(1, 9_999));
        assert!((4..50).all(|seq| !latch.admit(address(3, 9_999), 5, seq)));
        assert!(!latch.admit(address(1, 4_000), 5, 50), "the latch closes only once");
    }

    #[test]
    fn a_gap_another_stream_or_another_port_starts_the_proof_again() {
        let mut latch = Latch::new(address(1, 4_000), 0);
        let other = address(2, 4_000);
        let strays = [(other, 5, 0), (other, 5, 1), (other, 5, 3), (other, 6, 4), (address(2, 4_001), 6, 5)];
        assert!(strays.iter().all(|&(from, ssrc, seq)| !latch.admit(from, ssrc, seq)));
        assert!([6, 7, 8].iter().all(|&seq| !latch.admit(other, 6, seq)));
        assert!(latch.admit(other, 6, 9));
    }

    #[test]
    fn after_two_seconds_only_the_named_address_is_left() {
        let mut latch = Latch::new(address(1, 4_000), 100);
        latch.pass(100 + LATCH_SAMPLES - 1);
        assert!(!latch.is_settled());
        latch.pass(100 + LATCH_SAMPLES);
        assert!(latch.is_settled());
        assert!((0..50).all(|seq| !latch.admit(address(2, 4_000), 9, seq)));
        assert!(latch.admit(address(1, 4_000), 1, 1));
    }
}
