//! One call: a line slot joined with the trunk's RTP, 10 ms at a time.
//!
//! ```text
//!  trunk --receive--> Latch -> Source -> Playout --decode--> playback slot ... caller leg --.
//!                         (events) '---> Digits ------------------^   ^                      >-- tap
//!                                                        notice ------+                      |
//!  trunk <--send-- Outgoing <--encode-- office leg <------------------'--- capture slot -----'
//! ```

use super::{
    ahead::Ahead,
    control::{Codec, Event, PatchCounters, TapFrame, Trunk},
    digits::Digits,
    patch_bay::{PERIOD, RtpIo},
};
use crate::{
    audio::{
        g711::{self, Law},
        interleaved::{Column, ColumnMut, mix},
    },
    id::{RtpPort, Slot},
    rtp::{
        latch::Latch,
        packet::{Outgoing, Packet},
        playout::{Filed, Piece, Playout},
        source::{Source, Verdict},
    },
};
use std::{net::SocketAddr, sync::Arc};

/// Most datagrams read in one tick: a flood must not hold up the other calls.
const MAX_READ: usize = 16;
/// Most datagrams thrown away when a patch begins; the kernel's buffer holds fewer.
const MAX_STALE: usize = 512;
/// A caller who sends nothing holds the notice up this long: 200 ms of samples.
const NOTICE_PATIENCE_SAMPLES: u64 = 1_600;
/// Payload type of comfort noise (RFC 3389): part of the stream, heard as silence.
const COMFORT_NOISE: u8 = 13;

/// One call on the media thread.
#[derive(Debug)]
pub(super) struct Patch {
    rtp: RtpPort,
    slot: Slot,
    trunk: Trunk,
    latch: Latch,
    source: Source,
    playout: Playout,
    digits: Digits,
    outgoing: Outgoing,
    notice: Option<Notice>,
    tap: Option<rtrb::Producer<TapFrame>>,
    ahead: Ahead,
    /// Whether both legs go to the tap: from the start, or from the notice on.
    tapping: bool,
    /// Line clock of the first frame that went to the tap.
    tapped_from: Option<u64>,
    /// The working frame; `office` is encoded from here.
    frame: TapFrame,
    /// Line clock of the next tick; unknown before the first.
    next_clock: Option<u64>,
    counters: PatchCounters,
}

/// What both sides hear at the start.
#[derive(Debug)]
struct Notice {
    samples: Arc<[i16]>,
    at: usize,
    /// Line clock at which it is played even to an address that is not settled.
    by: u64,
}

/// What a payload type stands for.
enum Kind {
    Audio,
    Event,
    Silence,
}

/// What a patch gives back when it ends.
pub(super) struct Remains {
    pub(super) counters: PatchCounters,
    pub(super) notice: Option<Arc<[i16]>>,
    pub(super) tap: Option<rtrb::Producer<TapFrame>>,
    pub(super) playout: Playout,
}

impl Patch {
    pub(super) fn new(
        (rtp, slot): (RtpPort, Slot),
        trunk: Trunk,
        (ssrc, seq, timestamp): (u32, u16, u32),
        notice: Option<Arc<[i16]>>,
        tap: Option<rtrb::Producer<TapFrame>>,
        (playout, ahead): (Playout, Ahead),
        clock: u64,
    ) -> Self {
        let mut outgoing = Outgoing::new(ssrc, seq, timestamp);
        outgoing.set_format(trunk.codec.payload_type(), packet_samples(&trunk));
        let trunk = trunk.made_sendable();
        Self {
            rtp,
            slot,
            trunk,
            latch: Latch::new(trunk.remote, clock),
            source: Source::default(),
            playout,
            digits: Digits::default(),
            outgoing,
            tapping: notice.is_none(),
            notice: notice.map(|samples| Notice { samples, at: 0, by: clock + NOTICE_PATIENCE_SAMPLES }),
            tap,
            ahead,
            frame: TapFrame { at: 0, caller: [0; PERIOD], office: [0; PERIOD] },
            next_clock: None,
            tapped_from: None,
            counters: PatchCounters::default(),
        }
    }

    pub(super) const fn slot(&self) -> Slot {
        self.slot
    }

    /// Applies a new SDP answer. An address that signalling names anew may be latched anew; one that it repeats
    /// keeps its latch, so that a session refresh opens nothing.
    pub(super) fn change(&mut self, trunk: Trunk, clock: u64) {
        let trunk = trunk.made_sendable();
        let old = std::mem::replace(&mut self.trunk, trunk);
        if old.remote != trunk.remote {
            self.latch = Latch::new(trunk.remote, clock);
        }
        if old.codec != trunk.codec || !trunk.receive {
            self.playout.reset();
            self.digits.clear();
        }
        self.outgoing.set_format(trunk.codec.payload_type(), packet_samples(&trunk));
    }

    pub(super) fn end(self) -> Remains {
        let counters = PatchCounters {
            // A packet that came too late was not there when it was due.
            lost: self.source.expected().saturating_sub(self.counters.packets) + self.counters.late,
            recorded_samples: self.next_clock.zip(self.tapped_from).map_or(0, |(end, from)| end - from),
            ..self.counters
        };
        let notice = self.notice.map(|notice| notice.samples);
        Remains { counters, notice, tap: self.tap, playout: self.playout }
    }

    /// One period. `playback` is silent before; what is played to the line is added to it.
    pub(super) fn tick(
        &mut self,
        clock: u64,
        capture: Column<'_>,
        mut playback: ColumnMut<'_>,
        io: &mut impl RtpIo,
        events: &mut impl FnMut(Event),
    ) {
        self.follow(clock, io);
        self.receive(io, events);
        self.play(&mut playback);
        self.listen(capture);
        self.announce(clock, &mut playback, events);
        self.send(io);
        self.copy_to_tap(clock, &playback);
    }

