//! Messages that the box sends: the only file that names `rsip`.

use super::{Method, NameAddr, Via, fields::Fields};
use crate::sip::{scan, uri::Uri};
use rsip::{Header, Headers, SipMessage, StatusCode, Version, headers::UntypedHeader, message::HasHeaders};

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    message: SipMessage,
    body: Vec<u8>,
}

impl Outgoing {
    /// A request without any header. The box sends no extension methods.
    #[must_use]
    pub fn request(method: &Method, uri: &Uri) -> Self {
        let request = rsip::Request {
            method: known_method(method),
            uri: model_uri(uri),
            version: Version::V2,
            headers: Headers::default(),
            body: Vec::new(),
        };
        Self { message: request.into(), body: Vec::new() }
    }

    /// A response that repeats what RFC 3261 8.2.6.2 asks for, with the top Via as `via` if that is known.
    pub(super) fn answering(
        fields: &Fields,
        via: Option<&Via>,
        status: u16,
        reason: &str,
        to_tag: Option<&str>,
    ) -> Self {
        let response = rsip::Response {
            status_code: StatusCode::Other(status, reason.to_owned()),
            version: Version::V2,
            headers: Headers::default(),
            body: Vec::new(),
        };
        let mut outgoing = Self { message: response.into(), body: Vec::new() };
        let mut top = via;
        for (name, value) in fields.iter() {
            if name.eq_ignore_ascii_case("Via") {
                match top.take() {
                    Some(via) => outgoing.push("Via", top_via(via, value)),
                    None => outgoing.push("Via", value.to_owned()),
                }
            } else if name.eq_ignore_ascii_case("To") {
                outgoing.push("To", tagged(value, to_tag));
            } else if let Some(name) =
                ["From", "Call-ID", "CSeq"].into_iter().find(|copied| name.eq_ignore_ascii_case(copied))
            {
                outgoing.push(name, value.to_owned());
            }
        }
        outgoing
    }

    /// Adds a header line; a list header may be added several times.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.push(name, value.to_owned());
        self
    }

    /// Sets the body and its media type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = body.to_owned();
        self.with_header("Content-Type", content_type)
    }

    /// Status of a response; `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.message {
            SipMessage::Request(_) => None,
            SipMessage::Response(response) => Some(response.status_code.code()),
        }
    }

    /// The datagram, Content-Length added.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = self.message.clone();
        message
            .headers_mut()
            .push(Header::ContentLength(rsip::headers::ContentLength::new(self.body.len().to_string())));
        let mut bytes = message.to_string().into_bytes();
        // Behind the serialised head and not inside the model, which would force the body into UTF-8.
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn push(&mut self, name: &str, value: String) {
        // A value can hold a caller's or a peer's text: it must not be able to start a line of its own.
        let value = if value.bytes().any(|b| b.is_ascii_control()) {
            value.replace(|c: char| c.is_ascii_control(), " ")
        } else {
            value
        };
        self.message.headers_mut().push(model_header(name, value));
    }
}

/// The Via line with its first value as we note it, the others as received.
fn top_via(via: &Via, line: &str) -> String {
    match scan::cut(line, b',') {
        Some((_, others)) => format!("{via}, {}", scan::trim(others)),
        None => via.to_string(),
    }
}

/// A To value with `tag`, if it has none yet.
fn tagged(value: &str, tag: Option<&str>) -> String {
    match (tag, NameAddr::parse(value)) {
        (Some(tag), Some(to)) if to.params().has("tag") && to.tag().is_none() => to.with_tag(tag).to_string(),
        (Some(tag), Some(to)) if to.tag().is_none() => {
            format!("{};tag={tag}", value.trim_end_matches([';', ' ']))
        }
        _ => value.to_owned(),
    }
}

fn model_header(name: &str, value: String) -> Header {
    use rsip::headers as model;
    match name {
        "Via" => Header::Via(model::Via::new(value)),
        "From" => Header::From(model::From::new(value)),
        "To" => Header::To(model::To::new(value)),
        "Call-ID" => Header::CallId(model::CallId::new(value)),
        "CSeq" => Header::CSeq(model::CSeq::new(value)),
        "Contact" => Header::Contact(model::Contact::new(value)),
        "Max-Forwards" => Header::MaxForwards(model::MaxForwards::new(value)),
        "Content-Type" => Header::ContentType(model::ContentType::new(value)),
        "Expires" => Header::Expires(model::Expires::new(value)),
        "Allow" => Header::Allow(model::Allow::new(value)),
        "Record-Route" => Header::RecordRoute(model::RecordRoute::new(value)),
        "Route" => Header::Route(model::Route::new(value)),
        "Authorization" => Header::Authorization(model::Authorization::new(value)),
        "Proxy-Authorization" => Header::ProxyAuthorization(model::ProxyAuthorization::new(value)),
        other => Header::Other(other.to_owned(), value),
    }
}

fn known_method(method: &Method) -> rsip::Method {
    match method {
        Method::Invite => rsip::Method::Invite,
        Method::Ack => rsip::Method::Ack,
        Method::Bye => rsip::Method::Bye,
        Method::Cancel => rsip::Method::Cancel,
        Method::Register => rsip::Method::Register,
        Method::Options => rsip::Method::Options,
        Method::Prack => rsip::Method::PRack,
        Method::Subscribe => rsip::Method::Subscribe,
        Method::Notify => rsip::Method::Notify,
        Method::Publish => rsip::Method::Publish,
        Method::Info => rsip::Method::Info,
        Method::Refer => rsip::Method::Refer,
        Method::Message => rsip::Method::Message,
        Method::Update => rsip::Method::Update,
        Method::Other(_) => {
            debug_assert!(false, "the box sends no extension methods");
            rsip::Method::Options
        }
    }
}

/// The model of an address we send to. A remote target must go back letter by letter (RFC 3261 12.2.1.1), and the
/// model has no place for TEL, for escapes or for the case of a scheme: the text stands for the host.
fn model_uri(uri: &Uri) -> rsip::Uri {
    let host = rsip::Host::Domain(rsip::Domain::new(uri.without_headers()));
    rsip::Uri { host_with_port: rsip::HostWithPort { host, port: None }, scheme: None, ..Default::default() }
}
