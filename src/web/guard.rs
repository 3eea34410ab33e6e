//! What every answer carries, which requests get none, and who asks.
//!
//! ```text
//!   request ─► own socket? ───────────────────────────────────────────────► this box
//!                 │ no
//!                 ▼
//!              a Host of ours? ─ no ─► 421
//!                 │
//!                 ▼
//!              without TLS from beyond this machine? ─ yes ─► 307 to https
//!                 │ no
//!                 ▼
//!              an order from a foreign page? ─ yes ─► 403
//!                 │
//!                 ▼
//!              token? cookie? ─► who has it      a trusted loopback? ─► this box      nobody (only open routes)
//! ```
//! A loopback socket is not enough for trust: a page from elsewhere can point a name of its own at 127.0.0.1 and read us
//! through the visitor's browser (DNS rebinding), so the `Host` must be a loopback one too. Nor may such a page make
//! the browser change something here: a request that is not a mere look must come from our own pages or from a program.

use super::{
    access::Asking,
    accounts::{Accounts, Pass},
    api, cookie,
    door::Peer,
    revoking,
};
use crate::access::Who;
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use std::{convert::Infallible, net::IpAddr, sync::Arc};

/// Sent with every answer. `data:` images are Pico's icons; nothing may be inline, framed or from elsewhere. The
/// referrer goes to our own pages: with `no-referrer` a browser sends `Origin: null` with our own forms.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Names under which browsers reach the box, beside loopback's and its addresses.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<[String]>);

impl Names {
    /// These names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }
}

/// What the guard knows.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) accounts: Accounts,
    pub(super) names: Names,
}

/// How a request came, for those who sign in.
#[derive(Clone, Debug, Default)]
pub(super) struct Came {
    /// From where on a network.
    pub(super) address: Option<IpAddr>,
    pub(super) encrypted: bool,
    /// The host it is for, one of ours.
    pub(super) host: String,
    /// The secret of the session that it belongs to.
    pub(super) cookie: Option<String>,
    /// What it showed.
    pub(super) pass: Option<Pass>,
}

impl<S: Sync> FromRequestParts<S> for Came {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Refuses what is not for us, finds out who asks, and adds the headers.
pub(super) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    let mut response = match admit(&gate, peer, &mut request) {
        Ok(pass) => {
            let response = next.run(request).await;
            match pass {
                Some(pass) => revoking::end_with(response, gate.accounts, pass),
                None => response,
            }
        }
        Err(refused) => *refused,
    };
    dress(response.headers_mut());
    response
}

/// Puts into the request who asks; gives what they showed for it.
fn admit(gate: &Gate, peer: Option<Peer>, request: &mut Request) -> Result<Option<Pass>, Box<Response>> {
    let (who, came) = match peer {
        Some(Peer::ThisBox) => (Some(Who::this_box()), Came::default()),
        peer => by_network(gate, peer, request)?,
    };
    let pass = came.pass.clone();
    request.extensions_mut().insert(came);
    if let Some(who) = who {
        request.extensions_mut().insert(Asking(Arc::new(who)));
    }
    Ok(pass)
}

fn by_network(
    gate: &Gate,
    peer: Option<Peer>,
    request: &Request,
) -> Result<(Option<Who>, Came), Box<Response>> {
    let host = host(request)
        .filter(|host| is_ours(host, peer, &gate.names))
        .ok_or_else(|| Box::new(foreign_host()))?;
    let encrypted = peer.is_some_and(Peer::is_encrypted);
    if peer.is_some_and(Peer::is_overheard) {
        return Err(Box::new(to_tls(request, &host)));
    }
    let headers = request.headers();
    let cookie = cookie::read(headers, encrypted);
    let mut came = Came {
        address: peer.and_then(Peer::address),
        encrypted,
        host: host.clone(),
        cookie: None,
        pass: None,
    };
    if !is_look(request.method()) {
        let origin = where_from(headers, &host, encrypted);
        // Every browser says with an order where it comes from.
        if origin == From::Elsewhere || (origin == From::Unsaid && cookie.is_some()) {
            return Err(Box::new(foreign_order()));
        }
    }
    let now = super::wall_now();
    if let Some(shown) = headers.get(header::AUTHORIZATION) {
        let known = bearer(shown).and_then(|token| gate.accounts.by_token(token, now));
        let (who, pass) = known.ok_or_else(|| Box::new(bad_token()))?;
        came.pass = Some(pass);
        return Ok((Some(who), came));
    }
    if let Some((cookie, (who, pass))) =
        cookie.and_then(|cookie| gate.accounts.by_cookie(&cookie, now).map(|known| (cookie, known)))
    {
        came.cookie = Some(cookie);
        came.pass = Some(pass);
        return Ok((Some(who), came));
    }
    let is_loopback = came.address.is_some_and(|address| address.is_loopback()) && is_loopback(&host);
    Ok(((gate.accounts.is_trusting() && is_loopback).then(Who::this_box), came))
}

/// The host that a request is for: HTTP/1.1 says it in `Host`, HTTP/2 in the address.
fn host(request: &Request) -> Option<String> {
    let said = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    said.or_else(|| request.uri().authority().map(|authority| authority.as_str())).map(str::to_owned)
}

/// `Authorization: Bearer rsd_…` (RFC 6750), or as CallRail's clients write it, `Token token="rsd_…"`.
fn bearer(shown: &HeaderValue) -> Option<&str> {
    let (scheme, rest) = shown.to_str().ok()?.split_once(' ')?;
    match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Some(rest.trim()),
        _ if scheme.eq_ignore_ascii_case("token") => {
            Some(rest.trim().strip_prefix("token=")?.trim_matches('"'))
        }
        _ => None,
    }
}

