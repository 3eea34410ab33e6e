//! The simulated office as a tester meets it: the shipped files, the exchange's lines, the threads.

#![cfg(feature = "sim")]
// One test runs the thread's loop.
#![allow(clippy::disallowed_methods)]

use embedded_hal::spi::{Operation, SpiDevice};
use ringside::board::Profile;
use ringside::chip::si3050::Balance;
use ringside::chip::{LineChange, LineOrder, Linefeed, PortChange};
use ringside::id::PortId;
use ringside::io::line_io::{Change, LineCommand, LineEvent, LineIo, Order};
use ringside::sim::hybrid::EchoPath;
use ringside::sim::observe::What;
use ringside::sim::office::{Office, OfficeError, Script};
use ringside::sim::phone::Happening;
use ringside::sim::spi::{SimSpi, SpiFault};
use ringside::sim::supervision::HungUpOn;
use ringside::sim::world::{LineSide, SharedWorld, World};
use ringside::time::Instant;
use std::f32::consts::PI;
use std::path::Path;
use std::sync::mpsc;

const SLOTS: usize = 8;
const PHONE1: PortId = PortId(0);

struct Rig {
    world: SharedWorld,
    lines: LineIo<SimSpi>,
    slic_spi: SimSpi,
    daa_spi: SimSpi,
    events: Vec<LineEvent>,
    lines_said: Vec<LineEvent>,
    up: Vec<i16>,
}

impl Rig {
    fn new(office: &Office) -> Self {
        let profile = Profile::parse(include_str!("../board/sim/profile.toml")).unwrap();
        let world = World::new(&profile, office).unwrap().share();
        let spi = |chain| SimSpi::new(world.clone(), chain);
        let lines = LineIo::new(&profile, vec![spi(0), spi(1)]).unwrap();
        let (slic_spi, daa_spi) = (spi(0), spi(1));
        Self { world, lines, slic_spi, daa_spi, events: Vec::new(), lines_said: Vec::new(), up: Vec::new() }
    }

    fn started(office: &Office) -> Self {
        let mut rig = Self::new(office);
        rig.pass(2000, |_| 0);
        rig.events.clear();
        rig.lines_said.clear();
        rig
    }

    /// Lets `ms` pass (a multiple of 8) with `play` in slot 0, by sample.
    fn pass(&mut self, ms: usize, play: impl Fn(usize) -> i16) {
        for block in 0..ms / 8 {
            let mut down = [0; 64 * SLOTS];
            down.chunks_mut(SLOTS).enumerate().for_each(|(i, frame)| frame[0] = play(block * 64 + i));
            let mut up = [0; 64 * SLOTS];
            self.world.step(&down, &mut up, SLOTS);
            self.up.extend(up.chunks(SLOTS).map(|frame| frame[0]));
            let now = self.world.lock().now();
            let (events, said) = (&mut self.events, &mut self.lines_said);
            self.lines.turn(now, &mut |event| match event.change {
                Change::Fxs(_) => events.push(event),
                Change::Fxo(_) => said.push(event),
                Change::Readings(_) => {}
            });
        }
    }

    fn feed(&mut self, linefeed: Linefeed) {
        self.order(PHONE1, Order::Feed(linefeed));
    }

    fn order(&mut self, port: PortId, order: Order) {
        let now = self.world.lock().now();
        self.lines.command(LineCommand { port, order }, now, &mut |_| ());
    }

    fn happened(&self) -> Vec<What> {
        self.world.lock().events_since(0).0.into_iter().filter(|e| e.port == PHONE1).map(|e| e.what).collect()
    }
}

fn shipped_office() -> Office {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/board/sim/profile.toml"));
    Office::of_board(&Profile::parse(include_str!("../board/sim/profile.toml")).unwrap(), path).unwrap()
}

/// Bell 202, as the exchange sends it.
fn modem(message: &[u8]) -> Vec<i16> {
    let sum = message.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
    let mut bits: Vec<bool> = (0..300).map(|i| i % 2 == 1).chain([true; 180]).collect();
    for byte in message.iter().chain([&sum]) {
        bits.extend([false].into_iter().chain((0..8).map(|i| byte >> i & 1 == 1)).chain([true]));
    }
    let mut phase = 0f32;
    let sample = |t: usize| {
        phase += 2.0 * PI * if bits[t * 3 / 20] { 1200.0 } else { 2200.0 } / 8000.0;
        (phase.sin() * 3000.0) as i16
    };
    (0..bits.len() * 20 / 3).map(sample).collect()
}

