//! The states of an office line and what they carry.

use super::{Dial, answer::Answer, dial::Part, supervision::Supervision};
use crate::{
    audio::caller_id::{Received, dtmf::Collector},
    status::LineState,
    time::Instant,
};
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(super) enum State {
    Down,
    /// The chip is up and has not looked at the battery for long enough.
    Waking {
        until: Instant,
    },
    /// `back`: battery came back, and is there to stay from then on.
    NoBattery {
        back: Option<Instant>,
    },
    Idle,
    /// On hook, and the exchange has announced a call.
    Announced(Box<Announced>),
    Ringing(Box<Ringing>),
    /// Off hook for a call that comes in, not settled yet.
    Answering {
        until: Instant,
    },
    /// Off hook with a caller instead of dial tone; nobody has taken the call yet.
    Caught(Caught),
    /// Off hook for a call that goes out, not settled yet.
    Seizing {
        dial: Dial,
        until: Instant,
    },
    AwaitingDialTone(Box<Waiting>),
    Dialling(Box<DiallingNow>),
    Proceeding(Box<Proceeding>),
    Talking(Box<Supervision>),
    Releasing(Releasing),
}

/// The exchange announced a call by a reversal; its data comes next.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced {
    pub(super) until: Instant,
    pub(super) caller_id: Option<Received>,
    pub(super) keys: Collector,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ringing {
    /// When the caller has given up; none during a burst.
    pub(super) over: Option<Instant>,
    pub(super) has_caller_id: bool,
    pub(super) keys: Collector,
}

#[derive(Clone, Debug)]
pub(super) struct Caught {
    pub(super) until: Instant,
    /// Once the loop has settled.
    pub(super) supervision: Option<Box<Supervision>>,
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) dial: Dial,
    pub(super) supervision: Supervision,
    /// Whether dial tone was heard.
    pub(super) has_tone: bool,
    pub(super) until: Instant,
}

#[derive(Clone, Debug)]
pub(super) struct DiallingNow {
    pub(super) supervision: Supervision,
    pub(super) rest: VecDeque<Part>,
    /// When the keys that are sent are out; none while the chip pulses.
    pub(super) sent: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(super) struct Proceeding {
    pub(super) supervision: Supervision,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug)]
pub(super) struct Releasing {
    pub(super) since: Instant,
    /// Until then the loop stays open.
    pub(super) until: Instant,
    /// The call ended with a dead loop that is not explained yet.
    pub(super) is_cpc: bool,
    pub(super) then: Option<Dial>,
}

impl State {
    /// What every screen calls it.
    pub(super) const fn shown(&self) -> LineState {
        match self {
            Self::Down | Self::Waking { .. } | Self::NoBattery { .. } => LineState::Down,
            Self::Idle => LineState::Idle,
            Self::Announced(_) | Self::Ringing(_) | Self::Caught(_) => LineState::Ringing,
            Self::Seizing { .. } | Self::AwaitingDialTone(_) | Self::Dialling(_) => LineState::Seized,
            Self::Answering { .. } | Self::Proceeding(_) | Self::Talking(_) => LineState::Talking,
            Self::Releasing(_) => LineState::Releasing,
        }
    }

    /// Whether the line is, or is ordered to be, off hook.
    pub(super) const fn is_off_hook(&self) -> bool {
        match self {
            Self::Answering { .. }
            | Self::Caught(_)
            | Self::Seizing { .. }
            | Self::AwaitingDialTone(_)
            | Self::Dialling(_)
            | Self::Proceeding(_)
            | Self::Talking(_) => true,
            Self::Down
            | Self::Waking { .. }
            | Self::NoBattery { .. }
            | Self::Idle
            | Self::Announced(_)
            | Self::Ringing(_)
            | Self::Releasing(_) => false,
        }
    }

    /// The watch over the call, once the line is off hook and settled.
    pub(super) fn supervision(&mut self) -> Option<&mut Supervision> {
        match self {
            Self::Caught(caught) => caught.supervision.as_deref_mut(),
            Self::AwaitingDialTone(waiting) => Some(&mut waiting.supervision),
            Self::Dialling(dialling) => Some(&mut dialling.supervision),
            Self::Proceeding(proceeding) => Some(&mut proceeding.supervision),
            Self::Talking(supervision) => Some(supervision),
            Self::Down
            | Self::Waking { .. }
            | Self::NoBattery { .. }
            | Self::Idle
            | Self::Announced(_)
            | Self::Ringing(_)
            | Self::Answering { .. }
            | Self::Seizing { .. }
            | Self::Releasing(_) => None,
        }
    }
}
