//! The stored calls as the page reads them, and the desk that takes requests about them.

use super::site;
use crate::{
    config::Config,
    id::CallId,
    io::{clock::Clock, recording_file::Audio, storage::Desk, store::Index},
    ledger::Book,
    note::{Account, Part},
    number::Dialplan,
    record::CallRecord,
    recording::{
        request::{Answer, Listing, Refused, Request},
        vault::{Kek, Unlock},
    },
    time::WallTime,
    web::{Calls, RetentionDesk, SealedAudio},
};
use std::{io, ops::Range, path::Path, sync::Arc};

/// Finished calls of the index; "today" is the office's.
pub(super) struct StoredCalls {
    pub(super) index: Index,
    pub(super) clock: Clock,
    pub(super) zone: jiff::tz::TimeZone,
    /// How numbers are dialled at the office.
    pub(super) plan: Dialplan,
    /// Opens encrypted recordings, if the box has its key.
    pub(super) kek: Option<Kek>,
}

impl StoredCalls {
    /// The calls of an index, where the configuration says that the office is.
    pub(super) fn of(config: &Config, index: Index, clock: Clock, kek: Option<Kek>) -> Self {
        let (zone, plan) = (site::time_zone(config), site::dialplan(config));
        Self { index, clock, zone, plan, kek }
    }

    fn midnight(&self) -> WallTime {
        let now = i64::try_from(self.clock.wall().0).unwrap_or(0);
        let stamp = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
        let midnight = stamp.to_zoned(self.zone.clone()).start_of_day();
        let ms = midnight.map_or(now, |at| at.timestamp().as_millisecond());
        WallTime(u64::try_from(ms).unwrap_or(0))
    }
}

impl Calls for StoredCalls {
    fn today(&self, limit: usize) -> Vec<CallRecord> {
        self.index.since(self.midnight(), limit).unwrap_or_else(|error| {
            tracing::warn!(%error, "the page shows no calls: the index cannot be read");
            Vec::new()
        })
    }

    fn recent(&self, limit: usize) -> Vec<CallRecord> {
        self.index.page(None, limit).unwrap_or_default()
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.index.get(call).ok().flatten()
    }

    fn book(&self) -> Arc<dyn Book> {
        Arc::new(self.index.clone())
    }

    fn place(&self) -> (jiff::tz::TimeZone, Dialplan) {
        (self.zone.clone(), self.plan)
    }

    fn open_sealed(&self, recording: &Path) -> io::Result<Arc<dyn SealedAudio>> {
        Ok(Arc::new(Sealed(Audio::open(recording, self.kek.as_ref().map(Unlock::Box))?)))
    }
}

/// An encrypted recording that has been opened.
struct Sealed(Audio);

impl SealedAudio for Sealed {
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn read_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.0.read_range(range)
    }
}

impl RetentionDesk for Desk {
    fn ask(&self, request: &Request) -> Result<Answer, Refused> {
        self.ask(request)
    }

    fn listing(&self) -> Option<Listing> {
        self.listing()
    }

    fn kept_until(&self, record: &CallRecord) -> Option<(Part, WallTime)> {
        self.kept_until(record)
    }

    fn account(&self, by: &str, did: &str, on: &str) -> Result<(), Refused> {
        self.account(by, did, on)
    }

    fn audit(&self, limit: usize) -> Option<Vec<Account>> {
        self.audit(limit)
    }
}
