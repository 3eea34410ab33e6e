//! Something that happened on the box and that others are told of.

use super::Kind;
use crate::{id::CallId, record::CallRecord, time::WallTime};
use std::sync::Arc;

/// A body has fewer bytes (Standard Webhooks, "payload size"); a larger one is sent without its details.
pub const MAX_BODY_BYTES: usize = 20_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// `webhook-id`: the same for the same happening, however often and after whatever restart it is told.
    pub id: String,
    /// What kind of thing.
    pub kind: Kind,
    /// When.
    pub at: WallTime,
    /// What is said of it.
    pub data: Data,
}

/// What is said of a happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// This JSON.
    Written(Arc<str>),
    /// The stored record of a call, as it is when it is told.
    Record {
        /// The call.
        call: CallId,
        /// Number of the call on this box.
        seq: u64,
    },
}

impl Happening {
    /// Something about a call that happens once in its life, said in `json`.
    #[must_use]
    pub fn of_call(kind: Kind, call: CallId, at: WallTime, json: String) -> Self {
        Self { id: once(kind, call), kind, at, data: Data::Written(json.into()) }
    }

    /// A call is over, since `at`, and its record is stored.
    #[must_use]
    pub fn post_call(call: CallId, seq: u64, at: WallTime) -> Self {
        Self::stored(Kind::PostCall, call, seq, at)
    }

    /// The same from the stored record.
    #[must_use]
    pub fn post_call_of(record: &CallRecord) -> Self {
        Self::post_call(record.id, record.seq, ended_at(record))
    }

    /// The recording of a call can be played.
    #[must_use]
    pub fn recording_ready(call: CallId, seq: u64, at: WallTime) -> Self {
        Self::stored(Kind::RecordingReady, call, seq, at)
    }

    /// A stored record was changed: each revision is a happening of its own.
    #[must_use]
    pub fn call_modified(call: CallId, (seq, rev): (u64, u32), at: WallTime) -> Self {
        let id = format!("{}-{rev}", once(Kind::CallModified, call));
        Self { id, ..Self::stored(Kind::CallModified, call, seq, at) }
    }

    /// Something about the box itself, the `n`-th since it was started; `boot` is random and fresh at every start.
    #[must_use]
    pub fn of_box(kind: Kind, (boot, n): (u64, u64), at: WallTime, json: String) -> Self {
        let id = format!("{}-{boot:016x}-{n}", kind.name());
        Self { id, kind, at, data: Data::Written(json.into()) }
    }

    fn stored(kind: Kind, call: CallId, seq: u64, at: WallTime) -> Self {
        Self { id: once(kind, call), kind, at, data: Data::Record { call, seq } }
    }

    /// The JSON body `{type, timestamp, data}`. `record` answers for [`Data::Record`]; `None` if there is no record any
    /// more.
    #[must_use]
    pub fn body(&self, record: impl FnOnce(CallId) -> Option<CallRecord>) -> Option<String> {
        let (data, thin) = match &self.data {
            Data::Written(json) => (json.to_string(), "{}".to_owned()),
            Data::Record { call, .. } => {
                let record = record(*call)?;
                let thin = format!("{{\"id\":\"{call}\",\"rev\":{}}}", record.rev);
                (serde_json::to_string(&record).ok()?, thin)
            }
        };
        let body = |data: &str| {
            format!("{{\"type\":\"{}\",\"timestamp\":\"{}\",\"data\":{data}}}", self.kind.name(), self.at)
        };
        Some(body(&data)).filter(|body| body.len() < MAX_BODY_BYTES).or_else(|| Some(body(&thin)))
    }
}

/// When a call ended, as its record has it.
#[must_use]
pub fn ended_at(record: &CallRecord) -> WallTime {
    WallTime(record.start_time.0.saturating_add(record.timing_ms.total))
}

/// Id of what happens once to a call. No full stop in it: that is what separates the parts of what is signed.
fn once(kind: Kind, call: CallId) -> String {
    format!("{}-{call}", kind.name())
}
