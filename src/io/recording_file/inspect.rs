//! A look through a whole recording, page by page; memory stays bounded however long it is.

use super::{Finished, invalid};
use crate::{
    io::files,
    recording::{
        ogg::{
            outline::Outline,
            page::{MAX_PAGE_BYTES, Page, PageError},
        },
        vault::{self, CHUNK_OVERHEAD, Header, Kind, START_BYTES, Stream, Unlock, VaultError},
    },
};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// What a look through a whole recording found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The good pages from the start.
    pub outline: Outline,
    /// Bytes and digests of the whole file, bad parts included.
    pub finished: Finished,
    /// Why the pages end before the file does; `None` if every byte is part of a good page.
    pub fault: Option<String>,
}

/// Reads a recording page by page. An encrypted one needs a key.
///
/// # Errors
/// If the file cannot be read, or an encrypted one not be opened: without a key, with another, with a damaged header.
/// Bad contents are no error but a `fault`.
pub fn inspect(path: &Path, key: Option<Unlock<'_>>) -> io::Result<Inspected> {
    if !files::is_encrypted(path) {
        return inspect_plain(path);
    }
    let key = key.ok_or_else(no_key)?;
    let mut walk = Walk::begin(path, key)?.map_err(invalid)?;
    walk.read_all()?;
    Ok(walk.inspected())
}

/// Bytes and digest of a file as it lies there; no key is needed.
///
/// # Errors
/// If it cannot be read.
pub fn digest(path: &Path) -> io::Result<Finished> {
    let mut reader = Hashing::open(path)?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finished(None))
}

/// Whether an encrypted recording opens with its owner's key also; no key is needed to tell.
///
/// # Errors
/// If it cannot be read or its header is damaged.
pub fn is_for_owner(path: &Path) -> io::Result<bool> {
    let header = read_header(&mut File::open(path)?)?.map_err(invalid)?;
    Ok(header.has_owner())
}

pub(super) fn no_key() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it is encrypted and there is no key here to open it")
}

fn inspect_plain(path: &Path) -> io::Result<Inspected> {
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
            let finished = Finished { bytes, hash: hash.finalize().to_hex().to_string(), audio_hash: None };
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

/// An encrypted recording read from its start, as far as it is good.
pub(super) struct Walk {
    reader: Hashing,
    pub(super) stream: Stream,
    pub(super) outline: Outline,
    /// Good chunks.
    pub(super) chunks: u32,
    /// Bytes of the header and the good chunks.
    pub(super) good_bytes: u64,
    audio: blake3::Hasher,
    fault: Option<String>,
}

impl Walk {
    /// Reads the header and takes the key out of it.
    pub(super) fn begin(path: &Path, key: Unlock<'_>) -> io::Result<Result<Self, VaultError>> {
        let mut reader = Hashing::open(path)?;
        let header = read_header(&mut reader)?;
        Ok(header.and_then(|header| {
            Ok(Self {
                reader,
                stream: header.unlock(key)?,
                outline: Outline::default(),
                chunks: 0,
                good_bytes: header.bytes().len() as u64,
                audio: blake3::Hasher::new(),
                fault: None,
            })
        }))
    }

    /// Adds chunk after chunk up to the end of the file or the first bad one, and digests the rest.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        let mut chunk = Vec::new();
        while self.fault.is_none() {
            chunk.clear();
            match self.next_chunk(&mut chunk)? {
                Some(Ok(())) => self.good_bytes += (chunk.len() + CHUNK_OVERHEAD) as u64,
                Some(Err(fault)) => self.fault = Some(fault),
                None => break,
            }
        }
        io::copy(&mut self.reader, &mut io::sink()).map(drop)
    }

    pub(super) fn inspected(self) -> Inspected {
        let audio = self.audio.finalize().to_hex().to_string();
        let finished = self.reader.finished(Some(audio));
        Inspected { outline: self.outline, finished, fault: self.fault }
    }

    /// The next chunk's page, if it is good; `None` at the end of the file.
    fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> io::Result<Option<Result<(), String>>> {
        let bad = VaultError::Chunk(self.chunks).to_string();
        (&mut self.reader).take(4).read_to_end(chunk)?;
        if chunk.is_empty() {
            return Ok(None);
        }
        if self.outline.ended() {
            return Ok(Some(Err(VaultError::AfterEnd.to_string())));
        }
        let length = chunk.first_chunk().copied().and_then(vault::sealed_length);
        let Some(length) = length else { return Ok(Some(Err(bad))) };
        chunk.clear();
        (&mut self.reader).take(length as u64).read_to_end(chunk)?;
        Ok(Some(if chunk.len() == length { self.add(chunk) } else { Err(bad) }))
    }

    fn add(&mut self, chunk: &mut Vec<u8>) -> Result<(), String> {
        let kind = self.stream.open(self.chunks, chunk).map_err(|error| error.to_string())?;
        let page = Page::parse(chunk).map_err(|error| error.to_string())?;
        let mut outline = self.outline.clone();
        outline.add(&page).map_err(|error| error.to_string())?;
        if page.bytes().len() != chunk.len() || outline.ended() != (kind != Kind::More) {
            return Err(VaultError::Chunk(self.chunks).to_string());
        }
        self.audio.update(chunk);
        self.chunks += 1;
        self.outline = outline;
        Ok(())
    }
}

/// Reads the header at the start of a file; no more than it says, and it cannot say much.
pub(super) fn read_header(reader: &mut impl Read) -> io::Result<Result<Header, VaultError>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(START_BYTES as u64).read_to_end(&mut bytes)?;
    let length = match Header::length(&bytes) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    reader.take((length - bytes.len()) as u64).read_to_end(&mut bytes)?;
    Ok(Header::parse(&bytes))
}

/// A file that is digested as it is read.
struct Hashing {
    file: BufReader<File>,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), hash: blake3::Hasher::new(), bytes: 0 })
    }

    fn finished(&self, audio_hash: Option<String>) -> Finished {
        Finished { bytes: self.bytes, hash: self.hash.finalize().to_hex().to_string(), audio_hash }
    }
}

impl Read for Hashing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.hash.update(out.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}
