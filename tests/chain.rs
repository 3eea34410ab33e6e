//! Nothing of the journal or a recording is changed unseen, and a call is erased without breaking the chain.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

#[path = "chain/erasing.rs"]
mod erasing;
#[path = "chain/leaving.rs"]
mod leaving;
mod storage;

use ringside::{
    id::BoxId,
    io::{
        box_key::BoxKey,
        journal::{
            Fact, Kind, SegmentHeader,
            chain::Head,
            check::{Break, Fault, check},
            frame::{self, HEADER_KIND, Piece},
            reader::{fold, header_of},
            segment_path,
            writer::{RealDisk, Writer},
        },
        signing,
    },
    record::{CallRecord, Ended, Pause, RecordingState},
    recording::seal::sealed_bytes,
    time::WallTime,
};
use std::{fs, path::Path};
use storage::{ended, recording, ringing};

pub(crate) const BOX: BoxId = BoxId::from_parts(WallTime(1), 1);
/// Bytes of a segment's magic.
const MAGIC: usize = 8;

/// A folder in memory if there is one: some tests write thousands of times.
pub(crate) fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn open(dir: &Path) -> (Writer, BoxKey) {
    let key = BoxKey::open(dir).unwrap();
    let (writer, _) = Writer::open(&dir.join("journal"), BOX, 7, Box::new(RealDisk)).unwrap();
    (writer.signed_with(key.clone()), key)
}

pub(crate) fn commit(writer: &mut Writer, entries: &[(Kind, Box<CallRecord>)]) {
    let facts: Vec<Fact> = entries.iter().cloned().map(|(kind, record)| Fact::Call(kind, record)).collect();
    writer.commit(&facts).unwrap();
}

/// A journal of one segment per start: calls 1, 2, 3.
pub(crate) fn three_segments(dir: &Path) -> BoxKey {
    for seq in 1..=3 {
        let (mut writer, _) = open(dir);
        commit(&mut writer, &[(Kind::Ringing, ringing(seq)), (Kind::Ended, ended(seq, Ended::Busy))]);
    }
    BoxKey::open(dir).unwrap()
}

pub(crate) fn breaks(dir: &Path, key: &BoxKey) -> Vec<Break> {
    check(&dir.join("journal"), Some(BOX), Some(&key.public_key())).unwrap().breaks
}

/// Segments and faults, in short.
fn faults(dir: &Path, key: &BoxKey) -> Vec<(u32, Fault)> {
    breaks(dir, key).into_iter().map(|found| (found.segment, found.fault)).collect()
}

pub(crate) fn segment(dir: &Path, number: u32) -> std::path::PathBuf {
    segment_path(&dir.join("journal"), number)
}

/// Writes a segment anew, frame by frame, with good checksums, as somebody would who knows the format.
fn forge(path: &Path, change: impl Fn(u8, u64, Vec<u8>) -> Option<(u64, Vec<u8>)>) {
    let bytes = fs::read(path).unwrap();
    let mut out = bytes[..MAGIC].to_vec();
    for piece in frame::pieces(&bytes[MAGIC..]) {
        let Piece::Frame(old) = piece else { panic!("{piece:?}") };
        if let Some((seq, payload)) = change(old.kind, old.seq, old.payload.to_vec()) {
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(&payload);
                Ok(())
            };
            frame::put(old.kind, seq, &mut out, write).unwrap();
        }
    }
    fs::write(path, out).unwrap();
}

fn forge_header(path: &Path, change: impl Fn(&mut SegmentHeader)) {
    forge(path, |kind, seq, payload| {
        if kind != HEADER_KIND {
            return Some((seq, payload));
        }
        let mut header: SegmentHeader = serde_json::from_slice(&payload).unwrap();
        change(&mut header);
        Some((seq, serde_json::to_vec(&header).unwrap()))
    });
}

#[test]
fn a_journal_as_it_was_written_verifies() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    let checked = check(&dir.path().join("journal"), Some(BOX), Some(&key.public_key())).unwrap();
    assert_eq!((checked.breaks.len(), checked.segments, checked.entries, checked.unsigned), (0, 3, 6, 0));
    let (_, report) = fold(&dir.path().join("journal")).unwrap();
    assert!(report.is_clean(), "{report:?}");
    // To another box's key it is a forgery from the first segment on.
    let other = BoxKey::open(quick_dir().path()).unwrap();
    assert_eq!(faults(dir.path(), &other)[0], (1, Fault::Unsigned("its header")));
}

#[test]
fn a_flip_of_any_bit_of_a_segment_is_found_in_that_segment() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    for number in [2, 3] {
        let path = segment(dir.path(), number);
        let whole = fs::read(&path).unwrap();
        // Every bit of one, one bit of each byte of the last, which nothing follows.
        for at in 0..whole.len() {
            for bit in (0..8).filter(|bit| number == 2 || *bit == at % 8) {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&path, flipped).unwrap();
                let found = breaks(dir.path(), &key);
                assert_eq!(found.first().map(|found| found.segment), Some(number), "bit {bit} of byte {at}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_changed_entry_with_a_good_checksum_is_found() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    forge(&segment(dir.path(), 2), |_, seq, payload| {
        let text = String::from_utf8(payload).unwrap().replace("\"answered\":false", "\"answered\":true");
        Some((seq, text.into_bytes()))
    });
    assert_eq!(faults(dir.path(), &key), [(2, Fault::Changed(3))]);
    assert_eq!(fold(&dir.path().join("journal")).unwrap().1.broken_chain, 1);
}

