//! What people do with calls, on its way from the page to storage and to the signalling thread.

use super::signalling::Message;
use crate::{
    handling::{Edit, EditRefused},
    id::CallId,
    io::storage::Desk,
    record::CallRecord,
    web::{CallDesk, NotPaused},
};
use std::{sync::mpsc::sync_channel, time::Duration};
use tokio::sync::mpsc;

/// How long the signalling thread may take to pass an order on.
const PATIENCE: Duration = Duration::from_secs(2);

/// The office's desk of the running daemon.
pub(super) struct OfficeDesk {
    pub(super) desk: Desk,
    pub(super) signalling: mpsc::Sender<Message>,
}

impl CallDesk for OfficeDesk {
    fn edit(&self, call: CallId, edit: &Edit, by: &str) -> Result<CallRecord, EditRefused> {
        self.desk.edit(call, edit, by)
    }

    fn newest(&self, call: CallId) -> Option<CallRecord> {
        self.desk.newest(call)
    }

    fn pause(&self, call: CallId, pauses: bool, by: &str) -> Result<(), NotPaused> {
        let (answer, done) = sync_channel(1);
        let order = Message::Pause { call, pauses, answer };
        self.signalling.try_send(order).map_err(|_| NotPaused::NoAnswer)?;
        let is_done = done.recv_timeout(PATIENCE).map_err(|_| NotPaused::NoAnswer)?;
        if !is_done {
            return Err(NotPaused::NotRecorded);
        }
        let did = if pauses { "paused the recording" } else { "resumed the recording" };
        // It is done; a journal that takes nothing is told of elsewhere.
        if let Err(error) = self.desk.account(by, did, &call.to_string()) {
            tracing::error!(%call, by, did, %error, "not in the audit log");
        }
        Ok(())
    }
}
