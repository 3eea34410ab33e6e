//! Writes the journal: one batch, one `fdatasync`; a new segment after 4 MiB, a start, or a failure.

use super::{
    Fact, MAGIC, SEGMENT_BYTES, SegmentHeader,
    chain::{self, Head, Running},
    erase::{self, Erasure, ToErase},
    frame::{self, HEADER_KIND, Piece},
    is_settled,
    reader::{self, Reader, Report},
    segment_path, segments,
};
use crate::{
    id::{BoxId, CallId},
    io::{box_key::BoxKey, files},
    record::CallRecord,
};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// What the writer asks of a disk; a test may stand in for it.
pub trait Disk: Send {
    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    /// As the system says.
    fn create(&mut self, path: &Path) -> io::Result<File>;
    /// Appends to a file.
    ///
    /// # Errors
    /// As the system says; part of the bytes may be written.
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// `fdatasync`.
    ///
    /// # Errors
    /// As the system says; what was appended since the last success may be lost.
    fn sync(&mut self, file: &mut File) -> io::Result<()>;
}

/// The disk of the machine.
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        files::sync_parent(path)?;
        Ok(file)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_data()
    }
}

/// The segment being written.
struct Segment {
    number: u32,
    file: File,
    /// Bytes known to be on the disk, and the digest of their frames.
    durable: u64,
    digest: Running,
}

/// Bytes of a frame's salt: more than anybody can try.
const SALT_BYTES: usize = 16;
const HEX: [u8; 16] = *b"0123456789abcdef";

/// Frames of one batch and their digests.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    digests: Vec<u8>,
    /// Never stored: what salts the frames, so that their digests tell nothing of what stood in them.
    salt: [u8; 32],
}

impl Buffer {
    fn clear(&mut self) {
        self.bytes.clear();
        self.digests.clear();
    }

    fn put(
        &mut self,
        kind: u8,
        seq: u64,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = self.bytes.len();
        frame::put(kind, seq, &mut self.bytes, write)?;
        self.digests.extend_from_slice(blake3::hash(&self.bytes[start..]).as_bytes());
        Ok(())
    }

    fn put_fact(&mut self, fact: &Fact, seq: u64) -> io::Result<()> {
        let salt = blake3::keyed_hash(&self.salt, &seq.to_le_bytes());
        self.put(fact.code(), seq, |out| {
            fact.write(out)?;
            // The salt is one more member of the object; readers pass over it.
            out.pop();
            out.extend_from_slice(b",\"salt\":\"");
            let digits = salt.as_bytes().iter().take(SALT_BYTES).flat_map(|byte| [byte >> 4, byte & 15]);
            out.extend(digits.map(|digit| HEX[usize::from(digit)]));
            out.extend_from_slice(b"\"}");
            Ok(())
        })
    }
}

/// The writer of a journal. There is one per folder.
pub struct Writer {
    dir: PathBuf,
    disk: Box<dyn Disk>,
    box_id: BoxId,
    boot_id: String,
    current: Option<Segment>,
    last_number: u32,
    /// The last ended segment and its digest.
    previous: Option<(u32, String)>,
    /// What headers are signed with.
    key: Option<BoxKey>,
    next_seq: u64,
    next_call: u64,
    /// First segment of every call that is not settled.
    open: BTreeMap<CallId, u32>,
    buffer: Buffer,
}

/// What opening the journal found.
#[derive(Debug)]
pub struct Opened {
    /// Calls without an end or with an open recording, as they last stood.
    pub unsettled: Vec<CallRecord>,
    /// Number of the next call.
    pub next_call: u64,
    /// What was found in the segments that had to be read.
    pub report: Report,
}

impl Writer {
    /// Opens the journal in `dir` and cuts off the torn tail of its last segment. No segment is begun before the
    /// first entry.
    ///
    /// # Errors
    /// If the folder cannot be made or a segment cannot be read or cut.
    pub fn open(dir: &Path, box_id: BoxId, boot_id: u64, disk: Box<dyn Disk>) -> io::Result<(Self, Opened)> {
        files::make_dir(dir)?;
        let torn_bytes = cut_torn_tail(dir)?;
        let mut reader = Reader::open(dir, first_needed(dir)?)?;
        let (mut calls, mut open) = (BTreeMap::new(), BTreeMap::new());
        while let Some(entry) = reader.next().transpose()? {
            let Some(record) = entry.fact.into_record() else { continue };
            track(&mut open, record.id, entry.segment, is_settled(&record));
            reader::keep_newest(&mut calls, record);
        }
        calls.retain(|call, _| open.contains_key(call));
        let mut report = reader.report().clone();
        report.torn_bytes += torn_bytes;
        let mut buffer = Buffer::default();
        getrandom::fill(&mut buffer.salt).map_err(io::Error::other)?;
        let writer = Self {
            dir: dir.to_owned(),
            disk,
            box_id,
            boot_id: format!("{boot_id:016x}"),
            current: None,
            last_number: segments(dir)?.last().copied().unwrap_or(0),
            previous: reader.last_link().map(|last| (last.segment, last.chain.clone())),
            key: None,
            next_seq: reader.next_seq(),
            next_call: reader.next_call(),
            open,
            buffer,
        };
        let unsettled = calls.into_values().collect();
        Ok((writer, Opened { unsettled, next_call: reader.next_call(), report }))
    }

    /// From now on what it writes is signed, if there is a key.
    #[must_use]
    pub fn signed_with(mut self, key: impl Into<Option<BoxKey>>) -> Self {
        self.key = key.into();
        self
    }