fn foreign_host() -> Response {
    // RFC 9110 15.5.20: this server does not answer for that host.
    (
        StatusCode::MISDIRECTED_REQUEST,
        "ringside does not answer under this name: open it by its address, on the box itself as http://localhost, or \
         write the name to `names` in [web] of the configuration\n",
    )
        .into_response()
}

/// Who comes without TLS from beyond this machine is sent where nobody can listen, and is told nothing else.
fn to_tls(request: &Request, host: &str) -> Response {
    if !is_look(request.method()) {
        return (StatusCode::FORBIDDEN, "ringside takes orders over https only\n").into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Redirect::temporary(&format!("https://{host}{path}")).into_response()
}

fn foreign_order() -> Response {
    (StatusCode::FORBIDDEN, "ringside takes orders from its own pages only\n").into_response()
}

fn bad_token() -> Response {
    let title = "the token is not, or no longer, one of this box";
    let mut response = api::problem(StatusCode::UNAUTHORIZED, "bad_token", title);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
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

/// The name in a `Host` value (RFC 9110 7.2: host and optional port); an IPv6 address stands in brackets.
fn name_of(host: &str) -> Option<&str> {
    match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map(|(address, _)| address).filter(|v6| v6.contains(':')),
        None => Some(host.split_once(':').map_or(host, |(name, _)| name)),
    }
}

/// Whether a `Host` value names this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    name_of(host).is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Whether a `Host` value names this box: loopback, a configured name, or the very address that was reached.
fn is_ours(host: &str, peer: Option<Peer>, names: &Names) -> bool {
    let Some(name) = name_of(host) else { return false };
    let reached = match peer {
        Some(Peer::Network { local, .. }) => Some(local.ip().to_canonical()),
        Some(Peer::ThisBox) | None => None,
    };
    let by_address = name.parse::<IpAddr>().is_ok_and(|address| Some(address.to_canonical()) == reached);
    is_loopback(host) || by_address || names.has(name)
}

/// Whether a request with this method changes nothing (RFC 9110 9.2.1).
fn is_look(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Where an order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    OwnPage,
    /// A program says nothing.
    Unsaid,
    Elsewhere,
}

/// A browser says where a request comes from: `Origin` (RFC 6454 7), `Sec-Fetch-Site` (W3C Fetch Metadata).
fn where_from(headers: &HeaderMap, host: &str, encrypted: bool) -> From {
    let value = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let scheme = if encrypted { "https://" } else { "http://" };
    let own_origin = value(&header::ORIGIN).map(|origin| origin.strip_prefix(scheme) == Some(host));
    let site = value(&HeaderName::from_static("sec-fetch-site"));
    let own_site = site.map(|site| matches!(site, "same-origin" | "none"));
    match (own_origin, own_site) {
        (Some(false), _) | (_, Some(false)) => From::Elsewhere,
        (None, None) => From::Unsaid,
        (Some(true), _) | (_, Some(true)) => From::OwnPage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_from_our_pages_and_from_programs() {
        let with = |pairs: &[(HeaderName, &'static str)], encrypted| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            where_from(&pairs.collect(), "127.0.0.1:8480", encrypted)
        };
        let site = |value| (HeaderName::from_static("sec-fetch-site"), value);
        assert_eq!(with(&[], false), From::Unsaid, "curl");
        let own = [(header::ORIGIN, "http://127.0.0.1:8480"), site("same-origin")];
        assert_eq!(with(&own, false), From::OwnPage);
        assert_eq!(with(&own, true), From::Elsewhere, "the same name without TLS may be anybody");
        for foreign in ["https://evil.example", "http://127.0.0.1:9000", "null", "https://127.0.0.1:8480"] {
            assert_eq!(with(&[(header::ORIGIN, foreign)], false), From::Elsewhere, "{foreign}");
        }
        assert_eq!(with(&[site("cross-site")], false), From::Elsewhere);
        assert_eq!(with(&[site("same-site")], false), From::Elsewhere);
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

    #[test]
    fn a_box_answers_to_its_names_and_to_the_address_that_was_reached() {
        let names = Names::new(["Ringside.local".to_owned()]);
        let peer = |local: &str| {
            let address = "192.168.1.7:50000".parse().unwrap();
            Some(Peer::Network { address, local: local.parse().unwrap(), encrypted: true })
        };
        let table = [
            ("192.168.1.20:8480", "192.168.1.20", true),
            ("192.168.1.20:8480", "192.168.1.21", false),
            ("192.168.1.20:8480", "ringside.local:8480", true),
            ("192.168.1.20:8480", "RINGSIDE.LOCAL", true),
            ("192.168.1.20:8480", "ringside.local.evil.example", false),
            ("192.168.1.20:8480", "evil.example", false),
            ("192.168.1.20:8480", "", false),
            ("[2001:db8::1]:8480", "[2001:db8::1]:8480", true),
            ("[2001:db8::1]:8480", "2001:db8::1", false),
            ("[::ffff:192.168.1.20]:8480", "192.168.1.20", true),
        ];
        for (local, host, ours) in table {
            assert_eq!(is_ours(host, peer(local), &names), ours, "{host} at {local}");
        }
    }

    #[test]
    fn a_token_is_shown_in_two_ways() {
        let token = |shown| bearer(&HeaderValue::from_static(shown)).map(str::to_owned);
        assert_eq!(token("Bearer rsd_1"), Some("rsd_1".to_owned()));
        assert_eq!(token("Token token=\"rsd_1\""), Some("rsd_1".to_owned()));
        assert_eq!(token("token token=rsd_1"), Some("rsd_1".to_owned()));
        assert_eq!(token("Basic cnNkXzE6"), None);
        assert_eq!(token("rsd_1"), None);
    }
}
