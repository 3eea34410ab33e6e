//! Frames of a journal segment, and how to find the next good one after bad bytes.

use super::{Kind, NOTE_KIND};

/// Version of the frames written.
pub const VERSION: u8 = 1;
/// Kind of the header frame.
pub const HEADER_KIND: u8 = 0;
/// Kind of the frame that stands where one was erased, see [`super::chain::Erased`].
pub const ERASED_KIND: u8 = 8;
/// Kind of the frame that vouches for an old segment of which something was erased, see [`super::chain::Resealed`].
pub const RESEALED_KIND: u8 = 9;
/// Bytes of a frame before its payload.
pub const HEAD_BYTES: usize = 18;
/// Largest payload; a call record is about 2 KiB.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// A frame whose checksum was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Version it was written with.
    pub version: u8,
    /// Kind of entry, or [`HEADER_KIND`].
    pub kind: u8,
    /// Number of the entry.
    pub seq: u64,
    /// JSON.
    pub payload: &'a [u8],
    /// The whole frame.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`; `None` if it is cut short or damaged.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let payload_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if payload_bytes > MAX_PAYLOAD_BYTES {
            return None;
        }
        let covered = rest.get(..HEAD_BYTES - 8 + payload_bytes)?;
        let sum = crc32c::crc32c_append(crc32c::crc32c(length), covered);
        let ([version, kind], rest) = covered.split_first_chunk::<2>()?;
        let (seq, payload) = rest.split_first_chunk::<8>()?;
        let seq = u64::from_le_bytes(*seq);
        let bytes = bytes.get(..HEAD_BYTES + payload_bytes)?;
        let frame = Self { version: *version, kind: *kind, seq, payload, bytes };
        (sum == u32::from_le_bytes(*crc)).then_some(frame)
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Appends a frame to `out`; the payload is what `write` appends.
///
/// # Errors
/// What `write` returns, or [`std::io::ErrorKind::FileTooLarge`] over 1 MiB; `out` is then as it was.
pub fn put(
    kind: u8,
    seq: u64,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&seq.to_le_bytes());
    let written = write(out);
    let payload_bytes = out.len() - start - HEAD_BYTES;
    let length = match u32::try_from(payload_bytes) {
        Ok(length) if written.is_ok() && payload_bytes <= MAX_PAYLOAD_BYTES => length.to_le_bytes(),
        _ => {
            out.truncate(start);
            return written.and(Err(std::io::ErrorKind::FileTooLarge.into()));
        }
    };
    let crc = crc32c::crc32c_append(crc32c::crc32c(&length), &out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// What stands in a segment after its magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A good frame.
    Frame(Frame<'a>),
    /// This many damaged bytes; a good frame follows.
    Bad(usize),
    /// This many bytes to the end of the file in which there is no whole frame.
    Torn(usize),
}

impl Piece<'_> {
    /// Bytes of the piece.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.size(),
            Self::Bad(bytes) | Self::Torn(bytes) => *bytes,
        }
    }
}

/// All pieces of `bytes`, in order; their lengths add up to that of `bytes`.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = Frame::parse(rest).map_or_else(|| damaged(rest), Piece::Frame);
        rest = rest.get(piece.size()..).unwrap_or_default();
        Some(piece)
    })
}

/// How far the damage at the start of `bytes` goes: to the next frame that is good and looks like ours.
fn damaged(bytes: &[u8]) -> Piece<'_> {
    (1..bytes.len())
        .find(|&at| bytes.get(at..).is_some_and(|rest| looks_like_ours(rest) && Frame::parse(rest).is_some()))
        .map_or(Piece::Torn(bytes.len()), Piece::Bad)
}

/// A cheap test before the checksum, so that a search through megabytes stays quick.
fn looks_like_ours(bytes: &[u8]) -> bool {
    let Some(&[.., version, kind]) = bytes.first_chunk::<10>() else { return false };
    version == VERSION
        && (matches!(kind, HEADER_KIND | NOTE_KIND | ERASED_KIND | RESEALED_KIND)
            || Kind::from_code(kind).is_some())
        && bytes.get(HEAD_BYTES) == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(payloads: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for (seq, payload) in (1..).zip(payloads) {
            put(Kind::Ended as u8, seq, &mut out, |out| {
                out.extend_from_slice(payload.as_bytes());
                Ok(())
            })
            .unwrap();
        }
        out
    }

    fn good(bytes: &[u8]) -> Vec<u64> {
        let frames = pieces(bytes).filter_map(|piece| match piece {
            Piece::Frame(frame) => Some(frame.seq),
            Piece::Bad(_) | Piece::Torn(_) => None,
        });
        frames.collect()
    }

    #[test]
    fn a_flip_of_any_byte_costs_its_own_frame_and_no_other() {
        let bytes = segment(&["{\"a\":1}", "{\"b\":[1,2,3]}", "{}"]);
        let ends: Vec<usize> = pieces(&bytes)
            .scan(0, |end, piece| {
                *end += piece.size();
                Some(*end)
            })
            .collect();
        for at in 0..bytes.len() {
            let hit = (1..).zip(&ends).find(|(_, end)| at < **end).unwrap().0;
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let expected: Vec<u64> = (1..=3).filter(|&seq| seq != hit).collect();
                assert_eq!(good(&flipped), expected, "bit {bit} of byte {at}");
                assert_eq!(pieces(&flipped).map(|piece| piece.size()).sum::<usize>(), bytes.len());
            }
        }
    }

    #[test]
    fn a_cut_at_any_byte_keeps_every_whole_frame() {
        let bytes = segment(&["{\"a\":1}", "{\"b\":[1,2,3]}"]);
        let first = HEAD_BYTES + 7;
        for cut in 0..bytes.len() {
            assert_eq!(good(&bytes[..cut]).len(), usize::from(cut >= first), "cut at {cut}");
        }
    }

    #[test]
    fn a_payload_that_is_too_long_is_refused_whole() {
        let mut out = vec![1, 2, 3];
        let huge = put(3, 1, &mut out, |out| {
            out.resize(MAX_PAYLOAD_BYTES + 100, b' ');
            Ok(())
        });
        assert!(huge.is_err());
        assert_eq!(out, [1, 2, 3]);
    }
}
