//! Trunk to line: datagrams are received into the playout buffer and decoded from there onto the line.
//!
//! ```text
//!  receive --> Latch --> Source --> Playout --decode--> line
//!                  (events) '-----> Digits -------------^
//! ```

use super::{
    control::{Codec, Event, PatchCounters, Trunk},
    digits::Digits,
    patch_bay::{PERIOD, RtpIo},
    rtcp::{Rtcp, RtpPeer},
};
use crate::{
    audio::{
        g711::{self, Law},
        interleaved::ColumnMut,
    },
    id::RtpPort,
    rtp::{
        latch::Latch,
        packet::Packet,
        playout::{DEPTH, Filed, Piece, Playout},
        reception::{Received, Reception},
        rtcp::is_rtcp,
        source::{Source, Verdict},
    },
};
use std::net::SocketAddr;

/// Most datagrams read in one tick: a flood must not hold up the other calls.
const MAX_READ: usize = 16;
/// Most datagrams thrown away when a patch begins; the kernel's buffer holds fewer.
const MAX_STALE: usize = 512;
/// The line's clock.
const SAMPLES_PER_MS: u32 = 8;
/// Playout depth in samples for a fax or a modem: 100 ms, which never changes.
const MODEM_DEPTH: u32 = 800;
/// Payload type of comfort noise (RFC 3389): part of the stream, heard as silence.
const COMFORT_NOISE: u8 = 13;

/// The receiving half of a patch.
#[derive(Debug)]
pub(super) struct Downlink {
    latch: Latch,
    source: Source,
    reception: Reception,
    playout: Playout,
    digits: Digits,
    counters: PatchCounters,
}

/// What a payload type stands for.
enum Kind {
    Audio,
    Event,
    Silence,
}

impl Downlink {
    pub(super) fn new(trunk: &Trunk, playout: Playout, clock: u64) -> Self {
        Self {
            latch: Latch::new(trunk.remote, clock),
            source: Source::default(),
            reception: Reception::default(),
            playout,
            digits: Digits::default(),
            counters: PatchCounters::default(),
        }
    }

    /// Where our packets go.
    pub(super) const fn remote(&self) -> SocketAddr {
        self.latch.remote()
    }

    /// Whether the peer's address is final.
    pub(super) const fn is_settled(&self) -> bool {
        self.latch.is_settled()
    }

    /// Whose RTCP is the peer's.
    pub(super) fn peer(&self) -> RtpPeer {
        RtpPeer { remote: self.latch.remote(), ssrc: self.source.numbers().map(|numbers| numbers.ssrc) }
    }

    /// What a report of this moment says about the stream.
    pub(super) fn report(&mut self) -> Option<Received> {
        self.reception.report(self.source.numbers()?, self.received())
    }

    /// Packets of the stream and of those before it, second copies included.
    const fn received(&self) -> u64 {
        self.counters.packets + self.counters.duplicates
    }

    /// Applies a new SDP answer. An address that signalling names anew may be latched anew; one that it repeats
    /// keeps its latch, so that a session refresh opens nothing.
    pub(super) fn change(&mut self, old: &Trunk, new: &Trunk, clock: u64) {
        if old.remote != new.remote {
            self.latch = Latch::new(new.remote, clock);
        }
        if old.codec != new.codec || !new.receive {
            self.playout.reset();
            self.digits.clear();
        }
    }

    /// What waited in the socket before the call is not part of it.
    pub(super) fn throw_away_stale(&mut self, rtp: RtpPort, io: &mut impl RtpIo) {
        let _stale = (0..MAX_STALE).take_while(|_| io.receive(rtp, self.playout.rx_buf()).is_some()).count();
    }

    /// The line's clock jumped by `samples`.
    pub(super) fn skip(&mut self, samples: u32) {
        self.playout.skip(samples);
    }

