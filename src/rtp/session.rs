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
    /// Our codecs in the order we offer them.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Static payload type.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

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
    /// Where the peer wants its RTP; an unspecified address while it is on hold in the way of RFC 2543.
    pub remote: SocketAddr,
    /// Where the peer wants its RTCP (RFC 3605, RFC 5761).
    pub rtcp: SocketAddr,
    /// Codec of both directions.
    pub codec: Codec,
    /// Payload type on which the peer sends telephone-events (RFC 4733), 0..=127, if it does.
    pub event_pt_in: Option<u8>,
    /// Payload type on which the peer wants telephone-events, 0..=127.
    pub event_pt_out: Option<u8>,
    /// Milliseconds of audio in each packet we send: 10, 20, 30, 40 or 60.
    pub ptime_ms: u8,
    /// Whether we may send (false: the peer is `sendonly` or `inactive`).
    pub send: bool,
    /// Whether the peer sends (false: `recvonly` or `inactive`); nothing is missed while it does not.
    pub receive: bool,
}

impl Trunk {
    /// Whether RTCP shares the port of RTP (RFC 5761).
    #[must_use]
    pub fn muxes_rtcp(&self) -> bool {
        self.rtcp == self.remote
    }
}
