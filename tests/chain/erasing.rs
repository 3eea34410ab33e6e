//! Erasing a call from the journal.

use crate::{
    BOX, breaks, commit, open, quick_dir, segment,
    storage::{call, ended, ringing},
};
use ringside::{
    io::{
        box_key::BoxKey,
        clock::Clock,
        files::Ballast,
        journal::{
            Fact, Kind,
            chain::Erased,
            check::{Fault, check},
            commit::Journal,
            erase::ToErase,
            frame::{self, ERASED_KIND, Piece},
            reader::{Reader, fold},
            segments,
        },
    },
    note::{Note, Part, What},
    record::{CallRecord, Ended},
    time::WallTime,
};
use std::{fs, path::Path};

/// The caller of every test's call, as JSON has it.
const TRACES: [&str; 2] = ["13125550199", "ovelace"];

fn erased(seq: u64) -> Box<CallRecord> {
    let mut record = ended(seq, Ended::Busy);
    (record.customer_phone_number, record.customer_name, record.rev) = (None, None, 2);
    record
}

fn to_erase(seq: u64) -> ToErase {
    ToErase { call: call(seq), number: seq }
}

/// Segments that still tell who called.
fn traces(dir: &Path) -> Vec<u32> {
    let tells = |number: &u32| {
        let bytes = fs::read(segment(dir, *number)).unwrap();
        TRACES.iter().any(|trace| bytes.windows(trace.len()).any(|window| window == trace.as_bytes()))
    };
    segments(&dir.join("journal")).unwrap().into_iter().filter(tells).collect()
}

fn refused() -> Note {
    let why = "no such caller: +13125550199".to_owned();
    Note { at: WallTime(1), what: What::Refused { call: call(2), part: Part::Record, status: 422, why } }
}

/// A journal in which call 2 is in segments 1 to 3, beside others without a caller.
fn spread(dir: &Path) -> BoxKey {
    let (mut writer, _) = open(dir);
    commit(&mut writer, &[(Kind::Ended, erased(1)), (Kind::Ringing, ringing(2))]);
    let (mut writer, _) = open(dir);
    commit(&mut writer, &[(Kind::Ended, ended(2, Ended::Busy)), (Kind::Ended, erased(3))]);
    writer.commit(&[Fact::Note(refused())]).unwrap();
    let (mut writer, key) = open(dir);
    commit(&mut writer, &[(Kind::Erased, erased(2)), (Kind::Ended, erased(4))]);
    key
}

#[test]
fn an_erased_call_leaves_no_trace_of_the_caller_and_the_chain_holds() {
    let dir = quick_dir();
    let key = spread(dir.path());
    assert_eq!(traces(dir.path()), [1, 2]);
    let (mut writer, _) = open(dir.path());
    let head = writer.head();
    let erasure = writer.erase(&[to_erase(2)]).unwrap();
    assert_eq!((erasure.frames, erasure.segments, erasure.refused.len()), (3, 2, 0));
    assert!(traces(dir.path()).is_empty());
    assert_eq!(writer.head(), head, "no digest has changed");
    assert_eq!(breaks(dir.path(), &key), []);
    let (records, report) = fold(&dir.path().join("journal")).unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((report.erased, report.is_clean()), (3, true));
    // Again: nothing is left to do.
    assert_eq!(writer.erase(&[to_erase(2)]).unwrap().frames, 0);
    commit(&mut writer, &[(Kind::Ended, erased(5))]);
    assert_eq!(breaks(dir.path(), &key), []);
    let seqs: Vec<u64> =
        Reader::open(&dir.path().join("journal"), 0).unwrap().map(|entry| entry.unwrap().seq).collect();
    assert_eq!(seqs, [1, 4, 6, 7, 8]);
}

#[test]
fn erasing_cut_off_after_any_segment_verifies_and_goes_on() {
    let before = quick_dir();
    let key = spread(before.path());
    let after = quick_dir();
    copy(before.path(), after.path());
    open(after.path()).0.erase(&[to_erase(2)]).unwrap();
    for done in 0..=2 {
        let dir = quick_dir();
        copy(before.path(), dir.path());
        for number in 1..=done {
            fs::copy(segment(after.path(), number), segment(dir.path(), number)).unwrap();
        }
        // The file that was being written when it was cut off.
        let mut half = segment(dir.path(), done + 1).into_os_string();
        half.push(".tmp");
        fs::write(&half, "half").unwrap();
        assert_eq!(breaks(dir.path(), &key), [], "after {done} segments");
        open(dir.path()).0.erase(&[to_erase(2)]).unwrap();
        assert!(traces(dir.path()).is_empty());
        assert_eq!(breaks(dir.path(), &key), []);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("journal")).unwrap();
    fs::copy(from.join("box.key"), to.join("box.key")).unwrap();
    for number in segments(&from.join("journal")).unwrap() {
        fs::copy(segment(from, number), segment(to, number)).unwrap();
    }
}

