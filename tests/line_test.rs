//! Line tests with the real switchboard, drivers and patch bay on the simulated board, in virtual time.
#![cfg(feature = "sim")]

#[allow(dead_code, unreachable_pub, reason = "the rig's site, of which this needs a part")]
#[path = "rig/site.rs"]
mod site;

use ringside::{
    audio::{
        dtmf::{self, Key},
        fsk::Variant,
        line_ear::{Heard, LineEar},
        tone_plan::TonePlan,
        wav,
    },
    board::Profile,
    call::incoming::Numbering,
    chip::si3050::Balance,
    config::Config,
    directory::Directory,
    health,
    id::{BoxId, PortId, RtpPort, Slot},
    io::line_io::{Change, LineCommand, LineEvent, LineIo, Order},
    line::line_test::Untested,
    media::{
        PatchBay, RtpIo,
        control::{Command, Event, Sound},
    },
    number::Dialplan,
    rtp::ntp::NtpTime,
    sim::{
        exchange::{CallerIn, LinePlan, OfficeLine, State},
        hybrid,
        office::{Office, Speech},
        spi::SimSpi,
        world::{LineSide, SharedWorld, World},
    },
    sip::{endpoint::Endpoint, settings as sip},
    status::{DialTone, LineHealth, LineMeasurement, Measured, Trend},
    switchboard::{Input, Listening, Output, Report, Switchboard},
    time::{Instant, WallTime},
};
use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

const SLOTS: usize = 8;
const PERIOD: usize = 80;
/// Periods that wait in the card.
const LEAD: usize = 2;
const PHONE1: PortId = PortId(0);
const LINE1: PortId = PortId(2);
const LINE2: PortId = PortId(3);
/// A test takes at most so long, ms.
const MOST_MS: u64 = 8_000;

type Tested = Result<Measured, Untested>;

/// Nobody is on the network.
struct NoNetwork;

impl RtpIo for NoNetwork {
    fn receive(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        None
    }
    fn send(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}
    fn receive_control(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        None
    }
    fn send_control(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}
    fn now(&self) -> NtpTime {
        NtpTime::default()
    }
}

struct Bench {
    world: SharedWorld,
    io: LineIo<SimSpi>,
    io_due: Instant,
    bay: PatchBay,
    board: Switchboard,
    captured: Vec<i16>,
    /// What the card plays next, a period each.
    played: VecDeque<Vec<i16>>,
    tested: Vec<(PortId, Tested)>,
    /// How each chip was balanced last.
    balances: Vec<(PortId, Balance)>,
}

impl Bench {
    /// The simulated board, its chips up.
    fn new(plan: LinePlan) -> Self {
        let profile = Profile::parse(include_str!("../board/sim/profile.toml")).unwrap();
        let office = Office::empty(0).with_line("LINE1", plan);
        let world = World::new(&profile, &office).unwrap().share();
        let devices = (0..profile.spi.len()).map(|chain| SimSpi::new(world.clone(), chain)).collect();
        let config = Config::parse(site::CONFIG, "site.toml").unwrap();
        let endpoint = Endpoint::new(
            sip::Settings {
                local: SocketAddr::from(([127, 0, 0, 1], 5060)),
                user_agent: "ringside/test".to_owned(),
                dialplan: Dialplan::for_country("US").unwrap(),
                trunks: Vec::new(),
            },
            1,
        );
        let directory =
            Arc::new(Directory::from_config(&config, &["PHONE1".to_owned(), "PHONE2".to_owned()]));
        let numbering = Numbering::new(BoxId::from_parts(WallTime(0), 1), 1, 1);
        let mut bench = Self {
            world,
            io: LineIo::new(&profile, devices).unwrap(),
            io_due: Instant::ZERO,
            bay: PatchBay::new(SLOTS, 2),
            board: Switchboard::new(site::settings(2, 2), directory, endpoint, numbering),
            captured: Vec::new(),
            played: vec![vec![0; PERIOD * SLOTS]; LEAD].into(),
            tested: Vec::new(),
            balances: Vec::new(),
        };
        bench.run(2_000);
        bench
    }

    fn now(&self) -> Instant {
        self.world.lock().now()
    }

    fn run(&mut self, ms: u64) {
        (0..ms).for_each(|_| self.step());
    }

