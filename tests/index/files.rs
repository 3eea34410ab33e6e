//! The index's folder: schemas, the exchange with a new one, cuts at each step, a full disk.

use super::{Answers, answers, receipt, recorded, recording_receipt, seqs};
use crate::storage::{START, call};
use ringside::{
    id::BoxId,
    io::{
        journal::{
            Fact,
            writer::{RealDisk, Writer},
        },
        store::{Index, Limits, Opening},
    },
    note::Part,
};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const NO_SPARE: Limits = Limits { small_bytes: 16 << 20, ratio: 4, spare_bytes: 0 };
/// Everything is too large.
const SMALLEST: Limits = Limits { small_bytes: 0, ratio: 1, spare_bytes: 0 };

fn facts(calls: u64) -> Vec<Fact> {
    (1..=calls).flat_map(|seq| [recorded(seq), receipt(seq, 2, seq), recording_receipt(seq)]).collect()
}

fn write_journal(dir: &Path, facts: &[Fact]) {
    let box_id = BoxId::from_parts(START, 7);
    let (mut writer, _) = Writer::open(&dir.join("journal"), box_id, 1, Box::new(RealDisk)).unwrap();
    writer.commit(facts).unwrap();
}

/// A data directory with a journal of `calls` calls and its index, closed.
fn filled(calls: u64) -> (TempDir, Answers) {
    let dir = tempfile::tempdir().unwrap();
    write_journal(dir.path(), &facts(calls));
    let index = Index::new(&dir.path().join("index"));
    index.open(&dir.path().join("journal"), START).unwrap();
    index.catch_up(&dir.path().join("journal"), 0).unwrap();
    let said = answers(&index);
    index.close();
    (dir, said)
}

fn open(dir: &Path, limits: Limits) -> (Index, Opening) {
    let index = Index::with_limits(&dir.join("index"), limits);
    let opening = index.open(&dir.join("journal"), START).unwrap();
    (index, opening)
}

/// Names in `dir`, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to)
        } else {
            let _ = fs::copy(&from, &to).unwrap();
        }
    }
}

fn bytes_of(dir: &Path) -> u64 {
    let size =
        |path: PathBuf| if path.is_dir() { bytes_of(&path) } else { fs::metadata(path).unwrap().len() };
    names(dir).into_iter().map(|name| size(dir.join(name))).sum()
}

/// Tells one index from another that took its place.
fn inode(dir: &Path) -> u64 {
    fs::metadata(dir.join("index/db")).unwrap().ino()
}

/// Looks into a closed index behind its back.
fn with_sled<T>(dir: &Path, look: impl FnOnce(&sled::Db) -> T) -> T {
    let open = || sled::Config::new().path(dir.join("index")).open();
    let mut db = open();
    for _ in 0..100 {
        if db.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        db = open();
    }
    let db = db.unwrap();
    let seen = look(&db);
    db.flush().unwrap();
    seen
}

fn set_meta(dir: &Path, values: &[(&str, u64)]) {
    with_sled(dir, |db| {
        let meta = db.open_tree("meta").unwrap();
        for (key, value) in values {
            meta.insert(key, &value.to_be_bytes()).unwrap();
        }
    });
}

#[test]
fn an_index_of_schema_1_is_rebuilt_from_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store/index-v1");
    copy(&golden, dir.path());
    let (index, opening) = open(dir.path(), NO_SPARE);
    assert_eq!(opening, Opening::Rebuilt);
    let said = answers(&index);
    assert_eq!(seqs(&said.calls), (1..=12).rev().collect::<Vec<_>>());
    // Calls 1 to 6 have receipts, that of call 2 for the revision before; call 3 and 6 have one revision only.
    assert_eq!(said.unsent_records, [12, 11, 10, 9, 7, 2]);
    assert_eq!(said.unsent_recordings, [2, 4, 5, 7, 8, 10, 11]);
    assert_eq!(said.refusals.len(), 1);
    assert_eq!((said.refusals[0].call, said.refusals[0].part), (call(8), Part::Record));
    assert_eq!((said.held, said.last_hq_seq, said.backlog.refused), (vec![call(4)], 106, 1));
    assert_eq!(seqs(&index.calls_of("+442071838750", 9).unwrap()), [4]);
    assert_eq!(index.applied().unwrap(), index.catch_up(&dir.path().join("journal"), 0).unwrap());
    assert_eq!(names(dir.path()), ["index", "journal"]);
    index.close();
    assert_eq!(open(dir.path(), NO_SPARE).1, Opening::Whole, "once is enough");
}

