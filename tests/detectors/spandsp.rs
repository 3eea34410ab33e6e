//! What spandsp makes, read by ours, and what ours makes, read by spandsp.
#![allow(clippy::disallowed_methods, reason = "a thread feeds the other program while it answers")]

use crate::signal::{clean, signs, silence};
use ringside::audio::dtmf::{self, Key};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/tones.c");

/// The program, compiled once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tones_oracle");
    let compiled = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .args([SOURCE, "-lspandsp", "-lm"])
        .output()
        .expect("a C compiler; install the Debian package gcc");
    let complaint = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaint}\ninstall the Debian package libspandsp-dev");
    program
});

fn run(args: &[&str], input: Vec<u8>) -> Output {
    let mut child = Command::new(&*PROGRAM)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut stdin = child.stdin.take().unwrap();
    // It answers while it still reads.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{args:?}");
    output
}

/// Samples that spandsp makes.
pub(crate) fn make(args: &[&str]) -> Vec<i16> {
    let output = run(args, Vec::new()).stdout;
    output.chunks_exact(2).map(|pair| i16::from_ne_bytes([pair[0], pair[1]])).collect()
}

/// The keys that spandsp reads in each recording.
pub(crate) fn read_keys(recordings: &[&[i16]]) -> Vec<String> {
    let mut input = Vec::new();
    for recording in recordings {
        input.extend((recording.len() as u32).to_ne_bytes());
        input.extend(recording.iter().flat_map(|sample| sample.to_ne_bytes()));
    }
    let output = run(&["read"], input).stdout;
    String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn spandsp_reads_the_keys_that_are_dialled_here() {
    let signs = "0123456789*#ABCD";
    let keys: Vec<Key> = signs.chars().filter_map(Key::from_sign).collect();
    assert_eq!(read_keys(&[&dtmf::dial(&keys)]), [signs]);
}

#[test]
fn keys_that_spandsp_dials_are_read_here() {
    let sent = "0123456789*#ABCD00112233";
    for (on, off, level, twist) in
        [(50, 55, -10, 0), (40, 40, -10, 2), (100, 100, -25, 0), (40, 50, -15, -8), (60, 60, -6, 4)]
    {
        let [on, off, level, twist] = [on, off, level, twist].map(|n: i32| n.to_string());
        let samples = make(&["keys", sent, &on, &off, &level, &twist]);
        let line: Vec<f64> = samples.into_iter().map(f64::from).collect();
        let line = clean(&[silence(73.0), line, silence(100.0)].concat());
        assert_eq!(signs(&line), sent, "{on} {off} {level} {twist}");
    }
}
