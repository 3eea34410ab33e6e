//! Four Si3050 in one chain of the simulated board, each polled when it is due.

use ringside::board::Profile;
use ringside::chip::si3050::bus::Chain;
use ringside::chip::si3050::{Command, Error, Event, Settings, Si3050};
use ringside::id::Slot;
use ringside::sim::exchange::Line;
use ringside::sim::office::Office;
use ringside::sim::si3050::Model;
use ringside::sim::spi::{SimSpi, SpiFault};
use ringside::sim::world::{LineSide, SharedWorld, World};
use ringside::time::Instant;

/// Ports of the chain.
pub(crate) const LINES: usize = 4;
/// Virtual milliseconds that a start-up takes at most.
pub(crate) const START_MS: u64 = 300;

const SIM: &str = include_str!("../../board/sim/profile.toml");
/// The chain's place among the SPI devices of the profile.
const WIRES: usize = 1;

pub(crate) struct Rig {
    pub(crate) world: SharedWorld,
    chain: Chain<SimSpi>,
    chips: Vec<Si3050>,
    slots: Vec<u8>,
    pub(crate) ms: u64,
    /// By time and line.
    pub(crate) events: Vec<(u64, usize, Event)>,
    pub(crate) errors: Vec<String>,
}

impl Rig {
    /// The board of RB-1 with a longer chain of FXO chips.
    pub(crate) fn new(prepare: impl FnOnce(&mut World)) -> Self {
        let more = |name: &str, index: u8| {
            format!(
                "[[port]]\nkind = \"fxo\"\nname = \"{name}\"\nchip = \"si3050\"\nspi = \"daa\"\nindex = {index}\nslot = {}\n\n",
                index + 2
            )
        };
        let text = SIM.replace("name = \"daa\"\nchain = 2", "name = \"daa\"\nchain = 4");
        let text = text.replace("[sim]\n", &format!("{}{}[sim]\n", more("LINE3", 2), more("LINE4", 3)));
        let profile = Profile::parse(&text).unwrap();
        let slots: Vec<u8> = profile.fxo_ports().map(|(_, port)| port.slot).collect();
        let mut world = World::new(&profile, &Office::empty(0)).unwrap();
        for line in 0..LINES {
            world.daa(line).unwrap().faults.slow_loop = true;
        }
        prepare(&mut world);
        let world = world.share();
        let chain = Chain::new(SimSpi::new(world.clone(), WIRES));
        let chips = (0..).zip(&slots).map(|(i, slot)| Si3050::new(i, Settings::new(Slot(*slot)))).collect();
        Self { world, chain, chips, slots, ms: 0, events: Vec::new(), errors: Vec::new() }
    }

    /// All ports up.
    pub(crate) fn started() -> Self {
        let mut rig = Self::new(|_| {});
        rig.run(START_MS);
        assert!(rig.chips.iter().all(Si3050::is_up), "{:?}", rig.errors);
        rig.events.clear();
        rig
    }

    /// Sets a port up otherwise; before the first run.
    pub(crate) fn configure(&mut self, line: usize, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::new(Slot(self.slots[line]));
        change(&mut settings);
        self.chips[line] = Si3050::new(line as u8, settings);
    }

    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.world.step(&[0; 64], &mut [0; 64], 8);
            self.ms += 1;
            let now = Instant(self.ms * 1000);
            for (line, chip) in self.chips.iter_mut().enumerate().filter(|(_, c)| c.deadline() <= now) {
                let mut out = Vec::new();
                if let Err(error) = chip.poll(&mut self.chain, now, &mut out) {
                    self.errors.push(error.to_string());
                }
                self.events.extend(out.into_iter().map(|event| (self.ms, line, event)));
            }
        }
    }

    pub(crate) fn command(&mut self, line: usize, command: Command) -> Result<(), Error<SpiFault>> {
        let mut out = Vec::new();
        let done = self.chips[line].handle(command, &mut self.chain, Instant(self.ms * 1000), &mut out);
        self.events.extend(out.into_iter().map(|event| (self.ms, line, event)));
        done
    }

    /// Seizes a line and waits until it has settled.
    pub(crate) fn seize(&mut self, line: usize) {
        self.command(line, Command::OffHook).unwrap();
        self.run(250);
        assert_eq!(self.events_of(line), [Event::OffHook]);
        self.events.clear();
    }

    pub(crate) fn with<T>(
        &mut self,
        line: usize,
        act: impl FnOnce(&mut Si3050, &mut Chain<SimSpi>) -> T,
    ) -> T {
        act(&mut self.chips[line], &mut self.chain)
    }

    pub(crate) fn driver(&self, line: usize) -> &Si3050 {
        &self.chips[line]
    }

    pub(crate) fn chain(&mut self) -> &mut Chain<SimSpi> {
        &mut self.chain
    }

    pub(crate) fn chip<T>(&self, line: usize, look: impl FnOnce(&mut Model) -> T) -> T {
        look(self.world.lock().daa(line).unwrap())
    }

    pub(crate) fn line(&self, line: usize, change: impl FnOnce(&mut Line)) {
        change(self.world.lock().line(line).unwrap());
    }

    /// Rings at 20 Hz for `ms`.
    pub(crate) fn ring(&mut self, line: usize, ms: u64) {
        for half in 0..ms / 25 {
            self.line(line, |l| l.ring_sign = if half % 2 == 0 { 1 } else { -1 });
            self.run(25);
        }
        self.line(line, |l| l.ring_sign = 0);
    }

    pub(crate) fn slot(&self, line: usize) -> u16 {
        self.slots[line].into()
    }

    pub(crate) fn wires(&self) -> usize {
        WIRES
    }

    pub(crate) fn events_of(&self, line: usize) -> Vec<Event> {
        self.events.iter().filter(|e| e.1 == line).map(|e| e.2).collect()
    }

    /// When an event came, from `since`.
    pub(crate) fn after(&self, event: Event, since: u64) -> u64 {
        self.events
            .iter()
            .find(|e| e.2 == event)
            .unwrap_or_else(|| panic!("no {event:?}: {:?}", self.events))
            .0
            - since
    }
}
