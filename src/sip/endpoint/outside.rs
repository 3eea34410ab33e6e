//! Requests outside of any dialog other than INVITE, ACK and CANCEL.
//!
//! The box is no registrar, presence server or message store; what asks for one is told so, but not more often than
//! the guard's meter allows.

use super::{ALLOW, Command, Endpoint, Instant, Key, Message, Method, Outgoing, SUPPORTED};

impl Endpoint {
    pub(super) fn outside(&mut self, message: &Message, key: Key, now: Instant, out: &mut Vec<Command>) {
        if !self.may_answer_unwanted(message.source(), now) {
            return;
        }
        let status = match message.method() {
            _ if message.to_tag().is_some() => 481,
            Method::Options => 200,
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Cancel => 481,
            Method::Invite
            | Method::Ack
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Message => 405,
            Method::Other(_) => 501,
        };
        let answer = with_abilities(self.response_to(message, status, key), message.method(), status);
        self.reply(message, key, &answer, now, out);
    }
}

/// Adds what the peer must learn from an answer with `status` (RFC 3261 11.2, 21.4.6, 21.4.13).
pub(super) fn with_abilities(answer: Outgoing, method: &Method, status: u16) -> Outgoing {
    match (status, method) {
        (200, Method::Options) => answer
            .with_header("Allow", ALLOW)
            .with_header("Accept", "application/sdp")
            .with_header("Supported", SUPPORTED),
        (405 | 501, _) => answer.with_header("Allow", ALLOW),
        (415, _) => answer.with_header("Accept", "application/sdp"),
        _ => answer,
    }
}
