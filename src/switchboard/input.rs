//! What goes into the switchboard and what comes out of it.

use crate::{
    audio::caller_id::{CallerId, Delivery},
    call::{
        bubble::Bubble,
        machine::{Port, Settings as CallSettings},
    },
    chip::{Linefeed, PortChange},
    id::{CallId, PortId, RtpPort, Slot},
    line::fxs,
    media::control as media,
    recording::lifecycle as storage,
    sip::event as sip,
    time::WallTime,
};
use std::net::SocketAddr;

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
    /// The media thread reports.
    Media(media::Event),
    /// Storage reports.
    Storage(storage::Event),
    /// The office can see this call's bubble.
    BubbleShown(CallId),
    /// The wall clock was read.
    WallTime(WallTime),
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
    /// Send caller ID on a slot.
    CallerId {
        /// The slot.
        slot: Slot,
        /// What to send.
        id: CallerId,
        /// How.
        delivery: Delivery,
    },
    /// Order the media thread.
    Media(media::Command),
    /// Join a slot with the trunk.
    Patch {
        /// The call.
        call: CallId,
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
}

/// What the board and the site give to the switchboard.
#[derive(Debug)]
pub struct Settings {
    /// Ports in the order of their ids, with their PCM slots.
    pub ports: Vec<(Port, Slot)>,
    /// Settings of every FXS port.
    pub line: fxs::Settings,
    /// Settings of every call.
    pub call: CallSettings,
    /// Local RTP addresses, in the order of their ids.
    pub rtp: Vec<SocketAddr>,
    /// The office's time zone, for the date and time on the phones' displays.
    pub time_zone: jiff::tz::TimeZone,
}