    /// One millisecond.
    fn step(&mut self) {
        let at = self.captured.len();
        let down = self.played[0][at..at + 8 * SLOTS].to_vec();
        let mut up = vec![0; 8 * SLOTS];
        self.world.step(&down, &mut up, SLOTS);
        self.captured.extend(up);
        let now = self.now();
        if self.captured.len() == PERIOD * SLOTS {
            let (mut playback, mut events) = (vec![0; PERIOD * SLOTS], Vec::new());
            let clock = self.world.lock().samples();
            let mut sink = |event| events.push(event);
            self.bay.tick(clock, &self.captured, &mut playback, &mut NoNetwork, &mut sink);
            self.captured.clear();
            self.played.pop_front();
            self.played.push_back(playback);
            events.into_iter().for_each(|event| self.give(Input::Media(event)));
        }
        if now >= self.io_due {
            let mut events = Vec::new();
            self.io.turn(now, &mut |event| events.push(event));
            self.io_due = self.io.due(now);
            events.into_iter().for_each(|event| self.line_event(event));
        }
        while self.board.deadline().is_some_and(|at| at <= now) {
            self.give(Input::Deadline);
        }
    }

    fn line_event(&mut self, LineEvent { port, change }: LineEvent) {
        match change {
            Change::Fxs(change) => self.give(Input::Fxs { port, change }),
            Change::Fxo(change) => self.give(Input::Fxo { port, change }),
            Change::Readings(read) => {
                self.give(Input::Readings { port, volts: read.volts, milliamps: read.milliamps });
            }
        }
    }

    fn give(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.board.handle(input, self.now(), &mut out);
        out.into_iter().for_each(|output| self.perform(output));
    }

    fn order(&mut self, port: PortId, order: Order) {
        let (now, mut events) = (self.now(), Vec::new());
        self.io.command(LineCommand { port, order }, now, &mut |event| events.push(event));
        self.io_due = now;
        events.into_iter().for_each(|event| self.line_event(event));
    }

    fn media(&mut self, command: Command) {
        let (clock, mut events) = (self.world.lock().samples(), Vec::new());
        self.bay.handle(command, clock, &mut |event| events.push(event));
        events.into_iter().for_each(|event: Event| self.give(Input::Media(event)));
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Fxs { port, feed } => self.order(port, Order::Feed(feed)),
            Output::Fxo { port, order } => self.order(port, Order::Line(order)),
            Output::Balance { port, balance } => {
                self.balances.push((port, balance));
                self.order(port, Order::Balance(balance));
            }
            Output::Media(command) => self.media(command),
            Output::Listen { slot, to } => {
                let ear = match to {
                    Listening::Phone => LineEar::for_phone(),
                    Listening::Line => LineEar::for_line(TonePlan::north_america(), Variant::Bell202),
                };
                self.media(Command::Listen { slot, ear: Box::new(ear) });
            }
            Output::Dial { slot, keys } => {
                self.media(Command::Play { slot, sound: Sound::Once(dtmf::dial(&keys).into()) });
            }
            Output::Report(Report::LineTested { port, result }) => self.tested.push((port, result)),
            _ => {}
        }
    }

    fn begin(&mut self, port: PortId) {
        self.give(Input::TestLine { port, balance: Balance::default() });
    }

    /// Tests LINE1; what was measured, and how long it took.
    fn test(&mut self) -> (LineMeasurement, u64) {
        self.begin(LINE1);
        let began = self.now();
        while self.tested.is_empty() {
            self.step();
            assert!(self.now().ms_since(began) <= MOST_MS, "it takes too long");
        }
        match self.tested.remove(0) {
            (LINE1, Ok(Measured::Line(line))) => (line, self.now().ms_since(began)),
            other => panic!("{other:?}"),
        }
    }

    fn line<T>(&self, index: usize, act: impl FnOnce(&mut OfficeLine) -> T) -> T {
        act(self.world.lock().office_line(index).unwrap())
    }

    fn state(&self) -> State {
        self.line(0, |line| line.state())
    }

    /// Runs until it is true.
    fn until(&mut self, what: &str, most_ms: u64, is_true: impl Fn(&Self) -> bool) {
        for _ in 0..most_ms {
            if is_true(self) {
                return;
            }
            self.step();
        }
        panic!("{what}: not within {most_ms} ms; {:?}", self.tested);
    }

    fn probes(&mut self) {
        self.until("the sweep goes on", 6_000, |bench| bench.balances.len() > 5);
    }

    fn press(&mut self, port: PortId, keys: &str) {
        for sign in keys.chars() {
            let heard = Heard::Key(Key::from_sign(sign).unwrap());
            self.give(Input::Media(Event::Heard { slot: Slot(port.0), heard }));
        }
    }

    fn was_in_use(&self) -> bool {
        self.tested == [(LINE1, Err(Untested::InUse))]
    }
}

fn judged(line: LineMeasurement) -> LineHealth {
    health::judge(Measured::Line(line), WallTime(0), &[100])
}

