//! Both legs of a call to Opus: two uncoupled mono streams in one packet (RFC 7845 5.1.1, mapping family 1).
//!
//! Uncoupled, because a coupled stereo stream shares its bits between the legs: in double talk it loses the quieter
//! one, and below 24 kbit/s it collapses both to mono. The only file that names `opus`.

use super::StereoFrame;

/// Largest packet the encoder may make, both streams together: 400 kbit/s, far above what speech needs.
pub const MAX_PACKET_BYTES: usize = 1_000;

/// What a recording may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Target of both legs together in bit/s.
    pub bitrate_bps: u32,
    /// libopus complexity, 0..=10.
    pub complexity: u8,
}

impl Encoding {
    /// Below this speech is hard to follow, in bit/s of both legs together.
    pub const MIN_BITRATE_BPS: u32 = 12_000;

    /// The same with half the bits, for a disk that has little room left.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { bitrate_bps: (self.bitrate_bps / 2).max(Self::MIN_BITRATE_BPS), ..self }
    }
}

/// 5 costs three quarters of complexity 10 and is within 0.05 PESQ of it.
impl Default for Encoding {
    fn default() -> Self {
        Self { bitrate_bps: 30_000, complexity: 5 }
    }
}

const SAMPLE_RATE_HZ: u32 = 8_000;
const STREAMS: u8 = 2;
const COUPLED_STREAMS: u8 = 0;
/// Channel 0 (caller) is stream 0, channel 1 (office) is stream 1.
const MAPPING: [u8; 2] = [0, 1];

/// libopus refused a setting or a frame.
#[derive(Debug, thiserror::Error)]
#[error("opus: {0}")]
pub struct EncodeError(#[from] opus::Error);

/// An encoder of 20 ms stereo frames.
pub struct Encoder {
    inner: opus::MSEncoder,
    pre_skip: u16,
}

impl Encoder {
    /// An encoder at its start.
    ///
    /// # Errors
    /// If libopus has no memory or refuses a setting.
    pub fn new(encoding: Encoding) -> Result<Self, EncodeError> {
        let mut inner = opus::MSEncoder::new(
            SAMPLE_RATE_HZ,
            STREAMS,
            COUPLED_STREAMS,
            &MAPPING,
            opus::Application::Voip,
        )?;
        let bitrate_bps = i32::try_from(encoding.bitrate_bps).unwrap_or(i32::MAX);
        inner.set_bitrate(opus::Bitrate::Bits(bitrate_bps))?;
        inner.set_vbr(true)?;
        inner.set_vbr_constraint(false)?;
        inner.set_complexity(encoding.complexity.into())?;
        // libopus takes a steady tone for background noise: with DTX hold music, ringback and fax tones fade away.
        inner.set_dtx(false)?;
        let lookahead = u16::try_from(inner.get_lookahead()?).unwrap_or(0);
        Ok(Self { inner, pre_skip: lookahead.saturating_mul(6) })
    }

    /// Samples of 48 kHz that a decoder drops at the start (RFC 7845 4.2).
    #[must_use]
    pub fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Encodes one frame into `packet` and returns its length in bytes; no heap call.
    ///
    /// # Errors
    /// If libopus refuses the frame, which it never did for 20 ms of 8 kHz.
    pub fn encode(
        &mut self,
        frame: &StereoFrame,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Result<usize, EncodeError> {
        Ok(self.inner.encode(frame, packet)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::FRAME_SAMPLES;
    use std::f64::consts::TAU;

    #[test]
    fn half_the_bits_are_never_too_few_for_speech() {
        let encoding = |bitrate_bps| Encoding { bitrate_bps, complexity: 5 };
        assert_eq!(encoding(32_000).halved(), encoding(16_000));
        assert_eq!(encoding(20_000).halved(), encoding(12_000));
    }

    #[test]
    fn a_steady_tone_does_not_fade() {
        let mut encoder = Encoder::new(Encoding::default()).unwrap();
        let mut decoder = opus::MSDecoder::new(SAMPLE_RATE_HZ, STREAMS, COUPLED_STREAMS, &MAPPING).unwrap();
        let sine = |hz: f64, at: usize| ((at as f64 * hz / 8_000.0 * TAU).sin() * 8_000.0) as i16;
        let mut packet = [0; MAX_PACKET_BYTES];
        for start in (0..10 * 8_000).step_by(FRAME_SAMPLES) {
            let mut frame: StereoFrame = [0; 2 * FRAME_SAMPLES];
            for (at, pair) in (start..).zip(frame.chunks_exact_mut(2)) {
                pair.copy_from_slice(&[sine(440.0, at), sine(1_000.0, at)]);
            }
            let bytes = encoder.encode(&frame, &mut packet).unwrap();
            decoder.decode(&packet[..bytes], &mut frame, false).unwrap();
            let peak =
                |leg: usize| frame.iter().skip(leg).step_by(2).map(|s| s.unsigned_abs()).max().unwrap();
            if start >= 8_000 {
                assert!(peak(0) > 6_000 && peak(1) > 6_000, "{} and {} at {start}", peak(0), peak(1));
            }
        }
    }
}
