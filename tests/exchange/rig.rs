//! One office line of the simulated board: the real driver over SPI, its time slot, virtual time.

use ringside::audio::dtmf::{Key, dial};
use ringside::board::Profile;
use ringside::chip::si3050::bus::Chain;
use ringside::chip::si3050::reg::Reg;
use ringside::chip::si3050::{Command, Event, Gain, Settings, Si3050};
use ringside::id::Slot;
use ringside::sim::exchange::{CallerIn, Country, Happening, LinePlan, LineSnapshot, OfficeLine, State};
use ringside::sim::observe::What;
use ringside::sim::office::{Office, Speech};
use ringside::sim::spi::SimSpi;
use ringside::sim::world::{LineSide, SharedWorld, World};
use ringside::time::Instant;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::ops::Range;

const SLOTS: usize = 8;
/// The slot of LINE1, and that of PHONE1.
const LINE_SLOT: usize = 2;
const PHONE_SLOT: usize = 0;
/// Time in which the port comes up.
const START_MS: u64 = 400;
/// The chain of the FXO chips among the profile's SPI devices.
const WIRES: usize = 1;

pub(crate) struct Rig {
    pub(crate) world: SharedWorld,
    chain: Chain<SimSpi>,
    pub(crate) driver: Si3050,
    /// Milliseconds since the port is up.
    pub(crate) ms: u64,
    pub(crate) events: Vec<(u64, Event)>,
    /// The line's time slot, from the line, since the port is up.
    pub(crate) up: Vec<i16>,
    /// PHONE1's.
    pub(crate) phone_up: Vec<i16>,
    /// What goes out in the line's time slot.
    down: VecDeque<i16>,
    seen: u64,
}

impl Rig {
    pub(crate) fn new(plan: LinePlan) -> Self {
        Self::with(plan, Country::north_america(), |_| {})
    }

    pub(crate) fn with(plan: LinePlan, country: Country, set_up: impl FnOnce(&mut Settings)) -> Self {
        let profile = Profile::parse(include_str!("../../board/sim/profile.toml")).unwrap();
        let mut world = World::new(&profile, &Office::empty(60).with_line("LINE1", plan)).unwrap();
        world.set_country(country);
        let world = world.share();
        let chain = Chain::new(SimSpi::new(world.clone(), WIRES));
        let mut settings = Settings::new(Slot(LINE_SLOT as u8));
        set_up(&mut settings);
        let driver = Si3050::new(0, settings);
        let mut rig = Self {
            world,
            chain,
            driver,
            ms: 0,
            events: Vec::new(),
            up: Vec::new(),
            phone_up: Vec::new(),
            down: VecDeque::new(),
            seen: 0,
        };
        rig.run(START_MS);
        assert!(rig.driver.is_up());
        (rig.ms, rig.seen) = (0, START_MS);
        (rig.events, rig.up, rig.phone_up) = Default::default();
        rig
    }

