//! Recorded speech from the Debian package codec2-examples.

use ringside::audio::level;
use std::{fs, path::Path};

/// Level of every talker over the whole recording.
pub(crate) const TALKER_DBM0: f32 = -16.0;

/// Everything in the package that is speech; the others are modem signals.
pub(crate) const SPEECH: [&str; 19] = [
    "hts",
    "ve9qrp_10s",
    "big_dog",
    "kristoff",
    "cq_ref",
    "hts1",
    "cross",
    "hts2",
    "forig",
    "morig",
    "f2400",
    "m2400",
    "mmt1",
    "g3plx",
    "hts1a",
    "vk5qi",
    "hts2a",
    "ve9qrp",
    "700d_end_over",
];

/// A talker from the first word on, said again and again: `samples` at 8 kHz with [`TALKER_DBM0`].
pub(crate) fn talker(name: &str, samples: usize) -> Vec<f32> {
    let path = Path::new("/usr/share/codec2/raw").join(name).with_extension("raw");
    let bytes = fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; install the package codec2-examples", path.display()));
    let all: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from(i16::from_le_bytes(b))).collect();
    let mean = all.iter().sum::<f32>() / all.len() as f32;
    let power = all.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / all.len() as f32;
    let speaks = |period: &[f32]| period.iter().map(|s| (s - mean).powi(2)).sum::<f32>() > 0.1 * power * 80.0;
    let first = all.chunks(80).position(speaks).unwrap_or(0) * 80;
    let scale = level::amplitude(TALKER_DBM0) / (2.0 * power).sqrt();
    all[first..].iter().cycle().take(samples).map(|s| (s - mean) * scale).collect()
}
