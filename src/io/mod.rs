//! The outside: one file per thing that is not ours.

pub mod pcm;
pub mod realtime;
