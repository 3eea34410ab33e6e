//! What is heard of an office line: keys, tones, voices, silence, caller ID.

use super::{caller_id, dtmf::Key, progress::Progress};

/// What the ear on a line has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once in a call; a box would be a heap call")]
pub enum Heard {
    /// A key began.
    Key(Key),
    /// It ended.
    KeyEnded(Key),
    /// A tone of the exchange.
    Progress(Progress),
    /// Somebody talks, or music plays.
    Speech,
    /// Nothing has been heard for a while.
    Silent {
        /// For how long, in ms.
        ms: u32,
    },
    /// A transmission of caller ID.
    CallerId(caller_id::Heard),
}
