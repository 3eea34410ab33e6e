//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod tone;
