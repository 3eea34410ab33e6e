//! What goes into the endpoint and what comes out of it.

use super::{identity, negotiation::Unusable, sdp};
use std::net::SocketAddr;

/// One call on its trunk side; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId(pub u64);

/// Index of a trunk in the settings, 0-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrunkId(pub usize);

/// What happens to the endpoint.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A datagram came.
    Datagram {
        /// Where from.
        source: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// The deadline has passed. The first one starts registration.
    Deadline,
    /// The phones ring: 180.
    Ring {
        /// Offered call.
        dialog: DialogId,
    },
    /// A handset went off hook: 200.
    Answer {
        /// Offered call.
        dialog: DialogId,
        /// Our RTP address, as SDP is to name it.
        rtp: SocketAddr,
    },
    /// The call is not taken.
    Reject {
        /// Offered call.
        dialog: DialogId,
        /// The final answer.
        rejection: Rejection,
    },
    /// A handset calls out. The answer comes by the same identity: `Progress` and `Media` as the call gets on, then
    /// `Answered`, or `Refused`.
    Place {
        /// From [`Endpoint::reserve`](super::endpoint::Endpoint::reserve).
        dialog: DialogId,
        /// Trunk to go by.
        trunk: TrunkId,
        /// What was dialled: digits, `*` and `#`, or `+` and digits; or `urn:service:sos`.
        to: &'a str,
        /// Our RTP address, as SDP is to name it.
        rtp: SocketAddr,
        /// How urgent it is.
        priority: Priority,
    },
    /// The office hung up: BYE, as soon as the caller has confirmed the answer; CANCEL for a placed call that has no
    /// answer yet. Nothing more is said about the call.
    HangUp {
        /// Answered or placed call.
        dialog: DialogId,
        /// Value of the Reason header (RFC 3326): `Q.850;cause=16`.
        reason: Option<&'static str>,
    },
    /// The daemon stops: calls end, registrations are taken back.
    Shutdown,
}

/// How urgent a placed call is (RFC 3261 20.26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Says nothing.
    Normal,
    /// `Priority: emergency`.
    Emergency,
}

/// A final answer that refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 300 to 699.
    pub status: u16,
    /// Seconds of Retry-After.
    pub retry_after_s: Option<u16>,
}

/// What the endpoint asks for or tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Send this datagram from our SIP address.
    Send {
        /// Where to.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A new call: answer with `Ring`, `Answer` or `Reject`.
    Offered {
        /// Its identity.
        dialog: DialogId,
        /// Its facts.
        call: Box<Offered>,
    },
    /// A placed call gets on: a status of 101 to 199 that is not the one before.
    Progress {
        /// Placed call.
        dialog: DialogId,
        /// 180: it rings; 183: announcements may be heard.
        status: u16,
    },
    /// A placed call was answered, and the answer confirmed.
    Answered {
        /// Placed call.
        dialog: DialogId,
    },
    /// A placed call came to nothing; its dialog is gone.
    Refused {
        /// Placed call.
        dialog: DialogId,
        /// Why.
        why: Refusal,
    },
    /// The audio of the call is now as described: once when answered, for a placed call perhaps before, and whenever
    /// the peer changes it.
    Media {
        /// Answered or placed call.
        dialog: DialogId,
        /// Result of offer and answer.
        media: sdp::Negotiated,
    },
    /// The caller confirmed our 200.
    Acked {
        /// Answered call.
        dialog: DialogId,
    },
    /// The caller gave up before the answer; the dialog is gone.
    Cancelled {
        /// Offered call.
        dialog: DialogId,
    },
    /// The call is over and its dialog gone, not by our `HangUp`.
    Ended {
        /// Call.
        dialog: DialogId,
        /// Why.
        why: Ended,
    },
    /// The registration of a trunk changed.
    Registration {
        /// Which.
        trunk: TrunkId,
        /// Where it stands now.
        state: Registration,
    },
}

/// Why a placed call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many calls as may go out are out.
    TooMany,
    /// There is no such trunk.
    NoTrunk,
    /// The trunk is of mode `ip`, and no single address is known for it.
    NoAddress,
    /// What was dialled is no number.
    NotDialable,
    /// The trunk's final answer, 300 to 699; a redirection is not followed.
    Status(u16),
    /// The trunk did not answer at all for 32 s.
    Unanswered,
    /// It was answered, but not with audio that we can take.
    NoMedia,
    /// The callee hung up before it answered.
    HungUp,
}

/// Why an answered call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer hung up.
    HungUp,
    /// Our 200 was never confirmed (RFC 3261 13.3.1.4).
    NoAck,
    /// Nobody refreshed the session (RFC 4028 section 10), or the peer does not know it any more.
    SessionExpired,
    /// Offer and answer did not agree on audio after all.
    NoMedia,
}

/// Facts of an offered call.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// Trunk it came by.
    pub trunk: TrunkId,
    /// Address it came from.
    pub source: SocketAddr,
    /// Call-ID header.
    pub sip_call_id: String,
    /// Who calls.
    pub caller: identity::Caller,
    /// Every number that the call may be for, in the order of attribution.
    pub called: Vec<identity::Called>,
    /// Who forwarded the call.
    pub diversions: identity::Diversions,
    /// Hosts of the Via headers, nearest first.
    pub vias: Vec<String>,
    /// What the INVITE offers.
    pub media: OfferedMedia,
}

/// Audio offered by an INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferedMedia {
    /// Audio that we can take.
    Acceptable,
    /// None: our answer makes the offer (RFC 3261 13.3.1.4).
    Late,
    /// Nothing that we can take: reject with its status.
    Refused(Unusable),
}

/// State of a trunk's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Not asked for, or taken back.
    Unregistered,
    /// Asked for.
    Trying,
    /// In force.
    Registered {
        /// Granted interval in seconds.
        expires_s: u32,
    },
    /// Turned down; it is tried again later.
    Refused {
        /// Status of the registrar's answer.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// No answer; it is tried again later.
    Unreachable,
}
