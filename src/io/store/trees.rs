//! The trees of the index, and a change of several of them that is there whole or not at all. All that is called of
//! `sled` is called here.
//!
//! Commits are small, and what one has logged is on its way to the disk before the next begins. sled 0.34 writes its log
//! by seven threads, and never by more: a thread that needs a new segment holds a lock while it waits for a thread to
//! shorten the file, and if seven segments or more are written meanwhile, all seven wait for that lock. Nothing moves
//! from then on.

use super::{IndexError, SyncFile, blocks};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    ops::{Bound, RangeBounds},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// sled's page cache in bytes. It is not a hard bound: never walk the whole tree.
const CACHE_BYTES: u64 = 2 << 20;
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
    Names,
    Meta,
}

impl Tree {
    /// Whether its rows are small and lie in blocks.
    const fn is_packed(self) -> bool {
        !matches!(self, Self::Calls | Self::Meta)
    }
}

/// Names on the disk, in the order of [`Tree`].
const NAMES: [&str; 14] = [
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
    "names",
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
    steps: Arc<AtomicU64>,
}

impl Trees {
    pub(super) fn open(dir: &Path, steps: &Arc<AtomicU64>) -> Result<Self, IndexError> {
        // Commits flush by themselves; sled's own thread would only hide errors.
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        let db = config.open()?;
        let trees = NAMES.iter().map(|name| db.open_tree(name)).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.to_owned(), trees, db, steps: steps.clone() })
    }

    fn tree(&self, tree: Tree) -> Result<&sled::Tree, IndexError> {
        self.trees.get(tree as usize).ok_or(IndexError::Closed)
    }

    pub(super) fn get(&self, tree: Tree, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, IndexError> {
        let key = key.as_ref();
        if !tree.is_packed() {
            return Ok(self.tree(tree)?.get(key)?.map(|value| value.to_vec()));
        }
        let (_, rows) = self.block_of(tree, key)?;
        let at = rows.binary_search_by(|(found, _)| found.as_slice().cmp(key));
        Ok(at.ok().and_then(|at| rows.into_iter().nth(at)).map(|(_, value)| value))
    }

    /// A big-endian number in [`Tree::Meta`].
    pub(super) fn number(&self, key: &[u8]) -> Result<Option<u64>, IndexError> {
        Ok(self.get(Tree::Meta, key)?.and_then(|value| number(&value)))
    }

    /// Rows in the order of their keys, from either end.
    pub(super) fn range(&self, tree: Tree, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Result<Rows, IndexError> {
        let (from, to) = (from.map(<[u8]>::to_vec), to.map(<[u8]>::to_vec));
        let blocks = if tree.is_packed() {
            // The first row may lie in a block that begins before it.
            let first = match &from {
                Bound::Included(key) | Bound::Excluded(key) => Bound::Included(self.block_key(tree, key)?),
                Bound::Unbounded => Bound::Unbounded,
            };
            let last = to.as_ref().map(|key| blocks::key_from(key));
            self.tree(tree)?.range((first, last))
        } else {
            self.tree(tree)?.range((from.clone(), to.clone()))
        };
        Ok(Rows {
            blocks,
            is_packed: tree.is_packed(),
            from,
            to,
            front: VecDeque::new(),
            back: VecDeque::new(),
        })
    }

    /// Visits every row of a packed tree from one key to before another, without a copy of any. The rows of a block
    /// come in the order of their keys.
    pub(super) fn visit(
        &self,
        tree: Tree,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), IndexError> {
        debug_assert!(tree.is_packed(), "a row of its own is no block");
        if from >= to {
            return Ok(());
        }
        let first = self.block_key(tree, from)?;
        for block in self.tree(tree)?.range(first..blocks::key_from(to)) {
            let (_, block) = block?;
            let mut rest: &[u8] = &block;
            while !rest.is_empty() {
                let (key, value) = blocks::split_row(&mut rest).ok_or_else(blocks::torn)?;
                if (from..to).contains(&key) {
                    visit(key, value);
                }
            }
        }
        Ok(())
    }

    /// The key of the block to which a key belongs.
    fn block_key(&self, tree: Tree, key: &[u8]) -> Result<Vec<u8>, IndexError> {
        let found = self.tree(tree)?.range(..=blocks::key_from(key)).next_back().transpose()?;
        Ok(found.map_or_else(|| blocks::FIRST.to_vec(), |(key, _)| key.to_vec()))
    }

    /// The key of the block to which a key belongs, and its rows.
    fn block_of(&self, tree: Tree, key: &[u8]) -> Result<(Vec<u8>, Vec<Row>), IndexError> {
        let found = self.tree(tree)?.range(..=blocks::key_from(key)).next_back().transpose()?;
        let Some((key, block)) = found else { return Ok((blocks::FIRST.to_vec(), Vec::new())) };
        Ok((key.to_vec(), blocks::unpack(&block)?))
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

    /// Makes all changes or none. They are durable after [`Trees::sync`]. One caller at a time: the blocks that are
    /// written are those that are read before.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), IndexError> {
        use sled::{
            Transactional as _,
            transaction::{ConflictableTransactionResult, TransactionError, TransactionalTree},
        };
        let changes = self.packed(changes)?;
        let change = |trees: &Vec<TransactionalTree>| -> ConflictableTransactionResult<(), sled::Error> {
            let [.., meta] = &trees[..] else { return Ok(()) };
            let (mut added, mut gone) = (0_u64, 0_u64);
            for ((tree, key), value) in &changes {
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
            TransactionError::Abort(error) | TransactionError::Storage(error) => IndexError::from(error),
        })?;
        self.db.flush()?;
        self.steps.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The same changes with those of packed trees made to their blocks.
    fn packed(&self, changes: &Changes) -> Result<Changes, IndexError> {
        let mut packed = Changes::new();
        let mut changes = changes.iter().peekable();
        while let Some(((tree, key), value)) = changes.next() {
            if !tree.is_packed() {
                packed.insert((*tree, key.clone()), value.clone());
                continue;
            }
            let (block, mut rows) = self.block_of(*tree, key)?;
            let next = self.tree(*tree)?.get_gt(&block)?.map(|(key, _)| key);
            let mut grows = change_row(&mut rows, key, value.as_ref());
            let belongs = |(other, key): &(Tree, Vec<u8>)| {
                other == tree && next.as_ref().is_none_or(|next| **next > *blocks::key_from(key))
            };
            while let Some(((_, key), value)) = changes.next_if(|(at, _)| belongs(at)) {
                grows = change_row(&mut rows, key, value.as_ref());
            }
            let blocks = blocks::pack(&block, &rows, grows);
            if blocks.is_empty() {
                packed.insert((*tree, block), None);
            }
            packed.extend(blocks.into_iter().map(|(key, rows)| ((*tree, key), Some(rows))));
        }
        Ok(packed)
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

/// Puts or removes a row of a block; tells whether it is a new one after all others.
fn change_row(rows: &mut Vec<Row>, key: &[u8], value: Option<&Vec<u8>>) -> bool {
    match (rows.binary_search_by(|(found, _)| found.as_slice().cmp(key)), value) {
        (Ok(at), Some(value)) => {
            if let Some((_, old)) = rows.get_mut(at) {
                old.clone_from(value);
            }
            false
        }
        (Ok(at), None) => {
            rows.remove(at);
            false
        }
        (Err(at), Some(value)) => {
            rows.insert(at, (key.to_vec(), value.clone()));
            at + 1 == rows.len()
        }
        (Err(_), None) => false,
    }
}

/// Rows of a range; see [`Trees::range`]. A block that is cut while it is walked over gives no row twice.
pub(super) struct Rows {
    blocks: sled::Iter,
    is_packed: bool,
    /// What is left of the range.
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    /// Rows of the last block taken from either end.
    front: VecDeque<Row>,
    back: VecDeque<Row>,
}

impl Rows {
    fn rows_of(&self, block: sled::Result<(sled::IVec, sled::IVec)>) -> Result<VecDeque<Row>, IndexError> {
        let (key, value) = block?;
        if !self.is_packed {
            return Ok([(key.to_vec(), value.to_vec())].into());
        }
        Ok(blocks::unpack(&value)?.into())
    }

    fn is_left(&self, row: &Row) -> bool {
        RangeBounds::<Vec<u8>>::contains(&(self.from.as_ref(), self.to.as_ref()), &row.0)
    }
}

impl Iterator for Rows {
    type Item = Result<Row, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(row) = self.front.pop_front() {
                if self.is_left(&row) {
                    self.from = Bound::Excluded(row.0.clone());
                    return Some(Ok(row));
                }
            }
            self.front = match self.blocks.next().map(|block| self.rows_of(block)) {
                Some(Ok(rows)) => rows,
                Some(Err(error)) => return Some(Err(error)),
                None if self.back.is_empty() => return None,
                None => std::mem::take(&mut self.back),
            };
        }
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(row) = self.back.pop_back() {
                if self.is_left(&row) {
                    self.to = Bound::Excluded(row.0.clone());
                    return Some(Ok(row));
                }
            }
            self.back = match self.blocks.next_back().map(|block| self.rows_of(block)) {
                Some(Ok(rows)) => rows,
                Some(Err(error)) => return Some(Err(error)),
                None if self.front.is_empty() => return None,
                None => std::mem::take(&mut self.front),
            };
        }
    }
}

/// A big-endian number.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
