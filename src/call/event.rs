//! What happens to a call, and what a call wants done.

use super::bubble::Bubble;
use crate::{
    audio::{fax::FaxTone, sound_report::SoundReport},
    id::PortId,
    record::{CallRecord, LegKind},
    rtp::{quality::Quality, session::Trunk},
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The office can see the bubble.
    BubbleShown,
    /// The first ring burst began on a port.
    RingBegan(PortId),
    /// Caller ID went out on a port.
    CallerIdSent(PortId),
    /// A handset was lifted, or a flash of its hook took the call that waited.
    OffHook(PortId),
    /// The office line is off hook.
    LineSeized(PortId),
    /// The far end of the office line answered.
    LineAnswered(PortId, Evidence),
    /// The office line could not be used.
    LineRefused(PortId, LineFault),
    /// The exchange has opened the loop of the line: the far end hung up, or the cable is out.
    LineOpened(PortId),
    /// The battery of a line that had opened is back.
    LineFree(PortId),
    /// It is not: the cable is out.
    LineDead(PortId),
    /// An emergency call takes the port away.
    Taken(PortId),
    /// The caller has heard why this port was taken.
    ReasonSaid(PortId),
    /// The phone talks to somebody else for a while; [`Self::OffHook`] when it is back.
    Parked,
    /// Two people have been heard, each for some seconds.
    TwoWay,
    /// The answering handset was hung up, or the far end of the line; of a line that was dialled on: it is busy.
    OnHook(PortId),
    /// A port failed.
    PortLost(PortId),
    /// The caller gave up while it rang.
    Cancelled,
    /// The trunk side is gone; [`TrunkEnd`] tells how.
    TrunkEnded(TrunkEnd),
    /// The trunk side's media is settled, or changed.
    Media(Trunk),
    /// The first audio of the caller was accepted.
    AudioStarted,
    /// The recording notice was heard to its end by both.
    NoticePlayed,
    /// Somebody wants what is said now kept out of the recording.
    PauseAsked,
    /// Somebody wants it recorded again.
    ResumeAsked,
    /// This leg is silent although the other one talks; `None`: both are heard again.
    OneWay(Option<LegKind>),
    /// A fax or a modem was heard.
    Fax(FaxTone),
    /// The patch is gone.
    Unpatched {
        /// How the audio came through.
        quality: Quality,
        /// How both legs sounded.
        sound: SoundReport,
        /// Milliseconds of the line's time that are to be in the recording; 0 without one.
        recorded_ms: u64,
    },
    /// The first journal entry is durable, this many ms after the INVITE.
    Journaled(u64),
    /// The daemon stops.
    Stopped,
    /// A deadline passed.
    Deadline,
}

/// What shows that somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A handset went off hook.
    OffHook,
    /// The exchange reversed the line.
    Polarity,
    /// A voice was heard.
    Voice,
    /// Nothing spoke against it for long enough.
    Assumed,
}

impl Evidence {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OffHook => "off_hook",
            Self::Polarity => "polarity",
            Self::Voice => "voice",
            Self::Assumed => "assumed",
        }
    }
}

/// Why a port cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Its chip failed.
    Broken,
    /// The line has no battery.
    Dead,
    /// Another phone on the line is off hook.
    InUse,
    /// Somebody called on it in the same moment.
    Glare,
    /// No dial tone came.
    NoDialTone,
    /// The forwarding number is busy, or the network is.
    FarEndBusy,
    /// An emergency call took it.
    Taken,
}

impl LineFault {
    /// Its name in records.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Broken => "line_fault",
            Self::Dead => "line_dead",
            Self::InUse => "line_in_use",
            Self::Glare => "glare",
            Self::NoDialTone => "no_dial_tone",
            Self::FarEndBusy => "forwarding_number_busy",
            Self::Taken => "taken_for_emergency",
        }
    }

    /// Whether the caller may find the line free a little later.
    #[must_use]
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::InUse | Self::Glare | Self::FarEndBusy)
    }

    /// What the trunk is answered: 486 lets it roll over.
    #[must_use]
    pub const fn sip_status(self) -> u16 {
        if self.is_busy() { 486 } else { 480 }
    }
}

/// How the trunk side ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkEnd {
    /// The caller hung up.
    HungUp,
    /// Our 200 was never acknowledged.
    NeverAcked,
    /// The session timer ran out, or our requests are not answered.
    Lost,
}

/// What a call wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Tell the trunk that it rings (180).
    Ringing,
    /// Answer the trunk (200).
    Answer,
    /// Refuse the trunk's INVITE.
    Reject {
        /// SIP status.
        status: u16,
    },
    /// End the trunk's dialog (BYE).
    HangUp,
    /// Ring a phone.
    Ring(PortId),
    /// Stop ringing a phone.
    StopRing(PortId),
    /// Tell an off-hook phone that the far end is gone (CPC, reorder).
    Release(PortId),
    /// Join a port with the trunk; with a recording if the site records.
    Patch {
        /// The line side.
        port: PortId,
        /// The trunk side.
        trunk: Trunk,
        /// Whether to record.
        record: bool,
    },
    /// Change the trunk side of the patch.
    Change(Trunk),
    /// Keep what is said out of the recording, what is still on its way there included.
    Pause,
    /// Record again.
    Resume,
    /// Take the patch off its port; the trunk's side and the recording go on in silence.
    Park,
    /// Put it on a port again.
    Unpark(PortId),
    /// Tell the caller that an emergency call needs the line.
    SayTaken(PortId),
    /// Part the two sides.
    Unpatch,
    /// Show the bubble.
    Show(Box<Bubble>),
    /// Journal the call's first entry.
    JournalRinging(Box<CallRecord>),
    /// Journal that it was answered.
    JournalAnswered(Box<CallRecord>),
    /// Save the final record.
    Save(Box<CallRecord>),
}
