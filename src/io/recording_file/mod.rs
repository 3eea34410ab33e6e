//! A recording on the disk: written so that a cut costs at most 5 s, repaired and inspected page by page.
//!
//! ```text
//! create -> <call>.opus.part -> append pages, fdatasync every 5 s -> finish: fdatasync, rename, sync the folder
//!                   `- crash -> repair: cut after the last good page, end the stream, rename -> <call>.opus
//! ```
//! An encrypted one (`.opus.enc.part`, `.opus.enc`; see `recording::vault`) goes the same way, each page a chunk.

mod audio;
mod inspect;
mod repair;

pub use audio::Audio;
pub use inspect::{Inspected, digest, inspect, is_for_owner};
pub use repair::{Repaired, repair};

use crate::{
    id::{CallId, RecordingId},
    io::files::{self, ENCRYPTED, ENCRYPTED_PART, PART, PEAKS, RECORDING},
    recording::{
        ogg::page::{END_OF_STREAM, Page},
        recorder::Output,
        vault::{Kek, RANDOM_BYTES, Sealer, Vault, VaultError},
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, hex.
    pub hash: String,
    /// BLAKE3 of the Opus file inside, hex, if it is encrypted.
    pub audio_hash: Option<String>,
}

/// Under whose keys a recording is encrypted, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// The keys.
    pub vault: &'a Vault,
    /// The recording.
    pub recording: RecordingId,
    /// Its call.
    pub call: CallId,
}

/// A recording being written. Dropped without [`RecordingFile::finish`] it stays a `.part`.
pub struct RecordingFile {
    /// Path without an extension.
    stem: PathBuf,
    file: File,
    peaks: Option<File>,
    bytes: u64,
    synced: u64,
    hash: blake3::Hasher,
    sealed: Option<Sealed>,
}

/// What an encrypted recording has more.
struct Sealed {
    sealer: Sealer,
    kek: Kek,
    audio: blake3::Hasher,
    /// Chunks on their way to the file.
    chunks: Vec<u8>,
}

impl RecordingFile {
    /// Creates the `.part` and the peaks file; `relative` is the finished recording's path below `data_dir`. It is
    /// encrypted if `sealing` says so.
    ///
    /// # Errors
    /// If the folder or the recording cannot be made, or one of that name is there.
    pub fn create(data_dir: &Path, relative: &str, sealing: Option<Sealing<'_>>) -> io::Result<Self> {
        let path = data_dir.join(relative);
        if let Some(folder) = path.parent() {
            files::make_dir(folder)?;
        }
        let sealed = sealing.map(Sealed::new).transpose()?;
        let stem = files::stem(&path);
        let part = stem.with_extension(extensions(sealed.is_some()).0);
        let file = OpenOptions::new().write(true).create_new(true).open(part)?;
        files::sync_parent(&path)?;
        // Without its picture a recording is still whole.
        let peaks = File::create(stem.with_extension(PEAKS)).ok();
        let mut created =
            Self { stem, file, peaks, bytes: 0, synced: 0, hash: blake3::Hasher::new(), sealed };
        created.write_header()?;
        Ok(created)
    }

    /// Appends whole pages and groups of peaks.
    ///
    /// # Errors
    /// If the recording cannot be written; what was written before is whole, so call [`RecordingFile::abandon`].
    pub fn append(&mut self, output: &Output) -> io::Result<()> {
        let bytes = match &mut self.sealed {
            Some(sealed) => sealed.seal(&output.pages)?,
            None => &output.pages,
        };
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        if self.peaks.as_mut().is_some_and(|peaks| peaks.write_all(&output.peaks).is_err()) {
            self.peaks = None;
        }
        Ok(())
    }

