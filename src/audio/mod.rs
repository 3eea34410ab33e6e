//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod tap_frame;
pub mod tone;
