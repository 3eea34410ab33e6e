//! What is held against our concealment: spandsp's `plc_fillin()` and silence, on the same losses of the same speech.

use super::{
    call::PACKET,
    listening::{lost, mean, score},
};
use ringside::audio::g711::{self, Law};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// How it sounds if what is missing is silent.
pub(crate) fn zero_fill(speech: &[i16], loss: u32) -> f64 {
    mean(|seed| {
        let mut heard = companded(speech);
        for (samples, lost) in heard.chunks_exact_mut(PACKET).zip(lost(speech, loss, seed)) {
            if lost {
                samples.fill(0);
            }
        }
        score(speech, &heard)
    })
}

/// How it sounds if spandsp conceals what is missing.
pub(crate) fn spandsp(speech: &[i16], loss: u32) -> f64 {
    let program = oracle();
    mean(|seed| {
        let mut blocks = Vec::new();
        for (samples, lost) in companded(speech).chunks_exact(PACKET).zip(lost(speech, loss, seed)) {
            blocks.push(u8::from(lost));
            blocks.extend(samples.iter().flat_map(|sample| sample.to_ne_bytes()));
        }
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle runs");
        let mut input = child.stdin.take().expect("piped");
        let writer = std::thread::spawn(move || input.write_all(&blocks).expect("the oracle reads"));
        let output = child.wait_with_output().expect("the oracle ends");
        writer.join().expect("everything was written");
        let heard: Vec<i16> =
            output.stdout.as_chunks::<2>().0.iter().map(|&bytes| i16::from_ne_bytes(bytes)).collect();
        score(speech, &heard)
    })
}

fn companded(speech: &[i16]) -> Vec<i16> {
    speech.iter().map(|&sample| g711::expand(Law::Mu, g711::compress(Law::Mu, sample))).collect()
}

/// spandsp's concealment, compiled.
fn oracle() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conceal_oracle");
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/conceal.c"))
        .args(["-lspandsp", "-lm"])
        .output()
        .expect("a C compiler; install the package gcc");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}; install the package libspandsp-dev");
    program
}
