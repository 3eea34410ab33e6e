//! What goes to the recorder: both legs, held back for as long as it takes to be sure of a pressed key.
//!
//! A key is known for certain only some 40 ms after it began. Frames wait here for [`HELD`] periods, so that its
//! whole sound can be silenced in the recording, from its first sample on, while the call itself is not delayed.

use super::control::TapFrame;
use crate::audio::PERIOD;
use crate::record::LegKind;

/// Periods held back: 80 ms.
pub(super) const HELD: usize = 8;

/// One side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// From the trunk.
    Caller,
    /// From the line.
    Office,
}

impl Leg {
    /// The same side in the record's words.
    pub(super) const fn kind(self) -> LegKind {
        match self {
            Self::Caller => LegKind::Trunk,
            Self::Office => LegKind::Line,
        }
    }
}

/// The writing end of a recording's ring.
#[derive(Debug)]
pub(super) struct Tap {
    ring: rtrb::Producer<TapFrame>,
    /// The last frames, oldest at `next` once `len` is [`HELD`].
    held: [TapFrame; HELD],
    len: usize,
    next: usize,
    overruns: u64,
    /// Line clock of the first frame.
    from: Option<u64>,
    is_paused: bool,
}

/// What is left of a tap.
pub(super) struct Ended {
    /// To be dropped off the media thread.
    pub(super) ring: rtrb::Producer<TapFrame>,
    /// Frames that did not fit into the ring.
    pub(super) overruns: u64,
    /// Line clock of the first frame.
    pub(super) from: Option<u64>,
}

impl Tap {
    pub(super) const fn new(ring: rtrb::Producer<TapFrame>) -> Self {
        let empty = TapFrame { at: 0, caller: [0; PERIOD], office: [0; PERIOD], is_paused: false };
        Self { ring, held: [empty; HELD], len: 0, next: 0, overruns: 0, from: None, is_paused: false }
    }

    /// Takes a period of both legs.
    pub(super) fn push(&mut self, frame: &TapFrame) {
        self.from.get_or_insert(frame.at);
        let Some(place) = self.held.get_mut(self.next) else { return };
        if self.len == HELD {
            self.overruns += u64::from(self.ring.push(*place).is_err());
        } else {
            self.len += 1;
        }
        *place = *frame;
        if self.is_paused {
            blank(place);
        }
        self.next = (self.next + 1) % HELD;
    }

    /// From now on both legs are silent, and so is all that is still here: what was said before the order came through
    /// stays out too. Nothing but another order ends it.
    pub(super) fn pause(&mut self, is_paused: bool) {
        if is_paused {
            self.held.iter_mut().for_each(blank);
        }
        self.is_paused = is_paused;
    }

    /// Silences the last `samples` of a leg, as far as they are still here.
    pub(super) fn silence(&mut self, leg: Leg, samples: usize) {
        let mut left = samples;
        for back in 1..=self.len {
            let Some(frame) = self.held.get_mut((self.next + HELD - back) % HELD) else { return };
            let sound = match leg {
                Leg::Caller => &mut frame.caller,
                Leg::Office => &mut frame.office,
            };
            let kept = PERIOD - left.min(PERIOD);
            sound.iter_mut().skip(kept).for_each(|sample| *sample = 0);
            left = left.saturating_sub(PERIOD);
            if left == 0 {
                return;
            }
        }
    }

    /// The call is over: what was held back goes out.
    pub(super) fn end(mut self) -> Ended {
        for waited in 0..self.len {
            if let Some(frame) = self.held.get((self.next + HELD - self.len + waited) % HELD) {
                self.overruns += u64::from(self.ring.push(*frame).is_err());
            }
        }
        Ended { ring: self.ring, overruns: self.overruns, from: self.from }
    }
}

