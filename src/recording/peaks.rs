//! Peaks of a recording for the waveform on the page, written beside it as `<call id>.peaks`.
//!
//! ```text
//! "RSPK"  version u8 = 1  0 0 0      8 bytes of header
//! caller min i8, caller max i8, office min i8, office max i8      per 100 ms, 40 bytes a second
//! ```
//! A value is the sample's upper 8 bits. Peaks are derived data: a missing or short file costs a picture only.

use super::StereoFrame;

/// The header of a peaks file.
pub const HEADER: [u8; 8] = *b"RSPK\x01\0\0\0";
/// Bytes of one group.
pub const GROUP_BYTES: usize = 4;
/// Milliseconds that one group stands for.
pub const GROUP_MS: u64 = 100;

/// Frames of 20 ms in one group.
const GROUP_FRAMES: u8 = 5;

/// The peaks of the group being filled.
#[derive(Default)]
pub struct Peaks {
    /// Minimum and maximum per leg; silence is 0.
    caller: (i16, i16),
    office: (i16, i16),
    frames: u8,
}

impl Peaks {
    /// Adds a frame; a full group is appended to `out`.
    pub fn push(&mut self, frame: &StereoFrame, out: &mut Vec<u8>) {
        for legs in frame.chunks_exact(2) {
            self.caller = (self.caller.0.min(legs[0]), self.caller.1.max(legs[0]));
            self.office = (self.office.0.min(legs[1]), self.office.1.max(legs[1]));
        }
        self.frames += 1;
        if self.frames == GROUP_FRAMES {
            self.finish(out);
        }
    }

    /// Appends the group begun, if there is one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.frames == 0 {
            return;
        }
        let upper = |sample: i16| sample.to_be_bytes()[0];
        out.extend([self.caller.0, self.caller.1, self.office.0, self.office.1].map(upper));
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leg_keeps_its_own_extremes_for_100_ms() {
        let mut peaks = Peaks::default();
        let mut out = Vec::new();
        let mut loud = [0; 320];
        loud[10] = i16::MIN;
        loud[12] = 0x1234;
        loud[11] = -300;
        peaks.push(&loud, &mut out);
        (0..4).for_each(|_| peaks.push(&[0; 320], &mut out));
        assert_eq!(out.iter().map(|&b| b.cast_signed()).collect::<Vec<_>>(), [-128, 0x12, -2, 0]);
        peaks.push(&[i16::MAX; 320], &mut out);
        peaks.finish(&mut out);
        peaks.finish(&mut out);
        assert_eq!(out[4..], [0, 127, 0, 127]);
    }
}
