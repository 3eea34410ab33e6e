//! `ringside rebuild-index`: makes the index anew from the journal.

use super::{DATA, Failure, existing, print};
use crate::io::{
    clock::Clock,
    files::{self, INDEX_DIR, JOURNAL_DIR},
    store::{Index, IndexError},
};
use clap::Args;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub(super) struct Arguments {
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = &arguments.data;
    existing(data, "rebuild-index")?;
    let in_use = "the box is running on it, and makes its index anew by itself when that is needed";
    let _lock = files::lock(data).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            Failure::failed(format!("{}: {in_use}", data.display()), "ringside status")
        }
        _ => Failure::failed(error, "check that the disk is mounted and writable"),
    })?;
    let next = format!("ringside fsck --data {}", data.display());
    let applied = rebuild(data).map_err(|error| Failure::failed(error, next))?;
    print(format_args!("the index is level with entry {applied} of the journal"));
    Ok(())
}

/// The old index goes first: cut off, the next start fills what is there.
fn rebuild(data: &Path) -> Result<u64, IndexError> {
    let dir = data.join(INDEX_DIR);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let index = Index::new(&dir);
    index.open(&data.join(JOURNAL_DIR), Clock::start().wall())?;
    let applied = index.catch_up(&data.join(JOURNAL_DIR), 0);
    index.close();
    applied
}
