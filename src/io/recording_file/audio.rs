//! A finished recording to be played from any byte on: plain or encrypted, never as a whole in memory.

use super::{
    inspect::{no_key, read_header},
    invalid,
};
use crate::{
    io::files,
    recording::vault::{self, CHUNK_OVERHEAD, Kind, Stream, Unlock, VaultError},
};
use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _, path::Path};

/// Chunks of one recording: 12 days of seconds. A file with more is damaged.
const MAX_CHUNKS: usize = 1 << 20;

/// The audio of a finished recording.
#[derive(Debug)]
pub struct Audio {
    file: File,
    bytes: u64,
    sealed: Option<Sealed>,
}

/// Where the pages of an encrypted recording are.
#[derive(Debug)]
struct Sealed {
    stream: Stream,
    header_bytes: u64,
    /// Where each chunk's page ends in the audio: strictly rising.
    ends: Vec<u64>,
}

impl Audio {
    /// Opens a recording; an encrypted one needs a key. Of that, only the lengths of the chunks and the last one are
    /// read.
    ///
    /// # Errors
    /// If it cannot be read or opened, or an encrypted one has no end.
    pub fn open(path: &Path, key: Option<Unlock<'_>>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        if !files::is_encrypted(path) {
            return Ok(Self { file, bytes, sealed: None });
        }
        let key = key.ok_or_else(no_key)?;
        let header = read_header(&mut file)?.map_err(invalid)?;
        let stream = header.unlock(key).map_err(invalid)?;
        let header_bytes = header.bytes().len() as u64;
        let ends = chunk_ends(&file, header_bytes, bytes)?;
        let sealed = Sealed { stream, header_bytes, ends };
        sealed.check_end(&file)?;
        Ok(Self { file, bytes: sealed.ends.last().copied().unwrap_or(0), sealed: Some(sealed) })
    }

    /// Bytes of the Ogg Opus file that a player sees.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes `range` of it, as far as they are there.
    ///
    /// # Errors
    /// If they cannot be read, or are not as they were written.
    pub fn read_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let range = range.start.min(self.bytes)..range.end.min(self.bytes);
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let Some(sealed) = &self.sealed else {
            let mut out = vec![0; length];
            self.file.read_exact_at(&mut out, range.start)?;
            return Ok(out);
        };
        let mut out = Vec::with_capacity(length);
        let mut chunk = sealed.ends.partition_point(|&end| end <= range.start);
        while out.len() < length {
            let (page, _) = sealed.page(&self.file, chunk)?;
            let before = range.start.saturating_sub(sealed.start(chunk));
            let wanted = page.get(usize::try_from(before).map_err(io::Error::other)?..).unwrap_or_default();
            out.extend_from_slice(wanted.get(..length - out.len()).unwrap_or(wanted));
            chunk += 1;
        }
        Ok(out)
    }
}

impl Sealed {
    fn start(&self, chunk: usize) -> u64 {
        chunk.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    fn page(&self, file: &File, chunk: usize) -> io::Result<(Vec<u8>, Kind)> {
        let end = *self.ends.get(chunk).ok_or(io::ErrorKind::UnexpectedEof)?;
        let start = self.start(chunk);
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)? + CHUNK_OVERHEAD - 4];
        let at = self.header_bytes + start + (chunk * CHUNK_OVERHEAD) as u64 + 4;
        file.read_exact_at(&mut bytes, at)?;
        let number = u32::try_from(chunk).map_err(io::Error::other)?;
        let kind = self.stream.open(number, &mut bytes).map_err(invalid)?;
        Ok((bytes, kind))
    }

    /// A recording that was cut plays to somebody as if it were whole, unless its end is looked at first.
    fn check_end(&self, file: &File) -> io::Result<()> {
        let chunks = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let missing = || invalid(VaultError::EndMissing(chunks));
        match self.page(file, self.ends.len().checked_sub(1).ok_or_else(missing)?)?.1 {
            Kind::Last | Kind::Mended => Ok(()),
            Kind::More => Err(missing()),
        }
    }
}

/// Reads the lengths of all chunks.
fn chunk_ends(file: &File, header_bytes: u64, bytes: u64) -> io::Result<Vec<u64>> {
    let mut ends = Vec::new();
    let (mut at, mut end) = (header_bytes, 0);
    while at < bytes {
        let bad = || invalid(VaultError::Chunk(u32::try_from(ends.len()).unwrap_or(u32::MAX)));
        let mut length = [0; 4];
        if bytes - at < 4 || ends.len() >= MAX_CHUNKS {
            return Err(bad());
        }
        file.read_exact_at(&mut length, at)?;
        let length = vault::sealed_length(length).ok_or_else(bad)? as u64;
        at += 4 + length;
        if at > bytes {
            return Err(bad());
        }
        end += 4 + length - CHUNK_OVERHEAD as u64;
        ends.push(end);
    }
    Ok(ends)
}
