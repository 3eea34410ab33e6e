//! Digest authentication as a client (RFC 7616, RFC 3261 22.4, RFC 8760): reads challenges, writes the header that
//! answers one.
//!
//! [`challenge`] picks the strongest challenge of a 401 or 407; a [`Login`] then authorises any number of requests
//! with its nonce, counting them. Randomness (the client nonce) is handed in.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::{message::Message, scan};
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fmt::{self, Write as _};

/// Hash of a challenge, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, also meant when a challenge names none.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    fn hash(self, text: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// What the answer protects (RFC 7616 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A challenge without qop, as of RFC 2069.
    Legacy,
    /// Method and address.
    Auth,
    /// Method, address and body.
    AuthInt,
}

/// One challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Quoted values are kept with their escapes: they are hashed and sent back as received.
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The algorithm's name as received, to be sent back.
    algorithm_name: Option<String>,
    /// Whether the hash of the password covers the nonces (`-sess`).
    session: bool,
    protection: Protection,
    stale: bool,
}

impl Challenge {
    /// Reads every challenge of a header value; those of other schemes, algorithms or protections are left out.
    #[must_use]
    pub fn parse_all(value: &str) -> Vec<Self> {
        let mut schemes: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        for part in scan::split(value, b',').filter(|part| !part.is_empty()) {
            let (name, value) =
                scan::cut(part, b'=').map_or((part, ""), |(n, v)| (scan::trim(n), scan::trim(v)));
            // `Digest realm` opens a challenge, `realm` continues one.
            match (name.split_once([' ', '\t']), schemes.last_mut()) {
                (Some((scheme, name)), _) => schemes.push((scheme, vec![(scan::trim(name), value)])),
                (None, _) if value.is_empty() => schemes.push((name, Vec::new())),
                (None, Some((_, params))) => params.push((name, value)),
                (None, None) => {}
            }
        }
        let digest = schemes.iter().filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Digest"));
        digest.filter_map(|(_, params)| Self::from_params(params)).collect()
    }

