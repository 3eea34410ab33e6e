//! A test against a line that answers as it should, until something happens.

use super::*;
use crate::audio::{PERIOD, probe};

const START: Instant = Instant(7_000_000);
const LATENCY: usize = 170;
const MISMATCH: [f32; 4] = [0.8, 0.5, 0.3, 0.141];

/// A line whose own impedance is 2, and the echo that is left with it.
const ECHO: [f32; 8] = [0.0, 0.125, 0.25, -0.125, 0.0625, 0.0, -0.031_25, 0.0];

struct Bench {
    test: LineTest,
    now: Instant,
    chip: Balance,
    volts: f32,
    has_dial_tone: bool,
    /// Probes that lose samples.
    spoilt: u8,
    echo: bool,
    log: Vec<String>,
    done: Option<Result<Measured, Untested>>,
}

impl Bench {
    fn new() -> Self {
        let before = Balance::default();
        Self {
            test: LineTest::of_line(before, START),
            now: START,
            chip: before,
            volts: -48.0,
            has_dial_tone: true,
            spoilt: 0,
            echo: true,
            log: Vec::new(),
            done: None,
        }
    }

    fn give(&mut self, event: Event) {
        let mut out = Vec::new();
        self.test.handle(event, self.now, &mut out);
        out.into_iter().for_each(|command| self.obey(command));
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.after_ms(ms);
    }

    /// Obeys as switchboard, line and media do.
    fn obey(&mut self, command: Command) {
        match command {
            Command::Seize => self.log.push("seize".to_owned()),
            Command::Release => self.log.push("release".to_owned()),
            Command::Hush => self.log.push("hush".to_owned()),
            Command::Send(key) => {
                assert_eq!(key.sign(), BREAKING_KEY);
                self.log.push("key".to_owned());
            }
            Command::Balance(balance) => self.chip = balance,
            Command::Probe(probe) => {
                self.log.push("probe".to_owned());
                self.wait(140);
                let probe = self.played(probe);
                self.give(Event::Probed(probe));
            }
            Command::Done(result) => self.done = Some(result),
        }
    }

    fn played(&mut self, mut probe: Box<Probe>) -> Box<Probe> {
        let mut taps = if self.echo { ECHO } else { [0.0; 8] };
        let mismatch = f32::from(self.chip.acim.abs_diff(2)) * 0.04 * f32::from(u8::from(self.echo));
        taps.iter_mut().zip(MISMATCH).for_each(|(tap, share)| *tap += mismatch * share);
        taps.iter_mut().zip(self.chip.hybrid).for_each(|(tap, c)| *tap -= f32::from(c) / 128.0);
        let gap = u64::from(std::mem::take(&mut self.spoilt) > 0);
        let (mut sent, mut clock) = (Vec::new(), 0);
        while !probe.is_over() {
            let at = sent.len();
            let (playing, heard) = probe.period(clock);
            sent.extend_from_slice(playing);
            sent.resize(at + PERIOD, 0);
            for (n, place) in (at..).zip(heard) {
                let past = |tap: usize| n.checked_sub(LATENCY + tap).map_or(0, |n| sent[n]);
                let echo = taps.iter().enumerate().map(|(tap, weight)| f32::from(past(tap)) * weight);
                *place = echo.sum::<f32>() as i16;
            }
            clock += PERIOD as u64 * (1 + gap);
        }
        assert_eq!(probe::HEARD / PERIOD, sent.len() / PERIOD);
        probe
    }

    fn due(&mut self) {
        self.now = self.test.deadline().expect("something is awaited").max(self.now);
        self.give(Event::Deadline);
    }

    fn readings(&mut self, milliamps: Option<f32>) {
        self.give(Event::Readings { volts: self.volts, milliamps });
    }

    /// Up to the first balance.
    fn until_dialled(&mut self) {
        self.wait(600);
        self.readings(None);
        self.wait(210);
        self.give(Event::Seized);
        self.readings(Some(26.0));
        if self.has_dial_tone {
            self.wait(1_300);
            self.give(Event::DialTone);
            self.wait(300);
            self.give(Event::Dialled);
        } else {
            self.due();
        }
    }

    fn run(mut self) -> Self {
        self.until_dialled();
        while matches!(self.test.state, State::Balancing { .. } | State::Renewing { .. }) {
            self.due();
        }
        self.wait(1_500);
        self.give(Event::Free);
        self
    }

    fn measured(&self) -> &LineMeasurement {
        let Some(Ok(Measured::Line(line))) = &self.done else { panic!("{:?}, {:?}", self.done, self.log) };
        line
    }

