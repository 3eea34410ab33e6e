//! Opens an index, whatever is found: none, a good one, a bad one, one of another schema.

use super::{
    IndexError, Limits, rebuild,
    trees::{Changes, Tree, Trees},
};
use crate::{io::files, time::WallTime};
use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

/// The schema that is written. Schema 1 was the same `calls` with a tree `by_id` and no states; schema 2 had every row
/// of every tree by itself; schema 3 had no briefs and no names.
const SCHEMA: u64 = 4;
/// Keys in [`Tree::Meta`]: the schema, the oldest schema whose code may use this index, and the oldest schema whose
/// code wrote to an index of a later one, which has to be rebuilt then.
const SCHEMA_KEY: &[u8] = b"schema";
const READABLE_BY: &[u8] = b"readable_by";
const WRITTEN_BY: &[u8] = b"written_by";
/// A tree that only schema 1 has.
const OF_SCHEMA_1: &str = "by_id";
/// An index that takes longer to open is put aside.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// sled lets go of its lock a little after the last handle is dropped.
const LOCK_RETRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How opening went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The index was there, or the box is new.
    Whole,
    /// A bad one was put aside; this one is empty and has to be filled from the journal.
    Replaced,
    /// One of an older schema was rebuilt from the journal.
    Rebuilt,
}

/// What an open index is.
enum Schema {
    /// Ours, or new.
    Ours,
    Older,
    /// Of a later version that says that this one may use it.
    Later,
    /// Of a later version.
    TooLate(u64),
}

/// Opens the index in `dir`.
pub(super) fn open(
    dir: &Path,
    journal: &Path,
    wall: WallTime,
    limits: &Limits,
    steps: &Arc<AtomicU64>,
) -> Result<(Trees, Opening), IndexError> {
    rebuild::finish(dir)?;
    let (trees, opening) = open_or_replace(dir, wall, steps)?;
    match guarded(|| schema(&trees))? {
        Schema::Ours => Ok((trees, opening)),
        Schema::Later => {
            // Its trees that we do not know miss what we put: it has to see that.
            let written_by = (Tree::Meta, WRITTEN_BY.to_vec());
            guarded(|| trees.commit(&[(written_by, Some(SCHEMA.to_be_bytes().to_vec()))].into()))?;
            Ok((trees, opening))
        }
        Schema::Older => {
            drop(trees);
            tracing::info!("the index is of an older schema and is rebuilt from the journal");
            guarded(|| rebuild::build(dir, journal, limits, steps))?;
            rebuild::finish(dir)?;
            Ok((open_in_time(dir, steps)?, Opening::Rebuilt))
        }
        Schema::TooLate(schema) => {
            drop(trees);
            put_aside(dir, &format!("schema-{schema}-{}", wall.0))?;
            tracing::warn!(schema, "the index is of a later schema; it is put aside and another one filled");
            let trees = open_in_time(dir, steps)?;
            guarded(|| put_schema(&trees))?;
            Ok((trees, Opening::Replaced))
        }
    }
}

/// Writes down that the trees are of our schema.
pub(super) fn put_schema(trees: &Trees) -> Result<(), IndexError> {
    let ours = || Some(SCHEMA.to_be_bytes().to_vec());
    let changes = [SCHEMA_KEY, READABLE_BY].map(|key| ((Tree::Meta, key.to_vec()), ours()));
    trees.commit(&Changes::from(changes))
}

fn schema(trees: &Trees) -> Result<Schema, IndexError> {
    let Some(schema) = trees.number(SCHEMA_KEY)? else {
        if trees.has(OF_SCHEMA_1) || trees.last(Tree::Calls)?.is_some() {
            return Ok(Schema::Older);
        }
        put_schema(trees)?;
        return Ok(Schema::Ours);
    };
    let readable_by = trees.number(READABLE_BY)?.unwrap_or(schema);
    Ok(match schema {
        _ if schema < SCHEMA => Schema::Older,
        // An older version was here and left our trees behind.
        SCHEMA if trees.number(WRITTEN_BY)?.is_some() => Schema::Older,
        SCHEMA => Schema::Ours,
        _ if readable_by <= SCHEMA => Schema::Later,
        _ => Schema::TooLate(schema),
    })
}

/// sled 0.34 may panic on a damaged file; that is an error like any other here.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Panicked))
}

/// Opens in a thread of its own, so that an index that never opens can be left behind.
pub(super) fn open_in_time(dir: &Path, steps: &Arc<AtomicU64>) -> Result<Trees, IndexError> {
    files::make_dir(dir)?;
    let (opened, opening) = sync_channel(1);
    let (path, steps) = (dir.to_owned(), steps.clone());
    thread::Builder::new().name("index-open".to_owned()).spawn(move || {
        let mut trees = guarded(|| Trees::open(&path, &steps));
        for _ in 0..LOCK_RETRIES {
            if !trees.as_ref().is_err_and(IndexError::is_locked) {
                break;
            }
            thread::sleep(LOCK_PAUSE);
            trees = guarded(|| Trees::open(&path, &steps));
        }
        // Nobody listens after 10 s; the index is then dropped here.
        let _ = opened.send(trees);
    })?;
    match opening.recv_timeout(OPEN_LIMIT) {
        Ok(trees) => {
            files::sync_dir(dir)?;
            trees
        }
        Err(RecvTimeoutError::Timeout) => Err(IndexError::Slow),
        Err(RecvTimeoutError::Disconnected) => Err(IndexError::Panicked),
    }
}

fn open_or_replace(
    dir: &Path,
    wall: WallTime,
    steps: &Arc<AtomicU64>,
) -> Result<(Trees, Opening), IndexError> {
    let error = match open_in_time(dir, steps) {
        Ok(trees) => return Ok((trees, Opening::Whole)),
        // sled does not open on a full disk, however good the index is.
        Err(error) if error.is_passing() => return Err(error),
        Err(error) => error,
    };
    put_aside(dir, &format!("bad-{}", wall.0))?;
    tracing::error!(%error, dir = %dir.display(), "a bad index is put aside and rebuilt from the journal");
    Ok((open_in_time(dir, steps)?, Opening::Replaced))
}

/// The name is made longer while it is taken: a clock that stands still or is put back gives the same time again.
fn put_aside(dir: &Path, name: &str) -> io::Result<()> {
    let mut aside = dir.as_os_str().to_owned();
    aside.push(format!(".{name}"));
    while Path::new(&aside).exists() {
        aside.push("-again");
    }
    fs::rename(dir, PathBuf::from(aside))
}
