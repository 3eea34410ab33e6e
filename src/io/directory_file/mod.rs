//! The office's directory on the disk: read in one go at a start, before the first call, whatever the index does.
//!
//! ```text
//! directory.book    header │ entry │ entry … │ end with the digest of all before      replaced as a whole
//! directory.log     header │ crc change │ crc journaled │ crc change …                appended, one fdatasync each
//!
//! change ──► log (durable) ──► journal (durable) ──► log: journaled ──► answered
//! ```
//! The journal is the truth. A change that a crash left between log and journal is in force after it, and is journaled
//! then. A book or a log that is missing, torn or not of each other is made anew from the journal, from the segment
//! on that the book names.

use super::{
    files,
    journal::{self, Fact, reader::Reader},
};
use crate::{
    directory::{Book, Changed},
    note::What,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

/// Version of both files.
pub const SCHEMA: &str = "ringside.directory/1";

const BOOK: &str = "directory.book";
const LOG: &str = "directory.log";
/// A log longer than this, and than half of the book, is put into a new book.
const SHORT_LOG_BYTES: u64 = 256 << 10;
/// Bytes of entries in one note: a frame of the journal takes a mebibyte.
const NOTE_BYTES: usize = 256 << 10;

/// The first line of either file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    schema: String,
    /// Of the book; its log has the same.
    generation: u64,
    /// Number of the last change in the book.
    #[serde(default)]
    edits: u64,
    /// Where in the journal later changes are.
    #[serde(default)]
    journal_segment: u32,
}

/// The last line of a book.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    /// BLAKE3 of every byte before, hex.
    end: String,
}

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Change(Change),
    Journaled { journaled: u64 },
}

/// One change as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Number of the change, 1-based.
    pub edit: u64,
    /// Who made it.
    pub by: String,
    /// The entries after it.
    pub changed: Vec<Changed>,
}

