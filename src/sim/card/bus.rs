//! What the application's side and the line side of a simulated card share: both streams and their poll descriptors.

use super::stream::{Direction, Stream, Xrun};
use std::{
    io::{PipeReader, PipeWriter, Read, Write},
    os::fd::{AsRawFd, RawFd},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Why the card refuses the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `ENODEV`: the card was unplugged.
    Gone,
    /// `EPIPE`: the application was too late.
    Xrun,
}

impl From<Xrun> for Refusal {
    fn from(Xrun: Xrun) -> Self {
        Self::Xrun
    }
}

/// A pipe that holds one byte while its stream is ready, and hangs up when the card is unplugged.
struct Bell {
    reader: PipeReader,
    writer: Option<PipeWriter>,
    rung: bool,
}

impl Bell {
    fn new() -> std::io::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Self { reader, writer: Some(writer), rung: false })
    }

    fn set(&mut self, ready: bool) {
        match (self.rung, ready) {
            (false, true) => {
                self.rung = self.writer.as_mut().is_some_and(|pipe| pipe.write_all(&[1]).is_ok());
            }
            (true, false) => self.rung = self.reader.read_exact(&mut [0]).is_err(),
            (false, false) | (true, true) => {}
        }
    }
}

/// One stream with its bell.
pub(super) struct Side {
    pub(super) stream: Stream,
    bell: Bell,
}

impl Side {
    fn new(direction: Direction, slots: usize) -> std::io::Result<Self> {
        Ok(Self { stream: Stream::new(direction, slots), bell: Bell::new()? })
    }

    /// Makes the poll descriptor say what the stream says.
    fn ring(&mut self) {
        self.bell.set(self.stream.is_ready());
    }
}

pub(super) struct Wires {
    playback: Side,
    capture: Side,
    clock: u64,
    gone: bool,
}

impl Wires {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Playback => &mut self.playback,
            Direction::Capture => &mut self.capture,
        }
    }

    fn can_move(&self, frames: u64) -> bool {
        self.playback.stream.can_move(frames) && self.capture.stream.can_move(frames)
    }
}

/// The wires between application and line, used by both from their threads.
pub(super) struct Bus {
    pub(super) slots: usize,
    wires: Mutex<Wires>,
    served: Condvar,
}

impl Bus {
    pub(super) fn new(slots: usize) -> std::io::Result<Self> {
        let wires = Wires {
            playback: Side::new(Direction::Playback, slots)?,
            capture: Side::new(Direction::Capture, slots)?,
            clock: 0,
            gone: false,
        };
        Ok(Self { slots, wires: Mutex::new(wires), served: Condvar::new() })
    }

    // A panic of the line side never happens with the wires locked, so a poisoned lock still guards whole data.
    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application does something with one stream; afterwards its poll descriptor tells the truth again.
    pub(super) fn serve<T>(
        &self,
        direction: Direction,
        act: impl FnOnce(&mut Stream) -> Result<T, Xrun>,
    ) -> Result<T, Refusal> {
        let mut wires = self.wires();
        if wires.gone {
            return Err(Refusal::Gone);
        }
        let side = wires.side(direction);
        let done = act(&mut side.stream);
        side.ring();
        drop(wires);
        self.served.notify_one();
        Ok(done?)
    }

    /// The descriptor that becomes readable when the stream is ready; valid as long as the bus is.
    pub(super) fn poll_fd(&self, direction: Direction) -> RawFd {
        self.wires().side(direction).bell.reader.as_raw_fd()
    }

    /// The application lets go of a stream, unplugged or not.
    pub(super) fn close(&self, direction: Direction) {
        let mut wires = self.wires();
        let side = wires.side(direction);
        side.stream.close();
        side.ring();
    }

    /// First half of a step of the card: what the line is to hear.
    pub(super) fn play(&self, down: &mut [i16]) {
        self.wires().playback.stream.play(down);
    }

    /// Second half of a step: what the line said. Wakes the application.
    pub(super) fn record(&self, up: &[i16]) {
        let mut wires = self.wires();
        wires.clock += (up.len() / self.slots) as u64;
        wires.capture.stream.record(up);
        wires.capture.ring();
        wires.playback.ring();
    }

    /// Waits until the card can move by `frames` without an xrun, at most for `patience`.
    pub(super) fn wait_served(&self, frames: u64, patience: Duration) {
        let late = |wires: &mut Wires| !wires.gone && !wires.can_move(frames);
        drop(self.served.wait_timeout_while(self.wires(), patience, late));
    }

    /// Takes the card away: polls hang up, every call of the application fails.
    pub(super) fn unplug(&self) {
        let mut wires = self.wires();
        wires.gone = true;
        wires.playback.bell.writer = None;
        wires.capture.bell.writer = None;
        drop(wires);
        self.served.notify_one();
    }

    /// Frames since the card was plugged in, xruns of playback and of capture, whether both streams run.
    pub(super) fn counters(&self) -> (u64, u64, u64, bool) {
        let wires = self.wires();
        let running = wires.playback.stream.is_running() && wires.capture.stream.is_running();
        (wires.clock, wires.playback.stream.xruns(), wires.capture.stream.xruns(), running)
    }
}