#[test]
fn an_entry_left_out_is_found_even_in_the_last_segment() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    forge(&segment(dir.path(), 3), |kind, seq, payload| {
        (kind == HEADER_KIND || seq != 5).then_some((seq, payload))
    });
    assert_eq!(faults(dir.path(), &key), [(3, Fault::Missing(5, 5))]);
}

#[test]
fn a_segment_left_out_is_found() {
    let whole = quick_dir();
    let key = three_segments(whole.path());
    let expected = [(1, Fault::Beheaded), (2, Fault::Changed(3))];
    for (gone, fault) in expected {
        let bytes = fs::read(segment(whole.path(), gone)).unwrap();
        fs::remove_file(segment(whole.path(), gone)).unwrap();
        let found = faults(whole.path(), &key);
        let shown = if gone == 1 { 2 } else { 1 };
        assert!(found.contains(&(shown, fault)), "without {gone}: {found:?}");
        assert!(found.iter().any(|(_, fault)| matches!(fault, Fault::Missing(..))), "{found:?}");
        fs::write(segment(whole.path(), gone), bytes).unwrap();
    }
}

#[test]
fn a_chain_put_right_without_the_key_is_found() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    // Segment 3 forgets that there was one before and that headers are signed.
    forge_header(&segment(dir.path(), 3), |header| (header.chain, header.signature) = (None, None));
    assert_eq!(faults(dir.path(), &key), [(2, Fault::Changed(3)), (3, Fault::Unsigned("its header"))]);
    // Segment 2 is changed and segment 3 names its new digest, which the box never signed.
    let (mut writer, _) = open(dir.path());
    let digest = writer.head().unwrap().digest;
    commit(&mut writer, &[(Kind::Ended, ended(4, Ended::Busy))]);
    forge_header(&segment(dir.path(), 4), |header| header.chain = Some(digest.replace('0', "1")));
    let found = faults(dir.path(), &key);
    assert!(found.contains(&(4, Fault::Unsigned("its header"))), "{found:?}");
}

#[test]
fn a_segment_in_anothers_place_is_found() {
    let dir = quick_dir();
    let key = three_segments(dir.path());
    fs::copy(segment(dir.path(), 2), segment(dir.path(), 3)).unwrap();
    let found = faults(dir.path(), &key);
    assert!(found.iter().any(|(at, fault)| *at == 3 && matches!(fault, Fault::Foreign(_))), "{found:?}");
}

#[test]
fn the_head_is_what_the_next_segment_will_name() {
    let dir = quick_dir();
    let (mut writer, key) = open(dir.path());
    assert_eq!(writer.head(), None, "there is nothing to sign");
    commit(&mut writer, &[(Kind::Ringing, ringing(1))]);
    let early = writer.head().unwrap();
    commit(&mut writer, &[(Kind::Ended, ended(1, Ended::Busy))]);
    let head = writer.head().unwrap();
    assert_eq!((early.seq, head.seq, head.segment), (1, 2, 1));
    assert_ne!(early.digest, head.digest);
    let message = Head::message(BOX, head.seq, head.segment, &head.digest);
    assert!(signing::verify(&key.public_key(), &message, &head.signature));
    let (mut writer, _) = open(dir.path());
    assert_eq!(writer.head().unwrap(), head, "also before the first entry of the next run");
    commit(&mut writer, &[(Kind::Ended, ended(2, Ended::Busy))]);
    let (header, _) = header_of(&dir.path().join("journal"), 2).unwrap().unwrap();
    assert_eq!(header.chain, Some(head.digest));
}

#[test]
fn equal_entries_have_different_digests() {
    let digest = || {
        let dir = quick_dir();
        let (mut writer, _) = open(dir.path());
        commit(&mut writer, &[(Kind::Ringing, ringing(1))]);
        let bytes = fs::read(segment(dir.path(), 1)).unwrap();
        let frames = frame::pieces(&bytes[MAGIC..]).filter_map(|piece| match piece {
            Piece::Frame(frame) if frame.kind != HEADER_KIND => Some(blake3::hash(frame.bytes)),
            _ => None,
        });
        frames.collect::<Vec<_>>()
    };
    assert_ne!(digest(), digest(), "or else a caller's number could be found by trying all");
}

#[test]
fn a_seal_covers_every_fact_of_a_recording() {
    let mut record = ended(1, Ended::CallerHungUp);
    assert_eq!(sealed_bytes(&record), None, "there is no recording");
    let facts = &mut record.recording;
    (facts.id, facts.hash) = (Some(recording(1)), Some("ab".to_owned()));
    (facts.state, facts.bytes, facts.duration_ms, facts.channels) = (RecordingState::Closed, 9, 8, 2);
    facts.channel_map = vec!["caller".to_owned(), "office".to_owned()];
    let sealed = sealed_bytes(&record);
    assert!(sealed.is_some());
    let changes: [fn(&mut CallRecord); 9] = [
        |record| record.box_id = BOX,
        |record| record.id = ended(2, Ended::Busy).id,
        |record| record.recording.id = Some(recording(2)),
        |record| record.recording.hash = Some("ac".to_owned()),
        |record| record.recording.bytes += 1,
        |record| record.recording.duration_ms += 1,
        |record| record.recording.channels = 1,
        |record| record.recording.channel_map.reverse(),
        |record| record.recording.pauses.push(Pause { at_ms: 1, duration_ms: 2 }),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = record.clone();
        change(&mut changed);
        assert_ne!(sealed_bytes(&changed), sealed, "change {number}");
    }
}
