//! A dialog as either side keeps it (RFC 3261 section 12), and the call in it.
//!
//! ```text
//!   INVITE from the trunk ──► Early ──our 200──► Up ──BYE from the peer──► gone
//!                             │                  ▲ └──the office hangs up, no ACK, session expired──► Leaving
//!                             │                  │                                 gone ◄──BYE answered──┘
//!                             └──CANCEL, BYE, refused, expired──► gone
//!   INVITE of the box ──► Calling ──its 200──────┘
//!                         └──refused, unanswered, cancelled──► gone
//! ```
//! The office may hang up before the ACK has come; the BYE then waits for it (RFC 3261 section 15). If it hangs up
//! while the box calls, the INVITE is cancelled, and the answer that comes anyhow is met with ACK and BYE.

use super::{
    calling::Calling,
    client_invite::Invite,
    event::{DialogId, TrunkId},
    message::{Message, Method, NameAddr, Outgoing},
    negotiation::Negotiation,
    remembered::Key,
    session_timer::SessionTimer,
    success::Success,
    uri::{Scheme, Uri},
};
use crate::time::Instant;
use std::net::{IpAddr, SocketAddr};

/// Port of a SIP address that names none (RFC 3261 19.1.2).
const DEFAULT_PORT: u16 = 5060;
/// Routes that a dialog may have; an INVITE with more is refused.
pub const MAX_ROUTES: usize = 16;

/// One call on its trunk side.
#[derive(Debug)]
pub struct Dialog {
    /// Trunk it came or went by.
    pub trunk: TrunkId,
    /// Where it stands.
    pub state: State,
    /// The 2xx that waits for its ACK.
    pub success: Option<Success>,
    /// Session timer of the answered call.
    pub timer: Option<SessionTimer>,
    /// Offer and answer.
    pub negotiation: Negotiation,
    /// Set when the office hung up before the ACK came, or before the answer to our INVITE: the Reason of the BYE to
    /// send then.
    pub hang_up: Option<Option<&'static str>>,
    /// Whether the first 200 was confirmed.
    pub acked: bool,
    /// Where the last request of the peer came from; until there is one, where our INVITE went.
    pub source: SocketAddr,
    id: DialogId,
    placed: bool,
    ids: Ids,
    target: Uri,
    remote_cseq: u32,
    local_cseq: u32,
    peer_allows_update: bool,
}

/// Stages of a dialog.
#[derive(Debug)]
pub enum State {
    /// Offered or ringing: the INVITE has no final answer yet.
    Early {
        /// It.
        invite: Box<Message>,
        /// Its transaction.
        key: Key,
        /// When the caller wants it to be over (Expires, RFC 3261 13.3.1).
        expires_at: Option<Instant>,
    },
    /// Placed: our INVITE has no final answer yet. However many callees it finds, they all speak in this dialog.
    Calling(Box<Calling>),
    /// Answered.
    Up,
    /// Our BYE is on its way.
    Leaving,
}

/// What never changes in a dialog.
#[derive(Debug)]
struct Ids {
    call_id: String,
    local_tag: String,
    remote_tag: Option<String>,
    /// From of our requests.
    local: NameAddr,
    /// To of our requests.
    remote: NameAddr,
    routes: Vec<NameAddr>,
}

