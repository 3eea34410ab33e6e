//! The office's directory: numbers, campaigns, customers, jobs, call reasons; its pages, its API, its search.
//!
//! Everything goes through the [`DirectoryDesk`] of the daemon; `form` reads what people send, `api` answers programs,
//! `pages` people. Where there is no desk everything is empty and nothing can be changed.

use crate::{
    access::Who,
    directory::{Directory, Edit, Edited, Refused, Rule},
};
use std::{fmt, sync::Arc};

/// Keeps the directory. An edit may wait for a disk and is called on a thread that may.
pub trait DirectoryDesk: Send + Sync {
    /// The directory in force; never waits.
    fn newest(&self) -> Arc<Directory>;

    /// Makes a change; it is on the disk and in force when this returns.
    ///
    /// # Errors
    /// [`Refused`] names the rule, the thing and the remedy.
    fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused>;
}

/// The way to the directory; a clone is the same way.
#[derive(Clone)]
pub struct DirectoryWay(Option<Arc<dyn DirectoryDesk>>);

impl DirectoryWay {
    /// A way to `desk`.
    #[must_use]
    pub fn new(desk: impl DirectoryDesk + 'static) -> Self {
        Self(Some(Arc::new(desk)))
    }

    /// No way: the directory is empty, and nothing can be changed.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self(None)
    }

    /// The directory in force; never waits.
    #[must_use]
    pub fn newest(&self) -> Arc<Directory> {
        self.0.as_ref().map_or_else(Arc::default, |desk| desk.newest())
    }

    /// Makes a change; it may wait for a disk.
    ///
    /// # Errors
    /// As [`DirectoryDesk::edit`].
    pub fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused> {
        let nowhere = || Refused {
            rule: Rule::NotWritten,
            what: "this box keeps no directory".to_owned(),
            remedy: "change the configuration file".to_owned(),
        };
        self.0.as_ref().ok_or_else(nowhere)?.edit(edit, by)
    }
}

impl fmt::Debug for DirectoryWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "DirectoryWay" } else { "DirectoryWay (unavailable)" })
    }
}
