//! The PCM bus of the line codecs: one interleaved full-duplex ALSA card, a period of every slot at a time.
//!
//! Samples are read and written where the card's DMA has them (mapped access). Capture is the clock: it is polled, and
//! playback is kept two periods ahead of it. Nothing here allocates, locks or logs once the streams run.
//!
//! ```text
//!            open            2 periods of silence, start             avail_update: EPIPE
//!  closed ──────────▶ prepared ──────────▶ running ──────────────────────────▶ xrun
//!     ▲                   ▲                    │ ENODEV, nothing for 1 s          │ counted, clock moved on
//!     │                   └────────────────────┼──────────────────────────────────┘
//!     └──── reopen, once a second ─── gone ◀───┘
//! ```

use alsa::{
    Direction, ValueOr,
    pcm::{Access, Format, Frames, HwParams, IO, PCM, State},
    poll::{Descriptors, pollfd},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// Periods of silence that playback starts with, and so its lead over capture.
pub const PREFILL_PERIODS: usize = 2;

/// A card from which nothing came for so long is gone.
const SILENT_CARD_MS: u32 = 1000;

/// How the card is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcmSettings {
    /// ALSA device: `hw:0,0`, `ringside:sim`.
    pub device: String,
    /// Time slots of the bus, each one channel.
    pub slots: usize,
    /// Frames per second: 8000.
    pub rate_hz: u32,
    /// Frames that are handled at once: 80 is 10 ms.
    pub period_frames: usize,
    /// Periods in the card's buffer, more than [`PREFILL_PERIODS`].
    pub periods: usize,
}

/// What the card has done since it was opened first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcmCounters {
    /// Periods handled.
    pub periods: u64,
    /// Times that we were too late: the line heard silence and what it said was lost.
    pub xruns: u64,
    /// Frames of the line's time that passed unhandled in xruns and while the card was gone.
    pub missed_frames: u64,
}

/// Why the card does not work. Open it anew, at most once a second.
#[derive(Debug, thiserror::Error)]
pub enum PcmError {
    /// A call failed.
    #[error("sound card `{device}`, {direction}: {call}: {source}; {remedy}")]
    Call {
        /// The device as configured.
        device: String,
        /// `playback` or `capture`.
        direction: &'static str,
        /// The libasound function.
        call: &'static str,
        /// Its error.
        source: io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The card gave other sizes than it was asked for.
    #[error(
        "sound card `{device}`: it has periods of {period_frames} frames and a buffer of {buffer_frames}; \
         correct `pcm` in the board profile"
    )]
    Sizes {
        /// The device as configured.
        device: String,
        /// Frames per period that it gave.
        period_frames: i64,
        /// Frames in the buffer that it gave.
        buffer_frames: i64,
    },
    /// The settings contradict themselves.
    #[error("sound card `{device}`: {fault}; correct `pcm` in the board profile")]
    Settings {
        /// The device as configured.
        device: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// The card is open and gives no audio.
    #[error("sound card `{device}`: no audio for 1 s; check the codec's clock and frame sync")]
    Silent {
        /// The device as configured.
        device: String,
    },
}

/// The open card and the line's clock.
pub struct Pcm {
    settings: PcmSettings,
    streams: Option<Streams>,
    clock: u64,
    /// When the last period was handled or the streams were restarted.
    handled_at: Option<Instant>,
    idle_ms: u32,
    counters: PcmCounters,
}

struct Streams {
    playback: PCM,
    capture: PCM,
    descriptors: Vec<pollfd>,
}

/// A failed libasound call on one of the streams.
struct Failure {
    direction: Direction,
    call: &'static str,
    errno: i32,
}

impl Failure {
    fn of(direction: Direction) -> impl Fn(alsa::Error) -> Self {
        move |error| Self { direction, call: error.func(), errno: error.errno() }
    }
}

impl Pcm {
    /// A card not yet opened, for [`Pcm::reopen`].
    #[must_use]
    pub fn closed(settings: PcmSettings) -> Self {
        Self {
            settings,
            streams: None,
            clock: 0,
            handled_at: None,
            idle_ms: 0,
            counters: PcmCounters::default(),
        }
    }

    /// Opens the card and starts it with [`PREFILL_PERIODS`] of silence.
    ///
    /// # Errors
    /// If the card is not there, is taken, or cannot do what the settings say.
    pub fn open(settings: PcmSettings) -> Result<Self, PcmError> {
        let mut pcm = Self::closed(settings);
        pcm.reopen()?;
        Ok(pcm)
    }

    /// Closes the card and opens it anew, after an error. The line's clock goes on by the time that passed.
    ///
    /// # Errors
    /// As [`Pcm::open`]; the card stays closed and may be tried again.
    pub fn reopen(&mut self) -> Result<(), PcmError> {
        self.streams = None;
        self.streams = Some(Streams::open(&self.settings)?);
        self.idle_ms = 0;
        self.pass_missed_time();
        Ok(())
    }

