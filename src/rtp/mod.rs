//! RTP as a telephone needs it: packets in place, who may be heard, playout, telephone-events.

pub mod latch;
pub mod packet;
pub mod playout;
pub mod session;
pub mod source;
pub mod telephone_event;
