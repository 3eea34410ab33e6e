//! The data plane: patches between line slots and RTP.

mod ahead;
pub mod control;
mod digits;
mod downlink;
mod patch;
pub mod patch_bay;
mod rtcp;
mod uplink;

pub use patch_bay::{PatchBay, RtpIo};
