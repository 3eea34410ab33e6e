//! How calls stand with retention: holds, and what is to be erased; and a new index once the old one holds what was
//! erased.
//!
//! sled overwrites nothing: a value that was replaced or removed stays in the index's file until its page is used
//! again, which may be never. Whoever erases records lawfully has to call [`Index::renew`] afterwards. As with the
//! journal, blocks that the file system has let go of are not overwritten.

use super::{
    Index, IndexError, Shared, fold,
    opening::{guarded, open_in_time},
    outbox::Erasure,
    rebuild,
    state::{Hold, State},
    trees::Tree,
};
use crate::{id::CallId, note::Part};
use std::{fs, io, ops::Bound, path::Path};

/// How a call stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The hold that forbids any erasure.
    pub hold: Option<Hold>,
    /// What is to be erased, also while a hold forbids it; what is erased already is left out.
    pub asked: Vec<Erasure>,
    /// Whether it may go without the upstream's receipt.
    pub receipt_waived: bool,
}

impl Index {
    /// How a call stands.
    ///
    /// # Errors
    /// If sled fails.
    pub fn standing(&self, call: CallId) -> Result<Standing, IndexError> {
        self.read(|trees| {
            let state = fold::state(trees, call.to_string().as_bytes())?.unwrap_or_default();
            let parts = [Part::Recording, Part::Record].into_iter().filter(|&part| !state.is_erased(part));
            let asked = parts.filter_map(|part| erasure(&state, call, part)).collect();
            Ok(Standing { asked, receipt_waived: state.receipt_waived, hold: state.hold })
        })
    }

    /// At most `limit` legal holds, the oldest first.
    ///
    /// # Errors
    /// If sled fails.
    pub fn holds(&self, limit: usize) -> Result<Vec<(CallId, Hold)>, IndexError> {
        self.read(|trees| {
            let mut holds = Vec::new();
            for row in trees.range(Tree::Holds, Bound::Unbounded, Bound::Unbounded)?.take(limit) {
                let (_, call) = row?;
                let id = std::str::from_utf8(&call).ok().and_then(|call| call.parse().ok());
                let hold = fold::state(trees, &call)?.and_then(|state| state.hold);
                holds.extend(id.zip(hold));
            }
            Ok(holds)
        })
    }

    /// Builds the index anew from `journal`, so that nothing is left of what was erased there, and removes every index
    /// that was put aside. The old one answers meanwhile; what is put into it while this goes on has to be filled in
    /// afterwards.
    ///
    /// # Errors
    /// If the disk has no room or fails; the index is as it was then.
    pub fn renew(&self, journal: &Path) -> Result<(), IndexError> {
        let Shared { dir, limits, steps, .. } = &*self.shared;
        guarded(|| rebuild::build(dir, journal, limits, steps))?;
        self.close();
        rebuild::finish(dir)?;
        self.install(open_in_time(dir, steps)?);
        Ok(remove_put_aside(dir)?)
    }
}

fn erasure(state: &State, call: CallId, part: Part) -> Option<Erasure> {
    let asked = state.asked.get(&part).cloned()?;
    Some(Erasure { call, part, by: asked.by, why: asked.why, at: asked.at, due: asked.due })
}

/// Removes `index.bad-…` and `index.schema-…`: they say what the journal does not say any more.
fn remove_put_aside(dir: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let aside = entry.file_name();
        let aside = aside.to_str().and_then(|aside| aside.strip_prefix(name)).unwrap_or_default();
        if aside.starts_with(".bad-") || aside.starts_with(".schema-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
