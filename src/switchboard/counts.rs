//! What the box counts, for its daemon and for `/metrics`.

use super::Switchboard;
use crate::{call::untracked::Untracked, sip::endpoint::Counters};

impl Switchboard {
    /// Calls that are not over yet.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Calls that are passed through untracked and not over yet.
    pub fn untracked_calls(&self) -> impl Iterator<Item = &Untracked> {
        self.passed.values().map(|passed| &passed.call)
    }

    /// SIP transactions that are kept.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.sip.transactions()
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
