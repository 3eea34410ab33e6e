//! SIP, SIPS and TEL addresses as they stand in requests and headers (RFC 3261 19.1, RFC 3966).
//!
//! The text is kept as received, because a remote target must be sent back letter by letter (RFC 3261 12.2.1.1);
//! the parts are positions in it.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::{params::Params, scan};
use std::{borrow::Cow, fmt, net::IpAddr, ops::Range, str::FromStr};

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    text: String,
    scheme: Scheme,
    /// User of a SIP address or number of a TEL one, its own `;parameters` included.
    user: Option<Range<usize>>,
    /// Host without the brackets of an IPv6 address; empty unless the scheme is SIP or SIPS.
    host: Range<usize>,
    port: Option<u16>,
    params: Params,
    /// What follows the `?`.
    headers: Option<Range<usize>>,
}

/// The scheme of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other; only [`Uri::as_str`] says more.
    Other,
}

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SIP or TEL address")]
pub struct InvalidUri;

impl Uri {
    /// The address as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// User part (or TEL number) with its parameters and escapes, but without a password.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.text.get(self.user.clone()?)
    }

    /// What stands before the first `;` of the user part, escapes resolved: the dialled number of
    /// `sip:+13125550100;npdi;rn=+13125559999@host` is `+13125550100` (RFC 4694: `rn` is the routing number).
    #[must_use]
    pub fn number(&self) -> Option<Cow<'_, str>> {
        let user = self.user()?;
        Some(percent_decoded(scan::up_to(user, b';').0))
    }

    /// Value of a parameter inside the user part (`;verstat=` of `sip:+1312…;verstat=…@host`) or, for TEL, behind the
    /// number.
    #[must_use]
    pub fn user_param(&self, name: &str) -> Option<&str> {
        if self.scheme == Scheme::Tel {
            return self.params.value(name);
        }
        let mut parts =
            self.user()?.split(';').skip(1).map(|part| part.split_once('=').unwrap_or((part, "")));
        parts.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Host name or IP address without brackets; empty for TEL and unknown schemes.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(self.host.clone()).unwrap_or_default()
    }

    /// The host, if it is an IP address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// Port, 1..=65535, if the address names one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Parameters behind the host (or behind a TEL number).
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Value of a header that the address carries, escapes resolved: `Reason` of `sip:…?Reason=SIP%3Bcause%3D302`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = self.text.get(self.headers.clone()?)?;
        let mut pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| percent_decoded(value))
    }

    /// Whether headers follow a `?`; a Request-URI must not have any (RFC 3261 19.1.1).
    #[must_use]
    pub const fn has_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// The address as a Request-URI may carry it: as received, but without headers (RFC 3261 19.1.1).
    #[must_use]
    pub fn without_headers(&self) -> &str {
        let end = self.headers.as_ref().map_or(self.text.len(), |headers| headers.start - 1);
        self.text.get(..end).unwrap_or_default()
    }

    fn parse_sip(text: &str, scheme: Scheme, start: usize) -> Option<Self> {
        let rest = text.get(start..)?;
        let (user, target) = match scan::cut_plain(rest, b'@') {
            Some((user, target)) => (Some(scan::up_to(user, b':').0), target),
            None => (None, rest),
        };
        if user.is_some_and(str::is_empty) {
            return None;
        }
        let user = user.map(|user| start..start + user.len());
        let place = text.len() - target.len();
        let (target, headers) = scan::up_to(target, b'?');
        let headers = (!headers.is_empty()).then(|| text.len() - headers.len() + 1..text.len());
        let (hostport, params) = scan::up_to(target, b';');
        let (host, port) = split_host_port(hostport)?;
        let at = place + usize::from(hostport.starts_with('['));
        let params = Params::parse(params)?;
        Some(Self { text: text.to_owned(), scheme, user, host: at..at + host.len(), port, params, headers })
    }

    fn parse_tel(text: &str, start: usize) -> Option<Self> {
        let rest = text.get(start..)?;
        let (number, params) = scan::up_to(rest, b';');
        let plausible = number.bytes().all(|b| b.is_ascii_hexdigit() || b"+-.()*#%".contains(&b));
        let user = (plausible && !number.is_empty()).then_some(start..start + number.len())?;
        let params = Params::parse(params)?;
        let scheme = Scheme::Tel;
        Some(Self {
            text: text.to_owned(),
            scheme,
            user: Some(user),
            host: 0..0,
            port: None,
            params,
            headers: None,
        })
    }

    fn parse_other(text: &str) -> Self {
        let (scheme, params) = (Scheme::Other, Params::default());
        Self { text: text.to_owned(), scheme, user: None, host: 0..0, port: None, params, headers: None }
    }
}