    /// Files what came since the last period.
    // Its loop is most of a tick's own work; a call with seven arguments costs 40 instructions a packet.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        rtp: RtpPort,
        trunk: &Trunk,
        clock: u64,
        rtcp: &mut Rtcp,
        io: &mut impl RtpIo,
        events: &mut impl FnMut(Event),
    ) {
        self.latch.pass(clock);
        for _ in 0..MAX_READ {
            let Some((len, from)) = io.receive(rtp, self.playout.rx_buf()) else { return };
            let before = self.counters.packets;
            if self.take(len, from, trunk, clock).is_none() {
                self.refuse(len, from, trunk, rtcp, io);
            } else if before == 0 && self.counters.packets == 1 {
                events(Event::AudioStarted { rtp });
            }
        }
    }

    /// A datagram that is not of the stream: RTCP, where that shares the port, or nothing of the call.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, len: usize, from: SocketAddr, trunk: &Trunk, rtcp: &mut Rtcp, io: &impl RtpIo) {
        // Nothing of a refused datagram was kept or moved: it is still where it was received.
        let datagram = self.playout.received(len);
        if trunk.muxes_rtcp() && is_rtcp(datagram) {
            rtcp.hear_muxed(datagram, from, self.peer(), io.now());
        } else {
            self.counters.refused += 1;
        }
    }

    /// Takes the datagram in the receive buffer; `None` if it is refused.
    fn take(&mut self, len: usize, from: SocketAddr, trunk: &Trunk, clock: u64) -> Option<()> {
        let datagram = self.playout.received(len);
        let packet = Packet::parse(datagram)?;
        let kind = kind_of(trunk, packet.payload_type)?;
        if !trunk.receive || !self.latch.admit(from, packet.ssrc, packet.seq) {
            return None;
        }
        match self.source.judge(packet.ssrc, packet.seq) {
            Verdict::Continues => {}
            Verdict::Begins => {
                self.playout.reset();
                self.digits.clear();
                self.reception.begin(self.received(), packet.timestamp, clock);
            }
            Verdict::OnProbation => return None,
        }
        let filed = match kind {
            Kind::Audio => {
                self.reception.arrived(packet.timestamp, clock);
                self.playout.file(&packet)
            }
            Kind::Event => {
                let payload = self.playout.received(len).get(packet.payload.clone())?;
                self.digits.packet(packet.timestamp, payload);
                self.playout.note(&packet)
            }
            Kind::Silence => self.playout.note(&packet),
        };
        match filed {
            Filed::Waits => self.counters.packets += 1,
            Filed::Late => {
                self.counters.packets += 1;
                self.counters.late += 1;
            }
            Filed::Duplicate => self.counters.duplicates += 1,
        }
        Some(())
    }

    /// Nothing may be done to the sound any more: it is a fax or a modem.
    pub(super) fn leave_alone(&mut self) {
        let _ = MODEM_DEPTH;
    }

    /// One period onto the line, which is silent before. What is missing stays silent. Whether a key sounds.
    pub(super) fn play(&mut self, codec: Codec, line: &mut ColumnMut<'_>) -> bool {
        let law = law(codec);
        let mut rest = line.lend();
        let mut left = PERIOD;
        loop {
            let pulled = match self.playout.pull(left) {
                Piece::Audio(codes) => {
                    g711::decode(law, codes, &mut rest);
                    codes.len()
                }
                Piece::Missing(samples) => samples,
            };
            left -= pulled;
            if left == 0 {
                break;
            }
            rest.skip(pulled);
        }
        !self.digits.is_idle() && self.digits.play(line.samples())
    }

    /// What was received, and the buffer for the next patch.
    pub(super) fn end(self) -> (PatchCounters, Playout) {
        let counters = PatchCounters {
            // A packet that came too late was not there when it was due.
            lost: self.source.expected().saturating_sub(self.counters.packets) + self.counters.late,
            loss_runs: self.source.gaps(),
            jitter_p95_ms: self.reception.jitter_p95_ms(),
            delay_ms: DEPTH / SAMPLES_PER_MS,
            ..self.counters
        };
        (counters, self.playout)
    }
}

fn kind_of(trunk: &Trunk, payload_type: u8) -> Option<Kind> {
    match payload_type {
        audio if audio == trunk.codec.payload_type() => Some(Kind::Audio),
        event if Some(event) == trunk.event_pt_in => Some(Kind::Event),
        COMFORT_NOISE => Some(Kind::Silence),
        _ => None,
    }
}

pub(super) const fn law(codec: Codec) -> Law {
    match codec {
        Codec::Pcmu => Law::Mu,
        Codec::Pcma => Law::A,
    }
}
