//! The special information tone (ITU-T E.180 section 3.6): three bursts that rise, close behind each other.

use super::{
    burst::{Burst, Change, Sight, Tracker},
    spectrum::{Line, Reading, Width},
};
use crate::audio::tone_plan::SpecialInformation;

/// How far a burst may be from its frequency, in Hz (E.180 3.6).
const TOLERANCE_HZ: f32 = 50.0;
/// What the frequency may be measured wrong by, in Hz.
const BLUR_HZ: f32 = 3.0;
/// How far a burst may be from its length, in periods: 70 ms (E.180 3.6). North America's 274 and 380 ms are within.
const TOLERANCE: f32 = 7.0;
/// Longest silence between two bursts, in periods: 30 ms (E.180 3.6).
const LONGEST_GAP: f32 = 3.0;
/// What lengths may be measured wrong by, in periods.
const BLUR: f32 = 1.0;

/// The ear for the special information tone.
#[derive(Clone, Debug)]
pub(super) struct Information {
    trackers: [Tracker; 3],
    /// Periods of a burst.
    nominal: f32,
    /// Bursts heard in order, and periods since the last one ended.
    heard: usize,
    since: f32,
}

impl Information {
    pub(super) fn new(tone: &SpecialInformation) -> Self {
        Self {
            trackers: std::array::from_fn(|_| Tracker::new()),
            nominal: f32::from(tone.burst_ms) / 10.0,
            heard: 0,
            since: 0.0,
        }
    }

    /// What has to be listened to, in the order of [`Self::hear`]'s readings.
    pub(super) fn lines(tone: &SpecialInformation) -> [Line; 3] {
        tone.hz.map(|hz| Line::new(hz, Width::Wide))
    }

    /// Whether `reading` is on its frequency.
    pub(super) fn is_near(reading: &Reading) -> bool {
        reading.off_hz.abs() <= TOLERANCE_HZ + BLUR_HZ
    }

    /// Takes a period; whether it completes the three bursts.
    pub(super) fn hear(&mut self, sights: [Sight; 3]) -> bool {
        self.since += 1.0;
        let mut complete = false;
        for (place, sight) in sights.into_iter().enumerate() {
            let change = self.trackers.get_mut(place).and_then(|tracker| tracker.see(sight));
            if let Some(Change::Ended(burst)) = change {
                complete |= self.take(place, &burst);
            }
        }
        complete
    }

    fn take(&mut self, place: usize, burst: &Burst) -> bool {
        // Periods since the end of this burst, which is between two periods.
        let ago = self.trackers.get(place).and_then(Tracker::pausing).map_or(0.0, |pausing| pausing.off);
        let gap = self.since - ago - burst.on;
        let in_length = burst.is_clean && (burst.on - self.nominal).abs() <= TOLERANCE + BLUR;
        let in_order = place == 0 || (place == self.heard && (-BLUR..=LONGEST_GAP + BLUR).contains(&gap));
        self.heard = if in_length && in_order { place + 1 } else { 0 };
        self.since = ago;
        if self.heard == self.trackers.len() {
            self.heard = 0;
            return true;
        }
        false
    }

    pub(super) fn is_sounding(&self) -> bool {
        self.trackers.iter().any(|tracker| tracker.sounding().is_some())
    }
}