impl FromStr for Uri {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, InvalidUri> {
        let outside = |b| (b <= b' ') | (b == b'<') | (b == b'>') | (b == b'"') | (b == 0x7f);
        // Without an early exit, so that the compiler takes 16 bytes at a time.
        let clean = !text.bytes().fold(false, |found, b| found | outside(b));
        let (scheme, rest) = scan::cut_plain(text, b':').ok_or(InvalidUri)?;
        if !clean || rest.is_empty() || !scan::is_token(scheme) {
            return Err(InvalidUri);
        }
        let start = scheme.len() + 1;
        let uri = if scheme.eq_ignore_ascii_case("sip") {
            Self::parse_sip(text, Scheme::Sip, start)
        } else if scheme.eq_ignore_ascii_case("sips") {
            Self::parse_sip(text, Scheme::Sips, start)
        } else if scheme.eq_ignore_ascii_case("tel") {
            Self::parse_tel(text, start)
        } else {
            Some(Self::parse_other(text))
        };
        uri.ok_or(InvalidUri)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; the host comes back without brackets. Blanks around the colon
/// are forgiven, a Via may have them.
///
/// `None` for an empty host, letters that no host name has, or a port outside 1..=65535.
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(inside) = text.strip_prefix('[') {
        let (host, after) = scan::cut_plain(inside, b']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
    } else {
        let (host, port) =
            scan::cut_plain(text, b':').map_or((text, None), |(host, port)| (scan::trim(host), Some(port)));
        (scan::is_host(host).then_some(host)?, port)
    };
    let Some(port) = port else { return Some((host, None)) };
    let port = scan::trim(port);
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { port.parse().ok()? } else { 0 };
    (number != 0).then_some((host, Some(number)))
}

/// `text` with its `%xx` escapes resolved; what does not form UTF-8 becomes U+FFFD, a broken escape stays.
#[must_use]
pub fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.extend_from_slice(before.as_bytes());
        let code = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(b'%');
                rest = after;
            }
        }
    }
    plain.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn the_dialled_number_is_what_precedes_the_user_parameters() {
        let uri = uri(
            "sip:+13125550100;npdi;rn=+13125559999;verstat=TN-Validation-Passed@198.51.100.7:5080;user=phone",
        );
        assert_eq!(uri.number().unwrap(), "+13125550100");
        assert_eq!(uri.user_param("verstat"), Some("TN-Validation-Passed"));
        assert_eq!((uri.host(), uri.port()), ("198.51.100.7", Some(5080)));
        assert_eq!(uri.params().value("user"), Some("phone"));
    }

    #[test]
    fn ipv6_hosts_come_without_brackets() {
        let uri = uri("sips:alice:secret@[2001:db8::10]:5061;transport=tls");
        assert_eq!((uri.scheme(), uri.user(), uri.host()), (Scheme::Sips, Some("alice"), "2001:db8::10"));
        assert_eq!((uri.port(), uri.ip().unwrap().is_ipv6()), (Some(5061), true));
    }

    #[test]
    fn a_tel_address_has_a_number_and_a_context_but_no_host() {
        let uri = uri("tel:555-0100;phone-context=+1312;verstat=No-TN-Validation");
        assert_eq!((uri.number().unwrap().as_ref(), uri.host()), ("555-0100", ""));
        assert_eq!(uri.params().value("phone-context"), Some("+1312"));
        assert_eq!(uri.user_param("verstat"), Some("No-TN-Validation"));
    }

    #[test]
    fn escapes_are_resolved_in_numbers_and_headers_only() {
        let uri = uri("sip:%2B13125550100@h?Reason=SIP%3Bcause%3D302&x=%zz");
        assert_eq!(uri.number().unwrap(), "+13125550100");
        assert_eq!(uri.header("reason").unwrap(), "SIP;cause=302");
        assert_eq!(uri.header("x").unwrap(), "%zz");
        assert_eq!(uri.without_headers(), "sip:%2B13125550100@h");
        assert_eq!(uri.to_string(), "sip:%2B13125550100@h?Reason=SIP%3Bcause%3D302&x=%zz");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            "sip:@h",
            "sip:a@",
            "sip:a@h:0",
            "sip:a@h:70000",
            "sip:a@h:+5",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:a@[::1",
            "sip:a@[zz]",
            "sip:a@h@i",
            "tel:",
            "tel:hello",
            "sip:a@h;;x",
            "a@b",
        ] {
            assert_eq!(text.parse::<Uri>(), Err(InvalidUri), "{text}");
        }
        assert_eq!(uri("mailto:joe@example.com").scheme(), Scheme::Other);
    }
}
