//! How a person at the phone notices having been hung up on: the loop goes dead, or reorder or busy tone is heard.

/// Dead loop that a person (or the phone's own circuit) takes for the end of the call, ms.
const DEAD_LOOP_MS: u16 = 200;
/// Block of the tone detector: 20 ms.
const BLOCK_SAMPLES: u16 = 160;
/// 2·cos(2π·f/8000) of 480 and 620 Hz, both frequencies of reorder and busy tone (ITU-T E.180 supplement 2, North America).
const TONE_COEFFICIENTS: [f32; 2] = [1.859_553, 1.767_531];
/// Blocks of tone, and of pause, that make up a cadence: 0.25 s each for reorder, 0.5 s for busy, with slack.
const CADENCE_BLOCKS: std::ops::RangeInclusive<u16> = 8..=32;
/// Times that tone and pause are heard before a person believes them.
const CADENCES: u8 = 3;
/// Power of a block (per sample, squared) that is audible: about −45 dBm0.
const AUDIBLE: f32 = 8_000.0;

/// Why the person knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUpOn {
    /// No battery for 200 ms: calling party control.
    DeadLoop,
    /// Reorder or busy tone, three times.
    Tone,
}

/// The ear for the end of a call.
#[derive(Clone, Debug, Default)]
pub struct Supervision {
    dead_ms: u16,
    resonators: [[f32; 2]; 2],
    energy: f32,
    samples: u16,
    tone: bool,
    blocks: u16,
    cadences: u8,
}

impl Supervision {
    /// Takes note of the loop once a millisecond.
    pub fn sense(&mut self, volts: f32) -> Option<HungUpOn> {
        self.dead_ms = if volts.abs() < 3.0 { self.dead_ms.saturating_add(1) } else { 0 };
        (self.dead_ms == DEAD_LOOP_MS).then_some(HungUpOn::DeadLoop)
    }

    /// Hears one sample.
    pub fn hear(&mut self, sample: i16) -> Option<HungUpOn> {
        let sample = f32::from(sample);
        for (state, coefficient) in self.resonators.iter_mut().zip(TONE_COEFFICIENTS) {
            let next = sample + coefficient * state[0] - state[1];
            *state = [next, state[0]];
        }
        self.energy += sample * sample;
        self.samples += 1;
        if self.samples < BLOCK_SAMPLES {
            return None;
        }
        let tone = self.block_is_tone();
        (self.resonators, self.energy, self.samples) = Default::default();
        self.follow_cadence(tone)
    }

    fn block_is_tone(&self) -> bool {
        let n = f32::from(BLOCK_SAMPLES);
        if self.energy / n < AUDIBLE {
            return false;
        }
        let mut shares = [0.0; 2];
        for ((share, state), c) in shares.iter_mut().zip(&self.resonators).zip(TONE_COEFFICIENTS) {
            let power = state[0] * state[0] + state[1] * state[1] - c * state[0] * state[1];
            *share = power * 2.0 / n / self.energy;
        }
        shares[0] > 0.25 && shares[1] > 0.25 && shares[0] + shares[1] > 0.8
    }

    fn follow_cadence(&mut self, tone: bool) -> Option<HungUpOn> {
        if tone == self.tone {
            self.blocks = self.blocks.saturating_add(1);
            return None;
        }
        let in_cadence = CADENCE_BLOCKS.contains(&self.blocks);
        // The first pause has no beginning: it may be of any length.
        self.cadences = match (self.tone, in_cadence) {
            (true, true) => self.cadences + 1,
            (true, false) => 0,
            (false, true) => self.cadences,
            (false, false) => 0,
        };
        (self.tone, self.blocks) = (tone, 1);
        (self.cadences == CADENCES).then_some(HungUpOn::Tone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::PI;

    const TONE_HZ: [f32; 2] = [480.0, 620.0];

    fn hear(on_ms: usize, off_ms: usize, hz: [f32; 2]) -> Option<usize> {
        let mut ear = Supervision::default();
        (0..8 * 4000).find_map(|t| {
            let sounding = t / 8 % (on_ms + off_ms) < on_ms;
            let wave = |hz: f32| (2.0 * PI * hz * t as f32 / 8000.0).sin() * 2000.0;
            let sample = if sounding { hz.map(wave).iter().sum::<f32>() as i16 } else { 0 };
            ear.hear(sample).map(|_| t / 8)
        })
    }

    #[test]
    fn reorder_and_busy_are_noticed_after_three_tones() {
        assert!(hear(250, 250, TONE_HZ).is_some_and(|ms| ms < 1700));
        assert!(hear(500, 500, TONE_HZ).is_some_and(|ms| ms < 3000));
    }

    #[test]
    fn ringback_and_dial_tone_are_not() {
        assert_eq!(hear(2000, 4000, [440.0, 480.0]), None);
        assert_eq!(hear(250, 250, [350.0, 440.0]), None);
        assert_eq!(hear(4000, 0, TONE_HZ), None);
    }

    #[test]
    fn a_loop_dead_for_200_ms_is_noticed_once() {
        let mut ear = Supervision::default();
        let noticed: Vec<_> = (0..400).filter(|_| ear.sense(0.0).is_some()).collect();
        assert_eq!(noticed, [199]);
    }
}
