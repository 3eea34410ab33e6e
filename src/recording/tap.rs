//! Tap frames to 20 ms stereo frames, aligned by the line's clock.
//!
//! Both legs of a tap frame carry one stamp, so they stay aligned to the sample by construction. What is missing
//! between two stamps becomes silence and is counted; what comes twice or late is dropped, never reordered.

use super::{FRAME_SAMPLES, StereoFrame};
use crate::audio::tap_frame::{TAP_SAMPLES, TapFrame};

/// Tap frames that a ring between media and storage should hold: 5 s, longer than a disk's bad moments.
pub const TAP_RING_FRAMES: usize = 500;

/// Longest gap written as silence, in samples: an hour. A longer one is a fault of the line's clock.
const MAX_GAP_SAMPLES: u64 = 3_600 * 8_000;

/// Pauses of one recording; nobody presses so often.
const MAX_PAUSES: usize = 1_000;

const _: () = assert!(FRAME_SAMPLES.is_multiple_of(TAP_SAMPLES), "tap frames fill a stereo frame exactly");

/// The aligner of one recording.
pub struct Tap {
    /// Line clock of the next sample to come; `None` before the first frame.
    expected: Option<u64>,
    /// Silence still to be written before `waiting`, in samples.
    silence: u64,
    waiting: Option<(TapFrame, usize)>,
    frame: StereoFrame,
    filled: usize,
    samples: u64,
    gap_samples: u64,
    late_frames: u64,
    pauses: Pauses,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            expected: None,
            silence: 0,
            waiting: None,
            frame: [0; 2 * FRAME_SAMPLES],
            filled: 0,
            samples: 0,
            gap_samples: 0,
            late_frames: 0,
            pauses: Pauses::default(),
        }
    }
}

/// Stretches, in order, that neither meet nor overlap.
#[derive(Default)]
struct Pauses(Vec<(u64, u64)>);

impl Pauses {
    fn add(&mut self, at: u64, samples: u64) {
        let is_full = self.0.len() >= MAX_PAUSES;
        match self.0.last_mut() {
            // What has no room of its own is part of the last one: rather too much is said to be left out than too little.
            Some((from, length)) if is_full || *from + *length == at => *length = at + samples - *from,
            _ => self.0.push((at, samples)),
        }
    }
}

impl Tap {
    /// Whether the last frame was used up, so that [`Tap::push`] may be called.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes the next tap frame. Call it only when [`Tap::is_ready`].
    pub fn push(&mut self, tapped: TapFrame) {
        debug_assert!(self.is_ready(), "a frame still waits");
        let expected = *self.expected.get_or_insert(tapped.at);
        let seen = usize::try_from(expected.saturating_sub(tapped.at)).unwrap_or(TAP_SAMPLES);
        if seen >= TAP_SAMPLES {
            self.late_frames += 1;
            return;
        }
        let gap = tapped.at.saturating_sub(expected).min(MAX_GAP_SAMPLES);
        self.gap_samples += gap;
        self.silence += gap;
        self.expected = Some(tapped.at + TAP_SAMPLES as u64);
        if tapped.is_paused {
            // Where it begins in the recording: behind what is written, and what is to be written before it.
            let unseen = (TAP_SAMPLES - seen) as u64;
            self.pauses.add(self.samples + self.silence, unseen);
        }
        self.waiting = Some((tapped, seen));
    }

    /// The next whole 20 ms, if there is one.
    pub fn next_frame(&mut self) -> Option<&StereoFrame> {
        if self.filled == FRAME_SAMPLES {
            self.filled = 0;
        }
        while self.filled < FRAME_SAMPLES {
            let room = FRAME_SAMPLES - self.filled;
            if self.silence > 0 {
                self.write_silence(room);
            } else if let Some((tapped, from)) = self.waiting.take() {
                self.write(&tapped, from, room);
            } else {
                return None;
            }
        }
        Some(&self.frame)
    }

    /// The samples left over at the end, padded with silence to 20 ms; `None` if nothing is left.
    pub fn last_frame(&mut self) -> Option<&StereoFrame> {
        let left = self.filled % FRAME_SAMPLES;
        self.filled = 0;
        if left == 0 {
            return None;
        }
        self.frame.get_mut(2 * left..)?.fill(0);
        Some(&self.frame)
    }

    /// Samples per leg taken so far, silence for gaps included and padding not.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Milliseconds of silence written where frames were missing.
    #[must_use]
    pub fn gap_ms(&self) -> u64 {
        self.gap_samples / 8
    }

    /// Where the recording was paused, in samples from its start, each stretch with its length.
    #[must_use]
    pub fn pauses(&self) -> &[(u64, u64)] {
        &self.pauses.0
    }

