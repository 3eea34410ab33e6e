//! WAV files: RIFF, PCM, 16 bit, one channel, 8 kHz. Everything else is refused by name.

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

/// Reads the samples of a file.
///
/// # Errors
/// [`WavError`] says what is wrong with it.
pub fn decode(file: &[u8]) -> Result<Vec<i16>, WavError> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavError::Malformed(0));
    }
    let (mut at, mut format_known) = (12, false);
    loop {
        let (id, len) = header(file, at).ok_or(WavError::Malformed(at))?;
        let start = at + 8;
        let body =
            start.checked_add(len).and_then(|end| file.get(start..end)).ok_or(WavError::Malformed(at))?;
        match id {
            b"fmt " => {
                check_format(body, at)?;
                format_known = true;
            }
            b"data" if format_known => {
                return Ok(body.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect());
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

fn check_format(body: &[u8], at: usize) -> Result<(), WavError> {
    let fields: &[u8; 16] = body.first_chunk().ok_or(WavError::Malformed(at))?;
    let half = |i: usize| u16::from_le_bytes([fields[i], fields[i + 1]]);
    let (coding, channels, bits) = (half(0), half(2), half(14));
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let wrong = match (coding, channels, rate, bits) {
        (1, 1, RATE, 16) => return Ok(()),
        (1, 1, RATE, bits) => format!("{bits} bits per sample instead of 16"),
        (1, 1, rate, _) => format!("{rate} samples per second instead of {RATE}"),
        (1, channels, ..) => format!("{channels} channels instead of 1"),
        (coding, ..) => format!("coding {coding} instead of 1 (PCM)"),
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
