//! The board under the daemon: real SPI devices and a real sound card, or the simulated ones.

use super::StartError;
use crate::{
    board::Profile,
    chip::si3050::country::{TBR21, Termination},
    config::Config,
    io::{
        button::KeyButton,
        leds::{self, LedClass},
        line_io::{self, LineCommand, LineEvent, LineIo},
        pcm::PcmSettings,
        relay, thermal,
    },
    panel::{Button, DeviceError, Leds, Relay},
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

/// Tells how hot the box is, °C; `None` if nothing tells.
pub(super) type Celsius = Box<dyn FnMut() -> Option<i16> + Send>;

/// LEDs, button, relay and sensors of a board. What is not there is left out: a box without a lamp carries calls.
pub(super) struct Front {
    pub(super) leds: Box<dyn Leds>,
    pub(super) button: Option<Box<dyn Button>>,
    pub(super) relay: Option<Box<dyn Relay>>,
    /// The hottest sensor in °C.
    pub(super) celsius: Celsius,
}

/// A board that is ready to be used.
pub(super) struct Opened {
    pub(super) hardware: Hardware,
    pub(super) front: Front,
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
        let front = simulated.front();
        return Ok(Opened { hardware: Hardware { simulated: Some(simulated) }, front, lines, pcm });
    }
    let devices = line_io::open_spidev(profile).map_err(|error| bad(error.to_string()))?;
    let lines = LineIo::new(profile, devices)
        .map_err(|error| bad(error.to_string()))?
        .with_termination(termination(country));
    let hardware = Hardware {
        #[cfg(feature = "sim")]
        simulated: None,
    };
    let lines: LineLoop = Box::new(move |orders, now, emit| lines.run(orders, now, emit));
    Ok(Opened { hardware, front: front(profile), lines, pcm })
}

/// Opens what the kernel has of the front panel.
fn front(profile: &Profile) -> Front {
    let warn = |error: DeviceError| tracing::warn!("{error}");
    let (leds, complaints) = LedClass::open(Path::new(leds::LED_CLASS), profile);
    complaints.into_iter().for_each(warn);
    let button = profile.button.as_ref().map(KeyButton::open).transpose();
    let relay = relay::open(Path::new(relay::DEVICES), &profile.gpio);
    Front {
        leds: Box::new(leds),
        button: button.map_err(warn).ok().flatten().map(|button| Box::new(button) as Box<dyn Button>),
        relay: relay.map_err(warn).ok().flatten().map(|relay| Box::new(relay) as Box<dyn Relay>),
        celsius: Box::new(|| thermal::hottest(Path::new(thermal::THERMAL_CLASS))),
    }
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

    /// The front panel of a simulated board.
    pub(super) const fn panel(&self) -> Option<&crate::sim::panel::SimPanel> {
        match &self.simulated {
            Some(simulated) => Some(&simulated.panel),
            None => None,
        }
    }
}

#[cfg(feature = "sim")]
mod simulated {
    use super::{Front, Instant, LineIo, LineLoop, Profile, Relay, termination};
    use crate::sim::{
        card::{Card, CardSettings, Clock},
        exchange::Country,
        office::Office,
        panel::SimPanel,
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
        pub(super) panel: SimPanel,
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
            let panel = SimPanel::new(profile);
            if let Some(pair) = profile.lifeline_pairs().next().filter(|_| office.lifeline_contacts) {
                let contacts = panel.clone();
                world.wire_lifeline(pair, move || contacts.is_joined());
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
            for press in &office.presses {
                panel.press_at(Instant::ZERO.after_ms(press.at_ms), press.hold_ms);
            }
            let simulated = Self { world, panel, _card: card };
            Ok((simulated, Box::new(move |orders, now, emit| lines.run(orders, now, emit))))
        }

        pub(super) fn front(&self) -> Front {
            let panel = self.panel.clone();
            Front {
                leds: Box::new(panel.leds()),
                button: Some(Box::new(panel.button())),
                relay: panel.relay().map(|relay| Box::new(relay) as Box<dyn Relay>),
                celsius: Box::new(move || panel.celsius()),
            }
        }
    }
}
