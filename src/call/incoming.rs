//! What is known of a call when it comes in: facts of the INVITE, and where the directory sends it.

use crate::{
    id::{BoxId, CallId, PortId, RecordingId},
    number::E164,
    record::{Attribution, Campaign, ClockStamp, ClockState, Presentation},
    time::{Instant, WallTime},
};

/// Facts of an INVITE, read from its headers.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The caller's number, if the trunk gave one that may be kept.
    pub caller_number: Option<E164>,
    /// Whether it may be shown.
    pub presentation: Presentation,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// The trunk's verdict on the number.
    pub verstat: Option<String>,
    /// The tracking number that was called.
    pub tracking_number: E164,
    /// The advertised number, when the trunk tells.
    pub advertised_number: Option<E164>,
    /// How the tracking number was found, diverters and warnings.
    pub attribution: Attribution,
    /// Hosts of the Via headers, the nearest first.
    pub via: Vec<String>,
    /// Call-ID of the dialog.
    pub sip_call_id: String,
    /// Why the call's media cannot be had, if it cannot: `no_common_codec`.
    pub media_refused: Option<&'static str>,
}

/// Where the directory sends a call.
#[derive(Clone, Debug)]
pub struct Route {
    /// Id of the tracking number's entry.
    pub tracker_id: String,
    /// Its campaign.
    pub campaign: Campaign,
    /// The campaign's tag on the phones' displays, at most 15 characters.
    pub tag: String,
    /// The forwarding number, if the tracking number has one.
    pub forwarding_number: Option<E164>,
    /// Ports of the ring group.
    pub ports: Vec<PortId>,
}

/// Identity of a new call.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The box.
    pub box_id: BoxId,
    /// The call.
    pub call: CallId,
    /// Its recording, should it be answered.
    pub recording: RecordingId,
    /// Its contiguous number.
    pub seq: u64,
    /// Wall-clock time of the INVITE.
    pub start_time: WallTime,
    /// How far that can be trusted, the run of the daemon, and ms since its start.
    pub clock: Option<(ClockState, u64, u64)>,
}

impl Identity {
    /// The clocks as records have them.
    #[must_use]
    pub fn clock_stamp(&self) -> Option<ClockStamp> {
        let (state, boot, monotonic_ms) = self.clock?;
        Some(ClockStamp { state, boot_id: format!("{boot:016x}"), monotonic_ms })
    }
}

/// Makes identities: contiguous numbers from storage, random parts from a seeded generator.
#[derive(Debug)]
pub struct Numbering {
    box_id: BoxId,
    next_seq: u64,
    state: u64,
    /// The time in the identities of the last call.
    last_time: WallTime,
    /// The run of the daemon.
    boot: Option<u64>,
    clock: ClockState,
}

impl Numbering {
    /// Continues after the calls that storage knows; `seed` must be fresh at every start.
    #[must_use]
    pub const fn new(box_id: BoxId, next_seq: u64, seed: u64) -> Self {
        let (last_time, boot, clock) = (WallTime(0), None, ClockState::Unsynced);
        Self { box_id, next_seq, state: seed, last_time, boot, clock }
    }

    /// Stamps calls with the clocks of this run of the daemon.
    #[must_use]
    pub const fn in_run(mut self, boot: u64) -> Self {
        self.boot = Some(boot);
        self
    }

    /// How far the wall clock can be trusted from now on.
    pub const fn set_clock(&mut self, state: ClockState) {
        self.clock = state;
    }

    /// The identity of the next call.
    pub fn take(&mut self, start_time: WallTime, now: Instant) -> Identity {
        let seq = self.next_seq;
        self.next_seq += 1;
        // Identities sort as the calls came in, also when the wall clock is put back.
        self.last_time = start_time.max(WallTime(self.last_time.0.saturating_add(1)));
        Identity {
            box_id: self.box_id,
            call: CallId::from_parts(self.last_time, self.random()),
            recording: RecordingId::from_parts(self.last_time, self.random()),
            seq,
            start_time,
            clock: self.boot.map(|boot| (self.clock, boot, now.0 / 1000)),
        }
    }

    fn random(&mut self) -> u128 {
        (u128::from(self.random_u64()) << 64) | u128::from(self.random_u64())
    }

    /// A random number, for the sources of RTP streams (SplitMix64).
    pub fn random_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
