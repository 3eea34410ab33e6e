//! One analog world: what is wired to the chips, in steps of the line's 8 kHz clock.
//!
//! Chips, loops, phones and people move together, a millisecond at a time; audio moves sample by sample. Nothing here
//! has a clock of its own, so the sound card may step the world in real time or as fast as it can.

use super::exchange::{self, Country, Line, OfficeLine};
use super::hybrid::Hybrid;
use super::observe::{AudioLog, Event, EventLog, What};
use super::office::{Office, OfficeError};
use super::person::{Act, Person};
use super::phone::{Happening, Phone};
use super::spi::{Chain, Chips};
use super::{si3050, si3215};
use crate::board::{ChipKind, Port, Profile};
use crate::id::PortId;
use crate::time::Instant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples of one millisecond, the step of everything but audio.
const MS_SAMPLES: usize = 8;

/// The line side of the simulated sound card: called once per step of its clock.
pub trait LineSide: Send {
    /// Moves the world on by `down.len() / slots` samples. `down` (box to line) and `up` (line to box) are interleaved
    /// frames of `slots` samples; all of `up` is written.
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize);
}

/// Everything on the far side of the chips.
pub struct World {
    now: u64,
    pub(super) chains: Vec<Chain>,
    pub(super) loops: Vec<Loop>,
    pub(super) lines: Vec<(ChipPlace, OfficeLine)>,
    country: Country,
    contacts: Option<Contacts>,
    pub(super) events: EventLog,
    happenings: Vec<Happening>,
    line_happenings: Vec<exchange::Happening>,
}

/// The contacts of the lifeline relay: while it is released, the pair is wired past the chips. Battery, hook and ringing
/// go through, sound does not: nobody in here listens to it.
struct Contacts {
    line: PortId,
    phone: PortId,
    released: Box<dyn Fn() -> bool + Send>,
}

/// The loop of one FXS port.
pub(super) struct Loop {
    pub(super) port: PortId,
    pub(super) name: String,
    place: ChipPlace,
    pub(super) phone: Phone,
    pub(super) person: Person,
    hybrid: Hybrid,
    pub(super) heard: AudioLog,
    pub(super) said: AudioLog,
}

#[derive(Clone, Copy)]
pub(super) struct ChipPlace {
    chain: usize,
    index: usize,
}

impl World {
    /// Builds the world of a board and its office.
    ///
    /// # Errors
    /// [`OfficeError`] for a phone or a line that the board does not have.
    pub fn new(profile: &Profile, office: &Office) -> Result<Self, OfficeError> {
        if let Some(stranger) = office.ports().find(|name| !profile.fxs_ports().any(|(_, p)| p.name == *name))
        {
            let names: Vec<_> = profile.fxs_ports().map(|(_, port)| port.name.as_str()).collect();
            let problem = format!("the board has no such phone; it has {}", names.join(", "));
            return Err(OfficeError::Value { port: stranger.into(), problem });
        }
        if let Some(stranger) =
            office.line_ports().find(|name| !profile.fxo_ports().any(|(_, p)| p.name == *name))
        {
            let names: Vec<_> = profile.fxo_ports().map(|(_, port)| port.name.as_str()).collect();
            let problem = format!("the board has no such line; it has {}", names.join(", "));
            return Err(OfficeError::Line { port: stranger.into(), problem });
        }
        let lines = profile
            .fxo_ports()
            .map(|(id, port)| {
                let line = OfficeLine::new(id, &port.name, office.line(&port.name), office.keep_audio_s);
                (place_of(profile, port), line)
            })
            .collect();
        let loops = profile
            .fxs_ports()
            .map(|(id, port)| Loop::new(id, port, place_of(profile, port), office))
            .collect();
        let chains = profile.spi.iter().map(|spi| build_chain(profile, &spi.name, spi.chain)).collect();
        Ok(Self {
            now: 0,
            chains,
            loops,
            lines,
            country: Country::north_america(),
            contacts: None,
            events: EventLog::default(),
            happenings: Vec::new(),
            line_happenings: Vec::new(),
        })
    }

    /// Makes the world reachable for the SPI devices, the sound card and observers.
    #[must_use]
    pub fn share(self) -> SharedWorld {
        SharedWorld(Arc::new(Mutex::new(self)))
    }

    /// Wires the contacts of the lifeline relay between an FXO and an FXS port; `released` tells where they are.
    pub fn wire_lifeline(
        &mut self,
        (line, phone): (PortId, PortId),
        released: impl Fn() -> bool + Send + 'static,
    ) {
        self.contacts = Some(Contacts { line, phone, released: Box::new(released) });
    }

