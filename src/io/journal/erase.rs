//! Erases calls from the journal: of each only the last entry is left, the record without whom it was about.
//!
//! ```text
//! 1. the caller appends the call's erased record (`Kind::Erased`); it is durable before anything else is done
//! 2. the segment being written is ended
//! 3. segment by segment, oldest first: every other frame of the call becomes an `Erased` frame; the file is written
//!    anew beside the old one, synced, and renamed over it
//! ```
//! A cut between two segments leaves a journal that reads and verifies; doing it again does the rest. Blocks that the
//! file system has let go of are not overwritten: flash would not do so anyway.

use super::{
    Fact, Kind, MAGIC,
    chain::{Erased, Linking, Resealed},
    frame::{self, ERASED_KIND, Frame, Piece, RESEALED_KIND},
    reader::{header_of, pieces_of},
    segment_path, segments,
};
use crate::{
    id::{BoxId, CallId},
    io::{box_key::BoxKey, files},
    note::What,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// A call to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToErase {
    /// The call.
    pub call: CallId,
    /// Its number on the box ([`crate::record::CallRecord::seq`]): segments before it came in are not read.
    pub number: u64,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Frames that were erased now.
    pub frames: u64,
    /// Segments that were written anew.
    pub segments: u32,
    /// Calls left as they are, because their last entry is not an erased record.
    pub refused: Vec<CallId>,
}

/// The last entry of a call: what is left of it.
#[derive(Clone, Copy)]
struct Last {
    rev: u32,
    seq: u64,
    kind: Kind,
}

type Kept = BTreeMap<CallId, Last>;

/// Erases calls in closed segments. Nothing may append to the last segment any more.
///
/// # Errors
/// If a segment cannot be read or written.
pub fn erase(dir: &Path, calls: &[ToErase], box_id: BoxId, key: &BoxKey) -> io::Result<Erasure> {
    let Some(oldest) = calls.iter().map(|call| call.number).min() else { return Ok(Erasure::default()) };
    let numbers = segments_from(dir, oldest)?;
    let mut kept = last_entries(dir, &numbers, calls)?;
    let mut erasure = Erasure::default();
    kept.retain(|&call, last| {
        let is_erased = last.kind == Kind::Erased;
        erasure.refused.extend((!is_erased).then_some(call));
        is_erased
    });
    if kept.is_empty() {
        return Ok(erasure);
    }
    for number in numbers {
        let path = segment_path(dir, number);
        let mut segment =
            Segment { number, box_id, key, kept: &kept, out: Vec::new(), frames: 0, blanked: 0 };
        segment.rewrite(&fs::read(&path)?)?;
        if segment.frames + segment.blanked > 0 {
            files::write_whole(&path, &segment.out)?;
            erasure.segments += 1;
            erasure.frames += segment.frames;
        }
    }
    Ok(erasure)
}

/// The segments that may say something of calls numbered `oldest` or higher.
fn segments_from(dir: &Path, oldest: u64) -> io::Result<Vec<u32>> {
    let numbers = segments(dir)?;
    let (mut from, mut next_call) = (0, 0);
    // Whether all segments since `from` were unreadable: the call may begin in them.
    let mut unreadable_from = Some(0);
    for (at, &number) in numbers.iter().enumerate() {
        let Some((header, _)) = header_of(dir, number)? else {
            unreadable_from = unreadable_from.or(Some(at));
            continue;
        };
        // A segment that was given up may hold entries that the next one has again, under the same next call.
        if header.next_call < oldest && header.next_call > next_call {
            (from, next_call) = (unreadable_from.unwrap_or(at), header.next_call);
        }
        unreadable_from = None;
    }
    Ok(numbers.get(from..).unwrap_or_default().to_vec())
}

