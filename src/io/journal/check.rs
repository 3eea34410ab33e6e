//! Checks the journal from its first segment on: every frame, every number, every digest and every signature.

use super::{
    Fact, SegmentHeader,
    chain::{Erased, Link, Linking, Resealed, header_message},
    frame::{ERASED_KIND, Frame, HEADER_KIND, Piece, RESEALED_KIND},
    reader::pieces_of,
    segment_path, segments,
};
use crate::{
    id::{BoxId, CallId},
    io::signing,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// Breaks listed at most; further ones are only counted.
const MAX_BREAKS: usize = 1_000;
/// Letters and digits of a call's id as it stands in a frame.
const CALL_ID_BYTES: usize = 30;

/// What is wrong at a place of the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no frame, with good frames after them.
    #[error("{0} damaged bytes")]
    Damaged(usize),
    /// Bytes at the end that are no whole frame: torn by a power cut, or damaged.
    #[error("{0} bytes at the end are no whole entry: cut off by a power cut, or damaged")]
    Torn(usize),
    /// A segment without a header.
    #[error("it has no readable header")]
    NoHeader,
    /// A header of another box, or of another segment.
    #[error("it is not a segment of this journal: {0}")]
    Foreign(String),
    /// The header of the next segment names another digest.
    #[error("it is not as it was when segment {0} was begun")]
    Changed(u32),
    /// A segment that should have one before it.
    #[error("the segments before it are missing")]
    Beheaded,
    /// A signature is missing or is not the box's.
    #[error("{0} is not signed by this box")]
    Unsigned(&'static str),
    /// Numbers are missing.
    #[error("entries {0} to {1} are missing")]
    Missing(u64, u64),
    /// A call of which something was erased has no erased record.
    #[error("an entry was erased of a call that is not erased")]
    Unfounded,
}

/// A place where the journal is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Segment.
    pub segment: u32,
    /// Number of the last good entry before the place, or of the entry itself.
    pub seq: Option<u64>,
    /// The call, if that can be told.
    pub call: Option<CallId>,
    /// What is wrong.
    pub fault: Fault,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// In the order of the journal; the first is where to begin.
    pub breaks: Vec<Break>,
    /// Breaks that were not listed any more.
    pub unlisted: u64,
    /// Segments.
    pub segments: u32,
    /// Of these, the ones without a signature, as an old version wrote them.
    pub unsigned: u32,
    /// Entries, erased ones included.
    pub entries: u64,
    /// Entries erased lawfully.
    pub erased: u64,
}

/// Checks the journal in `dir` against the box's public key; without one no signature can be good.
///
/// # Errors
/// If a segment cannot be read.
pub fn check(dir: &Path, box_id: Option<BoxId>, public_key: Option<&str>) -> io::Result<Checked> {
    let mut walk = Walk {
        box_id,
        public_key: public_key.unwrap_or_default(),
        last_segment: segments(dir)?.last().copied().unwrap_or(0),
        checked: Checked::default(),
        segment: 0,
        seq: 0,
        link: None,
        is_signed: false,
        erased: BTreeMap::new(),
        forgotten: BTreeSet::new(),
    };
    for number in segments(dir)? {
        match fs::read(segment_path(dir, number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            bytes => walk.segment(number, &bytes?),
        }
    }
    Ok(walk.end())
}

struct Walk<'a> {
    box_id: Option<BoxId>,
    public_key: &'a str,
    last_segment: u32,
    checked: Checked,
    segment: u32,
    /// Number of the last entry.
    seq: u64,
    link: Option<Link>,
    /// Whether a signed header was seen: from then on all are.
    is_signed: bool,
    /// Calls of which something was erased, where first.
    erased: BTreeMap<CallId, (u32, u64)>,
    /// Calls with an erased record.
    forgotten: BTreeSet<CallId>,
}

