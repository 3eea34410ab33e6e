//! The call bubble: what the office sees from the first ring.

use crate::{
    id::CallId,
    number::E164,
    record::{Ended, LegKind, Presentation},
    time::WallTime,
};
use serde::Serialize;

/// A live call as the office sees it. Each change is a new `rev` of the same `call`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bubble {
    /// The call.
    pub call: CallId,
    /// Revision, 1-based; a page keeps the highest it has seen.
    pub rev: u32,
    /// Colour and wording.
    pub state: BubbleState,
    /// When the call came in.
    pub start_time: WallTime,
    /// The caller's number, if it may be shown.
    pub caller_number: Option<E164>,
    /// Whether it may be shown.
    pub presentation: Presentation,
    /// The caller's name, if the trunk gave one and it may be shown.
    pub caller_name: Option<String>,
    /// Whether the trunk vouches for the number (3GPP TS 24.229 7.2A.20 `verstat`).
    pub verified: bool,
    /// The tracking number that was called.
    pub tracking_number: E164,
    /// Name of its campaign.
    pub campaign: String,
    /// Port that answered.
    pub port: Option<String>,
    /// When a handset went off hook.
    pub answered_at: Option<WallTime>,
    /// Whether the call is being recorded.
    pub recording: bool,
    /// The side that is not heard although the other one talks.
    pub silent: Option<LegKind>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Why it was not put through, or not to its end: `line_lost`.
    pub why: Option<String>,
}

/// State of a bubble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BubbleState {
    /// The phones ring: green.
    Ringing,
    /// Somebody is talking: green, with a timer.
    Live,
    /// Somebody is talking and the recording is paused: amber.
    Paused,
    /// The call is over: grey.
    Ended,
}
