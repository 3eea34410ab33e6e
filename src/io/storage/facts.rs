//! What a record says of its recording, at every stage.

use crate::{
    id::{CallId, RecordingId},
    io::{
        box_key::BoxKey,
        files::{self, RECORDING},
        recording_file::Finished,
    },
    record::{CallRecord, Recording, RecordingState},
    recording::seal,
    time::WallTime,
};

/// A recording of a call that is being written; its id is still to be set.
pub(super) fn begun(call: CallId, start_time: WallTime) -> Recording {
    Recording {
        state: RecordingState::Writing,
        codec: "opus".to_owned(),
        container: "ogg".to_owned(),
        channels: 2,
        channel_map: vec!["caller".to_owned(), "office".to_owned()],
        path: Some(files::path_of(call, start_time, RECORDING)),
        ..Recording::default()
    }
}

/// A recording of which there is no file.
pub(super) fn failed(recording: RecordingId, state: RecordingState, why_none: &str) -> Recording {
    Recording { id: Some(recording), state, why_none: Some(why_none.to_owned()), ..Recording::default() }
}

/// A recording whose file is there and finished.
pub(super) fn finished(
    begun: Recording,
    state: RecordingState,
    duration_ms: u64,
    file: Finished,
) -> Recording {
    Recording { state, duration_ms, bytes: file.bytes, hash: Some(file.hash), ..begun }
}

/// Puts a recording's facts into the record of its call, as the next revision, and seals them.
pub(super) fn merge(record: &mut CallRecord, recording: Recording, key: &BoxKey) {
    let asked_for = [record.recording.expected_ms, record.timing_ms.talk.unwrap_or(0), recording.duration_ms];
    let expected_ms = asked_for.into_iter().find(|&ms| ms > 0).unwrap_or(0);
    record.recording = Recording { expected_ms, ..recording };
    record.rev += 1;
    record.recording.seal = seal::sealed_bytes(record).map(|bytes| key.sign(&bytes));
}