impl Walk<'_> {
    fn complain(&mut self, segment: u32, call: Option<CallId>, fault: Fault) {
        if self.checked.breaks.len() >= MAX_BREAKS {
            return self.checked.unlisted += 1;
        }
        let seq = (self.seq > 0).then_some(self.seq);
        self.checked.breaks.push(Break { segment, seq, call, fault });
    }

    fn segment(&mut self, number: u32, bytes: &[u8]) {
        self.segment = number;
        self.checked.segments += 1;
        // Given up before its first commit: the next one follows the one before. Had it held entries, their numbers
        // would be missing, and the next header would name another digest.
        if number < self.last_segment && !pieces_of(bytes).any(|piece| matches!(piece, Piece::Frame(_))) {
            return;
        }
        let mut linking = Linking::default();
        let mut has_header = false;
        let mut at = bytes.len() - pieces_of(bytes).map(|piece| piece.size()).sum::<usize>();
        for piece in pieces_of(bytes) {
            match piece {
                Piece::Frame(frame) if frame.kind == HEADER_KIND && has_header => {
                    self.complain(number, None, Fault::Foreign("it has a second header".to_owned()));
                }
                Piece::Frame(frame) => {
                    has_header |= frame.kind == HEADER_KIND;
                    linking.add(&frame);
                    self.frame(&frame);
                }
                Piece::Bad(length) => {
                    let call = bytes.get(at..at + length).and_then(call_in);
                    self.complain(number, call, Fault::Damaged(length));
                }
                // What a failed disk left at the end of a closed segment is not counted by anything.
                Piece::Torn(length) if number == self.last_segment => {
                    let call = bytes.get(at..at + length).and_then(call_in);
                    self.complain(number, call, Fault::Torn(length));
                }
                Piece::Torn(_) => {}
            }
            at += piece.size();
        }
        if !has_header {
            self.complain(number, None, Fault::NoHeader);
        }
        let link = linking.end(number, bytes);
        if let Some(Resealed { previous, chain, signature }) = &link.resealed
            && let Some(box_id) = self.box_id
            && !self.is_ours(&Resealed::message(box_id, number, previous, chain), signature)
        {
            self.complain(number, None, Fault::Unsigned("what was vouched for it"));
        }
        self.link = Some(link);
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        match frame.kind {
            HEADER_KIND => match serde_json::from_slice(frame.payload) {
                Ok(header) => self.header(&header),
                Err(_) => self.complain(self.segment, None, Fault::NoHeader),
            },
            RESEALED_KIND => {}
            ERASED_KIND => {
                self.number(frame.seq);
                self.checked.erased += 1;
                self.erased(frame);
            }
            _ => {
                self.number(frame.seq);
                if let Some(Fact::Call(super::Kind::Erased, record)) = Fact::read(frame.kind, frame.payload) {
                    self.forgotten.insert(record.id);
                }
            }
        }
    }

    /// Every number comes once; one that was there before is a second copy, which a failed disk explains.
    fn number(&mut self, seq: u64) {
        if seq > self.seq {
            let expected = self.seq + 1;
            if seq > expected {
                self.complain(self.segment, None, Fault::Missing(expected, seq - 1));
            }
            self.seq = seq;
            self.checked.entries += 1;
        }
    }

    fn header(&mut self, header: &SegmentHeader) {
        let number = self.segment;
        if header.segment != number {
            let says = format!("its header says that it is segment {}", header.segment);
            self.complain(number, None, Fault::Foreign(says));
        }
        let box_id = *self.box_id.get_or_insert(header.box_id);
        if header.box_id != box_id {
            self.complain(number, None, Fault::Foreign(format!("it is of {}", header.box_id)));
        }
        match &self.link {
            Some(link) if !link.precedes(header) => self.complain(link.segment, None, Fault::Changed(number)),
            None if header.chain.is_some() || header.previous.is_some() => {
                self.complain(number, None, Fault::Beheaded);
            }
            Some(_) | None => {}
        }
        match &header.signature {
            Some(signature) => {
                self.is_signed = true;
                if !self.is_ours(&header_message(box_id, number, header.chain.as_deref()), signature) {
                    self.complain(number, None, Fault::Unsigned("its header"));
                }
            }
            None if self.is_signed => self.complain(number, None, Fault::Unsigned("its header")),
            None => self.checked.unsigned += 1,
        }
    }

    fn erased(&mut self, frame: &Frame<'_>) {
        let (number, seq) = (self.segment, frame.seq);
        let erased = serde_json::from_slice::<Erased>(frame.payload).ok().zip(self.box_id);
        let Some((Erased { call, was, signature }, box_id)) = erased else {
            return self.complain(number, None, Fault::Unsigned("an erasure"));
        };
        if !self.is_ours(&Erased::message(box_id, seq, call, &was), &signature) {
            self.complain(number, Some(call), Fault::Unsigned("an erasure"));
        }
        self.erased.entry(call).or_insert((number, seq));
    }

    fn is_ours(&self, message: &[u8], signature: &str) -> bool {
        signing::verify(self.public_key, message, signature)
    }

    fn end(mut self) -> Checked {
        let unfounded: Vec<_> = self
            .erased
            .iter()
            .filter(|(call, _)| !self.forgotten.contains(call))
            .map(|(&c, &p)| (c, p))
            .collect();
        for (call, (segment, seq)) in unfounded {
            self.seq = seq;
            self.complain(segment, Some(call), Fault::Unfounded);
        }
        self.checked
    }
}

/// The call that damaged bytes still name.
fn call_in(bytes: &[u8]) -> Option<CallId> {
    let starts = bytes.windows(4).enumerate().filter(|(_, window)| *window == b"cal_");
    let id = |(at, _)| std::str::from_utf8(bytes.get(at..at + CALL_ID_BYTES)?).ok()?.parse().ok();
    starts.filter_map(id).next()
}
