//! What a tap delivers: 10 ms of both legs of a call at one instant of the line's clock.

/// Samples of one tap frame: 10 ms at 8 kHz.
pub const TAP_SAMPLES: usize = super::PERIOD;

/// 10 ms of both legs of a call, stamped by the line's clock.
#[derive(Clone, Copy, Debug)]
pub struct TapFrame {
    /// Line clock at the first sample, in samples of 8 kHz since the media thread started.
    pub at: u64,
    /// What came from the trunk, as it is played to the line (notice included).
    pub caller: [i16; TAP_SAMPLES],
    /// What came from the line, as it is sent to the trunk (notice included).
    pub office: [i16; TAP_SAMPLES],
    /// Whether the recording is paused: both legs are silent here, whatever was said.
    pub is_paused: bool,
}
