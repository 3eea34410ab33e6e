//! The address at which others of the network find this box.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Somewhere outside (RFC 5737): the way there is the default route.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// The address of the interface from which `peer` is reached, or without a peer the rest of the world; `None` without
/// a network. Nothing is sent: connecting a UDP socket only asks the kernel for the way.
#[must_use]
pub fn towards(peer: Option<SocketAddr>) -> Option<IpAddr> {
    let peer = peer.unwrap_or(ANYWHERE);
    let any = match peer {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

/// Somewhere outside, for IPv6 (RFC 3849).
const ANYWHERE_6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);

/// The addresses from which the rest of the world is reached; none without a network.
#[must_use]
pub fn all() -> Vec<IpAddr> {
    [towards(None), towards(Some(ANYWHERE_6))].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_only_this_machine_knows_is_none() {
        assert_eq!(towards(Some(SocketAddr::from(([127, 0, 0, 1], 5060)))), None);
    }

    #[test]
    fn what_is_found_can_be_bound() {
        // A machine without a network has none.
        if let Some(own) = towards(None) {
            assert!(UdpSocket::bind((own, 0)).is_ok(), "{own}");
        }
    }
}
