//! WAV files: RIFF, one channel, 8 kHz, PCM of 16 bit or µ-law. Everything else is refused by name.

use super::g711::{self, Law};

/// Samples per second.
const RATE: u32 = 8000;

/// Why a file is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Not a RIFF/WAVE file, or cut short.
    #[error("not a WAV file, or cut short at byte {0}")]
    Malformed(usize),
    /// A WAV file of another kind.
    #[error("{0}; convert it with `sox in.wav -r 8000 -c 1 -b 16 out.wav`")]
    Format(String),
}

/// How a file writes its samples.
#[derive(Clone, Copy)]
enum Coding {
    Pcm,
    MuLaw,
}

/// Reads the samples of a file.
///
/// # Errors
/// [`WavError`] says what is wrong with it.
pub fn decode(file: &[u8]) -> Result<Vec<i16>, WavError> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavError::Malformed(0));
    }
    let (mut at, mut coding) = (12, None);
    loop {
        let (id, len) = header(file, at).ok_or(WavError::Malformed(at))?;
        let start = at + 8;
        let body =
            start.checked_add(len).and_then(|end| file.get(start..end)).ok_or(WavError::Malformed(at))?;
        match (id, coding) {
            (b"fmt ", _) => coding = Some(format(body, at)?),
            (b"data", Some(Coding::Pcm)) => {
                return Ok(body.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect());
            }
            (b"data", Some(Coding::MuLaw)) => {
                return Ok(body.iter().map(|&code| g711::expand(Law::Mu, code)).collect());
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        at = start + len + len % 2;
    }
}

fn header(file: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let id = file.get(at..at + 4)?;
    let len: [u8; 4] = file.get(at + 4..at + 8)?.try_into().ok()?;
    Some((id, u32::from_le_bytes(len) as usize))
}

fn format(body: &[u8], at: usize) -> Result<Coding, WavError> {
    let fields: &[u8; 16] = body.first_chunk().ok_or(WavError::Malformed(at))?;
    let half = |i: usize| u16::from_le_bytes([fields[i], fields[i + 1]]);
    let (coding, channels, bits) = (half(0), half(2), half(14));
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let wrong = match (coding, channels, rate, bits) {
        (1, 1, RATE, 16) => return Ok(Coding::Pcm),
        (7, 1, RATE, 8) => return Ok(Coding::MuLaw),
        (1, 1, RATE, bits) => format!("{bits} bits per sample instead of 16"),
        (7, 1, RATE, bits) => format!("{bits} bits per sample instead of the 8 of µ-law"),
        (1 | 7, 1, rate, _) => format!("{rate} samples per second instead of {RATE}"),
        (1 | 7, channels, ..) => format!("{channels} channels instead of 1"),
        (coding, ..) => format!("coding {coding} instead of 1 (PCM) or 7 (µ-law)"),
    };
    Err(WavError::Format(wrong))
}

/// A file of these samples.
#[must_use]
pub fn encode(samples: &[i16]) -> Vec<u8> {
    let data_len = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data_len).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    file.extend_from_slice(&[1, 0, 1, 0]);
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data_len.to_le_bytes());
    samples.iter().for_each(|sample| file.extend_from_slice(&sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_a_file_with_a_foreign_chunk_before_them() {
        let samples = [0, 1, -1, i16::MAX, i16::MIN];
        let mut file = encode(&samples);
        let foreign = *b"LIST\x03\0\0\0abc\0";
        file.splice(36..36, foreign);
        assert_eq!(decode(&file), Ok(samples.to_vec()));
    }

    #[test]
    fn a_law_file_is_read_as_what_its_codes_mean() {
        let mut file = encode(&[0; 4]);
        (file[20], file[34]) = (7, 8);
        file[44..].copy_from_slice(&[0xFF, 0x00, 0x80, 0xAA, 0x2A, 0x7F, 0xF0, 0x70]);
        let samples = decode(&file).unwrap();
        assert_eq!((samples.len(), samples[0], samples[1], samples[2]), (8, 0, -32_124, 32_124));
        file[34] = 16;
        assert!(decode(&file).unwrap_err().to_string().starts_with("16 bits per sample instead of the 8"));
    }

    #[test]
    fn a_file_of_another_kind_is_refused_with_what_it_is() {
        let mut stereo = encode(&[0; 4]);
        stereo[22] = 2;
        assert!(decode(&stereo).unwrap_err().to_string().starts_with("2 channels instead of 1; convert"));
        assert_eq!(decode(b"OggS"), Err(WavError::Malformed(0)));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_without_a_panic() {
        let file = encode(&[7; 16]);
        for len in 0..file.len() {
            assert!(matches!(decode(&file[..len]), Err(WavError::Malformed(_))), "{len}");
        }
    }
}