    /// Lets time pass; the driver polls when it is due.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
            let now = self.world.lock().now();
            if self.driver.deadline() <= now {
                let mut out = Vec::new();
                self.driver.poll(&mut self.chain, now, &mut out).unwrap();
                self.events.extend(out.into_iter().map(|event| (self.ms, event)));
            }
        }
    }

    /// One millisecond without the driver.
    pub(crate) fn step(&mut self) {
        let mut down = [0; 8 * SLOTS];
        for frame in down.chunks_mut(SLOTS) {
            frame[LINE_SLOT] = self.down.pop_front().unwrap_or(0);
        }
        let mut up = [0; 8 * SLOTS];
        self.world.step(&down, &mut up, SLOTS);
        self.up.extend(up.chunks(SLOTS).map(|frame| frame[LINE_SLOT]));
        self.phone_up.extend(up.chunks(SLOTS).map(|frame| frame[PHONE_SLOT]));
        self.ms += 1;
    }

    pub(crate) fn command(&mut self, command: Command) {
        let (now, mut out) = (self.world.lock().now(), Vec::new());
        self.driver.handle(command, &mut self.chain, now, &mut out).unwrap();
        self.events.extend(out.into_iter().map(|event| (self.ms, event)));
    }

    pub(crate) fn line<T>(&self, act: impl FnOnce(&mut OfficeLine) -> T) -> T {
        act(self.world.lock().office_line(0).unwrap())
    }

    pub(crate) fn state(&self) -> State {
        self.line(|line| line.state())
    }

    pub(crate) fn snapshot(&self) -> LineSnapshot {
        self.world.lock().line_snapshots().swap_remove(0)
    }

    /// Somebody calls, the box answers `after_ms`, and both talk for a second.
    pub(crate) fn talk(plan: LinePlan) -> Self {
        let mut rig = Self::new(plan);
        rig.line(|line| line.call_in(CallerIn { speech: tone(1000.0), ..CallerIn::new("3125550142") }));
        rig.run(500);
        rig.command(Command::OffHook);
        rig.run(1000);
        assert_eq!(rig.state(), State::Talking);
        rig.events.clear();
        rig
    }

    /// Seizes the line, and waits until dial tone is heard for a while.
    pub(crate) fn seize(&mut self) {
        self.command(Command::OffHook);
        self.run(800);
        assert_eq!(self.state(), State::DialTone);
    }

    /// Sends samples in the line's slot.
    pub(crate) fn send(&mut self, samples: &[i16]) {
        self.down.extend(samples);
    }

    /// Dials in DTMF; 140 ms a digit.
    pub(crate) fn dial(&mut self, digits: &str) {
        let keys: Vec<Key> = digits.chars().map(|digit| Key::from_sign(digit).unwrap()).collect();
        self.send(&dial(&keys));
        self.run(140 * digits.len() as u64);
    }

    /// Opens and closes the loop behind the driver's back.
    pub(crate) fn pulse(&mut self, digits: &str) {
        for digit in digits.chars() {
            let pulses = match digit.to_digit(10).unwrap() {
                0 => 10,
                digit => digit,
            };
            for _ in 0..pulses {
                self.hook(0x08, 60);
                self.hook(0x09, 40);
            }
            self.hook(0x09, 700);
        }
    }

    fn hook(&mut self, word: u8, ms: u64) {
        self.chain.chip(0).write(Reg::Daa1, word).unwrap();
        (0..ms).for_each(|_| self.step());
    }

    /// Attenuates towards the line and from it, in tenths of a dB.
    pub(crate) fn attenuate(&mut self, tx: i16, rx: i16) {
        let [tx, rx] = [tx, rx].map(|tenths| Gain::of_tenths_db(-tenths).unwrap());
        self.driver.set_gains(tx, rx, &mut self.chain).unwrap();
    }

    pub(crate) fn register(&mut self, reg: Reg) -> u8 {
        self.chain.chip(0).read(reg).unwrap()
    }

    pub(crate) fn volts(&mut self) -> i8 {
        self.register(Reg::LineVoltage) as i8
    }

    /// What happened on the line, and after how many milliseconds.
    pub(crate) fn happened_at(&self) -> Vec<(u64, Happening)> {
        let (events, _) = self.world.lock().events_since(0);
        let ours = events.into_iter().filter(|event| event.port == self.snapshot().port);
        ours.filter_map(|event| match event.what {
            What::Line(happening) => Some((event.at / 8 - START_MS, happening)),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn happened(&self) -> Vec<Happening> {
        self.happened_at().into_iter().map(|(_, happening)| happening).collect()
    }

    pub(crate) fn driver_saw(&self) -> Vec<Event> {
        self.events.iter().map(|(_, event)| *event).collect()
    }

    /// Samples from the line of these milliseconds.
    pub(crate) fn heard(&self, ms: Range<u64>) -> &[i16] {
        &self.up[ms.start as usize * 8..ms.end as usize * 8]
    }

    /// Milliseconds, of the given ones, in which there is sound.
    pub(crate) fn sounding(&self, ms: Range<u64>) -> u64 {
        self.heard(ms).chunks(8).filter(|ms| ms.iter().any(|&sample| sample != 0)).count() as u64
    }

    /// First millisecond of sound, of the given ones.
    pub(crate) fn first_sound(&self, ms: Range<u64>) -> Option<u64> {
        let start = ms.start;
        let first = self.heard(ms).chunks(8).position(|ms| ms.iter().any(|&sample| sample != 0));
        first.map(|ms| ms as u64 + start)
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.lock().now()
    }
}

pub(crate) fn tone(hz: f32) -> Speech {
    Speech::Tone { hz, peak: 4000.0 }
}

/// Whether the energy of `samples` is in these frequencies.
pub(crate) fn is_tone(samples: &[i16], hz: &[f64]) -> bool {
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    let share = |hz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let angle = TAU * hz * n as f64 / 8000.0;
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
        }
        (re * re + im * im) * 2.0 / samples.len() as f64 / energy
    };
    energy > 0.0
        && hz.iter().map(|&hz| share(hz)).sum::<f64>() > 0.9
        && hz.iter().all(|&each| share(each) > 0.5 / hz.len() as f64)
}

pub(crate) const DIAL: [f64; 2] = [350.0, 440.0];
pub(crate) const BUSY_OR_REORDER: [f64; 2] = [480.0, 620.0];
pub(crate) const RINGBACK: [f64; 2] = [440.0, 480.0];
