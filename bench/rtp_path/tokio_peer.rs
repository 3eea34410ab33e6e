//! The same job as it is written most often: tokio, one task for each call, and the packet type of webrtc-rs.
//!
//! It is the kind version of that: the buffers of a call are made once, the companding is the product's, nothing is
//! logged, and the tap, the jitter buffer and the checks of the product are left out. What it allocates is what the
//! packet type asks for.

use crate::{
    cost::Cost,
    far_side::{FarSide, addresses, bind},
};
use ringside::audio::{
    g711::{self, Law},
    interleaved::ColumnMut,
};
use rtp::{header::Header, packet::Packet};
use std::{
    hint::black_box,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};
use webrtc_util::marshal::{Marshal as _, Unmarshal as _};

/// Samples of one packet.
const SAMPLES: usize = 160;

/// Calls as tasks on a runtime of this thread.
pub(crate) struct TokioCalls {
    runtime: Runtime,
    round: Arc<Round>,
    far_side: FarSide,
    pub(crate) cost: Cost,
}

/// Packets answered since the far side spoke.
#[derive(Default)]
struct Round {
    answered: AtomicUsize,
    all_are: Notify,
}

impl TokioCalls {
    pub(crate) fn new(calls: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        let round = Arc::new(Round::default());
        let sockets = bind(calls);
        let far_side = FarSide::new(&addresses(&sockets));
        for (n, (socket, remote)) in sockets.into_iter().zip(far_side.addresses()).enumerate() {
            let call = Call { n, of: calls, remote, round: Arc::clone(&round) };
            runtime.spawn(call.talk(socket));
        }
        Self { runtime, round, far_side, cost: Cost::default() }
    }

    pub(crate) fn run(&mut self, pairs: usize) {
        for _ in 0..pairs {
            self.far_side.speak();
            let Self { runtime, round, cost, .. } = self;
            cost.add(|| runtime.block_on(round.all_are.notified()));
            let calls = self.far_side.sockets.len();
            assert_eq!(self.far_side.listen(), calls, "each packet is answered with one");
        }
    }
}

struct Call {
    n: usize,
    of: usize,
    remote: SocketAddr,
    round: Arc<Round>,
}

impl Call {
    async fn talk(self, socket: UdpSocket) {
        let socket = tokio::net::UdpSocket::from_std(socket).expect("a socket that does not wait");
        let mut datagram = [0; 1_500];
        let mut heard = [0; SAMPLES];
        let said: [i16; SAMPLES] = std::array::from_fn(|n| (n as i16).wrapping_mul(97));
        let mut codes = [0; SAMPLES];
        let mut header = Header { version: 2, ssrc: self.n as u32, ..Header::default() };
        while let Ok((length, _)) = socket.recv_from(&mut datagram).await {
            let Ok(packet) = Packet::unmarshal(&mut &datagram[..length]) else { continue };
            g711::decode(Law::Mu, &packet.payload, &mut ColumnMut::new(&mut heard, 1, 0));
            black_box(&heard);
            g711::encode(Law::Mu, black_box(&said), &mut codes);
            header.sequence_number = header.sequence_number.wrapping_add(1);
            header.timestamp = header.timestamp.wrapping_add(SAMPLES as u32);
            let packet = Packet { header: header.clone(), payload: codes.to_vec().into() };
            let bytes = packet.marshal().expect("a packet");
            let _ = socket.send_to(&bytes, self.remote).await;
            if self.round.answered.fetch_add(1, Relaxed) + 1 == self.of {
                self.round.answered.store(0, Relaxed);
                self.round.all_are.notify_one();
            }
        }
    }
}
