//! The seal of a recording: what the box signs when it closes one, so that neither the file nor what is said of it
//! can be changed unseen, and the recording can be shown to others together with its seal.
//!
//! The signed bytes are lines, in this order, each ended by a line feed:
//!
//! ```text
//! ringside.recording/1
//! box box_…
//! call cal_…
//! recording rec_…
//! blake3 64 hex digits
//! bytes 65536
//! duration_ms 20480
//! channels 2 ["caller","office"]
//! pause 4000 1500            one line for each: start and length in milliseconds
//! encryption -               the cipher's name, or `-`
//! ```

use crate::{
    id::{BoxId, CallId},
    record::{CallRecord, RecordingState},
};
use std::fmt::Write as _;

/// What is signed of a record's recording; `None` if there is no finished one.
#[must_use]
pub fn sealed_bytes(record: &CallRecord) -> Option<Vec<u8>> {
    let recording = &record.recording;
    let is_finished = matches!(recording.state, RecordingState::Closed | RecordingState::Recovered);
    let (true, Some(id), Some(hash)) = (is_finished, recording.id, &recording.hash) else { return None };
    let (box_id, call): (BoxId, CallId) = (record.box_id, record.id);
    // As JSON, a name that holds a line feed stays one line.
    let channels = serde_json::to_string(&recording.channel_map).ok()?;
    let mut text = format!(
        "ringside.recording/1\nbox {box_id}\ncall {call}\nrecording {id}\nblake3 {hash}\nbytes {}\nduration_ms {}\n",
        recording.bytes, recording.duration_ms
    );
    let _ = writeln!(text, "channels {} {channels}", recording.channels);
    for pause in &recording.pauses {
        let _ = writeln!(text, "pause {} {}", pause.at_ms, pause.duration_ms);
    }
    let encryption = recording.encryption.as_deref().unwrap_or("-");
    let _ = writeln!(text, "encryption {encryption}");
    Some(text.into_bytes())
}
