//! The outside: one file per thing that is not ours.

mod arrival;
pub mod clock;
pub mod cpu;
pub mod disk;
pub mod files;
pub mod journal;
pub mod line_io;
pub mod media_loop;
pub mod pcm;
pub mod realtime;
pub mod recording_file;
pub mod rtp_socket;
pub mod sip_socket;
pub mod storage;
pub mod store;
