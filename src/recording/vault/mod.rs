//! Recordings at rest: sealed page by page, so that a copied file is noise and a power cut costs what it did before.
//!
//! ```text
//! file   = header, chunk, chunk, …, last chunk
//! header = "ringenc1", u32 LE length, JSON: recording, call, cipher, nonce prefix, key for the box, key for the owner
//! chunk  = u32 LE length of the rest, one whole Ogg page as XChaCha20-Poly1305 ciphertext, its tag
//! nonce  = prefix (19 bytes), u32 BE number of the chunk from 0, kind (0 more follow, 1 last, 2 last, by a repair)
//! ```
//! It is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): a chunk that is changed, moved, doubled
//! or left out does not open, and a file without a last chunk was cut. The header's bytes are associated data of
//! every chunk, so no part of one recording fits another. The repair has a kind of its own because the torn chunk
//! that it replaces may have been the last one: no nonce ever meets a second page.
//!
//! Each recording has its own random key. It is in the header twice: wrapped with the box's key, and, if the owner has
//! given a public key, in a sealed box (X25519, as libsodium's `crypto_box_seal`) that only the owner opens.
//!
//! What it does not hide: the call's and the recording's id, the length of every second, and the waveform (`.peaks`).

mod chunk;
mod header;
mod owner;

pub use chunk::{CHUNK_OVERHEAD, Kind, MAX_CHUNK_BYTES, PREFIX_BYTES, Sealer, Stream, sealed_length};
pub use header::{Header, MAX_HEADER_BYTES, START_BYTES};
pub use owner::{PublicKey, SecretKey};

use crate::hex;
use std::fmt;
use zeroize::Zeroizing;

/// The cipher's name in headers and records.
pub const CIPHER: &str = "xchacha20poly1305";
/// Random bytes that a new recording needs: its key, its nonce prefix, the wrapping's nonce, the sealed box's key.
pub const RANDOM_BYTES: usize = 32 + 19 + 24 + 32;

/// The key of the box that wraps the keys of its recordings.
#[derive(Clone)]
pub struct Kek(Zeroizing<[u8; 32]>);

impl Kek {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A name for the key that says nothing of it: 16 hex digits, to tell which key a recording wants.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Zeroizing::new(blake3::derive_key("ringside 2026 name of a box key", &*self.0));
        hex::encode(&digest[..8])
    }

    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek({})", self.id())
    }
}

/// The keys that a box seals its recordings to, and opens them with.
#[derive(Clone, Debug)]
pub struct Vault {
    /// The box's own.
    pub kek: Kek,
    /// Who opens them without the box.
    pub owner: Option<PublicKey>,
}

/// A key that may open a recording.
#[derive(Clone, Copy, Debug)]
pub enum Unlock<'a> {
    /// The box's.
    Box(&'a Kek),
    /// The owner's.
    Owner(&'a SecretKey),
}

/// Why a recording cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The file ends inside its header.
    #[error("the header is cut short")]
    Cut,
    /// Another kind of file.
    #[error("not an encrypted recording")]
    Foreign,
    /// The header cannot be understood.
    #[error("the header is damaged: {0}")]
    Header(String),
    /// Wrapped with another box key.
    #[error("it opens with box key {wanted}, and box key {given} was given")]
    OtherBox {
        /// Name of the key it was wrapped with.
        wanted: String,
        /// Name of the key that was tried.
        given: String,
    },
    /// Sealed to another owner.
    #[error("it is sealed to owner key {wanted}, and the secret of {given} was given")]
    OtherOwner {
        /// The public key it was sealed to.
        wanted: PublicKey,
        /// The public key of the secret that was tried.
        given: PublicKey,
    },
    /// The box had no owner key when it was made.
    #[error("it is sealed to no owner: only box key {wanted} opens it")]
    NoOwner {
        /// Name of the key it was wrapped with.
        wanted: String,
    },
    /// The right key, and the recording's key still does not come out.
    #[error("the header is damaged: the recording's key does not come out of it")]
    Wrapped,
    /// Changed, moved, of another recording, or cut inside.
    #[error("chunk {0} is not as it was written")]
    Chunk(u32),
    /// The file ends before its last chunk.
    #[error("its end is missing after chunk {0}")]
    EndMissing(u32),
    /// Something follows the last chunk.
    #[error("something was added after its end")]
    AfterEnd,
    /// More chunks than numbers, or a page larger than Ogg has.
    #[error("the recording is too long")]
    TooLong,
}

#[cfg(test)]
mod tests;
