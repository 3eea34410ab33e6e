//! The RTCP of one patch: whom it is exchanged with, and when.
//!
//! A socket of its own is asked once a second, as the kernel keeps the arrival time of what waits; on a shared port
//! ([`Trunk::muxes_rtcp`]) RTCP comes with the RTP. Only the peer is listened to, and only the peer is sent to:
//!
//! ```text
//!  Named --RTP was latched elsewhere--> Unknown --its RTCP from the latched host, for the stream heard--> Latched
//! ```

use super::{
    control::{PatchCounters, Trunk},
    rtp_io::RtpIo,
};
use crate::{
    id::RtpPort,
    rtp::{
        ntp::NtpTime,
        reception::Received,
        report::{Ending, Reporter, Sent},
        rtcp::{Heard, MAX_COMPOUND, MAX_DATAGRAM},
    },
};
use std::net::SocketAddr;

/// How often a socket of its own is asked: every second.
const POLL_SAMPLES: u64 = 8_000;
/// Most datagrams read at once: a peer sends one in two seconds.
const MAX_READ: usize = 8;
/// Most datagrams thrown away when a patch begins; the kernel's buffer holds fewer.
const MAX_STALE: usize = 512;

/// Both directions of a patch's RTCP.
#[derive(Debug)]
pub(super) struct Rtcp {
    rtp: RtpPort,
    reporter: Reporter,
    /// Where the peer's RTCP comes from behind a translator.
    latched: Option<SocketAddr>,
    /// Line clock of the next look into the socket.
    poll_at: u64,
    /// The earlier of that and of the next report.
    due: u64,
    received: u64,
    refused: u64,
    sent: u64,
}

/// The peer as its RTP has shown it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RtpPeer {
    /// Where its RTP comes from.
    pub(super) remote: SocketAddr,
    /// Source of its stream, once there is one.
    pub(super) ssrc: Option<u32>,
}

/// What a patch that ended still has to say: it is said in the tick after it.
#[derive(Debug)]
pub(super) struct Farewell {
    rtcp: Rtcp,
    muxed: bool,
    to: SocketAddr,
    sent: Sent,
    received: Option<Received>,
}

impl Rtcp {
    /// For the stream `ssrc` from the line clock `clock` on.
    pub(super) fn new(rtp: RtpPort, ssrc: u32, seed: u128, clock: u64) -> Self {
        let reporter = Reporter::new(ssrc, seed, clock);
        Self { rtp, reporter, latched: None, poll_at: clock, due: clock, received: 0, refused: 0, sent: 0 }
    }

    /// Line clock from which there is something to do.
    #[inline]
    pub(super) const fn due(&self) -> u64 {
        self.due
    }

    /// What waited in the socket before the call is not part of it.
    pub(super) fn throw_away_stale(&mut self, io: &mut impl RtpIo) {
        let mut buf = [0; MAX_DATAGRAM];
        let _stale = (0..MAX_STALE).take_while(|_| io.receive_control(self.rtp, &mut buf).is_some()).count();
    }

    /// Applies a new SDP answer: an address that signalling names anew is believed anew.
    pub(super) fn change(&mut self, old: &Trunk, new: &Trunk) {
        if (old.remote, old.rtcp) != (new.remote, new.rtcp) {
            self.latched = None;
        }
    }

    /// Listens, if it is time to.
    pub(super) fn listen(&mut self, clock: u64, trunk: &Trunk, peer: RtpPeer, io: &mut impl RtpIo) {
        if clock < self.poll_at {
            return;
        }
        self.poll_at = clock + POLL_SAMPLES;
        // One byte more than is read shows that a datagram was cut.
        let mut buf = [0; MAX_DATAGRAM + 1];
        for _ in 0..MAX_READ {
            let Some((len, from, at)) = io.receive_control(self.rtp, &mut buf) else { return };
            let heard = buf.get(..len).and_then(|datagram| Heard::parse(datagram, self.reporter.ssrc()));
            let accepted =
                heard.filter(|heard| !trunk.muxes_rtcp() && self.admits(from, heard.ssrc, trunk, peer));
            self.take(accepted.as_ref(), at);
        }
    }

