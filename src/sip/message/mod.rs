//! SIP messages: received ones as typed, checked values ([`Message`]), ours as `rsip` models ([`Outgoing`]).
//!
//! `rsip` is the model and serialiser of what we send. Received bytes never reach it: its parser refuses `tel:`
//! addresses, IPv6 hosts, compact names, folded lines and unknown methods, all of which trunks send.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

mod body;
mod fields;
mod method;
mod name_addr;
mod outgoing;
mod via;
mod wire;

pub use fields::{MAX_HEAD, MAX_HEADERS, MAX_LINE};
pub use method::Method;
pub use name_addr::NameAddr;
pub use outgoing::Outgoing;
pub use via::Via;
pub use wire::{Dropped, MAX_BODY, MAX_DATAGRAM, MAX_VIAS, Refusal, Rejected, parse};

use super::{scan, uri::Uri};
use fields::Fields;
use std::net::SocketAddr;

/// A received message. It has a readable start line, top Via, From, To, Call-ID and CSeq.
#[derive(Clone, Debug)]
pub struct Message {
    parts: Parts,
    fields: Fields,
}

#[derive(Clone, Debug)]
enum Start {
    Request(Uri, Method),
    Response { status: u16, reason: String },
}

/// What every message is asked for, read once.
#[derive(Clone, Debug)]
struct Parts {
    start: Start,
    via: Via,
    lower_vias: Vec<Via>,
    from: NameAddr,
    to: NameAddr,
    call_id: String,
    cseq: u32,
    method: Method,
    max_forwards: Option<u8>,
    contacts: Vec<NameAddr>,
    record_routes: Vec<NameAddr>,
    body: Vec<u8>,
    source: SocketAddr,
}

