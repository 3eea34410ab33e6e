//! Telephony signal processing: companding, tones, FSK, caller ID.

pub mod caller_id;
pub mod conceal;
pub mod dtmf;
pub mod echo;
pub mod fax;
pub mod fsk;
pub mod g711;
pub mod gain;
pub mod interleaved;
pub mod level;
pub mod line_ear;
pub mod meter;
pub mod probe;
pub mod progress;
pub mod prompt;
pub mod sine;
pub mod sound_report;
pub mod tap_frame;
pub mod tone;
pub mod tone_plan;
pub mod wav;

/// Samples of a period: 10 ms at 8 kHz, the step of everything that works on sound as it passes.
pub const PERIOD: usize = 80;
