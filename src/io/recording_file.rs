//! A recording on the disk: written so that a cut costs at most 5 s, repaired and inspected page by page.
//!
//! ```text
//! create -> <call>.opus.part -> append pages, fdatasync every 5 s -> finish: fdatasync, rename, sync the folder
//!                   `- crash -> repair: cut after the last good page, make it the last, rename -> <call>.opus
//! ```

use crate::{
    io::files::{self, PART, PEAKS, RECORDING},
    recording::{
        ogg::{
            outline::Outline,
            page::{MAX_PAGE_BYTES, Page, PageError},
        },
        peaks,
        recorder::Output,
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, hex.
    pub hash: String,
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
}

impl RecordingFile {
    /// Creates the `.part` and the peaks file; `relative` is the finished recording's path below `data_dir`.
    ///
    /// # Errors
    /// If the folder or the recording cannot be made, or one of that name is there.
    pub fn create(data_dir: &Path, relative: &str) -> io::Result<Self> {
        let path = data_dir.join(relative);
        if let Some(folder) = path.parent() {
            files::make_dir(folder)?;
        }
        let stem = path.with_extension("");
        let file = OpenOptions::new().write(true).create_new(true).open(stem.with_extension(PART))?;
        files::sync_parent(&path)?;
        // Without its picture a recording is still whole.
        let peaks = File::create(stem.with_extension(PEAKS)).ok();
        Ok(Self { stem, file, peaks, bytes: 0, synced: 0, hash: blake3::Hasher::new() })
    }

    /// Appends whole pages and groups of peaks.
    ///
    /// # Errors
    /// If the recording cannot be written; what was written before is whole, so call [`RecordingFile::abandon`].
    pub fn append(&mut self, output: &Output) -> io::Result<()> {
        self.file.write_all(&output.pages)?;
        self.bytes += output.pages.len() as u64;
        self.hash.update(&output.pages);
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
        fs::rename(self.stem.with_extension(PART), self.stem.with_extension(RECORDING))?;
        if let Err(error) = files::sync_parent(&self.stem) {
            let file = self.stem.display();
            tracing::warn!(%file, %error, "the recording's name may be lost by a power cut; check the disk");
        }
        Ok(Finished { bytes: self.bytes, hash: self.hash.finalize().to_hex().to_string() })
    }

    /// Removes a recording in which there is nothing.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(self.stem.with_extension(PART))?;
        remove_if_there(&self.stem.with_extension(PEAKS))?;
        files::sync_parent(&self.stem)
    }

    /// Keeps what is whole after a failed write, as [`repair`] does after a crash.
    ///
    /// # Errors
    /// As [`repair`].
    pub fn abandon(self) -> io::Result<Option<Repaired>> {
        let part = self.stem.with_extension(PART);
        drop(self.file);
        repair(&part)
    }
}

/// What is really in a recording after a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Milliseconds that a player plays.
    pub duration_ms: u64,
    /// Bytes cut off.
    pub cut_bytes: u64,
    /// The file as it now is.
    pub finished: Finished,
}

/// Makes a `.part` left by a crash a finished recording; `None` if it had no audio and was removed.
///
/// # Errors
/// If the file cannot be read or written.
pub fn repair(part: &Path) -> io::Result<Option<Repaired>> {
    // `a.opus.part` and `a.opus` both give `a`.
    let stem = part.with_extension("").with_extension("");
    let outline = inspect(part)?.outline;
    if !outline.has_audio() {
        fs::remove_file(part)?;
        remove_if_there(&stem.with_extension(PEAKS))?;
        files::sync_parent(part)?;
        return Ok(None);
    }
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let cut_bytes = file.metadata()?.len().saturating_sub(outline.bytes());
    file.set_len(outline.bytes())?;
    if !outline.ended() {
        end_stream(&mut file, &outline)?;
    }
    file.sync_all()?;
    trim_peaks(&stem.with_extension(PEAKS), outline.duration_ms());
    let recording = stem.with_extension(RECORDING);
    files::rename(part, &recording)?;
    let duration_ms = outline.duration_ms();
    Ok(Some(Repaired { duration_ms, cut_bytes, finished: inspect(&recording)?.finished }))
}

/// Sets the end-of-stream flag on the last good page.
fn end_stream(file: &mut File, outline: &Outline) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(outline.last_page_at()))?;
    file.read_to_end(&mut bytes)?;
    let page = Page::parse(&bytes).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(outline.last_page_at()))?;
    file.write_all(&page.to_last())
}

/// Cuts the waveform to the length of the audio. It is only a picture: a failure is not the recording's.
fn trim_peaks(path: &Path, duration_ms: u64) {
    let length =
        peaks::HEADER.len() as u64 + duration_ms.div_ceil(peaks::GROUP_MS) * peaks::GROUP_BYTES as u64;
    if let Ok(file) = OpenOptions::new().write(true).open(path)
        && file.metadata().is_ok_and(|meta| meta.len() > length)
    {
        let _ = file.set_len(length);
    }
}

/// What a look through a whole recording found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The good pages from the start.
    pub outline: Outline,
    /// Bytes and digest of the whole file, bad parts included.
    pub finished: Finished,
    /// Why the pages end before the file does; `None` if every byte is part of a good page.
    pub fault: Option<String>,
}

/// Reads a recording page by page; memory stays bounded however long it is.
///
/// # Errors
/// If the file cannot be read. Bad contents are no error but a `fault`.
pub fn inspect(path: &Path) -> io::Result<Inspected> {
    let mut file = File::open(path)?;
    let mut window = Vec::with_capacity(2 * MAX_PAGE_BYTES);
    let mut outline = Outline::default();
    let mut hash = blake3::Hasher::new();
    let mut fault = None;
    let mut bytes = 0;
    loop {
        let held = window.len();
        let read = (&mut file).take(MAX_PAGE_BYTES as u64).read_to_end(&mut window)?;
        hash.update(&window[held..]);
        bytes += read as u64;
        if fault.is_none() {
            let (used, found) = add_pages(&mut outline, &window, read == 0);
            window.drain(..used);
            fault = found;
        }
        if fault.is_some() {
            window.clear();
        }
        if read == 0 {
            let finished = Finished { bytes, hash: hash.finalize().to_hex().to_string() };
            return Ok(Inspected { outline, finished, fault });
        }
    }
}

/// Adds the pages that begin in `window`; returns the bytes used and what is wrong with the next one.
fn add_pages(outline: &mut Outline, window: &[u8], at_end: bool) -> (usize, Option<String>) {
    let mut used = 0;
    while used < window.len() {
        let page = match Page::parse(&window[used..]) {
            Ok(page) => page,
            Err(PageError::Short) if !at_end => return (used, None),
            Err(error) => return (used, Some(error.to_string())),
        };
        if let Err(error) = outline.add(&page) {
            return (used, Some(error.to_string()));
        }
        used += page.bytes().len();
    }
    (used, None)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
