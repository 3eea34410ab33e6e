//! All patches and sounds of one PCM card, driven by its clock.
//!
//! The media thread owns a [`PatchBay`], hands it each [`Command`] and calls [`PatchBay::tick`] once per period of the
//! card. Everything is allocated in [`PatchBay::new`]; what a command brings goes back in an [`Event`].

use super::control::{Command, Event, Sound};
use crate::{
    audio::tone::Generator,
    id::{RtpPort, Slot},
};
use std::{net::SocketAddr, sync::Arc};

/// Samples of one slot in one tick: 10 ms at 8 kHz.
pub const PERIOD: usize = 80;

/// The sockets of the RTP ports, as the data plane sees them; never blocks.
pub trait RtpIo {
    /// Receives one waiting datagram into `buf`, cut to its length; `None` if none waits.
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)>;

    /// Sends one datagram; one that cannot be sent now is dropped, as RTP that comes late is of no use.
    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]);
}

/// What a slot of the PCM bus carries toward its line.
#[derive(Debug, Default)]
enum SlotSound {
    #[default]
    Quiet,
    Once {
        samples: Arc<[i16]>,
        at: usize,
    },
    Tone(Generator),
}

/// All patches and per-slot sounds of one card.
#[derive(Debug)]
pub struct PatchBay {
    slots: Box<[SlotSound]>,
}

impl PatchBay {
    /// Room for `slots` slots of the PCM bus (1 to 256) and `rtp_ports` local RTP addresses (0 to 256); the only place
    /// that allocates.
    #[must_use]
    pub fn new(slots: usize, _rtp_ports: usize) -> Self {
        Self { slots: (0..slots).map(|_| SlotSound::default()).collect() }
    }

    /// Carries out a command; `clock` is the line clock of the next tick, in samples.
    pub fn handle(&mut self, command: Command, _clock: u64, events: &mut impl FnMut(Event)) {
        match command {
            Command::Play { slot, sound } => self.play(slot, sound, events),
            Command::Hush { slot } => self.replace(slot, SlotSound::Quiet, events),
            Command::Patch { .. } | Command::Change { .. } | Command::Unpatch { .. } => {}
        }
    }

    /// One period of all slots: `capture` and `playback` are [`PERIOD`] frames of as many interleaved samples as there
    /// are slots, and every sample of `playback` is written. `clock` is the line clock at the first frame, in samples;
    /// where it jumps ahead (an xrun), the patches skip the same time.
    pub fn tick(
        &mut self,
        _clock: u64,
        _capture: &[i16],
        playback: &mut [i16],
        _io: &mut impl RtpIo,
        _events: &mut impl FnMut(Event),
    ) {
        playback.fill(0);
    }

    fn play(&mut self, slot: Slot, sound: Sound, events: &mut impl FnMut(Event)) {
        let sound = match sound {
            Sound::Once(samples) => SlotSound::Once { samples, at: 0 },
            Sound::Tone(tone) => SlotSound::Tone(Generator::new(&tone)),
        };
        self.replace(slot, sound, events);
    }

    fn replace(&mut self, slot: Slot, sound: SlotSound, events: &mut impl FnMut(Event)) {
        let Some(place) = self.slots.get_mut(usize::from(slot.0)) else { return };
        if let SlotSound::Once { samples, .. } = std::mem::replace(place, sound) {
            events(Event::Spent(samples));
        }
    }
}
