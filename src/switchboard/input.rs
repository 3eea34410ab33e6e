//! What goes into the switchboard and what comes out of it.

use crate::{
    audio::{
        caller_id::{CallerId, Delivery},
        dtmf::Key,
        prompt::Prompt,
        tone::Tone,
    },
    call::{
        bubble::Bubble,
        machine::Settings as CallSettings,
        ring_group::Port,
        untracked::{self, Kind, Via},
    },
    chip::{LineChange, LineOrder, Linefeed, PortChange, si3050::Balance},
    directory::Directory,
    id::{CallId, PortId, RtpPort, Slot},
    line::{
        fxo::{self, Alarm, Learned},
        fxs,
        line_test::Untested,
    },
    media::control as media,
    number::{Dialplan, E164},
    record::ClockState,
    recording::lifecycle as storage,
    sip::event as sip,
    status::Measured,
    time::WallTime,
};
use std::{net::SocketAddr, sync::Arc};

/// Something happened outside.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
pub enum Input<'a> {
    /// A datagram arrived on the SIP socket.
    Sip {
        /// Where it came from.
        source: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The chip of an FXS port reports a change.
    Fxs {
        /// The port.
        port: PortId,
        /// The change.
        change: PortChange,
    },
    /// The chip of an FXO port reports a change.
    Fxo {
        /// The port.
        port: PortId,
        /// The change.
        change: LineChange,
    },
    /// A port tells what it measures.
    Readings {
        /// The port.
        port: PortId,
        /// V between the wires, signed.
        volts: f32,
        /// Loop current, mA; of an FXO port only while it is off hook.
        milliamps: Option<f32>,
    },
    /// Somebody wants a port tested; [`Report::LineTested`] follows.
    TestLine {
        /// The port.
        port: PortId,
        /// How its chip is balanced; without a meaning for an FXS port.
        balance: Balance,
    },
    /// The media thread reports.
    Media(media::Event),
    /// Storage reports.
    Storage(storage::Event),
    /// Somebody wants what is said in a call kept out of its recording, or recorded again.
    PauseRecording(CallId),
    /// See [`Input::PauseRecording`].
    ResumeRecording(CallId),
    /// The office can see this call's bubble.
    BubbleShown(CallId),
    /// Somebody wants the box to say this to a phone.
    Announce(Prompt),
    /// The wall clock was read.
    WallTime(WallTime),
    /// How far it can be trusted.
    ClockState(ClockState),
    /// Numbers and campaigns changed: the calls from now on follow these.
    Directory(Arc<Directory>),
    /// The daemon stops: no new calls, the present ones end.
    Stop,
    /// A deadline passed.
    Deadline,
}

/// Something must be done outside, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send a datagram from the SIP socket.
    Sip {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Feed the loop of an FXS port.
    Fxs {
        /// The port.
        port: PortId,
        /// How.
        feed: Linefeed,
    },
    /// Order the chip of an FXO port.
    Fxo {
        /// The port.
        port: PortId,
        /// What.
        order: LineOrder,
    },
    /// Balance the chip of an FXO port.
    Balance {
        /// The port.
        port: PortId,
        /// How.
        balance: Balance,
    },
    /// Send caller ID on a slot.
    CallerId {
        /// The slot.
        slot: Slot,
        /// What to send.
        id: CallerId,
        /// How.
        delivery: Delivery,
    },
    /// Announce another call to the phone on a slot, in its conversation.
    Announce {
        /// The slot.
        slot: Slot,
        /// Who calls.
        id: CallerId,
    },
    /// Order the media thread.
    Media(media::Command),
    /// Listen to a slot.
    Listen {
        /// The slot.
        slot: Slot,
        /// For what.
        to: Listening,
    },
    /// Dial on a slot.
    Dial {
        /// The slot.
        slot: Slot,
        /// The keys, in order.
        keys: Vec<Key>,
    },
    /// Say something on a slot without a call.
    Say {
        /// The slot.
        slot: Slot,
        /// What.
        words: Words,
    },
    /// Say something to both ends of the call on a slot.
    Interject {
        /// The slot.
        slot: Slot,
        /// What.
        words: Words,
    },
    /// Join a slot with the trunk.
    Patch {
        /// Local RTP address.
        rtp: RtpPort,
        /// Line side.
        slot: Slot,
        /// Trunk side.
        trunk: media::Trunk,
        /// First SSRC, sequence number and timestamp.
        source: (u32, u16, u32),
        /// Random, for the name and the intervals of RTCP.
        rtcp_seed: u128,
        /// The recording to start, if the call is recorded.
        recording: Option<storage::Command>,
        /// Whether both ends hear the notice of the site's policy.
        notice: bool,
    },
    /// Show a bubble.
    Show(Box<Bubble>),
    /// Tell storage.
    Store(storage::Command),
    /// The state of a trunk's registration changed.
    Trunk {
        /// The trunk.
        trunk: sip::TrunkId,
        /// Where it stands now.
        state: sip::Registration,
    },
    /// Tell the people.
    Report(Report),
}

