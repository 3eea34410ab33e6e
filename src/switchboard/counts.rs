//! What the box counts, for its daemon and for `/metrics`.

use super::Switchboard;
use crate::sip::endpoint::Counters;

impl Switchboard {
    /// Calls that are not over yet.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// RTP ports that a patch still holds.
    #[must_use]
    pub fn patches(&self) -> usize {
        self.patches.len()
    }

    /// What the SIP side has seen since the start.
    #[must_use]
    pub const fn sip_counters(&self) -> Counters {
        self.sip.counters()
    }
}