fn last_entries(dir: &Path, numbers: &[u32], calls: &[ToErase]) -> io::Result<Kept> {
    let wanted: BTreeSet<CallId> = calls.iter().map(|wanted| wanted.call).collect();
    let mut kept = Kept::new();
    for &number in numbers {
        let bytes = fs::read(segment_path(dir, number))?;
        for piece in pieces_of(&bytes) {
            let Piece::Frame(frame) = piece else { continue };
            let Some(Fact::Call(kind, record)) = Fact::read(frame.kind, frame.payload) else { continue };
            let last = Last { rev: record.rev, seq: frame.seq, kind };
            let is_newest = |known: &Last| (known.rev, known.seq) <= (last.rev, last.seq);
            if wanted.contains(&record.id) && kept.get(&record.id).is_none_or(is_newest) {
                kept.insert(record.id, last);
            }
        }
    }
    Ok(kept)
}

/// A segment being written anew.
struct Segment<'a> {
    number: u32,
    box_id: BoxId,
    key: &'a BoxKey,
    kept: &'a Kept,
    out: Vec<u8>,
    frames: u64,
    /// Damaged places that named a call and were blanked.
    blanked: u64,
}

impl Segment<'_> {
    fn rewrite(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.starts_with(&MAGIC) {
            self.out.extend_from_slice(&MAGIC);
        }
        let mut linking = Linking::default();
        let (mut at, mut seq) = (self.out.len(), 0);
        for piece in pieces_of(bytes) {
            match piece {
                Piece::Frame(frame) => {
                    linking.add(&frame);
                    seq = frame.seq;
                    self.put(&frame)?;
                }
                Piece::Bad(length) | Piece::Torn(length) => {
                    self.put_damaged(bytes.get(at..at + length).unwrap_or_default());
                }
            }
            at += piece.size();
        }
        if self.frames > 0 && linking.is_old() {
            self.reseal(seq, linking, bytes)?;
        }
        Ok(())
    }

    fn put(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let Some(call) = self.doomed(frame) else {
            self.out.extend_from_slice(frame.bytes);
            return Ok(());
        };
        self.frames += 1;
        let was = blake3::hash(frame.bytes).to_hex().to_string();
        let signature = self.key.sign(&Erased::message(self.box_id, frame.seq, call, &was));
        let erased = Erased { call, was, signature };
        frame::put(ERASED_KIND, frame.seq, &mut self.out, |out| Ok(serde_json::to_writer(out, &erased)?))
    }

    /// The call for whose sake a frame has to go: every record of it but the last, and of the notes those that hold
    /// words from outside or a digest of what the record said.
    fn doomed(&self, frame: &Frame<'_>) -> Option<CallId> {
        let fact = Fact::read(frame.kind, frame.payload)?;
        let call = match &fact {
            Fact::Call(_, record) => record.id,
            Fact::Note(note) => note.call()?,
        };
        let last = self.kept.get(&call)?;
        let has_to_go = match &fact {
            Fact::Call(kind, _) => frame.seq != last.seq || *kind != last.kind,
            Fact::Note(note) => match note.what {
                What::RecordReceived { rev, .. } => rev < last.rev,
                What::Refused { .. } => frame.seq < last.seq,
                _ => false,
            },
        };
        has_to_go.then_some(call)
    }

    /// Damaged bytes that still name a call are blanked; they stay damaged, and are found as such.
    fn put_damaged(&mut self, bytes: &[u8]) {
        let names = |call: &CallId| {
            let id = call.to_string();
            bytes.windows(id.len()).any(|window| window == id.as_bytes())
        };
        if self.kept.keys().any(names) {
            self.blanked += 1;
            self.out.resize(self.out.len() + bytes.len(), 0);
        } else {
            self.out.extend_from_slice(bytes);
        }
    }

    /// Vouches that an old segment with the digest it still has is the one whose bytes the next header names.
    fn reseal(&mut self, seq: u64, linking: Linking, bytes: &[u8]) -> io::Result<()> {
        let previous = blake3::hash(bytes).to_hex().to_string();
        let chain = linking.end(self.number, bytes).chain;
        let message = Resealed::message(self.box_id, self.number, &previous, &chain);
        let resealed = Resealed { signature: self.key.sign(&message), previous, chain };
        frame::put(RESEALED_KIND, seq, &mut self.out, |out| Ok(serde_json::to_writer(out, &resealed)?))
    }
}
