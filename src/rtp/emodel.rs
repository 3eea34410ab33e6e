//! What a call sounds like to its two people, by the E-model (ITU-T G.107, with the codec figures of G.113 Appendix I).
//!
//! Everything that the box cannot know (loudness, noise in the room, echo at the far side) has the default value of G.107
//! Table 2; what is left is delay and loss.
//!
//! ```text
//!  R = Ro - Is - Id(delay) - Ie,eff(codec, loss) + 0        MOS-CQ = f(R)
//! ```

/// Ro at the defaults: 15 - 1.5 (SLR + No) with SLR 8 dB and No -61.18 dBm0p (G.107 7.2).
const BASIC_SIGNAL_TO_NOISE: f64 = 94.769;
/// Is at the defaults: loudness 0.44, quantisation of one codec pair 0.97 (G.107 7.3).
const SIMULTANEOUS_IMPAIRMENT: f64 = 1.413;
/// No + RLR terms of talker echo: Roe = -1.5 (No - RLR), RLR 2 dB (G.107 7.4).
const ECHO_SIGNAL_TO_NOISE: f64 = 94.769;
/// Talker echo loudness rating in dB: a far side without audible echo.
const TELR_DB: f64 = 65.0;
/// Weighted echo path loss in dB around the listener's loop.
const WEPL_DB: f64 = 110.0;

/// How a codec bears loss (G.113 Appendix I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Robustness {
    /// Equipment impairment without loss, Ie.
    pub impairment: f64,
    /// Packet-loss robustness, Bpl.
    pub loss_robustness: f64,
}

impl Robustness {
    /// G.711 with lost packets concealed (G.711 Appendix I).
    pub const G711_CONCEALED: Self = Self { impairment: 0.0, loss_robustness: 25.1 };
    /// G.711 with silence for lost packets.
    pub const G711_SILENCED: Self = Self { impairment: 0.0, loss_robustness: 4.3 };
}

/// What the packets of one direction went through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// From mouth to ear, one way, in ms.
    pub delay_ms: f64,
    /// Packets that could not be played, 0 to 100 percent.
    pub loss_percent: f64,
    /// Mean length of runs of loss, divided by that of random loss of the same rate; 1 or more (G.107 7.5).
    pub burst_ratio: f64,
    /// The codec.
    pub robustness: Robustness,
}

impl Path {
    /// Transmission rating factor R, up to 93.2 with the defaults.
    #[must_use]
    pub fn rating(&self) -> f64 {
        BASIC_SIGNAL_TO_NOISE
            - SIMULTANEOUS_IMPAIRMENT
            - delay_impairment(self.delay_ms)
            - self.loss_impairment()
    }

    /// Estimated mean opinion score of conversational quality, 1 to 4.5.
    #[must_use]
    pub fn mos_cq(&self) -> f64 {
        mos(self.rating())
    }

    /// Ie,eff (G.107 7.5).
    fn loss_impairment(&self) -> f64 {
        let Robustness { impairment, loss_robustness } = self.robustness;
        let loss = self.loss_percent.clamp(0.0, 100.0);
        impairment + (95.0 - impairment) * loss / (loss / self.burst_ratio.max(1.0) + loss_robustness)
    }
}