    /// A datagram of the RTP port that is RTCP; it arrived at `at`.
    pub(super) fn hear_muxed(&mut self, datagram: &[u8], from: SocketAddr, peer: RtpPeer, at: NtpTime) {
        let heard = Heard::parse(datagram, self.reporter.ssrc()).filter(|_| from == peer.remote);
        self.take(heard.as_ref(), at);
    }

    fn take(&mut self, heard: Option<&Heard>, at: NtpTime) {
        if let Some(heard) = heard {
            self.received += 1;
            self.reporter.hear(heard, at);
        } else {
            self.refused += 1;
        }
    }

    /// Whether RTCP from this address is the peer's. Behind a translator it is known by the host that its RTP comes
    /// from and by the source of that RTP, once.
    fn admits(&mut self, from: SocketAddr, ssrc: u32, trunk: &Trunk, peer: RtpPeer) -> bool {
        if peer.remote == trunk.remote && self.latched.is_none() {
            return from == trunk.rtcp;
        }
        if self.latched.is_none() && from.ip() == peer.remote.ip() && peer.ssrc == Some(ssrc) {
            self.latched = Some(from);
        }
        self.latched == Some(from)
    }

    /// Where our RTCP goes; `None` while the peer names no place (RFC 3264 8.4) or its place is not known.
    fn target(&self, trunk: &Trunk, peer: RtpPeer) -> Option<SocketAddr> {
        let to = match self.latched {
            _ if trunk.muxes_rtcp() => Some(peer.remote),
            Some(latched) => Some(latched),
            None => (peer.remote == trunk.remote).then_some(trunk.rtcp),
        };
        to.filter(|to| to.port() != 0 && !to.ip().is_unspecified())
    }

    /// Whether a report is due; the time of the next one is set.
    pub(super) fn must_report(&mut self, clock: u64) -> bool {
        let due = clock >= self.reporter.due();
        if due {
            self.reporter.put_off(clock);
        }
        self.due = self.poll_at.min(self.reporter.due());
        due
    }

    /// Sends a report about what was `sent` and `received`.
    pub(super) fn report(
        &mut self,
        trunk: &Trunk,
        peer: RtpPeer,
        (sent, received): (Sent, Option<Received>),
        io: &mut impl RtpIo,
    ) {
        if let Some(to) = self.target(trunk, peer) {
            self.say((trunk.muxes_rtcp(), to), sent, received, Ending::Stays, io);
        }
    }

    fn say(
        &mut self,
        (muxed, to): (bool, SocketAddr),
        sent: Sent,
        received: Option<Received>,
        ends: Ending,
        io: &mut impl RtpIo,
    ) {
        let mut out = [0; MAX_COMPOUND];
        let bytes = self.reporter.report(io.now(), sent, received, ends, &mut out);
        self.sent += 1;
        if muxed {
            io.send(self.rtp, to, bytes);
        } else {
            io.send_control(self.rtp, to, bytes);
        }
    }

    /// What was counted, for the patch's counters, and the goodbye, if there is anybody to say it to.
    ///
    /// RFC 3550 6.3.7: who never sent anything says no goodbye.
    pub(super) fn end(
        self,
        trunk: &Trunk,
        peer: RtpPeer,
        (sent, received): (Sent, Option<Received>),
    ) -> (PatchCounters, Option<Farewell>) {
        let to = self.target(trunk, peer).filter(|_| sent.packets > 0 || self.sent > 0);
        let counters = PatchCounters {
            round_trip_ms: self.reporter.round_trip_ms(),
            far_end: self.reporter.far_end(),
            rtcp_received: self.received,
            rtcp_refused: self.refused,
            rtcp_sent: self.sent + u64::from(to.is_some()),
            ..PatchCounters::default()
        };
        let muxed = trunk.muxes_rtcp();
        (counters, to.map(|to| Farewell { rtcp: self, muxed, to, sent, received }))
    }
}

impl Farewell {
    /// Says the goodbye.
    pub(super) fn say(mut self, io: &mut impl RtpIo) {
        self.rtcp.say((self.muxed, self.to), self.sent, self.received, Ending::Leaves, io);
    }
}
