//! From one UDP datagram to a [`Message`] (RFC 3261 7, 18.3, 25): tolerant where the meaning is clear, strict where
//! two readers could disagree.
//!
//! What cannot be read is either dropped without a word or refused with a status; a refusal keeps the header lines
//! that its answer must repeat.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::{
    Message, Method, NameAddr, Outgoing, Parts, Start, Via,
    fields::{Fields, clean, next_line},
};
use crate::sip::{
    scan,
    uri::{Scheme, Uri},
};
use std::net::SocketAddr;

/// Bytes of a UDP datagram.
pub const MAX_DATAGRAM: usize = 65_535;
/// Bytes of a body: an SDP offer has 300 to 1,500.
pub const MAX_BODY: usize = 32_768;
/// Hops that a message may show.
pub const MAX_VIAS: usize = 32;
/// Largest sequence number (RFC 3261 8.1.1.5).
const MAX_CSEQ: u32 = 0x7fff_ffff;

/// Why a datagram is no message.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// To be dropped without an answer.
    Dropped(Dropped),
    /// To be answered with a final status.
    Refused(Box<Refusal>),
}

/// A datagram that gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Only line ends: a keep-alive (RFC 5626 3.5.1).
    KeepAlive,
    /// Not SIP at all.
    NotSip,
    /// SIP that must not be answered (a response or an ACK) or cannot be (no Via), and is broken.
    Broken(&'static str),
}

/// A broken request and the answer to it.
#[derive(Clone, Debug)]
pub struct Refusal {
    fault: Fault,
    via: Option<Via>,
    fields: Fields,
    source: SocketAddr,
}

impl Refusal {
    /// Status of the answer: 400, 416, 505 or 513.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.fault.status
    }

    /// What is wrong, as the answer's reason phrase.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.fault.reason
    }

    /// Where the answer goes.
    #[must_use]
    pub fn reply_address(&self) -> SocketAddr {
        self.via.as_ref().map_or(self.source, |via| via.reply_address(self.source))
    }

    /// The answer.
    #[must_use]
    pub fn response(&self, to_tag: Option<&str>) -> Outgoing {
        Outgoing::answering(&self.fields, self.via.as_ref(), self.status(), self.reason(), to_tag)
    }
}

/// What is wrong with a request, and the status that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    status: u16,
    reason: &'static str,
}

impl Fault {
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    pub(super) const fn too_large(reason: &'static str) -> Self {
        Self { status: 513, reason }
    }
}

/// Reads one datagram that came from `source`.
///
/// # Errors
/// [`Rejected`] says whether to answer and how.
pub fn parse(bytes: &[u8], source: SocketAddr) -> Result<Message, Rejected> {
    if bytes.len() > MAX_DATAGRAM {
        return Err(Rejected::Dropped(Dropped::NotSip));
    }
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let Some((line, rest)) = next_line(bytes.get(blank..).unwrap_or_default()) else {
        return Err(Rejected::Dropped(Dropped::KeepAlive));
    };
    let first = clean(line);
    let kind = Kind::of(&first).ok_or(Rejected::Dropped(Dropped::NotSip))?;

    let mut fields = Fields::default();
    let after_head = fields.read(rest);
    let start = kind.read_start(&first);
    match start.and_then(|start| Parts::read(start, &fields, after_head?, source)) {
        Ok(parts) => Ok(Message { parts, fields }),
        Err(fault) => Err(reject(kind, fault, fields, source)),
    }
}

/// RFC 3261 8.1.3.1, 17.1.1.3: only a request other than ACK is ever answered, and only along a Via.
fn reject(kind: Kind, fault: Fault, fields: Fields, source: SocketAddr) -> Rejected {
    let Some(top) = fields.lines("Via").next().filter(|_| kind == Kind::Request) else {
        return Rejected::Dropped(Dropped::Broken(fault.reason));
    };
    let top = scan::split(top, b',').next().unwrap_or_default();
    let via = Via::parse(top).map(|mut via| {
        via.note_source(source);
        via
    });
    Rejected::Refused(Box::new(Refusal { fault, via, fields, source }))
}

/// What a start line is, as far as its ends tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Ack,
    Response,
}

impl Kind {
    fn of(line: &str) -> Option<Self> {
        let sip = |word: &str| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
        let last = line.trim_end().rsplit(' ').next().unwrap_or_default();
        match line {
            _ if sip(line) => Some(Self::Response),
            _ if !sip(last) => None,
            _ if line.starts_with("ACK ") => Some(Self::Ack),
            _ => Some(Self::Request),
        }
    }

    fn read_start(self, line: &str) -> Result<Start, Fault> {
        match self {
            Self::Response => read_status_line(line),
            Self::Request | Self::Ack => read_request_line(line),
        }
    }
}

/// RFC 3261 7.2. The reason phrase may be empty or missing.
fn read_status_line(line: &str) -> Result<Start, Fault> {
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().unwrap_or_default();
    let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    let status = if digits { code.parse().unwrap_or(0) } else { 0 };
    if !version.eq_ignore_ascii_case("SIP/2.0") || !(100..700).contains(&status) {
        return Err(Fault::bad("Status line is not SIP/2.0 and a status of 100 to 699"));
    }
    Ok(Start::Response { status, reason: words.next().unwrap_or_default().to_owned() })
}

