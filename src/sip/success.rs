//! A 2xx to an INVITE, sent by its dialog until the ACK comes (RFC 3261 13.3.1.4, 14.2).
//!
//! ```text
//!   200 ──► Waiting ──ACK──► over
//!           │  ▲ │
//!           └──┘ └──64*T1──► over, unacknowledged: the dialog sends BYE
//!        T1, doubled up to T2
//! ```

use super::{
    event::Command,
    timer::{GIVE_UP_MS, T1_MS, backed_off},
};
use crate::time::Instant;
use std::net::SocketAddr;

/// A 2xx that waits for its ACK.
#[derive(Debug)]
pub struct Success {
    to: SocketAddr,
    bytes: Vec<u8>,
    /// Sequence number of the INVITE, which the ACK repeats.
    pub cseq: u32,
    resend_at: Instant,
    interval_ms: u64,
    give_up_at: Instant,
}

/// The ACK did not come within 64*T1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAcknowledged;

impl Success {
    /// A 2xx that was just sent to `to`.
    #[must_use]
    pub const fn new(to: SocketAddr, bytes: Vec<u8>, cseq: u32, now: Instant) -> Self {
        let (resend_at, give_up_at) = (now.after_ms(T1_MS), now.after_ms(GIVE_UP_MS));
        Self { to, bytes, cseq, resend_at, interval_ms: T1_MS, give_up_at }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`NotAcknowledged`] when it is time to give up.
    pub fn handle_deadline(&mut self, now: Instant, out: &mut Vec<Command>) -> Result<(), NotAcknowledged> {
        if self.give_up_at <= now {
            return Err(NotAcknowledged);
        }
        if self.resend_at <= now {
            out.push(Command::Send { to: self.to, bytes: self.bytes.clone() });
            self.interval_ms = backed_off(self.interval_ms);
            self.resend_at = now.after_ms(self.interval_ms);
        }
        Ok(())
    }

    /// When time matters.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.resend_at.min(self.give_up_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unacknowledged_200_is_sent_eleven_times_in_32_seconds() {
        let peer = ([127, 0, 0, 1], 5060).into();
        let mut success = Success::new(peer, b"200".to_vec(), 1, Instant::ZERO);
        let (mut times, mut out) = (vec![0], Vec::new());
        let gave_up = loop {
            let at = success.deadline();
            let result = success.handle_deadline(at, &mut out);
            if result.is_err() {
                break at.ms_since(Instant::ZERO);
            }
            times.push(at.ms_since(Instant::ZERO));
        };
        assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!((out.len(), gave_up), (10, 32_000));
    }
}
