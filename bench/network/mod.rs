//! Networks as seeded models: how much longer each packet of a stream travels than the quickest possible one.
//!
//! A packet is delayed by jitter (gamma, shape 2) or by what is left of a stall. A stall lets the queue grow and is
//! worked off at one packet time for each packet, so its packets come in a burst; no packet overtakes another. The
//! shapes are set so that the quantiles lie where measured lines of that kind have them; they are models, not
//! recordings.

use super::random::Random;

/// Milliseconds between two packets.
pub(crate) const PACKET_MS: f64 = 20.0;
/// Packets of a trace: 20 minutes.
pub(crate) const PACKETS: usize = 60_000;

/// A kind of network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// Scale of the jitter in ms: its mean is twice this.
    jitter_ms: f64,
    /// Share of packets at which a stall begins.
    stalls: f64,
    stall: Stall,
    seed: u64,
}

/// How long a stall is, in ms.
#[derive(Clone, Copy, Debug)]
enum Stall {
    /// Any length between these alike.
    Between(f64, f64),
    /// Exponential with this mean, cut at the second figure.
    Mean(f64, f64),
}

/// A wired office, a DSL line, a busy WLAN, a mobile network.
pub(crate) const NETWORKS: [Network; 4] = [
    Network { name: "lan", jitter_ms: 0.42, stalls: 0.0, stall: Stall::Between(0.0, 0.0), seed: 101 },
    Network { name: "dsl", jitter_ms: 4.0, stalls: 0.001_1, stall: Stall::Between(40.0, 98.0), seed: 202 },
    Network { name: "wifi", jitter_ms: 1.4, stalls: 0.06, stall: Stall::Mean(25.0, 203.0), seed: 303 },
    Network { name: "lte", jitter_ms: 6.0, stalls: 0.003_2, stall: Stall::Between(100.0, 269.0), seed: 404 },
];

impl Network {
    /// Delay of each of `packets` packets in ms beyond the quickest.
    pub(crate) fn delays_ms(&self, packets: usize) -> Vec<f64> {
        let mut random = Random(self.seed);
        let (mut left, mut before) = (0.0_f64, 0.0_f64);
        (0..packets)
            .map(|_| {
                let jitter = -self.jitter_ms * (random.unit().ln() + random.unit().ln());
                if random.unit() < self.stalls {
                    left = left.max(self.stall.length_ms(random.unit()));
                }
                let delay = jitter.max(left).max(before - PACKET_MS);
                left -= PACKET_MS;
                before = delay;
                delay
            })
            .collect()
    }
}

impl Stall {
    /// The length that the share `unit` of all stalls exceeds.
    fn length_ms(self, unit: f64) -> f64 {
        match self {
            Self::Between(least, most) => most - (most - least) * unit,
            Self::Mean(mean, most) => (-mean * unit.ln()).min(most),
        }
    }
}

/// Share of `delays_ms` above `most`, in percent: what a buffer of that depth loses.
pub(crate) fn late_percent(delays_ms: &[f64], most: f64) -> f64 {
    100.0 * delays_ms.iter().filter(|&&delay| delay > most).count() as f64 / delays_ms.len() as f64
}
