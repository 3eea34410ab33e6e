//! Network values of the configuration: address ranges and host names with a port.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// A range of addresses in CIDR notation (RFC 4632 3.1): `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix_bits: u8,
}

/// The text is not a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCidr {
    /// The part before the slash is not an IP address.
    #[error("not an IP address or a range like 192.0.2.0/24")]
    Address,
    /// The part behind the slash is not a number of bits of such an address.
    #[error("the prefix is 0..=32 bits of an IPv4 address, 0..=128 of an IPv6 address")]
    Prefix,
    /// Bits behind the prefix are set, so that the writer means something else.
    #[error("the address has bits behind its prefix")]
    HostBits,
}

impl Cidr {
    /// Whether `address` lies in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.prefix_bits) == self.network
    }

    /// The address, if the range holds only one.
    #[must_use]
    pub const fn host(&self) -> Option<IpAddr> {
        let width = if self.network.is_ipv4() { 32 } else { 128 };
        if self.prefix_bits == width { Some(self.network) } else { None }
    }
}

/// `address` with every bit behind the first `prefix_bits` cleared.
fn masked(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & keep).into())
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & keep))
        }
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| InvalidCidr::Address)?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or(InvalidCidr::Prefix)?,
        };
        if masked(network, prefix_bits) != network {
            return Err(InvalidCidr::HostBits);
        }
        Ok(Self { network, prefix_bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

/// A host name or address with a port: `sip.example.net:5060`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// DNS name, IPv4 address, or IPv6 address without its brackets.
    pub host: String,
    /// UDP port, 1..=65535.
    pub port: u16,
}

/// The text is not a host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host name or address with an optional port, like sip.example.net:5060")]
pub struct InvalidHost;

impl HostPort {
    /// Port of SIP over UDP (RFC 3261 19.1.2).
    pub const SIP_PORT: u16 = 5060;
}

impl FromStr for HostPort {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Ok(address) = text.parse::<std::net::SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: Self::SIP_PORT });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0).ok_or(InvalidHost)?),
            None => (text, Self::SIP_PORT),
        };
        // RFC 1123 2.1: labels of letters, digits and hyphens.
        let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if host.len() > 253 || !host.split('.').all(label) {
            return Err(InvalidHost);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let range: Cidr = "192.0.2.128/25".parse().unwrap();
        assert!(range.contains("192.0.2.200".parse().unwrap()));
        assert!(range.contains("::ffff:192.0.2.200".parse().unwrap()));
        assert!(!range.contains("192.0.2.127".parse().unwrap()));
        assert!(!range.contains("2001:db8::1".parse().unwrap()));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        let one: Cidr = "2001:db8::1".parse().unwrap();
        assert!(
            one.contains("2001:db8::1".parse().unwrap()) && !one.contains("2001:db8::2".parse().unwrap())
        );
    }

    #[test]
    fn a_careless_range_is_refused() {
        assert_eq!("192.0.2.1/24".parse::<Cidr>(), Err(InvalidCidr::HostBits));
        assert_eq!("192.0.2.0/33".parse::<Cidr>(), Err(InvalidCidr::Prefix));
        assert_eq!("192.0.2.0/-1".parse::<Cidr>(), Err(InvalidCidr::Prefix));
        assert_eq!("office/24".parse::<Cidr>(), Err(InvalidCidr::Address));
    }

    #[test]
    fn a_host_has_the_sip_port_unless_it_names_one() {
        let host = |text: &str| text.parse::<HostPort>().map(|h| h.to_string());
        assert_eq!(host("sip.example.net"), Ok("sip.example.net:5060".into()));
        assert_eq!(host("sip.example.net:5070"), Ok("sip.example.net:5070".into()));
        assert_eq!(host("[2001:db8::1]:5070"), Ok("[2001:db8::1]:5070".into()));
        assert_eq!(host("192.0.2.1"), Ok("192.0.2.1:5060".into()));
        for bad in ["", "sip:example.net", "a..b", "host:0", "host:port", "two words"] {
            assert_eq!(host(bad), Err(InvalidHost), "{bad:?}");
        }
    }
}
