//! baresip as Debian builds it, answering by itself: speech from a WAV file, both directions dumped as WAV.
//!
//! Debian's version has no player that writes files, so there is none here: what is received is decoded and dumped, and
//! nobody listens, which is less work than a call with a sound card.

use crate::{
    Absent, Program,
    load::{self, Leg, Load},
    sip::Caller,
};
use ringside::audio::wav;
use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Where Debian installs the modules.
const MODULES: &str = "/usr/lib/baresip/modules";
const ADDRESS: &str = "127.0.0.42";
/// Between two calls: the names of the dumps differ by the second.
const BETWEEN: Duration = Duration::from_millis(1_050);
/// Speech for the longest run; at its end baresip ends the call.
const SPEECH_SECONDS: usize = 600;
const SETTLING: Duration = Duration::from_secs(1);

struct Running {
    child: Child,
    _folder: tempfile::TempDir,
    caller: Caller,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(calls: usize) -> Result<Program, Absent> {
    if ["aufile.so", "sndfile.so", "g711.so"].iter().any(|module| !Path::new(MODULES).join(module).exists()) {
        return Err(Absent::NotInstalled("baresip-core"));
    }
    started(calls).map_err(Absent::Failed)
}

fn started(calls: usize) -> Result<Program, String> {
    let error = |error: std::io::Error| error.to_string();
    // Free a moment ago; nobody else uses this address.
    let sip = UdpSocket::bind((ADDRESS, 0)).and_then(|socket| socket.local_addr()).map_err(error)?;
    let folder = set_up(sip).map_err(error)?;
    let child = Command::new("baresip")
        .args(["-4", "-f"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(error)?;
    let (process, recordings) = (child.id(), folder.path().join("dumps"));
    let running = Running { child, _folder: folder, caller: Caller::new(sip).map_err(error)? };
    sleep(Duration::from_millis(500));
    let mut legs = Vec::new();
    for n in 0..calls {
        let socket = load::socket().map_err(error)?;
        let caller = &running.caller;
        caller.invite(n, "bench", &socket).map_err(error)?;
        let audio = caller.answers(1)?;
        legs.push(Leg::new(n, socket, *audio.first().ok_or("no answer")?));
        sleep(BETWEEN);
    }
    let mut load = Load::new(legs);
    load.run(SETTLING);
    Ok(Program {
        name: "baresip",
        process,
        load,
        recordings,
        rounds: Vec::new(),
        _running: Box::new(running),
    })
}

fn set_up(sip: SocketAddr) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let (dumps, speech) = (folder.path().join("dumps"), folder.path().join("speech.wav"));
    fs::create_dir(&dumps)?;
    let words = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/board/sim/hello.wav"))?;
    let words = wav::decode(&words).map_err(std::io::Error::other)?;
    let words: Vec<i16> = words.into_iter().cycle().take(8_000 * SPEECH_SECONDS).collect();
    fs::write(&speech, wav::encode(&words))?;
    let config = format!(
        "poll_method epoll\nsip_listen {sip}\nnet_interface {ADDRESS}\ncall_max_calls 64\n\
         audio_source aufile,{}\nausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
         snd_path {}\nmodule_path {MODULES}\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n\
         module_app account.so\nmodule_app menu.so\n",
        speech.display(),
        dumps.display()
    );
    let account = format!("<sip:bench@{ADDRESS};transport=udp>;regint=0;answermode=auto;audio_codecs=pcmu\n");
    for (name, text) in [("config", config.as_str()), ("accounts", &account), ("contacts", "")] {
        fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}
