//! What the signalling thread asks of the media thread, and what comes back.
//!
//! Everything that is allocated travels in these messages and is given back in an [`Event`], so that the media thread
//! neither allocates nor frees. A command is carried out whatever its slot carries; what is in its way ends first.

pub use crate::audio::tap_frame::{TAP_SAMPLES, TapFrame};
use crate::{
    audio::{
        caller_id::waiting::{CallWaiting, Outcome},
        fax::FaxTone,
        line_ear::{Heard, LineEar},
        probe::Probe,
        sound_report::SoundReport,
        tone::Tone,
    },
    id::{RtpPort, Slot},
    record::LegKind,
    rtp::emodel::Robustness,
};
use std::sync::Arc;

pub use crate::rtp::{
    report::FarEnd,
    session::{Codec, Trunk},
};

/// How loss sounds on the line: it is concealed.
pub const ROBUSTNESS: Robustness = Robustness::G711_CONCEALED;

/// A sound for one slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// Samples at 8 kHz, played once: caller ID, a spoken notice.
    Once(Arc<[i16]>),
    /// A cadenced tone, until stopped.
    Tone(Tone),
}

/// An order to the media thread.
#[derive(Debug)]
pub enum Command {
    /// Joins a line slot with the trunk.
    Patch {
        /// Local RTP address; names the patch.
        rtp: RtpPort,
        /// Line side.
        slot: Slot,
        /// Trunk side.
        trunk: Trunk,
        /// Synchronisation source, first sequence number and first timestamp of what we send.
        source: (u32, u16, u32),
        /// Random, for the name and the intervals of RTCP.
        rtcp_seed: u128,
        /// Mixed into both directions at the start.
        notice: Option<Arc<[i16]>>,
        /// Where both legs are copied to.
        tap: Option<rtrb::Producer<TapFrame>>,
    },
    /// Applies a new SDP answer to a patch: hold, resume, a new address.
    Change {
        /// The patch.
        rtp: RtpPort,
        /// Trunk side from now on.
        trunk: Trunk,
    },
    /// Takes a patch off its slot, which becomes free. RTP, recording and clocks go on: the caller hears silence, and the
    /// office leg is recorded as silence. A patch without a slot stays as it is.
    Park {
        /// The patch.
        rtp: RtpPort,
    },
    /// Puts a patch onto a slot, parked or not; whatever the slot carries ends first.
    Unpark {
        /// The patch.
        rtp: RtpPort,
        /// Where it goes on.
        slot: Slot,
    },
    /// Keeps both legs out of a patch's recording, from what is still held back of it on, until [`Command::Resume`]:
    /// silence is in their place.
    Pause {
        /// The patch.
        rtp: RtpPort,
    },
    /// Records again.
    Resume {
        /// The patch.
        rtp: RtpPort,
    },
    /// Parts the two sides; [`Event::Unpatched`] follows.
    Unpatch {
        /// The patch.
        rtp: RtpPort,
    },
    /// Joins two slots with each other: no trunk, no tap, no notice, so nothing of it can be recorded. Whatever the two
    /// carry ends first; a slot is not joined with itself.
    Join {
        /// The phone.
        phone: Slot,
        /// The line, or another phone.
        line: Slot,
    },
    /// Parts two joined slots.
    Part {
        /// Either of them.
        phone: Slot,
    },
    /// Announces another call to the phone on a slot, in a patch or in a join; [`Event::Announced`] follows, at once if
    /// there is no call on the slot.
    Announce {
        /// The phone.
        slot: Slot,
        /// What is announced.
        waiting: Box<CallWaiting>,
    },
    /// Mixes a spoken notice over what both ends of the call on a slot hear, a patch or a join, replacing the one
    /// before; [`Event::Interjected`] follows, at once if there is no call on the slot. A patch that is parked meanwhile
    /// lets its caller hear the rest.
    Interject {
        /// Either end.
        slot: Slot,
        /// Samples at 8 kHz.
        samples: Arc<[i16]>,
    },
    /// Listens to what comes from a slot, whatever the slot carries: behind the echo canceller in a call, as it comes
    /// otherwise. Replaces the ear before.
    Listen {
        /// The slot.
        slot: Slot,
        /// Who listens; comes back in [`Event::EarSpent`].
        ear: Box<LineEar>,
    },
    /// Ends the listening of [`Command::Listen`].
    Ignore {
        /// The slot.
        slot: Slot,
    },
    /// Plays a sound on a slot without a call, replacing the one before; a call goes first.
    Play {
        /// The slot.
        slot: Slot,
        /// The sound.
        sound: Sound,
    },
    /// Plays a probe on a slot without a call and keeps what comes back; [`Event::Probed`] follows when it is over, or
    /// something else is in its way.
    Probe {
        /// The slot.
        slot: Slot,
        /// What is played and filled.
        probe: Box<Probe>,
    },
    /// Ends the sound of a slot. A call goes on.
    Hush {
        /// The slot.
        slot: Slot,
    },
}