/// The mean opinion score of a rating (G.107 Annex B).
#[must_use]
pub fn mos(rating: f64) -> f64 {
    match rating {
        low if low <= 0.0 => 1.0,
        high if high >= 100.0 => 4.5,
        // The polynomial dips below 1 at its low end.
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

/// Id = Idte + Idle + Idd for the same delay both ways (G.107 7.4).
fn delay_impairment(delay_ms: f64) -> f64 {
    let delay = delay_ms.max(0.0);
    talker_echo(delay) + listener_echo(2.0 * delay) + long_delay(delay)
}

fn talker_echo(delay: f64) -> f64 {
    let masked = 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10();
    let perceived = TELR_DB - masked + 6.0 * (-0.3 * delay * delay).exp();
    let echo = 80.0 + 2.5 * (perceived - 14.0);
    let half = (ECHO_SIGNAL_TO_NOISE - echo) / 2.0;
    (half + half.hypot(10.0) - 1.0) * (1.0 - (-delay).exp())
}

fn listener_echo(round_trip: f64) -> f64 {
    let echo = 10.5 * (WEPL_DB + 7.0) * (round_trip + 1.0).powf(-0.25);
    let half = (BASIC_SIGNAL_TO_NOISE - echo) / 2.0;
    half + half.hypot(13.0)
}

/// Idd: too long for a conversation even without echo.
fn long_delay(delay: f64) -> f64 {
    if delay <= 100.0 {
        return 0.0;
    }
    let octaves = (delay / 100.0).log2();
    let bend = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (bend(octaves) - 3.0 * bend(octaves / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Path =
        Path { delay_ms: 0.0, loss_percent: 0.0, burst_ratio: 1.0, robustness: Robustness::G711_CONCEALED };

    fn is_near(value: f64, wanted: f64, by: f64) {
        assert!((value - wanted).abs() <= by, "{value} instead of {wanted}");
    }

    /// G.107 Table 2 and 7.7: all defaults give R = 93.2, which Annex B makes a MOS of 4.41.
    #[test]
    fn the_defaults_rate_93_2_and_4_41() {
        is_near(CLEAN.rating(), 93.2, 0.05);
        is_near(CLEAN.mos_cq(), 4.41, 0.005);
    }

    /// The constants from the formulas of G.107 7.2 and 7.3 with the defaults of Table 2.
    #[test]
    fn the_constants_are_those_of_the_defaults() {
        let (slr, rlr, ds, dr, ps, pr, stmr) =
            (8.0_f64, 2.0_f64, 3.0_f64, 3.0_f64, 35.0_f64, 35.0_f64, 15.0_f64);
        let level = |db: f64| 10_f64.powf(db / 10.0);
        let room_at_sender = ps - slr - ds - 100.0 + 0.004 * (ps - (slr + rlr) - ds - 14.0).powi(2);
        let effective = pr + 10.0 * (1.0 + level(10.0 - (stmr + dr))).log10();
        let room_at_receiver = rlr - 121.0 + effective + 0.008 * (effective - 35.0).powi(2);
        let noise = 10.0
            * (level(-70.0) + level(room_at_sender) + level(room_at_receiver) + level(-64.0 + rlr)).log10();
        is_near(15.0 - 1.5 * (slr + noise), BASIC_SIGNAL_TO_NOISE, 0.001);
        is_near(-1.5 * (noise - rlr), ECHO_SIGNAL_TO_NOISE, 0.001);
        let loudness = slr + rlr + 0.2 * (64.0 + noise - rlr);
        let loud = 20.0 * ((1.0 + (loudness / 8.0).powi(8)).powf(0.125) - loudness / 8.0);
        let quantised = 1.07 + 0.258 * 37.0 + 0.0602 * 37.0 * 37.0;
        let (y, z) = (
            (BASIC_SIGNAL_TO_NOISE - 100.0) / 15.0 + 46.0 / 8.4 - quantised / 9.0,
            46.0 / 30.0 - quantised / 40.0,
        );
        let distortion = 15.0 * (1.0 + 10_f64.powf(y) + 10_f64.powf(z)).log10();
        is_near(loud + distortion, SIMULTANEOUS_IMPAIRMENT, 0.005);
    }

    /// G.107 Annex B, Table B.1.
    #[test]
    fn scores_are_those_of_annex_b() {
        for (rating, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            // The table is rounded up at 80.
            is_near(mos(rating), score, 0.0065);
        }
        assert_eq!((mos(-3.0), mos(3.0), mos(100.0)), (1.0, 1.0, 4.5));
    }

    /// Ie,eff = (95 - Ie) Ppl / (Ppl / BurstR + Bpl) with the Bpl of G.113 Appendix I.
    #[test]
    fn loss_costs_more_without_concealment_and_more_in_bursts() {
        let lossy = Path { loss_percent: 5.0, ..CLEAN };
        is_near(CLEAN.rating() - lossy.rating(), 95.0 * 5.0 / 30.1, 1e-9);
        let silenced = Path { robustness: Robustness::G711_SILENCED, ..lossy };
        is_near(CLEAN.rating() - silenced.rating(), 95.0 * 5.0 / 9.3, 1e-9);
        let in_bursts = Path { burst_ratio: 2.0, ..lossy };
        is_near(CLEAN.rating() - in_bursts.rating(), 95.0 * 5.0 / 27.6, 1e-9);
    }

    #[test]
    fn delay_costs_little_to_150_ms_and_much_at_400() {
        let at = |delay_ms| CLEAN.rating() - Path { delay_ms, ..CLEAN }.rating();
        assert!(at(100.0) < 3.0 && at(150.0) < 5.0, "{} {}", at(100.0), at(150.0));
        // 25 ((1 + 2^6)^(1/6) - 3 (1 + (2/3)^6)^(1/6) + 2) = 24.1 of long delay alone.
        is_near(long_delay(400.0), 24.1, 0.3);
        is_near(long_delay(200.0), 3.04, 0.01);
        // Rle = 10.5 * 117 = 1228.5 without delay: 169 / 2 / 566.9.
        is_near(listener_echo(0.0), 0.149, 0.0005);
        assert!(at(400.0) > 20.0);
    }
}
