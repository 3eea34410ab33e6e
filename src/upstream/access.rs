//! Who may do what: boxes by token or certificate, operators by token, everybody else nothing.
//!
//! A stranger is told the same whether a box exists or not. Tokens are 256 random bits, so a plain digest is enough to
//! keep them by; digests are compared in constant time. Without an operator's token the pages are for this machine
//! only, and then only under a loopback name (a foreign page may point its own name at 127.0.0.1).

use super::{Receiver, answer, tls::Peer};
use crate::{id::BoxId, time::WallTime};
use axum::{
    extract::{ConnectInfo, RawPathParams, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;

/// How long an operator stays signed in.
const SESSION_MS: u64 = 12 * 3_600_000;
/// Name of the operator's cookie.
const COOKIE: &str = "ringside_fleet";

/// A new token: 64 hex digits.
///
/// # Errors
/// The machine has no randomness.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(blake3::Hash::from(random).to_hex().to_string())
}

/// What is kept of a token.
#[must_use]
pub fn digest(token: &str) -> [u8; 32] {
    blake3::derive_key("ringside upstream 2026 box token", token.as_bytes())
}

/// Compares in constant time.
fn same(a: [u8; 32], b: [u8; 32]) -> bool {
    blake3::Hash::from(a) == blake3::Hash::from(b)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Lets a box at its own things and nobody else. Whoever is sent away hears why, also one who is about to send a piece.
pub(super) async fn boxes(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    path: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let named = path.iter().find(|(name, _)| *name == "box").and_then(|(_, id)| id.parse::<BoxId>().ok());
    match admitted(&receiver, &peer, named, request.headers()).await {
        Ok(id) => {
            request.extensions_mut().insert(id);
            next.run(request).await
        }
        Err(response) => {
            answer::drain(request.into_body(), receiver.patience).await;
            *response
        }
    }
}

async fn admitted(
    receiver: &Receiver,
    peer: &Peer,
    named: Option<BoxId>,
    headers: &HeaderMap,
) -> Result<BoxId, Box<Response>> {
    let id = named.ok_or_else(|| Box::new(stranger(receiver)))?;
    if peer.certified.is_some_and(|certified| certified != id) {
        receiver.metrics.denied.inc();
        return Err(Box::new(answer::problem(StatusCode::FORBIDDEN, "not allowed", "")));
    }
    let known = receiver.records.fleet_box(id).await;
    let known = known.map_err(|error| Box::new(answer::unavailable(receiver, &error)))?;
    let token = known.and_then(|known| known.token);
    // A digest is compared in any case: a stranger cannot tell by the time that a box exists.
    let by_token = same(digest(bearer(headers).unwrap_or_default()), token.unwrap_or_default());
    if token.is_some() && (by_token || peer.certified == Some(id)) {
        Ok(id)
    } else {
        Err(Box::new(stranger(receiver)))
    }
}

fn stranger(receiver: &Receiver) -> Response {
    receiver.metrics.denied.inc();
    let mut response = answer::problem(StatusCode::UNAUTHORIZED, "not allowed", "");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

/// The operator's token, as far as it has to be kept.
pub struct Operator {
    digest: Option<[u8; 32]>,
}

/// What a visitor of the pages may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// See everything.
    Operator,
    /// Sign in.
    Stranger,
    /// Nothing: there is nobody to sign in as.
    Outsider,
}

impl Operator {
    /// With a token people sign in; without one the pages are for this machine only.
    #[must_use]
    pub fn new(token: Option<&str>) -> Self {
        let digest =
            |token: &str| blake3::derive_key("ringside upstream 2026 operator token", token.as_bytes());
        Self { digest: token.map(digest) }
    }

    /// Who asks.
    pub(super) fn visitor(&self, headers: &HeaderMap, peer: &Peer, now: WallTime) -> Visitor {
        if self.digest.is_none() {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let here = peer.address.ip().to_canonical().is_loopback()
                && host.is_some_and(crate::web::guard::is_loopback);
            return if here { Visitor::Operator } else { Visitor::Outsider };
        }
        let signed_in = bearer(headers).is_some_and(|token| self.is_token(token))
            || cookie(headers).is_some_and(|session| self.is_session(session, now));
        if signed_in { Visitor::Operator } else { Visitor::Stranger }
    }

    /// Whether this is the operator's token.
    pub(super) fn is_token(&self, token: &str) -> bool {
        let shown = Self::new(Some(token)).digest.unwrap_or_default();
        self.digest.is_some_and(|digest| same(digest, shown))
    }

    /// The cookie of one who has signed in: when it ends, and that it is ours. Any receiver with the same operator's
    /// token knows it, and a new token ends it.
    pub(super) fn cookie(&self, now: WallTime, encrypted: bool) -> String {
        let session = self.session(now.0.saturating_add(SESSION_MS));
        let secure = if encrypted { "; Secure" } else { "" };
        let seconds = SESSION_MS / 1000;
        format!("{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }

    fn session(&self, until_ms: u64) -> String {
        let key = self.digest.unwrap_or_default();
        format!("{until_ms}.{}", blake3::keyed_hash(&key, &until_ms.to_be_bytes()).to_hex())
    }

    fn is_session(&self, session: &str, now: WallTime) -> bool {
        let Some((until, proof)) = session.split_once('.') else { return false };
        let (Ok(until), Ok(proof)) = (until.parse::<u64>(), blake3::Hash::from_hex(proof)) else {
            return false;
        };
        let key = self.digest.unwrap_or_default();
        self.digest.is_some() && until > now.0 && blake3::keyed_hash(&key, &until.to_be_bytes()) == proof
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn asks(name: header::HeaderName, value: &str, operator: &Operator, from: &str) -> Visitor {
        let headers = [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect();
        let peer = Peer { address: from.parse().unwrap(), certified: None, encrypted: false };
        operator.visitor(&headers, &peer, WallTime(1_000))
    }

    #[test]
    fn without_an_operators_token_the_pages_are_for_this_machine() {
        let nobody = Operator::new(None);
        let asks = |host, from| asks(header::HOST, host, &nobody, from);
        assert_eq!(asks("localhost:8490", "127.0.0.1:9"), Visitor::Operator);
        assert_eq!(asks("evil.example", "127.0.0.1:9"), Visitor::Outsider);
        assert_eq!(asks("localhost", "192.0.2.1:9"), Visitor::Outsider);
    }

    #[test]
    fn a_cookie_is_good_until_it_ends_and_for_one_operators_token() {
        let [operator, another] =
            ["correct horse battery", "another"].map(|token| Operator::new(Some(token)));
        let asks = |name, value: &str, operator| asks(name, value, operator, "192.0.2.1:9");
        assert_eq!(asks(header::AUTHORIZATION, "Bearer correct horse battery", &operator), Visitor::Operator);
        assert_eq!(asks(header::AUTHORIZATION, "Bearer wrong", &operator), Visitor::Stranger);
        let fresh = format!("a=b; {}", operator.cookie(WallTime(0), true));
        assert_eq!(asks(header::COOKIE, &fresh, &operator), Visitor::Operator);
        let over = format!("{COOKIE}={}", operator.session(999));
        assert_eq!(asks(header::COOKIE, &over, &operator), Visitor::Stranger);
        assert_eq!(asks(header::COOKIE, &fresh, &another), Visitor::Stranger);
        let forged = format!("{COOKIE}=999999.{}", "0".repeat(64));
        assert_eq!(asks(header::COOKIE, &forged, &operator), Visitor::Stranger);
    }
}
