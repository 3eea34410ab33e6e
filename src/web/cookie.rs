//! The cookie of whoever is signed in.
//!
//! Over TLS its name begins with `__Host-`: browsers take such a cookie from this very host only, and only over TLS
//! (RFC 6265bis 4.1.3.2). `SameSite=Strict`: no page from elsewhere can use it.

use super::accounts::COOKIE_S;
use axum::http::{HeaderMap, HeaderValue, header};

const OVER_TLS: &str = "__Host-ringside";
const PLAIN: &str = "ringside";
/// 256 bits in hex.
const SECRET_CHARS: usize = 64;

const fn name(encrypted: bool) -> &'static str {
    if encrypted { OVER_TLS } else { PLAIN }
}

/// The secret in a request's cookies.
pub(super) fn read(headers: &HeaderMap, encrypted: bool) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, secret) = pairs.find(|(key, _)| *key == name(encrypted))?;
    Some(secret.to_owned()).filter(|secret| secret.len() == SECRET_CHARS)
}

/// What keeps a secret in the browser.
pub(super) fn keep(secret: &str, encrypted: bool) -> HeaderValue {
    line(secret, COOKIE_S, encrypted)
}

/// What makes the browser forget it.
pub(super) fn forget(encrypted: bool) -> HeaderValue {
    line("", 0, encrypted)
}

fn line(secret: &str, seconds: u64, encrypted: bool) -> HeaderValue {
    let secure = if encrypted { "; Secure" } else { "" };
    let name = name(encrypted);
    let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // Hex digits are always a header's value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_under_its_own_name_only() {
        let secret = "ab".repeat(32);
        for encrypted in [false, true] {
            let kept = keep(&secret, encrypted).to_str().unwrap().to_owned();
            assert!(
                kept.contains("HttpOnly; SameSite=Strict") && kept.contains("Secure") == encrypted,
                "{kept}"
            );
            let pair = kept.split(';').next().unwrap();
            let sent = HeaderValue::try_from(format!("theme=dark; {pair}")).unwrap();
            let headers: HeaderMap = [(header::COOKIE, sent)].into_iter().collect();
            assert_eq!(read(&headers, encrypted), Some(secret.clone()));
            assert_eq!(read(&headers, !encrypted), None);
        }
    }
}