    /// Samples since the world began.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.now
    }

    /// Time since the world began.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(self.now * 125)
    }

    /// The chip of an FXS port: to look into it, to break it.
    pub fn slic(&mut self, port: PortId) -> Option<&mut si3215::Model> {
        let place = self.loops.iter().find(|l| l.port == port)?.place;
        slic_at(&mut self.chains, place)
    }

    /// The phone on an FXS port: to short its cable.
    pub fn phone(&mut self, port: PortId) -> Option<&mut Phone> {
        self.loop_of(port).map(|l| &mut l.phone)
    }

    /// How the office lines ring, sound and tell who calls, from the next call on; North America's at first.
    pub fn set_country(&mut self, country: Country) {
        self.country = country;
    }

    /// The office line on an FXO port, in the order of the profile: to call in on it, to unplug it, to look at it.
    pub fn office_line(&mut self, index: usize) -> Option<&mut OfficeLine> {
        self.lines.get_mut(index).map(|(_, line)| line)
    }

    /// The wires of that line: to change battery, loop or ringing by hand.
    pub fn line(&mut self, index: usize) -> Option<&mut Line> {
        self.office_line(index).map(OfficeLine::wire)
    }

    /// The chip of an FXO port, in the order of the profile: to look into it, to break it.
    pub fn daa(&mut self, index: usize) -> Option<&mut si3050::Model> {
        let place = self.lines.get(index)?.0;
        daa_at(&mut self.chains, place)
    }

    /// Makes the next transfers of an SPI chain fail.
    pub fn fail_spi(&mut self, chain: usize, transfers: u32) {
        if let Some(chain) = self.chains.get_mut(chain) {
            chain.faults_left = transfers;
        }
    }

    /// Lifts a handset, whatever its person is doing.
    pub fn lift(&mut self, port: PortId) {
        self.act(port, Act::Lift);
    }

    /// Puts a handset down, whatever its person is doing.
    pub fn hang_up(&mut self, port: PortId) {
        self.act(port, Act::HangUp);
    }

    /// Opens the hook switch of a lifted handset for `ms`.
    pub fn flash(&mut self, port: PortId, ms: u16) {
        if let Some(phone) = self.phone(port) {
            phone.flash(ms);
        }
    }

    /// Makes the person at a phone press keys from now on, 100 ms each with as long a pause; the handset is up.
    pub fn press(&mut self, port: PortId, digits: &str) {
        let now_ms = self.now / MS_SAMPLES as u64;
        if let Some(l) = self.loop_of(port) {
            l.person.press(digits, now_ms);
        }
    }

    /// Gives the person at a phone another script, from the next call on.
    pub fn teach(&mut self, port: PortId, script: super::office::Script) {
        if let Some(l) = self.loop_of(port) {
            l.person.learn(script);
        }
    }

    fn loop_of(&mut self, port: PortId) -> Option<&mut Loop> {
        self.loops.iter_mut().find(|l| l.port == port)
    }

    fn act(&mut self, port: PortId, act: Act) {
        let now = self.now;
        let Some(l) = self.loop_of(port) else { return };
        l.act(act);
        match act {
            Act::Lift => l.person.lifted(now / MS_SAMPLES as u64),
            Act::HangUp => l.person.hung_up(),
        }
        self.events.push(Event { at: now, port, what: act.into() });
    }

    /// A millisecond of everything but audio.
    fn tick(&mut self) {
        let now = self.now;
        let joined = self.contacts.as_ref().filter(|contacts| (contacts.released)());
        let joined = joined.map(|contacts| (contacts.line, contacts.phone));
        let (mut past_the_box, on_phone) = (None, joined.map(|(_, phone)| phone));
        for (place, line) in &mut self.lines {
            let Some(chip) = daa_at(&mut self.chains, *place) else { continue };
            let past = joined.filter(|(port, _)| *port == line.port);
            let lifted = |(_, phone)| self.loops.iter().any(|l| l.port == phone && l.phone.is_off_hook());
            let felt = line.tick(
                past.map_or_else(|| chip.holds_line(), lifted),
                now / MS_SAMPLES as u64,
                &self.country,
                &mut self.line_happenings,
            );
            if past.is_some() {
                chip.tick(&Line { battery_volts: 0.0, ring_sign: 0, parallel: false, ..felt });
                past_the_box = Some(line.feed());
            } else {
                chip.tick(&felt);
            }
            for happening in self.line_happenings.drain(..) {
                self.events.push(Event { at: now, port: line.port, what: What::Line(happening) });
            }
        }
        for l in &mut self.loops {
            let Some(chip) = slic_at(&mut self.chains, l.place) else { continue };
            let past = past_the_box.filter(|_| on_phone == Some(l.port));
            let load = if past.is_some() { si3215::Load::NOTHING } else { l.phone.load() };
            let own = chip.tick(&load);
            let feed = past.unwrap_or(own);
            let seen = l.phone.sense(&feed, now, &mut self.happenings);
            for happening in self.happenings.drain(..) {
                self.events.push(Event { at: now, port: l.port, what: What::Phone(happening) });
            }
            if let Some(how) = seen.hung_up_on {
                self.events.push(Event { at: now, port: l.port, what: What::HungUpOn(how) });
            }
            if let Some(act) = l.person.tick(seen, now / MS_SAMPLES as u64) {
                l.act(act);
                self.events.push(Event { at: now, port: l.port, what: act.into() });
            }
        }
    }

    /// Audio up to the next millisecond.
    fn pass_audio(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        for l in &mut self.loops {
            if let Some(chip) = slic_at(&mut self.chains, l.place) {
                l.pass_audio(chip, self.now, down, up, slots);
            }
        }
        for (place, line) in &mut self.lines {
            if let Some(chip) = daa_at(&mut self.chains, *place) {
                line.pass_audio(chip, self.now, down, up, slots);
            }
        }
    }
}

