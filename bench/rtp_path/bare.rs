//! The floor: the same system calls and nothing else.

use crate::{
    cost::Cost,
    far_side::{FarSide, Sockets, addresses},
};
use ringside::{id::RtpPort, media::RtpIo as _};
use std::net::SocketAddr;

/// Calls that get back what they send.
pub(crate) struct Bare {
    sockets: Sockets,
    far_side: FarSide,
    remotes: Vec<SocketAddr>,
    pub(crate) cost: Cost,
}

impl Bare {
    pub(crate) fn new(calls: usize) -> Self {
        let sockets = Sockets::new(calls);
        let far_side = FarSide::new(&addresses(&sockets.sockets));
        Self { sockets, remotes: far_side.addresses(), far_side, cost: Cost::default() }
    }

    pub(crate) fn run(&mut self, pairs: usize) {
        let mut buf = [0; 640];
        for _ in 0..pairs {
            self.far_side.speak();
            for sends in [false, true] {
                let Self { sockets, remotes, cost, .. } = self;
                cost.add(|| {
                    for (n, &remote) in remotes.iter().enumerate() {
                        let rtp = RtpPort(n as u8);
                        while sockets.receive(rtp, &mut buf).is_some() {}
                        if sends {
                            sockets.send(rtp, remote, &buf[..172]);
                        }
                    }
                });
            }
            self.far_side.listen();
        }
    }
}
