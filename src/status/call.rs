//! The calls of a snapshot.

use crate::{id::CallId, number::E164, record::Presentation, time::WallTime};
use serde::{Deserialize, Serialize};

/// One call that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallStatus {
    /// To a tracking number.
    Tracked(Box<TrackedCall>),
    /// Straight to the forwarding number: passed through.
    Direct(UntrackedCall),
    /// Dialled by a handset.
    DialOut(UntrackedCall),
    /// Dialled by a handset, to an emergency number.
    Emergency(UntrackedCall),
}

/// A call to a tracking number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackedCall {
    /// The call.
    pub call: CallId,
    /// How far it is.
    pub state: TrackedState,
    /// When it came in.
    pub since: WallTime,
    /// When a handset went off hook.
    pub answered_at: Option<WallTime>,
    /// The caller's number, if it may be shown.
    pub caller_number: Option<E164>,
    /// Whether it may be shown.
    pub presentation: Presentation,
    /// The caller's name, if the trunk gave one and it may be shown.
    pub caller_name: Option<String>,
    /// The tracking number that was called.
    pub tracking_number: E164,
    /// Name of its campaign.
    pub campaign: String,
    /// Port that answered.
    pub port: Option<String>,
    /// Whether it is being recorded.
    pub recording: bool,
    /// How it sounds at this moment; absent until the legs are joined.
    pub sound: Option<CallSound>,
}

/// How far a tracked call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackedState {
    /// The phones ring.
    Ringing,
    /// Somebody is on the phone.
    Talking,
}

/// How a call sounds at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallSound {
    /// Level of the trunk side in dBm0; absent in digital silence.
    pub caller_dbm0: Option<f32>,
    /// Level of the line side in dBm0.
    pub office_dbm0: Option<f32>,
    /// Playout depth in ms: how long received audio waits before it is heard.
    pub playout_ms: u32,
    /// Packets that were not heard, in percent of those due, 0 to 100.
    pub loss_percent: f32,
    /// Interarrival jitter in ms (RFC 3550 6.4.1).
    pub jitter_ms: u32,
    /// Estimated mean opinion score, 1.0 to 4.5 (ITU-T G.107); absent until there is enough to judge by.
    pub mos: Option<f32>,
}

/// A call that is passed through. There is no place for a number here, and none for a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UntrackedCall {
    /// The office line; absent if the trunk carries an emergency call.
    pub line: Option<String>,
    /// The phone; absent while a direct call rings.
    pub phone: Option<String>,
    /// When it began.
    pub since: WallTime,
}
