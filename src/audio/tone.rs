//! Cadenced tones (ITU-T E.180).

/// A cadenced tone of up to two frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// Frequencies in Hz; 0 is none.
    pub hz: [f32; 2],
    /// Milliseconds on and off; off 0 is continuous.
    pub cadence_ms: [u16; 2],
    /// Level of each frequency in dBm0.
    pub dbm0: f32,
}

/// Reorder (fast busy), North America.
pub const REORDER: Tone = Tone { hz: [480.0, 620.0], cadence_ms: [250, 250], dbm0: -24.0 };
