//! What every answer carries, and which requests get none.
//!
//! Until people sign in, the page is for this machine only. A loopback socket is not enough: a page from elsewhere
//! can point a name of its own at 127.0.0.1 and read us through the visitor's browser (DNS rebinding), so the
//! `Host` must be a loopback one too.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::IpAddr;

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
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut response = if host.is_some_and(is_loopback) {
        next.run(request).await
    } else {
        // RFC 9110 15.5.20: this server does not answer for that host.
        (
            StatusCode::MISDIRECTED_REQUEST,
            "ringside answers only on this machine: open it as http://localhost or http://127.0.0.1\n",
        )
            .into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Call data is not for caches; what may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a `Host` value (RFC 9110 7.2, host and optional port) names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

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
