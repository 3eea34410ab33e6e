//! The data plane: patches between line slots and RTP.

mod ahead;
pub mod control;
mod digits;
mod downlink;
mod mend;
mod patch;
pub mod patch_bay;
mod uplink;

pub use patch_bay::{PatchBay, RtpIo};