impl Dialog {
    /// The dialog that `invite` starts, with our tag.
    ///
    /// # Errors
    /// The INVITE, if it has no usable Contact (RFC 3261 8.1.1.8) or too long a route.
    pub fn new(
        id: DialogId,
        trunk: TrunkId,
        invite: Message,
        key: Key,
        local_tag: String,
        now: Instant,
    ) -> Result<Self, Box<Message>> {
        let target = target_of(&invite).filter(|_| invite.record_routes().len() <= MAX_ROUTES);
        let Some(target) = target.cloned() else { return Err(Box::new(invite)) };
        Ok(Self {
            trunk,
            success: None,
            timer: None,
            negotiation: Negotiation::default(),
            hang_up: None,
            acked: false,
            source: invite.source(),
            id,
            placed: false,
            target,
            remote_cseq: invite.cseq(),
            local_cseq: 0,
            peer_allows_update: invite.lists("Allow", "UPDATE"),
            ids: Ids {
                call_id: invite.call_id().to_owned(),
                remote_tag: invite.from_tag().map(str::to_owned),
                local: invite.to().clone().with_tag(&local_tag),
                remote: invite.from().clone(),
                routes: invite.record_routes().to_vec(),
                local_tag,
            },
            state: State::Early {
                expires_at: invite.expires().map(|seconds| now.after_ms(u64::from(seconds) * 1_000)),
                invite: Box::new(invite),
                key,
            },
        })
    }

    /// The dialog of a call that the box places by `trunk`, to be sent to `peer`.
    #[must_use]
    pub fn placed(id: DialogId, trunk: TrunkId, peer: SocketAddr, first: Invite, state: State) -> Self {
        Self {
            trunk,
            state,
            success: None,
            timer: None,
            negotiation: Negotiation::default(),
            hang_up: None,
            acked: false,
            source: peer,
            id,
            placed: true,
            target: first.uri,
            remote_cseq: 0,
            local_cseq: first.cseq,
            peer_allows_update: false,
            ids: Ids {
                call_id: first.call_id,
                local_tag: first.from.tag().unwrap_or_default().to_owned(),
                remote_tag: None,
                local: first.from,
                remote: first.to,
                routes: Vec::new(),
            },
        }
    }

    /// Our next INVITE, while the box calls (RFC 3261 8.1.1): what it repeats, and the request so far.
    pub fn invite(&mut self, branch: String, via: String) -> (Invite, Outgoing) {
        let request = self.request(&Method::Invite, &via);
        let invite = Invite {
            branch,
            via,
            uri: self.target.clone(),
            from: self.ids.local.clone(),
            to: self.ids.remote.clone(),
            call_id: self.ids.call_id.clone(),
            cseq: self.local_cseq,
        };
        (invite, request)
    }

    /// A callee has answered our INVITE with `success`: it is the other side now (RFC 3261 12.1.2).
    ///
    /// Without a Contact the target stays where the INVITE went.
    pub fn join(&mut self, success: &Message) {
        self.ids.remote_tag = success.to_tag().map(str::to_owned);
        self.ids.remote = success.to().clone();
        self.ids.routes =
            success.record_routes().iter().rev().filter(|r| is_sendable(r.uri())).cloned().collect();
        self.refresh_target(success);
        self.acked = true;
        self.state = State::Up;
    }

    /// Its identity.
    #[must_use]
    pub const fn id(&self) -> DialogId {
        self.id
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.ids.local_tag
    }

    /// Whether the box placed the call.
    #[must_use]
    pub const fn is_placed(&self) -> bool {
        self.placed
    }

    /// Whether `message` from the peer belongs to this dialog (RFC 3261 12.2.2).
    #[must_use]
    pub fn owns(&self, message: &Message) -> bool {
        message.to_tag() == Some(self.local_tag())
            && message.call_id() == self.ids.call_id
            && (self.is_calling() || message.from_tag() == self.ids.remote_tag.as_deref())
    }

    /// Whether our INVITE has no final answer yet.
    #[must_use]
    pub const fn is_calling(&self) -> bool {
        matches!(self.state, State::Calling(_))
    }

    /// Whether the transaction is the one that this dialog is still to answer.
    #[must_use]
    pub fn waits_for(&self, wanted: Key) -> bool {
        matches!(self.state, State::Early { key, .. } if key == wanted)
    }

