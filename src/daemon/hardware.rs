//! The board under the daemon: real SPI devices and a real sound card, or the simulated ones.

use super::StartError;
use crate::{
    board::Profile,
    chip::si3050::country::{TBR21, Termination},
    config::Config,
    io::{
        line_io::{self, LineCommand, LineEvent, LineIo},
        pcm::PcmSettings,
    },
    time::Instant,
};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
};

/// The body of the `line-io` thread, for whatever SPI devices the board has.
pub(super) type LineLoop =
    Box<dyn FnOnce(&Receiver<LineCommand>, &dyn Fn() -> Instant, &mut dyn FnMut(LineEvent)) + Send>;

/// What keeps the board alive while the daemon runs.
pub(super) struct Hardware {
    #[cfg(feature = "sim")]
    simulated: Option<simulated::Simulated>,
}

/// A board that is ready to be used.
pub(super) struct Opened {
    pub(super) hardware: Hardware,
    pub(super) lines: LineLoop,
    pub(super) pcm: PcmSettings,
}

/// Reads the board profile that the configuration names.
///
/// # Errors
/// It cannot be read, or contradicts itself.
pub(super) fn profile(config: &Config, config_dir: &Path) -> Result<(Profile, PathBuf), StartError> {
    let path = config_dir.join(&config.board.profile);
    let bad = |why: String| StartError::Board { path: path.clone(), why };
    let text = std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
    let profile = Profile::parse(&text).map_err(|error| bad(error.to_string()))?;
    Ok((profile, path))
}

/// What a country's office lines ask for. One that the table does not have gets the world's most common line.
pub(super) fn termination(country: &str) -> Termination {
    Termination::of_country(country).unwrap_or(TBR21)
}

/// Opens the board.
///
/// # Errors
/// A device cannot be opened, or the simulated office is not as it should be.
pub(super) fn open(profile: &Profile, path: &Path, country: &str) -> Result<Opened, StartError> {
    let bad = |why: String| StartError::Board { path: path.to_owned(), why };
    let pcm = PcmSettings {
        device: profile.pcm.device.clone(),
        slots: usize::from(profile.pcm.slots),
        rate_hz: profile.pcm.rate,
        period_frames: profile.pcm.period as usize,
        periods: profile.pcm.periods as usize,
    };
    #[cfg(feature = "sim")]
    if let Some(sim) = &profile.sim {
        let office = path.parent().unwrap_or(Path::new(".")).join(&sim.office);
        let (simulated, lines) = simulated::Simulated::start(profile, &office, country).map_err(bad)?;
        return Ok(Opened { hardware: Hardware { simulated: Some(simulated) }, lines, pcm });
    }
    let devices = line_io::open_spidev(profile).map_err(|error| bad(error.to_string()))?;
    let lines = LineIo::new(profile, devices)
        .map_err(|error| bad(error.to_string()))?
        .with_termination(termination(country));
    let hardware = Hardware {
        #[cfg(feature = "sim")]
        simulated: None,
    };
    Ok(Opened { hardware, lines: Box::new(move |orders, now, emit| lines.run(orders, now, emit)), pcm })
}

#[cfg(feature = "sim")]
impl Hardware {
    /// The analog world of a simulated board.
    pub(super) const fn world(&self) -> Option<&crate::sim::world::SharedWorld> {
        match &self.simulated {
            Some(simulated) => Some(&simulated.world),
            None => None,
        }
    }
}

#[cfg(feature = "sim")]
mod simulated {
    use super::{LineIo, LineLoop, Profile, termination};
    use crate::sim::{
        card::{Card, CardSettings, Clock},
        exchange::Country,
        office::Office,
        spi::SimSpi,
        world::{SharedWorld, World},
    };
    use std::{path::Path, time::Duration};

    /// The card moves in steps of 2 ms, as a DMA controller would report them.
    const STEP_FRAMES: usize = 16;
    /// A busy machine may be this late before the simulated card runs over it.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// The simulated chips, lines, phones and people, and the sound card between them and us.
    pub(super) struct Simulated {
        pub(super) world: SharedWorld,
        _card: Card,
    }

    impl Simulated {
        pub(super) fn start(
            profile: &Profile,
            office: &Path,
            country: &str,
        ) -> Result<(Self, LineLoop), String> {
            let office = Office::load(office).map_err(|error| error.to_string())?;
            let mut world = World::new(profile, &office).map_err(|error| error.to_string())?;
            if let Some(country) = Country::of(country) {
                world.set_country(country);
            }
            let world = world.share();
            let devices = (0..profile.spi.len()).map(|chain| SimSpi::new(world.clone(), chain)).collect();
            let lines = LineIo::new(profile, devices)
                .map_err(|error| error.to_string())?
                .with_termination(termination(country));
            let settings = CardSettings {
                name: profile.pcm.device.split_once(':').map_or("sim", |(_, name)| name).to_owned(),
                slots: usize::from(profile.pcm.slots),
                step_frames: STEP_FRAMES,
                clock: Clock::Real { ppm: 0.0, patience: PATIENCE },
            };
            let card =
                Card::plug_in(&settings, Box::new(world.clone())).map_err(|error| error.to_string())?;
            let simulated = Self { world, _card: card };
            Ok((simulated, Box::new(move |orders, now, emit| lines.run(orders, now, emit))))
        }
    }
}
