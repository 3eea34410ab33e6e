//! One call in virtual time: packets with their arrival times go in, what the line hears and what was counted comes
//! out. The patch bay, the playout and the concealment are those of the product.

use ringside::{
    audio::{
        PERIOD,
        g711::{self, Law},
    },
    id::{RtpPort, Slot},
    media::{
        PatchBay, RtpIo,
        control::{Codec, Command, Event, PatchCounters, Trunk},
    },
    rtp::{ntp::NtpTime, packet::Outgoing},
};
use std::{collections::VecDeque, net::SocketAddr};

/// Samples of one packet: 20 ms.
pub(crate) const PACKET: usize = 160;
const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 4_000);

/// A packet, and when it arrives, in ms of the line's time.
pub(crate) struct Arrival {
    pub(crate) at_ms: f64,
    pub(crate) bytes: Vec<u8>,
}

/// The stream of `speech` in packets of 20 ms; packet n is sent at 20·n ms and arrives `delay_ms(n)` later, or never.
pub(crate) fn stream(speech: &[i16], mut delay_ms: impl FnMut(usize) -> Option<f64>) -> Vec<Arrival> {
    let mut outgoing = Outgoing::new(7, 100, 1_000);
    outgoing.set_format(0, PACKET);
    let mut arrivals = Vec::new();
    for (n, samples) in speech.chunks_exact(PACKET).enumerate() {
        g711::encode(Law::Mu, samples, outgoing.room(PACKET));
        let bytes = outgoing.finished().expect("full").to_vec();
        if let Some(delay) = delay_ms(n) {
            arrivals.push(Arrival { at_ms: n as f64 * 20.0 + delay, bytes });
        }
    }
    arrivals.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    arrivals
}

/// What the line hears from time 0 to the last arrival, and the counters of the call.
pub(crate) fn hear(arrivals: Vec<Arrival>) -> (Vec<i16>, PatchCounters) {
    let mut bay = PatchBay::new(1, 1);
    let remote = SocketAddr::from(PEER);
    let trunk = Trunk {
        remote,
        rtcp: remote,
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: false,
        receive: true,
    };
    let order = Command::Patch {
        rtp: RtpPort(0),
        slot: Slot(0),
        trunk,
        source: (1, 1, 1),
        rtcp_seed: 1,
        notice: None,
        tap: None,
    };
    bay.handle(order, 0, &mut drop);
    let (capture, mut playback) = ([0; PERIOD], [0; PERIOD]);
    let mut queue = Queue { now_ms: 0.0, waiting: VecDeque::new() };
    // What waits before the first tick is not part of a call.
    bay.tick(0, &capture, &mut playback, &mut queue, &mut drop);
    queue.waiting = arrivals.into();
    let mut heard = Vec::new();
    for tick in 1_u32.. {
        if queue.waiting.is_empty() {
            break;
        }
        queue.now_ms = f64::from(tick) * 10.0;
        bay.tick(u64::from(tick) * PERIOD as u64, &capture, &mut playback, &mut queue, &mut drop);
        heard.extend_from_slice(&playback);
    }
    let mut counters = PatchCounters::default();
    bay.handle(Command::Unpatch { rtp: RtpPort(0) }, 0, &mut |event| {
        if let Event::Unpatched { counters: counted, .. } = event {
            counters = counted;
        }
    });
    (heard, counters)
}

/// The network: what has arrived by now.
struct Queue {
    now_ms: f64,
    waiting: VecDeque<Arrival>,
}

impl RtpIo for Queue {
    fn receive(&mut self, _rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.waiting.front().filter(|arrival| arrival.at_ms <= self.now_ms)?;
        let Arrival { bytes, .. } = self.waiting.pop_front()?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Some((bytes.len(), SocketAddr::from(PEER)))
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
