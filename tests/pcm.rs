//! The PCM path through the real libasound, onto the simulated card.
#![cfg(feature = "sim")]
#![allow(unsafe_code)]
#![allow(clippy::disallowed_methods)] // the card runs in real time

use ringside::{
    io::pcm::{PREFILL_PERIODS, Pcm, PcmError, PcmSettings},
    sim::{
        card::{Card, CardSettings, Clock, install},
        world::LineSide,
    },
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::{Duration, Instant},
};

const SLOTS: usize = 8;
const PERIOD: usize = 80;
const LEAD: usize = PREFILL_PERIODS * PERIOD;

/// Counts the heap calls of each thread.
struct Counting;

thread_local! {
    static HEAP_CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged; the counter is a plain cell without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_CALLS.set(HEAP_CALLS.get() + 1);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HEAP_CALLS.set(HEAP_CALLS.get() + 1);
        // SAFETY: as the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Each slot is wired back to itself.
struct Loopback;

impl LineSide for Loopback {
    fn step(&mut self, down: &[i16], up: &mut [i16], _slots: usize) {
        up.copy_from_slice(down);
    }
}

/// Noise that repeats after 1.27 s, so that an offset shows and comparing is cheap.
struct Noise(Vec<i16>);

const NOISE_PERIODS: usize = 127;

impl Noise {
    fn new() -> Self {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 | 1 // never silence
        };
        Self((0..NOISE_PERIODS * PERIOD * SLOTS).map(|_| next()).collect())
    }

    fn period(&self, number: usize) -> &[i16] {
        let start = number % NOISE_PERIODS * PERIOD * SLOTS;
        &self.0[start..start + PERIOD * SLOTS]
    }
}

/// An application that plays noise and checks that each slot hears its own, later by the lead.
struct Echo {
    noise: Noise,
    periods: usize,
    wrong: usize,
}

impl Echo {
    fn new() -> Self {
        Self { noise: Noise::new(), periods: 0, wrong: 0 }
    }

    /// The streams were restarted: playback begins anew with its lead of silence.
    fn restart(&mut self) {
        self.periods = 0;
    }

    fn turn(&mut self, pcm: &mut Pcm) -> bool {
        let xruns = pcm.counters().xruns;
        let turned = pcm.turn(|_, heard, said| {
            let right = match self.periods.checked_sub(PREFILL_PERIODS) {
                Some(number) => heard == self.noise.period(number),
                None => heard.iter().all(|sample| *sample == 0),
            };
            self.wrong += usize::from(!right);
            said.copy_from_slice(self.noise.period(self.periods));
            self.periods += 1;
        });
        if pcm.counters().xruns > xruns {
            self.restart();
        }
        turned.unwrap()
    }
}

fn settings(name: &str) -> PcmSettings {
    PcmSettings {
        device: format!("ringside:{name}"),
        slots: SLOTS,
        rate_hz: 8000,
        period_frames: PERIOD,
        periods: 4,
    }
}

fn plug_in(name: &str, clock: Clock) -> Card {
    let settings = CardSettings { name: name.to_owned(), slots: SLOTS, step_frames: 40, clock };
    Card::plug_in(&settings, Box::new(Loopback)).unwrap()
}

fn real(ppm: f64) -> Clock {
    Clock::Real { ppm, patience: Duration::from_millis(50) }
}

#[test]
fn two_hours_pass_without_an_xrun_and_every_slot_stays_aligned() {
    let mut card = plug_in("two-hours", Clock::Virtual);
    let mut pcm = Pcm::open(settings("two-hours")).unwrap();
    let mut echo = Echo::new();
    let periods = 2 * 3600 * 8000 / PERIOD;
    for number in 0..periods {
        card.advance(PERIOD);
        assert!(pcm.wait(0).unwrap(), "no period after {number}");
        assert!(echo.turn(&mut pcm));
    }
    assert_eq!((echo.periods, echo.wrong), (periods, 0));
    assert_eq!(pcm.clock(), card.counters().frames);
    assert_eq!(
        (pcm.counters().xruns, card.counters().playback_xruns, card.counters().capture_xruns),
        (0, 0, 0)
    );
}

