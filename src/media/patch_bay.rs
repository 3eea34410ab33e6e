//! All patches and sounds of one PCM card, driven by its clock.
//!
//! The media thread owns a [`PatchBay`], hands it each [`Command`] and calls [`PatchBay::tick`] once per period of the
//! card. Everything is allocated in [`PatchBay::new`]; what a command brings goes back in an [`Event`].

use super::{
    ahead::{Ahead, MAX_LEAD_PERIODS},
    control::{Command, Event, PatchCounters, TapFrame, Trunk},
    ears::Ears,
    jack::{Carries, Jack},
    join::Join,
    line_end::LineEnd,
    parking::{Bank, Parking},
    patch::Patch,
    rtcp::Farewell,
    rtp_io::RtpIo,
    spoken::Interjection,
    waiting::Waiting,
};
use crate::{
    audio::{
        interleaved::{Column, ColumnMut},
        line_ear::LineEar,
    },
    id::{RtpPort, Slot},
    rtp::playout::Playout,
};
use std::sync::Arc;

pub use super::line_end::PortAudio;

/// Whether calls are listened to for keys, fax, levels and one-way audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listening {
    /// Always, on a box.
    #[default]
    On,
    /// Never: a bench measures what the rest costs.
    Off,
}

/// All patches, joins and per-slot sounds of one card.
#[derive(Debug)]
pub struct PatchBay {
    jacks: Box<[Jack]>,
    /// By RTP port.
    patches: Box<[Option<Patch>]>,
    /// By the phone's slot.
    joins: Box<[Option<Join>]>,
    /// Whether there is anything beside sounds and patches: joins, ears.
    is_more: bool,
    parking: Parking,
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
            jacks: (0..=u8::MAX)
                .take(slots)
                .map(|slot| Jack::new(LineEnd::new(Slot(slot), PortAudio::default())))
                .collect(),
            patches: (0..rtp_ports).map(|_| None).collect(),
            joins: (0..slots).map(|_| None).collect(),
            is_more: false,
            parking: Parking::new(rtp_ports),
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
            jack.line = LineEnd::new(slot, audio);
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
                self.clear(slot, events);
                self.patch((rtp, slot), trunk, (source, rtcp_seed), (notice, tap), clock, events);
            }
            Command::Change { rtp, trunk } => {
                if let Some(patch) = self.patch_mut(rtp) {
                    patch.change(trunk, clock);
                }
            }
            Command::Pause { rtp } => self.pause(rtp, true),
            Command::Resume { rtp } => self.pause(rtp, false),
            Command::Park { rtp } => self.park(rtp, events),
            Command::Unpark { rtp, slot } => self.unpark(rtp, slot, events),
            Command::Unpatch { rtp } => self.unpatch(rtp, events),
            Command::Join { phone, line } => self.join([phone, line], events),
            Command::Part { phone } => {
                if let Some(Carries::Joined(_)) = self.carries(phone) {
                    self.clear(phone, events);
                }
            }
            Command::Announce { slot, waiting } => self.announce(Waiting::new(slot, waiting), slot, events),
            Command::Interject { slot, samples } => {
                self.interject(Interjection::new(slot, samples), slot, events);
            }
            Command::Listen { slot, ear } => self.set_ear(slot, Some(ear), events),
            Command::Ignore { slot } => self.set_ear(slot, None, events),
            Command::Play { slot, sound } => self.play(slot, sound.into(), events),
            Command::Probe { slot, probe } => self.play(slot, Carries::Probe { slot, probe }, events),
            Command::Hush { slot } => {
                if self.jacks.get(usize::from(slot.0)).is_some_and(|jack| !jack.is_in_call()) {
                    self.clear(slot, events);
                }
            }
        }
        let has_ear = |jack: &Jack| jack.line.has_ear();
        let is_probed = |jack: &Jack| matches!(jack.carries, Carries::Probe { .. });
        self.is_more = self.joins.iter().any(Option::is_some)
            || self.jacks.iter().any(has_ear)
            || self.jacks.iter().any(is_probed);
    }

    /// One period of all slots: `capture` and `playback` are [`PERIOD`](crate::audio::PERIOD) frames of as many interleaved
    /// samples as there are slots, and every sample of `playback` is written. `clock` is the line clock at the first frame, in samples;
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
        let mut is_parking_left = self.parking.is_used();
        let mut bank: Bank<'_> = (&mut self.jacks, capture, &mut *playback);
        loop {
            let (jacks, capture, playback) = bank;
            let slots = jacks.len();
            for (slot, Jack { carries, line }) in jacks.iter_mut().enumerate() {
                if let Carries::Silence = carries {
                    continue;
                }
                let mut column = ColumnMut::new(playback, slots, slot);
                match carries {
                    // Joins and probes are ticked apart: they would cost every call some instructions here.
                    Carries::Silence | Carries::Joined(_) | Carries::Probe { .. } => {}
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
            if !std::mem::take(&mut is_parking_left) {
                break;
            }
            bank = self.parking.bank();
        }
        if self.is_more {
            self.tick_more(clock, capture, playback, events);
        }
    }

    /// The part of a tick that a card with nothing but calls and sounds does not have.
    #[cold]
    #[inline(never)]
    fn tick_more(
        &mut self,
        clock: u64,
        capture: &[i16],
        playback: &mut [i16],
        events: &mut impl FnMut(Event),
    ) {
        let Self { jacks, joins, .. } = self;
        let slots = jacks.len();
        for join in joins.iter_mut().flatten() {
            if let Ok([phone, line]) = jacks.get_disjoint_mut(join.slots().map(|slot| usize::from(slot.0))) {
                let lines = [&mut phone.line, &mut line.line];
                join.tick(clock, lines, (capture, slots), playback, events);
            }
        }
        let probed =
            jacks.iter_mut().enumerate().filter(|(_, jack)| matches!(jack.carries, Carries::Probe { .. }));
        for (slot, Jack { carries, line }) in probed {
            let mut column = ColumnMut::new(playback, slots, slot);
            carries.probe(clock, Column::new(capture, slots, slot), column.lend(), events);
            line.play(&mut column);
        }
        for (slot, jack) in jacks.iter_mut().enumerate().filter(|(_, jack)| !jack.is_in_call()) {
            jack.line.overhear(Column::new(capture, slots, slot), events);
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
        self.parking.leave(rtp);
        let jack = patch.slot().and_then(|slot| self.jacks.get_mut(usize::from(slot.0)));
        let line = jack.map(|jack| {
            jack.carries = Carries::Silence;
            &jack.line
        });
        let remains = patch.end(line, events);
        let mut playout = remains.playout;
        // The next call on it may be no fax.
        playout.set_fixed(None);
        playout.reset();
        self.playouts.push(playout);
        if let Some(place) = self.farewells.get_mut(usize::from(rtp.0)) {
            self.must_say |= remains.farewell.is_some();
            *place = remains.farewell;
        }
        events(Event::Unpatched { rtp, counters: remains.counters, tap: remains.tap });
    }

    fn pause(&mut self, rtp: RtpPort, is_paused: bool) {
        if let Some(patch) = self.patch_mut(rtp) {
            patch.pause(is_paused);
        }
    }

    fn park(&mut self, rtp: RtpPort, events: &mut impl FnMut(Event)) {
        let Some(slot) = self.patch_mut(rtp).and_then(|patch| patch.slot()) else { return };
        if let Some(carries) = self.carries(slot) {
            *carries = Carries::Silence;
        }
        if let Some(patch) = self.patch_mut(rtp) {
            patch.park(events);
        }
        self.parking.enter(rtp);
    }

    fn unpark(&mut self, rtp: RtpPort, slot: Slot, events: &mut impl FnMut(Event)) {
        let is_there = self.patch_mut(rtp).is_some_and(|patch| patch.slot() == Some(slot));
        if is_there || self.patch_mut(rtp).is_none() || self.carries(slot).is_none() {
            return;
        }
        self.park(rtp, events);
        self.clear(slot, events);
        let place = self.patches.get_mut(usize::from(rtp.0)).and_then(Option::as_mut);
        if let (Some(patch), Some(jack)) = (place, self.jacks.get_mut(usize::from(slot.0))) {
            jack.carries = Carries::Call(rtp);
            patch.unpark(slot, &mut jack.line);
        }
        self.parking.leave(rtp);
    }

    fn join(&mut self, slots: [Slot; 2], events: &mut impl FnMut(Event)) {
        let [phone, line] = slots;
        if phone == line || slots.iter().any(|slot| usize::from(slot.0) >= self.jacks.len()) {
            return;
        }
        for slot in slots {
            self.clear(slot, events);
            if let Some(jack) = self.jacks.get_mut(usize::from(slot.0)) {
                jack.carries = Carries::Joined(phone);
                jack.line.begin();
            }
        }
        if let Some(place) = self.joins.get_mut(usize::from(phone.0)) {
            *place = Some(Join::new(slots, self.lead));
        }
    }

    fn part(&mut self, phone: Slot, events: &mut impl FnMut(Event)) {
        let Some(join) = self.join_mut(phone).and_then(Option::take) else { return };
        for slot in join.slots() {
            if let Some(carries) = self.carries(slot) {
                *carries = Carries::Silence;
            }
        }
        join.end(events);
    }

    fn announce(&mut self, waiting: Waiting, slot: Slot, events: &mut impl FnMut(Event)) {
        let left = match self.carries(slot) {
            Some(&mut Carries::Call(rtp)) => match self.patch_mut(rtp) {
                Some(patch) => patch.announce(waiting),
                None => Some(waiting),
            },
            Some(&mut Carries::Joined(phone)) => match self.join_mut(phone) {
                Some(Some(join)) => join.announce(slot, waiting),
                _ => Some(waiting),
            },
            _ => Some(waiting),
        };
        if let Some(left) = left {
            left.end(None, events);
        }
    }

    fn interject(&mut self, interjection: Interjection, slot: Slot, events: &mut impl FnMut(Event)) {
        let left = match self.carries(slot) {
            Some(&mut Carries::Call(rtp)) => match self.patch_mut(rtp) {
                Some(patch) => patch.interject(interjection),
                None => Some(interjection),
            },
            Some(&mut Carries::Joined(phone)) => match self.join_mut(phone) {
                Some(Some(join)) => join.interject(interjection),
                _ => Some(interjection),
            },
            _ => Some(interjection),
        };
        if let Some(left) = left {
            left.end(events);
        }
    }

    fn set_ear(&mut self, slot: Slot, ear: Option<Box<LineEar>>, events: &mut impl FnMut(Event)) {
        let spent = match self.jacks.get_mut(usize::from(slot.0)) {
            Some(jack) => jack.line.set_ear(ear),
            None => ear,
        };
        if let Some(spent) = spent {
            events(Event::EarSpent(spent));
        }
    }

    fn carries(&mut self, slot: Slot) -> Option<&mut Carries> {
        self.jacks.get_mut(usize::from(slot.0)).map(|jack| &mut jack.carries)
    }

    fn patch_mut(&mut self, rtp: RtpPort) -> Option<&mut Patch> {
        self.patches.get_mut(usize::from(rtp.0))?.as_mut()
    }

    fn join_mut(&mut self, phone: Slot) -> Option<&mut Option<Join>> {
        self.joins.get_mut(usize::from(phone.0))
    }

    /// Starts a sound. A call on the slot goes first: the sound is given back.
    fn play(&mut self, slot: Slot, new: Carries, events: &mut impl FnMut(Event)) {
        match self.jacks.get_mut(usize::from(slot.0)).filter(|jack| !jack.is_in_call()) {
            Some(jack) => std::mem::replace(&mut jack.carries, new).give_back(events),
            None => new.give_back(events),
        }
    }

    /// Ends whatever a slot carries.
    fn clear(&mut self, slot: Slot, events: &mut impl FnMut(Event)) {
        match self.carries(slot).map(std::mem::take) {
            Some(Carries::Call(rtp)) => self.unpatch(rtp, events),
            Some(Carries::Joined(phone)) => self.part(phone, events),
            Some(sound) => sound.give_back(events),
            None => {}
        }
    }
}
