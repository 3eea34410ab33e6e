//! The demo's scenario: what goes on in a morning at an office with two phones and an office line.
//!
//! A morning is made of scenes, one for each call; a scene of steps. A step is a call over the trunk, or something that
//! is done to phones and lines; either says what must come of it.

mod morning;
mod on_the_line;

pub use morning::office_morning;

use super::{
    exchange::LineSnapshot,
    observe::{Audio, Event, PhoneSnapshot},
    provider::{CallPlan, End, Outcome},
    world::World,
};
use crate::{
    record::{CallRecord, Ended, RecordingState},
    status::BoxStatus,
};

/// One call of the scenario, with everything that is done in the course of it.
pub struct Scene {
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// If it is a call that the box passes through untracked, of which kind: `direct`, `dial_out`.
    pub untracked: Option<&'static str>,
}

/// One thing that is done.
pub struct Step {
    /// What happens, for the person who watches.
    pub words: &'static str,
    /// When it is done.
    pub when: When,
    /// What is done.
    pub deed: Deed,
}

/// What is done in a step.
pub enum Deed {
    /// Somebody calls over the trunk.
    Call(Box<TrunkCall>),
    /// Something is done at the office or its exchange.
    Act(Act),
    /// Somebody looks at the box; what there is to be told once it shows what it is to show.
    Look(fn(&BoxStatus) -> Option<String>),
}

/// A call over the trunk.
pub struct TrunkCall {
    /// The call.
    pub plan: CallPlan,
    /// What must become of it.
    pub expected: Expected,
    /// What the box must keep of it.
    pub kept: Kept,
}

/// Something that is done to phones and lines.
pub struct Act {
    /// Does it.
    pub act: Box<dyn Fn(&mut World)>,
    /// What must come of it: `None` while it has not, then what there is to tell.
    pub outcome: fn(&Seen) -> Option<String>,
}

/// When a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Every earlier call has ended, every phone and every line is on hook.
    OfficeIsQuiet,
    /// The last call over the trunk has been answered.
    CallAnswered,
    /// The last call over the trunk rings.
    CallRings,
    /// At once.
    Now,
}

/// What must become of a call over the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Answered, heard, and ended by the caller.
    Conversation,
    /// Answered, heard, and ended by the box.
    CutOff,
    /// Ended by the caller while it rang.
    GivenUp,
    /// Refused after ringing.
    NotAnswered,
    /// Refused with this status, without ringing.
    Refused(u16),
}

impl Expected {
    /// Whether `outcome` is what was expected.
    #[must_use]
    pub fn is_met(self, outcome: &Outcome) -> bool {
        let rang = outcome.rang_after.is_some();
        let heard = || outcome.heard.iter().any(|sample| *sample != 0);
        match self {
            Self::Conversation => outcome.end == Some(End::CallerHungUp) && heard(),
            Self::CutOff => outcome.end == Some(End::CalleeHungUp) && heard(),
            Self::GivenUp => rang && outcome.end == Some(End::Cancelled),
            Self::NotAnswered => rang && matches!(outcome.end, Some(End::Refused(_))),
            Self::Refused(status) => !rang && outcome.end == Some(End::Refused(status)),
        }
    }
}

/// What the box must keep of a call over the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// A record of a call that nobody answered.
    Missed,
    /// A record and a recording; a handset proves the answer.
    AnsweredByPhone,
    /// A record and a recording; what the line showed proves the answer.
    AnsweredOnLine,
    /// The same, and that the line was lost.
    LineLost,
}

impl Kept {
    /// Whether `record` is what must be kept.
    #[must_use]
    pub fn is_met(self, record: &CallRecord) -> bool {
        let recorded = record.recording.state == RecordingState::Closed && record.recording.duration_ms > 0;
        let answered_by =
            |kind: &str| recorded && record.answered_by.as_ref().is_some_and(|by| by.kind == kind);
        let hung_up = record.outcome.ended == Ended::CallerHungUp;
        match self {
            Self::Nothing => false,
            Self::Missed => !record.answered && record.recording.path.is_none(),
            Self::AnsweredByPhone => answered_by("handset") && hung_up,
            Self::AnsweredOnLine => answered_by("line") && hung_up,
            Self::LineLost => answered_by("line") && record.outcome.why.as_deref() == Some("line_lost"),
        }
    }
}

/// What there is to see of a scene.
pub struct Seen {
    /// World clock at which the scene was begun, samples.
    pub scene_began: u64,
    /// World clock at which the step was begun.
    pub step_began: u64,
    /// World clock now.
    pub now: u64,
    /// How many numbers had been dialled on each line when the scene was begun.
    pub dialled: Vec<usize>,
    /// What has happened in the scene.
    pub events: Vec<Event>,
    /// Every phone as it is now.
    pub phones: Vec<PhoneSnapshot>,
    /// Every office line as it is now.
    pub lines: Vec<LineSnapshot>,
}

impl Seen {
    /// What the phone with this place on the board has heard in the scene.
    fn heard(&self, phone: usize) -> &[i16] {
        let Some(Audio { started_at, samples }) = self.phones.get(phone).map(|phone| &phone.heard) else {
            return &[];
        };
        let skip = usize::try_from(self.scene_began.saturating_sub(*started_at)).unwrap_or(samples.len());
        samples.get(skip..).unwrap_or_default()
    }

    /// Numbers that were dialled on a line in the scene.
    fn newly_dialled(&self, line: usize) -> &[String] {
        let before = self.dialled.get(line).copied().unwrap_or_default();
        self.lines.get(line).and_then(|line| line.dialled.get(before..)).unwrap_or_default()
    }
}