#[test]
fn an_older_index_waits_for_room_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store/index-v1"), dir.path());
    let full = Limits { spare_bytes: u64::MAX, ..NO_SPARE };
    let index = Index::with_limits(&dir.path().join("index"), full);
    assert!(index.open(&dir.path().join("journal"), START).is_err());
    assert_eq!(names(dir.path()), ["index", "journal"], "neither put aside nor half built");
    assert_eq!(open(dir.path(), NO_SPARE).1, Opening::Rebuilt);
}

#[test]
fn a_later_index_that_allows_it_is_used_and_the_rest_of_it_left_alone() {
    let (dir, said) = filled(5);
    set_meta(dir.path(), &[("schema", 5), ("readable_by", 4)]);
    with_sled(dir.path(), |db| db.open_tree("transcripts").unwrap().insert("a", "later").unwrap());
    let (index, opening) = open(dir.path(), NO_SPARE);
    assert_eq!((opening, answers(&index)), (Opening::Whole, said));
    index.apply(&[recorded(6)], None).unwrap();
    assert_eq!(index.page(None, 9).unwrap().len(), 6);
    drop(index);
    with_sled(dir.path(), |db| {
        let meta = db.open_tree("meta").unwrap();
        let number = |key| meta.get(key).unwrap().map(|value| *value.last().unwrap());
        assert_eq!(db.open_tree("transcripts").unwrap().get("a").unwrap().unwrap(), "later");
        assert_eq!(
            [number("schema"), number("readable_by"), number("written_by")],
            [Some(5), Some(4), Some(4)]
        );
    });
}

#[test]
fn a_later_index_that_forbids_it_is_put_aside_untouched() {
    let (dir, _) = filled(5);
    set_meta(dir.path(), &[("schema", 6), ("readable_by", 5)]);
    let rows = |db: &sled::Db| db.export().into_iter().map(|(_, name, rows)| (name, rows.count())).collect();
    let before: Vec<_> = with_sled(dir.path(), rows);
    let (index, opening) = open(dir.path(), NO_SPARE);
    assert_eq!((opening, index.applied().unwrap()), (Opening::Replaced, 0));
    index.catch_up(&dir.path().join("journal"), 0).unwrap();
    assert_eq!(index.page(None, 9).unwrap().len(), 5);
    index.close();
    let aside = dir.path().join(format!("index.schema-6-{}", START.0));
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    fs::rename(aside, dir.path().join("index")).unwrap();
    assert_eq!(with_sled(dir.path(), rows), before);
}

#[test]
fn an_index_that_an_older_version_wrote_to_is_rebuilt() {
    let (dir, said) = filled(5);
    set_meta(dir.path(), &[("written_by", 1)]);
    let (index, opening) = open(dir.path(), NO_SPARE);
    assert_eq!((opening, answers(&index)), (Opening::Rebuilt, said));
}

#[test]
fn an_index_far_larger_than_what_lives_in_it_is_made_smaller() {
    let (dir, said) = filled(300);
    // What was put and removed again is never given back by sled.
    with_sled(dir.path(), |db| {
        let gone = db.open_tree("gone").unwrap();
        (0..4_000_u32).for_each(|key| drop(gone.insert(key.to_be_bytes(), vec![7; 2_000]).unwrap()));
        db.flush().unwrap();
        (0..4_000_u32).for_each(|key| drop(gone.remove(key.to_be_bytes()).unwrap()));
    });
    let grown = bytes_of(&dir.path().join("index"));
    let (index, opening) = open(dir.path(), SMALLEST);
    assert_eq!((opening, answers(&index)), (Opening::Whole, said));
    assert_eq!(index.applied().unwrap(), 900);
    let small = bytes_of(&dir.path().join("index"));
    assert!(small * 3 < grown, "{small} of {grown} bytes");
    assert_eq!(names(dir.path()), ["index", "journal"]);
    index.close();
    let built = inode(dir.path());
    drop(open(dir.path(), SMALLEST));
    assert_eq!(inode(dir.path()), built, "not built again for nothing");
}