    /// Frames dropped because their time had been written already.
    #[must_use]
    pub fn late_frames(&self) -> u64 {
        self.late_frames
    }

    fn write_silence(&mut self, room: usize) {
        let count = usize::try_from(self.silence).unwrap_or(room).min(room);
        self.frame[2 * self.filled..2 * (self.filled + count)].fill(0);
        self.filled += count;
        self.samples += count as u64;
        self.silence -= count as u64;
    }

    fn write(&mut self, tapped: &TapFrame, from: usize, room: usize) {
        let upto = TAP_SAMPLES.min(from + room);
        let legs = tapped.caller[from..upto].iter().zip(&tapped.office[from..upto]);
        for (slot, (caller, office)) in self.frame[2 * self.filled..].chunks_exact_mut(2).zip(legs) {
            slot.copy_from_slice(&[*caller, *office]);
        }
        self.filled += upto - from;
        self.samples += (upto - from) as u64;
        if upto < TAP_SAMPLES {
            self.waiting = Some((*tapped, upto));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose samples tell their place: caller counts up, office counts down.
    fn tapped(at: u64) -> TapFrame {
        let value = |i: usize| i16::try_from(at).unwrap() + i16::try_from(i).unwrap() + 1;
        TapFrame {
            at,
            caller: std::array::from_fn(value),
            office: std::array::from_fn(|i| -value(i)),
            is_paused: false,
        }
    }

    fn run(stamps: &[u64]) -> (Vec<i16>, Tap) {
        let mut tap = Tap::default();
        let mut legs = Vec::new();
        for &at in stamps {
            tap.push(tapped(at));
            while let Some(frame) = tap.next_frame() {
                legs.extend_from_slice(frame);
            }
        }
        if let Some(frame) = tap.last_frame() {
            legs.extend_from_slice(frame);
        }
        (legs, tap)
    }

    #[test]
    fn frames_in_order_come_out_sample_by_sample() {
        let (legs, tap) = run(&[0, 80, 160, 240]);
        let expected: Vec<i16> = (1..=320).flat_map(|v| [v, -v]).collect();
        assert_eq!(legs, expected);
        assert_eq!((tap.samples(), tap.gap_ms(), tap.late_frames()), (320, 0, 0));
    }

    #[test]
    fn a_missing_frame_becomes_ten_milliseconds_of_silence() {
        let (legs, tap) = run(&[0, 160, 240]);
        assert!(legs[160..320].iter().all(|&s| s == 0));
        assert_eq!((legs[320], legs[321]), (161, -161));
        assert_eq!((tap.samples(), tap.gap_ms()), (320, 10));
    }

    #[test]
    fn a_gap_of_odd_length_keeps_the_clock() {
        let (legs, tap) = run(&[0, 80 + 13, 160 + 13]);
        assert_eq!(legs[2 * 93], 94, "a sample stands where its stamp says");
        assert_eq!(tap.samples(), 253);
        assert_eq!(legs.len(), 640, "the rest is padded to 20 ms");
    }

    #[test]
    fn pauses_stand_where_they_are_in_the_recording() {
        let mut tap = Tap::default();
        for (at, is_paused) in [(0, true), (80, true), (160, false), (320, true), (400, false), (480, true)] {
            tap.push(TapFrame { is_paused, ..tapped(at) });
            while tap.next_frame().is_some() {}
        }
        assert_eq!(tap.pauses(), [(0, 160), (320, 80), (480, 80)]);
    }

    #[test]
    fn a_second_copy_and_an_old_frame_are_dropped() {
        let (legs, tap) = run(&[800, 880, 880, 800, 960, 1040]);
        let expected: Vec<i16> = (801..=1120).flat_map(|v| [v, -v]).collect();
        assert_eq!(legs, expected);
        assert_eq!(tap.late_frames(), 2);
    }

    #[test]
    fn an_overlap_is_cut_not_doubled() {
        let (legs, tap) = run(&[0, 50, 130, 210]);
        let expected: Vec<i16> = (1..=290).flat_map(|v| [v, -v]).collect();
        assert_eq!(legs[..580], expected[..]);
        assert_eq!((tap.samples(), tap.gap_ms()), (290, 0));
    }

    #[test]
    fn a_broken_clock_costs_at_most_an_hour_of_silence() {
        let mut tap = Tap::default();
        tap.push(tapped(0));
        while tap.next_frame().is_some() {}
        tap.push(TapFrame { at: u64::MAX / 2, caller: [1; 80], office: [1; 80], is_paused: false });
        assert_eq!(tap.gap_ms(), 3_600_000);
    }
}
