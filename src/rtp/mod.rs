//! RTP as a telephone needs it: packets in place, who may be heard, playout, telephone-events, RTCP, quality.

pub mod emodel;
pub mod latch;
pub mod ntp;
pub mod packet;
pub mod playout;
pub mod pressed;
pub mod quality;
pub mod reception;
pub mod report;
pub mod rtcp;
pub mod session;
pub mod source;
pub mod telephone_event;