#[test]
fn a_running_card_makes_no_heap_call() {
    let mut card = plug_in("heap", Clock::Virtual);
    let mut pcm = Pcm::open(settings("heap")).unwrap();
    let mut echo = Echo::new();
    let before = HEAP_CALLS.get();
    for _ in 0..1000 {
        card.advance(PERIOD);
        assert!(pcm.wait(0).unwrap());
        while echo.turn(&mut pcm) {}
    }
    assert_eq!((HEAP_CALLS.get() - before, echo.periods), (0, 1000));
}

#[test]
fn the_card_is_quiet_until_a_period_is_whole() {
    let mut card = plug_in("whole", Clock::Virtual);
    let mut pcm = Pcm::open(settings("whole")).unwrap();
    card.advance(PERIOD - 1);
    assert!(!pcm.wait(0).unwrap());
    assert!(!pcm.turn(|_, _, _| {}).unwrap());
    card.advance(1);
    assert!(pcm.wait(0).unwrap());
    assert!(pcm.turn(|_, _, _| {}).unwrap());
    assert!(!pcm.turn(|_, _, _| {}).unwrap());
    let asked = Instant::now();
    assert!(!pcm.wait(30).unwrap());
    assert!(asked.elapsed() >= Duration::from_millis(30), "the wait ended early");
}

#[test]
fn an_application_a_period_late_loses_nothing_and_one_two_periods_late_is_an_xrun() {
    let mut card = plug_in("late", Clock::Virtual);
    let mut pcm = Pcm::open(settings("late")).unwrap();
    let mut echo = Echo::new();
    card.advance(LEAD - 1);
    while echo.turn(&mut pcm) {}
    assert_eq!((echo.periods, pcm.counters().xruns), (1, 0));
    card.advance(1);
    while echo.turn(&mut pcm) {}
    assert_eq!((echo.periods, pcm.counters().xruns), (2, 0));
    card.advance(LEAD);
    assert!(!echo.turn(&mut pcm));
    assert_eq!(pcm.counters().xruns, 1);
    for _ in 0..100 {
        card.advance(PERIOD);
        assert!(echo.turn(&mut pcm));
    }
    assert_eq!((echo.periods, echo.wrong, pcm.counters().xruns), (100, 0, 1));
}

#[test]
fn a_stall_of_300_ms_is_counted_and_the_line_clock_takes_it_in() {
    let card = plug_in("stall", Clock::Real { ppm: 0.0, patience: Duration::from_millis(20) });
    let mut pcm = Pcm::open(settings("stall")).unwrap();
    let mut echo = Echo::new();
    run_until(&mut pcm, &mut echo, 20);
    let (before, xruns) = (pcm.clock(), pcm.counters().xruns);
    std::thread::sleep(Duration::from_millis(300));
    while pcm.counters().xruns == xruns {
        pcm.wait(1000).unwrap();
        echo.turn(&mut pcm);
    }
    let passed = pcm.clock() - before;
    assert!(passed >= 2400, "{passed} frames after 300 ms");
    assert!(passed - 2400 < 8000, "{passed} frames after 300 ms");
    run_until(&mut pcm, &mut echo, 50);
    assert_eq!(echo.wrong, 0);
    assert!(card.counters().playback_xruns + card.counters().capture_xruns > 0);
}

/// Lets the application run until it has handled `periods` since the streams started.
fn run_until(pcm: &mut Pcm, echo: &mut Echo, periods: usize) {
    while echo.periods < periods {
        pcm.wait(1000).unwrap();
        while echo.turn(pcm) {}
    }
}

#[test]
fn in_real_time_every_slot_hears_itself_with_one_offset() {
    let card = plug_in("real", real(0.0));
    let mut pcm = Pcm::open(settings("real")).unwrap();
    let mut echo = Echo::new();
    run_until(&mut pcm, &mut echo, 100);
    assert_eq!(echo.wrong, 0);
    assert!(card.counters().running);
}

