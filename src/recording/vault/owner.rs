//! The owner's pair of keys: with the public one recordings are sealed, with the secret one opened without the box.

use crate::hex;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore, impls};
use std::fmt;
use zeroize::Zeroizing;

/// The owner's public key (X25519), in hex for people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Puts a recording's key into a sealed box; `seed` is random and used for nothing else.
    pub(super) fn seal(&self, key: &[u8; 32], seed: &[u8; 32]) -> Option<[u8; 80]> {
        let public = crypto_box::PublicKey::from(self.0);
        public.seal(&mut Drawn(Zeroizing::new(*seed)), key).ok()?.try_into().ok()
    }

    pub(super) const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The owner's secret key.
pub struct SecretKey(crypto_box::SecretKey);

impl SecretKey {
    /// The key with these random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(crypto_box::SecretKey::from(*bytes))
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.public_key().as_bytes())
    }

    /// Takes a recording's key out of a sealed box.
    pub(super) fn open(&self, sealed: &[u8; 80]) -> Option<Zeroizing<[u8; 32]>> {
        let key = Zeroizing::new(self.0.unseal(sealed).ok()?);
        key.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// Random bytes that were drawn outside, handed to `crypto_box` as it wants them: it asks once, for 32.
struct Drawn(Zeroizing<[u8; 32]>);

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, wanted: &mut [u8]) {
        debug_assert_eq!(wanted.len(), self.0.len(), "the sealed box's own key, once");
        for (byte, drawn) in wanted.iter_mut().zip(self.0.iter()) {
            *byte = *drawn;
        }
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(wanted);
        Ok(())
    }
}

impl CryptoRng for Drawn {}
