//! Reads the journal, also while the daemon writes it: entries in order, and a report of what is damaged.

use super::{
    Entry, Fact, MAGIC, SegmentHeader,
    chain::{Link, Linking},
    frame::{self, ERASED_KIND, Frame, HEADER_KIND, Piece, RESEALED_KIND},
    segment_path, segments,
};
use crate::{id::CallId, record::CallRecord};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// A header is far smaller; what is read of a segment to find it.
const HEADER_BYTES: u64 = 16 << 10;

/// What reading found besides entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments read.
    pub segments: u32,
    /// Entries given out.
    pub entries: u64,
    /// Damaged places with good frames after them: bad sectors, flipped bits.
    pub bad_places: u64,
    /// Bytes in damaged places.
    pub bad_bytes: u64,
    /// Bytes without a whole frame at the end of a segment: what a power cut tore.
    pub torn_bytes: u64,
    /// Good frames of a later version, left alone.
    pub unknown: u64,
    /// Entries that were there already: written again after a failed sync.
    pub doubled: u64,
    /// Entries that were erased lawfully.
    pub erased: u64,
    /// Segments that are not followed by the one whose header names their digest.
    pub broken_chain: u64,
}

impl Report {
    /// Whether the journal is as it was written, but for a tail torn by a power cut.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.bad_places == 0 && self.broken_chain == 0
    }
}

/// An iterator over entries.
pub struct Reader {
    dir: PathBuf,
    segments: VecDeque<u32>,
    entries: VecDeque<Entry>,
    last_seq: u64,
    next_seq: u64,
    next_call: u64,
    last: Option<Link>,
    report: Report,
}

impl Reader {
    /// A reader of all segments from number `from` on; a folder that does not exist is an empty journal.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn open(dir: &Path, from: u32) -> io::Result<Self> {
        let segments = segments(dir)?.into_iter().filter(|&number| number >= from).collect();
        Ok(Self {
            dir: dir.to_owned(),
            segments,
            entries: VecDeque::new(),
            last_seq: 0,
            next_seq: 1,
            next_call: 1,
            last: None,
            report: Report::default(),
        })
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Number of the entry after the last one read.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Number of the call after the last one read.
    #[must_use]
    pub fn next_call(&self) -> u64 {
        self.next_call
    }

    /// How the last segment read is to be followed.
    #[must_use]
    pub fn last_link(&self) -> Option<&Link> {
        self.last.as_ref()
    }

    fn load(&mut self, number: u32) -> io::Result<()> {
        let bytes = match fs::read(segment_path(&self.dir, number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            bytes => bytes?,
        };
        self.report.segments += 1;
        let (mut linking, mut has_frames) = (Linking::default(), false);
        for piece in pieces_of(&bytes) {
            match piece {
                Piece::Frame(frame) => {
                    has_frames = true;
                    linking.add(&frame);
                    self.take(frame, number);
                }
                Piece::Bad(length) => {
                    self.report.bad_places += 1;
                    self.report.bad_bytes += length as u64;
                }
                Piece::Torn(length) => self.report.torn_bytes += length as u64,
            }
        }
        // One without a frame was given up before its first commit: the next one follows the one before.
        if has_frames {
            self.last = Some(linking.end(number, &bytes));
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<'_>, segment: u32) {
        match frame.kind {
            HEADER_KIND => {
                match serde_json::from_slice::<SegmentHeader>(frame.payload) {
                    Ok(header) => self.begin(frame.seq, &header),
                    Err(_) => self.report.unknown += 1,
                }
                return;
            }
            RESEALED_KIND => return,
            ERASED_KIND => {
                self.report.erased += 1;
                self.last_seq = self.last_seq.max(frame.seq);
                self.next_seq = self.next_seq.max(frame.seq.saturating_add(1));
                return;
            }
            _ => {}
        }
        let Some(fact) = Fact::read(frame.kind, frame.payload) else {
            self.report.unknown += 1;
            self.next_seq = self.next_seq.max(frame.seq.saturating_add(1));
            return;
        };
        if frame.seq <= self.last_seq {
            self.report.doubled += 1;
            return;
        }
        self.last_seq = frame.seq;
        self.next_seq = self.next_seq.max(frame.seq.saturating_add(1));
        if let Some(record) = fact.record() {
            self.next_call = self.next_call.max(record.seq.saturating_add(1));
        }
        self.report.entries += 1;
        self.entries.push_back(Entry { seq: frame.seq, segment, fact });
    }

    fn begin(&mut self, seq: u64, header: &SegmentHeader) {
        self.next_seq = self.next_seq.max(seq);
        self.next_call = self.next_call.max(header.next_call);
        if self.last.as_ref().is_some_and(|last| !last.precedes(header)) {
            self.report.broken_chain += 1;
        }
    }
}

impl Iterator for Reader {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Some(Ok(entry));
            }
            let number = self.segments.pop_front()?;
            if let Err(error) = self.load(number) {
                return Some(Err(error));
            }
        }
    }
}

