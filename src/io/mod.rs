//! The outside: one file per thing that is not ours.

pub mod address;
mod arrival;
pub mod box_key;
pub mod button;
pub mod clock;
pub mod cpu;
pub mod disk;
pub mod files;
pub mod front_panel;
pub mod journal;
pub mod leds;
pub mod line_io;
pub mod lines_file;
pub mod lookup;
pub mod media_loop;
pub mod pcm;
pub mod realtime;
pub mod recording_file;
pub mod relay;
pub mod rtp_socket;
pub mod signing;
pub mod sip_socket;
pub mod storage;
pub mod store;
pub mod thermal;
pub mod upstream;
pub mod webhooks;
