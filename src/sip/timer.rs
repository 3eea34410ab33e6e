//! The timers of RFC 3261 (table 4, with RFC 6026 for L) over UDP, in milliseconds.

/// Estimate of the round-trip time.
pub const T1_MS: u64 = 500;
/// Longest interval between retransmissions of a non-INVITE request or of an INVITE's answer.
pub const T2_MS: u64 = 4_000;
/// Longest time a datagram stays in the network.
pub const T4_MS: u64 = 5_000;
/// How long anything is retransmitted at all: timers B, F, H, J, L, M and the 2xx of RFC 3261 13.3.1.4.
pub const GIVE_UP_MS: u64 = 64 * T1_MS;
/// How long repeated final answers to our INVITE are acknowledged (timer D: at least 32 s over UDP).
pub const ABSORB_MS: u64 = 32_000;
/// How often a ringing call repeats its provisional answer (RFC 3261 13.3.1.1), so that no proxy's timer C fires.
pub const PROVISIONAL_REFRESH_MS: u64 = 60_000;

/// The interval after `interval_ms`: doubled, up to T2 (timers E and G, and the 2xx).
#[must_use]
pub const fn backed_off(interval_ms: u64) -> u64 {
    let doubled = interval_ms.saturating_mul(2);
    if doubled < T2_MS { doubled } else { T2_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_from_t1_and_stay_at_t2() {
        let seen: Vec<u64> =
            std::iter::successors(Some(T1_MS), |interval| Some(backed_off(*interval))).take(6).collect();
        assert_eq!(seen, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    }
}
