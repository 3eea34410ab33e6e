//! SIPp as the caller, and as the callee of the box.

use super::running::RunningBox;
use std::{
    fs,
    net::{SocketAddr, UdpSocket},
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
    let child = trace(&mut command, folder.path()).args(arguments).spawn().unwrap();
    Sipp { child, folder, name: scenario.to_owned() }
}

/// Waits for calls with one of `tests/peers/*.xml`; says where.
pub(crate) fn answer(scenario: &str, arguments: &[&str]) -> (Sipp, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let free = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (sip, rtp) = (free(), free());
    let mut command = Command::new("sipp");
    command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &sip.port().to_string()]);
    command.args(["-mp", &rtp.port().to_string(), "-sf"]).arg(own_scenario(scenario));
    let child = trace(&mut command, folder.path()).args(arguments).spawn().unwrap();
    (Sipp { child, folder, name: scenario.to_owned() }, sip)
}

/// What every SIPp here is told: to end by itself, to count, and to say what it minds.
fn trace<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command.args(["-nostdin", "-timeout", "120", "-trace_stat", "-stf", "counts.csv", "-trace_err"]);
    command.args(["-error_file", "errors.txt"]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
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