    /// How the test ends if `event` comes in a state, and what is ordered from then on.
    fn aborted(mut self, event: Event) -> (Untested, Vec<String>, Balance) {
        self.log.clear();
        self.give(event);
        assert!(self.test.deadline().is_none());
        match self.done {
            Some(Err(why)) => (why, self.log, self.chip),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_best_impedance_and_its_hybrid_are_found_within_eight_seconds() {
    let bench = Bench::new().run();
    let line = bench.measured();
    let chosen = line.chosen.expect("something was chosen");
    assert_eq!((chosen.acim, chosen.hybrid), (2, [0, 16, 32, -16, 8, 0, -4, 0]));
    let plain = line.echo.iter().find(|echo| echo.acim == 2).expect("it was tried").erl_db;
    println!("{:?}\nchosen {chosen:?}, {} ms", line.echo, bench.now.ms_since(START));
    assert!(chosen.erl_db > plain + 10.0 && line.echo.len() == 16, "{line:?}");
    assert!(line.echo.iter().all(|echo| echo.erl_db <= plain));
    assert_eq!(bench.chip, Balance { acim: 2, hybrid: chosen.hybrid }, "the chip keeps it");
    assert_eq!((line.battery_volts, line.loop_milliamps), (Some(48.0), Some(26.0)));
    assert_eq!(line.dial_tone, Some(DialTone::Yes { after_ms: 1_300 }));
    assert!(bench.now.ms_since(START) <= 8_000);
    let keys = bench.log.iter().filter(|what| *what == "key").count();
    assert!((1..=3).contains(&keys), "the exchange is kept waiting: {:?}", bench.log);
}

#[test]
fn a_line_without_echo_stays_as_it_was() {
    let bench = Bench { echo: false, ..Bench::new() }.run();
    let chosen = bench.measured().chosen.expect("something was chosen");
    assert_eq!((chosen.acim, chosen.hybrid, chosen.erl_db), (0, [0; 8], probe::BEST_ERL_DB));
}

#[test]
fn a_balance_that_was_better_is_kept() {
    let before = Balance { acim: 2, hybrid: [0, 16, 32, -16, 8, 0, -4, 0] };
    let mut bench = Bench { chip: before, ..Bench::new() };
    bench.test = LineTest::of_line(before, START);
    let bench = bench.run();
    assert_eq!(bench.chip, before);
    assert!(bench.measured().chosen.expect("it was measured").erl_db > 40.0);
}

#[test]
fn a_line_without_battery_is_not_seized() {
    for volts in [0.0, 8.0] {
        let mut bench = Bench { volts, ..Bench::new() };
        bench.readings(None);
        assert_eq!(bench.measured().battery_volts, Some(volts));
        assert!(bench.log.is_empty());
    }
}

#[test]
fn a_line_without_dial_tone_is_hung_up_and_not_probed() {
    let bench = Bench { has_dial_tone: false, ..Bench::new() }.run();
    assert_eq!((bench.measured().dial_tone, bench.measured().chosen), (Some(DialTone::No), None));
    assert_eq!(bench.log, ["seize", "release"]);
    let mut refused = Bench::new();
    refused.readings(None);
    refused.give(Event::NoDialTone);
    refused.give(Event::Free);
    assert_eq!(refused.measured().dial_tone, Some(DialTone::No));
}

#[test]
fn a_probe_that_lost_samples_is_played_again_and_four_times_at_most() {
    let bench = Bench { spoilt: 1, ..Bench::new() }.run();
    assert_eq!(bench.measured().echo.len(), 16);
    let mut bench = Bench::new();
    bench.until_dialled();
    for _ in 0..=MOST_REPEATS {
        assert!(bench.done.is_none());
        bench.spoilt = 1;
        bench.due();
    }
    assert_eq!(bench.done, Some(Err(Untested::Failed("the sound card loses samples"))));
    assert_eq!((bench.log.last().map(String::as_str), bench.chip), (Some("release"), Balance::default()));
}

/// A bench in each state that holds the line, with its name.
fn holding() -> Vec<(&'static str, Bench)> {
    let mut seizing = Bench::new();
    seizing.readings(None);
    let mut listening = Bench::new();
    listening.readings(None);
    listening.give(Event::Seized);
    let mut dialling = Bench::new();
    dialling.readings(None);
    dialling.give(Event::Seized);
    dialling.give(Event::DialTone);
    let mut balancing = Bench::new();
    balancing.until_dialled();
    balancing.due();
    let mut renewing = Bench::new();
    renewing.until_dialled();
    while !matches!(renewing.test.state, State::Renewing { .. }) {
        renewing.due();
    }
    let mut probing = Bench::new();
    probing.until_dialled();
    probing.test.handle(Event::Deadline, probing.test.deadline().expect("it settles"), &mut Vec::new());
    assert!(matches!(probing.test.state, State::Probing { .. }));
    vec![
        ("seizing", seizing),
        ("listening", listening),
        ("dialling", dialling),
        ("balancing", balancing),
        ("renewing", renewing),
        ("probing", probing),
    ]
}

#[test]
fn whoever_needs_the_line_gets_it_at_once_and_as_it_was() {
    for (name, bench) in holding() {
        let (why, log, chip) = bench.aborted(Event::Taken);
        assert_eq!((why, chip), (Untested::InUse, Balance::default()), "{name}");
        assert_eq!(log, ["hush", "release"], "{name}");
    }
    let (why, log, _) = Bench::new().aborted(Event::Taken);
    assert_eq!((why, log.len()), (Untested::InUse, 0), "on hook there is nothing to give back");
}

#[test]
fn a_line_that_is_refused_or_fails_is_not_hung_up_by_the_test() {
    for (name, bench) in holding() {
        let (why, log, chip) = bench.aborted(Event::Lost);
        assert!(matches!(why, Untested::Failed(_)) && log.is_empty(), "{name}");
        assert_eq!(chip, Balance::default(), "{name}");
    }
    for (name, bench) in holding() {
        let (why, log, _) = bench.aborted(Event::Refused(Untested::InUse));
        assert_eq!((why, log.len()), (Untested::InUse, 0), "{name}");
    }
}

#[test]
fn a_line_that_answers_nothing_is_given_back() {
    for (name, mut bench) in holding() {
        if !matches!(name, "seizing" | "dialling" | "probing") {
            continue;
        }
        bench.due();
        assert!(matches!(bench.done, Some(Err(Untested::Failed(_)))), "{name}");
        assert_eq!(bench.log.last().map(String::as_str), Some("release"), "{name}");
    }
    let mut mute = Bench::new();
    mute.due();
    assert!(matches!(mute.done, Some(Err(Untested::Failed(_)))));
}

#[test]
fn an_exchange_that_gives_up_early_leaves_what_was_measured() {
    let mut bench = Bench::new();
    bench.until_dialled();
    (0..6).for_each(|_| bench.due());
    bench.give(Event::Ended);
    bench.give(Event::Free);
    let line = bench.measured();
    assert!(line.chosen.is_some() && (2..16).contains(&line.echo.len()), "{line:?}");
}

#[test]
fn who_comes_when_the_line_is_released_already_does_not_undo_the_test() {
    let mut bench = Bench::new();
    bench.until_dialled();
    while !matches!(bench.test.state, State::Releasing { .. }) {
        bench.due();
    }
    bench.give(Event::Lost);
    bench.give(Event::Taken);
    assert_eq!(bench.measured().echo.len(), 16);
}

#[test]
fn a_phone_is_measured_on_hook_and_left_when_it_is_lifted() {
    let phone = || Bench { test: LineTest::of_phone(START), ..Bench::new() };
    let mut measured = phone();
    measured.readings(Some(0.5));
    let Some(Ok(Measured::Phone(found))) = measured.done else { panic!("{:?}", measured.done) };
    assert_eq!((found.battery_volts, found.leak_milliamps, found.ren), (Some(48.0), Some(0.5), None));
    let (why, log, _) = phone().aborted(Event::Taken);
    assert_eq!((why, log.len()), (Untested::InUse, 0));
}

#[test]
fn no_emergency_number_begins_with_the_key_that_breaks_dial_tone() {
    use crate::{audio::tone_plan::TonePlan, dialling::DialPlan};
    let letters = || b'A'..=b'Z';
    let codes = letters().flat_map(|a| letters().map(move |b| String::from_utf8_lossy(&[a, b]).into_owned()));
    let mut plans = 0;
    for code in codes.filter(|code| TonePlan::for_country(code).is_some()) {
        let Some(plan) = DialPlan::for_country(&code) else { continue };
        plans += 1;
        for number in 0..1_000_u16 {
            let keys: Vec<Key> =
                format!("{BREAKING_KEY}{number}").chars().filter_map(Key::from_sign).collect();
            assert!((1..=keys.len()).all(|digits| !plan.is_emergency(&keys[..digits])), "{code} {number}");
        }
    }
    assert!(plans > 5);
}