impl Change {
    /// The notes that bring it into the journal, each within the journal's limits.
    #[must_use]
    pub fn notes(&self) -> Vec<What> {
        let note = |changed| What::Directory { edit: self.edit, by: self.by.clone(), changed };
        let (mut notes, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
        for changed in &self.changed {
            let Ok(value) = serde_json::to_value(changed) else { continue };
            let length = value.to_string().len();
            if bytes + length > NOTE_BYTES && !part.is_empty() {
                notes.push(note(std::mem::take(&mut part)));
                bytes = 0;
            }
            bytes += length;
            part.push(value);
        }
        notes.push(note(part));
        notes
    }
}

/// The files of the directory, and how far they are.
#[derive(Debug)]
pub struct DirectoryFile {
    data_dir: PathBuf,
    log: File,
    log_bytes: u64,
    book_bytes: u64,
    generation: u64,
    edits: u64,
    is_journaled: bool,
}

/// What was read at a start.
#[derive(Debug)]
pub struct Opened {
    /// The files.
    pub file: DirectoryFile,
    /// The book.
    pub book: Book,
    /// Changes that may not be in the journal.
    pub unjournaled: Vec<Change>,
}

/// What the files say.
#[derive(Default)]
struct Found {
    book: Book,
    edits: u64,
    generation: u64,
    journal_segment: u32,
    book_bytes: u64,
    log_bytes: u64,
    unjournaled: Vec<Change>,
    is_whole: bool,
}

/// Reads the directory of a data directory; what is damaged is read from the journal instead. Run it after recovery.
///
/// # Errors
/// If the journal cannot be read or the files not be written.
pub fn open(data_dir: &Path) -> io::Result<Opened> {
    let mut found = read_book(data_dir);
    if found.is_whole {
        read_log(data_dir, &mut found);
    }
    if found.is_whole {
        let log = OpenOptions::new().append(true).open(data_dir.join(LOG))?;
        let Found { book, edits, generation, book_bytes, log_bytes, unjournaled, .. } = found;
        let is_journaled = unjournaled.is_empty();
        let data_dir = data_dir.to_owned();
        let file = DirectoryFile { data_dir, log, log_bytes, book_bytes, generation, edits, is_journaled };
        return Ok(Opened { file, book, unjournaled });
    }
    let is_new = found.generation == 0 && !data_dir.join(LOG).exists();
    if !is_new {
        tracing::warn!("the office's directory was damaged on the disk; it is made anew from the journal");
    }
    let edits = replay(data_dir, &mut found)?;
    let file = write_book(data_dir, &found.book, edits, found.generation + 1)?;
    Ok(Opened { file, book: found.book, unjournaled: found.unjournaled })
}

/// Removes the files of a data directory.
///
/// # Errors
/// If one is there and cannot be removed.
pub fn remove(data_dir: &Path) -> io::Result<()> {
    [BOOK, LOG].into_iter().try_for_each(|name| match fs::remove_file(data_dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

impl DirectoryFile {
    /// Number of the last change.
    #[must_use]
    pub const fn edits(&self) -> u64 {
        self.edits
    }

    /// Makes a change durable; its number must be the next one.
    ///
    /// # Errors
    /// If it cannot be written; then nothing is left of it.
    pub fn append(&mut self, change: &Change) -> io::Result<()> {
        let line = line(&Line::Change(change.clone()))?;
        if let Err(error) = self.log.write_all(&line).and_then(|()| self.log.sync_data()) {
            // A line that is half written would make the next start read the journal, which is slow and no more.
            let _ = self.log.set_len(self.log_bytes);
            return Err(error);
        }
        self.log_bytes += line.len() as u64;
        self.edits = change.edit;
        self.is_journaled = false;
        Ok(())
    }

    /// Takes a change back that the journal refused.
    ///
    /// # Errors
    /// If it cannot be taken back; it is in force after the next start then.
    pub fn take_back(&mut self, change: &Change) -> io::Result<()> {
        let length = line(&Line::Change(change.clone()))?.len() as u64;
        self.log_bytes = self.log_bytes.saturating_sub(length);
        self.edits = change.edit.saturating_sub(1);
        self.is_journaled = true;
        self.log.set_len(self.log_bytes)?;
        self.log.sync_data()
    }

    /// The journal has every change.
    pub fn journaled(&mut self) {
        // Lost, it only makes the next start journal a change twice.
        if let Ok(line) = line(&Line::Journaled { journaled: self.edits })
            && self.log.write_all(&line).is_ok()
        {
            self.log_bytes += line.len() as u64;
        }
        self.is_journaled = true;
    }

    /// Puts a long log into a new book.
    ///
    /// # Errors
    /// If it cannot be written; the old book and its log stay.
    pub fn compact(&mut self, book: &Book) -> io::Result<()> {
        let is_long = self.log_bytes > SHORT_LOG_BYTES.max(self.book_bytes / 2);
        if !is_long || !self.is_journaled {
            return Ok(());
        }
        *self = write_book(&self.data_dir, book, self.edits, self.generation + 1)?;
        Ok(())
    }
}

/// Reads the book; what is no whole book gives nothing, but for the generation that may be in it.
fn read_book(data_dir: &Path) -> Found {
    let Ok(bytes) = fs::read(data_dir.join(BOOK)) else { return Found::default() };
    let generation = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .and_then(|line| serde_json::from_slice::<Header>(line).ok())
        .map_or(1, |header| header.generation);
    whole_book(&bytes).unwrap_or(Found { generation, ..Found::default() })
}

fn whole_book(bytes: &[u8]) -> Option<Found> {
    let body = bytes.strip_suffix(b"\n")?;
    let last = body.iter().rposition(|byte| *byte == b'\n')?;
    let (before, end) = bytes.split_at_checked(last + 1)?;
    let End { end } = serde_json::from_slice(end).ok()?;
    if end != blake3::hash(before).to_hex().as_str() {
        return None;
    }
    let mut lines = before.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let header: Header =
        serde_json::from_slice(lines.next()?).ok().filter(|h: &Header| h.schema == SCHEMA)?;
    let mut book = Book::default();
    // An entry of a later version is left alone.
    lines.filter_map(|line| serde_json::from_slice(line).ok()).for_each(|changed| book.put(&changed));
    Some(Found {
        book,
        edits: header.edits,
        generation: header.generation,
        journal_segment: header.journal_segment,
        book_bytes: bytes.len() as u64,
        is_whole: true,
        ..Found::default()
    })
}

/// Puts what the log says above the book; anything in it that is not as it was written makes both no whole.
fn read_log(data_dir: &Path, found: &mut Found) {
    found.is_whole = false;
    let Ok(file) = File::open(data_dir.join(LOG)) else { return };
    let mut log = BufReader::new(file);
    let mut text = Vec::new();
    if !matches!(log.read_until(b'\n', &mut text), Ok(1..)) || !text.ends_with(b"\n") {
        return;
    }
    let header = serde_json::from_slice::<Header>(&text).ok();
    if header.is_none_or(|header| header.generation != found.generation) {
        return;
    }
    found.log_bytes = text.len() as u64;
    loop {
        text.clear();
        match log.read_until(b'\n', &mut text) {
            Ok(0) => break,
            Ok(length) => found.log_bytes += length as u64,
            Err(_) => return,
        }
        match parse(&text) {
            Some(Line::Change(change)) if change.edit == found.edits + 1 => {
                change.changed.iter().for_each(|changed| found.book.put(changed));
                found.edits = change.edit;
                found.unjournaled.push(change);
            }
            Some(Line::Journaled { journaled }) => found.unjournaled.retain(|change| change.edit > journaled),
            _ => return,
        }
    }
    found.is_whole = true;
}

/// Puts what the journal says above what was found; gives the number of the last change.
fn replay(data_dir: &Path, found: &mut Found) -> io::Result<u64> {
    let known = found.edits;
    let mut last = known;
    for entry in Reader::open(&data_dir.join(files::JOURNAL_DIR), found.journal_segment)? {
        let Fact::Note(note) = entry?.fact else { continue };
        let What::Directory { edit, changed, .. } = note.what else { continue };
        if edit > known {
            last = last.max(edit);
            let entries = changed.into_iter().filter_map(|value| serde_json::from_value(value).ok());
            entries.for_each(|changed| found.book.put(&changed));
        }
        found.unjournaled.retain(|change| change.edit > edit);
    }
    Ok(last)
}

fn write_book(data_dir: &Path, book: &Book, edits: u64, generation: u64) -> io::Result<DirectoryFile> {
    let segments = journal::segments(&data_dir.join(files::JOURNAL_DIR))?;
    let journal_segment = segments.last().copied().unwrap_or(0);
    let header = |edits| Header { schema: SCHEMA.to_owned(), generation, edits, journal_segment };
    let mut bytes = serde_json::to_vec(&header(edits))?;
    bytes.push(b'\n');
    for changed in book.entries() {
        serde_json::to_writer(&mut bytes, &changed)?;
        bytes.push(b'\n');
    }
    let end = End { end: blake3::hash(&bytes).to_hex().to_string() };
    serde_json::to_writer(&mut bytes, &end)?;
    bytes.push(b'\n');
    files::write_whole(&data_dir.join(BOOK), &bytes)?;
    let book_bytes = bytes.len() as u64;
    let mut head = serde_json::to_vec(&header(0))?;
    head.push(b'\n');
    let path = data_dir.join(LOG);
    files::write_whole(&path, &head)?;
    let log = OpenOptions::new().append(true).open(path)?;
    let (data_dir, log_bytes) = (data_dir.to_owned(), head.len() as u64);
    Ok(DirectoryFile { data_dir, log, log_bytes, book_bytes, generation, edits, is_journaled: true })
}

/// A line of the log: CRC-32C of the JSON in 8 hex digits, a space, the JSON.
fn line(of: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(of)?;
    let mut line = format!("{:08x} ", crc32c::crc32c(&json)).into_bytes();
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

fn parse(line: &[u8]) -> Option<Line> {
    let (crc, json) = line.strip_suffix(b"\n")?.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?.trim_end(), 16).ok()?;
    if crc32c::crc32c(json) == crc { serde_json::from_slice(json).ok() } else { None }
}

#[cfg(test)]
mod tests;