    /// The end of the journal, signed; `None` if there is no entry or no key.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let (segment, digest) = match &self.current {
            Some(segment) if segment.durable > 0 => (segment.number, segment.digest.hex()),
            Some(_) | None => self.previous.clone()?,
        };
        let (key, seq) = (self.key.as_ref()?, self.next_seq - 1);
        let signature = key.sign(&Head::message(self.box_id, seq, segment, &digest));
        Some(Head { seq, segment, digest, signature, public_key: key.public_key() })
    }

    /// Erases all that the journal says of calls but the last entry of each; the segment being written is ended.
    ///
    /// # Errors
    /// If there is no key, or a segment cannot be read or written. What was erased stays so; do it again.
    pub fn erase(&mut self, calls: &[ToErase]) -> io::Result<Erasure> {
        let key = self.key.clone().ok_or_else(|| io::Error::other("the journal has no key to sign with"))?;
        self.end_segment();
        erase::erase(&self.dir, calls, self.box_id, &key)
    }

    /// Number of the next entry.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Number of the next call.
    #[must_use]
    pub fn next_call(&self) -> u64 {
        self.next_call
    }

    /// Appends entries and waits until they are on the disk; returns the number of the first one.
    ///
    /// # Errors
    /// None of them is acknowledged then and the segment is given up: commit the same entries again, in the same
    /// order, and they go to a new one.
    pub fn commit<'a>(&mut self, entries: impl IntoIterator<Item = &'a Fact> + Clone) -> io::Result<u64> {
        let result = self.try_commit(entries);
        if result.is_err() {
            self.give_up_segment();
        }
        result
    }

    fn try_commit<'a>(&mut self, entries: impl IntoIterator<Item = &'a Fact> + Clone) -> io::Result<u64> {
        if self.current.as_ref().is_some_and(|segment| segment.durable >= SEGMENT_BYTES) {
            self.end_segment();
        }
        self.buffer.clear();
        let segment = match self.current.take() {
            Some(segment) => self.current.insert(segment),
            None => {
                let segment = self.begin_segment()?;
                self.current.insert(segment)
            }
        };
        let mut seq = self.next_seq;
        for fact in entries.clone() {
            self.buffer.put_fact(fact, seq)?;
            seq += 1;
        }
        self.disk.append(&mut segment.file, &self.buffer.bytes)?;
        self.disk.sync(&mut segment.file)?;
        segment.durable += self.buffer.bytes.len() as u64;
        segment.digest.add(&self.buffer.digests);
        for record in entries.into_iter().filter_map(Fact::record) {
            track(&mut self.open, record.id, segment.number, is_settled(record));
            self.next_call = self.next_call.max(record.seq.saturating_add(1));
        }
        Ok(std::mem::replace(&mut self.next_seq, seq))
    }

    /// Creates the next segment; its magic and header go out with the first batch.
    fn begin_segment(&mut self) -> io::Result<Segment> {
        // The number is used up even if creating fails: a half-made file is never written again.
        self.last_number += 1;
        let number = self.last_number;
        let chain = self.previous.as_ref().map(|(_, digest)| digest.clone());
        let message = chain::header_message(self.box_id, number, chain.as_deref());
        let header = SegmentHeader {
            box_id: self.box_id,
            boot_id: self.boot_id.clone(),
            segment: number,
            previous: None,
            chain,
            signature: self.key.as_ref().map(|key| key.sign(&message)),
            oldest_open: self.open.values().copied().min().unwrap_or(number),
            next_call: self.next_call,
        };
        self.buffer.bytes.extend_from_slice(&MAGIC);
        self.buffer.put(HEADER_KIND, self.next_seq, |out| Ok(serde_json::to_writer(out, &header)?))?;
        let file = self.disk.create(&segment_path(&self.dir, number))?;
        Ok(Segment { number, file, durable: 0, digest: Running::default() })
    }

    fn end_segment(&mut self) {
        if let Some(segment) = self.current.take() {
            self.previous = Some((segment.number, segment.digest.hex()));
        }
    }

    /// Leaves a segment after a failure, cut back to what is known to be on the disk if the disk lets us.
    pub(super) fn give_up_segment(&mut self) {
        let Some(segment) = &self.current else { return };
        if segment.durable > 0 {
            let _ = segment.file.set_len(segment.durable);
            self.end_segment();
        } else {
            let _ = fs::remove_file(segment_path(&self.dir, segment.number));
            self.current = None;
        }
    }
}

fn track(open: &mut BTreeMap<CallId, u32>, call: CallId, segment: u32, settled: bool) {
    if settled {
        open.remove(&call);
    } else {
        open.entry(call).or_insert(segment);
    }
}

/// The first segment that may hold an entry of an open call: what the last readable header says.
fn first_needed(dir: &Path) -> io::Result<u32> {
    for number in segments(dir)?.into_iter().rev() {
        if let Some((header, _)) = reader::header_of(dir, number)? {
            return Ok(header.oldest_open);
        }
    }
    Ok(0)
}

/// Cuts what follows the last good frame of the last segment; without any good frame the segment is removed.
fn cut_torn_tail(dir: &Path) -> io::Result<u64> {
    let Some(&last) = segments(dir)?.last() else { return Ok(0) };
    let path = segment_path(dir, last);
    let bytes = fs::read(&path)?;
    let (mut frames, mut torn) = (0, 0);
    for piece in reader::pieces_of(&bytes) {
        match piece {
            Piece::Frame(_) => frames += 1,
            Piece::Torn(length) => torn = length as u64,
            Piece::Bad(_) => {}
        }
    }
    if frames == 0 {
        fs::remove_file(&path)?;
        files::sync_dir(dir)?;
    } else if torn > 0 {
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(bytes.len() as u64 - torn)?;
        file.sync_all()?;
    }
    Ok(torn)
}
