//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod level;
pub mod sine;
pub mod tone;
