//! The media thread's loop on the simulated card, turn by turn.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods)] // the card runs in real time

use ringside::{
    id::{RtpPort, Slot},
    io::{
        media_loop::{MediaControl, MediaLoop},
        pcm::{Pcm, PcmSettings},
    },
    media::{
        control::{Command, Event, Sound},
        patch_bay::{PatchBay, RtpIo},
    },
    sim::{
        card::{Card, CardSettings, Clock},
        world::LineSide,
    },
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

const SLOTS: usize = 4;
const PERIOD: usize = 80;

/// Keeps what the line of slot 2 heard.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<i16>>>);

impl LineSide for Ear {
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        self.0.lock().unwrap().extend(down.chunks(slots).map(|frame| frame[2]));
        up.fill(0);
    }
}

/// Sockets on which nothing ever happens, except that old datagrams wait.
#[derive(Default)]
struct OldDatagrams(Arc<Mutex<usize>>);

impl RtpIo for OldDatagrams {
    fn receive(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1)?;
        Some((1, SocketAddr::from(([127, 0, 0, 1], 4000))))
    }

    fn send(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}
}

fn plug_in(name: &str, ear: &Ear) -> Card {
    let settings =
        CardSettings { name: name.to_owned(), slots: SLOTS, step_frames: PERIOD, clock: Clock::Virtual };
    Card::plug_in(&settings, Box::new(ear.clone())).unwrap()
}

fn start(name: &str) -> (MediaLoop<OldDatagrams>, MediaControl) {
    start_with(name, OldDatagrams::default())
}

fn start_with(name: &str, sockets: OldDatagrams) -> (MediaLoop<OldDatagrams>, MediaControl) {
    let settings = PcmSettings {
        device: format!("ringside:{name}"),
        slots: SLOTS,
        rate_hz: 8000,
        period_frames: PERIOD,
        periods: 4,
    };
    MediaLoop::new(Pcm::closed(settings), PatchBay::new(SLOTS, 4), sockets).unwrap()
}

#[test]
fn a_commanded_sound_is_heard_on_its_line_and_its_samples_come_back() {
    let ear = Ear::default();
    let mut card = plug_in("sound", &ear);
    let (mut media, mut control) = start("sound");
    assert_eq!(media.turn(0).unwrap(), 0);
    let sound: Arc<[i16]> = (1..=200).collect();
    control.commands.push(Command::Play { slot: Slot(2), sound: Sound::Once(Arc::clone(&sound)) }).unwrap();
    for _ in 0..10 {
        card.advance(PERIOD);
        assert_eq!(media.turn(0).unwrap(), 1);
    }
    let heard = ear.0.lock().unwrap().clone();
    let at = heard.iter().position(|sample| *sample != 0).unwrap();
    assert_eq!(at, 3 * PERIOD, "the period after the first, behind two of prefill");
    assert_eq!(heard[at..at + 200], sound[..]);
    assert!(heard[at + 200..].iter().all(|sample| *sample == 0));
    assert!(matches!(control.events.pop(), Ok(Event::Spent(back)) if Arc::ptr_eq(&back, &sound)));
    assert_eq!(control.status.periods.load(Ordering::Relaxed), 10);
    assert_eq!(control.status.clock.load(Ordering::Relaxed), 800);
}

#[test]
fn the_bell_rings_when_an_event_waits_and_not_before() {
    use std::io::Read;
    let ear = Ear::default();
    let mut card = plug_in("bell", &ear);
    let (mut media, mut control) = start("bell");
    media.turn(0).unwrap();
    let mut byte = [0];
    assert!(control.bell.0.read(&mut byte).is_err());
    let slot = Slot(0);
    control.commands.push(Command::Play { slot, sound: Sound::Once(vec![1; 8000].into()) }).unwrap();
    control.commands.push(Command::Hush { slot }).unwrap();
    card.advance(PERIOD);
    media.turn(0).unwrap();
    control.bell.0.set_nonblocking(true).unwrap();
    assert_eq!(control.bell.0.read(&mut byte).unwrap(), 1);
    assert!(control.events.pop().is_ok());
    control.bell.hush();
    assert!(control.bell.0.read(&mut byte).is_err());
}

#[test]
fn commands_are_obeyed_while_the_card_is_gone_and_it_is_used_again_when_it_is_back() {
    let ear = Ear::default();
    let (mut media, mut control) = start("gone");
    ringside::sim::card::install().unwrap();
    assert!(media.turn(0).is_err());
    assert!(!control.status.card_up.load(Ordering::Relaxed));
    let mut card = plug_in("gone", &ear);
    let slot = Slot(0);
    control.commands.push(Command::Play { slot, sound: Sound::Once(vec![1; 80].into()) }).unwrap();
    control.commands.push(Command::Hush { slot }).unwrap();
    assert_eq!(media.turn(1).unwrap(), 0);
    assert!(control.events.pop().is_ok(), "obeyed without a card");
    assert!(!control.status.card_up.load(Ordering::Relaxed), "tried again only after a second");
    while !control.status.card_up.load(Ordering::Relaxed) {
        media.turn(100).unwrap();
    }
    card.advance(PERIOD);
    assert_eq!(media.turn(0).unwrap(), 1);
    drop(card);
    assert!((0..3).any(|_| media.turn(0).is_err()));
    assert!(!control.status.card_up.load(Ordering::Relaxed));
}

#[test]
fn what_waits_from_an_earlier_call_is_dropped_before_the_next() {
    let ear = Ear::default();
    let _card = plug_in("stale", &ear);
    let waiting = Arc::new(Mutex::new(100));
    let (mut media, mut control) = start_with("stale", OldDatagrams(Arc::clone(&waiting)));
    control.commands.push(patch()).unwrap();
    media.turn(0).unwrap();
    assert_eq!(*waiting.lock().unwrap(), 0);
}

fn patch() -> Command {
    use ringside::media::control::{Codec, Trunk};
    let trunk = Trunk {
        remote: SocketAddr::from(([127, 0, 0, 1], 4000)),
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
    };
    Command::Patch { rtp: RtpPort(0), slot: Slot(0), trunk, source: (1, 2, 3), notice: None, tap: None }
}

#[test]
fn the_loop_stops_when_told() {
    let ear = Ear::default();
    let settings = CardSettings {
        name: "stop".to_owned(),
        slots: SLOTS,
        step_frames: PERIOD,
        clock: Clock::Real { ppm: 0.0, patience: Duration::from_millis(50) },
    };
    let _card = Card::plug_in(&settings, Box::new(ear)).unwrap();
    let (mut media, control) = start("stop");
    let stopping = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| media.run(&stopping));
        while control.status.periods.load(Ordering::Relaxed) < 10 {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopping.store(true, Ordering::Relaxed);
    });
    assert!(control.status.clock.load(Ordering::Relaxed) >= 800);
}