    /// Whether the office has hung up: nothing more is said about the call.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(self.state, State::Leaving) || self.hang_up.is_some()
    }

    /// Notes a new request of the peer; false if it is older than one already seen (RFC 3261 12.2.2).
    pub fn accepts_sequence(&mut self, message: &Message) -> bool {
        if self.is_calling() {
            // Each callee counts for itself; the one that answers counts on.
            return true;
        }
        let in_order = message.cseq() >= self.remote_cseq;
        if in_order {
            self.remote_cseq = message.cseq();
            self.source = message.source();
        }
        in_order
    }

    /// A request that was accepted moves the remote target (RFC 3261 12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = target_of(message) {
            self.target = target.clone();
        }
        self.peer_allows_update |= message.lists("Allow", "UPDATE");
    }

    /// Whether we can refresh the session ourselves.
    #[must_use]
    pub const fn peer_allows_update(&self) -> bool {
        self.peer_allows_update
    }

    /// The Request-URI of our requests (RFC 3261 12.2.1.1).
    #[must_use]
    pub fn request_uri(&self) -> &Uri {
        self.strict_route().map_or(&self.target, NameAddr::uri)
    }

    /// Our next request in this dialog, with `via` as its Via (RFC 3261 12.2.1.1).
    pub fn request(&mut self, method: &Method, via: &str) -> Outgoing {
        self.local_cseq += 1;
        self.numbered(method, self.local_cseq, via)
    }

    /// The ACK of the 2xx to our INVITE `cseq` (RFC 3261 13.2.2.4): a transaction of its own, with `via` as its Via.
    #[must_use]
    pub fn ack(&self, cseq: u32, via: &str) -> Outgoing {
        self.numbered(&Method::Ack, cseq, via)
    }

    fn numbered(&self, method: &Method, cseq: u32, via: &str) -> Outgoing {
        let strict = self.strict_route();
        let outgoing = Outgoing::request(method, self.request_uri())
            .with_header("Via", via)
            .with_header("Max-Forwards", "70")
            .with_header("From", &self.ids.local.to_string())
            .with_header("To", &self.ids.remote.to_string())
            .with_header("Call-ID", &self.ids.call_id)
            .with_header("CSeq", &format!("{cseq} {method}"));
        let routes = self.ids.routes.iter().skip(usize::from(strict.is_some()));
        let outgoing = routes.fold(outgoing, |out, route| out.with_header("Route", &route.to_string()));
        match strict {
            // It finds the target as the last route.
            Some(_) => outgoing.with_header("Route", &format!("<{}>", self.target)),
            None => outgoing,
        }
    }

    /// Where our requests go, if the next hop is given as an address and not as a name.
    #[must_use]
    pub fn next_hop(&self) -> Option<SocketAddr> {
        let uri = self.ids.routes.first().map_or(&self.target, NameAddr::uri);
        let transport = uri.params().value("transport");
        let udp = transport.is_none_or(|transport| transport.eq_ignore_ascii_case("udp"));
        let ip: IpAddr = uri.ip().filter(|_| udp)?;
        Some(SocketAddr::new(ip, uri.port().unwrap_or(DEFAULT_PORT)))
    }

    /// The first route, if it is of the kind that takes the Request-URI for itself.
    fn strict_route(&self) -> Option<&NameAddr> {
        self.ids.routes.first().filter(|route| !route.uri().params().has("lr"))
    }

    /// When time matters to the dialog itself; its transactions have their own deadlines.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Early { expires_at, .. } => *expires_at,
            State::Up => self.timer.map(|timer| timer.deadline()),
            State::Calling(_) | State::Leaving => None,
        };
        state.into_iter().chain(self.success.as_ref().map(Success::deadline)).min()
    }
}

/// The Contact, if requests can be sent to an address of its kind (RFC 3261 8.1.1.8).
fn target_of(message: &Message) -> Option<&Uri> {
    message.contact().map(NameAddr::uri).filter(|uri| is_sendable(uri))
}

fn is_sendable(uri: &Uri) -> bool {
    uri.scheme() != Scheme::Other
}
