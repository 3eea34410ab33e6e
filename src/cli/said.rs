//! What a terminal says of a call and the live page shows in another way.

use crate::{
    record::{CallRecord, Ended, RecordingState},
    web::wording,
};
use jiff::{Timestamp, tz::TimeZone};

/// When a call came in, in `zone`.
pub(super) fn start(record: &CallRecord, zone: &TimeZone) -> String {
    let ms = i64::try_from(record.start_time.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// How a call's recording stands.
pub(super) fn recording(record: &CallRecord) -> String {
    let recording = &record.recording;
    match recording.state {
        RecordingState::Closed => wording::duration(recording.duration_ms),
        RecordingState::Recovered => format!("{} (cut short)", wording::duration(recording.duration_ms)),
        RecordingState::Writing => "being written".to_owned(),
        RecordingState::Failed => "failed".to_owned(),
        RecordingState::Erased => "erased".to_owned(),
        RecordingState::None if record.outcome.ended == Ended::InProgress => String::new(),
        RecordingState::None => {
            recording.why_none.as_deref().map_or_else(|| "none".to_owned(), wording::plain)
        }
    }
}