#[test]
fn the_person_at_phone_1_answers_the_second_ring_and_talks_until_reorder() {
    let mut rig = Rig::started(&shipped_office());
    for _ in 0..2 {
        rig.feed(Linefeed::Ringing);
        rig.pass(2000, |_| 0);
        rig.feed(Linefeed::OnHookTransmission);
        rig.pass(1000, |_| 0);
        if rig.events.is_empty() {
            rig.pass(3000, |_| 0);
        }
    }
    let answered = LineEvent { port: PHONE1, change: Change::Fxs(PortChange::LoopClosed) };
    assert_eq!(rig.events, [answered]);
    let before = rig.up.len();
    rig.pass(20_000, |_| 0);
    let loud = rig.up[before..].chunks(8000).filter(|s| s.iter().any(|&s| s.abs() > 3000)).count();
    assert!(loud >= 18, "speech is repeated: {loud} of 20 seconds");
    rig.pass(4000, |t| {
        let wave = |hz: f32| (2.0 * PI * hz * t as f32 / 8000.0).sin() * 1500.0;
        if t / 2000 % 2 == 0 { (wave(480.0) + wave(620.0)) as i16 } else { 0 }
    });
    let opened = LineEvent { port: PHONE1, change: Change::Fxs(PortChange::LoopOpened) };
    assert_eq!(rig.events, [answered, opened]);
    let happened = rig.happened();
    assert!(happened.ends_with(&[What::HungUpOn(HungUpOn::Tone), What::HungUp]), "{happened:?}");
}

#[test]
fn a_phone_on_hook_shows_the_caller_sent_in_on_hook_transmission() {
    let message = modem(b"\x80\x0c\x02\x0a3125550147");
    for (feed, shown) in [(Linefeed::OnHookTransmission, 1), (Linefeed::Active, 0)] {
        let mut rig = Rig::started(&Office::empty(0));
        rig.feed(feed);
        rig.pass(504, |_| 0);
        let sent_at = rig.world.lock().samples();
        rig.pass(1200, |t| message.get(t).copied().unwrap_or(0));
        let phone = rig.world.lock().snapshot().swap_remove(0);
        assert_eq!(phone.callers.len(), shown, "{feed:?}");
        for caller in phone.callers {
            assert_eq!(caller.number.as_deref(), Some("3125550147"));
            assert!(caller.started_at.abs_diff(sent_at) < 8, "{caller:?}");
            assert!(caller.ended_at.abs_diff(sent_at + message.len() as u64) < 16, "{caller:?}");
            assert!(rig.happened().contains(&What::Phone(Happening::CallerShown(caller))));
        }
    }
}

#[test]
fn an_echo_path_returns_what_is_sent_and_an_ideal_hybrid_nothing() {
    let echo = EchoPath::reflection(32, 6.0206).unwrap();
    for (path, expected) in [(echo, 500), (EchoPath::ideal(), 0)] {
        let mut rig =
            Rig::started(&Office::empty(0).with("PHONE1", Script { echo: path, ..Script::default() }));
        rig.world.lock().lift(PHONE1);
        rig.pass(200, |_| 0);
        let before = rig.up.len();
        rig.pass(16, |t| if t == 10 { 1000 } else { 0 });
        let heard = &rig.up[before..];
        assert_eq!(heard.iter().position(|&s| s != 0), (expected != 0).then_some(42));
        assert_eq!(heard[42], expected);
    }
}

#[test]
fn keys_pressed_at_the_phone_reach_the_slot() {
    let script = Script { keys: vec![(1000, "5".into())], ..Script::default() };
    let mut rig = Rig::started(&Office::empty(0).with("PHONE1", script));
    rig.world.lock().lift(PHONE1);
    let before = rig.up.len();
    rig.pass(2000, |_| 0);
    let sounding: Vec<usize> =
        (0..2000).filter(|ms| rig.up[before + ms * 8..][..8].iter().any(|&s| s != 0)).collect();
    assert_eq!((sounding.first(), sounding.last(), sounding.len()), (Some(&1000), Some(&1099), 100));
}

