//! baresip as the caller, without a display or a sound card: it plays a WAV file into the call.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Where Debian installs the modules, by architecture or not.
const MODULES: &str = "/usr/lib/baresip/modules";

/// A baresip that runs.
pub(crate) struct Baresip {
    child: Child,
    _folder: tempfile::TempDir,
}

/// Whether baresip and its file player are there; says so if not.
pub(crate) fn is_here() -> bool {
    let here = Path::new(MODULES).join("aufile.so").exists();
    if !here {
        eprintln!("skipped: there is no {MODULES}/aufile.so; install the Debian package baresip-core");
    }
    here
}

/// Calls `number` at `sip` and plays `speech` from the moment somebody answers.
pub(crate) fn call(sip: SocketAddr, number: &str, speech: &Path) -> Baresip {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "poll_method epoll\nsip_listen 127.0.0.1:0\nnet_interface 127.0.0.1\naudio_source aufile,{}\n\
         ausrc_srate 8000\nausrc_channels 1\nmodule_path {MODULES}\nmodule g711.so\nmodule aufile.so\n\
         module_app account.so\nmodule_app menu.so\n",
        speech.display()
    );
    let account = "<sip:+13125550142@127.0.0.1;transport=udp>;regint=0;audio_codecs=pcmu\n";
    for (name, text) in [("config", config.as_str()), ("accounts", account), ("contacts", "")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let child = Command::new("baresip")
        .args(["-4", "-t", "60", "-f"])
        .arg(folder.path())
        .args(["-e", &format!("/dial sip:{number}@{sip}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Baresip { child, _folder: folder }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // It stays after its call, until its own time is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