/// What is listened for on a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Keys of a handset that dials.
    Phone,
    /// Whatever an exchange says.
    Line,
}

/// Something to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The emergency call could not be placed.
    Unplaced,
    /// The line is needed for an emergency call.
    Taken,
    /// What the box was asked for.
    Asked(Prompt),
}

/// Something that the people who run the box are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Somebody dialled an emergency number.
    EmergencyDialled {
        /// On which phone.
        phone: PortId,
        /// What.
        keys: Vec<Key>,
        /// How it goes out.
        via: Via,
    },
    /// A line needs somebody to look at it, or does no more.
    LineAlarm {
        /// The line.
        line: PortId,
        /// What is wrong.
        alarm: Alarm,
        /// Whether it is now.
        on: bool,
    },
    /// A call of our own came back: a number forwards to us in a circle.
    Loop {
        /// The tracking number that it came back to.
        tracking_number: E164,
    },
    /// A line has shown how its exchange ends calls.
    Learned {
        /// The line.
        line: PortId,
        /// All that it has shown so far; to be kept.
        learned: Learned,
    },
    /// A line test is over.
    LineTested {
        /// The port.
        port: PortId,
        /// What was measured, or why nothing was.
        result: Result<Measured, Untested>,
    },
    /// A call that is not tracked is over.
    Untracked {
        /// What it was.
        kind: Kind,
        /// Whether somebody answered.
        joined: bool,
        /// The last office line that carried it, if one did.
        line: Option<PortId>,
    },
}

/// One port of the board.
#[derive(Debug)]
pub struct JackSettings {
    /// Its id, its name, and what is behind it.
    pub port: Port,
    /// Its slot on the PCM bus.
    pub slot: Slot,
    /// How its machine is set.
    pub machine: MachineSettings,
}

/// How a port's machine is set.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "read once at the start")]
pub enum MachineSettings {
    /// An FXS port.
    Fxs(fxs::Settings),
    /// An FXO port.
    Fxo(fxo::Settings),
}

/// What the board and the site give to the switchboard.
#[derive(Debug)]
pub struct Settings {
    /// Every port.
    pub jacks: Vec<JackSettings>,
    /// Settings of every tracked call.
    pub call: CallSettings,
    /// Settings of what is dialled on the phones.
    pub dial_out: untracked::Settings,
    /// What a phone hears that is lifted and was not called.
    pub dial_tone: Tone,
    /// Ports that ring when somebody calls the office line.
    pub direct_phones: Vec<PortId>,
    /// Whether a call may be announced to a phone on which somebody talks.
    pub call_waiting: bool,
    /// How numbers are dialled.
    pub dialplan: Dialplan,
    /// The numbers of the office's own lines.
    pub line_numbers: Vec<E164>,
    /// Local RTP addresses, in the order of their ids.
    pub rtp: Vec<SocketAddr>,
    /// The office's time zone, for the date and time on the phones' displays.
    pub time_zone: jiff::tz::TimeZone,
}
