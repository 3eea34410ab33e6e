//! The detectors of the voice path: DTMF keys, fax and modem tones, against their limits, recorded speech and music,
//! and spandsp, which was written by others.

#[path = "detectors/fax.rs"]
mod fax;
#[path = "detectors/keys.rs"]
mod keys;
#[path = "detectors/noise.rs"]
mod noise;
#[path = "detectors/signal.rs"]
mod signal;
#[path = "sounds/mod.rs"]
mod sounds;
#[path = "detectors/spandsp.rs"]
mod spandsp;
#[path = "detectors/speech.rs"]
mod speech;