    /// Closes the card, so that others can have it.
    pub fn close(&mut self) {
        self.streams = None;
    }

    /// Whether the card is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.streams.is_some()
    }

    /// Frames of the line's time at the start of the next period, since the card was opened first. Never goes back.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// What the card has done.
    #[must_use]
    pub fn counters(&self) -> PcmCounters {
        self.counters
    }

    /// Waits until a period is there, at most `timeout_ms`; false if none came. A signal ends the wait early.
    ///
    /// # Errors
    /// If the card is closed, or has been silent for a second of such waits.
    pub fn wait(&mut self, timeout_ms: u32) -> Result<bool, PcmError> {
        let Some(streams) = &mut self.streams else {
            return Err(self.not_open());
        };
        let timeout = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
        match alsa::poll::poll(&mut streams.descriptors, timeout) {
            Ok(0) => self.idle_ms = self.idle_ms.saturating_add(timeout_ms),
            Ok(_) => {
                let failure = Failure::of(Direction::Capture);
                let events = streams.capture.revents(&streams.descriptors).map_err(failure);
                return events.map(|events| !events.is_empty()).map_err(|failure| self.error(&failure));
            }
            Err(error) if error.errno() == libc::EINTR => {}
            Err(error) => return Err(self.error(&Failure::of(Direction::Capture)(error))),
        }
        if self.idle_ms >= SILENT_CARD_MS {
            return Err(PcmError::Silent { device: self.settings.device.clone() });
        }
        Ok(false)
    }

    /// Hands one period to `handle`, if one is there: the line's clock at its start, what was captured, and what is to
    /// be played, to be written whole. Both are interleaved frames of all slots in the card's own memory.
    ///
    /// Call it until it returns false, then [`Pcm::wait`]. A late call is counted as an xrun and recovered from here.
    ///
    /// # Errors
    /// If the card is gone.
    pub fn turn(&mut self, handle: impl FnMut(u64, &[i16], &mut [i16])) -> Result<bool, PcmError> {
        let Some(streams) = &self.streams else {
            return Err(self.not_open());
        };
        match streams.turn(&self.settings, self.clock, handle) {
            Ok(true) => {
                self.clock += self.settings.period_frames as u64;
                self.counters.periods += 1;
                self.idle_ms = 0;
                self.handled_at = Some(Instant::now());
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(failure) if failure.errno == libc::EPIPE => self.recover(),
            Err(failure) => Err(self.error(&failure)),
        }
    }

    fn recover(&mut self) -> Result<bool, PcmError> {
        if let Some(streams) = &self.streams {
            streams.restart(&self.settings).map_err(|failure| self.error(&failure))?;
        }
        self.counters.xruns += 1;
        self.pass_missed_time();
        Ok(false)
    }

    /// The card does not say how much it dropped, so this machine's clock does; right to about a period.
    fn pass_missed_time(&mut self) {
        let now = Instant::now();
        let passed = self.handled_at.map_or(Duration::ZERO, |handled_at| now - handled_at);
        let missed = frames_in(passed, self.settings.rate_hz);
        self.clock += missed;
        self.counters.missed_frames += missed;
        self.handled_at = Some(now);
    }

    fn not_open(&self) -> PcmError {
        self.error(&Failure { direction: Direction::Capture, call: "snd_pcm_open", errno: libc::ENODEV })
    }

    fn error(&self, failure: &Failure) -> PcmError {
        failure.explain(&self.settings)
    }
}

impl Failure {
    fn explain(&self, settings: &PcmSettings) -> PcmError {
        PcmError::Call {
            device: settings.device.clone(),
            direction: match self.direction {
                Direction::Playback => "playback",
                Direction::Capture => "capture",
            },
            call: self.call,
            source: io::Error::from_raw_os_error(self.errno),
            remedy: match self.errno {
                libc::ENOENT | libc::ENODEV | libc::ENXIO => {
                    "check `pcm.device` in the board profile and that the codec's driver is loaded (aplay -l)"
                }
                libc::EBUSY => "another program has it: fuser -v /dev/snd/*",
                libc::EACCES | libc::EPERM => "add the user to the group `audio`",
                libc::EINVAL => {
                    "the card cannot do these slots, rate or periods; correct `pcm` in the board profile"
                }
                _ => "it is tried again each second; see the kernel log",
            },
        }
    }
}

fn frames_in(time: Duration, rate_hz: u32) -> u64 {
    u64::try_from(time.as_micros() * u128::from(rate_hz) / 1_000_000).unwrap_or(u64::MAX)
}

