//! What the box signs with its key, and how anybody checks it: ed25519, in hex.

use crate::io::box_key::BoxKey;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt::Write as _;

const PURPOSE: &str = "ringside 2026 signing";

impl BoxKey {
    /// The box's signature over `message`, 128 hex digits.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        hex(&self.signing_key().sign(message).to_bytes())
    }

    /// The key that checks the box's signatures, 64 hex digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex(self.signing_key().verifying_key().as_bytes())
    }

    fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.derive(PURPOSE))
    }
}

/// Whether `signature` over `message` is of whom `public_key` belongs to; false also for what is no key or signature.
#[must_use]
pub fn verify(public_key: &str, message: &[u8], signature: &str) -> bool {
    let key = unhex(public_key).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    let signature = unhex(signature).map(|bytes| Signature::from_bytes(&bytes));
    // Strict: a signature has one form only, and weak keys have none.
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(message, &signature).is_ok())
}

/// Whether `text` can be a public key.
#[must_use]
pub fn is_public_key(text: &str) -> bool {
    unhex(text).is_some_and(|bytes| VerifyingKey::from_bytes(&bytes).is_ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_its_box_only() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = BoxKey::open(one.path()).unwrap();
        let signature = key.sign(b"a call");
        assert!(verify(&key.public_key(), b"a call", &signature));
        assert_eq!(BoxKey::open(one.path()).unwrap().public_key(), key.public_key());
        assert!(!verify(&key.public_key(), b"b call", &signature));
        assert!(!verify(&BoxKey::open(other.path()).unwrap().public_key(), b"a call", &signature));
        assert!(!verify("", b"a call", &signature) && !verify(&key.public_key(), b"a call", "00"));
        assert!(is_public_key(&key.public_key()) && !is_public_key("cafe"));
    }

    #[test]
    fn a_flip_of_any_digit_spoils_a_signature() {
        let dir = tempfile::tempdir().unwrap();
        let key = BoxKey::open(dir.path()).unwrap();
        let signature = key.sign(b"a call");
        for at in 0..signature.len() {
            let mut flipped = signature.clone().into_bytes();
            flipped[at] ^= 1;
            assert!(
                !verify(&key.public_key(), b"a call", &String::from_utf8(flipped).unwrap()),
                "digit {at}"
            );
        }
    }
}
