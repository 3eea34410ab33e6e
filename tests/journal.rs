//! The journal against cuts, flipped bytes, failing disks and bursts.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    id::BoxId,
    io::{
        clock::Clock,
        files::Ballast,
        journal::{
            self, Fact, Kind,
            commit::{Durable, Journal},
            reader::{Reader, fold, newest},
            segment_path, segments,
            writer::{Disk, Opened, RealDisk, Writer},
        },
    },
    record::{CallRecord, Ended},
    time::WallTime,
};
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use storage::{ended, ringing, still_writing};

const BOX: BoxId = BoxId::from_parts(WallTime(1), 1);

fn open(dir: &Path) -> (Writer, Opened) {
    Writer::open(dir, BOX, 7, Box::new(RealDisk)).unwrap()
}

fn commit(writer: &mut Writer, entries: &[(Kind, Box<CallRecord>)]) -> io::Result<u64> {
    let facts: Vec<Fact> = entries.iter().cloned().map(|(kind, record)| Fact::Call(kind, record)).collect();
    writer.commit(&facts)
}

fn seqs(dir: &Path) -> Vec<u64> {
    Reader::open(dir, 0).unwrap().map(|entry| entry.unwrap().seq).collect()
}

#[test]
fn entries_read_back_in_order_over_several_starts() {
    let dir = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let (mut writer, opened) = open(dir.path());
        assert_eq!(opened.next_call, start + 1);
        commit(&mut writer, &[(Kind::Ringing, ringing(start + 1))]).unwrap();
        commit(&mut writer, &[(Kind::Ended, ended(start + 1, Ended::NoAnswer))]).unwrap();
    }
    assert_eq!(seqs(dir.path()), [1, 2, 3, 4, 5, 6]);
    assert_eq!(segments(dir.path()).unwrap(), [1, 2, 3]);
    let (records, report) = fold(dir.path()).unwrap();
    assert_eq!(
        records.iter().map(|record| (record.seq, record.rev)).collect::<Vec<_>>(),
        [(1, 1), (2, 1), (3, 1)]
    );
    assert!(report.is_clean() && report.torn_bytes == 0, "{report:?}");
}

#[test]
fn the_newest_calls_are_read_from_the_last_segments() {
    let dir = tempfile::tempdir().unwrap();
    for seq in 1..=5 {
        let (mut writer, _) = open(dir.path());
        let before = (Kind::Ended, ended(seq - 1, Ended::NoAnswer));
        commit(&mut writer, &[before, (Kind::Ringing, ringing(seq))]).unwrap();
    }
    let seqs = |limit| -> Vec<(u64, u32)> {
        newest(dir.path(), limit).unwrap().iter().map(|record| (record.seq, record.rev)).collect()
    };
    assert_eq!(seqs(2), [(4, 1), (5, 0)]);
    assert_eq!(seqs(3), [(3, 1), (4, 1), (5, 0)]);
    assert_eq!(seqs(usize::MAX).len(), 6);
}

#[test]
fn a_start_without_calls_leaves_no_segment() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    assert!(segments(dir.path()).unwrap().is_empty());
}

/// A folder in memory if there is one: the test below syncs thousands of times.
fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn a_cut_at_every_byte_keeps_every_whole_entry_and_the_journal_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = segment_path(dir.path(), 1);
    let (mut writer, _) = open(dir.path());
    let mut ends = Vec::new();
    for seq in 1..=3 {
        commit(&mut writer, &[(Kind::Ended, ended(seq, Ended::Busy))]).unwrap();
        ends.push(fs::metadata(&path).unwrap().len());
    }
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        let dir = quick_dir();
        fs::write(segment_path(dir.path(), 1), &whole[..cut]).unwrap();
        let kept = ends.iter().filter(|&&end| end <= cut as u64).count() as u64;
        assert_eq!(seqs(dir.path()), (1..=kept).collect::<Vec<_>>(), "read as it is, cut at {cut}");
        let (mut writer, _) = open(dir.path());
        commit(&mut writer, &[(Kind::Ended, ended(9, Ended::Busy))]).unwrap();
        assert_eq!(seqs(dir.path()), (1..=kept + 1).collect::<Vec<_>>(), "gone on after a cut at {cut}");
        let (_, report) = fold(dir.path()).unwrap();
        assert!(report.is_clean() && report.torn_bytes == 0, "cut at {cut}: {report:?}");
    }
}

