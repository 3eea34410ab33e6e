//! `/setup`: the first run, as an installer goes through it. What was seen to is kept, so that a reload goes on.

mod pages;
mod progress;
mod view;

pub(super) use pages::routes;
pub use progress::Facts;

use progress::Progress;
use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What the installer has seen to; a clone is the same.
#[derive(Clone)]
pub struct SetUp(Arc<Inner>);

struct Inner {
    facts: Facts,
    /// Where it is kept; without it, until the daemon ends.
    file: Option<PathBuf>,
    progress: Mutex<Progress>,
}

impl SetUp {
    /// Goes on with what `file` keeps. A file that cannot be read is begun anew: it is only the installer's list.
    #[must_use]
    pub fn open(facts: Facts, file: PathBuf) -> Self {
        let progress = Progress::read(&file).unwrap_or_else(|error| {
            tracing::warn!(%error, file = %file.display(), "the set-up begins anew");
            Progress::default()
        });
        Self(Arc::new(Inner { facts, file: Some(file), progress: Mutex::new(progress) }))
    }

    /// Nothing is known, and nothing kept.
    #[must_use]
    pub fn unavailable() -> Self {
        let inner = Inner { facts: Facts::default(), file: None, progress: Mutex::default() };
        Self(Arc::new(inner))
    }

    fn progress(&self) -> Progress {
        self.locked().clone()
    }

    /// Changes what was seen to, and keeps it if that changed it. It may wait for the disk.
    fn change(&self, change: impl FnOnce(&mut Progress)) -> io::Result<()> {
        let mut progress = self.locked();
        let mut changed = progress.clone();
        change(&mut changed);
        if *progress == changed {
            return Ok(());
        }
        if let Some(file) = &self.0.file {
            changed.write(file)?;
        }
        *progress = changed;
        Ok(())
    }

    /// A panic elsewhere leaves it whole: it is exchanged as one.
    fn locked(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
