//! The power fails at any write of the disk: nothing acknowledged is lost.
//!
//! The real storage takes calls on an ext4 on a disk that logs every write and every flush. Then, again and again, the
//! disk is put together as a cut at some write may have left it, mounted, opened as a start does, and held against
//! what had been acknowledged by then.
//!
//! A failure names its log and image; `RINGSIDE_POWERCUT=LOG:IMAGE cargo test --test powercut again` looks at that one
//! again.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files and clocks")]

mod blocks;
#[path = "../disks/mod.rs"]
mod disks;
mod judge;
mod logged_disk;
#[path = "../storage/mod.rs"]
mod storage;
mod writer;

use blocks::{BlockLog, Cut, Entry, Mode};
use disks::{Loop, quick_dir};
use judge::{Verdict, hear, judge};
use logged_disk::LoggedDisk;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use writer::Forgetful;

const DISK_BYTES: u64 = 96 << 20;
const DATA: &str = "data";
const AGAIN: &str = "RINGSIDE_POWERCUT";

fn is_long() -> bool {
    std::env::var_os("RINGSIDE_LONG").is_some()
}

/// Whether the rig can be built here; says why if not.
fn can_run() -> bool {
    let why =
        if Path::new("/dev/fuse").exists() { disks::why_no_loop() } else { Some("no /dev/fuse".to_owned()) };
    if let Some(why) = &why {
        println!("skipped: no disk can be made to fail here: {why}");
    }
    why.is_none()
}

/// Lets the writer work on a disk that logs.
fn record(seconds: u64, forgetful: Forgetful) -> BlockLog {
    let disk = LoggedDisk::new(DISK_BYTES).unwrap();
    disk.device.format().unwrap();
    let mount = disk.device.mount().unwrap();
    disk.log.begin_cuts();
    let mut done = String::new();
    writer::run(&mount.path().join(DATA), seconds, forgetful, |line| {
        if line.starts_with("DONE") { done = line.to_owned() } else { disk.log.mark(line) }
    });
    assert_eq!(done, "DONE [0, 0, 0, 0]", "panics, recordings and index that failed, refusals");
    drop(mount);
    let log = disk.into_log().unwrap();
    let writes = log.count(|entry| matches!(entry, Entry::Write { .. }));
    let flushes = log.count(|entry| matches!(entry, Entry::Flush));
    println!("{forgetful:?} forgets: {writes} writes, {flushes} flushes in {seconds} s");
    log
}

/// Looks at one image.
fn look(log: &BlockLog, cut: Cut) -> Verdict {
    let scratch = quick_dir();
    let image = scratch.path().join("image");
    log.build(cut, DISK_BYTES, &image).unwrap();
    let device = Loop::new(&image).unwrap();
    match device.mount() {
        Ok(mount) => judge(&mount.path().join(DATA), scratch.path(), &hear(log.marks(cut))),
        Err(error) => Verdict { faults: vec![format!("not mounted: {error}")], ..Verdict::default() },
    }
}

/// Keeps a log whose images failed.
fn keep(log: &BlockLog, name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    log.save(&path).unwrap();
    path
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut() {
    if !can_run() {
        return;
    }
    let (seconds, images) = if is_long() { (90, 1_000) } else { (30, 60) };
    let log = record(seconds, Forgetful::Nobody);
    let mut failures = Vec::new();
    let (mut acknowledged, mut audio_lost_ms, mut opened_in) = (0, 0, Duration::ZERO);
    for image in 0..images {
        let cut = Cut::of(&log, image);
        let verdict = look(&log, cut);
        acknowledged += verdict.acknowledged;
        audio_lost_ms = audio_lost_ms.max(verdict.audio_lost_ms);
        opened_in = opened_in.max(verdict.opened_in);
        if !verdict.lost.is_empty() || !verdict.faults.is_empty() || verdict.not_indexed > 0 {
            failures.push(format!("{cut:?}: {verdict:#?}"));
        }
    }
    println!("{images} images, {acknowledged} acknowledgements held against them, {} failed", failures.len());
    println!("at most {audio_lost_ms} ms of audio lost, opened in {opened_in:?} at most");
    if !failures.is_empty() {
        let kept = keep(&log, "powercut");
        panic!("{}\n{AGAIN}={}:IMAGE cargo test --test powercut again", failures.join("\n"), kept.display());
    }
}

/// Cuts right behind acknowledgements, with nothing kept that was not flushed.
fn sharpest(log: &BlockLog) -> Vec<Verdict> {
    let cut = |image| Cut { mode: Mode::Nothing, ..Cut::of(log, image) };
    (0..24).map(|image| look(log, cut(image).behind_acknowledgement(log))).collect()
}

#[test]
fn the_rig_sees_a_journal_that_does_not_sync() {
    if !can_run() {
        return;
    }
    let lost: Vec<usize> =
        sharpest(&record(8, Forgetful::Journal)).iter().map(|verdict| verdict.lost.len()).collect();
    println!("acknowledged and lost in 24 images: {lost:?}");
    assert!(lost.iter().filter(|&&lost| lost > 0).count() >= 12, "{lost:?}");
}

#[test]
fn the_rig_sees_an_index_that_does_not_sync() {
    if !can_run() {
        return;
    }
    let verdicts = sharpest(&record(8, Forgetful::Index));
    let not_indexed: Vec<usize> = verdicts.iter().map(|verdict| verdict.not_indexed).collect();
    println!("saved and not in the index of 24 images: {not_indexed:?}");
    // The journal's next sync often comes first and takes the index's writes along.
    assert!(not_indexed.iter().any(|&calls| calls > 0), "{not_indexed:?}");
    assert!(verdicts.iter().all(|verdict| verdict.lost.is_empty()), "the journal has them all");
}

/// Looks again at one image of a log that was kept.
#[test]
fn again() {
    let Some(which) = std::env::var(AGAIN).ok() else { return };
    let (path, image) = which.rsplit_once(':').expect("LOG:IMAGE");
    let log = BlockLog::load(Path::new(path)).unwrap();
    let cut = Cut::of(&log, image.parse().unwrap());
    let verdict = look(&log, cut);
    println!("{cut:?}: {verdict:#?}");
    assert!(verdict.lost.is_empty() && verdict.faults.is_empty(), "see above");
}
