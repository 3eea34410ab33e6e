//! One call: a line slot joined with the trunk's RTP, 10 ms at a time.
//!
//! ```text
//!  trunk --> Downlink --> playback slot ----> caller leg --.
//!                              ^                            >-- tap
//!               notice --------+                           |
//!                              v                           |
//!  trunk <-- Uplink <---- office leg -----------------------'<-- capture slot
//! ```

use super::{
    ahead::Ahead,
    control::{Event, PatchCounters, TapFrame, Trunk},
    downlink::Downlink,
    patch_bay::{PERIOD, RtpIo},
    uplink::Uplink,
};
use crate::{
    audio::interleaved::{Column, ColumnMut, mix},
    id::{RtpPort, Slot},
    rtp::playout::Playout,
};
use std::sync::Arc;

/// A caller who sends nothing holds the notice up this long: 200 ms of samples.
const NOTICE_PATIENCE_SAMPLES: u64 = 1_600;

/// One call on the media thread.
#[derive(Debug)]
pub(super) struct Patch {
    rtp: RtpPort,
    slot: Slot,
    trunk: Trunk,
    downlink: Downlink,
    uplink: Uplink,
    notice: Option<Notice>,
    tap: Option<rtrb::Producer<TapFrame>>,
    ahead: Ahead,
    /// Whether both legs go to the tap: from the start, or from the notice on.
    tapping: bool,
    /// Line clock of the first frame that went to the tap.
    tapped_from: Option<u64>,
    tap_overruns: u64,
    /// The working frame; `office` is encoded from here.
    frame: TapFrame,
    /// Line clock of the next tick; unknown before the first.
    next_clock: Option<u64>,
}

/// What both sides hear at the start.
#[derive(Debug)]
struct Notice {
    samples: Arc<[i16]>,
    at: usize,
    /// Line clock at which it is played even to an address that is not settled.
    by: u64,
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
        source: (u32, u16, u32),
        notice: Option<Arc<[i16]>>,
        tap: Option<rtrb::Producer<TapFrame>>,
        (playout, ahead): (Playout, Ahead),
        clock: u64,
    ) -> Self {
        let trunk = trunk.made_sendable();
        Self {
            rtp,
            slot,
            downlink: Downlink::new(&trunk, playout, clock),
            uplink: Uplink::new(&trunk, source),
            trunk,
            tapping: notice.is_none(),
            notice: notice.map(|samples| Notice { samples, at: 0, by: clock + NOTICE_PATIENCE_SAMPLES }),
            tap,
            ahead,
            frame: TapFrame { at: 0, caller: [0; PERIOD], office: [0; PERIOD] },
            next_clock: None,
            tapped_from: None,
            tap_overruns: 0,
        }
    }

    pub(super) const fn slot(&self) -> Slot {
        self.slot
    }

    /// Applies a new SDP answer.
    pub(super) fn change(&mut self, trunk: Trunk, clock: u64) {
        let trunk = trunk.made_sendable();
        let old = std::mem::replace(&mut self.trunk, trunk);
        self.downlink.change(&old, &self.trunk, clock);
        self.uplink.change(&self.trunk);
    }

    pub(super) fn end(self) -> Remains {
        let (received, playout) = self.downlink.end();
        let counters = PatchCounters {
            sent: self.uplink.sent(),
            tap_overruns: self.tap_overruns,
            recorded_samples: self.next_clock.zip(self.tapped_from).map_or(0, |(end, from)| end - from),
            ..received
        };
        let notice = self.notice.map(|notice| notice.samples);
        Remains { counters, notice, tap: self.tap, playout }
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
        self.downlink.receive(self.rtp, &self.trunk, clock, io, events);
        self.downlink.play(self.trunk.codec, &mut playback);
        self.uplink.listen(&self.trunk, capture, &mut self.frame.office);
        self.announce(clock, &mut playback, events);
        self.uplink.send(self.rtp, &self.trunk, self.downlink.remote(), &self.frame.office, io);
        self.copy_to_tap(clock, &playback);
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
            None => self.downlink.throw_away_stale(self.rtp, io),
        }
    }

    /// Mixes the notice into both directions, from the moment that the trunk's address is settled, so that a caller
    /// behind a translator does not miss it; a caller who stays silent is not waited for long.
    /// The recording begins with it.
    fn announce(&mut self, clock: u64, playback: &mut ColumnMut<'_>, events: &mut impl FnMut(Event)) {
        let settled = self.downlink.is_settled();
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

    #[inline]
    fn copy_to_tap(&mut self, clock: u64, playback: &ColumnMut<'_>) {
        if self.tap.is_some() && self.tapping {
            self.push_to_tap(clock, playback);
        }
    }

    fn push_to_tap(&mut self, clock: u64, playback: &ColumnMut<'_>) {
        let Some(tap) = self.tap.as_mut() else { return };
        self.tapped_from.get_or_insert(clock);
        self.frame.at = clock;
        playback.as_column().read(&mut self.frame.caller);
        self.ahead.exchange(&mut self.frame.caller);
        if tap.push(self.frame).is_err() {
            self.tap_overruns += 1;
        }
    }
}

impl Trunk {
    /// RFC 3264 5.1 and 8.4: no packets go to port 0 or to the unspecified address, whatever the direction says.
    fn made_sendable(self) -> Self {
        let sendable = self.remote.port() != 0 && !self.remote.ip().is_unspecified();
        Self { send: self.send && sendable, ..self }
    }
}
