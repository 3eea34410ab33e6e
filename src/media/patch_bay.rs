//! All patches and sounds of one PCM card, driven by its clock.
//!
//! The media thread owns a [`PatchBay`], hands it each [`Command`] and calls [`PatchBay::tick`] once per period of the
//! card. Everything is allocated in [`PatchBay::new`]; what a command brings goes back in an [`Event`].

use super::{
    ahead::{Ahead, MAX_LEAD_PERIODS},
    control::{Command, Event, PatchCounters, Sound, TapFrame, Trunk},
    ears::Ears,
    line_end::LineEnd,
    patch::Patch,
    rtcp::Farewell,
    rtp_io::RtpIo,
};
use crate::{
    audio::{
        PERIOD,
        interleaved::{Column, ColumnMut},
        tone::Generator,
    },
    id::{RtpPort, Slot},
    rtp::playout::Playout,
};
use std::sync::Arc;

pub use super::line_end::PortAudio;

/// What a slot of the PCM bus carries toward its line.
#[derive(Debug, Default)]
enum Carries {
    #[default]
    Silence,
    Once {
        samples: Arc<[i16]>,
        at: usize,
    },
    Tone(Generator),
    Call(RtpPort),
}

/// One slot of the PCM bus.
#[derive(Debug)]
struct Jack {
    carries: Carries,
    line: LineEnd,
}

/// Whether calls are listened to for keys, fax, levels and one-way audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listening {
    /// Always, on a box.
    #[default]
    On,
    /// Never: a bench measures what the rest costs.
    Off,
}

/// All patches and per-slot sounds of one card.
#[derive(Debug)]
pub struct PatchBay {
    jacks: Box<[Jack]>,
    /// By RTP port.
    patches: Box<[Option<Patch>]>,
    /// What patches that ended say in the next tick, by RTP port, and whether there is any.
    farewells: Box<[Option<Farewell>]>,
    must_say: bool,
    /// Playout buffers of the ports that are not patched.
    playouts: Vec<Playout>,
    /// Periods from writing to the card to the line.
    lead: usize,
    listening: Listening,
}

impl PatchBay {
    /// Room for `slots` slots of the PCM bus (1 to 256) and `rtp_ports` local RTP addresses (0 to 256); the only place
    /// that allocates.
    #[must_use]
    pub fn new(slots: usize, rtp_ports: usize) -> Self {
        // What the detectors share is made with the first of them: now, and not in a tick.
        let _made = Ears::new();
        Self {
            jacks: (0..slots)
                .map(|_| Jack { carries: Carries::Silence, line: LineEnd::new(PortAudio::default()) })
                .collect(),
            patches: (0..rtp_ports).map(|_| None).collect(),
            farewells: (0..rtp_ports).map(|_| None).collect(),
            must_say: false,
            playouts: (0..rtp_ports).map(|_| Playout::default()).collect(),
            lead: 0,
            listening: Listening::On,
        }
    }

    /// How the port on a slot is set; a slot that is not there is passed over.
    #[must_use]
    pub fn with_port(mut self, slot: Slot, audio: PortAudio) -> Self {
        if let Some(jack) = self.jacks.get_mut(usize::from(slot.0)) {
            jack.line = LineEnd::new(audio);
        }
        self
    }

    /// Whether calls are listened to.
    #[must_use]
    pub fn with_listening(self, listening: Listening) -> Self {
        Self { listening, ..self }
    }

    /// For a card that plays what it is given `periods` later, 0 to 4: recordings have both legs as they were on the
    /// line at one moment.
    #[must_use]
    pub fn with_lead(self, periods: usize) -> Self {
        Self { lead: periods.min(MAX_LEAD_PERIODS), ..self }
    }

    /// Carries out a command; `clock` is the line clock of the next tick, in samples.
    ///
    /// A command that names a slot or a port that is not there gives back what it brought.
    pub fn handle(&mut self, command: Command, clock: u64, events: &mut impl FnMut(Event)) {
        match command {
            Command::Patch { rtp, slot, trunk, source, rtcp_seed, notice, tap } => {
                self.unpatch(rtp, events);
                self.hush(slot, events);
                self.patch((rtp, slot), trunk, (source, rtcp_seed), (notice, tap), clock, events);
            }
            Command::Change { rtp, trunk } => {
                if let Some(patch) = self.patch_mut(rtp) {
                    patch.change(trunk, clock);
                }
            }
            Command::Announce { rtp, waiting } => {
                let left = match self.patch_mut(rtp) {
                    Some(patch) => patch.announce_waiting(waiting),
                    None => Some(waiting),
                };
                if let Some(waiting) = left {
                    events(Event::Announced { rtp, outcome: None, waiting });
                }
            }
            Command::Unpatch { rtp } => self.unpatch(rtp, events),
            Command::Play { slot, sound } => self.play(slot, sound, events),
            Command::Hush { slot } => {
                if !matches!(self.carries(slot), Some(Carries::Call(_))) {
                    self.hush(slot, events);
                }
            }
        }
    }