/// RFC 3261 7.1: exactly one space between method, Request-URI and version.
fn read_request_line(line: &str) -> Result<Start, Fault> {
    let malformed = Fault::bad("Request line is not method, address and version with one space between");
    let (method, rest) = line.split_once(' ').ok_or(malformed)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(malformed)?;
    if version.is_empty() {
        return Err(malformed);
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Fault { status: 505, reason: "Version Not Supported" });
    }
    let method = Method::parse(method).ok_or(Fault::bad("Method is not a token"))?;
    let uri: Uri = uri.parse().map_err(|_| Fault::bad("Request-URI is not an address"))?;
    if uri.scheme() == Scheme::Other {
        // RFC 3261 8.2.2.1
        return Err(Fault { status: 416, reason: "Unsupported URI Scheme" });
    }
    if uri.has_headers() {
        return Err(Fault::bad("Request-URI carries headers"));
    }
    Ok(Start::Request(uri, method))
}

impl Parts {
    fn read(start: Start, fields: &Fields, after_head: &[u8], source: SocketAddr) -> Result<Self, Fault> {
        let from = required(fields, "From")?;
        let from = NameAddr::parse(from).ok_or(Fault::bad("From is not an address"))?;
        let to = NameAddr::parse(required(fields, "To")?).ok_or(Fault::bad("To is not an address"))?;
        let call_id = required(fields, "Call-ID")?.to_owned();
        let (cseq, method) = read_cseq(required(fields, "CSeq")?)?;
        if call_id.is_empty() {
            return Err(Fault::bad("Call-ID is empty"));
        }
        if matches!(&start, Start::Request(_, own) if *own != method) {
            return Err(Fault::bad("CSeq method differs from the request's"));
        }
        let is_request = matches!(start, Start::Request(..));
        let strict = is_request || method != Method::Register;
        let (mut via, lower_vias) = read_vias(fields)?;
        if is_request {
            // A response brings back our own Via, with what its sender saw of us.
            via.note_source(source);
        }
        Ok(Self {
            via,
            lower_vias,
            from,
            to,
            call_id,
            cseq,
            method,
            max_forwards: read_max_forwards(fields)?,
            contacts: read_addresses(fields, "Contact", strict)?,
            record_routes: read_addresses(fields, "Record-Route", strict)?,
            body: read_body(fields, after_head)?.to_owned(),
            start,
            source,
        })
    }
}

fn required<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Fault> {
    fields.single(name)?.ok_or(Fault::bad("Via, From, To, Call-ID or CSeq is missing"))
}

fn read_vias(fields: &Fields) -> Result<(Via, Vec<Via>), Fault> {
    let mut values = fields.lines("Via").flat_map(|line| scan::split(line, b','));
    let top = values.next().ok_or(Fault::bad("Via is missing"))?;
    let top = Via::parse(top).ok_or(Fault::bad("Top Via is malformed"))?;
    let mut lower = Vec::new();
    for value in values {
        if lower.len() + 1 == MAX_VIAS {
            return Err(Fault::bad("More than 32 Via values"));
        }
        // Hops below the top are facts for the call route, not ours to route by.
        lower.extend(Via::parse(value));
    }
    Ok((top, lower))
}

/// RFC 3261 20.16: a number below 2^31 and a method.
fn read_cseq(text: &str) -> Result<(u32, Method), Fault> {
    let malformed = Fault::bad("CSeq is not a number and a method");
    let (number, method) = text.split_once([' ', '\t']).ok_or(malformed)?;
    let number = decimal(number).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= MAX_CSEQ);
    Ok((number.ok_or(malformed)?, Method::parse(scan::trim(method)).ok_or(malformed)?))
}

fn read_max_forwards(fields: &Fields) -> Result<Option<u8>, Fault> {
    let Some(text) = fields.single("Max-Forwards")? else { return Ok(None) };
    let hops = decimal(text).and_then(|n| u8::try_from(n).ok());
    hops.map(Some).ok_or(Fault::bad("Max-Forwards is not 0 to 255"))
}

/// Every address must be readable. Only where a registrar lists contacts, which may be another phone's, the
/// unreadable ones are left out.
fn read_addresses(fields: &Fields, name: &'static str, strict: bool) -> Result<Vec<NameAddr>, Fault> {
    let mut list = Vec::new();
    for value in fields.lines(name).flat_map(|line| scan::split(line, b',')) {
        match NameAddr::parse(value) {
            Some(address) => list.push(address),
            // RFC 3261 10.2.2: `Contact: *` of a REGISTER.
            None if strict && value != "*" => return Err(Fault::bad("Contact or Record-Route is malformed")),
            None => {}
        }
    }
    Ok(list)
}

/// RFC 3261 18.3: over UDP the body ends with the datagram or at Content-Length, whichever is first.
fn read_body<'a>(fields: &Fields, after_head: &'a [u8]) -> Result<&'a [u8], Fault> {
    let body = match fields.single("Content-Length")? {
        None => after_head,
        Some(text) => {
            let length = decimal(text).ok_or(Fault::bad("Content-Length is not a number"))?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            after_head.get(..length).ok_or(Fault::bad("Content-Length is larger than the datagram"))?
        }
    };
    if body.len() > MAX_BODY {
        return Err(Fault { status: 413, reason: "Body longer than 32768 bytes" });
    }
    Ok(body)
}

/// Digits only: no sign, no blanks.
pub(super) fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
