//! Recordings: Opus in Ogg, two uncoupled mono streams, crash-safe.

pub mod lifecycle;
