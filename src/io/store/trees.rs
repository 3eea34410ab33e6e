//! The trees of the index, and a change of several of them that is there whole or not at all. All that is called of
//! `sled` is called here.

use super::{IndexError, SyncFile};
use std::{
    collections::BTreeMap,
    fs::File,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

/// sled's page cache in bytes. It is not a hard bound: never walk the whole tree.
const CACHE_BYTES: u64 = 8 << 20;
/// Key in [`Tree::Meta`]: bytes of all keys and values that are in the trees.
const LIVE: &[u8] = b"live_bytes";

/// A tree; see the table in [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    Calls,
    States,
    ByTime,
    ByCaller,
    ByHqSeq,
    ByRecording,
    UnsentRecords,
    UnsentRecordings,
    Refused,
    Erasures,
    Holds,
    Audit,
    Meta,
}

/// Names on the disk, in the order of [`Tree`].
const NAMES: [&str; 13] = [
    "calls",
    "states",
    "by_time",
    "by_caller",
    "by_hq_seq",
    "by_recording",
    "unsent_records",
    "unsent_recordings",
    "refused",
    "erasures",
    "holds",
    "audit",
    "meta",
];

/// Key and value.
pub(super) type Row = (Vec<u8>, Vec<u8>);
/// What to put, and with `None` what to remove.
pub(super) type Changes = BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>;

/// The open index; copies share it.
#[derive(Clone)]
pub(super) struct Trees {
    dir: PathBuf,
    trees: Arc<[sled::Tree]>,
    db: sled::Db,
}

impl Trees {
    pub(super) fn open(dir: &Path) -> Result<Self, IndexError> {
        // Commits flush by themselves; sled's own thread would only hide errors.
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        let db = config.open()?;
        let trees = NAMES.iter().map(|name| db.open_tree(name)).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.to_owned(), trees, db })
    }

    fn tree(&self, tree: Tree) -> Result<&sled::Tree, IndexError> {
        self.trees.get(tree as usize).ok_or(IndexError::Closed)
    }

    pub(super) fn get(&self, tree: Tree, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.tree(tree)?.get(key)?.map(|value| value.to_vec()))
    }

    /// A big-endian number in [`Tree::Meta`].
    pub(super) fn number(&self, key: &[u8]) -> Result<Option<u64>, IndexError> {
        Ok(self.get(Tree::Meta, key)?.and_then(|value| number(&value)))
    }

    /// Rows in the order of their keys, from either end.
    pub(super) fn range<'a>(
        &self,
        tree: Tree,
        from: Bound<&'a [u8]>,
        to: Bound<&'a [u8]>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Row, IndexError>> + use<'a>, IndexError> {
        let rows = self.tree(tree)?.range::<&[u8], _>((from, to));
        Ok(rows.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).map_err(IndexError::from)))
    }

    /// The last row of a tree.
    pub(super) fn last(&self, tree: Tree) -> Result<Option<Row>, IndexError> {
        self.range(tree, Bound::Unbounded, Bound::Unbounded)?.next_back().transpose()
    }

    /// The first row of a tree.
    pub(super) fn first(&self, tree: Tree) -> Result<Option<Row>, IndexError> {
        self.range(tree, Bound::Unbounded, Bound::Unbounded)?.next().transpose()
    }

    /// Whether a tree of this name is there, also one that this version does not know.
    pub(super) fn has(&self, name: &str) -> bool {
        self.db.tree_names().iter().any(|known| known.as_ref() == name.as_bytes())
    }

    /// Makes all changes or none. They are durable after [`Trees::sync`].
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), IndexError> {
        use sled::{
            Transactional as _,
            transaction::{ConflictableTransactionResult, TransactionError, TransactionalTree},
        };
        let change = |trees: &Vec<TransactionalTree>| -> ConflictableTransactionResult<(), sled::Error> {
            let [.., meta] = &trees[..] else { return Ok(()) };
            let (mut added, mut gone) = (0_u64, 0_u64);
            for ((tree, key), value) in changes {
                let Some(tree) = trees.get(*tree as usize) else { continue };
                let old = match value {
                    Some(value) => {
                        added += (key.len() + value.len()) as u64;
                        tree.insert(key.as_slice(), value.as_slice())?
                    }
                    None => tree.remove(key.as_slice())?,
                };
                gone += old.map_or(0, |old| (key.len() + old.len()) as u64);
            }
            let live = meta.get(LIVE)?.and_then(|value| number(&value)).unwrap_or(0);
            let live = live.saturating_add(added).saturating_sub(gone);
            meta.insert(LIVE, &live.to_be_bytes())?;
            Ok(())
        };
        self.trees.transaction(change).map_err(|error| match error {
            TransactionError::Abort(error) | TransactionError::Storage(error) => error.into(),
        })
    }

    /// Makes all commits durable: `flush()` alone does not survive a power cut.
    pub(super) fn sync(&self) -> Result<(), IndexError> {
        self.sync_by(File::sync_data)
    }

    /// As [`Trees::sync`], by somebody else's means.
    pub(super) fn sync_by(&self, sync: SyncFile) -> Result<(), IndexError> {
        self.db.flush()?;
        Ok(sync(&File::open(self.dir.join("db"))?)?)
    }

    /// Bytes of all keys and values.
    pub(super) fn live_bytes(&self) -> Result<u64, IndexError> {
        Ok(self.number(LIVE)?.unwrap_or(0))
    }
}

/// A big-endian number.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
