//! Recordings: Opus in Ogg, two uncoupled mono streams, crash-safe.
//!
//! ```text
//! tap frames (10 ms) -> tap (aligned by the line's clock) -> encoder (20 ms) -> ogg (pages of 1 s) -> a file
//!                                                        \-> peaks (a side file for the waveform)
//! ```

pub mod completeness;
pub mod encoder;
pub mod keeper;
pub mod lifecycle;
#[cfg(test)]
pub(crate) mod made_up;
pub mod ogg;
pub mod peaks;
pub mod recorder;
pub mod request;
pub mod retention;
pub mod room;
pub mod seal;
pub mod standing;
pub mod tap;
pub mod vault;

/// Samples of one leg in one encoded frame: 20 ms at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;

/// 20 ms of both legs, interleaved: caller, office, caller, office …
pub type StereoFrame = [i16; 2 * FRAME_SAMPLES];

/// Ticks of an Ogg Opus granule position per sample of 8 kHz (RFC 7845 4: granules count 48 kHz samples).
pub const GRANULES_PER_SAMPLE: u64 = 6;