#[test]
fn a_flip_of_any_byte_is_noticed_and_costs_no_other_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(dir.path());
    for seq in 1..=2 {
        commit(&mut writer, &[(Kind::Ended, ended(seq, Ended::Busy))]).unwrap();
    }
    drop(writer);
    // A second segment, so that the first one's digest is known.
    let (mut writer, _) = open(dir.path());
    commit(&mut writer, &[(Kind::Ended, ended(3, Ended::Busy))]).unwrap();
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x04;
        fs::write(&path, flipped).unwrap();
        let (records, report) = fold(dir.path()).unwrap();
        assert!(records.len() >= 2 && records.iter().any(|record| record.seq == 3), "byte {at}");
        assert!(!report.is_clean(), "byte {at}: {report:?}");
    }
}

#[test]
fn damage_in_the_last_segment_never_costs_a_good_entry_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(dir.path());
    for seq in 1..=3 {
        commit(&mut writer, &[(Kind::Ended, ended(seq, Ended::Busy))]).unwrap();
    }
    let path = segment_path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let (_, opened) = open(dir.path());
    assert_eq!((opened.report.bad_places, opened.next_call), (1, 4));
    assert_eq!(seqs(dir.path()), [1, 3]);
}

#[test]
fn a_start_reads_from_the_oldest_open_call_on() {
    let dir = tempfile::tempdir().unwrap();
    let starts: [&[(Kind, Box<CallRecord>)]; 5] = [
        &[(Kind::Ended, ended(1, Ended::Busy))],
        &[(Kind::Ringing, ringing(2))],
        &[(Kind::Ended, ended(3, Ended::Busy)), (Kind::Ended, still_writing(4))],
        &[(Kind::Recorded, ended(2, Ended::CallerHungUp))],
        &[(Kind::Ended, ended(5, Ended::Busy))],
    ];
    let mut read = Vec::new();
    for entries in starts {
        let (mut writer, opened) = open(dir.path());
        read.push((opened.report.segments, opened.unsettled.iter().map(|r| r.seq).collect::<Vec<_>>()));
        commit(&mut writer, entries).unwrap();
    }
    let (_, opened) = open(dir.path());
    read.push((opened.report.segments, opened.unsettled.iter().map(|r| r.seq).collect()));
    let expected = [(0, vec![]), (1, vec![]), (1, vec![2]), (2, vec![2, 4]), (3, vec![4]), (3, vec![4])];
    assert_eq!(read, expected);
    assert_eq!(opened.next_call, 6);
}

#[test]
fn a_full_segment_is_followed_by_the_next_one_in_a_chain_of_digests() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(dir.path());
    let batch: Vec<_> = (0..400).map(|seq| (Kind::Ended, ended(seq, Ended::Busy))).collect();
    let mut batches = 0;
    while segments(dir.path()).unwrap().len() < 3 {
        commit(&mut writer, &batch).unwrap();
        batches += 1;
    }
    assert!(fs::metadata(segment_path(dir.path(), 1)).unwrap().len() >= journal::SEGMENT_BYTES);
    let (_, report) = fold(dir.path()).unwrap();
    assert_eq!((report.entries, report.broken_chain), (batches * 400, 0));
}

/// A disk on which every `fdatasync` numbered in `bad` fails, after the bytes were or were not written.
struct BadDisk {
    bad: Vec<u64>,
    syncs: Arc<AtomicU64>,
    keeps_bytes: bool,
}

impl Disk for BadDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        RealDisk.create(path)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let failing = self.bad.contains(&(self.syncs.load(Ordering::Relaxed) + 1));
        let written = if failing && !self.keeps_bytes { bytes.len() / 2 } else { bytes.len() };
        RealDisk.append(file, &bytes[..written])
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        let number = self.syncs.fetch_add(1, Ordering::Relaxed) + 1;
        if self.bad.contains(&number) { Err(io::Error::from_raw_os_error(5)) } else { RealDisk.sync(file) }
    }
}

