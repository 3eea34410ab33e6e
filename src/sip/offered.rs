//! Reads what an INVITE tells the rest of the box: the facts of the call.

use super::{
    event::{Offered, OfferedMedia, TrunkId},
    identity::{self, DidSource},
    message::Message,
    negotiation::{Body, Unusable},
    sdp::Exchange,
    session_timer::{Asked, Refresher},
};
use crate::number::Dialplan;
use std::net::{Ipv4Addr, SocketAddr};

/// The facts of a new call; the trunk puts the called number where `did_source` says.
#[must_use]
pub fn read(invite: &Message, trunk: TrunkId, did_source: &DidSource, dialplan: &Dialplan) -> Offered {
    Offered {
        trunk,
        source: invite.source(),
        sip_call_id: invite.call_id().to_owned(),
        caller: identity::caller(invite, dialplan),
        called: identity::called(invite, did_source, dialplan),
        diversions: identity::diversions(invite, dialplan),
        vias: invite.vias().map(|via| via.host().to_owned()).collect(),
        media: offered_media(invite),
    }
}

fn offered_media(invite: &Message) -> OfferedMedia {
    match Body::of(invite) {
        Body::None => OfferedMedia::Late,
        Body::Foreign => OfferedMedia::Refused(Unusable::Foreign),
        Body::Sdp(offer) => {
            // Whether we could answer does not depend on our address.
            let somewhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            match Exchange::new(somewhere, 0).answer(offer) {
                Ok(_) => OfferedMedia::Acceptable,
                Err(refused) => OfferedMedia::Refused(Unusable::Sdp(refused)),
            }
        }
    }
}

/// What a request of the peer says about session timers (RFC 4028 sections 3 to 5).
#[must_use]
pub fn session_timer(request: &Message) -> Asked {
    session_timer_between(request, Refresher::Peer, Refresher::Us)
}

/// What the 2xx to a request of ours says about session timers. A callee that does not list its methods may take an
/// UPDATE; it is asked.
#[must_use]
pub fn answered_session_timer(success: &Message) -> Asked {
    let asked = session_timer_between(success, Refresher::Us, Refresher::Peer);
    Asked { can_refresh: asked.can_refresh || success.header("Allow").is_none(), ..asked }
}

/// Reads the headers of a message whose transaction's client is `uac` and whose server is `uas`.
fn session_timer_between(message: &Message, uac: Refresher, uas: Refresher) -> Asked {
    let mut parts = message.header("Session-Expires").unwrap_or_default().split(';').map(str::trim);
    let interval_s = parts.next().and_then(|text| text.parse().ok());
    let refresher = parts.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("refresher");
        match value.trim().to_ascii_lowercase().as_str() {
            "uac" if named => Some(uac),
            "uas" if named => Some(uas),
            _ => None,
        }
    });
    let min_se = message.header("Min-SE").and_then(|text| text.split(';').next()?.trim().parse().ok());
    Asked {
        interval_s,
        refresher,
        min_se_s: min_se,
        supported: message.lists("Supported", "timer") || message.lists("Require", "timer"),
        can_refresh: message.lists("Allow", "UPDATE"),
    }
}