#[test]
fn without_room_a_large_index_stays_as_it_is() {
    let (dir, said) = filled(50);
    let (index, opening) = open(dir.path(), Limits { spare_bytes: u64::MAX, ..SMALLEST });
    assert_eq!((opening, answers(&index)), (Opening::Whole, said));
    assert_eq!(names(dir.path()), ["index", "journal"]);
    index.apply(&[recorded(51)], None).unwrap();
}

/// The folders of a data directory after each step of an exchange, and the calls in the index that has to come out.
#[test]
fn an_exchange_survives_a_cut_after_every_step() {
    let (old, of_old) = filled(2);
    let (new, of_new) = filled(9);
    let half_built = |at: &Path| {
        copy(&new.path().join("index"), at);
        fs::write(at.join("db"), b"half").unwrap();
    };
    let (from_old, from_new) = (old.path().join("index"), new.path().join("index"));
    type Step<'a> = (&'static str, &'a dyn Fn(&dyn Fn(&str) -> PathBuf), &'a Answers);
    let steps: [Step<'_>; 7] = [
        ("building", &|at| (copy(&from_old, &at("index")), half_built(&at("index.building"))).0, &of_old),
        ("built", &|at| (copy(&from_old, &at("index")), copy(&from_new, &at("index.next"))).0, &of_new),
        (
            "old aside",
            &|at| (copy(&from_old, &at("index.old")), copy(&from_new, &at("index.next"))).0,
            &of_new,
        ),
        ("new in place", &|at| (copy(&from_old, &at("index.old")), copy(&from_new, &at("index"))).0, &of_new),
        (
            "old half removed",
            &|at| {
                copy(&from_new, &at("index"));
                fs::create_dir(at("index.old")).unwrap();
            },
            &of_new,
        ),
        ("only the new one", &|at| copy(&from_new, &at("index.next")), &of_new),
        ("only the old one", &|at| copy(&from_old, &at("index.old")), &of_old),
    ];
    for (name, make, expected) in steps {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("journal")).unwrap();
        make(&|folder| dir.path().join(folder));
        let (index, opening) = open(dir.path(), NO_SPARE);
        assert_eq!((opening, &answers(&index)), (Opening::Whole, expected), "{name}");
        assert_eq!(names(dir.path()), ["index", "journal"], "{name}");
    }
}

#[test]
fn a_disk_that_fills_while_a_new_index_is_built_keeps_the_old_one() {
    let Some(disk) = TinyDisk::mounted() else { return };
    let dir = disk.0.path();
    write_journal(dir, &facts(2_000));
    let index = Index::with_limits(&dir.join("index"), NO_SPARE);
    index.open(&dir.join("journal"), START).unwrap();
    index.catch_up(&dir.join("journal"), 0).unwrap();
    let said = answers(&index);
    drop(index);
    // Room for a part of another one.
    let free = ringside::io::disk::room(dir).unwrap().free_bytes;
    fs::write(dir.join("filler"), vec![1; usize::try_from(free.saturating_sub(1 << 20)).unwrap()]).unwrap();
    let old = inode(dir);
    let (index, opening) = open(dir, SMALLEST);
    assert_eq!((opening, answers(&index)), (Opening::Whole, said));
    assert_eq!((names(dir), inode(dir)), (["filler", "index", "journal"].map(str::to_owned).to_vec(), old));
    index.apply(&[recorded(3_000)], None).unwrap();
    assert_eq!(index.page(None, 1).unwrap()[0].seq, 3_000);
    drop(index);
    fs::remove_file(dir.join("filler")).unwrap();
    drop(open(dir, SMALLEST));
    assert_ne!(inode(dir), old, "with room it is built");
}

/// A small file system of its own.
struct TinyDisk(TempDir);

impl TinyDisk {
    fn mounted() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=32m", "tmpfs", path];
        let mounted = std::process::Command::new("mount").args(arguments).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        eprintln!("skipped: mounting a small disk needs root");
        None
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}