impl LineSide for World {
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        up.fill(0);
        let slots = slots.max(1);
        let (mut down, mut up) = (down, up);
        while down.len() >= slots && up.len() >= slots {
            let into_ms = (self.now % MS_SAMPLES as u64) as usize;
            if into_ms == 0 {
                self.tick();
            }
            let frames = (MS_SAMPLES - into_ms).min(down.len() / slots).min(up.len() / slots);
            let (down_now, down_later) = down.split_at(frames * slots);
            let (up_now, up_later) = up.split_at_mut(frames * slots);
            self.pass_audio(down_now, up_now, slots);
            self.now += frames as u64;
            (down, up) = (down_later, up_later);
        }
    }
}

impl Loop {
    fn new(port: PortId, wiring: &Port, place: ChipPlace, office: &Office) -> Self {
        let script = office.script(&wiring.name);
        Self {
            port,
            name: wiring.name.clone(),
            place,
            phone: Phone::new(script.ren),
            hybrid: Hybrid::new(script.echo.clone()),
            person: Person::new(script),
            heard: AudioLog::new(office.keep_audio_s),
            said: AudioLog::new(office.keep_audio_s),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Lift => self.phone.lift(),
            Act::HangUp => self.phone.hang_up(),
        }
    }

    fn pass_audio(&mut self, chip: &si3215::Model, now: u64, down: &[i16], up: &mut [i16], slots: usize) {
        let passes = chip.passes_audio();
        if !passes && self.phone.is_deaf() && !self.heard.keeps() {
            return;
        }
        let (send, receive) = chip.slots().filter(|_| passes).unzip();
        let send: Option<usize> = send.filter(|&slot| slot < slots && !chip.transmit_muted());
        let receive: Option<usize> = receive.filter(|&slot| slot < slots && !chip.receive_muted());
        let frames = down.len() / slots;
        let mut said = [0; MS_SAMPLES];
        if self.phone.is_off_hook() {
            self.person.say(&mut said[..frames], now / MS_SAMPLES as u64);
        }
        let frames = down.chunks_exact(slots).zip(up.chunks_exact_mut(slots)).zip(said);
        for (at, ((down, up), spoken)) in (now..).zip(frames) {
            let heard = receive.map_or(0, |slot| down[slot]);
            let back = if self.hybrid.is_ideal() { 0.0 } else { self.hybrid.echo(heard) };
            if let Some(slot) = send {
                up[slot] = (f32::from(spoken) + back) as i16;
            }
            self.phone.hear(heard, at);
            self.heard.push(heard);
            self.said.push(spoken);
        }
    }
}

fn slic_at(chains: &mut [Chain], place: ChipPlace) -> Option<&mut si3215::Model> {
    match &mut chains.get_mut(place.chain)?.chips {
        Chips::Slics(chips) => chips.get_mut(place.index),
        Chips::Daas(_) => None,
    }
}

fn daa_at(chains: &mut [Chain], place: ChipPlace) -> Option<&mut si3050::Model> {
    match &mut chains.get_mut(place.chain)?.chips {
        Chips::Daas(chips) => chips.get_mut(place.index),
        Chips::Slics(_) => None,
    }
}

/// The profile has been checked: the chain is there.
fn place_of(profile: &Profile, port: &Port) -> ChipPlace {
    let chain = profile.spi.iter().position(|spi| spi.name == port.spi).unwrap_or_default();
    ChipPlace { chain, index: usize::from(port.index) }
}

fn build_chain(profile: &Profile, name: &str, len: u8) -> Chain {
    let daas = profile.ports.iter().any(|port| port.spi == name && port.chip == ChipKind::Si3050);
    let len = usize::from(len);
    let chips = if daas {
        Chips::Daas(vec![si3050::Model::new(); len])
    } else {
        Chips::Slics(vec![si3215::Model::new(); len])
    };
    Chain { chips, faults_left: 0 }
}

/// The world as its users share it.
#[derive(Clone)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    /// The world, for as long as the guard lives; the sound card waits meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineSide for SharedWorld {
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        self.lock().step(down, up, slots);
    }
}
