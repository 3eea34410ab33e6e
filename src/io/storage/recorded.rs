//! One recording as the storage thread writes it: from the tap to a finished file.

use super::facts;
use crate::{
    audio::tap_frame::TapFrame,
    id::{CallId, RecordingId},
    io::recording_file::{RecordingFile, Sealing},
    record::{Recording, RecordingState},
    recording::{
        encoder::{EncodeError, Encoding},
        lifecycle::Tags,
        recorder::{Output, Recorder},
        vault::{CIPHER, Vault},
    },
    time::Instant,
};
use std::{io, path::Path};

/// Frames of 20 ms encoded at once for one recording, so that all get their turn: 2 s.
const FRAMES_PER_TURN: u32 = 100;
/// Time between two `fdatasync`. A power cut costs that, the second on the page being filled, a turn of the thread and
/// the time that the disk takes: 5 s at most with a disk that takes half a second.
const SYNC_EVERY_MS: u64 = 3_250;

/// Why a recording stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault {
    /// The word that goes on the record.
    pub(super) fn why(&self) -> &'static str {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => "disk_full",
            Self::Io(_) => "disk_failed",
            Self::Encode(_) => "encoder_failed",
        }
    }
}

/// Whether a recording has more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The tap may bring more.
    Going,
    /// The tap is abandoned and empty.
    Over,
}

/// A recording being written.
pub(super) struct Active {
    tap: rtrb::Consumer<TapFrame>,
    recorder: Recorder,
    file: RecordingFile,
    begun: Recording,
    synced_at: Instant,
}

impl Active {
    /// Begins a recording, encrypted if there is a vault.
    pub(super) fn begin(
        (data_dir, vault): (&Path, Option<&Vault>),
        (call, recording): (CallId, RecordingId),
        (tags, encoding): (&Tags, Encoding),
        tap: rtrb::Consumer<TapFrame>,
        now: Instant,
        output: &mut Output,
    ) -> Result<Self, Fault> {
        let begun = facts::begun(call, tags.start_time, vault.map(|_| CIPHER));
        let begun = Recording { id: Some(recording), ..begun };
        let sealing = vault.map(|vault| Sealing { vault, recording, call });
        output.clear();
        let recorder = Recorder::with(encoding, recording, tags, output)?;
        let mut file = RecordingFile::create(data_dir, begun.path.as_deref().unwrap_or_default(), sealing)?;
        file.append(output)?;
        Ok(Self { tap, recorder, file, begun, synced_at: now })
    }

    /// Encodes and writes what the tap holds, up to 2 s of it.
    pub(super) fn turn(&mut self, now: Instant, output: &mut Output) -> Result<Progress, Fault> {
        output.clear();
        // Asked before the tap is found empty: what was pushed before the media thread let go is still taken.
        let abandoned = self.tap.is_abandoned();
        let mut progress = Progress::Going;
        let mut frames = 0;
        while frames < FRAMES_PER_TURN {
            if self.recorder.step(output)? {
                frames += 1;
            } else if let Ok(frame) = self.tap.pop() {
                self.recorder.push(frame);
            } else {
                if abandoned {
                    progress = Progress::Over;
                }
                break;
            }
        }
        self.file.append(output)?;
        if now.ms_since(self.synced_at) >= SYNC_EVERY_MS {
            self.synced_at = now;
            self.file.sync()?;
        }
        Ok(progress)
    }

    /// Closes the recording, with what the tap still holds.
    pub(super) fn close(mut self, output: &mut Output) -> (Recording, Option<Fault>) {
        match self.take_rest(output) {
            Err(fault) => (self.stop(&fault), Some(fault)),
            Ok(()) if self.recorder.duration_ms() == 0 => {
                let fault = self.file.remove().err().map(Fault::Io);
                (no_audio(self.begun), fault)
            }
            Ok(()) => {
                let (duration_ms, gap_ms) = (self.recorder.duration_ms(), self.recorder.gap_ms());
                let begun = Recording { gap_ms, pauses: self.recorder.pauses(), ..self.begun };
                match self.file.finish() {
                    Ok(file) => (facts::finished(begun, RecordingState::Closed, duration_ms, file), None),
                    Err(error) => (unfinished(begun, "disk_failed"), Some(Fault::Io(error))),
                }
            }
        }
    }

    /// Stops after a fault and keeps what is whole.
    pub(super) fn stop(self, fault: &Fault) -> Recording {
        let (gap_ms, pauses) = (self.recorder.gap_ms(), self.recorder.pauses());
        let begun = Recording { gap_ms, pauses, ..self.begun };
        match self.file.abandon() {
            Ok(Some(kept)) => {
                let state = RecordingState::Recovered;
                let recording = facts::finished(begun, state, kept.duration_ms, kept.finished);
                Recording { why_none: Some(fault.why().to_owned()), ..recording }
            }
            Ok(None) => Recording { path: None, ..unfinished(begun, fault.why()) },
            Err(_) => unfinished(begun, fault.why()),
        }
    }

    /// Leaves the file as it is after a panic.
    pub(super) fn give_up(self) -> Recording {
        unfinished(self.begun, "storage_panicked")
    }

    fn take_rest(&mut self, output: &mut Output) -> Result<(), Fault> {
        output.clear();
        while let Ok(frame) = self.tap.pop() {
            while self.recorder.step(output)? {}
            self.recorder.push(frame);
        }
        self.recorder.finish(output)?;
        Ok(self.file.append(output)?)
    }
}

fn unfinished(begun: Recording, why: &str) -> Recording {
    Recording { state: RecordingState::Failed, why_none: Some(why.to_owned()), ..begun }
}

fn no_audio(begun: Recording) -> Recording {
    Recording { path: None, ..unfinished(begun, "no_audio") }
}
