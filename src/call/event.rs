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
    /// A handset was lifted.
    OffHook(PortId),
    /// The answering handset was hung up.
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
