//! The product's own path: calls patched to one card, and companding alone, as the patches do it.

use crate::{
    cost::{Cost, counted},
    far_side::{FarSide, Sockets, addresses},
};
use ringside::{
    audio::{
        PERIOD,
        g711::{self, Law},
        interleaved::{Column, ColumnMut},
    },
    id::{RtpPort, Slot},
    media::{
        PatchBay,
        control::{Codec, Command as Order, TapFrame, Trunk},
        patch_bay::{Listening, PortAudio},
    },
};
use std::{hint::black_box, net::SocketAddr};

/// How much of its work the data plane does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// RTP, playout and companding both ways, RTCP.
    Bridge,
    /// The same, and both legs go to a recorder.
    Tap,
    /// All that a call of the box has: also echo cancelling, keys, fax tones, levels.
    Everything,
}

/// Patched calls on one card.
pub(crate) struct Calls {
    bay: PatchBay,
    pub(crate) sockets: Sockets,
    far_side: FarSide,
    taps: Vec<rtrb::Consumer<TapFrame>>,
    capture: Vec<i16>,
    playback: Vec<i16>,
    clock: u64,
    pub(crate) cost: Cost,
}

impl Calls {
    pub(crate) fn new(calls: usize, work: Work) -> Self {
        let slots = card_slots(calls);
        let sockets = Sockets::new(calls);
        let far_side = FarSide::new(&addresses(&sockets.sockets));
        let bay = PatchBay::new(slots, calls);
        let mut bay = match work {
            Work::Everything => bay,
            Work::Bridge | Work::Tap => (0..slots)
                .fold(bay, |bay, slot| bay.with_port(Slot(slot as u8), WITHOUT_ECHO))
                .with_listening(Listening::Off),
        };
        let mut taps = Vec::new();
        for (n, remote) in far_side.addresses().into_iter().enumerate() {
            let (producer, consumer) = rtrb::RingBuffer::new(16);
            taps.push(consumer);
            let order = Order::Patch {
                rtp: RtpPort(n as u8),
                slot: Slot(n as u8),
                trunk: trunk(remote, far_side.control()),
                source: (1, 1, 1),
                rtcp_seed: n as u128,
                notice: None,
                tap: (work != Work::Bridge).then_some(producer),
            };
            bay.handle(order, 0, &mut drop);
        }
        let playback = vec![0; slots * PERIOD];
        Self {
            bay,
            sockets,
            far_side,
            taps,
            capture: office(slots),
            playback,
            clock: 0,
            cost: Cost::default(),
        }
    }

    pub(crate) fn run(&mut self, pairs: usize) {
        for _ in 0..pairs {
            self.far_side.speak();
            self.tick();
            self.tick();
            self.far_side.listen();
            self.taps.iter_mut().for_each(|tap| while tap.pop().is_ok() {});
        }
    }

    fn tick(&mut self) {
        let Self { bay, sockets, capture, playback, clock, cost, .. } = self;
        cost.add(|| bay.tick(*clock, capture, playback, sockets, &mut drop));
        *clock += PERIOD as u64;
    }
}

const WITHOUT_ECHO: PortAudio = PortAudio { to_line_db: 0.0, from_line_db: 0.0, echo_canceller: false };

fn trunk(remote: SocketAddr, rtcp: SocketAddr) -> Trunk {
    Trunk {
        remote,
        rtcp,
        codec: Codec::Pcmu,
        event_pt_in: Some(101),
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
    }
}

/// Companding alone.
pub(crate) fn codec(calls: usize, pairs: usize) {
    let slots = card_slots(calls);
    let capture = office(slots);
    let mut playback = vec![0; slots * PERIOD];
    let mut codes: [u8; PERIOD] = std::array::from_fn(|n| n as u8 ^ 0x5a);
    let mut period = [0; PERIOD];
    for _ in 0..2 * pairs {
        for slot in 0..calls {
            counted(|| {
                g711::decode(Law::Mu, &codes, &mut ColumnMut::new(&mut playback, slots, slot));
                Column::new(&capture, slots, slot).read(&mut period);
                g711::encode(Law::Mu, &period, &mut codes);
            });
            black_box(&playback);
        }
    }
}

/// A period of what the phones of a card say.
fn office(slots: usize) -> Vec<i16> {
    (0..slots * PERIOD).map(|n| (n as i16).wrapping_mul(97)).collect()
}

/// Slots of the card that carries so many calls: 8 as the reference board, 24, or 256.
fn card_slots(calls: usize) -> usize {
    match calls {
        0..=8 => 8,
        9..=24 => 24,
        _ => 256,
    }
}