    fn from_params(params: &[(&str, &str)]) -> Option<Self> {
        let value = |name: &str| {
            let (_, value) = params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
            Some(scan::inside_quotes(value).unwrap_or(value))
        };
        let algorithm_name = value("algorithm");
        let name = algorithm_name.unwrap_or("MD5").to_ascii_uppercase();
        let (base, session) = name.strip_suffix("-SESS").map_or((name.as_str(), false), |base| (base, true));
        let algorithm = match base {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let protection = match value("qop") {
            None => Protection::Legacy,
            Some(list) if lists(list, "auth") => Protection::Auth,
            Some(list) if lists(list, "auth-int") => Protection::AuthInt,
            Some(_) => return None,
        };
        Some(Self {
            realm: value("realm")?.to_owned(),
            nonce: value("nonce")?.to_owned(),
            opaque: value("opaque").map(str::to_owned),
            algorithm,
            algorithm_name: algorithm_name.map(str::to_owned),
            session,
            protection,
            stale: value("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// Realm, to be shown to the installer when the password is refused.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Whether only the nonce was too old and the password is right (RFC 7616 3.3).
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// Hash of the challenge.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn lists(list: &str, wanted: &str) -> bool {
    list.split(',').any(|item| scan::trim(item).eq_ignore_ascii_case(wanted))
}

/// The strongest challenge of a 401 or 407, and the name of the header that answers it; among equals the first, as
/// the server prefers it (RFC 8760 2.4). `None` if there is none that we can answer.
#[must_use]
pub fn challenge(response: &Message) -> Option<(Challenge, &'static str)> {
    let (asks, answers) = match response.status()? {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => return None,
    };
    let all = response.lines(asks).flat_map(Challenge::parse_all);
    let strongest = all.reduce(|best, next| if next.algorithm > best.algorithm { next } else { best })?;
    Some((strongest, answers))
}

/// How often one request was asked for a password, so that a wrong one is not tried in a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries(u8);

impl Tries {
    /// Whether `challenge` is worth an answer: the first one, and one more if it says that only the nonce was old.
    pub fn allow(&mut self, challenge: &Challenge) -> bool {
        let allowed = match self.0 {
            0 => true,
            1 => challenge.is_stale(),
            _ => false,
        };
        self.0 += u8::from(allowed);
        allowed
    }
}

/// A password that a challenge was met with; it authorises requests until the server has a new nonce.
#[derive(Clone)]
pub struct Login {
    challenge: Challenge,
    user: String,
    /// H(A1) of RFC 7616 3.4.2.
    secret: String,
    /// Client nonce: random and without quotes.
    cnonce: String,
    /// Requests authorised so far.
    count: u32,
}

impl Login {
    /// Meets `challenge` with a user and a password. `cnonce` is random text without quotes, 8 characters or more.
    #[must_use]
    pub fn new(challenge: Challenge, user: &str, password: &str, cnonce: &str) -> Self {
        let algorithm = challenge.algorithm;
        let mut secret = algorithm.hash(format!("{user}:{}:{password}", challenge.realm).as_bytes());
        if challenge.session {
            secret = algorithm.hash(format!("{secret}:{}:{cnonce}", challenge.nonce).as_bytes());
        }
        Self { challenge, user: user.to_owned(), secret, cnonce: cnonce.to_owned(), count: 0 }
    }

    /// The header value that authorises one request; each call is counted (RFC 7616 3.4 `nc`).
    #[must_use]
    pub fn authorize(&mut self, method: &str, uri: &str, body: &[u8]) -> String {
        self.count = self.count.saturating_add(1);
        let Self { challenge: Challenge { realm, nonce, algorithm, protection, .. }, cnonce, count, .. } =
            self;
        let request = match protection {
            Protection::Legacy | Protection::Auth => format!("{method}:{uri}"),
            Protection::AuthInt => format!("{method}:{uri}:{}", algorithm.hash(body)),
        };
        let request = algorithm.hash(request.as_bytes());
        let (qop, proof) = match protection {
            Protection::Legacy => (None, format!("{}:{nonce}:{request}", self.secret)),
            Protection::Auth => {
                (Some("auth"), format!("{}:{nonce}:{count:08x}:{cnonce}:auth:{request}", self.secret))
            }
            Protection::AuthInt => {
                (Some("auth-int"), format!("{}:{nonce}:{count:08x}:{cnonce}:auth-int:{request}", self.secret))
            }
        };
        let response = algorithm.hash(proof.as_bytes());
        let user = self.user.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        // Writing to a String cannot fail.
        if let Some(name) = &self.challenge.algorithm_name {
            let _ = write!(value, ", algorithm={name}");
        }
        if let Some(opaque) = &self.challenge.opaque {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        if let Some(qop) = qop {
            let _ = write!(value, ", qop={qop}, nc={count:08x}");
        }
        if qop.is_some() || self.challenge.session {
            let _ = write!(value, ", cnonce=\"{cnonce}\"");
        }
        value
    }
}

/// Without the secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("realm", &self.challenge.realm)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::parse;

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn only(value: &str) -> Challenge {
        let all = Challenge::parse_all(value);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    fn mufasa(algorithm: &str, qop: &str) -> Login {
        let value = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"{qop}\", algorithm={algorithm}, nonce=\"{NONCE}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        Login::new(only(&value), "Mufasa", "Circle of Life", CNONCE)
    }

    #[test]
    fn the_examples_of_rfc_7616_3_9_1_come_out() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let value = mufasa(algorithm, "auth, auth-int").authorize("GET", "/dir/index.html", b"");
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            assert!(
                value.contains("qop=auth, nc=00000001")
                    && value.contains(&format!("algorithm={algorithm}, "))
            );
        }
    }

    #[test]
    fn the_example_of_rfc_2617_3_5_comes_out() {
        let value = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let mut login = Login::new(only(value), "Mufasa", "Circle Of Life", "0a4f113b");
        let answer = login.authorize("GET", "/dir/index.html", b"");
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(!answer.contains("algorithm"));
    }

    #[test]
    fn the_count_is_hexadecimal_and_the_session_secret_covers_the_nonces() {
        let mut login = mufasa("MD5-sess", "auth");
        let values: Vec<_> = (0..10).map(|_| login.authorize("REGISTER", "sip:h", b"")).collect();
        assert!(values.last().unwrap().contains("nc=0000000a"));
        let md5 = |text: String| Algorithm::Md5.hash(text.as_bytes());
        let secret = md5("Mufasa:http-auth@example.org:Circle of Life".to_owned());
        let secret = md5(format!("{secret}:{NONCE}:{CNONCE}"));
        let request = md5("REGISTER:sip:h".to_owned());
        let expected = md5(format!("{secret}:{NONCE}:00000001:{CNONCE}:auth:{request}"));
        assert!(values.first().unwrap().contains(&expected));
    }

    #[test]
    fn auth_int_covers_the_body() {
        let answer = |body: &[u8]| mufasa("SHA-256", "auth-int").authorize("INVITE", "sip:h", body);
        assert!(answer(b"v=0").contains("qop=auth-int"));
        assert_ne!(answer(b"v=0"), answer(b""));
    }

    #[test]
    fn a_challenge_without_qop_is_answered_the_old_way() {
        let mut login = Login::new(only("Digest realm=\"r\",nonce=\"n\""), "u", "p", "c");
        let value = login.authorize("REGISTER", "sip:h", b"");
        let md5 = |text: &str| Algorithm::Md5.hash(text.as_bytes());
        let expected = md5(&format!("{}:n:{}", md5("u:r:p"), md5("REGISTER:sip:h")));
        assert!(value.contains(&expected) && !value.contains("cnonce") && !value.contains("nc="), "{value}");
    }

    #[test]
    fn odd_spacing_quoted_commas_and_several_challenges_are_read() {
        let all = Challenge::parse_all(
            "Basic realm=\"no\", Digest  realm=\"a, \\\"b\\\"\" , nonce=n1 ,stale=TRUE, NTLM, \
             DIGEST realm=\"c\",nonce=\"n=2,\",algorithm=\"SHA-256\",qop=\"auth-int\", \
             Digest realm=\"d\", nonce=\"n3\", algorithm=SHA-512-256, Digest realm=\"e\", nonce=\"n4\", qop=\"x\"",
        );
        let [first, second] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((first.realm.as_str(), first.nonce.as_str(), first.stale), ("a, \\\"b\\\"", "n1", true));
        assert_eq!((second.nonce.as_str(), second.algorithm), ("n=2,", Algorithm::Sha256));
        assert_eq!(second.protection, Protection::AuthInt);
        assert!(Challenge::parse_all("").is_empty() && Challenge::parse_all("Digest realm=\"x\"").is_empty());
    }

    #[test]
    fn the_strongest_challenge_of_a_response_is_answered_in_the_matching_header() {
        let text = "SIP/2.0 407 Proxy Authentication Required\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
            From: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
            Proxy-Authenticate: Digest realm=\"r\", nonce=\"weak\", algorithm=MD5\r\n\
            Proxy-Authenticate: Digest realm=\"r\", nonce=\"strong\", algorithm=SHA-256, qop=\"auth\"\r\n\
            WWW-Authenticate: Digest realm=\"r\", nonce=\"other\"\r\n\r\n";
        let response = parse(text.as_bytes(), "127.0.0.1:5060".parse().unwrap()).unwrap();
        let (challenge, header) = challenge(&response).unwrap();
        assert_eq!((challenge.nonce.as_str(), header), ("strong", "Proxy-Authorization"));
    }

    #[test]
    fn a_login_never_shows_its_secret() {
        let login = mufasa("MD5", "auth");
        assert!(!format!("{login:?}").contains(&login.secret));
    }
}
