//! Records, boxes and sites, in either kind of store.

use super::{
    directory::Directory,
    postgres::Postgres,
    stored::{Arrived, FleetBox, StoreError, StoredCall, Taken},
};
use crate::{
    id::{BoxId, RecordingId},
    sync::wire::{Batch, Gaps, RecordingReceipt, SignedSite},
    time::WallTime,
};
use std::{path::Path, sync::Arc, time::Duration};

/// How long a store may take for one thing; the box asks again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store of records; a clone is the same store.
#[derive(Clone)]
pub enum Records {
    /// For a single office.
    Directory(Arc<Directory>),
    /// For a fleet.
    Postgres(Arc<Postgres>),
}

/// Does the same in whichever store: with files on a thread that may wait for a disk, with a database for a while.
macro_rules! ask {
    ($records:expr, $($call:tt)*) => {
        match $records {
            Self::Directory(directory) => {
                let directory = Arc::clone(directory);
                let done = tokio::task::spawn_blocking(move || directory.$($call)*).await;
                done.map_err(StoreError::of("the work on the directory failed"))?
            }
            Self::Postgres(postgres) => match tokio::time::timeout(PATIENCE, postgres.$($call)*).await {
                Ok(done) => done,
                Err(late) => Err(StoreError::of("the database does not answer")(late)),
            },
        }
    };
}

impl Records {
    /// Records in a directory that no other receiver uses.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn in_directory(root: &Path) -> Result<Self, StoreError> {
        let opened = Directory::receive(root).map_err(StoreError::of("the directory"))?;
        Ok(Self::Directory(Arc::new(opened)))
    }

    /// The same for a command, which may run beside the receiver.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn beside(root: &Path) -> Result<Self, StoreError> {
        let opened = Directory::visit(root).map_err(StoreError::of("the directory"))?;
        Ok(Self::Directory(Arc::new(opened)))
    }

    /// Records in a database, `ca` the authority of its certificate.
    ///
    /// # Errors
    /// It does not answer, or is not to be trusted with records.
    pub async fn in_database(url: &str, ca: Option<&Path>) -> Result<Self, StoreError> {
        Ok(Self::Postgres(Arc::new(Postgres::open(url, ca).await?)))
    }

    /// Whether the store answers.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        ask!(self, ready())
    }

    /// Lets a box send under the digest of its token; `None` ends that, and what it sent stays.
    ///
    /// # Errors
    /// The store does not do it.
    pub async fn admit(&self, id: BoxId, name: &str, token: Option<[u8; 32]>) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => directory.admit(id, name, token),
            Self::Postgres(postgres) => postgres.admit(id, name, token).await,
        }
    }

    /// One box.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn fleet_box(&self, id: BoxId) -> Result<Option<FleetBox>, StoreError> {
        ask!(self, fleet_box(id))
    }

    /// All boxes.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn fleet(&self) -> Result<Vec<FleetBox>, StoreError> {
        ask!(self, fleet())
    }

    /// Takes a batch, all of it or nothing; an answer for each record, in order.
    pub(super) async fn take(
        &self,
        id: BoxId,
        batch: Batch,
        records: Vec<Arrived>,
        now: WallTime,
    ) -> Result<Vec<Taken>, StoreError> {
        ask!(self, take(id, &batch, &records, now))
    }

    /// Calls of a box below a number, the highest number first.
    pub(super) async fn calls(
        &self,
        id: BoxId,
        below: u64,
        limit: usize,
    ) -> Result<Vec<StoredCall>, StoreError> {
        ask!(self, calls(id, below, limit))
    }

    /// What is there of a recording: once for each digest it ever had.
    pub(super) async fn recording(
        &self,
        id: BoxId,
        recording: RecordingId,
    ) -> Result<Vec<RecordingReceipt>, StoreError> {
        ask!(self, recording(id, recording))
    }

    /// Notes, durably, that a recording is there.
    pub(super) async fn receive_recording(
        &self,
        id: BoxId,
        receipt: RecordingReceipt,
    ) -> Result<(), StoreError> {
        ask!(self, receive_recording(id, &receipt))
    }

    /// What is not there of the calls 1..=`calls`.
    pub(super) async fn gaps(&self, id: BoxId, calls: u64) -> Result<Gaps, StoreError> {
        ask!(self, gaps(id, calls))
    }

    /// The newest site of a box.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn site(&self, id: BoxId) -> Result<Option<SignedSite>, StoreError> {
        ask!(self, site(id))
    }

    /// Sets a box's site.
    ///
    /// # Errors
    /// The store does not do it; also if somebody else has set one of this version.
    pub async fn set_site(&self, id: BoxId, site: SignedSite) -> Result<(), StoreError> {
        ask!(self, set_site(id, &site))
    }
}