    /// One period of all slots: `capture` and `playback` are [`PERIOD`] frames of as many interleaved samples as there
    /// are slots, and every sample of `playback` is written. `clock` is the line clock at the first frame, in samples;
    /// where it jumps ahead (an xrun), the patches skip the same time.
    pub fn tick(
        &mut self,
        clock: u64,
        capture: &[i16],
        playback: &mut [i16],
        io: &mut impl RtpIo,
        events: &mut impl FnMut(Event),
    ) {
        if std::mem::take(&mut self.must_say) {
            self.farewells.iter_mut().filter_map(Option::take).for_each(|farewell| farewell.say(io));
        }
        playback.fill(0);
        let slots = self.jacks.len();
        for (slot, Jack { carries, line }) in self.jacks.iter_mut().enumerate() {
            if let Carries::Silence = carries {
                continue;
            }
            let mut column = ColumnMut::new(playback, slots, slot);
            match carries {
                Carries::Silence => {}
                Carries::Once { .. } => carries.play_once(column.lend(), events),
                Carries::Tone(tone) => column.samples().for_each(|sample| *sample = tone.advance()),
                Carries::Call(rtp) => {
                    if let Some(Some(patch)) = self.patches.get_mut(usize::from(rtp.0)) {
                        let capture = Column::new(capture, slots, slot);
                        patch.tick(clock, (line, capture), &mut column, io, events);
                    }
                }
            }
            line.play(&mut column);
        }
    }

    fn patch(
        &mut self,
        (rtp, slot): (RtpPort, Slot),
        trunk: Trunk,
        source: ((u32, u16, u32), u128),
        (notice, tap): (Option<Arc<[i16]>>, Option<rtrb::Producer<TapFrame>>),
        clock: u64,
        events: &mut impl FnMut(Event),
    ) {
        let (Some(jack), Some(place)) =
            (self.jacks.get_mut(usize::from(slot.0)), self.patches.get_mut(usize::from(rtp.0)))
        else {
            notice.into_iter().for_each(|samples| events(Event::Spent(samples)));
            events(Event::Unpatched { rtp, counters: PatchCounters::default(), tap });
            return;
        };
        // One buffer for each port: the pool holds one whenever a port is free.
        let playout = self.playouts.pop().unwrap_or_default();
        jack.carries = Carries::Call(rtp);
        jack.line.begin();
        let ears = (self.listening == Listening::On).then(Ears::new);
        *place = Some(Patch::new(
            (rtp, slot),
            trunk,
            source,
            notice,
            tap,
            (playout, Ahead::new(self.lead), ears),
            clock,
        ));
    }

    fn unpatch(&mut self, rtp: RtpPort, events: &mut impl FnMut(Event)) {
        let Some(patch) = self.patches.get_mut(usize::from(rtp.0)).and_then(Option::take) else { return };
        let jack = self.jacks.get_mut(usize::from(patch.slot().0)).map(|jack| {
            jack.carries = Carries::Silence;
            &jack.line
        });
        let remains = patch.end(jack);
        let mut playout = remains.playout;
        // The next call on it may be no fax.
        playout.set_fixed(None);
        playout.reset();
        self.playouts.push(playout);
        if let Some(place) = self.farewells.get_mut(usize::from(rtp.0)) {
            self.must_say |= remains.farewell.is_some();
            *place = remains.farewell;
        }
        if let Some(waiting) = remains.waiting {
            events(Event::Announced { rtp, outcome: None, waiting });
        }
        remains.notice.into_iter().for_each(|samples| events(Event::Spent(samples)));
        events(Event::Unpatched { rtp, counters: remains.counters, tap: remains.tap });
    }

    fn carries(&mut self, slot: Slot) -> Option<&mut Carries> {
        self.jacks.get_mut(usize::from(slot.0)).map(|jack| &mut jack.carries)
    }

    fn patch_mut(&mut self, rtp: RtpPort) -> Option<&mut Patch> {
        self.patches.get_mut(usize::from(rtp.0))?.as_mut()
    }

    /// Starts a sound. A call on the slot goes first: the sound is given back.
    fn play(&mut self, slot: Slot, sound: Sound, events: &mut impl FnMut(Event)) {
        let new = match sound {
            Sound::Once(samples) => Carries::Once { samples, at: 0 },
            Sound::Tone(tone) => Carries::Tone(Generator::new(&tone)),
        };
        match self.carries(slot) {
            None | Some(Carries::Call(_)) => new.give_back(events),
            Some(carries) => std::mem::replace(carries, new).give_back(events),
        }
    }

    /// Ends whatever a slot carries.
    fn hush(&mut self, slot: Slot, events: &mut impl FnMut(Event)) {
        match self.carries(slot).map(std::mem::take) {
            Some(Carries::Call(rtp)) => self.unpatch(rtp, events),
            Some(sound) => sound.give_back(events),
            None => {}
        }
    }
}

impl Carries {
    fn play_once(&mut self, mut column: ColumnMut<'_>, events: &mut impl FnMut(Event)) {
        let Self::Once { samples, at } = self else { return };
        let rest = samples.get(*at..).unwrap_or_default();
        column.write(rest, |&sample| sample);
        *at += PERIOD;
        if *at >= samples.len() {
            std::mem::take(self).give_back(events);
        }
    }

    fn give_back(self, events: &mut impl FnMut(Event)) {
        match self {
            Self::Once { samples, .. } => events(Event::Spent(samples)),
            Self::Silence | Self::Tone(_) | Self::Call(_) => {}
        }
    }
}
