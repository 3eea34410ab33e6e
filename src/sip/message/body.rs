//! Finds the session description in a body, which SIP-I trunks wrap together with ISUP (RFC 5621, RFC 2046 5.1).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::fields::Fields;
use crate::sip::{params::Params, scan};

/// Parts of a multipart body that are looked at.
const MAX_PARTS: usize = 8;

/// The `application/sdp` body, or the first such part of a multipart one. A body without a Content-Type counts as SDP
/// if it starts like one.
pub(super) fn session_description<'a>(content_type: Option<&str>, body: &'a [u8]) -> Option<&'a [u8]> {
    let Some(content_type) = content_type else { return body.starts_with(b"v=0").then_some(body) };
    let (kind, params) = scan::up_to(content_type, b';');
    if is_sdp(kind) {
        return (!body.is_empty()).then_some(body);
    }
    if !kind.get(..10)?.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    let params = Params::parse(params)?;
    let delimiter = format!("--{}", params.value("boundary")?);
    let parts = split_at(body, delimiter.as_bytes()).skip(1).take(MAX_PARTS);
    parts.filter_map(sdp_part).next()
}

fn is_sdp(kind: &str) -> bool {
    scan::trim(kind).eq_ignore_ascii_case("application/sdp")
}

/// The content of a part (from behind its delimiter up to the next one), if it is SDP.
fn sdp_part(part: &[u8]) -> Option<&[u8]> {
    let start = part.iter().position(|&b| b == b'\n')? + 1;
    let mut fields = Fields::default();
    let content = fields.read(part.get(start..)?).ok()?;
    let kind = fields.lines("Content-Type").next()?;
    let kind = kind.split(';').next().unwrap_or_default();
    // The line end before a delimiter belongs to the delimiter.
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    is_sdp(kind).then(|| content.strip_suffix(b"\r").unwrap_or(content))
}

/// `bytes` cut at every `delimiter`.
fn split_at<'a>(bytes: &'a [u8], delimiter: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let at = bytes.windows(delimiter.len()).position(|window| window == delimiter);
        rest = at.and_then(|at| bytes.get(at + delimiter.len()..));
        bytes.get(..at.unwrap_or(bytes.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_found_beside_isup() {
        let body = b"preamble\r\n--b1\r\nContent-Type: application/isup;version=itu\r\n\r\n\x01\xff\x00\r\n\
            --b1\r\nc: application/SDP; charset=utf-8\r\nContent-Disposition: session\r\n\r\nv=0\r\nm=audio\r\n--b1--\r\n";
        let found = session_description(Some("multipart/mixed; boundary=\"b1\""), body);
        assert_eq!(found, Some(&b"v=0\r\nm=audio"[..]));
        assert_eq!(session_description(Some("multipart/mixed;boundary=b2"), body), None);
        assert_eq!(session_description(Some("multipart/mixed"), body), None);
    }

    #[test]
    fn a_plain_body_is_taken_by_its_type() {
        assert_eq!(session_description(Some("Application/Sdp"), b"v=0"), Some(&b"v=0"[..]));
        assert_eq!(session_description(Some("application/sdp"), b""), None);
        assert_eq!(session_description(Some("application/dtmf-relay"), b"v=0"), None);
        assert_eq!(session_description(None, b"v=0\r\n"), Some(&b"v=0\r\n"[..]));
        assert_eq!(session_description(None, b"Signal=5"), None);
    }
}
