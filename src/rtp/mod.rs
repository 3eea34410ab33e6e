//! RTP as a telephone needs it: packets in place, playout, telephone-events.

pub mod session;
