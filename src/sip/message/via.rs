//! The Via header: the way back for responses (RFC 3261 20.42, RFC 3581).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::super::{params::Params, scan, uri::split_host_port};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Port of a sent-by without one (RFC 3261 18.2.2).
const DEFAULT_PORT: u16 = 5060;

/// One hop that the message passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    transport: String,
    host: String,
    port: Option<u16>,
    params: Params,
}

impl Via {
    /// Reads one value: `SIP/2.0/UDP host:port;branch=…`, blanks allowed around every part.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, params) = scan::up_to(text, b';');
        let (protocol, rest) = scan::cut_plain(head, b'/')?;
        let (version, rest) = scan::cut_plain(rest, b'/')?;
        let rest = scan::trim(rest);
        let blank = rest.bytes().position(|byte| matches!(byte, b' ' | b'\t'))?;
        let (transport, sent_by) = rest.split_at_checked(blank)?;
        let named = scan::trim(protocol).eq_ignore_ascii_case("SIP") && scan::is_token(scan::trim(version));
        if !named || !scan::is_token(transport) {
            return None;
        }
        let (host, port) = split_host_port(scan::trim(sent_by))?;
        Some(Self {
            transport: transport.to_owned(),
            host: host.to_owned(),
            port,
            params: Params::parse(params)?,
        })
    }

    /// Transport as written: `UDP`, `TCP`, `TLS` …
    #[must_use]
    pub fn transport(&self) -> &str {
        &self.transport
    }

    /// Host of the sender as it sees itself, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port of the sender as it sees itself.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Transaction id; absent in messages of RFC 2543 peers.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// Address the message came from, as the receiving hop saw it.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Whether the sender wants responses at the port it sent from (RFC 3581 3).
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Port the message came from, as the receiving hop saw it.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }

    /// All parameters.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Notes where the message came from (RFC 3261 18.2.1, RFC 3581 4).
    pub(super) fn note_source(&mut self, source: SocketAddr) {
        let wants_rport = self.wants_rport();
        if wants_rport {
            self.params = self.params.with("rport", &source.port().to_string());
        }
        if wants_rport || self.host.parse() != Ok(source.ip()) {
            self.params = self.params.with("received", &source.ip().to_string());
        }
    }

    /// Where a response to a message from `source` goes (RFC 3261 18.2.2, RFC 3581 4); `maddr` is not honoured,
    /// it would let a stranger aim our answers.
    pub(super) fn reply_address(&self, source: SocketAddr) -> SocketAddr {
        let port = if self.wants_rport() { source.port() } else { self.port.unwrap_or(DEFAULT_PORT) };
        SocketAddr::new(source.ip(), port)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} ", self.transport)?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_every_part_are_forgiven() {
        let via = Via::parse("SIP  /    2.0 / UDP  192.168.255.111 : 5080  ; branch= z9hG4bK30239").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.168.255.111:5080;branch=z9hG4bK30239");
    }

    #[test]
    fn a_natted_sender_gets_its_answers_where_it_sent_from() {
        let source = "192.0.2.1:9988".parse().unwrap();
        let mut via = Via::parse("SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK1").unwrap();
        via.note_source(source);
        assert_eq!(
            via.to_string(),
            "SIP/2.0/UDP 10.0.0.2:5060;rport=9988;branch=z9hG4bK1;received=192.0.2.1"
        );
        assert_eq!(via.reply_address(source), source);
    }

    #[test]
    fn without_rport_answers_go_to_the_port_in_the_via() {
        let source = "192.0.2.1:9988".parse().unwrap();
        let mut via = Via::parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1").unwrap();
        via.note_source(source);
        assert_eq!(via.received(), None);
        assert_eq!(via.reply_address(source).port(), 5060);
    }
}
