//! How a call's audio came through, as its record keeps it.

use super::{
    emodel::{Path, Robustness},
    report::FarEnd,
};

/// One call's audio from the trunk, at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// RTP packets accepted, the late ones included, second copies not.
    pub packets: u64,
    /// RTP packets that never came or came too late.
    pub lost: u64,
    /// Of these, the ones that came too late.
    pub late: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Interarrival jitter that 95 of 100 packets did not exceed, in ms.
    pub jitter_p95_ms: Option<u32>,
    /// Mean round trip to the far end, in ms.
    pub round_trip_ms: Option<u32>,
    /// Estimated conversational quality in hundredths of a mean opinion score, 100 to 450; `None` without audio.
    pub mos_cq_hundredths: Option<u16>,
    /// What the far end said last about what we sent.
    pub far_end: Option<FarEnd>,
}

/// Where the packets of a call were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Packets that came, the late ones included.
    pub packets: u64,
    /// Packets that never came or came too late.
    pub lost: u64,
    /// Of these, the ones that came too late.
    pub late: u64,
    /// Runs of packets that never came.
    pub runs: u64,
}

impl Loss {
    /// Packets that should have been played.
    const fn expected(self) -> u64 {
        self.packets + self.lost.saturating_sub(self.late)
    }

    /// Lost and late packets of 100.
    fn percent(self) -> f64 {
        if self.expected() == 0 { 0.0 } else { 100.0 * self.lost as f64 / self.expected() as f64 }
    }

    /// Mean length of a run of loss, divided by that of random loss of the same rate (G.107 7.5). A late packet is a
    /// run of its own: lateness strikes by ones.
    fn burst_ratio(self) -> f64 {
        let runs = self.runs + self.late;
        if runs == 0 {
            return 1.0;
        }
        let mean = self.lost as f64 / runs as f64;
        (mean * (1.0 - self.percent() / 100.0)).max(1.0)
    }
}

/// Estimated quality in hundredths of a mean opinion score; `None` if nothing was heard.
///
/// `delay_ms` is what packets and box add one way; without RTCP the network's own delay is not known and not counted.
#[must_use]
pub fn mos_cq_hundredths(
    loss: Loss,
    delay_ms: u32,
    round_trip_ms: Option<u32>,
    robustness: Robustness,
) -> Option<u16> {
    let path = Path {
        delay_ms: f64::from(delay_ms) + f64::from(round_trip_ms.unwrap_or(0)) / 2.0,
        loss_percent: loss.percent(),
        burst_ratio: loss.burst_ratio(),
        robustness,
    };
    (loss.packets > 0).then(|| (path.mos_cq() * 100.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Loss = Loss { packets: 1_000, lost: 0, late: 0, runs: 0 };

    fn mos(loss: Loss, round_trip_ms: Option<u32>) -> u16 {
        mos_cq_hundredths(loss, 80, round_trip_ms, Robustness::G711_CONCEALED).unwrap()
    }

    #[test]
    fn a_clean_call_is_very_good_and_silence_has_no_score() {
        assert!((435..=441).contains(&mos(CLEAN, None)), "{}", mos(CLEAN, None));
        assert_eq!(mos_cq_hundredths(Loss::default(), 80, None, Robustness::G711_CONCEALED), None);
    }

    #[test]
    fn late_packets_count_as_lost_and_bursts_weigh_more() {
        let random = Loss { packets: 950, lost: 50, late: 0, runs: 50 };
        let late = Loss { packets: 1_000, lost: 50, late: 50, runs: 0 };
        assert_eq!((random.percent(), late.percent()), (5.0, 5.0));
        assert_eq!(mos(random, None), mos(late, None));
        let mixed = Loss { packets: 1_000, lost: 60, late: 50, runs: 10 };
        assert!((mixed.burst_ratio() - 1.0).abs() < 1e-9, "late packets are runs of their own");
        let bursts = Loss { runs: 10, ..random };
        assert!((bursts.burst_ratio() - 4.75).abs() < 1e-9);
        assert!(mos(bursts, None) < mos(random, None) && mos(random, None) < mos(CLEAN, None));
    }

    #[test]
    fn a_long_way_costs_quality() {
        assert!(mos(CLEAN, Some(600)) + 50 < mos(CLEAN, Some(20)));
    }
}