impl Message {
    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.parts.start, Start::Request(..))
    }

    /// Method of the request; of a response, the method it answers (from CSeq).
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Request-URI: SIP, SIPS or TEL. `None` for a response.
    #[must_use]
    pub const fn request_uri(&self) -> Option<&Uri> {
        match &self.parts.start {
            Start::Request(uri, _) => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// Status of a response, 100..=699.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.parts.start {
            Start::Request(..) => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// Reason phrase of a response; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.parts.start {
            Start::Request(..) => "",
            Start::Response { reason, .. } => reason,
        }
    }

    /// The address the datagram came from.
    #[must_use]
    pub const fn source(&self) -> SocketAddr {
        self.parts.source
    }

    /// The top Via: of a request with `received` and `rport` as seen on this box, of a response as it came.
    #[must_use]
    pub const fn via(&self) -> &Via {
        &self.parts.via
    }

    /// Every readable Via, the top one (nearest hop) first.
    pub fn vias(&self) -> impl Iterator<Item = &Via> {
        std::iter::once(self.via()).chain(&self.parts.lower_vias)
    }

    /// Where a response to this request goes (RFC 3261 18.2.2, RFC 3581).
    #[must_use]
    pub fn reply_address(&self) -> SocketAddr {
        self.via().reply_address(self.source())
    }

    /// The From header.
    #[must_use]
    pub const fn from(&self) -> &NameAddr {
        &self.parts.from
    }

    /// The To header.
    #[must_use]
    pub const fn to(&self) -> &NameAddr {
        &self.parts.to
    }

    /// Tag of From; absent in messages of RFC 2543 peers.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.parts.from.tag()
    }

    /// Tag of To: absent in a request outside of a dialog.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.parts.to.tag()
    }

    /// Call-ID, never empty.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.parts.call_id
    }

    /// Sequence number, 0..=2^31-1.
    #[must_use]
    pub const fn cseq(&self) -> u32 {
        self.parts.cseq
    }

    /// The first Contact.
    #[must_use]
    pub fn contact(&self) -> Option<&NameAddr> {
        self.parts.contacts.first()
    }

    /// Every Contact; `*` is not in the list.
    #[must_use]
    pub fn contacts(&self) -> &[NameAddr] {
        &self.parts.contacts
    }

    /// Record-Route values in the order of the message, parameters such as `lr` in their addresses.
    #[must_use]
    pub fn record_routes(&self) -> &[NameAddr] {
        &self.parts.record_routes
    }

    /// Hops that the request may still take.
    #[must_use]
    pub const fn max_forwards(&self) -> Option<u8> {
        self.parts.max_forwards
    }

    /// Expires in seconds; a value above 2^32-1 counts as that (RFC 3261 20.19), an unreadable one as absent.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.seconds("Expires")
    }

    /// Min-Expires in seconds (RFC 3261 20.23).
    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        self.seconds("Min-Expires")
    }

    /// Retry-After in seconds (RFC 3261 20.33), comment and parameters ignored.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.seconds("Retry-After")
    }

    /// Value of the first header called `name` (long form, any case), unfolded.
    #[must_use]
    pub fn header<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.fields.lines(name).next()
    }

    /// Value of every header line called `name`, for headers whose values contain commas (`WWW-Authenticate`).
    pub fn lines<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.fields.lines(name)
    }

    /// The comma-separated values of all lines called `name`, commas in quotes and brackets respected.
    pub fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.fields.lines(name).flat_map(|line| scan::split(line, b',')).filter(|value| !value.is_empty())
    }

    /// Whether a list header names `token` (any case): `supports("Require", "100rel")`.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token))
    }

    /// Every header line: long name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The body; empty if there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.parts.body
    }

    /// Media type of the body without parameters: `application/sdp`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        let value = self.header("Content-Type")?;
        value.split(';').next().map(scan::trim)
    }

    /// The session description that the body is or holds (RFC 5621); `None` if there is none.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        body::session_description(self.header("Content-Type"), self.body())
    }

    /// A response to this request (RFC 3261 8.2.6): Via, From, To, Call-ID and CSeq are copied; `to_tag` is set
    /// unless the request has one; a dialog-forming response repeats Record-Route (RFC 3261 12.1.1).
    #[must_use]
    pub fn response(&self, status: u16, reason: &str, to_tag: Option<&str>) -> Outgoing {
        let outgoing = Outgoing::answering(&self.fields, Some(self.via()), status, reason, to_tag);
        if self.parts.method == Method::Invite && (101..300).contains(&status) {
            return self
                .fields
                .lines("Record-Route")
                .fold(outgoing, |out, line| out.with_header("Record-Route", line));
        }
        if status == 100 {
            // RFC 3261 8.2.6.1
            return self
                .fields
                .lines("Timestamp")
                .fold(outgoing, |out, line| out.with_header("Timestamp", line));
        }
        outgoing
    }

    fn seconds(&self, name: &str) -> Option<u32> {
        let text = self.header(name)?;
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let digits = text.get(..end).filter(|digits| !digits.is_empty())?;
        Some(digits.parse().unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+13125550100@192.0.2.9 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bK77;rport, SIP/2.0/UDP 203.0.113.4;branch=z9hG4bK76\r\n\
        Record-Route: <sip:198.51.100.7:5080;lr>\r\n\
        f: \"Doe, J\" <sip:+13125559999@carrier.example>;tag=a1\r\n\
        To: <sip:+13125550100@192.0.2.9>\r\n\
        i: 4f@carrier\r\n\
        CSeq: 7 INVITE\r\n\
        Max-Forwards: 69\r\n\
        m: <sip:+13125559999@198.51.100.7:5080>\r\n\
        Supported: timer,\r\n 100rel\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 3\r\n\r\nv=0 and more";

    fn source() -> SocketAddr {
        "198.51.100.7:5081".parse().unwrap()
    }

    #[test]
    fn an_invite_is_read_to_typed_fields() {
        let invite = parse(INVITE.as_bytes(), source()).unwrap();
        assert_eq!((invite.method(), invite.cseq(), invite.call_id()), (&Method::Invite, 7, "4f@carrier"));
        assert_eq!(
            (invite.from_tag(), invite.to_tag(), invite.from().display()),
            (Some("a1"), None, Some("Doe, J"))
        );
        assert_eq!(invite.vias().map(Via::host).collect::<Vec<_>>(), ["198.51.100.7", "203.0.113.4"]);
        assert_eq!(invite.via().rport(), Some(5081));
        assert_eq!(invite.reply_address(), source());
        assert!(invite.lists("supported", "100rel") && !invite.lists("Require", "100rel"));
        assert_eq!((invite.body(), invite.content_type()), (&b"v=0"[..], Some("application/sdp")));
    }

    #[test]
    fn a_ringing_response_goes_back_along_every_via_with_our_tag() {
        let invite = parse(INVITE.as_bytes(), source()).unwrap();
        let text = String::from_utf8(invite.response(180, "Ringing", Some("b2")).to_bytes()).unwrap();
        assert_eq!(
            text,
            "SIP/2.0 180 Ringing\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bK77;rport=5081;received=198.51.100.7, \
             SIP/2.0/UDP 203.0.113.4;branch=z9hG4bK76\r\n\
             From: \"Doe, J\" <sip:+13125559999@carrier.example>;tag=a1\r\n\
             To: <sip:+13125550100@192.0.2.9>;tag=b2\r\n\
             Call-ID: 4f@carrier\r\n\
             CSeq: 7 INVITE\r\n\
             Record-Route: <sip:198.51.100.7:5080;lr>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let ringing = parse(text.as_bytes(), source()).unwrap();
        assert_eq!(
            (ringing.status(), ringing.method(), ringing.to_tag()),
            (Some(180), &Method::Invite, Some("b2"))
        );
        assert_eq!(ringing.reason(), "Ringing");
    }

    #[test]
    fn a_request_is_sent_to_its_target_letter_by_letter() {
        let target = "sip:r1;x=y@[2001:db8::1]:5070;transport=udp;ob".parse().unwrap();
        let bye = Outgoing::request(&Method::Bye, &target)
            .with_header("X-Note", "a\r\nEvil: b")
            .with_body("text/plain", &[0xff]);
        let mut expected =
            b"BYE sip:r1;x=y@[2001:db8::1]:5070;transport=udp;ob SIP/2.0\r\nX-Note: a  Evil: b\r\n\
            Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n"
                .to_vec();
        expected.push(0xff);
        assert_eq!(bye.to_bytes(), expected);
        let options = Outgoing::request(&Method::Options, &"tel:+1312;a=b".parse().unwrap());
        assert!(options.to_bytes().starts_with(b"OPTIONS tel:+1312;a=b SIP/2.0\r\n"));
    }

    #[test]
    fn a_broken_request_is_refused_with_an_answer_and_a_broken_response_is_dropped() {
        let broken = INVITE.replace("CSeq: 7 INVITE", "CSeq: 7 BYE");
        let Err(Rejected::Refused(refusal)) = parse(broken.as_bytes(), source()) else { panic!("accepted") };
        assert_eq!((refusal.status(), refusal.reply_address()), (400, source()));
        let answer = parse(&refusal.response(Some("t")).to_bytes(), source()).unwrap();
        assert_eq!(
            (answer.status(), answer.call_id(), answer.to_tag()),
            (Some(400), "4f@carrier", Some("t"))
        );

        let response = broken.replace("INVITE sip:+13125550100@192.0.2.9 SIP/2.0", "SIP/2.0 1000 OK");
        assert!(matches!(parse(response.as_bytes(), source()), Err(Rejected::Dropped(Dropped::Broken(_)))));
        assert!(matches!(parse(b"\r\n\r\n", source()), Err(Rejected::Dropped(Dropped::KeepAlive))));
        assert!(matches!(
            parse(b"GET / HTTP/1.1\r\n\r\n", source()),
            Err(Rejected::Dropped(Dropped::NotSip))
        ));
    }
}
