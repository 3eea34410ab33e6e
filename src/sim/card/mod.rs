//! The simulated sound card: N slots of 16 bits at 8 kHz, full duplex, behind the real libasound.
//!
//! An application opens `ringside:NAME` as it would open `hw:0,0` (`ringside` alone is the card `sim`): mapped areas,
//! poll, xruns. The other side of every slot is a [`LineSide`]. The card has the only clock: real time, with a settable
//! error and patience, or virtual time that moves when told.
//!
//! ```text
//!  application ⇄ libasound ⇄ ioplug ⇄ bus (two streams, two bells) ⇄ card clock ⇄ LineSide
//! ```

mod bus;
mod ioplug;
mod module;
mod pacer;
mod registry;
mod stream;

pub use registry::install;

use super::world::LineSide;
use bus::Bus;
use pacer::{Mover, Pacer};
use std::{sync::Arc, time::Duration};

/// Most slots of a card: three chains of eight ports and some to spare.
pub const MAX_SLOTS: usize = 32;

/// What a simulated card is like.
#[derive(Clone, Debug)]
pub struct CardSettings {
    /// The card is opened as PCM device `ringside:NAME`, and `sim` as `ringside` too; letters, digits, `-` and `_`.
    pub name: String,
    /// Time slots of the PCM bus, 1..=[`MAX_SLOTS`].
    pub slots: usize,
    /// Frames that the clock moves at once, as a DMA controller reports them; at most the application's period.
    pub step_frames: usize,
    /// What makes the clock go.
    pub clock: Clock,
}

/// What makes the card's clock go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// A thread, at 8000 frames per second of this machine.
    Real {
        /// Error of the card's crystal in parts per million, positive is fast.
        ppm: f64,
        /// How long the clock waits for a late application before it runs over it, and makes up for it afterwards.
        /// A real card has none; some keeps a busy test machine from making xruns that no box would see.
        patience: Duration,
    },
    /// [`Card::advance`] alone.
    Virtual,
}

/// What a card has counted since it was plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CardCounters {
    /// Frames moved.
    pub frames: u64,
    /// Times that playback ran dry.
    pub playback_xruns: u64,
    /// Times that capture ran over.
    pub capture_xruns: u64,
    /// Whether an application has both streams running.
    pub running: bool,
}

/// Why there is no simulated card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// See [`CardSettings`].
    #[error("simulated card `{0}`: {1}")]
    Settings(String, &'static str),
    /// Two cards cannot share a name.
    #[error("simulated card `{0}` is there already; give each card its own name and drop those not needed")]
    NameTaken(String),
    /// libasound cannot be pointed at the simulated card.
    #[error(
        "simulated card: no memory file for libasound's plugin: {0}; a 64-bit Linux with /proc is needed"
    )]
    Installation(std::io::Error),
    /// No pipe or no thread.
    #[error("simulated card `{0}`: {1}; check the limits on open files and threads")]
    Resources(String, std::io::Error),
}

/// A plugged-in simulated card; dropping it unplugs it.
pub struct Card {
    name: String,
    bus: Arc<Bus>,
    drive: Drive,
}

enum Drive {
    Thread(Pacer),
    Hand(Mover),
}

impl Card {
    /// Plugs a card in, with `line` on the far side of its slots.
    ///
    /// # Errors
    /// If the settings are out of range, the name is taken or the system is out of descriptors or threads.
    pub fn plug_in(settings: &CardSettings, line: Box<dyn LineSide>) -> Result<Self, CardError> {
        let name = settings.name.clone();
        if let Some(fault) = fault(settings) {
            return Err(CardError::Settings(name, fault));
        }
        install()?;
        let bus = Bus::new(settings.slots).map_err(|error| CardError::Resources(name.clone(), error))?;
        let bus = Arc::new(bus);
        let mover = Mover::new(Arc::clone(&bus), line, settings.step_frames);
        let drive = match settings.clock {
            Clock::Virtual => Drive::Hand(mover),
            Clock::Real { ppm, patience } => {
                let pacer = Pacer::start(mover, ppm, patience);
                Drive::Thread(pacer.map_err(|error| CardError::Resources(name.clone(), error))?)
            }
        };
        registry::add(&name, &bus)?;
        Ok(Self { name, bus, drive })
    }

    /// Moves a card in virtual time by `frames`; a card in real time moves by itself.
    pub fn advance(&mut self, frames: usize) {
        match &mut self.drive {
            Drive::Hand(mover) => mover.advance(frames),
            Drive::Thread(_) => {}
        }
    }

    /// What the card has counted.
    #[must_use]
    pub fn counters(&self) -> CardCounters {
        let (frames, playback_xruns, capture_xruns, running) = self.bus.counters();
        CardCounters { frames, playback_xruns, capture_xruns, running }
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        registry::remove(&self.name);
        match &mut self.drive {
            Drive::Thread(pacer) => pacer.stop(),
            Drive::Hand(_) => {}
        }
        self.bus.unplug();
    }
}

fn fault(settings: &CardSettings) -> Option<&'static str> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if settings.name.is_empty() || !settings.name.chars().all(named) {
        Some("the name must be letters, digits, `-` and `_`")
    } else if !(1..=MAX_SLOTS).contains(&settings.slots) {
        Some("it must have 1 to 32 slots")
    } else if settings.step_frames == 0 {
        Some("a step must be at least one frame")
    } else {
        None
    }
}
