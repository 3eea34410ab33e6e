//! A new index beside the old one, and their exchange. It serves three needs: a file that has grown far beyond what
//! lives in it (sled never gives space back), an index of an older schema, and whatever a cut left of either.
//!
//! ```text
//!   index            index.building           the journal is folded into it; a cut leaves rubbish, which is removed
//!   index            index.next               whole and durable; from here on every start finishes the exchange
//!   index.old        index.next
//!   index.old        index
//!                    index
//! ```
//! A new index needs room, and what is left on a nearly full disk is the journal's: it is not begun, and given up at
//! any batch, with less than 32 MiB left.

use super::{
    IndexError, Limits, fold, is_indexed,
    opening::put_schema,
    trees::{Tree, Trees},
};
use crate::io::{disk, files, journal::reader::Reader};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Facts folded in at once.
pub(super) const BATCH_FACTS: usize = 500;
/// Key in [`Tree::Meta`]: bytes of the folder when it was built.
const BUILT: &[u8] = b"built_bytes";
/// Below this much growth over what it was when built, another rebuild would gain nothing.
const GROWTH: u64 = 2;

/// Whether a smaller index could be made of what lives in this one.
pub(super) fn is_due(dir: &Path, trees: &Trees, limits: &Limits) -> Result<bool, IndexError> {
    let bytes = bytes_of(dir)?;
    let built = trees.number(BUILT)?.unwrap_or(0);
    Ok(bytes > limits.small_bytes
        && bytes / limits.ratio.max(1) > trees.live_bytes()?
        && bytes / GROWTH > built)
}

/// Builds `index.next` from the whole journal. Whatever fails, the index that is there is as it was.
pub(super) fn build(
    dir: &Path,
    journal: &Path,
    limits: &Limits,
    steps: &Arc<AtomicU64>,
) -> Result<(), IndexError> {
    let building = beside(dir, "building");
    remove(&building)?;
    let built = fill(&building, journal, limits, steps).and_then(|()| {
        files::sync_dir(&building)?;
        Ok(files::rename(&building, &beside(dir, "next"))?)
    });
    if built.is_err() {
        // Space first: the journal may wait for it.
        let _ = remove(&building);
    }
    built
}

/// Finishes an exchange that was begun, and removes what one left behind.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    let [building, next, old] = ["building", "next", "old"].map(|name| beside(dir, name));
    remove(&building)?;
    if next.exists() {
        if dir.exists() {
            remove(&old)?;
            files::rename(dir, &old)?;
        }
        files::rename(&next, dir)?;
    } else if old.exists() && !dir.exists() {
        files::rename(&old, dir)?;
    }
    remove(&old)
}

fn fill(building: &Path, journal: &Path, limits: &Limits, steps: &Arc<AtomicU64>) -> Result<(), IndexError> {
    has_room(building, limits)?;
    files::make_dir(building)?;
    let trees = Trees::open(building, steps)?;
    let mut batch = Vec::with_capacity(BATCH_FACTS);
    let mut last = 0;
    for entry in Reader::open(journal, 0)? {
        let entry = entry?;
        steps.fetch_add(1, Ordering::Relaxed);
        last = entry.seq;
        batch.extend(Some(entry.fact).filter(is_indexed));
        if batch.len() >= BATCH_FACTS {
            has_room(building, limits)?;
            fold::apply(&trees, &batch, None)?;
            batch.clear();
        }
    }
    fold::apply(&trees, &batch, Some(last))?;
    put_schema(&trees)?;
    trees.sync()?;
    let built = bytes_of(building)?.to_be_bytes().to_vec();
    trees.commit(&[((Tree::Meta, BUILT.to_vec()), Some(built))].into())?;
    trees.sync()
}

fn has_room(building: &Path, limits: &Limits) -> io::Result<()> {
    let parent = building.parent().filter(|parent| !parent.as_os_str().is_empty());
    let room = disk::room(parent.unwrap_or(Path::new(".")));
    if room.is_some_and(|room| room.free_bytes < limits.spare_bytes) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Bytes that the files of a folder take on the disk.
pub(super) fn bytes_of(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        // sled keeps large values in a folder of their own.
        bytes += if meta.is_dir() { bytes_of(&entry.path())? } else { meta.blocks() * 512 };
    }
    Ok(bytes)
}

fn beside(dir: &Path, name: &str) -> PathBuf {
    let mut path = OsString::from(dir);
    path.push(".");
    path.push(name);
    path.into()
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
