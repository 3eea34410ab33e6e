//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod caller_id;
pub mod conceal;
pub mod dtmf;
pub mod fsk;
pub mod g711;
pub mod interleaved;
pub mod level;
pub mod sine;
pub mod tap_frame;
pub mod tone;
pub mod wav;
