//! The bytes of a recording as they go upstream, digested on the way.

use crate::record::Recording;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// A recording that is being read.
pub(super) struct Source {
    file: Box<dyn Read + Send>,
    hasher: blake3::Hasher,
    at: u64,
}

/// The bytes that the upstream gets: those of the file that the record names, which its digest is of.
pub(super) fn open(data: &Path, recording: &Recording) -> io::Result<Box<dyn Read + Send>> {
    let Some(path) = &recording.path else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the record names no file"));
    };
    let is_inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !is_inside {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the record names a file outside"));
    }
    Ok(Box::new(io::BufReader::with_capacity(64 << 10, File::open(data.join(path))?)))
}

impl Source {
    pub(super) fn new(file: Box<dyn Read + Send>) -> Self {
        Self { file, hasher: blake3::Hasher::new(), at: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Reads on to `offset`; what lies before it is only digested.
    pub(super) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let wanted = offset.saturating_sub(self.at);
        let skipped = io::copy(&mut self.by_ref().take(wanted), &mut io::sink())?;
        if skipped == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads a piece whole: at most 1 MiB, so that the last one is known to be right before it goes.
    pub(super) fn piece(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        self.by_ref().take(length).read_to_end(&mut piece)?;
        if piece.len() as u64 == length { Ok(piece) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Whether the file ends here, with this digest.
    pub(super) fn ends_with(&mut self, hash: &str) -> io::Result<bool> {
        let is_end = self.file.read(&mut [0])? == 0;
        Ok(is_end && self.hasher.finalize().to_hex().as_str() == hash)
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(out)?;
        self.hasher.update(out.get(..length).unwrap_or_default());
        self.at += length as u64;
        Ok(length)
    }
}