    /// Keeps step with the line's clock. What waited in the socket before the call is not part of it.
    fn follow(&mut self, clock: u64, io: &mut impl RtpIo) {
        match self.next_clock.replace(clock + PERIOD as u64) {
            Some(expected) if expected == clock => {}
            Some(expected) => {
                let missed = u32::try_from(clock.saturating_sub(expected)).unwrap_or(u32::MAX);
                self.playout.skip(missed);
                self.outgoing.skip(missed);
                self.ahead.clear();
            }
            None => {
                let _stale = (0..MAX_STALE)
                    .take_while(|_| io.receive(self.rtp, self.playout.rx_buf()).is_some())
                    .count();
            }
        }
        self.latch.pass(clock);
    }

    fn receive(&mut self, io: &mut impl RtpIo, events: &mut impl FnMut(Event)) {
        for _ in 0..MAX_READ {
            let Some((len, from)) = io.receive(self.rtp, self.playout.rx_buf()) else { return };
            let before = self.counters.packets;
            if self.take(len, from).is_none() {
                self.counters.refused += 1;
            } else if before == 0 && self.counters.packets == 1 {
                events(Event::AudioStarted { rtp: self.rtp });
            }
        }
    }

    /// Takes the datagram in the receive buffer; `None` if it is refused.
    fn take(&mut self, len: usize, from: SocketAddr) -> Option<()> {
        let datagram = self.playout.received(len);
        let packet = Packet::parse(datagram)?;
        let kind = self.trunk.kind_of(packet.payload_type)?;
        if !self.trunk.receive || !self.latch.admit(from, packet.ssrc, packet.seq) {
            return None;
        }
        match self.source.judge(packet.ssrc, packet.seq) {
            Verdict::Continues => {}
            Verdict::Begins => {
                self.playout.reset();
                self.digits.clear();
            }
            Verdict::OnProbation => return None,
        }
        let filed = match kind {
            Kind::Audio => self.playout.file(&packet),
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

    /// Trunk to line. What is missing stays silent.
    fn play(&mut self, playback: &mut ColumnMut<'_>) {
        let law = law(self.trunk.codec);
        let mut rest = playback.lend();
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
        if !self.digits.is_idle() {
            self.digits.play(playback.samples());
        }
    }

    /// Line to office leg; silent while the trunk is not to hear the line.
    fn listen(&mut self, capture: Column<'_>) {
        if self.trunk.send {
            capture.read(&mut self.frame.office);
        } else {
            self.frame.office.fill(0);
        }
    }

    /// Mixes the notice into both directions, from the moment that the trunk's address is settled, so that a caller
    /// behind a translator does not miss it; a caller who stays silent is not waited for long.
    /// The recording begins with it.
    fn announce(&mut self, clock: u64, playback: &mut ColumnMut<'_>, events: &mut impl FnMut(Event)) {
        let settled = self.latch.is_settled();
        let due = |notice: &&mut Notice| settled || clock >= notice.by;
        let Some(notice) = self.notice.as_mut().filter(|_| self.trunk.send).filter(due) else { return };
        self.tapping = true;
        let end = notice.samples.len().min(notice.at + PERIOD);
        let sound = notice.samples.get(notice.at..end).unwrap_or_default();
        mix(playback.samples(), sound);
        mix(self.frame.office.iter_mut(), sound);
        notice.at = end;
        if end == notice.samples.len()
            && let Some(notice) = self.notice.take()
        {
            events(Event::NoticePlayed { rtp: self.rtp });
            events(Event::Spent(notice.samples));
        }
    }

    /// Office leg to trunk.
    fn send(&mut self, io: &mut impl RtpIo) {
        if !self.trunk.send {
            self.outgoing.skip(PERIOD as u32);
            return;
        }
        g711::encode(law(self.trunk.codec), &self.frame.office, self.outgoing.room(PERIOD));
        if let Some(packet) = self.outgoing.finished() {
            io.send(self.rtp, self.latch.remote(), packet);
            self.counters.sent += 1;
        }
    }

    fn copy_to_tap(&mut self, clock: u64, playback: &ColumnMut<'_>) {
        let Some(tap) = self.tap.as_mut().filter(|_| self.tapping) else { return };
        self.tapped_from.get_or_insert(clock);
        self.frame.at = clock;
        playback.as_column().read(&mut self.frame.caller);
        self.ahead.exchange(&mut self.frame.caller);
        if tap.push(self.frame).is_err() {
            self.counters.tap_overruns += 1;
        }
    }
}

impl Trunk {
    /// RFC 3264 5.1 and 8.4: no packets go to port 0 or to the unspecified address, whatever the direction says.
    fn made_sendable(self) -> Self {
        let sendable = self.remote.port() != 0 && !self.remote.ip().is_unspecified();
        Self { send: self.send && sendable, ..self }
    }

    fn kind_of(&self, payload_type: u8) -> Option<Kind> {
        match payload_type {
            audio if audio == self.codec.payload_type() => Some(Kind::Audio),
            event if Some(event) == self.event_pt_in => Some(Kind::Event),
            COMFORT_NOISE => Some(Kind::Silence),
            _ => None,
        }
    }
}

const fn law(codec: Codec) -> Law {
    match codec {
        Codec::Pcmu => Law::Mu,
        Codec::Pcma => Law::A,
    }
}

/// Samples of a packet: whole periods, 10 to 60 ms.
fn packet_samples(trunk: &Trunk) -> usize {
    usize::from(trunk.ptime_ms / 10).clamp(1, 6) * PERIOD
}
