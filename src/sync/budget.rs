//! How fast things may go upstream: a token bucket that is nearly shut while calls are up.
//!
//! Without a call it fills with a share of the uplink. The uplink is configured, or measured: some 200 kB go at once
//! then, of which the first fill the buffers and the others tell how fast the line takes them. A call that begins
//! empties the bucket.

use crate::time::Instant;

/// Bytes that may go at once while no call is up.
const BURST_BYTES: u64 = 32 << 10;
/// Bytes that may go at once while calls are up: a packet.
const CALM_BURST_BYTES: u64 = 1_400;
/// Bytes of a measurement that only fill the buffers of socket and modem.
const PROBE_SKIPPED_BYTES: u64 = 64 << 10;
/// Bytes of a measurement.
const PROBE_BYTES: u64 = 192 << 10;
/// The uplink is measured so often.
const PROBE_EVERY_MS: u64 = 600_000;
/// An uplink that was not measured yet, in bytes a second: 1 Mbit/s.
const UNKNOWN_UPLINK: u64 = 125_000;
/// What is not a recording never goes slower than this, in bytes a second: 16 kbit/s.
const LEAST_FOR_RECORDS: u64 = 2_000;
/// Longest wait before calls are looked at again, in ms.
pub const LOOK_MS: u64 = 50;
/// Micro-bytes in a byte.
const MICRO: u64 = 1_000_000;

/// What a site may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The uplink in kbit/s; measured if `None`.
    pub uplink_kbps: Option<u32>,
    /// Share of it in percent, 1..=100; 100 means without any limit.
    pub share_percent: u8,
    /// While calls are up, in kbit/s; 0 means that recordings rest.
    pub calls_kbps: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { uplink_kbps: None, share_percent: 25, calls_kbps: 64 }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records: slow while calls are up, never at rest.
    Records,
    /// Recordings.
    Recording,
}

/// The bucket's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// So many bytes may go.
    Now(usize),
    /// None for so many milliseconds, at most [`LOOK_MS`].
    Wait(u64),
    /// None until the calls are over.
    Paused,
}

/// The bucket.
#[derive(Debug)]
pub struct Budget {
    rates: Rates,
    /// Micro-bytes.
    tokens: u64,
    filled: Instant,
    /// Bytes a second.
    measured: Option<u64>,
    probe: Option<Probe>,
    next_probe: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    bytes: u64,
    /// When the buffers were full.
    began: Option<Instant>,
}

impl Budget {
    /// A full bucket.
    #[must_use]
    pub const fn new(rates: Rates, now: Instant) -> Self {
        Self { rates, tokens: 0, filled: now, measured: None, probe: None, next_probe: now }
    }

    /// Bytes a second; `None` if there is no limit.
    #[must_use]
    pub fn rate(&self, kind: Kind, calls_up: usize) -> Option<u64> {
        let share = u64::from(self.rates.share_percent);
        let uplink = match self.rates.uplink_kbps {
            Some(kbps) => u64::from(kbps) * 125,
            None => self.measured.unwrap_or(UNKNOWN_UPLINK),
        };
        let usual = (share < 100).then(|| (uplink * share / 100).max(LEAST_FOR_RECORDS));
        if calls_up == 0 {
            return usual;
        }
        let calm = u64::from(self.rates.calls_kbps) * 125;
        let calm = match kind {
            Kind::Records => calm.max(LEAST_FOR_RECORDS),
            Kind::Recording => calm,
        };
        Some(usual.map_or(calm, |usual| usual.min(calm)))
    }

    /// A recording's piece begins: time to measure the uplink?
    pub fn begin(&mut self, kind: Kind, now: Instant) {
        let measures = self.rates.uplink_kbps.is_none() && self.rates.share_percent < 100;
        self.probe = (measures && kind == Kind::Recording && now >= self.next_probe)
            .then_some(Probe { bytes: 0, began: None });
    }

    /// Takes up to `wanted` bytes.
    pub fn take(&mut self, wanted: usize, kind: Kind, calls_up: usize, now: Instant) -> Grant {
        if calls_up > 0 {
            self.probe = None;
        }
        if let Some(probe) = self.probe {
            self.probed(probe, wanted as u64, now);
            return Grant::Now(wanted);
        }
        let Some(rate) = self.rate(kind, calls_up) else { return Grant::Now(wanted) };
        if rate == 0 {
            return Grant::Paused;
        }
        let burst = if calls_up > 0 { CALM_BURST_BYTES } else { BURST_BYTES };
        let since_us = now.0.saturating_sub(self.filled.0);
        self.filled = now;
        self.tokens = self.tokens.saturating_add(rate.saturating_mul(since_us)).min(burst * MICRO);
        let wanted = (wanted as u64).min(burst);
        // Crumbs would cost more in headers than they bring.
        let least = wanted.min(CALM_BURST_BYTES);
        if self.tokens < least * MICRO {
            let missing = least * MICRO - self.tokens;
            return Grant::Wait((missing / rate / 1000 + 1).min(LOOK_MS));
        }
        let granted = (self.tokens / MICRO).min(wanted);
        self.tokens -= granted * MICRO;
        Grant::Now(usize::try_from(granted).unwrap_or(usize::MAX))
    }

