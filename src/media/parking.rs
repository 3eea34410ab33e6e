//! Where patches without a slot are: a bank of slots that no card has, one for each RTP port.
//!
//! It is ticked by the same loop as the card's slots. A second place that ticks a patch would cost every call some 70
//! instructions a period, as nothing of the tick could be inlined any more.

use super::{
    jack::{Carries, Jack},
    line_end::{LineEnd, PortAudio},
};
use crate::{
    audio::PERIOD,
    id::{RtpPort, Slot},
};

/// Slots with a period of what they say and of what is played to them, interleaved.
pub(super) type Bank<'a> = (&'a mut [Jack], &'a [i16], &'a mut [i16]);

/// All parked patches.
#[derive(Debug)]
pub(super) struct Parking {
    /// By RTP port.
    jacks: Box<[Jack]>,
    /// Nobody is at these slots.
    silence: Box<[i16]>,
    /// What is played to nobody.
    played: Box<[i16]>,
    is_used: bool,
}

impl Parking {
    /// Room for the patches of so many RTP ports; allocates nothing afterwards.
    pub(super) fn new(rtp_ports: usize) -> Self {
        let plain = PortAudio { echo_canceller: false, ..PortAudio::default() };
        Self {
            jacks: (0..rtp_ports).map(|_| Jack::new(LineEnd::new(Slot(0), plain))).collect(),
            silence: vec![0; rtp_ports * PERIOD].into(),
            played: vec![0; rtp_ports * PERIOD].into(),
            is_used: false,
        }
    }

    /// A patch comes.
    pub(super) fn enter(&mut self, rtp: RtpPort) {
        self.set(rtp, Carries::Call(rtp));
    }

    /// A patch goes on elsewhere, or ended.
    pub(super) fn leave(&mut self, rtp: RtpPort) {
        self.set(rtp, Carries::Silence);
    }

    fn set(&mut self, rtp: RtpPort, carries: Carries) {
        if let Some(jack) = self.jacks.get_mut(usize::from(rtp.0)) {
            jack.carries = carries;
        }
        self.is_used = self.jacks.iter().any(Jack::is_in_call);
    }

    /// Whether a patch is here.
    #[inline]
    pub(super) const fn is_used(&self) -> bool {
        self.is_used
    }

    /// The slots to be ticked.
    #[cold]
    #[inline(never)]
    pub(super) fn bank(&mut self) -> Bank<'_> {
        self.played.fill(0);
        (&mut self.jacks, &self.silence, &mut self.played)
    }
}
