//! How long to wait after a failure: exponential with full jitter, so that a hundred thousand boxes do not come back
//! at the same moment.

/// The first wait is at most so long.
pub const BASE_MS: u64 = 1_000;
/// No wait is longer.
pub const CAP_MS: u64 = 300_000;
/// No wait is shorter: what a request costs at least.
pub const FLOOR_MS: u64 = 100;
/// `Retry-After` is obeyed up to here; nobody means a year.
pub const MAX_RETRY_AFTER_MS: u64 = 3_600_000;

/// Failures in a row and the random numbers of the jitter (SplitMix64).
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    state: u64,
}

impl Backoff {
    /// No failure yet.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { failures: 0, state: seed }
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: milliseconds to wait, [`FLOOR_MS`]..=[`CAP_MS`], or longer if the upstream says so.
    pub fn failed(&mut self, retry_after_ms: Option<u64>) -> u64 {
        let most = BASE_MS.checked_shl(self.failures.min(16)).unwrap_or(CAP_MS).min(CAP_MS);
        self.failures = self.failures.saturating_add(1);
        let jittered = self.below(most + 1).max(FLOOR_MS);
        match retry_after_ms {
            // Everybody was told the same: up to a tenth later, each at another moment.
            Some(told) => {
                let told = told.min(MAX_RETRY_AFTER_MS);
                (told + self.below(told / 10 + BASE_MS)).max(jittered)
            }
            None => jittered,
        }
    }

    /// A random number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

/// Milliseconds that a `Retry-After` asks for (RFC 9110 10.2.3): seconds, or an HTTP date seen from `now_ms` since
/// 1970. `None` if it says neither.
#[must_use]
pub fn retry_after_ms(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(u64::try_from(at.as_millisecond()).ok()?.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(7);
        let mut bound = BASE_MS;
        for n in 0..40 {
            let wait = backoff.failed(None);
            assert!((FLOOR_MS..=bound).contains(&wait), "{n}: {wait} of {bound}");
            bound = (bound * 2).min(CAP_MS);
        }
        backoff.reset();
        assert!(backoff.failed(None) <= BASE_MS);
    }

    #[test]
    fn boxes_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<u64> = (0..1000)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                (0..12).map(|_| backoff.failed(None)).last().unwrap()
            })
            .collect();
        assert!(waits.len() > 950, "{}", waits.len());
    }

    #[test]
    fn the_upstream_is_obeyed_within_reason() {
        let wait = |ms| Backoff::new(1).failed(Some(ms));
        assert!((120_000..=133_000).contains(&wait(120_000)));
        assert!(wait(u64::MAX) <= MAX_RETRY_AFTER_MS / 10 * 11 + BASE_MS);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let noon = 1_795_348_800_000;
        assert_eq!(retry_after_ms("120", noon), Some(120_000));
        assert_eq!(retry_after_ms("Sun, 22 Nov 2026 12:00:30 GMT", noon), Some(30_000));
        assert_eq!(retry_after_ms("Sun, 22 Nov 2026 11:00:00 GMT", noon), Some(0));
        assert_eq!(retry_after_ms("soon", noon), None);
    }
}