#[test]
fn a_crystal_that_is_fast_by_a_tenth_makes_a_tenth_more_frames() {
    let card = plug_in("crystal", Clock::Real { ppm: 100_000.0, patience: Duration::ZERO });
    let (started, first) = (Instant::now(), card.counters().frames);
    std::thread::sleep(Duration::from_secs(1));
    let frames = (card.counters().frames - first) as f64;
    let nominal = started.elapsed().as_secs_f64() * 8000.0;
    assert!((1.05..1.15).contains(&(frames / nominal)), "{frames} frames in the time of {nominal}");
}

#[test]
fn an_unplugged_card_is_an_error_and_is_used_again_when_it_is_back() {
    let mut card = plug_in("unplugged", Clock::Virtual);
    let mut pcm = Pcm::open(settings("unplugged")).unwrap();
    card.advance(PERIOD);
    assert!(pcm.turn(|_, _, _| {}).unwrap());
    drop(card);
    let _ = pcm.wait(0);
    let gone = pcm.turn(|_, _, _| {}).unwrap_err();
    assert!(matches!(gone, PcmError::Call { .. }), "{gone}");
    assert!(pcm.reopen().is_err());
    assert!(pcm.wait(0).is_err() && pcm.turn(|_, _, _| {}).is_err());
    std::thread::sleep(Duration::from_millis(20));
    let mut card = plug_in("unplugged", Clock::Virtual);
    pcm.reopen().unwrap();
    assert!(pcm.clock() >= 80 + 160, "the clock went on: {}", pcm.clock());
    card.advance(PERIOD);
    let mut echo = Echo::new();
    assert!(echo.turn(&mut pcm));
    assert_eq!((echo.wrong, pcm.counters().xruns), (0, 0));
}

#[test]
fn a_card_that_stands_still_is_reported_after_a_second() {
    let _card = plug_in("still", Clock::Virtual);
    let mut pcm = Pcm::open(settings("still")).unwrap();
    let silent = (0..20).find_map(|_| pcm.wait(100).err());
    assert!(matches!(silent, Some(PcmError::Silent { .. })));
}

#[test]
fn errors_name_the_device_the_call_and_the_remedy() {
    install().unwrap();
    let text = Pcm::open(settings("nowhere")).err().unwrap().to_string();
    assert!(
        text.contains("`ringside:nowhere`") && text.contains("snd_pcm_open") && text.contains("aplay -l"),
        "{text}"
    );

    let _card = plug_in("taken", Clock::Virtual);
    let first = Pcm::open(settings("taken")).unwrap();
    let text = Pcm::open(settings("taken")).err().unwrap().to_string();
    assert!(text.contains("another program"), "{text}");
    drop(first);

    let wide = PcmSettings { slots: SLOTS + 1, ..settings("taken") };
    let text = Pcm::open(wide).err().unwrap().to_string();
    assert!(text.contains("snd_pcm_hw_params_set_channels") && text.contains("board profile"), "{text}");

    let shallow = PcmSettings { periods: PREFILL_PERIODS, ..settings("taken") };
    assert!(matches!(Pcm::open(shallow), Err(PcmError::Settings { .. })));
    Pcm::open(settings("taken")).unwrap();
}

#[test]
fn the_card_named_sim_needs_no_name() {
    let _card = plug_in("sim", Clock::Virtual);
    let pcm = Pcm::open(PcmSettings { device: "ringside".to_owned(), ..settings("sim") });
    assert!(pcm.is_ok());
}

#[test]
fn two_cards_cannot_have_one_name() {
    let _card = plug_in("twin", Clock::Virtual);
    let settings =
        CardSettings { name: "twin".to_owned(), slots: SLOTS, step_frames: 40, clock: Clock::Virtual };
    assert!(Card::plug_in(&settings, Box::new(Loopback)).is_err());
}
