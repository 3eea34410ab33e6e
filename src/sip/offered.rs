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

/// What a request says about session timers (RFC 4028 sections 3 to 5).
#[must_use]
pub fn session_timer(request: &Message) -> Asked {
    let mut parts = request.header("Session-Expires").unwrap_or_default().split(';').map(str::trim);
    let interval_s = parts.next().and_then(|text| text.parse().ok());
    let refresher = parts.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("refresher");
        match value.trim().to_ascii_lowercase().as_str() {
            "uac" if named => Some(Refresher::Peer),
            "uas" if named => Some(Refresher::Us),
            _ => None,
        }
    });
    let min_se = request.header("Min-SE").and_then(|text| text.split(';').next()?.trim().parse().ok());
    Asked {
        interval_s,
        refresher,
        min_se_s: min_se,
        supported: request.lists("Supported", "timer") || request.lists("Require", "timer"),
        can_refresh: request.lists("Allow", "UPDATE"),
    }
}
