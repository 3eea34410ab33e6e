//! The data plane: patches between line slots and RTP.

mod ahead;
pub mod control;
mod digits;
mod patch;
pub mod patch_bay;

pub use patch_bay::{PatchBay, RtpIo};
