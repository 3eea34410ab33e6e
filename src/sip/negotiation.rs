//! Offer and answer in one dialog: who has to offer next, and what the audio is now (RFC 3264, RFC 3261 13.2.1).

use super::{
    message::Message,
    sdp::{Exchange, Negotiated, Refused},
};
use std::net::SocketAddr;

/// The state of offer and answer.
#[derive(Debug, Default)]
pub struct Negotiation {
    exchange: Option<Exchange>,
    /// Our 2xx made an offer, and its ACK brings the answer; or our INVITE did, and its 2xx does.
    open: bool,
}

/// What a 2xx says about audio.
#[derive(Debug)]
pub struct Reply {
    /// Its session description.
    pub body: Vec<u8>,
    /// The stream, if it is settled and not as before.
    pub media: Option<Negotiated>,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Empty.
    None,
    /// A session description.
    Sdp(&'a [u8]),
    /// Something else.
    Foreign,
}

impl<'a> Body<'a> {
    /// The body of `message`; one without a type is taken for a session description.
    #[must_use]
    pub fn of(message: &'a Message) -> Self {
        match message.sdp() {
            _ if message.body().is_empty() => Self::None,
            Some(description) => Self::Sdp(description),
            None => Self::Foreign,
        }
    }
}

/// Why there is no [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The body is no session description.
    Foreign,
    /// The session description is refused.
    Sdp(Refused),
}

impl Unusable {
    /// Status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Foreign => 415,
            Self::Sdp(refused) => refused.status(),
        }
    }
}

impl Negotiation {
    /// The description for the 200 to `invite`; we receive RTP at `local`, `id` names our descriptions.
    ///
    /// # Errors
    /// [`Unusable`] if the INVITE offers nothing that we can take.
    pub fn answer_call(&mut self, invite: &Message, local: SocketAddr, id: u64) -> Result<Reply, Unusable> {
        self.exchange = Some(Exchange::new(local, id));
        self.renegotiate(invite)
    }

    /// The offer for our INVITE; we receive RTP at `local`, `id` names our descriptions.
    pub fn offer_call(&mut self, local: SocketAddr, id: u64) -> Vec<u8> {
        self.open = true;
        self.exchange.insert(Exchange::new(local, id)).offer()
    }

    /// Reads a provisional answer to our INVITE: the stream, if it announces one and not the one before. What cannot
    /// be used is left for the 2xx to say better.
    pub fn announced(&mut self, progress: &Message) -> Option<Negotiated> {
        let exchange = self.exchange.as_mut().filter(|_| self.open)?;
        let before = exchange.negotiated().copied();
        let Body::Sdp(answer) = Body::of(progress) else { return None };
        exchange.accept(answer).ok().filter(|now| before != Some(*now))
    }

    /// Reads the 2xx to our INVITE: the stream, if it is not the announced one. A 2xx without a description stands by
    /// what was announced.
    ///
    /// # Errors
    /// [`Unusable`] if our offer was never answered as it must be.
    pub fn answered(&mut self, success: &Message) -> Result<Option<Negotiated>, Unusable> {
        self.open = false;
        let Some(exchange) = &mut self.exchange else { return Err(Unusable::Sdp(Refused::NoAudio)) };
        let before = exchange.negotiated().copied();
        match Body::of(success) {
            Body::None if before.is_some() => Ok(None),
            Body::None => Err(Unusable::Sdp(Refused::NoAudio)),
            Body::Foreign => Err(Unusable::Foreign),
            Body::Sdp(answer) => {
                let now = exchange.accept(answer).map_err(Unusable::Sdp)?;
                Ok(Some(now).filter(|now| before != Some(*now)))
            }
        }
    }

    /// The description for the 200 to a re-INVITE or UPDATE.
    ///
    /// # Errors
    /// [`Unusable`]; the audio stays as it was.
    pub fn renegotiate(&mut self, request: &Message) -> Result<Reply, Unusable> {
        let Some(exchange) = &mut self.exchange else { return Err(Unusable::Sdp(Refused::NoAudio)) };
        match Body::of(request) {
            Body::Foreign => Err(Unusable::Foreign),
            Body::None => {
                self.open = true;
                Ok(Reply { body: exchange.offer(), media: None })
            }
            Body::Sdp(offer) => {
                let before = exchange.negotiated().copied();
                let (body, now) = exchange.answer(offer).map_err(Unusable::Sdp)?;
                Ok(Reply { body, media: Some(now).filter(|now| before != Some(*now)) })
            }
        }
    }

    /// Reads the ACK of a 2xx: the stream, if it is settled by this and not as before.
    ///
    /// # Errors
    /// [`Unusable`] if our offer was not answered, and there is no earlier stream to fall back on.
    pub fn acknowledged(&mut self, ack: &Message) -> Result<Option<Negotiated>, Unusable> {
        let Some(exchange) = self.exchange.as_mut().filter(|_| std::mem::take(&mut self.open)) else {
            return Ok(None);
        };
        let before = exchange.negotiated().copied();
        let answer = match Body::of(ack) {
            Body::None => Err(Unusable::Sdp(Refused::NoAudio)),
            Body::Foreign => Err(Unusable::Foreign),
            Body::Sdp(answer) => exchange.accept(answer).map_err(Unusable::Sdp),
        };
        match (answer, before) {
            (Ok(now), before) => Ok(Some(now).filter(|now| before != Some(*now))),
            (Err(_), Some(_)) => Ok(None),
            (Err(unusable), None) => Err(unusable),
        }
    }

    /// Whether our offer waits for its answer.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }
}
