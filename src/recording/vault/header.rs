//! The first bytes of an encrypted recording: whose it is, and its key, wrapped.

use super::{
    CIPHER, Kek, PublicKey, Unlock, Vault, VaultError,
    chunk::{PREFIX_BYTES, Stream, cipher},
};
use crate::{
    hex,
    id::{CallId, RecordingId},
};
use chacha20poly1305::{XNonce, aead::AeadInPlace as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"ringenc1";
/// Bytes that say how long the header is: the magic and the length of the JSON.
pub const START_BYTES: usize = MAGIC.len() + 4;
/// Longest header that is read: ours have less than 800 bytes.
pub const MAX_HEADER_BYTES: usize = 4_096;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    recording: RecordingId,
    call: CallId,
    cipher: String,
    #[serde(with = "hex")]
    nonce: [u8; PREFIX_BYTES],
    #[serde(rename = "box")]
    wrapped: Wrapped,
    owner: Option<Sealed>,
}

/// The recording's key, encrypted with the box's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    /// [`Kek::id`].
    key: String,
    #[serde(with = "hex")]
    nonce: [u8; 24],
    /// Ciphertext and tag.
    #[serde(with = "hex")]
    wrapped: [u8; 48],
}

/// The recording's key in the owner's sealed box.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    #[serde(with = "hex")]
    key: [u8; 32],
    #[serde(with = "hex")]
    sealed: [u8; 80],
}

/// A header as it was read, with its bytes.
#[derive(Debug)]
pub struct Header {
    fields: Fields,
    bytes: Vec<u8>,
}

impl Header {
    /// Bytes of the whole header, by its first [`START_BYTES`], at most [`MAX_HEADER_BYTES`].
    ///
    /// # Errors
    /// [`VaultError::Cut`] if these are too few but begin well; otherwise it is another file or a damaged one.
    pub fn length(start: &[u8]) -> Result<usize, VaultError> {
        let Some((magic, rest)) = start.split_first_chunk::<{ MAGIC.len() }>() else {
            return Err(if MAGIC.starts_with(start) { VaultError::Cut } else { VaultError::Foreign });
        };
        if *magic != MAGIC {
            return Err(VaultError::Foreign);
        }
        let json = u32::from_le_bytes(*rest.first_chunk().ok_or(VaultError::Cut)?);
        let length = usize::try_from(json).ok().and_then(|json| json.checked_add(START_BYTES));
        length
            .filter(|&length| length <= MAX_HEADER_BYTES)
            .ok_or_else(|| VaultError::Header(format!("it says that it has {json} bytes")))
    }

    /// Reads the header at the start of `file`; what follows it is not looked at.
    ///
    /// # Errors
    /// If it is cut, damaged, or of another kind of file.
    pub fn parse(file: &[u8]) -> Result<Self, VaultError> {
        let bytes = file.get(..Self::length(file)?).ok_or(VaultError::Cut)?;
        let json = bytes.get(START_BYTES..).ok_or(VaultError::Cut)?;
        let fields: Fields =
            serde_json::from_slice(json).map_err(|error| VaultError::Header(error.to_string()))?;
        if fields.cipher != CIPHER {
            return Err(VaultError::Header(format!("cipher `{}` is not known", fields.cipher)));
        }
        Ok(Self { fields, bytes: bytes.to_vec() })
    }

    /// The header of a new recording under `key`, with the key for everybody who may open it.
    pub(super) fn new(
        (recording, call): (RecordingId, CallId),
        vault: &Vault,
        key: &[u8; 32],
        nonce: [u8; PREFIX_BYTES],
        (wrap_nonce, seed): ([u8; 24], &[u8; 32]),
    ) -> Result<Self, VaultError> {
        let wrapped = wrap(&vault.kek, key, wrap_nonce, recording)?;
        let owner = match vault.owner {
            Some(owner) => {
                let sealed = owner.seal(key, seed).ok_or(VaultError::Wrapped)?;
                Some(Sealed { key: owner.bytes(), sealed })
            }
            None => None,
        };
        let fields = Fields { recording, call, cipher: CIPHER.to_owned(), nonce, wrapped, owner };
        let json = serde_json::to_vec(&fields).map_err(|error| VaultError::Header(error.to_string()))?;
        let length = u32::try_from(json.len()).map_err(|_| VaultError::TooLong)?;
        Ok(Self { fields, bytes: [&MAGIC[..], &length.to_le_bytes(), &json].concat() })
    }

    /// The header's own bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The recording.
    #[must_use]
    pub const fn recording(&self) -> RecordingId {
        self.fields.recording
    }

    /// The call that it is of.
    #[must_use]
    pub const fn call(&self) -> CallId {
        self.fields.call
    }

    /// Whether an owner's key opens it, too.
    #[must_use]
    pub const fn has_owner(&self) -> bool {
        self.fields.owner.is_some()
    }

    /// Takes the recording's key out of the header and returns what opens its chunks.
    ///
    /// # Errors
    /// If another key is wanted, or the header was changed.
    pub fn unlock(&self, key: Unlock<'_>) -> Result<Stream, VaultError> {
        let key = match key {
            Unlock::Box(kek) => self.unwrap_key(kek)?,
            Unlock::Owner(secret) => self.unseal_key(secret)?,
        };
        Ok(Stream::new(&key, self.fields.nonce, self.bytes.clone()))
    }

    fn unwrap_key(&self, kek: &Kek) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let Wrapped { key: wanted, nonce, wrapped } = &self.fields.wrapped;
        let given = kek.id();
        if *wanted != given {
            return Err(VaultError::OtherBox { wanted: wanted.clone(), given });
        }
        let (bytes, tag) = wrapped.split_last_chunk::<16>().ok_or(VaultError::Wrapped)?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(bytes);
        cipher(kek.bytes())
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &bound(self.fields.recording),
                key.as_mut_slice(),
                tag.into(),
            )
            .map_err(|_| VaultError::Wrapped)?;
        Ok(key)
    }

    fn unseal_key(&self, secret: &super::SecretKey) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let Some(Sealed { key: wanted, sealed }) = &self.fields.owner else {
            return Err(VaultError::NoOwner { wanted: self.fields.wrapped.key.clone() });
        };
        let (wanted, given) = (PublicKey::new(*wanted), secret.public());
        if wanted != given {
            return Err(VaultError::OtherOwner { wanted, given });
        }
        secret.open(sealed).ok_or(VaultError::Wrapped)
    }
}

fn wrap(kek: &Kek, key: &[u8; 32], nonce: [u8; 24], recording: RecordingId) -> Result<Wrapped, VaultError> {
    let mut wrapped = [0; 48];
    let (bytes, tag) = wrapped.split_at_mut(32);
    bytes.copy_from_slice(key);
    let made = cipher(kek.bytes())
        .encrypt_in_place_detached(XNonce::from_slice(&nonce), &bound(recording), bytes)
        .map_err(|_| VaultError::TooLong)?;
    tag.copy_from_slice(&made);
    Ok(Wrapped { key: kek.id(), nonce, wrapped })
}

/// What a wrapped key is good for.
fn bound(recording: RecordingId) -> Vec<u8> {
    format!("ringside key of {recording}").into_bytes()
}