#[test]
fn after_a_failed_sync_the_entries_go_to_a_new_segment_and_are_read_once() {
    for keeps_bytes in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let syncs = Arc::new(AtomicU64::new(0));
        let disk = BadDisk { bad: vec![1, 4, 6], syncs: syncs.clone(), keeps_bytes };
        let (writer, _) = Writer::open(dir.path(), BOX, 7, Box::new(disk)).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let report = seen.clone();
        let on_durable = move |durable: Durable| report.lock().unwrap().push(durable.seq);
        let journal =
            Journal::start(writer, Clock::start(), Ballast::new(dir.path(), 0), on_durable).unwrap();
        for seq in 1..=6 {
            journal.append(Kind::Ended, ended(seq, Ended::Busy)).unwrap();
            journal.wait();
        }
        assert_eq!(journal.counters().failed_commits.load(Ordering::Relaxed), 3);
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
        let (records, report) = fold(dir.path()).unwrap();
        assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(segments(dir.path()).unwrap().len(), 3, "a segment is never used after a failed sync");
    }
}

#[test]
fn a_segment_given_up_before_its_first_entry_does_not_break_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    commit(&mut open(dir.path()).0, &[(Kind::Ended, ended(1, Ended::Busy))]).unwrap();
    let (mut writer, _) = open(dir.path());
    // As after a disk that failed when the new name was to be made durable.
    fs::write(segment_path(dir.path(), 2), "").unwrap();
    assert!(commit(&mut writer, &[(Kind::Ended, ended(2, Ended::Busy))]).is_err(), "the number is taken");
    commit(&mut writer, &[(Kind::Ended, ended(2, Ended::Busy))]).unwrap();
    let (_, opened) = open(dir.path());
    assert!(opened.report.is_clean(), "{:?}", opened.report);
    let (records, report) = fold(dir.path()).unwrap();
    assert!(records.len() == 2 && report.is_clean(), "{report:?}");
}

#[test]
fn an_entry_that_is_there_twice_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(dir.path());
    for seq in 1..=3 {
        commit(&mut writer, &[(Kind::Ended, ended(seq, Ended::Busy))]).unwrap();
    }
    // As after a failed sync on a disk that then refused to cut the segment.
    fs::copy(segment_path(dir.path(), 1), segment_path(dir.path(), 2)).unwrap();
    assert_eq!(seqs(dir.path()), [1, 2, 3]);
    assert_eq!(fold(dir.path()).unwrap().1.doubled, 3);
}

#[test]
fn a_burst_of_240_calls_is_journaled_whole_by_few_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _) = open(dir.path());
    let journal = Journal::start(writer, Clock::start(), Ballast::new(dir.path(), 0), |_| {}).unwrap();
    for seq in 1..=240 {
        journal.append(Kind::Ringing, ringing(seq)).unwrap();
        journal.append(Kind::Ended, ended(seq, Ended::Busy)).unwrap();
    }
    journal.wait();
    let commits = journal.counters().commits.load(Ordering::Relaxed);
    assert_eq!(fold(dir.path()).unwrap().0.len(), 240);
    assert!(commits <= 120, "{commits} syncs for 480 entries");
}

#[test]
fn the_journal_can_be_read_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _) = open(dir.path());
    let durable = Arc::new(AtomicU64::new(0));
    let note = durable.clone();
    let on_durable = move |entry: Durable| note.store(entry.seq, Ordering::SeqCst);
    let journal = Journal::start(writer, Clock::start(), Ballast::new(dir.path(), 0), on_durable).unwrap();
    for seq in 1..=300 {
        journal.append(Kind::Ended, ended(seq, Ended::Busy)).unwrap();
        if seq % 10 == 0 {
            let acknowledged = durable.load(Ordering::SeqCst);
            let (records, report) = fold(dir.path()).unwrap();
            assert!(records.len() as u64 >= acknowledged, "{} of {acknowledged}", records.len());
            assert!(report.is_clean(), "{report:?}");
        }
    }
}
