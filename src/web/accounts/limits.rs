//! How often somebody may try: a few times at once, then one try at a time.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Whose tries are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Whoever comes from an address; of an IPv6 address its /64, which is one household's.
    Address(IpAddr),
    /// Whoever tries a login, known or not, by its digest.
    Login([u8; 32]),
    /// Everybody who tries the claim code.
    ClaimCode,
}

/// Tries at once, and how long until there is one more.
const ADDRESS: (u64, u64) = (10, 6_000);
const LOGIN: (u64, u64) = (10, 30_000);
const CLAIM_CODE: (u64, u64) = (10, 20_000);
/// Keys that are remembered: 400 kB.
const MOST_KEYS: usize = 4_096;

impl Key {
    /// The key of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
            v4 => v4,
        })
    }

    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::Address(_) => ADDRESS,
            Self::Login(_) => LOGIN,
            Self::ClaimCode => CLAIM_CODE,
        }
    }
}

/// Why not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften {
    /// When it is worth trying again.
    pub(super) after: Duration,
    /// Whether it is the first time in a row that this is said.
    pub(super) first: bool,
}

/// Tries of everybody. A key holds when its bucket is full again, in milliseconds (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(super) struct Limits {
    full_at: BTreeMap<Key, u64>,
    told: BTreeMap<Key, u64>,
}

impl Limits {
    /// Takes one try at `now_ms`.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn take(&mut self, key: Key, now_ms: u64) -> Result<(), TooOften> {
        let (burst, interval) = key.bounds();
        let full_at = self.full_at.get(&key).copied().unwrap_or(0).max(now_ms) + interval;
        let may_at = full_at.saturating_sub(burst * interval);
        if may_at > now_ms {
            let first = self.told.insert(key, full_at) != Some(full_at);
            return Err(TooOften { after: Duration::from_millis(may_at - now_ms), first });
        }
        self.make_room(now_ms);
        self.full_at.insert(key, full_at);
        Ok(())
    }

    /// Gives a try back: it was a good one.
    pub(super) fn give_back(&mut self, key: Key) {
        let (_, interval) = key.bounds();
        if let Some(full_at) = self.full_at.get_mut(&key) {
            *full_at = full_at.saturating_sub(interval);
        }
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.full_at.len() < MOST_KEYS {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now_ms);
        self.told.retain(|key, _| self.full_at.contains_key(key));
        // Somebody fills it from a thousand addresses: whoever has the most tries left is forgotten first.
        while self.full_at.len() >= MOST_KEYS {
            let Some(key) = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| *key)
            else {
                return;
            };
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_run_out_and_come_back() {
        let mut limits = Limits::default();
        let key = Key::of([192, 0, 2, 1].into());
        for _ in 0..10 {
            assert_eq!(limits.take(key, 1_000), Ok(()));
        }
        let first = limits.take(key, 1_000).unwrap_err();
        assert_eq!(first, TooOften { after: Duration::from_secs(6), first: true });
        assert!(!limits.take(key, 1_500).unwrap_err().first, "once is enough for the audit");
        assert_eq!(limits.take(Key::of([192, 0, 2, 2].into()), 1_000), Ok(()), "others are not meant");
        assert_eq!(limits.take(key, 7_000), Ok(()));
        assert!(limits.take(key, 7_000).is_err());
        limits.give_back(key);
        assert_eq!(limits.take(key, 7_000), Ok(()));
    }

    #[test]
    fn a_household_is_one_address() {
        let of = |text: &str| Key::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:3:4:5:6"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut limits = Limits::default();
        for n in 0..10_000_u32 {
            let _ = limits.take(Key::of(n.to_be_bytes().into()), u64::from(n));
        }
        assert!(limits.full_at.len() <= MOST_KEYS && limits.told.len() <= MOST_KEYS);
    }
}
