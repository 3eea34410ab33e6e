//! The way of what people do with calls to the daemon.

use crate::{
    handling::{Edit, EditRefused},
    id::CallId,
    record::CallRecord,
};
use std::{fmt, sync::Arc};

/// Takes what people do with calls. It may wait for a disk and is called on a thread that may.
pub trait CallDesk: Send + Sync {
    /// Makes a change, by whom the audit log names; it is on the disk when this returns the record.
    ///
    /// # Errors
    /// Why it was not made.
    fn edit(&self, call: CallId, edit: &Edit, by: &str) -> Result<CallRecord, EditRefused>;

    /// The newest record of a call, also of one that is up.
    fn newest(&self, call: CallId) -> Option<CallRecord>;

    /// Pauses the recording of a call, or records again; nothing that is said from now on is recorded when this returns.
    ///
    /// # Errors
    /// Why it is as it was.
    fn pause(&self, call: CallId, pauses: bool, by: &str) -> Result<(), NotPaused>;
}

/// Why a recording was not paused or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPaused {
    /// Nobody is on the phone, or the call is not recorded.
    #[error("this call is not being recorded now")]
    NotRecorded,
    /// The daemon does not answer.
    #[error("the box does not answer; hang up if nothing more may be recorded")]
    NoAnswer,
}

/// The way to the daemon; a clone is the same way.
#[derive(Clone)]
pub struct Desk(Option<Arc<dyn CallDesk>>);

impl Desk {
    /// A way to `desk`.
    #[must_use]
    pub fn new(desk: impl CallDesk + 'static) -> Self {
        Self(Some(Arc::new(desk)))
    }

    /// The same way to a desk that others have too.
    #[cfg(test)]
    pub(super) fn shared(desk: Arc<dyn CallDesk>) -> Self {
        Self(Some(desk))
    }

    /// No way: nothing is written, and whoever tries is told so.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self(None)
    }

    pub(super) fn edit(&self, call: CallId, edit: &Edit, by: &str) -> Result<CallRecord, EditRefused> {
        self.0.as_ref().map_or(Err(EditRefused::NotWritten), |desk| desk.edit(call, edit, by))
    }

    pub(super) fn newest(&self, call: CallId) -> Option<CallRecord> {
        self.0.as_ref()?.newest(call)
    }

    pub(super) fn pause(&self, call: CallId, pauses: bool, by: &str) -> Result<(), NotPaused> {
        self.0.as_ref().map_or(Err(NotPaused::NoAnswer), |desk| desk.pause(call, pauses, by))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Desk" } else { "Desk (unavailable)" })
    }
}
