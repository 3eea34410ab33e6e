//! One call: a line slot joined with the trunk's RTP, 10 ms at a time.
//!
//! ```text
//!  trunk --> Downlink --> playback slot --> Ahead --> caller leg ---+--> Tap
//!                              ^                        |      |    |
//!               notice --------+                   far  |    Ears   |
//!                              |                        v      |    |
//!  trunk <-- Uplink <----------+---- office leg <-- LineEnd <--'- capture slot
//! ```
//! The caller leg is what is on the line in this period, not what is written to the card in it: the echo canceller and
//! the recording want both legs of one moment. A parked patch has no slot: its line is silent, and all else goes on.

use super::{
    ahead::Ahead,
    control::{Event, PatchCounters, TapFrame, Trunk},
    downlink::Downlink,
    ears::{Ears, Said},
    line_end::LineEnd,
    overlay::Overlay,
    rtcp::{Farewell, Rtcp},
    rtp_io::RtpIo,
    spoken::Interjection,
    tap::{Leg, Tap},
    uplink::Uplink,
    waiting::Waiting,
};
use crate::{
    audio::{
        PERIOD,
        interleaved::{Column, ColumnMut},
        sound_report::{SoundReport, tenths},
    },
    id::{RtpPort, Slot},
    rtp::playout::Playout,
};
use std::sync::Arc;

/// One call on the media thread.
#[derive(Debug)]
pub(super) struct Patch {
    rtp: RtpPort,
    /// `None`: parked.
    slot: Option<Slot>,
    trunk: Trunk,
    downlink: Downlink,
    uplink: Uplink,
    rtcp: Rtcp,
    overlay: Overlay,
    tap: Option<Tap>,
    ahead: Ahead,
    /// `None`: the sound passes unheard.
    ears: Option<Ears>,
    /// Whether both legs go to the tap: from the start, or from the notice on.
    tapping: bool,
    /// The working frame; `office` is encoded from here.
    frame: TapFrame,
    /// Line clock of the next tick; unknown before the first.
    next_clock: Option<u64>,
}

/// What a patch gives back when it ends.
pub(super) struct Remains {
    pub(super) counters: PatchCounters,
    pub(super) tap: Option<rtrb::Producer<TapFrame>>,
    pub(super) playout: Playout,
    pub(super) farewell: Option<Farewell>,
}

impl Patch {
    pub(super) fn new(
        (rtp, slot): (RtpPort, Slot),
        trunk: Trunk,
        (source, rtcp_seed): ((u32, u16, u32), u128),
        notice: Option<Arc<[i16]>>,
        tap: Option<rtrb::Producer<TapFrame>>,
        (playout, ahead, ears): (Playout, Ahead, Option<Ears>),
        clock: u64,
    ) -> Self {
        let trunk = trunk.made_sendable();
        Self {
            rtp,
            slot: Some(slot),
            downlink: Downlink::new(&trunk, playout, clock),
            uplink: Uplink::new(&trunk, source),
            rtcp: Rtcp::new(rtp, source.0, rtcp_seed, clock),
            trunk,
            tapping: notice.is_none(),
            overlay: Overlay::new(notice, clock),
            tap: tap.map(Tap::new),
            ahead,
            ears,
            frame: TapFrame { at: 0, caller: [0; PERIOD], office: [0; PERIOD], is_paused: false },
            next_clock: None,
        }
    }

    /// Where it is; `None` if it is parked.
    pub(super) const fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// Announces another call to the phone; gives back what was announced before.
    pub(super) fn announce(&mut self, waiting: Waiting) -> Option<Waiting> {
        self.overlay.announce(waiting)
    }

    /// Interjects a notice; gives back the one before.
    pub(super) fn interject(&mut self, interjection: Interjection) -> Option<Interjection> {
        self.overlay.interject(interjection)
    }

    /// Leaves its slot.
    pub(super) fn park(&mut self, events: &mut impl FnMut(Event)) {
        self.slot = None;
        self.overlay.leave_slot(events);
    }

    /// Goes on at a slot whose line begins anew.
    pub(super) fn unpark(&mut self, slot: Slot, line: &mut LineEnd) {
        self.slot = Some(slot);
        line.begin();
        if self.ears.as_ref().is_some_and(Ears::is_fax) {
            line.leave_alone();
        }
    }

    /// Keeps what is said out of the recording, what is held back included, or lets it in again.
    pub(super) fn pause(&mut self, is_paused: bool) {
        if let Some(tap) = &mut self.tap {
            tap.pause(is_paused);
        }
    }

    /// Applies a new SDP answer.
    pub(super) fn change(&mut self, trunk: Trunk, clock: u64) {
        let trunk = trunk.made_sendable();
        let old = std::mem::replace(&mut self.trunk, trunk);
        self.downlink.change(&old, &self.trunk, clock);
        self.uplink.change(&self.trunk);
        self.rtcp.change(&old, &self.trunk);
    }

