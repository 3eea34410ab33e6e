//! The office's directory in the running box: what the configuration says and what people have put into the book,
//! together. A change is on the disk before it is answered, and in force for the next call.

use super::{StartError, signalling::Message};
use crate::{
    access::Who,
    board::Profile,
    config::{Config, Ports},
    directory::{Base, Book, By, Directory, Edit, Edited, Refused, Rule},
    io::{
        clock::Clock,
        directory_file::{self, Change, DirectoryFile, Opened},
        storage::{Notes, Storage},
    },
    note::{Note, What},
    web::DirectoryDesk,
};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::mpsc;

/// How long whoever changes something waits for the journal; the change is in the directory's own file then.
const PATIENCE: Duration = Duration::from_secs(10);

/// The directory and where it is kept. A clone is the same directory.
#[derive(Clone)]
pub(super) struct OfficeDirectory {
    kept: Arc<Mutex<Kept>>,
    newest: Arc<RwLock<Arc<Directory>>>,
    notes: Notes,
    clock: Clock,
    signalling: mpsc::Sender<Message>,
}

struct Kept {
    base: Arc<Base>,
    book: Book,
    file: DirectoryFile,
}

/// Names of the ports of a board.
pub(super) fn ports(profile: &Profile) -> Ports {
    Ports {
        phones: profile.fxs_ports().map(|(_, port)| port.name.clone()).collect(),
        lines: profile.fxo_ports().map(|(_, port)| port.name.clone()).collect(),
    }
}

impl OfficeDirectory {
    /// Reads the directory of a data directory; it answers calls before the index is looked at.
    ///
    /// # Errors
    /// The journal cannot be read, or the files not be written.
    pub(super) fn open(
        data: &Path,
        (config, profile): (&Config, &Profile),
        storage: &Storage,
        clock: Clock,
        signalling: &mpsc::Sender<Message>,
    ) -> Result<Self, StartError> {
        let Opened { mut file, book, unjournaled } = directory_file::open(data)?;
        let notes = storage.notes();
        let base = Arc::new(Base::new(config, &ports(profile)));
        let newest = Arc::new(RwLock::new(Arc::new(Directory::new(Arc::clone(&base), book.clone()))));
        if !unjournaled.is_empty() {
            let all = unjournaled.iter().flat_map(Change::notes);
            let taken =
                all.map(|what| notes.note(Note { at: clock.wall(), what })).all(|taken| taken.is_ok());
            if taken && notes.wait_at_most(PATIENCE) {
                file.journaled();
            }
        }
        let kept = Arc::new(Mutex::new(Kept { base, book, file }));
        Ok(Self { kept, newest, notes, clock, signalling: signalling.clone() })
    }

    /// The directory in force.
    pub(super) fn newest(&self) -> Arc<Directory> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what a configuration says now, below what people have put into the book.
    ///
    /// # Errors
    /// If the signalling thread does not keep up; nothing has changed then.
    pub(super) fn lay_under(&self, base: Base) -> Result<(), String> {
        let mut kept = self.kept();
        let base = Arc::new(base);
        let directory = Arc::new(Directory::new(Arc::clone(&base), kept.book.clone()));
        let sent = self.signalling.try_send(Message::Directory(Arc::clone(&directory)));
        sent.map_err(|_| "the box is too busy".to_owned())?;
        kept.base = base;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = directory;
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a change to the disk: the directory's own file, then the journal, with its line in the audit.
    fn write(&self, kept: &mut Kept, edited: &Edited, by: &By) -> Result<(), Refused> {
        let change =
            Change { edit: kept.file.edits() + 1, by: by.who.clone(), changed: edited.changed.clone() };
        kept.file.append(&change).map_err(|error| {
            tracing::error!(%error, "a change of the directory was not written");
            not_written()
        })?;
        let audit = What::Audit { by: by.who.clone(), did: edited.did.to_owned(), on: edited.on.clone() };
        let notes = std::iter::once(audit).chain(change.notes());
        let mut notes = notes.map(|what| self.notes.note(Note { at: by.at, what }));
        if notes.any(|taken| taken.is_err()) {
            if let Err(error) = kept.file.take_back(&change) {
                tracing::error!(%error, "a change that the journal refused is in force at the next start");
            }
            return Err(not_written());
        }
        drop(notes);
        // A journal that is slow gets it again at the next start, from the file.
        if self.notes.wait_at_most(PATIENCE) {
            kept.file.journaled();
        }
        Ok(())
    }
}

impl DirectoryDesk for OfficeDirectory {
    fn newest(&self) -> Arc<Directory> {
        Self::newest(self)
    }

    fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused> {
        let by = By { who: by.name.clone(), role: by.role, at: self.clock.wall() };
        let mut kept = self.kept();
        let edited = kept.book.consider(&kept.base, edit, &by)?;
        self.write(&mut kept, &edited, &by)?;
        edited.changed.iter().for_each(|changed| kept.book.put(changed));
        let directory = Arc::new(Directory::new(Arc::clone(&kept.base), kept.book.clone()));
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&directory);
        // A thread that is gone takes no calls either.
        let _ = self.signalling.blocking_send(Message::Directory(directory));
        let Kept { book, file, .. } = &mut *kept;
        if let Err(error) = file.compact(book) {
            tracing::warn!(%error, "the directory's log stays long");
        }
        Ok(edited)
    }
}

fn not_written() -> Refused {
    Refused {
        rule: Rule::NotWritten,
        what: "the change is not on the disk".to_owned(),
        remedy: "nothing has changed; check the disk, then try again".to_owned(),
    }
}