/// Counters of one patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchCounters {
    /// RTP packets accepted from the peer, the late ones included, second copies not.
    pub packets: u64,
    /// Packets that were due and not there.
    pub lost: u64,
    /// Packets that came after they were due and were dropped.
    pub late: u64,
    /// Packets that came after they were due and were waited for: they were heard, behind a gap.
    pub awaited: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Runs of packets that never came.
    pub loss_runs: u64,
    /// Interarrival jitter that 95 of 100 packets did not exceed, in ms.
    pub jitter_p95_ms: Option<u32>,
    /// Mean round trip to the far end, in ms.
    pub round_trip_ms: Option<u32>,
    /// What packets, playout and card add to the network's delay from the caller to the line, in ms.
    pub delay_ms: u32,
    /// What the far end said last about what we sent.
    pub far_end: Option<FarEnd>,
    /// RTCP packets accepted.
    pub rtcp_received: u64,
    /// RTCP packets refused: wrong address, malformed.
    pub rtcp_refused: u64,
    /// RTCP packets sent, the goodbye included.
    pub rtcp_sent: u64,
    /// Packets refused: wrong address, malformed, unknown payload type, a stream not yet trusted.
    pub refused: u64,
    /// Samples that were missing and made up, up to 70 ms of each gap; noise after that is not counted.
    pub concealed_samples: u64,
    /// Times that audio was shortened or lengthened by some 10 ms, because the network changed or the clocks drift.
    pub corrections: u64,
    /// Those of them that were made in silence.
    pub corrections_in_silence: u64,
    /// Mean playout depth in samples: how long the quickest packets waited.
    pub mean_depth_samples: u32,
    /// Greatest playout depth in samples.
    pub most_depth_samples: u32,
    /// RTP packets sent.
    pub sent: u64,
    /// How both legs sounded.
    pub sound: SoundReport,
    /// Tap frames that did not fit into the ring.
    pub tap_overruns: u64,
    /// The line's time from the start of the recording to the end of the patch, in samples; 0 without a recording.
    pub recorded_samples: u64,
}

/// A report from the media thread.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box would be allocated on the media thread")]
pub enum Event {
    /// The first packet of the peer was accepted.
    AudioStarted {
        /// The patch.
        rtp: RtpPort,
    },
    /// The notice was played to its end on both sides.
    NoticePlayed {
        /// The patch.
        rtp: RtpPort,
    },
    /// One leg is silent although the other one talks, or that is over.
    OneWay {
        /// The patch.
        rtp: RtpPort,
        /// The leg that is not heard; `None` when both are heard again.
        silent: Option<LegKind>,
    },
    /// A fax or a modem: from now on nothing is done to the sound.
    Fax {
        /// The patch.
        rtp: RtpPort,
        /// The leg that it was heard on.
        from: LegKind,
        /// What was heard.
        tone: FaxTone,
    },
    /// Both legs have had 2 s of speech. Told once in a patch.
    TwoWay {
        /// The patch.
        rtp: RtpPort,
    },
    /// The announcement of another call is over.
    Announced {
        /// The phone.
        slot: Slot,
        /// Whether the phone showed who calls; `None` if its call ended before, or another announcement replaced it.
        outcome: Option<Outcome>,
        /// To be freed off the media thread.
        waiting: Box<CallWaiting>,
    },
    /// An interjected notice is over, or its call is; its samples follow in [`Event::Spent`].
    Interjected {
        /// The slot that was named.
        slot: Slot,
    },
    /// The ear of a slot heard something.
    Heard {
        /// The slot.
        slot: Slot,
        /// What.
        heard: Heard,
    },
    /// A probe is over; [`Probe::is_whole`] tells whether it says something.
    Probed {
        /// The slot.
        slot: Slot,
        /// To be read off the media thread.
        probe: Box<Probe>,
    },
    /// An ear that listens no more, to be freed off the media thread.
    EarSpent(Box<LineEar>),
    /// The sides were parted.
    Unpatched {
        /// The patch that was.
        rtp: RtpPort,
        /// Its counters.
        counters: PatchCounters,
        /// The ring of its tap, to be dropped off the media thread.
        tap: Option<rtrb::Producer<TapFrame>>,
    },
    /// A played-out sound, to be freed off the media thread.
    Spent(Arc<[i16]>),
}
