//! Calls over the networks of [`super::network`]: two people who take turns, 60,000 packets.

use super::{
    call,
    network::{self, Network},
    random::Random,
};

/// Depths of the fixed buffers beside ours, in ms.
const FIXED_MS: [f64; 3] = [40.0, 60.0, 100.0];
/// Mean length of a talkspurt and of a pause in ms (ITU-T P.59 table 1).
const TALK_MS: f64 = 1_004.0;
const PAUSE_MS: f64 = 1_587.0;

/// What became of one call.
pub(crate) struct Trace {
    pub(crate) late_percent: f64,
    pub(crate) dropped_percent: f64,
    pub(crate) mean_buffer_ms: f64,
    pub(crate) corrections: f64,
    pub(crate) in_silence_percent: f64,
    pub(crate) fixed_late_percent: [f64; 3],
}

/// The first `packets` packets of a call over `network`.
pub(crate) fn run(network: &Network, packets: usize) -> Trace {
    let delays = network.delays_ms(packets);
    let arrivals = call::stream(&talk(packets * call::PACKET), |n| Some(delays[n]));
    let (_, counters) = call::hear(arrivals);
    assert_eq!(counters.packets, packets as u64, "every packet arrives");
    let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    Trace {
        late_percent: share(counters.late + counters.awaited, counters.packets),
        dropped_percent: share(counters.late, counters.packets),
        mean_buffer_ms: f64::from(counters.mean_depth_samples) / 8.0,
        corrections: counters.corrections as f64,
        in_silence_percent: share(counters.corrections_in_silence, counters.corrections),
        fixed_late_percent: FIXED_MS.map(|most| network::late_percent(&delays, most)),
    }
}

/// A voice of 120 Hz that talks and pauses, over a background of −60 dBm0.
fn talk(samples: usize) -> Vec<i16> {
    let mut random = Random(7);
    let (mut talks, mut left, mut phase) = (false, 0.0, 0.0_f64);
    (0..samples)
        .map(|_| {
            if left <= 0.0 {
                talks = !talks;
                left = -8.0 * if talks { TALK_MS } else { PAUSE_MS } * random.unit().ln();
            }
            left -= 1.0;
            phase = (phase + 120.0 / 8_000.0).fract();
            let hiss = 40.0 * (random.unit() - 0.5);
            let voice = if talks { 8_000.0 * (-12.0 * phase).exp() - 600.0 } else { 0.0 };
            (voice + hiss) as i16
        })
        .collect()
}
