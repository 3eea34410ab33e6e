//! A recording that a crash or a failed write left open gets its end.
//!
//! A plain one: its last good page is made the last. An encrypted one: its last good chunk stays as it is, because no
//! key and nonce may meet a second page, and one more chunk with an empty last page follows it.

use super::{
    Finished,
    inspect::{Walk, inspect, no_key},
    invalid, remove_if_there,
};
use crate::{
    io::files::{self, ENCRYPTED, PEAKS, RECORDING},
    recording::{
        ogg::{outline::Outline, page::Page},
        peaks,
        vault::{Kek, Unlock, VaultError},
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

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
/// If the file cannot be read or written, or is encrypted and `kek` does not open it: it is then as it was.
pub fn repair(part: &Path, kek: Option<&Kek>) -> io::Result<Option<Repaired>> {
    if files::is_encrypted(part) { repair_sealed(part, kek) } else { repair_plain(part) }
}

fn repair_plain(part: &Path) -> io::Result<Option<Repaired>> {
    let outline = inspect(part, None)?.outline;
    if !outline.has_audio() {
        return remove(part);
    }
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let cut_bytes = file.metadata()?.len().saturating_sub(outline.bytes());
    file.set_len(outline.bytes())?;
    if !outline.ended() {
        end_stream(&mut file, &outline)?;
    }
    file.sync_all()?;
    finish(part, &outline, cut_bytes, None)
}

fn repair_sealed(part: &Path, kek: Option<&Kek>) -> io::Result<Option<Repaired>> {
    let kek = kek.ok_or_else(no_key)?;
    let mut walk = match Walk::begin(part, Unlock::Box(kek))? {
        // The first write was torn: no page can be behind it.
        Err(VaultError::Cut) => return remove(part),
        walk => walk.map_err(invalid)?,
    };
    walk.read_all()?;
    if !walk.outline.has_audio() {
        return remove(part);
    }
    let mut file = OpenOptions::new().write(true).open(part)?;
    let cut_bytes = file.metadata()?.len().saturating_sub(walk.good_bytes);
    file.set_len(walk.good_bytes)?;
    if !walk.outline.ended() {
        let mut chunk = Vec::new();
        walk.stream.mend(walk.chunks, &walk.outline.end_page(), &mut chunk).map_err(invalid)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&chunk)?;
    }
    file.sync_all()?;
    finish(part, &walk.outline, cut_bytes, Some(kek))
}

/// Gives the repaired file its name and looks at it once more.
fn finish(part: &Path, outline: &Outline, cut_bytes: u64, kek: Option<&Kek>) -> io::Result<Option<Repaired>> {
    let stem = files::stem(part);
    let duration_ms = outline.duration_ms();
    trim_peaks(&stem.with_extension(PEAKS), duration_ms);
    let recording = stem.with_extension(if kek.is_some() { ENCRYPTED } else { RECORDING });
    files::rename(part, &recording)?;
    let finished = inspect(&recording, kek.map(Unlock::Box))?.finished;
    Ok(Some(Repaired { duration_ms, cut_bytes, finished }))
}

fn remove(part: &Path) -> io::Result<Option<Repaired>> {
    fs::remove_file(part)?;
    remove_if_there(&files::stem(part).with_extension(PEAKS))?;
    files::sync_parent(part)?;
    Ok(None)
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
