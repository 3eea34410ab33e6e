//! Tones in audio, and recordings as samples.

use std::{f64::consts::TAU, path::Path, process::Command};

/// Samples of 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// Peak of the part of `samples` that is at `hz` (Goertzel, RFC-less: one bin of a discrete Fourier transform).
pub fn peak_at(samples: &[i16], hz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hz / 8000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// Which frames of 20 ms carry a tone of at least half of `peak`.
pub fn frames_with(samples: &[i16], hz: f64, peak: f64) -> Vec<bool> {
    samples.chunks_exact(FRAME).map(|frame| peak_at(frame, hz) >= peak / 2.0).collect()
}

/// Both legs of a recording at 8 kHz, by Debian's `opusdec`.
pub fn decode(file: &Path) -> (Vec<i16>, Vec<i16>) {
    let raw = file.with_extension("raw");
    let decoded = Command::new("opusdec")
        .args(["--quiet", "--rate", "8000", "--no-dither"])
        .args([file, &raw])
        .output()
        .expect("opusdec of the Debian package opus-tools");
    assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
    let bytes = std::fs::read(&raw).unwrap();
    std::fs::remove_file(raw).unwrap();
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let leg = |first: usize| samples.iter().skip(first).step_by(2).copied().collect();
    (leg(0), leg(1))
}

/// Length of a recording in ms as `ffprobe` reads it, and what it warned of.
pub fn probe(file: &Path) -> (u64, String) {
    let probed = Command::new("ffprobe")
        .args(["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe of the Debian package ffmpeg");
    let seconds: f64 = String::from_utf8_lossy(&probed.stdout).trim().parse().unwrap();
    ((seconds * 1000.0).round() as u64, String::from_utf8_lossy(&probed.stderr).into_owned())
}
