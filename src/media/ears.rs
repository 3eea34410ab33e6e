//! What is listened for on both legs of a call: keys, fax tones, levels, audio that goes one way only, speech both ways.

use super::{control::Event, one_way::OneWay, tap::Leg, two_way::TwoWay};
use crate::{
    audio::{
        PERIOD,
        dtmf::{Heard, Key, Receiver},
        fax::Detector,
        meter::Meter,
        sound_report::{LegSound, SoundReport, tenths},
    },
    id::RtpPort,
};

/// Periods after a key of the caller in which the line says none: its echo may sound like one. 200 ms.
const ECHO_PERIODS: u8 = 20;
/// The same after what may become a key: the line's receiver may be sure of the echo before the caller's is of the key.
const ECHO_OF_SUSPECTED_PERIODS: u8 = 5;

/// The receiver knows the start of a key to 3 ms; the recording is silent from 5 ms before it.
const MASK_MARGIN: usize = 40;

/// Listens to one leg.
#[derive(Debug)]
struct Ear {
    keys: Receiver,
    fax: Detector,
    meter: Meter,
}

impl Ear {
    fn new() -> Self {
        Self { keys: Receiver::new(), fax: Detector::new(), meter: Meter::default() }
    }
}

/// A key pressed at the phone, as the trunk is to hear of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OfficeKey {
    /// No key: the line is heard as it is.
    #[default]
    None,
    /// It may be the start of a key.
    Suspected,
    /// A key began so many samples before the end of this period.
    Began(Key, u32),
    /// It goes on.
    Held,
    /// It is over.
    Ended,
}

impl From<Heard> for OfficeKey {
    fn from(heard: Heard) -> Self {
        match heard {
            Heard::Nothing => Self::None,
            Heard::Suspected { .. } => Self::Suspected,
            Heard::Began { key, start } => Self::Began(key, samples_back(start)),
            Heard::Held(_) => Self::Held,
            Heard::Ended { .. } => Self::Ended,
        }
    }
}

/// Listens to both legs of one call.
#[derive(Debug)]
pub(super) struct Ears {
    caller: Ear,
    office: Ear,
    one_way: OneWay,
    two_way: TwoWay,
    /// Periods left in which a key on the line is taken for the echo of the caller's.
    echo: u8,
    is_fax: bool,
}

/// What a period said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// A key pressed at the phone.
    pub(super) key: OfficeKey,
    /// So many of the last samples of the caller's leg are a key's.
    pub(super) caller_key_samples: usize,
    /// So many of the last samples of the office's leg are a key's.
    pub(super) office_key_samples: usize,
}

impl Ears {
    pub(super) fn new() -> Self {
        Self {
            caller: Ear::new(),
            office: Ear::new(),
            one_way: OneWay::default(),
            two_way: TwoWay::new(),
            echo: 0,
            is_fax: false,
        }
    }

    /// Whether a fax or a modem was heard: nothing may be done to the sound any more.
    pub(super) const fn is_fax(&self) -> bool {
        self.is_fax
    }

    /// Levels of both legs in the whole call.
    pub(super) fn sound(&self) -> SoundReport {
        let [caller, office] = [&self.caller, &self.office].map(|ear| LegSound {
            active_tenths_dbm0: ear.meter.active_dbm0().and_then(tenths),
            clipped: ear.meter.clipped(),
        });
        SoundReport { caller, office, ..SoundReport::default() }
    }

    /// Silence is meant: the call is held.
    pub(super) fn expect_silence(&mut self) {
        self.one_way.forget();
    }

    /// One period of both legs. `plays_key`: the caller's leg carries a key that we made of an event.
    pub(super) fn hear(
        &mut self,
        rtp: RtpPort,
        (caller, office): (&[i16; PERIOD], &[i16; PERIOD]),
        plays_key: bool,
        events: &mut impl FnMut(Event),
    ) -> Said {
        let energies = (self.caller.meter.hear(caller), self.office.meter.hear(office));
        if let Some(silent) = self.one_way.hear(energies.0, energies.1) {
            events(Event::OneWay { rtp, silent: silent.map(Leg::kind) });
        }
        if self.is_fax {
            return Said::default();
        }
        let legs = [(&mut self.caller, caller, Leg::Caller), (&mut self.office, office, Leg::Office)];
        for (ear, leg, kind) in legs {
            if let Some(tone) = ear.fax.hear(leg) {
                self.is_fax = true;
                events(Event::Fax { rtp, from: kind.kind(), tone });
            }
        }
        let said = self.keys(caller, office, plays_key);
        self.two_way.hear(Leg::Caller, caller, energies.0, said.caller_key_samples > 0);
        self.two_way.hear(Leg::Office, office, energies.1, said.office_key_samples > 0);
        if self.two_way.is_news() {
            events(Event::TwoWay { rtp });
        }
        said
    }

    fn keys(&mut self, caller: &[i16; PERIOD], office: &[i16; PERIOD], plays_key: bool) -> Said {
        let (caller, office) = (self.caller.keys.hear(caller), self.office.keys.hear(office));
        let echo = match caller {
            Heard::Nothing if !plays_key => 0,
            Heard::Suspected { .. } if !plays_key => ECHO_OF_SUSPECTED_PERIODS,
            _ => ECHO_PERIODS,
        };
        self.echo = echo.max(self.echo.saturating_sub(1));
        let key = if self.echo > 0 { OfficeKey::None } else { office.into() };
        let played = if plays_key { PERIOD } else { 0 };
        Said { key, caller_key_samples: masked(caller).max(played), office_key_samples: masked(office) }
    }
}

/// Samples from `start`, relative to the begin of this period, to its end.
fn samples_back(start: i32) -> u32 {
    u32::try_from(PERIOD as i32 - start).unwrap_or(0)
}

/// How many of the last samples are a key's.
fn masked(heard: Heard) -> usize {
    match heard {
        Heard::Began { start, .. } => samples_back(start) as usize + MASK_MARGIN,
        Heard::Held(_) | Heard::Ended { .. } => PERIOD,
        Heard::Nothing | Heard::Suspected { .. } => 0,
    }
}
