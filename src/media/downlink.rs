//! Trunk to line: datagrams are received into the playout buffer and decoded from there onto the line.
//!
//! ```text
//!  receive --> Latch --> Source --> Playout --decode--> line
//!                        |             '----> Mending ---^
//!               (events) '-----> Digits -----------------'
//! ```

use super::{
    control::{Codec, Event, PatchCounters, Trunk},
    digits::Digits,
    mend::Mending,
    rtcp::{Rtcp, RtpPeer},
    rtp_io::RtpIo,
};
use crate::{
    audio::{
        PERIOD,
        g711::{self, Law},
        interleaved::ColumnMut,
    },
    id::RtpPort,
    rtp::{
        latch::Latch,
        packet::Packet,
        playout::{Filed, Piece, Playout, Wish},
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
/// Payload type of comfort noise (RFC 3389): the peer pauses, and says how loud its silence is.
const COMFORT_NOISE: u8 = 13;

/// The receiving half of a patch.
#[derive(Debug)]
pub(super) struct Downlink {
    latch: Latch,
    source: Source,
    reception: Reception,
    playout: Playout,
    digits: Digits,
    mending: Mending,
    counters: PatchCounters,
    /// Sum of the depths at each packet with audio, in samples, and how many there were.
    depths: (u64, u64),
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
            mending: Mending::default(),
            counters: PatchCounters::default(),
            depths: (0, 0),
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
            self.forget_stream();
        }
    }

    fn forget_stream(&mut self) {
        self.playout.reset();
        self.digits.clear();
        self.mending.clear();
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
                self.forget_stream();
                self.reception.begin(self.received(), packet.timestamp, clock);
            }
            Verdict::OnProbation => return None,
        }
        let filed = match kind {
            Kind::Audio => {
                self.reception.arrived(packet.timestamp, clock);
                self.file_audio(&packet)
            }
            Kind::Event => {
                let delay = self.playout.until(packet.timestamp);
                let payload = self.playout.received(len).get(packet.payload.clone())?;
                self.digits.packet(packet.timestamp, payload, delay);
                self.playout.note(&packet)
            }
            Kind::Silence => {
                let level = self.playout.received(len).get(packet.payload.start).copied()?;
                self.mending.pause(level);
                self.playout.pause();
                self.playout.note(&packet)
            }
        };
        match filed {
            Filed::Waits => self.counters.packets += 1,
            Filed::Awaited => {
                self.counters.packets += 1;
                self.counters.awaited += 1;
            }
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
        self.playout.set_fixed(Some(MODEM_DEPTH));
    }

    fn file_audio(&mut self, packet: &Packet) -> Filed {
        let filed = self.playout.file(packet);
        let depth = self.playout.depth().max(0).unsigned_abs();
        self.depths = (self.depths.0 + u64::from(depth), self.depths.1 + 1);
        self.counters.most_depth_samples = self.counters.most_depth_samples.max(depth);
        filed
    }

    /// One period onto the line, which is silent before. Whether a key sounds.
    #[inline]
    pub(super) fn play(&mut self, codec: Codec, line: &mut ColumnMut<'_>) -> bool {
        let law = law(codec);
        let wish = self.playout.wish();
        if wish != Wish::Nothing
            && self.mending.is_due(self.playout.line())
            && let Some(period) = self.mending.correct(wish, law, &mut self.playout)
        {
            line.write(&period, |&sample| sample);
        } else {
            self.play_pieces(law, line);
        }
        !self.digits.is_idle() && self.digits.play(line.samples())
    }

    #[inline]
    fn play_pieces(&mut self, law: Law, line: &mut ColumnMut<'_>) {
        let mut rest = line.lend();
        let mut left = PERIOD;
        loop {
            let pulled = match self.playout.pull(left) {
                Piece::Audio(codes) => {
                    g711::decode(law, codes, &mut rest);
                    let samples = codes.len();
                    if !self.mending.is_idle() {
                        self.mending.join(rest.samples().take(samples));
                    }
                    samples
                }
                Piece::Missing(samples) => {
                    self.mending.fill(law, &self.playout, samples, &mut rest);
                    samples
                }
            };
            left -= pulled;
            if left == 0 {
                break;
            }
            rest.skip(pulled);
        }
    }

    /// What was received, and the buffer for the next patch.
    pub(super) fn end(self) -> (PatchCounters, Playout) {
        let mean_depth_samples = (self.depths.0 / self.depths.1.max(1)) as u32;
        let counters = PatchCounters {
            // A packet that came too late was not there when it was due.
            lost: self.source.expected().saturating_sub(self.counters.packets) + self.counters.late,
            loss_runs: self.source.gaps(),
            jitter_p95_ms: self.reception.jitter_p95_ms(),
            delay_ms: mean_depth_samples / SAMPLES_PER_MS,
            concealed_samples: self.mending.concealed_samples(),
            corrections: self.mending.corrections(),
            corrections_in_silence: self.mending.corrections_in_silence(),
            mean_depth_samples,
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
