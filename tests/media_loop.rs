//! The media thread's loop on the simulated card, turn by turn.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // the card runs in real time, the peer on a socket

use ringside::{
    id::{RtpPort, Slot},
    io::{
        media_loop::{MediaControl, MediaLoop},
        pcm::{PREFILL_PERIODS, Pcm, PcmSettings},
        rtp_socket::RtpSockets,
    },
    media::{
        PatchBay, RtpIo,
        control::{Codec, Command, Event, Sound, Trunk},
    },
    rtp::ntp::NtpTime,
    sim::{
        card::{Card, CardSettings, Clock},
        world::LineSide,
    },
};
use std::{
    net::{SocketAddr, UdpSocket},
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

/// A trunk that sends nothing and hears nothing.
struct Deaf;

impl RtpIo for Deaf {
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

fn plug_in(name: &str, ear: &Ear) -> Card {
    let settings =
        CardSettings { name: name.to_owned(), slots: SLOTS, step_frames: PERIOD, clock: Clock::Virtual };
    Card::plug_in(&settings, Box::new(ear.clone())).unwrap()
}

fn start<S: RtpIo>(name: &str, sockets: S) -> (MediaLoop<S>, MediaControl) {
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
    let (mut media, mut control) = start("sound", Deaf);
    assert_eq!(media.turn(0).unwrap(), 0);
    let sound: Arc<[i16]> = (1..=200).collect();
    control.commands.push(Command::Play { slot: Slot(2), sound: Sound::Once(Arc::clone(&sound)) }).unwrap();
    for _ in 0..10 {
        card.advance(PERIOD);
        assert_eq!(media.turn(0).unwrap(), 1);
    }
    let heard = ear.0.lock().unwrap().clone();
    let at = heard.iter().position(|sample| *sample != 0).unwrap();
    assert_eq!(at, PREFILL_PERIODS * PERIOD, "right behind the silence that playback starts with");
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
    let (mut media, mut control) = start("bell", Deaf);
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
    let (mut media, mut control) = start("gone", Deaf);
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
fn a_patched_call_hears_the_trunk_on_its_line_and_its_line_in_rtp() {
    let ear = Ear::default();
    let mut card = plug_in("call", &ear);
    let sockets = RtpSockets::bind([127, 0, 0, 78].into(), 42_000..=42_007, 4).unwrap();
    let ours = sockets.addresses()[1];
    let peer = UdpSocket::bind((ours.ip(), 0)).unwrap();
    let (mut media, mut control) = start("call", sockets);
    media.turn(0).unwrap();
    control.commands.push(patch(peer.local_addr().unwrap())).unwrap();
    for packet in 0..50_u16 {
        peer.send_to(&rtp(packet), ours).unwrap();
        for _ in 0..2 {
            card.advance(PERIOD);
            assert_eq!(media.turn(0).unwrap(), 1);
        }
    }
    let heard = ear.0.lock().unwrap().iter().filter(|sample| **sample == TONE_LINEAR).count();
    assert!(heard >= 40 * 160, "{heard} samples of 50 packets were heard");
    let mut datagram = [0; 400];
    peer.set_nonblocking(true).unwrap();
    let sent =
        std::iter::from_fn(|| peer.recv_from(&mut datagram).ok()).filter(|(_, from)| *from == ours).count();
    assert_eq!(sent, 50);
    control.commands.push(Command::Unpatch { rtp: RtpPort(1) }).unwrap();
    card.advance(PERIOD);
    media.turn(0).unwrap();
    let events: Vec<Event> = std::iter::from_fn(|| control.events.pop().ok()).collect();
    assert!(matches!(events[..], [Event::AudioStarted { .. }, Event::Unpatched { .. }]), "{events:?}");
}

/// The largest µ-law value and what it means.
const TONE_ULAW: u8 = 0x80;
const TONE_LINEAR: i16 = 32_124;

/// 20 ms of one µ-law value.
fn rtp(packet: u16) -> [u8; 172] {
    let mut datagram = [TONE_ULAW; 172];
    datagram[..2].copy_from_slice(&[0x80, 0]);
    datagram[2..4].copy_from_slice(&packet.to_be_bytes());
    datagram[4..8].copy_from_slice(&(u32::from(packet) * 160).to_be_bytes());
    datagram[8..12].copy_from_slice(&7_u32.to_be_bytes());
    datagram
}

fn patch(remote: SocketAddr) -> Command {
    let trunk = Trunk {
        remote,
        rtcp: remote,
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
    };
    Command::Patch {
        rtp: RtpPort(1),
        slot: Slot(2),
        trunk,
        source: (1, 2, 3),
        rtcp_seed: 4,
        notice: None,
        tap: None,
    }
}

/// Says one loud sample on slot 0, ten of them on slot 1, and keeps what both heard.
#[derive(Clone, Default)]
struct TwoLines {
    frames: usize,
    heard: Arc<Mutex<[Vec<i16>; 2]>>,
}

impl LineSide for TwoLines {
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        up.fill(0);
        let mut heard = self.heard.lock().unwrap();
        for (down, up) in down.chunks(slots).zip(up.chunks_mut(slots)) {
            heard[0].push(down[0]);
            heard[1].push(down[1]);
            up[0] = if self.frames == 1_234 { 9_000 } else { 0 };
            up[1] = if (2_000..2_010).contains(&self.frames) { 7_000 } else { 0 };
            self.frames += 1;
        }
    }
}

#[test]
fn the_way_from_line_to_line_through_the_card_takes_20_ms_to_the_sample() {
    let lines = TwoLines::default();
    let settings =
        CardSettings { name: "join".to_owned(), slots: SLOTS, step_frames: PERIOD, clock: Clock::Virtual };
    let mut card = Card::plug_in(&settings, Box::new(lines.clone())).unwrap();
    let (mut media, mut control) = start("join", Deaf);
    media.turn(0).unwrap();
    control.commands.push(Command::Join { phone: Slot(0), line: Slot(1) }).unwrap();
    for _ in 0..50 {
        card.advance(PERIOD);
        assert_eq!(media.turn(0).unwrap(), 1);
    }
    let heard = lines.heard.lock().unwrap().clone();
    let at = |end: usize, level: i16| -> Vec<usize> {
        (0..heard[end].len()).filter(|&n| heard[end][n] == level).collect()
    };
    // A period has to be full, and one more waits in the card: both are the two periods of its lead.
    let delay = PREFILL_PERIODS * PERIOD;
    assert_eq!(delay, 20 * 8);
    assert_eq!(at(1, 9_000), [1_234 + delay]);
    assert_eq!(at(0, 7_000), (2_000 + delay..2_010 + delay).collect::<Vec<_>>());
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
    let (mut media, control) = start("stop", Deaf);
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