#[test]
fn the_running_journal_ends_its_segment_and_erases_between_two_commits() {
    let dir = quick_dir();
    let (writer, key) = open(dir.path());
    let ballast = Ballast::new(dir.path(), 0);
    let journal = Journal::start(writer, Clock::start(), ballast, |_| {}).unwrap();
    assert_eq!(journal.head(), None);
    journal.append(Kind::Ringing, ringing(1)).unwrap();
    journal.append(Kind::Ended, ended(1, Ended::Busy)).unwrap();
    journal.append(Kind::Erased, erased(1)).unwrap();
    let erasure = journal.erase(vec![to_erase(1)]).unwrap();
    assert_eq!((erasure.frames, erasure.segments), (2, 1));
    journal.append(Kind::Ended, erased(2)).unwrap();
    let head = journal.head().unwrap();
    assert_eq!((head.seq, head.segment, traces(dir.path())), (4, 2, vec![]));
    assert_eq!(breaks(dir.path(), &key), []);
}

#[test]
fn a_call_that_is_not_erased_is_left_as_it_is() {
    let dir = quick_dir();
    let (mut writer, _) = open(dir.path());
    commit(&mut writer, &[(Kind::Ringing, ringing(1)), (Kind::Ended, ended(1, Ended::Busy))]);
    let erasure = writer.erase(&[to_erase(1), to_erase(9)]).unwrap();
    assert_eq!((erasure.frames, erasure.refused), (0, vec![call(1)]));
    assert_eq!(fold(&dir.path().join("journal")).unwrap().0[0].customer_name, ringing(1).customer_name);
}

#[test]
fn damaged_bytes_that_name_the_call_are_blanked_and_stay_a_break() {
    let dir = quick_dir();
    let key = spread(dir.path());
    let path = segment(dir.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(7).position(|window| window == b"ovelace").unwrap();
    bytes[at - 20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let damaged = |dir: &Path| breaks(dir, &key).iter().any(|found| matches!(found.fault, Fault::Damaged(_)));
    assert!(damaged(dir.path()));
    assert_eq!(breaks(dir.path(), &key)[0].call, Some(call(2)), "the id is still to be read");
    open(dir.path()).0.erase(&[to_erase(2)]).unwrap();
    assert!(traces(dir.path()).is_empty() && damaged(dir.path()));
}

#[test]
fn an_erasure_that_the_box_did_not_make_is_found() {
    let dir = quick_dir();
    let key = spread(dir.path());
    // Call 3 is made to vanish with the digest of what stood there, which keeps the chain whole.
    let path = segment(dir.path(), 2);
    let bytes = fs::read(&path).unwrap();
    let mut out = bytes[..8].to_vec();
    for piece in frame::pieces(&bytes[8..]) {
        let Piece::Frame(old) = piece else { panic!("{piece:?}") };
        if old.seq != 4 || old.kind != Kind::Ended as u8 {
            out.extend_from_slice(old.bytes);
            continue;
        }
        let was = blake3::hash(old.bytes).to_hex().to_string();
        let forged = Erased { call: call(3), was, signature: "00".repeat(64) };
        frame::put(ERASED_KIND, 4, &mut out, |out| Ok(serde_json::to_writer(out, &forged)?)).unwrap();
    }
    fs::write(&path, out).unwrap();
    let found: Vec<_> = breaks(dir.path(), &key).into_iter().map(|found| (found.call, found.fault)).collect();
    let expected = [(Some(call(3)), Fault::Unsigned("an erasure")), (Some(call(3)), Fault::Unfounded)];
    assert_eq!(found, expected);
}

#[test]
fn a_call_in_old_segments_is_erased_too() {
    let dir = quick_dir();
    crate::leaving::copy_golden("v1", dir.path());
    let (box_id, _) = ringside::io::files::known_identity(dir.path()).unwrap();
    let key = BoxKey::open(dir.path()).unwrap();
    let journal = dir.path().join("journal");
    let open = || {
        let disk = Box::new(ringside::io::journal::writer::RealDisk);
        let (writer, _) =
            ringside::io::journal::writer::Writer::open(&journal, box_id.unwrap(), 7, disk).unwrap();
        writer.signed_with(key.clone())
    };
    let mut writer = open();
    let mut last = erased(3);
    last.rev = 9;
    commit(&mut writer, &[(Kind::Erased, last)]);
    for _ in 0..2 {
        writer.erase(&[to_erase(3)]).unwrap();
        let checked = check(&journal, box_id, Some(&key.public_key())).unwrap();
        assert_eq!((checked.breaks, checked.erased, checked.unsigned), (vec![], 2, 3));
        assert!(fold(&journal).unwrap().1.is_clean());
    }
    // What the box vouched for is worth no more than its signature.
    let other = BoxKey::open(quick_dir().path()).unwrap();
    let faults = check(&journal, box_id, Some(&other.public_key())).unwrap().breaks;
    assert!(
        faults.iter().any(|found| found.fault == Fault::Unsigned("what was vouched for it")),
        "{faults:?}"
    );
    assert_ne!(box_id, Some(BOX));
}
