//! What a record says of its recording, at every stage.

use crate::{
    id::{CallId, RecordingId},
    io::{
        box_key::BoxKey,
        files::{self, ENCRYPTED, RECORDING},
        recording_file::Finished,
    },
    record::{CallRecord, Recording, RecordingState},
    recording::{completeness, seal},
    time::WallTime,
};

/// A recording of a call that is being written, with the cipher's name if it is encrypted; its id is still to be set.
pub(super) fn begun(call: CallId, start_time: WallTime, encryption: Option<&str>) -> Recording {
    let extension = if encryption.is_some() { ENCRYPTED } else { RECORDING };
    Recording {
        state: RecordingState::Writing,
        codec: "opus".to_owned(),
        container: "ogg".to_owned(),
        channels: 2,
        channel_map: vec!["caller".to_owned(), "office".to_owned()],
        path: Some(files::path_of(call, start_time, extension)),
        encryption: encryption.map(str::to_owned),
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
    let (hash, audio_hash) = (Some(file.hash), file.audio_hash);
    Recording { state, duration_ms, bytes: file.bytes, hash, audio_hash, ..begun }
}

/// Puts a recording's facts into the record of its call, as the next revision, and seals them.
pub(super) fn merge(record: &mut CallRecord, recording: Recording, key: Option<&BoxKey>) {
    let asked_for = [record.recording.expected_ms, record.timing_ms.talk.unwrap_or(0), recording.duration_ms];
    let expected_ms = asked_for.into_iter().find(|&ms| ms > 0).unwrap_or(0);
    record.recording = Recording { expected_ms, ..recording };
    record.rev += 1;
    completeness::judge(record);
    record.recording.seal = key.and_then(|key| seal::sealed_bytes(record).map(|bytes| key.sign(&bytes)));
}
