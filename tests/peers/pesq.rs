//! ITU-T P.862 by the package `pesq` of PyPI, in a Python of its own below `target/`.

use ringside::audio::wav;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The release that the figures were made with.
const PACKAGES: [&str; 2] = ["pesq==0.0.4", "numpy"];

/// Reads two WAV files of 8 kHz and prints the narrow-band score of the second against the first.
const PROGRAM: &str = "
import sys, wave
import numpy
from pesq import pesq
def samples(name):
    with wave.open(name) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype='<i2')
print(pesq(8000, samples(sys.argv[1]), samples(sys.argv[2]), 'nb'))
";

/// The Python that has it, made at the first use; `None`, with the reason printed, if it cannot be had.
static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pesq");
    let python = folder.join("bin/python");
    let run = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let works = || run(Command::new(&python).args(["-c", "import numpy, pesq"]));
    let made = works()
        || (run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))
            && works());
    if !made {
        eprintln!(
            "skipped: no PESQ; it needs python3, python3-venv, gcc and the PyPI packages pesq and numpy"
        );
    }
    made.then_some(python)
});

/// The score of what was heard against what was said, −0.5 to 4.5; `None` if there is no PESQ here.
pub(crate) fn pesq(said: &[i16], heard: &[i16]) -> Option<f64> {
    let python = PYTHON.as_ref()?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, samples: &[i16]| {
        let path = folder.path().join(name);
        fs::write(&path, wav::encode(samples)).unwrap();
        path
    };
    let (said, heard) = (file("said.wav", said), file("heard.wav", heard));
    let output = Command::new(python).args(["-c", PROGRAM]).arg(said).arg(heard).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}