#[test]
fn an_office_line_is_seized_and_let_go_through_the_thread_of_the_chips() {
    let mut rig = Rig::started(&Office::empty(0));
    // Control byte of the second chip of the chain: its number bit-reversed.
    let read = |spi: &mut SimSpi, register: u8| {
        let mut value = [0];
        spi.transaction(&mut [Operation::Write(&[0x68, register]), Operation::Read(&mut value)]).unwrap();
        value[0]
    };
    assert_eq!((read(&mut rig.daa_spi, 11), read(&mut rig.daa_spi, 12) & 0x40), (0x33, 0x40));
    assert_eq!(read(&mut rig.daa_spi, 29) as i8, -48);
    let line2 = PortId(3);
    rig.order(line2, Order::Line(LineOrder::OffHook));
    rig.pass(208, |_| 0);
    assert_eq!((read(&mut rig.daa_spi, 29) as i8, read(&mut rig.daa_spi, 28)), (-7, 31));
    rig.order(line2, Order::Balance(Balance { acim: 2, hybrid: [0; 8] }));
    assert_eq!(read(&mut rig.daa_spi, 30), 2);
    rig.order(line2, Order::Line(LineOrder::Monitor));
    rig.world.lock().line(1).unwrap().battery_volts = 0.0;
    rig.pass(1400, |_| 0);
    let changes: Vec<_> = rig.lines_said.iter().filter(|e| e.port == line2).map(|e| e.change).collect();
    let expected = [LineChange::OffHook, LineChange::BatteryLost, LineChange::LineDead].map(Change::Fxo);
    assert_eq!(changes, expected);
}

#[test]
fn a_frame_that_no_chip_understands_is_refused() {
    let mut rig = Rig::started(&Office::empty(0));
    for frame in [&[1][..], &[1, 64, 1, 0], &[1, 64]] {
        assert!(matches!(rig.slic_spi.write(frame), Err(SpiFault::Malformed(_))), "{frame:?}");
    }
    // Bit 5 of a Si3050's control byte is set.
    assert!(matches!(rig.daa_spi.write(&[0x00, 6, 0]), Err(SpiFault::Malformed(_))));
}

#[test]
fn an_office_with_a_phone_that_the_board_lacks_is_refused() {
    let profile = Profile::parse(include_str!("../board/sim/profile.toml")).unwrap();
    let office = Office::empty(0).with("PHONE9", Script::default());
    let Err(error) = World::new(&profile, &office) else { panic!("accepted") };
    assert!(matches!(&error, OfficeError::Value { port, .. } if port == "PHONE9"));
    assert!(error.to_string().ends_with("it has PHONE1, PHONE2"));
}

#[test]
fn the_thread_starts_the_chips_obeys_orders_and_opens_the_loops_when_it_ends() {
    let Rig { world, lines, .. } = Rig::new(&Office::empty(0));
    let (orders, receiver) = mpsc::channel();
    let (sender, events) = mpsc::channel();
    let clock = world.clone();
    let thread = std::thread::spawn(move || {
        lines.run(&receiver, || clock.lock().now(), |event| sender.send(event).unwrap());
    });
    // The world is the clock; it moves as fast as this loop, in steps of a period.
    let mut card = world.clone();
    let mut turn_until = |done: &dyn Fn() -> bool| {
        for _ in 0..20_000 {
            card.step(&[0; 80 * SLOTS], &mut [0; 80 * SLOTS], SLOTS);
            std::thread::sleep(std::time::Duration::from_micros(200));
            if done() {
                return;
            }
        }
        panic!("nothing came");
    };
    for _ in 0..2 {
        turn_until(&|| events.try_recv().is_ok_and(|e| e.change == Change::Fxs(PortChange::Up)));
    }
    orders.send(LineCommand::feed(PHONE1, Linefeed::Ringing)).unwrap();
    turn_until(&|| world.lock().snapshot()[0].ringing);
    drop(orders);
    thread.join().unwrap();
    assert_eq!(world.lock().slic(PHONE1).unwrap().peek(64), 0x00);
}

#[test]
fn the_world_keeps_time_whatever_the_step() {
    let mut world =
        World::new(&Profile::parse(include_str!("../board/sim/profile.toml")).unwrap(), &Office::empty(0))
            .unwrap();
    for frames in [1, 7, 80, 3, 160] {
        world.step(&vec![0; frames * SLOTS], &mut vec![0; frames * SLOTS], SLOTS);
    }
    assert_eq!((world.samples(), world.now()), (251, Instant(251 * 125)));
}
