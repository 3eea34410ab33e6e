//! SIPp as the caller.

use super::running::RunningBox;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Debian's example streams, which the scenario `uac_pcap` plays.
const STREAMS: &str = "/usr/share/sip-tester";

/// A SIPp that runs.
pub(crate) struct Sipp {
    child: Child,
    folder: tempfile::TempDir,
    name: String,
}

/// What it counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) successful: u32,
    pub(crate) failed: u32,
    pub(crate) retransmitted: u32,
}

/// Whether SIPp is there; says so if not.
pub(crate) fn is_here() -> bool {
    let here = Command::new("sipp").arg("-v").output().is_ok();
    if !here {
        eprintln!("skipped: there is no sipp; install the Debian package sip-tester");
    }
    here
}

/// Places calls to `number`: a built-in scenario by its name, or one of `tests/peers/*.xml` by its file name.
pub(crate) fn start(running: &RunningBox, scenario: &str, number: &str, arguments: &[&str]) -> Sipp {
    let folder = tempfile::tempdir().unwrap();
    // `uac_pcap` looks for its streams below its working directory.
    std::os::unix::fs::symlink(STREAMS, folder.path().join("pcap")).unwrap();
    let file = own_scenario(scenario);
    let mut command = Command::new("sipp");
    command.arg(running.sip.to_string()).args(["-s", number, "-i", "127.0.0.1", "-mi", "127.0.0.1"]);
    if file.exists() {
        command.arg("-sf").arg(file);
    } else {
        command.args(["-sn", scenario]);
    }
    command.args(["-nostdin", "-timeout", "120", "-trace_stat", "-stf", "counts.csv", "-trace_err"]);
    command.args(["-error_file", "errors.txt"]).args(arguments).current_dir(folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Sipp { child, folder, name: scenario.to_owned() }
}

fn own_scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(format!("{name}.xml"))
}

impl Sipp {
    /// Waits for its end.
    pub(crate) fn finish(&mut self) -> Counts {
        let status = self.child.wait().unwrap();
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let (table, errors) = (read("counts.csv"), read("errors.txt"));
        let (head, last) =
            (table.lines().next().unwrap_or_default(), table.lines().last().unwrap_or_default());
        let column = |name: &str| -> u32 {
            let place = head.split(';').position(|column| column == name);
            let value = place.and_then(|place| last.split(';').nth(place)?.parse().ok());
            value.unwrap_or_else(|| panic!("{}: no {name} from sipp ({status}): {errors}", self.name))
        };
        let counts = Counts {
            successful: column("SuccessfulCall(C)"),
            failed: column("FailedCall(C)"),
            retransmitted: column("Retransmissions(C)"),
        };
        println!("sipp {}: {counts:?}", self.name);
        assert!(status.success(), "{}: {errors}", self.name);
        counts
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // Over already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