fn blank(frame: &mut TapFrame) {
    frame.caller.fill(0);
    frame.office.fill(0);
    frame.is_paused = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u64) -> TapFrame {
        TapFrame { at: n * PERIOD as u64, caller: [1; PERIOD], office: [2; PERIOD], is_paused: false }
    }

    fn taken(out: &mut rtrb::Consumer<TapFrame>) -> Vec<TapFrame> {
        std::iter::from_fn(|| out.pop().ok()).collect()
    }

    #[test]
    fn every_frame_comes_out_once_in_order_and_80_ms_later() {
        for frames in [3, HELD as u64, 20] {
            let (ring, mut out) = rtrb::RingBuffer::new(64);
            let mut tap = Tap::new(ring);
            (0..frames).for_each(|n| tap.push(&frame(n)));
            let mut all = taken(&mut out);
            assert_eq!(all.len() as u64, frames.saturating_sub(HELD as u64));
            let ended = tap.end();
            all.extend(taken(&mut out));
            let clocks: Vec<u64> = all.iter().map(|frame| frame.at / PERIOD as u64).collect();
            assert_eq!(clocks, (0..frames).collect::<Vec<_>>());
            assert_eq!((ended.overruns, ended.from), (0, Some(0)));
        }
    }

    #[test]
    fn a_key_is_silenced_from_its_first_sample_on_one_leg_only() {
        let (ring, mut out) = rtrb::RingBuffer::new(64);
        let mut tap = Tap::new(ring);
        (0..10).for_each(|n| tap.push(&frame(n)));
        // It began 30 samples before the last two periods.
        tap.silence(Leg::Office, 2 * PERIOD + 30);
        tap.end();
        let all = taken(&mut out);
        let office: Vec<i16> = all.iter().flat_map(|frame| frame.office).collect();
        assert_eq!(office.iter().position(|&s| s == 0), Some(8 * PERIOD - 30));
        assert!(office[8 * PERIOD - 30..].iter().all(|&s| s == 0));
        assert!(all.iter().all(|frame| frame.caller == [1; PERIOD]));
    }

    #[test]
    fn what_has_left_already_cannot_be_silenced_and_does_no_harm() {
        let (ring, mut out) = rtrb::RingBuffer::new(64);
        let mut tap = Tap::new(ring);
        (0..20).for_each(|n| tap.push(&frame(n)));
        tap.silence(Leg::Caller, 100 * PERIOD);
        tap.end();
        let silent = taken(&mut out).iter().filter(|frame| frame.caller == [0; PERIOD]).count();
        assert_eq!(silent, HELD);
    }

    #[test]
    fn of_a_paused_stretch_no_sample_gets_out_nor_of_what_was_held_back() {
        // Every place to press in, and every length: also before the first frame, and to the end.
        for (from, until) in (0..24).flat_map(|from| (from..=24).map(move |until| (from, until))) {
            let (ring, mut out) = rtrb::RingBuffer::new(64);
            let mut tap = Tap::new(ring);
            for n in 0..24 {
                if n == from {
                    tap.pause(true);
                }
                if n == until {
                    tap.pause(false);
                }
                tap.push(&frame(n));
                tap.silence(Leg::Office, 3 * PERIOD);
            }
            tap.end();
            let all = taken(&mut out);
            assert_eq!(all.len(), 24);
            for (n, frame) in (0..24).zip(&all) {
                let is_paused = n + HELD as u64 >= from && n < until;
                assert_eq!(frame.is_paused, is_paused, "{n} of {from}..{until}");
                assert_eq!(frame.caller == [0; PERIOD], is_paused, "{n} of {from}..{until}");
                assert!(!is_paused || frame.office == [0; PERIOD], "{n} of {from}..{until}");
            }
        }
    }

    #[test]
    fn a_ring_that_nobody_reads_is_counted_and_blocks_nothing() {
        let (ring, _out) = rtrb::RingBuffer::new(2);
        let mut tap = Tap::new(ring);
        (0..20).for_each(|n| tap.push(&frame(n)));
        assert_eq!(tap.end().overruns, 18);
    }
}
