//! The outside: one file per thing that is not ours.

pub mod clock;
pub mod files;
pub mod journal;
pub mod recording_file;
pub mod storage;
pub mod store;
