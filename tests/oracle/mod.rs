//! spandsp's caller ID sender and receiver, and a noisy line between it and ours.
#![allow(dead_code, reason = "tests and benches use different parts")]

use ringside::audio::{
    g711::{self, Law},
    level,
};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::LazyLock,
};

/// What spandsp calls a standard.
pub(crate) const BELL_202: &str = "1";
pub(crate) const V23: &str = "2";
pub(crate) const DTMF: &str = "5";

/// The program around spandsp, compiled once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("caller_id_spandsp_{}", std::process::id());
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/caller_id.c");
    let mut compiler = Command::new("cc");
    let compiler = compiler.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program);
    let compiled = compiler.args([source, "-lspandsp", "-lm"]).output();
    let compiled = compiled.expect("no C compiler; install the Debian packages gcc and libspandsp-dev");
    let problem = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "install the Debian package libspandsp-dev\n{problem}");
    program
});

/// Lines that spandsp prints about what it hears.
pub(crate) fn read_by_spandsp(standard: &str, samples: &[i16]) -> Vec<String> {
    let mut command = Command::new(&*PROGRAM);
    let command = command.args(["read", standard]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("spandsp starts");
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
    child.stdin.take().expect("a pipe").write_all(&bytes).expect("spandsp reads");
    let output = child.wait_with_output().expect("spandsp ends");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Samples that spandsp sends: type of the message, then `TYPE:TEXT` for each field.
pub(crate) fn sent_by_spandsp(standard: &str, fields: &[&str]) -> Vec<i16> {
    let mut command = Command::new(&*PROGRAM);
    let output = command.args(["send", standard]).args(fields).output().expect("spandsp runs");
    assert!(output.status.success());
    output.stdout.as_chunks().0.iter().map(|bytes| i16::from_ne_bytes(*bytes)).collect()
}

/// As a line delivers it: with silence around it.
pub(crate) fn on_the_line(samples: &[i16]) -> Vec<i16> {
    [&[0; 4_000], samples, &[0; 4_000]].concat()
}

/// Adds white noise `snr_db` below `dbm0` (in the band of 4 kHz), then codes and decodes in µ-law.
pub(crate) fn with_noise(samples: &[i16], dbm0: f32, snr_db: f32, seed: u64) -> Vec<i16> {
    let rms = level::amplitude(dbm0 - snr_db) / std::f32::consts::SQRT_2;
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u32 << 24) as f32
    };
    let mut noisy = |sample: &i16| {
        // Twelve uniform values sum to a variance of 1.
        let noise = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
        let sample = (f32::from(*sample) + noise * rms).round() as i16;
        g711::expand(Law::Mu, g711::compress(Law::Mu, sample))
    };
    samples.iter().map(&mut noisy).collect()
}
