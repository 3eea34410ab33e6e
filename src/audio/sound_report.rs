//! How both legs of a call sounded, as its record keeps it.

/// One leg. Levels are in tenths of a decibel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegSound {
    /// Mean level in tenths of dBm0 while somebody talked; `None` if nobody did.
    pub active_tenths_dbm0: Option<i16>,
    /// Samples at the end of the range.
    pub clipped: u64,
}

/// Both legs, and the line between them and the phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundReport {
    /// From the trunk, as played to the line.
    pub caller: LegSound,
    /// From the line, as sent to the trunk.
    pub office: LegSound,
    /// Echo return loss of the line in tenths of dB, 0 if nothing is lost (ITU-T G.168 3.2.6); `None` before it is
    /// known.
    pub erl_tenths_db: Option<i16>,
    /// What the echo canceller takes off beyond that, in tenths of dB (ITU-T G.168 3.2.7).
    pub erle_tenths_db: Option<i16>,
}

/// Decibels in tenths, as far as they can be told.
#[must_use]
pub fn tenths(db: f32) -> Option<i16> {
    db.is_finite().then(|| (db * 10.0).round() as i16)
}

/// Decibels from tenths.
#[must_use]
pub fn from_tenths(tenths: i16) -> f32 {
    f32::from(tenths) / 10.0
}
