//! Line to trunk: the office leg is taken from the line and encoded behind a prebuilt header.

use super::{
    control::Trunk,
    downlink::law,
    patch_bay::{PERIOD, RtpIo},
};
use crate::{
    audio::{g711, interleaved::Column},
    id::RtpPort,
    rtp::packet::Outgoing,
};
use std::net::SocketAddr;

/// The sending half of a patch.
#[derive(Debug)]
pub(super) struct Uplink {
    outgoing: Outgoing,
    sent: u64,
}

impl Uplink {
    pub(super) fn new(trunk: &Trunk, (ssrc, seq, timestamp): (u32, u16, u32)) -> Self {
        let mut uplink = Self { outgoing: Outgoing::new(ssrc, seq, timestamp), sent: 0 };
        uplink.change(trunk);
        uplink
    }

    /// Applies a new SDP answer.
    pub(super) fn change(&mut self, trunk: &Trunk) {
        self.outgoing.set_format(trunk.codec.payload_type(), packet_samples(trunk));
    }

    /// The line's clock jumped by `samples`.
    pub(super) fn skip(&mut self, samples: u32) {
        self.outgoing.skip(samples);
    }

    /// One period of the line to the office leg; silent while the trunk is not to hear the line.
    #[inline]
    pub(super) fn listen(&mut self, trunk: &Trunk, line: Column<'_>, office: &mut [i16; PERIOD]) {
        if trunk.send {
            line.read(office);
        } else {
            office.fill(0);
        }
    }

    /// The office leg to the trunk, once a packet is full.
    #[inline]
    pub(super) fn send(
        &mut self,
        rtp: RtpPort,
        trunk: &Trunk,
        to: SocketAddr,
        office: &[i16; PERIOD],
        io: &mut impl RtpIo,
    ) {
        if !trunk.send {
            self.outgoing.skip(PERIOD as u32);
            return;
        }
        g711::encode(law(trunk.codec), office, self.outgoing.room(PERIOD));
        if let Some(packet) = self.outgoing.finished() {
            io.send(rtp, to, packet);
            self.sent += 1;
        }
    }

    /// RTP packets sent.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }
}

/// Samples of a packet: whole periods, 10 to 60 ms.
fn packet_samples(trunk: &Trunk) -> usize {
    usize::from(trunk.ptime_ms / 10).clamp(1, 6) * PERIOD
}
