//! Settings of an office line.

use super::{Dialling, Learned, answer, supervision};
use crate::audio::{caller_id::Delivery, tone_plan::TonePlan};

/// What a call that goes out does when the exchange gives no dial tone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutDialTone {
    /// It is dialled nevertheless: private exchanges have tones of their own.
    #[default]
    Dial,
    /// It is refused.
    Refuse,
}

/// Settings of one line.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The exchange's tones, and how it rings.
    pub tones: &'static TonePlan,
    /// How and when it sends caller ID.
    pub caller_id: Delivery,
    /// With what it is dialled.
    pub dialling: Dialling,
    /// How long dial tone is waited for once the loop has settled, in ms: 1,500 to 20,000. The detector needs one
    /// second of it.
    pub dial_tone_wait_ms: u64,
    /// What happens then.
    pub without_dial_tone: WithoutDialTone,
    /// Pause between dial tone and the first digit, in ms, 0 to 5,000.
    pub dial_tone_pause_ms: u64,
    /// How long a flash opens the loop, in ms.
    pub flash_ms: u16,
    /// What makes an answer.
    pub answer: answer::Settings,
    /// What ends a call.
    pub supervision: supervision::Settings,
    /// How long the loop stays open until the exchange has let go, in ms, 500 to 5,000: more than a flash (1 s).
    pub release_ms: u64,
    /// How long the exchange may take to feed the line again after a call, in ms.
    pub battery_back_ms: u64,
    /// How long a parallel phone may be off hook until somebody should look for it, in ms.
    pub held_ms: u64,
    /// What the line has shown before.
    pub learned: Option<Learned>,
}

impl Settings {
    /// Longest silence between a reversal and the first ring, in ms: data of two seconds, and the pauses around it.
    pub(super) const ANNOUNCED_MS: u64 = 6_000;

    /// Usual settings of a country by its ISO 3166-1 alpha-2 code, in any case; `None` for a country without tones.
    #[must_use]
    pub fn for_country(code: &str) -> Option<Self> {
        Some(Self {
            tones: TonePlan::for_country(code)?,
            caller_id: Delivery::for_country(code),
            dialling: Dialling::Tone,
            dial_tone_wait_ms: 5_000,
            without_dial_tone: WithoutDialTone::Dial,
            dial_tone_pause_ms: 100,
            flash_ms: 500,
            answer: answer::Settings::default(),
            supervision: supervision::Settings::default(),
            release_ms: 1_500,
            battery_back_ms: 5_000,
            held_ms: 1_800_000,
            learned: None,
        })
    }

    /// Pause after which a line rings no more, in ms: the longest of the exchange's pauses, and a margin.
    pub(super) fn ring_over_ms(&self) -> u64 {
        let longest =
            self.tones.ring.bursts_ms().iter().map(|&(_, off)| u64::from(off)).max().unwrap_or(4_000);
        longest * 5 / 4 + 500
    }
}
