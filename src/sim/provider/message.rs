//! SIP messages as the provider reads and writes them.
//!
//! Written apart from the box's own parser, so that a misreading on one side shows on the other. It is loose where a
//! provider may be: what it cannot read it drops.

use std::fmt::Write as _;

/// A received message: start line, headers in order, body.
#[derive(Clone, Debug)]
pub(super) struct Message {
    start: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Message {
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(datagram);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .map(|line| {
                line.split_once(':').map(|(name, value)| (long(name.trim()), value.trim().to_owned()))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// The method of a request.
    pub(super) fn method(&self) -> Option<&str> {
        let (method, rest) = self.start.split_once(' ')?;
        rest.ends_with("SIP/2.0").then_some(method)
    }

    /// The status of a response.
    pub(super) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Method of the transaction, from CSeq.
    pub(super) fn sequence_method(&self) -> Option<&str> {
        self.header("CSeq")?.split_whitespace().nth(1)
    }

    /// The URI in a header: what stands in angle brackets, or the value without its parameters.
    pub(super) fn uri(&self, name: &str) -> Option<&str> {
        let value = self.header(name)?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split_once('>').map(|(uri, _)| uri),
            None => value.split(';').next(),
        }
    }

    /// A parameter of a header, searched behind the URI.
    pub(super) fn parameter(&self, header: &str, name: &str) -> Option<&str> {
        let value = self.header(header)?;
        let behind = value.rsplit_once('>').map_or(value, |(_, behind)| behind);
        behind.split(';').skip(1).find_map(|parameter| {
            let (key, value) = parameter.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Answers this request. `extra` are whole header lines.
    pub(super) fn answer(&self, status: u16, reason: &str, extra: &[String]) -> Vec<u8> {
        self.answer_with(status, reason, extra, "")
    }

    /// Answers this request with a session description; an empty one is none.
    pub(super) fn answer_with(&self, status: u16, reason: &str, extra: &[String], sdp: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {status} {reason}\r\n");
        for (name, value) in &self.headers {
            match name.as_str() {
                "To" if status > 100 && self.parameter("To", "tag").is_none() => {
                    let _ = write!(out, "To: {value};tag=provider\r\n");
                }
                "Via" | "From" | "To" | "Call-ID" | "CSeq" => {
                    let _ = write!(out, "{name}: {value}\r\n");
                }
                _ => {}
            }
        }
        for line in extra {
            let _ = write!(out, "{line}\r\n");
        }
        if !sdp.is_empty() {
            out.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
        out.into_bytes()
    }

    /// Every header, in order.
    pub(super) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The Request-URI of a request.
    pub(super) fn target(&self) -> Option<&str> {
        self.start.split(' ').nth(1)
    }
}

/// The long form of a header name (RFC 3261 7.3.3), in the usual spelling for the names this file looks at.
fn long(name: &str) -> String {
    const KNOWN: [(&str, &str); 7] = [
        ("v", "Via"),
        ("f", "From"),
        ("t", "To"),
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("l", "Content-Length"),
        ("CSeq", "CSeq"),
    ];
    let known = KNOWN
        .iter()
        .find(|(short, long)| name.eq_ignore_ascii_case(short) || name.eq_ignore_ascii_case(long));
    known.map_or(name, |(_, long)| long).to_owned()
}

/// A token nobody else uses: 64 random bits in hex.
pub(super) fn token() -> String {
    let mut bytes = [0; 8];
    // Without the kernel's randomness the tokens of a simulated provider are guessable, and nothing worse.
    if getrandom::fill(&mut bytes).is_err() {
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes.copy_from_slice(&u64::from(at.subsec_nanos()).to_ne_bytes());
    }
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_names_tags_and_uris_are_read() {
        let text = b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 127.0.0.1\r\nt: \"A\" <sip:a@b;x=1>;tag=77\r\n\
            m: <sip:r1@127.0.0.1:5060>;expires=600\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n";
        let message = Message::parse(text).unwrap();
        assert_eq!(message.status(), Some(200));
        assert_eq!(message.parameter("To", "tag"), Some("77"));
        assert_eq!(message.uri("To"), Some("sip:a@b;x=1"));
        assert_eq!(message.uri("Contact"), Some("sip:r1@127.0.0.1:5060"));
        assert_eq!(message.sequence_method(), Some("INVITE"));
        assert_eq!(message.body, "v=0\r\n");
    }

    #[test]
    fn noise_is_no_message() {
        assert!(Message::parse(b"\r\n\r\n").is_none_or(|m| m.method().is_none() && m.status().is_none()));
        assert!(Message::parse(b"INVITE").is_none());
        assert!(Message::parse(b"INVITE sip:a SIP/2.0\r\nno colon\r\n\r\n").is_none());
    }
}
