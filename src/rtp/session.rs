//! What SDP settles about an RTP session; spoken by the signalling machines and the media plane alike.

use std::net::SocketAddr;

/// A codec of the trunk side (RFC 3551 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

impl Codec {
    /// Its encoding name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

/// The trunk side of a patch as SDP negotiated it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Where SDP says the peer wants its RTP.
    pub remote: SocketAddr,
    /// Codec of both directions.
    pub codec: Codec,
    /// Payload type on which the peer sends telephone-events (RFC 4733), if it does.
    pub event_pt_in: Option<u8>,
    /// Payload type on which the peer wants telephone-events.
    pub event_pt_out: Option<u8>,
    /// Milliseconds of audio in each packet we send: 10, 20, 30, 40 or 60.
    pub ptime_ms: u8,
    /// Whether we may send (false: the peer is `sendonly` or `inactive`).
    pub send: bool,
    /// Whether the peer sends (false: `recvonly` or `inactive`); nothing is missed while it does not.
    pub receive: bool,
}