fn codes(health: &LineHealth) -> Vec<&str> {
    health.deductions.iter().map(|found| found.code.as_str()).collect()
}

/// A line of impedance 2 whose cable leaves an echo nevertheless.
fn echoing() -> LinePlan {
    let echo = vec![0.05, 0.125, 0.25, -0.12, 0.06, 0.0, -0.03, 0.016];
    LinePlan { balance: Some(hybrid::Balance { impedance: 2, echo }), ..LinePlan::default() }
}

#[test]
fn a_good_line_scores_100() {
    let mut bench = Bench::new(LinePlan::default());
    let (line, ms) = bench.test();
    println!("{ms} ms: {line:?}");
    assert_eq!((line.battery_volts, line.echo.len()), (Some(48.0), 16));
    assert!((25.0..40.0).contains(&line.loop_milliamps.unwrap()), "{line:?}");
    assert!(matches!(line.dial_tone, Some(DialTone::Yes { after_ms: 300..2_000 })), "{line:?}");
    assert_eq!(line.chosen.map(|chosen| (chosen.acim, chosen.hybrid)), Some((0, [0; 8])));
    let health = judged(line);
    assert_eq!((health.score, health.trend), (100, Some(Trend::Same)));
    bench.run(500);
    assert_eq!(bench.state(), State::Idle);
    assert!(bench.line(0, |line| line.dialled().iter().all(|number| number.starts_with('5'))));
    let (again, _) = bench.test();
    assert_eq!(again.echo.len(), 16, "and can be tested again");
}

#[test]
fn the_impedance_of_the_line_is_found_and_its_hybrid_takes_10_db_away() {
    let mut bench = Bench::new(echoing());
    let (line, ms) = bench.test();
    let chosen = line.chosen.unwrap();
    let erl_of = |acim| line.echo.iter().find(|echo| echo.acim == acim).unwrap().erl_db;
    let plain = erl_of(2);
    println!("{ms} ms; impedance 0: {} dB, 2: {plain} dB; {chosen:?}", erl_of(0));
    assert_eq!(chosen.acim, 2);
    assert!(chosen.erl_db >= plain + 10.0 && plain > erl_of(0), "{line:?}");
    let (port, last) = *bench.balances.last().unwrap();
    assert_eq!((port, last), (LINE1, Balance { acim: 2, hybrid: chosen.hybrid }), "the chip keeps it");
    assert_eq!(judged(line).score, 100);
}

#[test]
fn an_unplugged_line_scores_0_and_says_what_to_do() {
    let mut bench = Bench::new(LinePlan::default());
    bench.line(0, OfficeLine::unplug);
    bench.run(3_000);
    let (line, _) = bench.test();
    let health = judged(line);
    assert_eq!((health.score, codes(&health)), (0, vec!["no_battery"]));
    assert_eq!(health.deductions[0].remedy, "check the cable from the telco jack");
}

#[test]
fn a_line_that_another_phone_uses_is_not_seized() {
    let mut bench = Bench::new(LinePlan::default());
    bench.line(0, OfficeLine::lift_parallel);
    bench.run(3_000);
    let (line, _) = bench.test();
    assert_eq!(line.dial_tone, None);
    let health = judged(line);
    assert_eq!((health.score, codes(&health)), (40, vec!["shared"]));
    assert!(health.deductions[0].remedy.starts_with("hang up the other phones"));
}

#[test]
fn a_line_without_dial_tone_is_hung_up_again() {
    let mut bench = Bench::new(LinePlan { dial_tone_after_ms: 60_000, ..LinePlan::default() });
    let (line, _) = bench.test();
    assert_eq!((line.dial_tone, line.chosen), (Some(DialTone::No), None));
    assert_eq!(codes(&judged(line)), ["no_dial_tone"]);
    assert_eq!(bench.state(), State::Idle);
    assert!(bench.line(0, |line| line.dialled().is_empty()));
}

#[test]
fn a_caller_ends_the_test_and_is_answered_as_always() {
    let mut bench = Bench::new(LinePlan::default());
    // Between two readings, so that the line is still on hook when it rings.
    bench.run(200);
    bench.begin(LINE1);
    bench.line(0, |line| line.call_in(CallerIn::new("3125550142")));
    bench.until("the test gives way", 3_000, Bench::was_in_use);
    bench.run(1_500);
    assert_eq!(bench.state(), State::Ringing);
    bench.world.lock().lift(PHONE1);
    bench.until("they talk", 2_000, |bench| bench.state() == State::Talking);
}

