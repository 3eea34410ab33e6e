//! What the signalling thread asks of the media thread, and what comes back.
//!
//! Everything that is allocated travels in these messages and is given back in [`Event::Spent`], so that the media
//! thread neither allocates nor frees.

pub use crate::audio::tap_frame::{TAP_SAMPLES, TapFrame};
use crate::{
    audio::{
        caller_id::waiting::{CallWaiting, Outcome},
        fax::FaxTone,
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
    /// Announces another call to the phone of a patch; [`Event::Announced`] follows.
    Announce {
        /// The patch.
        rtp: RtpPort,
        /// What is announced.
        waiting: Box<CallWaiting>,
    },
    /// Parts the two sides; [`Event::Unpatched`] follows.
    Unpatch {
        /// The patch.
        rtp: RtpPort,
    },
    /// Plays a sound on an unpatched slot, replacing the one before.
    Play {
        /// The slot.
        slot: Slot,
        /// The sound.
        sound: Sound,
    },
    /// Ends the sound of a slot.
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
    /// The announcement of another call is over.
    Announced {
        /// The patch.
        rtp: RtpPort,
        /// Whether the phone showed who calls; `None` if the patch ended before.
        outcome: Option<Outcome>,
        /// To be freed off the media thread.
        waiting: Box<CallWaiting>,
    },
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
