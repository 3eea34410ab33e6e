//! A call of two hours in virtual time: RTP through the real media loop, playout and libasound to the line and back.
//!
//! Once a second both sides make a click. Where the other side hears it tells the delay, which must not move.
#![cfg(feature = "sim")]

use ringside::{
    id::{RtpPort, Slot},
    io::{
        media_loop::{MediaControl, MediaLoop},
        pcm::{Pcm, PcmSettings},
    },
    media::{
        PatchBay, RtpIo,
        control::{Codec, Command, Event, TapFrame, Trunk},
    },
    rtp::ntp::NtpTime,
    sim::{
        card::{Card, CardSettings, Clock},
        world::LineSide,
    },
};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

const SLOTS: usize = 8;
const SLOT: usize = 3;
const PERIOD: usize = 80;
const PACKET: u64 = 160;
const SECOND: u64 = 8000;
const CALL_S: u64 = 2 * 3600;
const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);
const PEER_RTCP: ([u8; 4], u16) = ([127, 0, 0, 1], 40_001);

/// The loudest µ-law code and silence; and what passes for the first, decoded.
const CLICK: u8 = 0x80;
const SILENCE: u8 = 0xff;
const LOUD: i16 = 16_000;

/// The line of the call: clicks on every full second of its own time, and notes when it hears one.
#[derive(Clone, Default)]
struct Line {
    now: Arc<AtomicU64>,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl LineSide for Line {
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize) {
        up.fill(0);
        let from = self.now.fetch_add((down.len() / slots) as u64, Ordering::Relaxed);
        for (at, (down, up)) in (from..).zip(down.chunks(slots).zip(up.chunks_mut(slots))) {
            if at.is_multiple_of(SECOND) {
                up[SLOT] = i16::MAX;
            }
            if down[SLOT] > LOUD {
                self.heard.lock().unwrap().push(at);
            }
        }
    }
}

/// The trunk: a packet each 20 ms of the line's time, a click at the start of each full second.
struct Peer {
    line: Line,
    sent: u64,
    received: u64,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl RtpIo for Peer {
    fn receive(&mut self, _rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let now = self.line.now.load(Ordering::Relaxed);
        if self.sent * PACKET > now {
            return None;
        }
        let at = self.sent * PACKET;
        buf[..12].copy_from_slice(&header(self.sent));
        buf[12..172].fill(SILENCE);
        if at.is_multiple_of(SECOND) {
            buf[12] = CLICK;
        }
        self.sent += 1;
        Some((172, SocketAddr::from(PEER)))
    }

    fn send(&mut self, _rtp: RtpPort, _to: SocketAddr, bytes: &[u8]) {
        let payload = &bytes[12..];
        let clicks = payload.iter().enumerate().filter(|(_, code)| **code == CLICK);
        let at = self.received;
        self.heard.lock().unwrap().extend(clicks.map(|(sample, _)| at + sample as u64));
        self.received += payload.len() as u64;
    }

    fn receive_control(&mut self, _rtp: RtpPort, _buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        None
    }

    fn send_control(&mut self, _rtp: RtpPort, _to: SocketAddr, _bytes: &[u8]) {}

    fn now(&self) -> NtpTime {
        NtpTime::default()
    }
}

/// RTP header of a packet of µ-law (RFC 3550 5.1).
fn header(packet: u64) -> [u8; 12] {
    let mut header = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    header[2..4].copy_from_slice(&(packet as u16).to_be_bytes());
    header[4..8].copy_from_slice(&((packet * PACKET) as u32).to_be_bytes());
    header
}

fn start(line: &Line, peer: Peer) -> (Card, MediaLoop<Peer>, MediaControl) {
    let name = "two-hour-call";
    let settings =
        CardSettings { name: name.to_owned(), slots: SLOTS, step_frames: PERIOD, clock: Clock::Virtual };
    let card = Card::plug_in(&settings, Box::new(line.clone())).unwrap();
    let settings = PcmSettings {
        device: format!("ringside:{name}"),
        slots: SLOTS,
        rate_hz: 8000,
        period_frames: PERIOD,
        periods: 4,
    };
    let (media, control) = MediaLoop::new(Pcm::closed(settings), PatchBay::new(SLOTS, 2), peer).unwrap();
    (card, media, control)
}

fn patch(tap: rtrb::Producer<TapFrame>) -> Command {
    let trunk = Trunk {
        remote: SocketAddr::from(PEER),
        rtcp: SocketAddr::from(PEER_RTCP),
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
    };
    Command::Patch {
        rtp: RtpPort(1),
        slot: Slot(SLOT as u8),
        trunk,
        source: (1, 2, 3),
        rtcp_seed: 4,
        notice: None,
        tap: Some(tap),
    }
}

/// How far each click lies behind its full second, each value once.
fn delays(clicks: &[u64]) -> BTreeSet<u64> {
    clicks.iter().map(|at| at % SECOND).collect()
}

#[test]
fn a_call_of_two_hours_has_no_xrun_and_one_delay_each_way() {
    let (line, answered) = (Line::default(), Arc::default());
    let peer = Peer { line: line.clone(), sent: 0, received: 0, heard: Arc::clone(&answered) };
    let (mut card, mut media, mut control) = start(&line, peer);
    media.turn(0).unwrap();
    let (tap, mut tapped) = rtrb::RingBuffer::new(16);
    control.commands.push(patch(tap)).unwrap();
    let mut recorded = 0;
    let mut next = None;
    let mut take = || {
        while let Ok(frame) = tapped.pop() {
            assert_eq!(frame.at, next.unwrap_or(frame.at), "the recording has a hole");
            next = Some(frame.at + PERIOD as u64);
            recorded += 1;
        }
    };
    for _ in 0..CALL_S * SECOND / PERIOD as u64 {
        card.advance(PERIOD);
        assert_eq!(media.turn(0).unwrap(), 1);
        take();
    }
    control.commands.push(Command::Unpatch { rtp: RtpPort(1) }).unwrap();
    card.advance(PERIOD);
    media.turn(0).unwrap();
    take();
    let counters = std::iter::from_fn(|| control.events.pop().ok()).find_map(|event| match event {
        Event::Unpatched { counters, .. } => Some(counters),
        _ => None,
    });
    let counters = counters.unwrap();
    assert_eq!((control.status.xruns.load(Ordering::Relaxed), card.counters().playback_xruns), (0, 0));
    assert_eq!((card.counters().capture_xruns, counters.lost, counters.late, counters.refused), (0, 0, 0, 0));
    assert_eq!(recorded, CALL_S * SECOND / PERIOD as u64);
    let (down, up) = (line.heard.lock().unwrap().clone(), answered.lock().unwrap().clone());
    println!(
        "{} clicks down, delays {:?} samples; {} clicks up, delays {:?} samples",
        down.len(),
        delays(&down),
        up.len(),
        delays(&up)
    );
    assert!(down.len() as u64 >= CALL_S - 1 && up.len() as u64 >= CALL_S - 1);
    // Before the first packets have told what the network does, the buffer may still find its depth.
    let settled: Vec<u64> = down.into_iter().filter(|at| *at > 10 * SECOND).collect();
    assert_eq!(delays(&settled).len(), 1, "{:?}", delays(&settled));
    assert_eq!(delays(&up).len(), 1, "{:?}", delays(&up));
}
