//! Calls that are passed through and never tracked: between a phone of the office and the office line, no record, no
//! recording, nothing but a count.
//!
//! [`Direct`] is a call that somebody placed straight to the office line; [`DialOut`] one that somebody dials on a
//! phone, an emergency call among them; [`Announcement`] is no call, but the box that says its address to a phone. All
//! take the same events and ask for the same commands, so the switchboard need not know which is which.

mod announcement;
mod dial_out;
mod direct;

pub use announcement::{Announcement, Found};
pub use dial_out::{DialOut, Settings};
pub use direct::Direct;

use crate::{
    audio::{dtmf::Key, prompt::Prompt},
    id::PortId,
    rtp::session::Trunk,
    time::Instant,
};

/// One untracked call of this run; not stored anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UntrackedId(pub u32);

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody called the office line.
    Direct,
    /// Somebody dialled on a phone.
    DialOut,
    /// Somebody dialled an emergency number on a phone.
    Emergency,
    /// The box says something; it is no call, and not counted.
    Announcement,
}

/// What happens to an untracked call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A handset was lifted: it rang, or the call was held for it.
    OffHook(PortId),
    /// The handset was hung up.
    OnHook(PortId),
    /// A phone's port failed.
    PhoneLost(PortId),
    /// A key was pressed on the phone that dials.
    Key(Key),
    /// The phone talks to somebody else for a while; [`Self::OffHook`] when it is back.
    Parked,
    /// The caller on the line gave up.
    RingStopped,
    /// The line is off hook.
    LineSeized,
    /// Here is the line that was asked for.
    LineGiven(PortId),
    /// There is no line to give.
    NoLine,
    /// The number was dialled on the line.
    Dialled,
    /// The far end of the line answered.
    LineAnswered,
    /// The line could not be used.
    LineRefused,
    /// The far end hung up.
    LineGone,
    /// The line's port failed, or its cable is out.
    LineLost,
    /// The trunk's side has audio.
    TrunkMedia(Trunk),
    /// The trunk's side is over, or never came about.
    TrunkEnded,
    /// An emergency call needs the line, or the box the phone.
    Taken,
    /// The daemon stops.
    Stopped,
    /// A deadline passed.
    Deadline,
}

/// What an untracked call wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Ring a phone, or announce the call to whoever talks on it.
    Ring(PortId),
    /// Ring it no more.
    StopRing(PortId),
    /// Tell an off-hook phone that the far end is gone (CPC, reorder).
    Release(PortId),
    /// Tell an off-hook phone that what was dialled leads nowhere.
    Reorder(PortId),
    /// Give dial tone to a phone and listen to its keys.
    DialTone(PortId),
    /// End the dial tone.
    Quiet(PortId),
    /// Listen to the phone's keys no more.
    Ignore(PortId),
    /// Say to the phone that the emergency call could not be placed.
    SayUnplaced(PortId),
    /// Say something to the phone, once.
    Say {
        /// The phone.
        phone: PortId,
        /// What.
        prompt: Prompt,
    },
    /// Take the call that rings on the line.
    AnswerLine(PortId),
    /// Find a line for these keys, seize it and dial; an emergency may take it from another call.
    FindLine {
        /// What was dialled.
        keys: Vec<Key>,
        /// Whether it is an emergency number.
        emergency: bool,
    },
    /// Hang the line up.
    HangUpLine(PortId),
    /// Join phone and line.
    Join {
        /// The phone.
        phone: PortId,
        /// The line.
        line: PortId,
    },
    /// Part the phone from whatever it is joined with.
    Part(PortId),
    /// Place the emergency call over the trunk.
    PlaceOnTrunk(Vec<Key>),
    /// Join the phone with the trunk, without a recording, or change the trunk's side.
    PatchTrunk {
        /// The phone.
        phone: PortId,
        /// The trunk's side.
        trunk: Trunk,
    },
    /// Part them.
    UnpatchTrunk,
    /// End the trunk's dialog.
    HangUpTrunk,
    /// Tell everybody that an emergency number was dialled.
    ReportEmergency {
        /// The phone.
        phone: PortId,
        /// What was dialled.
        keys: Vec<Key>,
        /// How it goes out.
        via: Via,
    },
    /// The call is over.
    End {
        /// What it was.
        kind: Kind,
        /// Whether the two sides were ever joined.
        joined: bool,
    },
}

/// How an emergency call goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// On an office line.
    Line(PortId),
    /// Over the trunk: no line works.
    Trunk,
    /// Not at all: a notice tells the person.
    Nothing,
}

/// An untracked call.
#[derive(Debug)]
pub enum Untracked {
    /// Somebody called the office line.
    Direct(Direct),
    /// Somebody dials on a phone.
    DialOut(DialOut),
    /// The box speaks to a phone.
    Announcement(Announcement),
}

impl Untracked {
    /// Takes one event; an event that a state does not expect changes nothing.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match self {
            Self::Direct(call) => call.handle(event, out),
            Self::DialOut(call) => call.handle(event, now, out),
            Self::Announcement(call) => call.handle(event, now, out),
        }
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Direct(_) => None,
            Self::DialOut(call) => call.deadline(),
            Self::Announcement(call) => call.deadline(),
        }
    }

    /// What kind of call it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Direct(_) => Kind::Direct,
            Self::DialOut(call) => call.kind(),
            Self::Announcement(_) => Kind::Announcement,
        }
    }

    /// Whether two people are joined now, so that another call may be announced to the one at the phone; an emergency
    /// call is not disturbed.
    #[must_use]
    pub const fn is_talking(&self) -> bool {
        match self {
            Self::Direct(call) => call.is_talking(),
            Self::DialOut(call) => call.is_talking(),
            Self::Announcement(_) => false,
        }
    }

    /// The phone of the office that has to do with it, if it is only one.
    #[must_use]
    pub const fn phone(&self) -> Option<PortId> {
        match self {
            Self::Direct(call) => call.phone(),
            Self::DialOut(call) => Some(call.phone()),
            Self::Announcement(call) => Some(call.phone()),
        }
    }

    /// Whether it is a call at all: a phone that has only dial tone is not.
    #[must_use]
    pub const fn is_call(&self) -> bool {
        match self {
            Self::Direct(_) => true,
            Self::DialOut(call) => !call.is_dialling(),
            Self::Announcement(_) => false,
        }
    }

    /// Whether it is a phone that has dial tone, and on which no key was pressed.
    #[must_use]
    pub const fn has_dial_tone(&self) -> bool {
        match self {
            Self::DialOut(call) => call.has_dial_tone(),
            Self::Direct(_) | Self::Announcement(_) => false,
        }
    }

    /// Whether it goes on only while nobody calls: a phone that merely rings to be told something is the caller's.
    #[must_use]
    pub const fn yields_to_callers(&self) -> bool {
        match self {
            Self::Announcement(call) => call.is_ringing(),
            Self::Direct(_) | Self::DialOut(_) => false,
        }
    }

    /// The last office line that it has held.
    #[must_use]
    pub const fn line_used(&self) -> Option<PortId> {
        match self {
            Self::Direct(call) => Some(call.line()),
            Self::DialOut(call) => call.line_used(),
            Self::Announcement(_) => None,
        }
    }

    /// The office line that it holds, if it holds one.
    #[must_use]
    pub const fn line(&self) -> Option<PortId> {
        match self {
            Self::Direct(call) => Some(call.line()),
            Self::DialOut(call) => call.line(),
            Self::Announcement(_) => None,
        }
    }
}
