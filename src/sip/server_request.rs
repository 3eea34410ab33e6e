//! Non-INVITE server transaction (RFC 3261 17.2.2), over UDP.
//!
//! ```text
//!   request, answered at once ──► Completed ──J──► over
//!                                 (request again: answer again)
//! ```
//! Everything but an INVITE is answered in the same step that it arrives in, so the Trying and Proceeding states
//! of the RFC last no time here.

use super::{event::Command, timer::GIVE_UP_MS};
use crate::time::Instant;
use std::net::SocketAddr;

/// One answered request, until no retransmission of it can arrive any more.
#[derive(Debug)]
pub struct ServerRequest {
    peer: SocketAddr,
    answer: Vec<u8>,
    /// Timer J.
    until: Instant,
}

impl ServerRequest {
    /// Sends the final answer to `peer`.
    #[must_use]
    pub fn new(peer: SocketAddr, answer: Vec<u8>, now: Instant, out: &mut Vec<Command>) -> Self {
        out.push(Command::Send { to: peer, bytes: answer.clone() });
        Self { peer, answer, until: now.after_ms(GIVE_UP_MS) }
    }

    /// The request came again: so does the answer.
    pub fn repeat(&self, out: &mut Vec<Command>) {
        out.push(Command::Send { to: self.peer, bytes: self.answer.clone() });
    }

    /// When the transaction may be forgotten.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_request_gets_the_same_answer_until_j() {
        let mut out = Vec::new();
        let peer = ([127, 0, 0, 1], 5060).into();
        let transaction = ServerRequest::new(peer, b"200".to_vec(), Instant::ZERO, &mut out);
        transaction.repeat(&mut out);
        let sent = |command: &Command| matches!(command, Command::Send { to, bytes } if *to == peer && bytes == b"200");
        assert!(out.len() == 2 && out.iter().all(sent), "{out:?}");
        assert_eq!(transaction.deadline(), Instant::ZERO.after_ms(32_000));
    }
}
