//! One Ogg page, one chunk: sealed and opened by its number and its kind.

use super::{RANDOM_BYTES, Vault, VaultError, header::Header};
use crate::{
    id::{CallId, RecordingId},
    recording::ogg::page::MAX_PAGE_BYTES,
};
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce, aead::AeadInPlace as _};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the nonce that are the same for all chunks of a recording.
pub const PREFIX_BYTES: usize = 19;
const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
/// Bytes that a chunk has more than its page: its length and its tag.
pub const CHUNK_OVERHEAD: usize = LENGTH_BYTES + TAG_BYTES;
/// Longest chunk behind its length: the largest Ogg page and its tag.
pub const MAX_CHUNK_BYTES: usize = MAX_PAGE_BYTES + TAG_BYTES;

/// What follows a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another chunk.
    More = 0,
    /// Nothing: the recording is whole.
    Last = 1,
    /// Nothing: the recording was cut, and a repair gave it an end.
    Mended = 2,
}

/// Bytes behind a chunk's length, tag included; `None` if no page has so many or so few.
#[must_use]
pub fn sealed_length(length: [u8; LENGTH_BYTES]) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    (TAG_BYTES < length && length <= MAX_CHUNK_BYTES).then_some(length)
}

pub(super) fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

/// The key of one recording, and what it is bound to.
pub struct Stream {
    cipher: XChaCha20Poly1305,
    prefix: [u8; PREFIX_BYTES],
    /// The header's bytes: associated data of every chunk.
    header: Vec<u8>,
}

impl Stream {
    pub(super) fn new(key: &[u8; 32], prefix: [u8; PREFIX_BYTES], header: Vec<u8>) -> Self {
        Self { cipher: cipher(key), prefix, header }
    }

    /// Opens chunk `number` of whichever kind: what was behind its length goes in, the page comes out.
    ///
    /// # Errors
    /// If it is not this recording's chunk of this number, unchanged; `chunk` is then as it was.
    pub fn open(&self, number: u32, chunk: &mut Vec<u8>) -> Result<Kind, VaultError> {
        // The tag is checked before anything is decrypted, so a wrong guess costs little and only the end is guessed.
        [Kind::More, Kind::Last, Kind::Mended]
            .into_iter()
            .find(|&kind| self.open_as(number, kind, chunk))
            .ok_or(VaultError::Chunk(number))
    }

    fn open_as(&self, number: u32, kind: Kind, chunk: &mut Vec<u8>) -> bool {
        let Some((page, tag)) = chunk.split_last_chunk_mut::<TAG_BYTES>() else { return false };
        let (length, tag, nonce) = (page.len(), Tag::from(*tag), self.nonce(number, kind));
        let opened = self.cipher.decrypt_in_place_detached(&nonce, &self.header, page, &tag).is_ok();
        if opened {
            chunk.truncate(length);
        }
        opened
    }

    /// Appends the chunk that a repair puts behind the `chunks` good ones to end the stream.
    ///
    /// The page has to follow from these chunks alone: a repair that is itself cut off and done again then writes the
    /// same bytes again.
    ///
    /// # Errors
    /// [`VaultError::TooLong`].
    pub fn mend(&self, chunks: u32, page: &[u8], out: &mut Vec<u8>) -> Result<(), VaultError> {
        self.seal(chunks, Kind::Mended, page, out)
    }

    fn seal(&self, number: u32, kind: Kind, page: &[u8], out: &mut Vec<u8>) -> Result<(), VaultError> {
        let length = u32::try_from(page.len() + TAG_BYTES).map_err(|_| VaultError::TooLong)?;
        if page.is_empty() || page.len() > MAX_PAGE_BYTES {
            return Err(VaultError::TooLong);
        }
        out.extend_from_slice(&length.to_le_bytes());
        let start = out.len();
        out.extend_from_slice(page);
        let sealed = out.get_mut(start..).unwrap_or_default();
        let tag = self
            .cipher
            .encrypt_in_place_detached(&self.nonce(number, kind), &self.header, sealed)
            .map_err(|_| VaultError::TooLong)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    fn nonce(&self, number: u32, kind: Kind) -> XNonce {
        let mut nonce = XNonce::default();
        let (prefix, rest) = nonce.split_at_mut(PREFIX_BYTES);
        prefix.copy_from_slice(&self.prefix);
        let (counter, last) = rest.split_at_mut(4);
        counter.copy_from_slice(&number.to_be_bytes());
        last.fill(kind as u8);
        nonce
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(secret)")
    }
}

/// A recording being sealed, page by page.
#[derive(Debug)]
pub struct Sealer {
    stream: Stream,
    next: u32,
    ended: bool,
}

impl Sealer {
    /// Begins a recording; `random` is fresh and used for nothing else.
    ///
    /// # Errors
    /// If its key cannot be sealed to the owner.
    pub fn new(
        recording: RecordingId,
        call: CallId,
        vault: &Vault,
        random: &Zeroizing<[u8; RANDOM_BYTES]>,
    ) -> Result<Self, VaultError> {
        let mut rest = random.as_slice();
        let key = Zeroizing::new(take::<32>(&mut rest));
        let prefix = take::<PREFIX_BYTES>(&mut rest);
        let wrap_nonce = take::<24>(&mut rest);
        let seed = Zeroizing::new(take::<32>(&mut rest));
        let header = Header::new((recording, call), vault, &key, prefix, (wrap_nonce, &seed))?;
        let stream = Stream::new(&key, prefix, header.bytes().to_vec());
        Ok(Self { stream, next: 0, ended: false })
    }

    /// The first bytes of the file.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.stream.header
    }

    /// Appends the next page's chunk to `out`. Its number is used up even if the chunk never reaches the disk.
    ///
    /// # Errors
    /// [`VaultError::TooLong`], or [`VaultError::AfterEnd`] behind the last one.
    pub fn seal(&mut self, page: &[u8], is_last: bool, out: &mut Vec<u8>) -> Result<(), VaultError> {
        if self.ended {
            return Err(VaultError::AfterEnd);
        }
        let number = self.next;
        self.next = number.checked_add(1).ok_or(VaultError::TooLong)?;
        self.ended = is_last;
        self.stream.seal(number, if is_last { Kind::Last } else { Kind::More }, page, out)
    }
}

/// The next `N` bytes; there are [`RANDOM_BYTES`] in all.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, after) =
        rest.split_first_chunk::<N>().map_or(([0; N], &[][..]), |(taken, after)| (*taken, after));
    *rest = after;
    taken
}