    pub(super) fn end(mut self, line: Option<&LineEnd>, events: &mut impl FnMut(Event)) -> Remains {
        self.overlay.give_back(events);
        let (peer, sent, report) = (self.downlink.peer(), self.uplink.sent(), self.downlink.report());
        let (reported, farewell) = self.rtcp.end(&self.trunk, peer, (sent, report));
        let (received, playout) = self.downlink.end();
        let tap = self.tap.map(Tap::end);
        let tapped_from = tap.as_ref().and_then(|tap| tap.from);
        let (erl_db, erle_db) = line.map_or((None, None), LineEnd::echo_loss_db);
        let sound = SoundReport {
            erl_tenths_db: erl_db.and_then(tenths),
            erle_tenths_db: erle_db.and_then(tenths),
            ..self.ears.as_ref().map(Ears::sound).unwrap_or_default()
        };
        let counters = PatchCounters {
            sent: sent.packets,
            delay_ms: received.delay_ms + u32::from(self.trunk.ptime_ms) + self.ahead.ms(),
            round_trip_ms: reported.round_trip_ms,
            far_end: reported.far_end,
            rtcp_received: reported.rtcp_received,
            rtcp_refused: reported.rtcp_refused,
            rtcp_sent: reported.rtcp_sent,
            sound,
            tap_overruns: tap.as_ref().map_or(0, |tap| tap.overruns),
            recorded_samples: self.next_clock.zip(tapped_from).map_or(0, |(end, from)| end - from),
            ..received
        };
        Remains { counters, tap: tap.map(|tap| tap.ring), playout, farewell }
    }

    /// One period. `playback` is silent before; what is played to the line is added to it.
    pub(super) fn tick(
        &mut self,
        clock: u64,
        (line, capture): (&mut LineEnd, Column<'_>),
        playback: &mut ColumnMut<'_>,
        io: &mut impl RtpIo,
        events: &mut impl FnMut(Event),
    ) {
        self.follow(clock, io);
        self.downlink.receive(self.rtp, &self.trunk, clock, &mut self.rtcp, io, events);
        let is_key = self.downlink.play(self.trunk.codec, playback);
        let is_overlaid = self.overlay.is_any();
        if is_overlaid {
            let trunk = (self.downlink.is_settled(), self.trunk.send);
            self.overlay.sound(clock, trunk, playback);
        }
        let mut said = self.listen((line, capture), playback, is_key, events);
        if is_overlaid {
            // The recording begins with the notice.
            self.tapping |= self.overlay.hear(self.rtp, &mut said, &mut self.frame.office, events);
        }
        self.copy_to_tap(clock, said);
        let office = (&mut self.frame.office, said.key);
        self.uplink.send(self.rtp, &self.trunk, self.downlink.remote(), office, io);
        if clock >= self.rtcp.due() {
            self.exchange_reports(clock, io);
        }
    }

    /// Both legs of this period: what is on the line, and what the person at it says.
    #[inline]
    fn listen(
        &mut self,
        (line, capture): (&mut LineEnd, Column<'_>),
        playback: &ColumnMut<'_>,
        is_key: bool,
        events: &mut impl FnMut(Event),
    ) -> Said {
        let Self { frame, ahead, ears, trunk, rtp, slot, .. } = self;
        if ears.is_none() && self.tap.is_none() && line.is_plain() {
            // Nobody wants the caller's leg of this moment.
            capture.read(&mut frame.office);
            return Said::default();
        }
        playback.as_column().read(&mut frame.caller);
        let is_key = ahead.exchange(&mut frame.caller, is_key);
        line.listen(capture, &frame.caller, &mut frame.office, events);
        if !trunk.send {
            frame.office.fill(0);
        }
        let Some(ears) = ears else { return Said::default() };
        if !trunk.send || !trunk.receive || slot.is_none() {
            ears.expect_silence();
        }
        let was_fax = ears.is_fax();
        let said = ears.hear(*rtp, (&frame.caller, &frame.office), is_key, events);
        if ears.is_fax() && !was_fax {
            line.leave_alone();
            self.downlink.leave_alone();
        }
        said
    }

    /// RTCP both ways, a few times in ten seconds.
    #[cold]
    #[inline(never)]
    fn exchange_reports(&mut self, clock: u64, io: &mut impl RtpIo) {
        let peer = self.downlink.peer();
        self.rtcp.listen(clock, &self.trunk, peer, io);
        if self.rtcp.must_report(clock) {
            let about = (self.uplink.sent(), self.downlink.report());
            self.rtcp.report(&self.trunk, peer, about, io);
        }
    }

    /// Keeps step with the line's clock.
    fn follow(&mut self, clock: u64, io: &mut impl RtpIo) {
        match self.next_clock.replace(clock + PERIOD as u64) {
            Some(expected) if expected == clock => {}
            Some(expected) => {
                let missed = u32::try_from(clock.saturating_sub(expected)).unwrap_or(u32::MAX);
                self.downlink.skip(missed);
                self.uplink.skip(missed);
                self.ahead.clear();
            }
            None => {
                self.downlink.throw_away_stale(self.rtp, io);
                self.rtcp.throw_away_stale(io);
            }
        }
    }

    #[inline]
    fn copy_to_tap(&mut self, clock: u64, said: Said) {
        let Some(tap) = self.tap.as_mut().filter(|_| self.tapping) else { return };
        self.frame.at = clock;
        tap.push(&self.frame);
        tap.silence(Leg::Caller, said.caller_key_samples);
        tap.silence(Leg::Office, said.office_key_samples);
    }
}

impl Trunk {
    /// RFC 3264 5.1 and 8.4: no packets go to port 0 or to the unspecified address, whatever the direction says.
    fn made_sendable(self) -> Self {
        let sendable = self.remote.port() != 0 && !self.remote.ip().is_unspecified();
        Self { send: self.send && sendable, ..self }
    }
}
