//! Signatures of Standard Webhooks 1.0.0: `v1` with a shared secret (HMAC-SHA256), `v1a` with a key pair (ed25519).
//!
//! Signed is `{webhook-id}.{webhook-timestamp}.{body}`; keys and signatures are written in base64 behind a prefix.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// A shared secret has so many bytes (Standard Webhooks, "signature scheme").
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What signs.
#[derive(Clone)]
pub struct Signer(Key);

#[derive(Clone)]
enum Key {
    Shared(Zeroizing<Vec<u8>>),
    Pair(Box<SigningKey>),
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes are expected")]
pub struct NoKey;

impl Signer {
    /// Signs with a shared secret, `whsec_…`.
    ///
    /// # Errors
    /// The text is no such secret.
    pub fn shared(secret: &str) -> Result<Self, NoKey> {
        let bytes = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or(NoKey)?;
        Ok(Self(Key::Shared(Zeroizing::new(bytes))))
    }

    /// Signs with the secret half of a key pair.
    #[must_use]
    pub fn pair(seed: &[u8; 32]) -> Self {
        Self(Key::Pair(Box::new(SigningKey::from_bytes(seed))))
    }

    /// What a receiver checks signatures with, `whpk_…`; `None` for a shared secret, which it has already.
    #[must_use]
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Key::Shared(_) => None,
            Key::Pair(key) => Some(format!("whpk_{}", STANDARD.encode(key.verifying_key().as_bytes()))),
        }
    }

    /// Value of `webhook-signature`; `timestamp_s` is that of `webhook-timestamp`, in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp_s}.{body}");
        match &self.0 {
            Key::Shared(secret) => {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
                mac.update(signed.as_bytes());
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Key::Pair(key) => format!("v1a,{}", STANDARD.encode(key.sign(signed.as_bytes()).to_bytes())),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(secret)")
    }
}

/// Whether one of the signatures in `header`, which are separated by spaces, is right by `key`: a shared `whsec_` or a
/// public `whpk_`.
#[must_use]
pub fn verify(key: &str, (id, timestamp_s): (&str, u64), body: &str, header: &str) -> bool {
    let signed = format!("{id}.{timestamp_s}.{body}");
    let public = key.strip_prefix("whpk_").and_then(|text| STANDARD.decode(text).ok());
    let public = public.and_then(|bytes| VerifyingKey::try_from(bytes.as_slice()).ok());
    let secret = key.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    header.split(' ').any(|signature| match (signature.split_once(','), &public, &secret) {
        (Some(("v1a", given)), Some(public), _) => STANDARD
            .decode(given)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| public.verify_strict(signed.as_bytes(), &signature).is_ok()),
        (Some(("v1", given)), _, Some(secret)) => {
            let mac = Hmac::<Sha256>::new_from_slice(secret).map(|mac| mac.chain_update(signed.as_bytes()));
            mac.is_ok_and(|mac| STANDARD.decode(given).is_ok_and(|given| mac.verify_slice(&given).is_ok()))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification and of its libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: u64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_vector_is_met() {
        assert_eq!(Signer::shared(SECRET).unwrap().sign(ID, AT, BODY), SIGNED);
        assert!(verify(SECRET, (ID, AT), BODY, &format!("v1,AAAA {SIGNED} v1a,x")));
    }

    #[test]
    fn a_signature_holds_for_its_id_time_and_body_only() {
        for signer in [Signer::shared(SECRET).unwrap(), Signer::pair(&[7; 32])] {
            let key = signer.public_key().unwrap_or_else(|| SECRET.to_owned());
            let signature = signer.sign(ID, AT, BODY);
            assert!(verify(&key, (ID, AT), BODY, &signature));
            assert!(!verify(&key, ("msg_other", AT), BODY, &signature));
            assert!(!verify(&key, (ID, AT + 1), BODY, &signature));
            assert!(!verify(&key, (ID, AT), "{}", &signature));
            assert!(!verify(&key, (ID, AT), BODY, ""));
        }
        let (one, other) = (Signer::pair(&[1; 32]), Signer::pair(&[2; 32]));
        assert!(!verify(&other.public_key().unwrap(), (ID, AT), BODY, &one.sign(ID, AT, BODY)));
        // A public key is no shared secret: nobody signs `v1` with it.
        assert!(!verify(&one.public_key().unwrap(), (ID, AT), BODY, SIGNED));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="] {
            assert_eq!(Signer::shared(text).unwrap_err(), NoKey, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_show_in_logs() {
        let signer = Signer::shared(SECRET).unwrap();
        assert_eq!(format!("{signer:?}"), "Signer(secret)");
    }
}
