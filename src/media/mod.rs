//! The data plane: patches between line slots and RTP.

mod ahead;
pub mod control;
mod digits;
mod downlink;
mod ears;
mod jack;
mod join;
mod line_end;
mod mend;
mod one_way;
mod overlay;
mod parking;
mod patch;
pub mod patch_bay;
mod rtcp;
mod rtp_io;
mod spoken;
mod tap;
mod two_way;
mod uplink;
mod waiting;

pub use patch_bay::PatchBay;
pub use rtp_io::RtpIo;
