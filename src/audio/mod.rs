//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod caller_id;
pub mod level;
pub mod sine;
pub mod tone;
