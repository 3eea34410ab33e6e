//! What is sent, at the pace that the calls leave.

use crate::{
    io::clock::Clock,
    sync::budget::{Budget, Grant, Kind},
};
use std::{
    io::{self, Read},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// A piece that has more than this to go when a call begins is broken off and goes on in smaller ones.
const MOST_IN_A_CALL: u64 = 128 << 10;
/// Bytes asked of the bucket at once.
const STEP_BYTES: usize = 4 << 10;

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ended {
    /// A call began.
    #[error("a call began")]
    Call,
    /// The daemon stops.
    #[error("the daemon stops")]
    Stop,
}

/// Who says how fast.
pub(super) struct Pace<'a> {
    pub(super) budget: &'a mut Budget,
    pub(super) clock: Clock,
    pub(super) calls_up: &'a AtomicUsize,
    pub(super) stopping: &'a AtomicBool,
}

/// A body that the bucket gives out.
pub(super) struct Paced<'a, R> {
    pub(super) inner: R,
    pub(super) left: u64,
    pub(super) kind: Kind,
    pub(super) pace: Pace<'a>,
}

impl<R: Read> Read for Paced<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len()).min(STEP_BYTES);
        if wanted == 0 {
            return Ok(0);
        }
        let granted = self.wait(wanted)?;
        let length = self.inner.read(out.get_mut(..granted).unwrap_or_default())?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}

impl<R> Paced<'_, R> {
    fn wait(&mut self, wanted: usize) -> io::Result<usize> {
        loop {
            if self.pace.stopping.load(Ordering::Relaxed) {
                return Err(io::Error::other(Ended::Stop));
            }
            let calls = self.pace.calls_up.load(Ordering::Relaxed);
            if calls > 0 && self.kind == Kind::Recording && self.left > MOST_IN_A_CALL {
                return Err(io::Error::other(Ended::Call));
            }
            match self.pace.budget.take(wanted, self.kind, calls, self.pace.clock.now()) {
                Grant::Now(bytes) => return Ok(bytes),
                Grant::Wait(ms) => thread::sleep(Duration::from_millis(ms)),
                Grant::Paused => return Err(io::Error::other(Ended::Call)),
            }
        }
    }
}
