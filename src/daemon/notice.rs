//! The recording notice: the site's own file, or the one that ships with the product.

use crate::audio::{tone, wav};
use std::{io, path::Path, sync::Arc};

/// Longest notice (PRODUCT, decision 6): 3 s at 8 kHz.
const MAX_SAMPLES: usize = 24_000;
/// "This call is recorded.", 1.5 s; made with espeak-ng and sox.
const DEFAULT: &[u8] = include_bytes!("../../board/notice.wav");

/// What both ends hear when a handset is lifted.
#[derive(Clone, Debug)]
pub(super) struct Notice(Arc<[i16]>);

impl Notice {
    /// The notice that ships with the product.
    ///
    /// # Errors
    /// The build is broken.
    pub(super) fn built_in() -> io::Result<Self> {
        Self::parse(DEFAULT, "the built-in notice")
    }

    /// A site's own notice: WAV, 8 kHz, mono, 16 bit, at most 3 s.
    ///
    /// # Errors
    /// The file cannot be read, is of another format, or is too long.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        Self::parse(&std::fs::read(path)?, &path.display().to_string())
    }

    /// The beep of the policy `beep`: 1400 Hz for 0.5 s.
    pub(super) fn beep() -> Self {
        Self(tone::render(&[tone::Burst { hz: 1400.0, ms: 500 }], -15.0).into())
    }

    /// The samples, to be mixed into both directions.
    pub(super) fn samples(&self) -> Arc<[i16]> {
        Arc::clone(&self.0)
    }

    fn parse(bytes: &[u8], name: &str) -> io::Result<Self> {
        let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {why}"));
        let samples = wav::decode(bytes).map_err(|error| bad(error.to_string()))?;
        if samples.len() > MAX_SAMPLES {
            return Err(bad("longer than 3 s; shorten the recording notice".to_owned()));
        }
        Ok(Self(samples.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_that_ships_is_clear_and_short() {
        let notice = Notice::built_in().expect("a good file").samples();
        assert!((8_000..24_000).contains(&notice.len()));
        assert!(notice.iter().any(|sample| sample.unsigned_abs() > 5_000));
    }
}
