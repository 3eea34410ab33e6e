//! SDP offer and answer for one audio stream (RFC 3264, RFC 8866).
//!
//! [`Session`] is what the peer wrote, [`Exchange`] is our side of one dialog: it answers offers, makes offers,
//! reads answers, and remembers what it sent, so that a session refresh gets the same answer letter by letter.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

mod exchange;
mod session;

pub use exchange::Exchange;
pub use session::{MAX_MEDIA, Media, Session};

pub use crate::rtp::session::Codec;
/// The agreed audio stream, as the media plane takes it.
pub use crate::rtp::session::Trunk as Negotiated;

/// Who may send, as the writer of a description sees it (RFC 3264 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// Only the writer: the other side is on hold.
    SendOnly,
    /// Only the reader.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// The attribute on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Reads an attribute.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.as_str() == text)
    }

    /// The same stream described by the other side (RFC 3264 6.1).
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer wants to receive.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Why an offer or an answer cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no session description.
    #[error("the session description cannot be read")]
    Malformed,
    /// It has no audio stream, or a refused one: T.38 only, video only, port 0.
    #[error("no audio stream is offered")]
    NoAudio,
    /// Its audio is encrypted, which this box does not do.
    #[error("only encrypted audio (SRTP) is offered; switch SRTP off on the trunk")]
    Encrypted,
    /// It has neither PCMU nor PCMA.
    #[error("neither PCMU nor PCMA is offered; enable G.711 on the trunk")]
    NoCommonCodec,
    /// The audio stream has no IP address.
    #[error("the audio stream has no IP address")]
    NoAddress,
}

impl Refused {
    /// Status of the answer to an offer: 400 or 488.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NoAudio | Self::Encrypted | Self::NoCommonCodec | Self::NoAddress => 488,
        }
    }

    /// The word for `outcome.why` of the call record.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_sdp",
            Self::NoAudio => "no_audio",
            Self::Encrypted => "srtp_only",
            Self::NoCommonCodec => "no_common_codec",
            Self::NoAddress => "no_media_address",
        }
    }
}
