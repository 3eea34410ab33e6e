//! The outside: one file per thing that is not ours.

pub mod media_loop;
pub mod pcm;
pub mod realtime;
pub mod rtp_socket;
