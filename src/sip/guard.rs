//! Who may talk to the endpoint at all, decided on the datagram's source before a byte is parsed.
//!
//! A datagram from an address that no trunk names is dropped without an answer: an answer would tell a scanner that
//! something is here. Addresses are of two kinds: those an installer allowed (INVITEs are taken from them), and
//! resolved registrars, whose INVITEs must also carry the box's random Contact user, because the source address of
//! a datagram can be forged. What passes is metered per source and in all.

use super::dialog::Dialog;
use crate::{config::Cidr, time::Instant};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// Largest datagram looked at, in bytes: whatever UDP can carry.
pub const MAX_DATAGRAM_BYTES: usize = 65_535;
/// Datagrams in a row that one unwanted kind of traffic may cost before it is ignored.
pub const UNWANTED_BURST: u32 = 50;
/// Sustained unwanted datagrams per second that are still answered, per source.
pub const UNWANTED_PER_S: u32 = 20;
/// Sources that are metered at a time; the oldest entry gives way.
pub const MAX_METERED: usize = 64;
/// User-Agent prefixes of well-known scanners; they are never answered.
const SCANNERS: [&str; 7] =
    ["friendly-scanner", "sipvicious", "sundayddr", "sipcli", "vaxsipuseragent", "pplsip", "sip-scan"];

/// What the source address earns a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An address that an installer allowed for this trunk (index in the settings).
    Allowed(usize),
    /// The resolved registrar of this trunk, or the peer that its calls go to: trusted for answers, and for calls to our Contact.
    Registrar(usize),
}

/// The source allow-list and the meter of unwanted traffic.
#[derive(Debug)]
pub struct Guard {
    allowed: Vec<(Cidr, usize)>,
    registrars: Vec<(SocketAddr, usize)>,
    buckets: BTreeMap<IpAddr, Bucket>,
}

/// Tokens in thousandths; one datagram costs 1,000.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    millitokens: u32,
    filled_at: Instant,
}

impl Guard {
    /// An allow-list of blocks and registrars, each with the index of its trunk; the first match counts.
    #[must_use]
    pub const fn new(allowed: Vec<(Cidr, usize)>, registrars: Vec<(SocketAddr, usize)>) -> Self {
        Self { allowed, registrars, buckets: BTreeMap::new() }
    }

    /// Which trunk a datagram of `len` bytes from `source` belongs to; `None` drops it silently.
    #[must_use]
    pub fn admit(&self, source: SocketAddr, len: usize) -> Option<Source> {
        if len > MAX_DATAGRAM_BYTES {
            return None;
        }
        let ip = source.ip().to_canonical();
        let allowed = self.allowed.iter().find(|(block, _)| block.contains(ip));
        let registrar = || self.registrars.iter().find(|(address, _)| address.ip().to_canonical() == ip);
        match allowed {
            Some((_, trunk)) => Some(Source::Allowed(*trunk)),
            None => registrar().map(|(_, trunk)| Source::Registrar(*trunk)),
        }
    }

    /// Where a request in `dialog` goes. Only a named source is sent to: a forged Contact must not aim our requests at
    /// a stranger, and a name in it cannot be resolved here; where the peer's last request came from, it is.
    #[must_use]
    pub fn hop(&self, dialog: &Dialog) -> SocketAddr {
        dialog.next_hop().filter(|to| self.admit(*to, 0).is_some()).unwrap_or(dialog.source)
    }

    /// Whether one more unwanted datagram from `source` may still be answered.
    pub fn may_answer_unwanted(&mut self, source: SocketAddr, now: Instant) -> bool {
        let ip = source.ip().to_canonical();
        if self.buckets.len() >= MAX_METERED && !self.buckets.contains_key(&ip) {
            let oldest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.filled_at).map(|(ip, _)| *ip);
            oldest.and_then(|ip| self.buckets.remove(&ip));
        }
        let full = Bucket { millitokens: UNWANTED_BURST * 1_000, filled_at: now };
        self.buckets.entry(ip).or_insert(full).take(now)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let gained = now.ms_since(self.filled_at).saturating_mul(u64::from(UNWANTED_PER_S));
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        self.millitokens = self.millitokens.saturating_add(gained).min(UNWANTED_BURST * 1_000);
        self.filled_at = now;
        let Some(left) = self.millitokens.checked_sub(1_000) else { return false };
        self.millitokens = left;
        true
    }
}

/// Whether a User-Agent is a well-known scanner's.
#[must_use]
pub fn is_scanner(user_agent: &str) -> bool {
    let user_agent = user_agent.to_ascii_lowercase();
    SCANNERS.iter().any(|name| user_agent.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_named_sources_are_admitted() {
        let guard = Guard::new(
            vec![("127.0.0.0/8".parse().unwrap(), 0)],
            vec![(at("203.0.113.4:5060"), 1), (at("127.0.0.9:5060"), 1)],
        );
        assert_eq!(guard.admit(at("127.0.0.9:33333"), 10), Some(Source::Allowed(0)));
        assert_eq!(guard.admit(at("203.0.113.4:9"), 10), Some(Source::Registrar(1)));
        assert_eq!(guard.admit(at("[::ffff:203.0.113.4]:9"), 10), Some(Source::Registrar(1)));
        assert_eq!(guard.admit(at("203.0.113.5:5060"), 10), None);
        assert_eq!(guard.admit(at("127.0.0.1:5060"), MAX_DATAGRAM_BYTES + 1), None);
    }

    #[test]
    fn unwanted_traffic_is_answered_in_a_burst_and_then_at_the_rate() {
        let mut guard = Guard::new(vec![], vec![]);
        let source = at("127.0.0.1:5060");
        let answered = (0..100).filter(|_| guard.may_answer_unwanted(source, Instant::ZERO)).count();
        assert_eq!(answered, 50);
        let later = (1..=1_000).filter(|ms| guard.may_answer_unwanted(source, Instant::ZERO.after_ms(*ms)));
        assert_eq!(later.count(), 20);
        for last in 0..=255 {
            guard.may_answer_unwanted(SocketAddr::from(([10, 0, 0, last], 1)), Instant::ZERO);
        }
        assert_eq!(guard.buckets.len(), MAX_METERED);
    }

    #[test]
    fn scanners_are_known_by_name() {
        assert!(
            is_scanner("friendly-scanner") && is_scanner("SIPVicious 0.3") && !is_scanner("Asterisk PBX 20")
        );
    }
}