    /// Makes what was appended durable; nothing is asked of the disk if nothing was.
    ///
    /// # Errors
    /// Fatal for the file: after a failed sync the kernel may call lost pages clean, so it is never tried again.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.synced < self.bytes {
            self.file.sync_data()?;
            self.synced = self.bytes;
        }
        Ok(())
    }

    /// Makes it the finished recording, durably. If only its new name cannot be made durable it is finished all the
    /// same: a start finds it under either name.
    ///
    /// # Errors
    /// If it cannot be synced or renamed; it stays a `.part`.
    pub fn finish(mut self) -> io::Result<Finished> {
        self.sync()?;
        if let Some(peaks) = self.peaks.take() {
            peaks.sync_data()?;
        }
        let (part, whole) = extensions(self.sealed.is_some());
        fs::rename(self.stem.with_extension(part), self.stem.with_extension(whole))?;
        if let Err(error) = files::sync_parent(&self.stem) {
            let file = self.stem.display();
            tracing::warn!(%file, %error, "the recording's name may be lost by a power cut; check the disk");
        }
        let audio_hash = self.sealed.map(|sealed| sealed.audio.finalize().to_hex().to_string());
        Ok(Finished { bytes: self.bytes, hash: self.hash.finalize().to_hex().to_string(), audio_hash })
    }

    /// Removes a recording in which there is nothing.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(self.part())?;
        remove_if_there(&self.stem.with_extension(PEAKS))?;
        files::sync_parent(&self.stem)
    }

    /// Keeps what is whole after a failed write, as [`repair`] does after a crash.
    ///
    /// # Errors
    /// As [`repair`].
    pub fn abandon(self) -> io::Result<Option<Repaired>> {
        let part = self.part();
        drop(self.file);
        repair(&part, self.sealed.as_ref().map(|sealed| &sealed.kek))
    }

    fn part(&self) -> PathBuf {
        self.stem.with_extension(extensions(self.sealed.is_some()).0)
    }

    fn write_header(&mut self) -> io::Result<()> {
        let header = self.sealed.as_ref().map_or(&[][..], |sealed| sealed.sealer.header());
        self.file.write_all(header)?;
        self.bytes += header.len() as u64;
        self.hash.update(header);
        Ok(())
    }
}

impl Sealed {
    fn new(sealing: Sealing<'_>) -> io::Result<Self> {
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        getrandom::fill(&mut *random).map_err(io::Error::other)?;
        let Sealing { vault, recording, call } = sealing;
        let sealer = Sealer::new(recording, call, vault, &random).map_err(invalid)?;
        let chunks = Vec::with_capacity(32_768);
        Ok(Self { sealer, kek: vault.kek.clone(), audio: blake3::Hasher::new(), chunks })
    }

    /// The chunks of whole pages. The stream's end is the audio's: its last page is the last chunk.
    fn seal(&mut self, mut pages: &[u8]) -> io::Result<&[u8]> {
        self.chunks.clear();
        self.audio.update(pages);
        while !pages.is_empty() {
            let page = Page::parse(pages).map_err(io::Error::other)?;
            let is_last = page.flags() & END_OF_STREAM != 0;
            self.sealer.seal(page.bytes(), is_last, &mut self.chunks).map_err(invalid)?;
            pages = pages.get(page.bytes().len()..).unwrap_or_default();
        }
        Ok(&self.chunks)
    }
}

/// Extensions of a recording while it is written, and when it is finished.
const fn extensions(encrypted: bool) -> (&'static str, &'static str) {
    if encrypted { (ENCRYPTED_PART, ENCRYPTED) } else { (PART, RECORDING) }
}

/// Another key than the one that was given is [`io::ErrorKind::PermissionDenied`], as no key is.
fn invalid(error: VaultError) -> io::Error {
    let kind = match error {
        VaultError::OtherBox { .. } | VaultError::OtherOwner { .. } | VaultError::NoOwner { .. } => {
            io::ErrorKind::PermissionDenied
        }
        VaultError::Cut
        | VaultError::Foreign
        | VaultError::Header(_)
        | VaultError::Wrapped
        | VaultError::Chunk(_)
        | VaultError::EndMissing(_)
        | VaultError::AfterEnd
        | VaultError::TooLong => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
