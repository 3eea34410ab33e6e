//! Calls as the tests of this suite take them.

use crate::storage::{call, ended, noise, recording, ringing, tags, tapped};
use ringside::{
    audio::tap_frame::TapFrame,
    id::CallId,
    io::{
        clock::Clock,
        storage::{Options, Storage, recover, start},
    },
    record::{Ended, Recording},
    recording::lifecycle::{Command, Event},
};
use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Longer than the index waits before it is tried again.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// Starts storage, with what it reports.
pub(crate) fn begin(dir: &Path, clock: Clock) -> (Storage, Receiver<Event>) {
    recover(dir, &Options::default(), clock).unwrap();
    let (report, events) = channel();
    let options = Options { ballast_bytes: 1 << 20, ..Options::default() };
    (start(dir, &options, clock, move |event| drop(report.send(event))).unwrap(), events)
}

/// A call that nobody could take.
pub(crate) fn busy(storage: &Storage, seq: u64) {
    storage.send(Command::Ringing(ringing(seq)));
    storage.send(Command::Save(ended(seq, Ended::Busy)));
}

/// A recorded call from begin to end, with so much audio.
pub(crate) fn recorded(storage: &Storage, seq: u64, ms: usize) {
    storage.send(Command::Ringing(ringing(seq)));
    let frames = audio(ms);
    let (mut tap, ring) = rtrb::RingBuffer::new(frames.len());
    storage.start_recording(call(seq), recording(seq), tags(seq), ring);
    frames.into_iter().for_each(|frame| tap.push(frame).unwrap());
    drop(tap);
    storage.send(Command::Save(ended(seq, Ended::CallerHungUp)));
}

/// Both legs of a call for so long.
pub(crate) fn audio(ms: usize) -> Vec<TapFrame> {
    tapped(0, &noise(1, ms * 8), &noise(2, ms * 8))
}

/// Waits until the call's record is saved.
pub(crate) fn wait_saved(events: &Receiver<Event>, seq: u64) {
    loop {
        match events.recv_timeout(WAIT).expect("the call is saved") {
            Event::Saved { call: saved } if saved == call(seq) => return,
            _ => {}
        }
    }
}

/// Waits until the call's recording is closed.
pub(crate) fn wait_recorded(events: &Receiver<Event>, call: CallId) -> Recording {
    loop {
        match events.recv_timeout(WAIT).expect("the recording is closed") {
            Event::Recorded { call: recorded, recording } if recorded == call => return *recording,
            _ => {}
        }
    }
}