    fn probed(&mut self, probe: Probe, wanted: u64, now: Instant) {
        let Probe { bytes, began } = probe;
        if let Some(began) = began
            && bytes >= PROBE_BYTES
        {
            let took_us = now.0.saturating_sub(began.0).max(1);
            let rate = (bytes - PROBE_SKIPPED_BYTES).saturating_mul(MICRO) / took_us;
            self.measured = Some(rate);
            (self.probe, self.next_probe) = (None, now.after_ms(PROBE_EVERY_MS));
            (self.tokens, self.filled) = (0, now);
            return;
        }
        let began = began.or_else(|| (bytes >= PROBE_SKIPPED_BYTES).then_some(now));
        self.probe = Some(Probe { bytes: bytes + wanted, began });
    }

    /// The uplink as it was measured, in bytes a second.
    #[must_use]
    pub const fn measured(&self) -> Option<u64> {
        self.measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    fn configured(uplink_kbps: u32, calls_kbps: u32) -> Budget {
        let rates = Rates { uplink_kbps: Some(uplink_kbps), share_percent: 25, calls_kbps };
        Budget::new(rates, Instant::ZERO)
    }

    /// Bytes that go within `ms` from `now` on.
    fn sent(budget: &mut Budget, kind: Kind, calls: usize, now: &mut u64, ms: u64) -> u64 {
        let (end, mut bytes) = (*now + ms * MS, 0);
        while *now < end {
            match budget.take(4096, kind, calls, Instant(*now)) {
                Grant::Now(granted) => bytes += granted as u64,
                Grant::Wait(wait) => *now += wait * MS,
                Grant::Paused => *now += LOOK_MS * MS,
            }
        }
        bytes
    }

    #[test]
    fn a_quarter_of_the_uplink_is_used() {
        let (mut budget, mut now) = (configured(2_000, 64), 0);
        let bytes = sent(&mut budget, Kind::Recording, 0, &mut now, 10_000);
        assert!((600_000..=660_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_call_that_begins_slows_an_upload_within_100_ms() {
        let (mut budget, mut now) = (configured(100_000, 64), 0);
        sent(&mut budget, Kind::Recording, 0, &mut now, 1_000);
        let at_once = sent(&mut budget, Kind::Recording, 1, &mut now, 100);
        assert!(at_once <= 800 + CALM_BURST_BYTES, "{at_once}");
        let later = sent(&mut budget, Kind::Recording, 1, &mut now, 10_000);
        assert!((70_000..=82_000).contains(&later), "{later}");
    }

    #[test]
    fn recordings_rest_during_calls_where_the_site_wants_it_and_records_do_not() {
        let mut budget = configured(2_000, 0);
        assert_eq!(budget.take(10, Kind::Recording, 1, Instant(1)), Grant::Paused);
        let mut now = 0;
        let records = sent(&mut budget, Kind::Records, 1, &mut now, 10_000);
        assert!((18_000..=22_000).contains(&records), "{records}");
    }

    #[test]
    fn without_a_limit_everything_goes_at_once_but_not_into_a_call() {
        let rates = Rates { share_percent: 100, ..Rates::default() };
        let mut budget = Budget::new(rates, Instant::ZERO);
        assert_eq!(budget.take(1 << 20, Kind::Recording, 0, Instant(1)), Grant::Now(1 << 20));
        assert_eq!(budget.rate(Kind::Recording, 1), Some(8_000));
    }

    #[test]
    fn the_uplink_is_measured_by_what_it_takes_beyond_the_buffers() {
        let mut budget = Budget::new(Rates::default(), Instant::ZERO);
        budget.begin(Kind::Recording, Instant::ZERO);
        // 64 kB vanish in buffers; then 100 kB a second.
        let (mut now, mut bytes) = (0, 0_u64);
        while budget.measured().is_none() {
            assert_eq!(budget.take(4096, Kind::Recording, 0, Instant(now)), Grant::Now(4096));
            bytes += 4096;
            if bytes > PROBE_SKIPPED_BYTES {
                now += 40_960;
            }
        }
        let measured = budget.measured().unwrap();
        assert!((95_000..=105_000).contains(&measured), "{measured}");
        assert_eq!(budget.rate(Kind::Recording, 0), Some(measured / 4));
    }

    #[test]
    fn a_call_ends_a_measurement() {
        let mut budget = Budget::new(Rates::default(), Instant::ZERO);
        budget.begin(Kind::Recording, Instant::ZERO);
        budget.take(4096, Kind::Recording, 0, Instant(1));
        assert!(matches!(budget.take(4096, Kind::Recording, 1, Instant(2)), Grant::Wait(_)));
        assert_eq!(budget.measured(), None);
    }
}
