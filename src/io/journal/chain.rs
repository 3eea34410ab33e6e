//! How segments hang together, so that nothing can be changed, left out or put in unseen, and yet be erased lawfully.
//!
//! ```text
//! digest of a frame     BLAKE3 of its bytes; of an erased frame: the digest that stands in it
//! digest of a segment   BLAKE3 over the digests of its frames, the header's first
//! header of a segment   names the digest of the segment before, with the box's signature
//! ```
//! A frame that is erased leaves its number, its call and its digest, signed by the box: the digests of its segment and
//! of all after it stay as they were. Every frame is salted, so that nobody finds a number by trying all of them
//! against the digest. Damaged bytes are no frame, so damage changes the digest.
//!
//! Old segments are followed by the BLAKE3 of their bytes (`previous`). When something of such a segment is erased,
//! one frame is added in which the box vouches that the segment with that BLAKE3 had the digest that it still has.

use super::{
    SegmentHeader,
    frame::{ERASED_KIND, Frame, HEADER_KIND, RESEALED_KIND},
};
use crate::id::{BoxId, CallId};
use serde::{Deserialize, Serialize};

/// What stands in the place of a frame that was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The call it was about.
    pub call: CallId,
    /// Digest of the frame that stood here, hex.
    pub was: String,
    /// The box's signature over [`Erased::message`], hex.
    pub signature: String,
}

impl Erased {
    /// What the box signs when it erases entry `seq`.
    #[must_use]
    pub fn message(box_id: BoxId, seq: u64, call: CallId, was: &str) -> Vec<u8> {
        format!("ringside.journal.erased/1\n{box_id}\n{seq}\n{call}\n{was}\n").into_bytes()
    }
}

/// The box vouches for an old segment of which something was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resealed {
    /// BLAKE3 of the segment's bytes before, hex.
    pub previous: String,
    /// Its digest, then and now, hex.
    pub chain: String,
    /// The box's signature over [`Resealed::message`], hex.
    pub signature: String,
}

impl Resealed {
    /// What the box signs.
    #[must_use]
    pub fn message(box_id: BoxId, segment: u32, previous: &str, chain: &str) -> Vec<u8> {
        format!("ringside.journal.resealed/1\n{box_id}\n{segment}\n{previous}\n{chain}\n").into_bytes()
    }
}

/// What the box signs in the header of a segment; `chain` is the digest of the segment before, if there is one.
#[must_use]
pub fn header_message(box_id: BoxId, segment: u32, chain: Option<&str>) -> Vec<u8> {
    format!("ringside.journal.segment/1\n{box_id}\n{segment}\n{}\n", chain.unwrap_or("-")).into_bytes()
}

/// The end of the journal as it stands, signed: kept elsewhere it proves that nothing before was changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last durable entry.
    pub seq: u64,
    /// Segment it is in.
    pub segment: u32,
    /// Digest of the segment up to that entry, hex.
    pub digest: String,
    /// The box's signature over [`Head::message`], hex.
    pub signature: String,
    /// The key that checks it, hex.
    pub public_key: String,
}

impl Head {
    /// What the box signs.
    #[must_use]
    pub fn message(box_id: BoxId, seq: u64, segment: u32, digest: &str) -> Vec<u8> {
        format!("ringside.journal.head/1\n{box_id}\n{segment}\n{seq}\n{digest}\n").into_bytes()
    }
}

/// The digest of a segment, frame by frame.
#[derive(Clone, Default)]
pub(super) struct Running(blake3::Hasher);

impl Running {
    /// Adds digests of frames, one after the other.
    pub(super) fn add(&mut self, digests: &[u8]) {
        self.0.update(digests);
    }

    pub(super) fn hex(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// Digest of a frame as it was written, also if it was erased since; `None` if an erased one does not tell.
pub(super) fn digest(frame: &Frame<'_>) -> Option<blake3::Hash> {
    if frame.kind == ERASED_KIND {
        let erased: Erased = serde_json::from_slice(frame.payload).ok()?;
        return blake3::Hash::from_hex(erased.was).ok();
    }
    Some(blake3::hash(frame.bytes))
}

/// What the next segment's header has to name.
#[derive(Clone, Debug)]
pub struct Link {
    /// The segment.
    pub segment: u32,
    /// Its digest, hex.
    pub chain: String,
    /// BLAKE3 of its bytes, hex, if an old version wrote it.
    previous: Option<String>,
    /// What the box vouched for it.
    pub(super) resealed: Option<Resealed>,
}

impl Link {
    /// Whether a segment with this header may follow. Signatures are not looked at here.
    #[must_use]
    pub fn precedes(&self, header: &SegmentHeader) -> bool {
        match (&header.chain, &header.previous) {
            (Some(chain), _) => *chain == self.chain,
            (None, Some(previous)) => {
                let resealed = self.resealed.as_ref();
                self.previous.as_ref() == Some(previous)
                    || resealed.is_some_and(|seal| seal.previous == *previous && seal.chain == self.chain)
            }
            (None, None) => false,
        }
    }
}

/// Builds a [`Link`] while a segment is read.
#[derive(Default)]
pub(super) struct Linking {
    running: Running,
    is_chained: bool,
    resealed: Option<Resealed>,
}

impl Linking {
    pub(super) fn add(&mut self, frame: &Frame<'_>) {
        match frame.kind {
            RESEALED_KIND => return self.resealed = serde_json::from_slice(frame.payload).ok(),
            HEADER_KIND => {
                let header = serde_json::from_slice::<SegmentHeader>(frame.payload);
                self.is_chained =
                    header.is_ok_and(|header| header.chain.is_some() || header.signature.is_some());
            }
            _ => {}
        }
        if let Some(digest) = digest(frame) {
            self.running.add(digest.as_bytes());
        }
    }

    /// The link of segment `number`, of which these are all bytes.
    pub(super) fn end(self, number: u32, bytes: &[u8]) -> Link {
        let previous = (!self.is_chained).then(|| blake3::hash(bytes).to_hex().to_string());
        Link { segment: number, chain: self.running.hex(), previous, resealed: self.resealed }
    }

    /// Whether an old version wrote the segment, and nothing was vouched for it yet.
    pub(super) fn is_old(&self) -> bool {
        !self.is_chained && self.resealed.is_none()
    }
}
