//! What a line gets that is still off hook after its call has ended, or that was refused one: step by step, down to the
//! howler.

use super::plan::Profile;

/// Silence between a disconnect that is not heard and the tones for a handset that lies beside its phone.
const UNRELEASED_SILENCE_MS: u64 = 2_000;
/// Silence before dial tone comes back.
const BEFORE_DIAL_TONE_MS: u64 = 1_000;
/// Time for each tone; then the exchange tries a stronger one.
const TONE_MS: u64 = 30_000;
/// Time for the howler; then the line is left alone.
const HOWLER_MS: u64 = 60_000;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No battery.
    Open,
    /// TIP and RING change places; nothing is heard.
    Turn,
    Silence,
    Busy,
    Reorder,
    SpecialInformation,
    Howler,
    /// Dial tone; the line is as if it had just been seized. The last step.
    DialTone,
}

/// Steps under way.
#[derive(Clone, Debug)]
pub(super) struct Treatment {
    steps: Vec<(Step, u64)>,
    /// When the current step began.
    since_ms: u64,
}

impl Treatment {
    /// After the far end has hung up.
    pub(super) fn of_profile(profile: Profile, now_ms: u64) -> Self {
        let unheard = |step, ms| {
            let behind = [(Step::Silence, UNRELEASED_SILENCE_MS), (Step::Reorder, TONE_MS)];
            std::iter::once((step, ms)).chain(behind).collect()
        };
        let mut steps: Vec<_> = match profile {
            Profile::Cpc { open_ms } => unheard(Step::Open, open_ms),
            Profile::Polarity => unheard(Step::Turn, 0),
            Profile::Busy => vec![(Step::Busy, TONE_MS)],
            Profile::Reorder => vec![(Step::Reorder, TONE_MS)],
            Profile::DialTone => vec![(Step::Silence, BEFORE_DIAL_TONE_MS), (Step::DialTone, 0)],
            Profile::None => vec![(Step::Silence, 0)],
        };
        if !matches!(profile, Profile::DialTone | Profile::None) {
            steps.push((Step::Howler, HOWLER_MS));
        }
        Self { steps, since_ms: now_ms }
    }

    /// A call that is refused with a tone.
    pub(super) fn refusal(tone: Step, now_ms: u64) -> Self {
        Self { steps: vec![(tone, TONE_MS), (Step::Howler, HOWLER_MS)], since_ms: now_ms }
    }

    /// The step of now.
    pub(super) fn step(&self) -> Step {
        self.steps.first().map_or(Step::Silence, |&(step, _)| step)
    }

    /// Goes on; the next step if its time has come. Without further steps there is silence for ever.
    pub(super) fn advance(&mut self, now_ms: u64) -> Option<Step> {
        let &(_, ms) = self.steps.first()?;
        if now_ms < self.since_ms + ms {
            return None;
        }
        self.steps.remove(0);
        self.since_ms = now_ms;
        Some(self.step())
    }
}
