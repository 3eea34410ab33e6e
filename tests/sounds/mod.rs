//! An hour of recorded speech and music at 8 kHz, for tests of detectors that must not mistake it for tones.
//!
//! Two voices that read prompts (asterisk-core-sounds-en-wav, a woman; -it-wav, a man), a dozen talkers
//! (codec2-examples) and music as it is played to callers on hold (asterisk-moh-opsound-wav). Another test binary
//! takes it in with `#[path = "sounds/mod.rs"] mod sounds;`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of the sounds")]
#![allow(clippy::disallowed_methods)]

use ringside::audio::{level, wav};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Debian packages and the folders with their sounds.
const PROMPTS: [(&str, &str); 2] = [
    ("asterisk-core-sounds-en-wav", "/usr/share/asterisk/sounds/en_US_f_Allison"),
    ("asterisk-core-sounds-it-wav", "/usr/share/asterisk/sounds/it_IT_m_Carlo"),
];
const MUSIC: (&str, &str) = ("asterisk-moh-opsound-wav", "/usr/share/asterisk/moh");
const TALKERS: (&str, &str) = ("codec2-examples", "/usr/share/codec2/raw");
/// The talkers' files; the others there are modem signals.
const NAMES: [&str; 14] = [
    "big_dog",
    "cq_ref",
    "cross",
    "forig",
    "g3plx",
    "hts",
    "hts1",
    "hts2",
    "kristoff",
    "mmt1",
    "morig",
    "ve9qrp",
    "ve9qrp_10s",
    "vk5qi",
];
/// Active levels in dBm0, one for each clip in turn.
const LEVELS: [f32; 3] = [-20.0, -17.5, -15.0];
/// Longest clip: 30 s. What is longer becomes several.
const CLIP: usize = 240_000;

/// The clips, 69 minutes of them, each with an active level between -20 and -15 dBm0.
///
/// # Panics
/// If a package is missing, with its name.
pub fn hour() -> impl Iterator<Item = Vec<i16>> {
    let folders = [PROMPTS[0], PROMPTS[1], MUSIC];
    let files = folders.into_iter().flat_map(|(package, folder)| wav_files(package, Path::new(folder)));
    let sounds = files.map(|file| read_wav(&file)).chain(talkers());
    let clips = sounds.flat_map(|sound| sound.chunks(CLIP).map(<[i16]>::to_vec).collect::<Vec<_>>());
    let heard = clips.filter(|clip| clip.iter().any(|&sample| sample.unsigned_abs() > 100));
    heard.enumerate().map(|(n, clip)| at_level(&clip, LEVELS[n % LEVELS.len()]))
}

/// Natural speech of a dozen people, as recorded.
///
/// # Panics
/// If the package is missing, with its name.
pub fn talkers() -> impl Iterator<Item = Vec<i16>> {
    let (package, folder) = TALKERS;
    NAMES.into_iter().map(move |name| {
        let path = Path::new(folder).join(format!("{name}.raw"));
        let bytes = fs::read(&path).unwrap_or_else(|error| missing(package, &path, &error));
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    })
}

/// The same sound at another active level: that of its periods of 20 ms which are less than 16 dB below the mean, so
/// that pauses do not count (after ITU-T P.56).
pub fn at_level(samples: &[i16], dbm0: f32) -> Vec<i16> {
    let floor = level::dbm0(samples) - 16.0;
    let active: Vec<i16> =
        samples.chunks(160).filter(|period| level::dbm0(period) > floor).flatten().copied().collect();
    let gain = 10_f32.powf((dbm0 - level::dbm0(&active)) / 20.0);
    samples.iter().map(|&sample| (f32::from(sample) * gain) as i16).collect()
}

/// All sounds of a folder and the folders in it, in the order of their names.
fn wav_files(package: &str, folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| missing(package, folder, &error));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(wav_files(package, &path));
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            files.push(path);
        }
    }
    files
}

fn read_wav(path: &Path) -> Vec<i16> {
    wav::decode(&fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn missing<T>(package: &str, path: &Path, error: &std::io::Error) -> T {
    panic!("{}: {error}; install the Debian package {package}, or use tests/run, which does", path.display());
}
