//! The server transactions: finds them by what a message says, keeps their number bounded, forgets them in time.

use crate::{
    sip::{
        event::Command,
        message::Message,
        remembered::{Answer, Key, Known, Remembered},
        server_invite::{self, ServerInvite},
        server_request::ServerRequest,
        tokens::Tokens,
    },
    time::Instant,
};
use std::{collections::BTreeMap, net::SocketAddr};

/// INVITE transactions above which new INVITEs are dealt with without one, as far as they can be.
pub const CROWDED_INVITES: usize = 512;
/// INVITE transactions that may be kept after their final answer. The calls that have none yet come on top, at most
/// [`MAX_CALLS`](super::MAX_CALLS).
pub const MAX_ANSWERED_INVITES: usize = 2 * CROWDED_INVITES;
/// Transactions of other requests; above it answers go out without one.
pub const MAX_SERVER_REQUESTS: usize = 512;

/// Every server transaction of the endpoint.
#[derive(Debug, Default)]
pub(super) struct ServerTransactions {
    invites: BTreeMap<u64, (ServerInvite, Key)>,
    ways: BTreeMap<u64, u64>,
    requests: BTreeMap<u64, ServerRequest>,
    remembered: Remembered,
}

/// What the tables know of an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: it is new.
    Never,
    /// Its transaction has dealt with it.
    Dealt,
    /// It was refused without a transaction: say the same again.
    Refused(crate::sip::event::Rejection),
    /// It came by another way before.
    Merged,
}

/// The key of a request in the transaction of `method` (RFC 3261 17.2.3): ACK and CANCEL name their INVITE with its
/// method. Peers of RFC 2543 send no branch; the rest of the key tells their requests apart.
pub(super) fn key_of(tokens: &Tokens, message: &Message, method: &str) -> Key {
    let via = message.via();
    let from_tag = message.from_tag().unwrap_or_default();
    let cseq = message.cseq().to_be_bytes();
    let request = tokens
        .hash("request", &[message.call_id().as_bytes(), from_tag.as_bytes(), &cseq, method.as_bytes()]);
    let port = via.port().unwrap_or_default().to_be_bytes();
    let branch = via.branch().unwrap_or_default();
    let way = tokens.hash("way", &[&request.to_be_bytes(), branch.as_bytes(), via.host().as_bytes(), &port]);
    Key { request, way }
}

impl ServerTransactions {
    /// Looks up an INVITE; a repeated one is answered again here.
    pub(super) fn see_invite(&mut self, key: Key, now: Instant, out: &mut Vec<Command>) -> Seen {
        if let Some((transaction, _)) = self.invites.get_mut(&key.way) {
            transaction.handle(server_invite::Event::Invite, now, out);
            return Seen::Dealt;
        }
        match self.remembered.find(key) {
            Some(Known::Answered(Answer::Accepted)) => Seen::Dealt,
            Some(Known::Answered(Answer::Refused(rejection))) => Seen::Refused(rejection),
            Some(Known::Merged) => Seen::Merged,
            None if self.ways.contains_key(&key.request) => Seen::Merged,
            None => Seen::Never,
        }
    }

    /// Starts the transaction of a new INVITE; its first answer follows.
    pub(super) fn open(&mut self, key: Key, peer: SocketAddr, now: Instant) {
        self.invites.insert(key.way, (ServerInvite::new(peer, now), key));
        self.ways.insert(key.request, key.way);
    }

    /// Sends a provisional answer.
    pub(super) fn provisional(&mut self, key: Key, bytes: Vec<u8>, now: Instant, out: &mut Vec<Command>) {
        if let Some((transaction, _)) = self.invites.get_mut(&key.way) {
            transaction.handle(server_invite::Event::Provisional(bytes), now, out);
        }
    }

    /// Sends the final answer. In a crowd the transaction is then closed and `answer` remembered instead, if the
    /// caller will repeat its INVITE until it hears it, or the dialog its 2xx; above the cap it is closed anyhow.
    pub(super) fn finish(
        &mut self,
        key: Key,
        answer: Answer,
        bytes: Vec<u8>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let (crowded, full) = (self.is_crowded(), self.invites.len() > MAX_ANSWERED_INVITES);
        let Some((transaction, _)) = self.invites.get_mut(&key.way) else { return };
        let repeated = transaction.is_silent() || answer == Answer::Accepted;
        let event = match answer {
            Answer::Accepted => server_invite::Event::Success(bytes),
            Answer::Refused(_) => server_invite::Event::Failure(bytes),
        };
        transaction.handle(event, now, out);
        if (crowded && repeated) || full {
            self.close(key);
            self.remembered.insert(key, answer);
        }
    }

    /// Whether an INVITE had better be answered without a transaction.
    pub(super) fn is_crowded(&self) -> bool {
        self.invites.len() > CROWDED_INVITES
    }

    /// Gives the ACK to a refused INVITE; false if it is not for one that is still known.
    pub(super) fn acknowledge(&mut self, key: Key, now: Instant, out: &mut Vec<Command>) -> bool {
        match self.invites.get_mut(&key.way) {
            Some((transaction, _)) if !transaction.is_accepted() => {
                transaction.handle(server_invite::Event::Ack, now, out);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether an INVITE is known, answered or not.
    pub(super) fn knows_invite(&self, key: Key) -> bool {
        self.invites.contains_key(&key.way)
    }

    /// Answers a request other than INVITE that came before; false if it is new.
    pub(super) fn repeat(&mut self, key: Key, out: &mut Vec<Command>) -> bool {
        let known = self.requests.get(&key.way);
        known.inspect(|transaction| transaction.repeat(out)).is_some()
    }

    /// Answers a new request other than INVITE.
    pub(super) fn answer(
        &mut self,
        key: Key,
        peer: SocketAddr,
        bytes: Vec<u8>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let transaction = ServerRequest::new(peer, bytes, now, out);
        if self.requests.len() < MAX_SERVER_REQUESTS {
            self.requests.insert(key.way, transaction);
        }
    }

    /// Time has passed.
    pub(super) fn handle_deadline(&mut self, now: Instant, out: &mut Vec<Command>) {
        let mut over = Vec::new();
        for (transaction, key) in self.invites.values_mut() {
            transaction.handle(server_invite::Event::Deadline, now, out);
            over.extend(transaction.is_over().then_some(*key));
        }
        for key in over {
            self.close(key);
        }
        self.requests.retain(|_, transaction| now < transaction.deadline());
    }

    /// When the next transaction changes by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let invites = self.invites.values().filter_map(|(transaction, _)| transaction.deadline());
        invites.chain(self.requests.values().map(ServerRequest::deadline)).min()
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.invites.len() + self.requests.len()
    }

    fn close(&mut self, key: Key) {
        self.invites.remove(&key.way);
        self.ways.remove(&key.request);
    }
}
