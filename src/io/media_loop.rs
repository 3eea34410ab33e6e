//! The media thread: carries out commands, waits for the card, and hands each period to the patch bay.
//!
//! The card is the only thing waited for; RTP is received and sent at its pace. Rings without locks join this thread to
//! signalling. In steady state nothing here allocates, locks or logs; [`MediaStatus`] is what others read instead.
//!
//! ```text
//!   signalling ── commands ──▶ MediaLoop ⇄ Pcm (card)
//!       ▲                         │  └──── RtpIo (sockets)
//!       └──── events, bell ───────┘
//! ```

use super::pcm::{Pcm, PcmError};
use crate::media::{
    PatchBay, RtpIo,
    control::{Command, Event},
};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Commands or events on their way. Every event but two per patch answers a command, and signalling takes events
/// before it commands again, so neither ring fills on a box of 24 ports.
const RING_ENTRIES: usize = 1024;

/// A card that does not work is tried again so often.
const RETRY: Duration = Duration::from_secs(1);

/// Longest wait for the card or for the next try before the loop looks at commands and at the stop flag again.
const WAIT_MS: u32 = 100;

/// What other threads may know about the media thread; all counted since it started.
#[derive(Debug, Default)]
pub struct MediaStatus {
    /// Whether the card works.
    pub card_up: AtomicBool,
    /// Line clock in frames.
    pub clock: AtomicU64,
    /// Periods handled.
    pub periods: AtomicU64,
    /// Times that the thread was too late for the card.
    pub xruns: AtomicU64,
    /// Frames of the line's time that passed unhandled.
    pub missed_frames: AtomicU64,
    /// Events lost because nobody took them.
    pub events_lost: AtomicU64,
}

/// Signalling's end of the rings.
#[derive(Debug)]
pub struct MediaControl {
    /// Orders; a full ring means that the media thread is stuck.
    pub commands: rtrb::Producer<Command>,
    /// Reports.
    pub events: rtrb::Consumer<Event>,
    /// Becomes readable when events wait.
    pub bell: Bell,
    /// Counters and health.
    pub status: Arc<MediaStatus>,
}

/// A non-blocking stream that becomes readable when events wait.
#[derive(Debug)]
pub struct Bell(pub UnixStream);

impl Bell {
    /// Makes it quiet again; do so before taking events, so that none is missed.
    pub fn hush(&mut self) {
        let mut rings = [0; 64];
        while self.0.read(&mut rings).is_ok_and(|bytes| bytes == rings.len()) {}
    }
}

/// The media thread's end of the rings.
struct Reports {
    events: rtrb::Producer<Event>,
    bell: UnixStream,
    status: Arc<MediaStatus>,
}

impl Reports {
    fn report(&mut self, event: Event) {
        if self.events.push(event).is_err() {
            self.status.events_lost.fetch_add(1, Ordering::Relaxed);
        }
        // A full stream is a bell that rings already.
        let _ = self.bell.write(&[1]);
    }
}

/// Everything the media thread owns.
pub struct MediaLoop<S> {
    pcm: Pcm,
    bay: PatchBay,
    sockets: S,
    commands: rtrb::Consumer<Command>,
    reports: Reports,
    retry_at: Option<Instant>,
}

impl<S: RtpIo> MediaLoop<S> {
    /// Joins the card, which may be closed still, the patches and the sockets.
    ///
    /// # Errors
    /// If the system is out of descriptors.
    pub fn new(pcm: Pcm, bay: PatchBay, sockets: S) -> io::Result<(Self, MediaControl)> {
        let (command_in, commands) = rtrb::RingBuffer::new(RING_ENTRIES);
        let (event_in, events) = rtrb::RingBuffer::new(RING_ENTRIES);
        let (ringer, bell) = UnixStream::pair()?;
        ringer.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        let status = Arc::new(MediaStatus::default());
        let reports = Reports { events: event_in, bell: ringer, status: Arc::clone(&status) };
        let media = Self { pcm, bay, sockets, commands, reports, retry_at: None };
        Ok((media, MediaControl { commands: command_in, events, bell: Bell(bell), status }))
    }

    /// Waits for the card, at most `timeout_ms`, carries out what was commanded and handles every period that is there;
    /// how many that were.
    ///
    /// # Errors
    /// If the card does not work; it is opened again a second later, by a later turn.
    pub fn turn(&mut self, timeout_ms: u32) -> Result<u32, PcmError> {
        let turned = if self.pcm.is_open() { self.serve(timeout_ms) } else { self.retry(timeout_ms) };
        if turned.is_err() {
            self.pcm.close();
            self.retry_at = Some(Instant::now() + RETRY);
        }
        self.publish();
        turned
    }

    /// Turns until told to stop. Logs when the card is lost and when it is back, and nothing else.
    pub fn run(&mut self, stopping: &AtomicBool) {
        let mut lost = false;
        while !stopping.load(Ordering::Relaxed) {
            match self.turn(WAIT_MS) {
                Ok(0) => {}
                Ok(_) if lost => {
                    lost = false;
                    tracing::info!("the sound card works again");
                }
                Ok(_) => {}
                Err(_) if lost => {}
                Err(error) => {
                    lost = true;
                    tracing::error!("no audio on any line: {error}");
                }
            }
        }
    }

    fn serve(&mut self, timeout_ms: u32) -> Result<u32, PcmError> {
        let waited = self.pcm.wait(timeout_ms);
        self.obey();
        waited?;
        let Self { pcm, bay, sockets, reports, .. } = self;
        let mut periods = 0;
        while pcm.turn(|clock, capture, playback| {
            bay.tick(clock, capture, playback, sockets, &mut |event| reports.report(event));
        })? {
            periods += 1;
        }
        Ok(periods)
    }

    /// Without a card there is no time to wait by but this machine's.
    fn retry(&mut self, timeout_ms: u32) -> Result<u32, PcmError> {
        self.obey();
        let left = self.retry_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            self.pcm.reopen()?;
        } else {
            std::thread::sleep(left.min(Duration::from_millis(timeout_ms.into())));
        }
        Ok(0)
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.pop() {
            let reports = &mut self.reports;
            self.bay.handle(command, self.pcm.clock(), &mut |event| reports.report(event));
        }
    }

    fn publish(&self) {
        let (status, counters) = (&self.reports.status, self.pcm.counters());
        status.card_up.store(self.pcm.is_open(), Ordering::Relaxed);
        status.clock.store(self.pcm.clock(), Ordering::Relaxed);
        status.periods.store(counters.periods, Ordering::Relaxed);
        status.xruns.store(counters.xruns, Ordering::Relaxed);
        status.missed_frames.store(counters.missed_frames, Ordering::Relaxed);
    }
}
