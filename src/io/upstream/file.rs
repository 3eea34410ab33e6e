//! The bytes of a recording as they go upstream, digested on the way.
//!
//! ```text
//! plain                        as it lies on the disk
//! sealed to the owner as well  as it lies on the disk: whoever has the owner's key opens it anywhere
//! under the box's key only     opened, as plain Opus: otherwise all that is upstream would die with the box
//! ```

use crate::{
    io::recording_file::{Audio, is_for_owner},
    record::Recording,
    recording::vault::{Kek, Unlock},
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

/// Bytes of an encrypted recording that are opened at once.
const STEP_BYTES: u64 = 64 << 10;

/// What goes upstream of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    path: PathBuf,
    is_opened: bool,
    /// BLAKE3 of the file as the record has it; another one is another file.
    pub(super) of: String,
    /// BLAKE3 of what goes, hex.
    pub(super) hash: String,
    /// Bytes of what goes.
    pub(super) bytes: u64,
}

impl Outgoing {
    /// Looks at a recording; of an encrypted one at its header, and at its chunks if it is to be opened.
    pub(super) fn look(data: &Path, recording: &Recording, kek: Option<&Kek>) -> io::Result<Self> {
        let other = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let path = recording.path.as_ref().ok_or_else(|| other("the record names no file"))?;
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(other("the record names a file outside"));
        }
        let path = data.join(path);
        let of = recording.hash.clone().ok_or_else(|| other("it has no digest"))?;
        if recording.encryption.is_none() || is_for_owner(&path)? {
            return Ok(Self { path, is_opened: false, hash: of.clone(), of, bytes: recording.bytes });
        }
        let hash = recording.audio_hash.clone().ok_or_else(|| other("it has no digest of its audio"))?;
        let bytes = Audio::open(&path, kek.map(Unlock::Box))?.bytes();
        Ok(Self { path, is_opened: true, of, hash, bytes })
    }

    /// Its bytes from the first on.
    pub(super) fn open(&self, kek: Option<&Kek>) -> io::Result<Box<dyn Read + Send>> {
        if self.is_opened {
            let audio = Audio::open(&self.path, kek.map(Unlock::Box))?;
            let opened = Opened { audio, at: 0 };
            return Ok(Box::new(io::BufReader::with_capacity(STEP_BYTES as usize, opened)));
        }
        Ok(Box::new(io::BufReader::with_capacity(64 << 10, File::open(&self.path)?)))
    }
}

/// The audio of an encrypted recording, from the start to the end.
struct Opened {
    audio: Audio,
    at: u64,
}

impl Read for Opened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = (out.len() as u64).min(STEP_BYTES);
        let bytes = self.audio.read_range(self.at..self.at.saturating_add(wanted))?;
        out.get_mut(..bytes.len()).unwrap_or_default().copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// A recording that is being read.
pub(super) struct Source {
    file: Box<dyn Read + Send>,
    hasher: blake3::Hasher,
    at: u64,
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
