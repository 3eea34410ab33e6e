//! The data plane: patches between line slots and RTP.

pub mod control;