impl Streams {
    fn open(settings: &PcmSettings) -> Result<Self, PcmError> {
        if settings.periods <= PREFILL_PERIODS || settings.slots == 0 || settings.period_frames == 0 {
            let fault = "at least 1 slot, periods of at least 1 frame and 3 of them are needed";
            return Err(PcmError::Settings { device: settings.device.clone(), fault });
        }
        let open = |direction| {
            let configured = configure(settings, direction).map_err(Failure::of(direction));
            configured.map_err(|failure| failure.explain(settings))
        };
        let playback = open(Direction::Playback)?;
        let capture = open(Direction::Capture)?;
        for pcm in [&playback, &capture] {
            check_sizes(settings, pcm)?;
        }
        // Linked streams start at the same frame. Not every card can; then they start back to back.
        let _ = playback.link(&capture);
        let explain = |failure: Failure| failure.explain(settings);
        let descriptors = capture.get().map_err(Failure::of(Direction::Capture)).map_err(explain)?;
        let streams = Self { playback, capture, descriptors };
        streams.restart(settings).map_err(explain)?;
        Ok(streams)
    }

    /// Starts both streams from nothing, whatever state they are in.
    fn restart(&self, settings: &PcmSettings) -> Result<(), Failure> {
        let (playback, capture) = (Failure::of(Direction::Playback), Failure::of(Direction::Capture));
        // Dropping fails on a stream that is not running, which is as good.
        let _ = self.capture.drop();
        let _ = self.playback.drop();
        self.capture.prepare().map_err(&capture)?;
        self.playback.prepare().map_err(&playback)?;
        for _ in 0..PREFILL_PERIODS {
            self.playback.avail_update().map_err(&playback)?;
            let silence = |frames: &mut [i16]| {
                frames.fill(0);
                frames.len() / settings.slots
            };
            samples(&self.playback).mmap(settings.period_frames, silence).map_err(&playback)?;
        }
        self.playback.start().map_err(&playback)?;
        if self.capture.state() != State::Running {
            self.capture.start().map_err(&capture)?;
        }
        Ok(())
    }

    fn turn(
        &self,
        settings: &PcmSettings,
        clock: u64,
        mut handle: impl FnMut(u64, &[i16], &mut [i16]),
    ) -> Result<bool, Failure> {
        let (playback, capture) = (Failure::of(Direction::Playback), Failure::of(Direction::Capture));
        let period = settings.period_frames;
        if self.capture.avail_update().map_err(&capture)? < period as Frames {
            return Ok(false);
        }
        let late =
            || Failure { direction: Direction::Playback, call: "snd_pcm_mmap_begin", errno: libc::EPIPE };
        if self.playback.avail_update().map_err(&playback)? < period as Frames {
            return Err(late()); // The streams lost their distance.
        }
        // The buffer is whole periods and so is every move: an area never wraps within a period.
        let mut played = Ok(0);
        let captured = samples(&self.capture).mmap(period, |heard| {
            played = samples(&self.playback).mmap(period, |said| {
                let whole = heard.len() == period * settings.slots && said.len() == heard.len();
                if whole {
                    handle(clock, heard, said);
                }
                if whole { period } else { 0 }
            });
            heard.len() / settings.slots
        });
        let moved = (captured.map_err(&capture)?, played.map_err(&playback)?);
        if moved == (period, period) { Ok(true) } else { Err(late()) }
    }
}

/// The mapped areas of a stream that `configure` made.
#[allow(unsafe_code)]
fn samples(pcm: &PCM) -> IO<'_, i16> {
    // SAFETY: `configure` set 16-bit samples, and every use is the only one of its stream at the time: playback and
    // capture are different streams.
    unsafe { pcm.io_unchecked() }
}

fn configure(settings: &PcmSettings, direction: Direction) -> alsa::Result<PCM> {
    let pcm = PCM::new(&settings.device, direction, true)?;
    let period = settings.period_frames as Frames;
    {
        let hardware = HwParams::any(&pcm)?;
        hardware.set_access(Access::MMapInterleaved)?;
        hardware.set_format(Format::S16LE)?;
        hardware.set_channels(u32::try_from(settings.slots).unwrap_or(u32::MAX))?;
        hardware.set_rate(settings.rate_hz, ValueOr::Nearest)?;
        hardware.set_period_size(period, ValueOr::Nearest)?;
        hardware.set_buffer_size(period * settings.periods as Frames)?;
        pcm.hw_params(&hardware)?;
        let software = pcm.sw_params_current()?;
        software.set_avail_min(period)?;
        software.set_start_threshold(Frames::from(i32::MAX))?; // only by `start`
        pcm.sw_params(&software)?;
    }
    Ok(pcm)
}

fn check_sizes(settings: &PcmSettings, pcm: &PCM) -> Result<(), PcmError> {
    let sizes = pcm.hw_params_current().and_then(|set| Ok((set.get_period_size()?, set.get_buffer_size()?)));
    let (period_frames, buffer_frames) = sizes.unwrap_or((0, 0));
    let period = settings.period_frames as Frames;
    if (period_frames, buffer_frames) == (period, period * settings.periods as Frames) {
        return Ok(());
    }
    Err(PcmError::Sizes { device: settings.device.clone(), period_frames, buffer_frames })
}
