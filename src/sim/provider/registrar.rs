//! The provider's registrar: RFC 3261 10.3 with digest by MD5 and SHA-256 (RFC 7616, RFC 8760).

use super::message::{Message, token};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Nonces that are remembered at once.
const MAX_NONCES: usize = 64;
/// Longest registration that is granted, in seconds.
const MAX_EXPIRES_S: u64 = 3600;

/// The account the box registers with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Realm of the challenge.
    pub realm: String,
    /// User of the address of record and of the credentials.
    pub user: String,
    /// Password.
    pub password: String,
    /// How long a nonce is good for.
    pub nonce_life: Duration,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            realm: "provider.invalid".to_owned(),
            user: "box".to_owned(),
            password: "open sesame".to_owned(),
            nonce_life: Duration::from_secs(300),
        }
    }
}

/// Where a registered box is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its Contact URI: the Request-URI of calls to it.
    pub contact: String,
    /// Where its REGISTER came from.
    pub source: SocketAddr,
    /// How often it has registered.
    pub registrations: u64,
}

pub(super) struct Registrar {
    account: Account,
    nonces: VecDeque<(String, Instant)>,
    binding: Option<(Binding, Instant)>,
    registrations: u64,
}

/// What credentials are worth.
#[derive(PartialEq)]
enum Verdict {
    Good,
    Stale,
    Bad,
}

impl Registrar {
    pub(super) fn new(account: Account) -> Self {
        Self { account, nonces: VecDeque::new(), binding: None, registrations: 0 }
    }

    /// Where the box is, unless its registration has run out.
    pub(super) fn binding(&self, now: Instant) -> Option<&Binding> {
        self.binding.as_ref().filter(|(_, until)| now < *until).map(|(binding, _)| binding)
    }

    /// Answers a REGISTER.
    pub(super) fn answer(&mut self, request: &Message, source: SocketAddr, now: Instant) -> Vec<u8> {
        self.turned_away(request, now).unwrap_or_else(|| self.bind(request, source, now))
    }

    /// What a request hears that does not carry the account's password; `None` if it does.
    pub(super) fn turned_away(&mut self, request: &Message, now: Instant) -> Option<Vec<u8>> {
        let method = request.method().unwrap_or_default();
        let given = request.header("Authorization").map(credentials);
        match given.map(|given| self.judge(method, &given, now)) {
            Some(Verdict::Good) => None,
            Some(Verdict::Bad) => Some(request.answer(403, "Forbidden", &[])),
            Some(Verdict::Stale) => Some(self.challenge(request, now, ", stale=TRUE")),
            None => Some(self.challenge(request, now, "")),
        }
    }

    fn challenge(&mut self, request: &Message, now: Instant, stale: &str) -> Vec<u8> {
        if self.nonces.len() == MAX_NONCES {
            self.nonces.pop_front();
        }
        let nonce = token();
        self.nonces.push_back((nonce.clone(), now));
        // RFC 8760 2.4: the strongest first, each in a header of its own.
        let lines = ["SHA-256", "MD5"].map(|algorithm| {
            let realm = &self.account.realm;
            format!(
                "WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, \
                 qop=\"auth\"{stale}"
            )
        });
        request.answer(401, "Unauthorized", &lines)
    }

    fn judge(&self, method: &str, given: &BTreeMap<String, String>, now: Instant) -> Verdict {
        let hash: fn(&str) -> String = match given.get("algorithm").map_or("MD5", String::as_str) {
            algorithm if algorithm.eq_ignore_ascii_case("MD5") => hex_of::<Md5>,
            algorithm if algorithm.eq_ignore_ascii_case("SHA-256") => hex_of::<Sha256>,
            _ => return Verdict::Bad,
        };
        let get = |name: &str| given.get(name).map_or("", String::as_str);
        let Account { realm, user, password, nonce_life } = &self.account;
        if get("username") != user || get("realm") != realm || get("qop") != "auth" {
            return Verdict::Bad;
        }
        let secret = hash(&format!("{user}:{realm}:{password}"));
        let request = hash(&format!("{method}:{}", get("uri")));
        let (nonce, count, cnonce) = (get("nonce"), get("nc"), get("cnonce"));
        if get("response") != hash(&format!("{secret}:{nonce}:{count}:{cnonce}:auth:{request}")) {
            return Verdict::Bad;
        }
        // RFC 7616 3.3: right credentials under an old nonce are stale, and the box tries again without asking anyone.
        let fresh = |(known, issued): &(String, Instant)| known == nonce && now - *issued < *nonce_life;
        if self.nonces.iter().any(fresh) { Verdict::Good } else { Verdict::Stale }
    }