/// The newest revision of every call, in the order of their numbers, and what reading found.
///
/// # Errors
/// If a segment cannot be read.
pub fn fold(dir: &Path) -> io::Result<(Vec<CallRecord>, Report)> {
    let mut reader = Reader::open(dir, 0)?;
    let mut calls = BTreeMap::new();
    while let Some(entry) = reader.next().transpose()? {
        if let Some(record) = entry.fact.into_record() {
            keep_newest(&mut calls, record);
        }
    }
    let mut records: Vec<CallRecord> = calls.into_values().collect();
    records.sort_by_key(|record| record.seq);
    Ok((records, reader.report))
}

/// The newest `limit` calls or a few more, in the order of their numbers, reading no more segments than they take.
///
/// # Errors
/// If a segment cannot be read.
pub fn newest(dir: &Path, limit: usize) -> io::Result<Vec<CallRecord>> {
    let mut calls = BTreeMap::new();
    for number in segments(dir)?.into_iter().rev() {
        if calls.len() >= limit {
            break;
        }
        let mut reader = Reader { segments: VecDeque::from([number]), ..Reader::open(dir, u32::MAX)? };
        while let Some(entry) = reader.next().transpose()? {
            if let Some(record) = entry.fact.into_record() {
                keep_newest(&mut calls, record);
            }
        }
    }
    let mut records: Vec<CallRecord> = calls.into_values().collect();
    records.sort_by_key(|record| record.seq);
    Ok(records)
}

/// Puts a record in its call's place unless a higher revision is there.
pub(super) fn keep_newest(calls: &mut BTreeMap<CallId, CallRecord>, record: CallRecord) {
    if calls.get(&record.id).is_none_or(|known| known.rev <= record.rev) {
        calls.insert(record.id, record);
    }
}

/// The header of a segment and the number of its first entry; `None` if it is damaged.
///
/// # Errors
/// If the file cannot be read.
pub fn header_of(dir: &Path, number: u32) -> io::Result<Option<(SegmentHeader, u64)>> {
    let mut bytes = Vec::new();
    File::open(segment_path(dir, number))?.take(HEADER_BYTES).read_to_end(&mut bytes)?;
    let frame = bytes.strip_prefix(&MAGIC).and_then(Frame::parse).filter(|frame| frame.kind == HEADER_KIND);
    let header = frame.and_then(|frame| Some((serde_json::from_slice(frame.payload).ok()?, frame.seq)));
    Ok(header)
}

/// The last segment that begins at or before entry `seq`, as far as the headers can be read; 0 is the first one.
///
/// # Errors
/// If a segment cannot be read.
pub fn segment_with(dir: &Path, seq: u64) -> io::Result<u32> {
    for number in segments(dir)?.into_iter().rev() {
        if header_of(dir, number)?.is_some_and(|(_, first)| first <= seq) {
            return Ok(number);
        }
    }
    Ok(0)
}

/// The pieces of a whole segment file. A damaged magic is only damaged bytes.
pub(super) fn pieces_of(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    frame::pieces(bytes.strip_prefix(&MAGIC).unwrap_or(bytes))
}
