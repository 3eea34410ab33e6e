//! What every answer carries, and which requests get none.
//!
//! Until people sign in, the page is for this machine only. A loopback socket is not enough: a page from elsewhere
//! can point a name of its own at 127.0.0.1 and read us through the visitor's browser (DNS rebinding), so the
//! `Host` must be a loopback one too. Nor may such a page make the browser change something here: a request that is
//! not a mere look must come from our own pages or from a program.

use super::access::Asking;
use crate::access::Who;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// Sent with every answer. `data:` images are Pico's icons; nothing may be inline, framed or from elsewhere.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Refuses foreign hosts and adds the headers.
pub(super) async fn guard(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Asking(Arc::new(Who::this_box())));
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut response = if host.is_some_and(is_loopback) {
        if is_look(request.method()) || is_own_page_or_program(request.headers()) {
            next.run(request).await
        } else {
            (StatusCode::FORBIDDEN, "ringside takes orders from its own pages only\n").into_response()
        }
    } else {
        // RFC 9110 15.5.20: this server does not answer for that host.
        (
            StatusCode::MISDIRECTED_REQUEST,
            "ringside answers only on this machine: open it as http://localhost or http://127.0.0.1\n",
        )
            .into_response()
    };
    dress(response.headers_mut());
    response
}

/// Adds what every page carries.
pub(crate) fn dress(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Call data is not for caches; what may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether a `Host` value (RFC 9110 7.2, host and optional port) names this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a request with this method changes nothing (RFC 9110 9.2.1).
fn is_look(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A browser says where a request comes from: `Origin` (RFC 6454 7), `Sec-Fetch-Site` (W3C Fetch Metadata). A program
/// says neither.
fn is_own_page_or_program(headers: &HeaderMap) -> bool {
    let value = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let own_origin = match (value(&header::ORIGIN), value(&header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("http://") == Some(host),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let site = value(&HeaderName::from_static("sec-fetch-site"));
    own_origin && site.is_none_or(|site| matches!(site, "same-origin" | "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_from_our_pages_and_from_programs() {
        let with = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_own_page_or_program(&pairs.collect())
        };
        let host = (header::HOST, "127.0.0.1:8480");
        let site = |value| (HeaderName::from_static("sec-fetch-site"), value);
        assert!(with(std::slice::from_ref(&host)), "curl");
        assert!(with(&[host.clone(), (header::ORIGIN, "http://127.0.0.1:8480"), site("same-origin")]));
        for foreign in ["https://evil.example", "http://127.0.0.1:9000", "null", "https://127.0.0.1:8480"] {
            assert!(!with(&[host.clone(), (header::ORIGIN, foreign)]), "{foreign}");
        }
        assert!(!with(&[host.clone(), site("cross-site")]));
        assert!(!with(&[host, site("same-site")]));
    }

    #[test]
    fn only_loopback_names_are_ours() {
        for ours in ["localhost", "LocalHost:8480", "127.0.0.1", "127.9.9.9:80", "[::1]:8480", "[::1]"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for theirs in
            ["evil.example", "localhost.evil.example:8480", "192.168.1.9", "127.0.0.1.nip.io", "", "::1"]
        {
            assert!(!is_loopback(theirs), "{theirs}");
        }
    }
}