    fn bind(&mut self, request: &Message, source: SocketAddr, now: Instant) -> Vec<u8> {
        let Some(contact) = request.uri("Contact").map(str::to_owned) else {
            return request.answer(400, "Contact Missing", &[]);
        };
        let asked = request.parameter("Contact", "expires").or_else(|| request.header("Expires"));
        let expires_s = asked.and_then(|text| text.parse().ok()).unwrap_or(MAX_EXPIRES_S).min(MAX_EXPIRES_S);
        if expires_s == 0 {
            self.binding = None;
            return request.answer(200, "OK", &[]);
        }
        self.registrations += 1;
        let line = format!("Contact: <{contact}>;expires={expires_s}");
        let binding = Binding { contact, source, registrations: self.registrations };
        self.binding = Some((binding, now + Duration::from_secs(expires_s)));
        request.answer(200, "OK", &[line])
    }
}

/// Name and value of each credential, names in lower case, values without quotes.
fn credentials(header: &str) -> BTreeMap<String, String> {
    let fields = header.trim_start_matches("Digest").split(',');
    let pairs = fields.filter_map(|field| field.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
        .collect()
}

fn hex_of<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(authorization: &str) -> Message {
        let text = format!(
            "REGISTER sip:provider.invalid SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             From: <sip:box@provider.invalid>;tag=1\r\nTo: <sip:box@provider.invalid>\r\nCall-ID: 1\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:r1@127.0.0.1:5070>\r\nExpires: 600\r\n{authorization}\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn authorization(nonce: &str, password: &str, algorithm: &str) -> String {
        let hash = if algorithm == "MD5" { hex_of::<Md5> } else { hex_of::<Sha256> };
        let secret = hash(&format!("box:provider.invalid:{password}"));
        let response =
            hash(&format!("{secret}:{nonce}:00000001:c:auth:{}", hash("REGISTER:sip:provider.invalid")));
        format!(
            "Authorization: Digest username=\"box\", realm=\"provider.invalid\", nonce=\"{nonce}\", \
             uri=\"sip:provider.invalid\", qop=auth, nc=00000001, cnonce=\"c\", algorithm={algorithm}, \
             response=\"{response}\"\r\n"
        )
    }

    fn status(answer: &[u8]) -> u16 {
        Message::parse(answer).unwrap().status().unwrap()
    }

    #[test]
    fn only_the_right_password_registers_by_either_algorithm() {
        for algorithm in ["MD5", "SHA-256"] {
            let source = "127.0.0.1:5070".parse().unwrap();
            let (mut registrar, now) = (Registrar::new(Account::default()), Instant::now());
            assert_eq!(status(&registrar.answer(&register(""), source, now)), 401);
            let nonce = registrar.nonces[0].0.clone();
            let wrong = register(&authorization(&nonce, "guess", algorithm));
            assert_eq!(status(&registrar.answer(&wrong, source, now)), 403);
            assert_eq!(registrar.binding(now), None);
            let right = register(&authorization(&nonce, "open sesame", algorithm));
            assert_eq!(status(&registrar.answer(&right, source, now)), 200);
            assert_eq!(registrar.binding(now).unwrap().contact, "sip:r1@127.0.0.1:5070");
            assert_eq!(registrar.binding(now + Duration::from_secs(601)), None, "a registration runs out");
        }
    }

    #[test]
    fn the_right_password_under_an_old_nonce_is_stale() {
        let source = "127.0.0.1:5070".parse().unwrap();
        let (mut registrar, now) = (Registrar::new(Account::default()), Instant::now());
        registrar.answer(&register(""), source, now);
        let nonce = registrar.nonces[0].0.clone();
        let late = now + Duration::from_secs(301);
        let answer = registrar.answer(&register(&authorization(&nonce, "open sesame", "MD5")), source, late);
        assert_eq!(status(&answer), 401);
        assert!(String::from_utf8(answer).unwrap().contains("stale=TRUE"));
    }
}
