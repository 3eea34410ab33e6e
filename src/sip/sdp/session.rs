//! A session description as the peer wrote it (RFC 8866 5). Only v, c, t, m and a lines are read; order, unknown
//! lines and broken o= and s= lines (real gateways send them) do not matter.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::{Codec, Direction};
use crate::sip::scan;
use std::net::IpAddr;

/// Streams that a description may list; an answer must list them all.
pub const MAX_MEDIA: usize = 16;

/// A description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its streams in order, at least one.
    pub media: Vec<Media>,
    /// Value of the t= line: `0 0` unless the writer had another idea.
    pub time: String,
}

/// One m= section, with what it inherits from the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …
    pub kind: String,
    /// 0 if the stream is refused or not in use.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`, `udptl` …
    pub protocol: String,
    /// Payload types or format names, blank-separated.
    pub formats: String,
    /// Address of the stream; `None` if absent or a host name.
    pub address: Option<IpAddr>,
    /// Direction, `sendrecv` unless stated.
    pub direction: Direction,
    /// Milliseconds of audio per packet that the writer wants.
    pub ptime_ms: Option<u16>,
    /// Most milliseconds of audio per packet that the writer takes.
    pub max_ptime_ms: Option<u16>,
    /// Whether RTCP may share the RTP port.
    pub rtcp_mux: bool,
    /// RTCP port and address if not the next higher port (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// Payload type of `telephone-event/8000`, if listed.
    pub event_pt: Option<u8>,
}

impl Session {
    /// Reads a body; `None` if it has no readable stream list.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let mut session = Self { media: Vec::new(), time: "0 0".to_owned() };
        let mut defaults = Defaults { address: None, direction: Direction::SendRecv };
        for line in text.lines() {
            let Some((kind, value)) = line.trim().split_once('=') else { continue };
            let full = session.media.len() == MAX_MEDIA;
            match (kind, session.media.last_mut()) {
                ("m", _) if full => return None,
                ("m", _) => session.media.push(Media::parse(value, &defaults)?),
                ("c", None) => defaults.address = connection(value),
                ("c", Some(media)) => media.address = connection(value),
                ("t", None) if is_time(value) => value.clone_into(&mut session.time),
                ("a", None) => defaults.direction = Direction::parse(value).unwrap_or(defaults.direction),
                ("a", Some(media)) => media.read_attribute(value),
                _ => {}
            }
        }
        (!session.media.is_empty()).then_some(session)
    }
}

/// What streams inherit.
struct Defaults {
    address: Option<IpAddr>,
    direction: Direction,
}

impl Media {
    /// `audio 49170/2 RTP/AVP 0 8 101`
    fn parse(value: &str, defaults: &Defaults) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let kind = words.next().filter(|kind| scan::is_token(kind))?;
        let port = words.next()?;
        let port = port.split_once('/').map_or(port, |(port, _)| port).parse().ok()?;
        let protocol = words.next()?;
        let formats = words.collect::<Vec<_>>().join(" ");
        let printable =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !printable(protocol) || !printable(&formats) {
            return None;
        }
        Some(Self {
            kind: kind.to_owned(),
            port,
            protocol: protocol.to_owned(),
            formats,
            address: defaults.address,
            direction: defaults.direction,
            ptime_ms: None,
            max_ptime_ms: None,
            rtcp_mux: false,
            rtcp: None,
            event_pt: None,
        })
    }

    /// Payload types as numbers, in the writer's order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.split(' ').filter_map(|format| format.parse().ok()).filter(|pt| *pt < 128)
    }

    /// The first codec that is ours too.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.payload_types().find_map(|pt| Codec::ALL.into_iter().find(|codec| codec.payload_type() == pt))
    }

    fn read_attribute(&mut self, value: &str) {
        if let Some(direction) = Direction::parse(value) {
            self.direction = direction;
            return;
        }
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "rtpmap" => self.read_rtpmap(value),
            "ptime" => self.ptime_ms = leading_number(value),
            "maxptime" => self.max_ptime_ms = leading_number(value),
            "rtcp-mux" => self.rtcp_mux = true,
            "rtcp" => {
                let (port, address) = value.split_once(' ').unwrap_or((value, ""));
                self.rtcp = port.parse().ok().map(|port| (port, connection(address)));
            }
            _ => {}
        }
    }

    fn read_rtpmap(&mut self, value: &str) {
        let Some((pt, encoding)) = value.split_once(' ') else { return };
        let Some(pt) = self.payload_types().find(|own| pt.parse() == Ok(*own)) else { return };
        if scan::trim(encoding).eq_ignore_ascii_case("telephone-event/8000") {
            self.event_pt = self.event_pt.or(Some(pt));
        }
    }
}

/// `IN IP4 192.0.2.1/127`
fn connection(value: &str) -> Option<IpAddr> {
    let address = value.split_ascii_whitespace().nth(2)?;
    address.split_once('/').map_or(address, |(address, _)| address).parse().ok()
}

fn is_time(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit() || b == b' ')
}

/// `20` of `20`, `20.0` or `20 ms`.
fn leading_number(value: &str) -> Option<u16> {
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    value.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_with_a_broken_origin_and_a_latin1_name_is_read() {
        let body = b"v=0\r\no=Acme Packet 1 1 IN IP4 192.0.2.1\r\ns=Caf\xe9\r\nb=AS:80\r\na=sendonly\r\nt=0 0\r\n\
            c=IN IP4 192.0.2.2/127\r\nm=audio 4000/1 RTP/AVP 18 8 0 96\r\nk=clear:x\r\na=rtpmap:96 TELEPHONE-EVENT/8000\r\n\
            a=ptime:30\r\na=rtcp:4009 IN IP4 192.0.2.3\r\nm=image 0 udptl t38\r\nc=IN IP6 2001:db8::1\r\na=inactive\r\n";
        let session = Session::parse(body).unwrap();
        let [audio, image] = session.media.as_slice() else { panic!("{session:?}") };
        assert_eq!((audio.port, audio.codec(), audio.event_pt), (4000, Some(Codec::Pcma), Some(96)));
        assert_eq!((audio.address, audio.direction), ("192.0.2.2".parse().ok(), Direction::SendOnly));
        assert_eq!((audio.ptime_ms, audio.rtcp), (Some(30), Some((4009, "192.0.2.3".parse().ok()))));
        assert_eq!((image.kind.as_str(), image.formats.as_str()), ("image", "t38"));
        assert_eq!((image.address, image.direction), ("2001:db8::1".parse().ok(), Direction::Inactive));
    }

    #[test]
    fn a_payload_type_that_is_mapped_but_not_listed_does_not_count() {
        let session = Session::parse(b"m=audio 4000 RTP/AVP 0\na=rtpmap:101 telephone-event/8000\n").unwrap();
        assert_eq!(session.media.first().unwrap().event_pt, None);
    }

    #[test]
    fn a_description_without_a_readable_stream_list_is_none() {
        for body in
            ["", "hello", "v=0\r\n", "m=audio\r\n", "m=audio x RTP/AVP 0\r\n", "m=audio 4000 RTP/AVP\r\n"]
        {
            assert_eq!(Session::parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(Session::parse("m=audio 4000 RTP/AVP 0\n".repeat(MAX_MEDIA + 1).as_bytes()), None);
    }
}