#[test]
fn a_caller_who_meets_the_test_off_hook_is_answered_too() {
    let mut bench = Bench::new(LinePlan::default());
    bench.begin(LINE1);
    bench.until("off hook", 3_000, |bench| bench.state() == State::DialTone);
    let samples: Arc<[i16]> = wav::decode(include_bytes!("../board/sim/caller.wav")).unwrap().into();
    let speech = Speech::Words { samples, repeat: true };
    bench.line(0, |line| line.call_in(CallerIn { speech, ..CallerIn::new("3125550142") }));
    bench.until("the test gives way", 3_500, Bench::was_in_use);
    bench.run(1_000);
    assert_eq!(bench.state(), State::Talking, "the caller is held until somebody answers");
}

#[test]
fn a_parallel_phone_ends_the_test() {
    let mut bench = Bench::new(LinePlan::default());
    bench.begin(LINE1);
    bench.probes();
    bench.line(0, OfficeLine::lift_parallel);
    bench.until("the test gives way", 1_000, Bench::was_in_use);
    assert_eq!(bench.balances.last(), Some(&(LINE1, Balance::default())), "the chip is as it was");
}

#[test]
fn a_line_that_is_unplugged_in_the_test_was_not_tested() {
    let mut bench = Bench::new(LinePlan::default());
    bench.begin(LINE1);
    bench.probes();
    bench.line(0, OfficeLine::unplug);
    bench.until("the test ends", MOST_MS, |bench| !bench.tested.is_empty());
    assert!(!matches!(bench.tested[0].1, Err(Untested::InUse)), "{:?}", bench.tested);
}

#[test]
fn an_emergency_takes_the_line_from_the_test() {
    let mut bench = Bench::new(LinePlan::default());
    bench.line(1, OfficeLine::unplug);
    bench.run(3_000);
    bench.world.lock().lift(PHONE1);
    bench.run(300);
    bench.begin(LINE1);
    bench.probes();
    bench.press(PHONE1, "911");
    assert!(bench.was_in_use(), "{:?}", bench.tested);
    bench.until("911 is dialled", 4_000, |bench| {
        bench.line(0, |line| line.dialled().iter().any(|number| number == "911"))
    });
}

#[test]
fn a_call_waits_for_the_line_that_the_test_gives_back() {
    let mut bench = Bench::new(LinePlan::default());
    bench.line(1, OfficeLine::unplug);
    bench.run(3_000);
    bench.world.lock().lift(PHONE1);
    bench.run(300);
    bench.begin(LINE1);
    bench.probes();
    bench.press(PHONE1, "13125550100");
    bench.until("the test gives way", 6_000, Bench::was_in_use);
    bench.until("it is dialled", 8_000, |bench| {
        bench.line(0, |line| line.dialled().iter().any(|number| number == "13125550100"))
    });
}

#[test]
fn a_call_takes_another_line_and_leaves_the_test_alone() {
    let mut bench = Bench::new(LinePlan::default());
    bench.world.lock().lift(PHONE1);
    bench.run(300);
    bench.begin(LINE1);
    bench.probes();
    bench.press(PHONE1, "911");
    bench.until("911 is dialled on LINE2", 4_000, |bench| {
        bench.line(1, |line| line.dialled().iter().any(|number| number == "911"))
    });
    bench.until("the test ends", MOST_MS, |bench| !bench.tested.is_empty());
    assert!(matches!(bench.tested[0], (LINE1, Ok(_))), "{:?}", bench.tested);
}

#[test]
fn a_port_in_use_is_refused_and_so_is_a_second_test() {
    let mut bench = Bench::new(LinePlan::default());
    bench.begin(LINE2);
    bench.begin(LINE2);
    assert_eq!(bench.tested, [(LINE2, Err(Untested::InUse))]);
    bench.tested.clear();
    bench.world.lock().lift(PHONE1);
    bench.run(300);
    bench.begin(PHONE1);
    assert_eq!(bench.tested, [(PHONE1, Err(Untested::InUse))]);
}

#[test]
fn a_phone_on_hook_is_measured_and_one_that_is_lifted_is_left() {
    let mut bench = Bench::new(LinePlan::default());
    bench.begin(PHONE1);
    bench.run(1_200);
    let Some((PHONE1, Ok(Measured::Phone(phone)))) = bench.tested.pop() else { panic!("{:?}", bench.tested) };
    assert!(phone.battery_volts.unwrap() > 40.0 && phone.leak_milliamps.unwrap() <= 1.25, "{phone:?}");
    bench.run(900);
    bench.begin(PHONE1);
    bench.world.lock().lift(PHONE1);
    bench.run(60);
    assert_eq!(bench.tested, [(PHONE1, Err(Untested::InUse))]);
}
