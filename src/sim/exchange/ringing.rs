//! A call that rings at a line: the country's cadence, and the caller's number where the country sends it.

use super::plan::{CallerIn, Country};
use crate::audio::caller_id::{Alert, Timing};
use crate::audio::tone::Cadence;
use std::sync::Arc;

/// One incoming call until it is answered.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) caller: CallerIn,
    since_ms: u64,
    cadence: Cadence,
    ring_hz: u64,
    /// Length of the ring pulse that wakes the phone; 0 for none.
    pulse_ms: u64,
    /// Whether TIP and RING lie reversed until the first ring.
    reversed: bool,
    /// Milliseconds from the beginning to the first ring.
    ring_after_ms: u64,
    /// The caller's number, and when it is sent.
    data: Option<(u64, Arc<[i16]>)>,
}

impl Ring {
    /// A call whose first sign is at `now_ms`.
    pub(super) fn new(caller: CallerIn, sends_caller_id: bool, country: &Country, now_ms: u64) -> Self {
        let mut ring = Self {
            since_ms: now_ms,
            cadence: country.tones.ring,
            ring_hz: country.ring_hz,
            pulse_ms: 0,
            reversed: false,
            ring_after_ms: 0,
            data: None,
            caller,
        };
        if sends_caller_id {
            ring.schedule(country);
        }
        ring
    }

    fn schedule(&mut self, country: &Country) {
        let timing = country.caller_id.timing;
        let samples: Arc<[i16]> = country.caller_id.render(&self.caller.caller_id()).into();
        let data_ms = (samples.len() as u64).div_ceil(8);
        let data_at_ms = match timing {
            Timing::AfterFirstRing => match self.pause(timing.silence_ms(), data_ms) {
                Some(at_ms) => at_ms,
                None => return,
            },
            Timing::BeforeFirstRing(alert) => {
                self.reversed = alert != Alert::RingPulse;
                self.pulse_ms = if self.reversed { 0 } else { Alert::RING_PULSE_MS };
                let at_ms = self.pulse_ms + timing.silence_ms();
                self.ring_after_ms = at_ms + data_ms + Timing::BEFORE_RING_MS;
                at_ms
            }
        };
        self.data = Some((self.since_ms + data_at_ms, samples));
    }

    /// Where in the cadence the first pause is that holds the data, with the silence before and behind it.
    fn pause(&self, silence_ms: u64, data_ms: u64) -> Option<u64> {
        let mut start_ms = 0;
        for &(on, off) in self.cadence.bursts_ms() {
            if u64::from(off) >= silence_ms + data_ms + Timing::BEFORE_RING_MS {
                return Some(start_ms + u64::from(on) + silence_ms);
            }
            start_ms += u64::from(on) + u64::from(off);
        }
        None
    }

    /// Whether the caller has had enough.
    pub(super) fn is_given_up(&self, now_ms: u64) -> bool {
        self.caller.gives_up_after_ms.is_some_and(|ms| now_ms >= self.since_ms + ms)
    }

    /// Whether TIP and RING lie reversed now.
    pub(super) fn is_reversed(&self, now_ms: u64) -> bool {
        self.reversed && now_ms < self.since_ms + self.ring_after_ms
    }

    /// The half wave of this moment: 1, −1, or 0 in a pause.
    pub(super) fn half_wave(&self, now_ms: u64) -> i8 {
        match self.burst_elapsed_ms(now_ms - self.since_ms) {
            None => 0,
            Some(ms) if (ms * 2 * self.ring_hz / 1000).is_multiple_of(2) => 1,
            Some(_) => -1,
        }
    }

    fn burst_elapsed_ms(&self, elapsed_ms: u64) -> Option<u64> {
        let Some(rung_ms) = elapsed_ms.checked_sub(self.ring_after_ms) else {
            return (elapsed_ms < self.pulse_ms).then_some(elapsed_ms);
        };
        let bursts = self.cadence.bursts_ms();
        let cycle_ms: u64 = bursts.iter().map(|&(on, off)| u64::from(on) + u64::from(off)).sum();
        let mut into_ms = rung_ms % cycle_ms.max(1);
        for &(on, off) in bursts {
            if into_ms < u64::from(on) {
                return Some(into_ms);
            }
            into_ms = into_ms.checked_sub(u64::from(on) + u64::from(off))?;
        }
        None
    }

    /// What is sent to the display, once, when its time has come.
    pub(super) fn data_due(&mut self, now_ms: u64) -> Option<Arc<[i16]>> {
        self.data.take_if(|(at_ms, _)| now_ms >= *at_ms).map(|(_, samples)| samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts (from, to) and data (from, to) of the first `ms`, and until when the line is reversed.
    fn timeline(country: &str, name: &str, ms: u64) -> (Vec<(u64, u64)>, (u64, u64), u64) {
        let country = Country::of(country).unwrap();
        let caller = CallerIn { name: name.to_owned(), ..CallerIn::new("3125550142") };
        let mut ring = Ring::new(caller, true, &country, 1000);
        let (mut bursts, mut data, mut reversed_ms): (Vec<(u64, u64)>, _, _) = (Vec::new(), (0, 0), 0);
        for t in 0..ms {
            let now_ms = 1000 + t;
            match (ring.half_wave(now_ms) != 0, bursts.last_mut()) {
                (true, Some((_, to))) if *to == t => *to += 1,
                (true, _) => bursts.push((t, t + 1)),
                (false, _) => {}
            }
            if let Some(samples) = ring.data_due(now_ms) {
                data = (t, t + samples.len() as u64 / 8);
            }
            reversed_ms += u64::from(ring.is_reversed(now_ms));
        }
        (bursts, data, reversed_ms)
    }

    #[test]
    fn north_america_sends_the_number_between_first_and_second_ring() {
        let (bursts, (from, to), reversed_ms) = timeline("US", "ANNA WEBER", 8500);
        assert_eq!(bursts, [(0, 2000), (6000, 8000)]);
        assert_eq!((from, reversed_ms), (2600, 0));
        assert!((3000..4000).contains(&to), "{to}");
    }

    #[test]
    fn sweden_reverses_the_line_sends_keys_and_then_rings() {
        let (bursts, (from, to), reversed_ms) = timeline("SE", "", 6000);
        assert_eq!((from, to), (300, 300 + 12 * 140));
        assert_eq!(bursts[0].0, to + 250);
        assert_eq!(reversed_ms, bursts[0].0);
    }

    #[test]
    fn great_britain_rings_twice_after_tone_and_data() {
        let (bursts, (from, to), _) = timeline("GB", "ANNA WEBER", 6000);
        let first = bursts[0].0;
        assert_eq!(from, 150);
        assert!((to + 249..to + 252).contains(&first), "{first} {to}");
        assert_eq!(bursts[..2], [(first, first + 400), (first + 600, first + 1000)]);
    }

    #[test]
    fn half_waves_alternate_twenty_or_twenty_five_times_a_second() {
        for (code, half_ms) in [("US", 25), ("DE", 20)] {
            let ring = Ring::new(CallerIn::new(""), false, &Country::of(code).unwrap(), 0);
            let waves: Vec<i8> = (0..4 * half_ms).map(|ms| ring.half_wave(ms)).collect();
            for (n, half) in waves.chunks(half_ms as usize).enumerate() {
                assert!(half.iter().all(|&sign| sign == if n % 2 == 0 { 1 } else { -1 }), "{code} {n}");
            }
        }
    }
}
