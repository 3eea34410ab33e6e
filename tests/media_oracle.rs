//! What spandsp, written by others, reads out of our caller ID and DTMF.

use ringside::{
    audio::{
        caller_id::{CallerId, Delivery, LocalTime, Message, Preamble},
        dtmf::{self, Key},
        fsk::Variant,
        g711::{self, Law},
        level,
    },
    record::Presentation,
};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::LazyLock,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/caller_id.c");
const AT: LocalTime = LocalTime { month: 11, day: 22, hour: 9, minute: 5 };

/// The receiver, compiled once.
static ORACLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("caller_id_oracle");
    let compiled = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .args([SOURCE, "-lspandsp", "-lm"])
        .output()
        .expect("no C compiler; install the Debian packages gcc and libspandsp-dev");
    let problem = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "install the Debian package libspandsp-dev\n{problem}");
    program
});

/// Lines that the receiver prints.
fn read_by_spandsp(samples: &[i16]) -> Vec<String> {
    let mut child = Command::new(&*ORACLE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// As a line delivers it: with silence around it.
fn on_the_line(samples: Vec<i16>) -> Vec<i16> {
    [vec![0; 4_000], samples, vec![0; 4_000]].concat()
}

fn caller(number: Option<&str>, name: Option<&str>, presentation: Presentation) -> CallerId {
    CallerId { number: number.map(str::to_owned), name: name.map(str::to_owned), presentation, at: AT }
}

#[test]
fn spandsp_reads_number_name_and_time() {
    let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
    let lines = read_by_spandsp(&on_the_line(Delivery::NORTH_AMERICA.render(&id)));
    assert_eq!(
        lines[..4],
        ["message 80", "field 01 11220905", "field 02 3125550142", "field 07 ADS Jane Doe"]
    );
}

#[test]
fn spandsp_reads_why_a_number_is_absent() {
    for (presentation, reason) in [(Presentation::Restricted, 'P'), (Presentation::Unavailable, 'O')] {
        let id = caller(None, None, presentation);
        let lines = read_by_spandsp(&on_the_line(Delivery::NORTH_AMERICA.render(&id)));
        assert_eq!(lines[2..4], [format!("field 04 {reason}"), format!("field 08 {reason}")]);
    }
}

#[test]
fn spandsp_reads_the_number_only_message() {
    let id = caller(Some("3125550142"), None, Presentation::Allowed);
    let lines =
        read_by_spandsp(&on_the_line(Message::single(&id).modulate(Variant::Bell202, Preamble::OnHook)));
    assert_eq!(lines[0], "message 04");
    assert!(lines.iter().any(|line| line.contains("3125550142")), "{lines:?}");
}

/// A loss of 15 dB, which is more than a long loop has, and noise 15 dB below the data.
#[test]
fn spandsp_reads_every_message_over_a_long_noisy_line() {
    let id = caller(Some("3125550142"), Some("WEB Springfield"), Presentation::Allowed);
    let id = Delivery::NORTH_AMERICA.render(&id);
    // Uniform noise of ±a has an rms of a/√3, a sine of peak a one of a/√2.
    let noise = f64::from(level::amplitude(-13.5 - 15.0 - 15.0)) * (3.0_f64 / 2.0).sqrt();
    let loss = 10_f64.powf(-15.0 / 20.0);
    for seed in 0..20_u32 {
        let mut state = seed;
        let noisy: Vec<i16> = on_the_line(id.clone())
            .into_iter()
            .map(|sample| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = (f64::from(state >> 8) / f64::from(1_u32 << 23) - 1.0) * noise;
                let sample = (f64::from(sample) * loss + hiss) as i16;
                g711::expand(Law::Mu, g711::compress(Law::Mu, sample))
            })
            .collect();
        let lines = read_by_spandsp(&noisy);
        let expected = ["field 02 3125550142", "field 07 WEB Springfield"];
        assert!(expected.iter().all(|line| lines.contains(&(*line).to_owned())), "{seed}: {lines:?}");
    }
}

#[test]
fn spandsp_reads_every_dialled_key() {
    let signs = "0123456789*#ABCD";
    let keys: Vec<Key> = signs.chars().filter_map(Key::from_sign).collect();
    let lines = read_by_spandsp(&on_the_line(dtmf::dial(&keys)));
    assert_eq!(lines, [format!("digits {signs}")]);
}
