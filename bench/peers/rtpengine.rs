//! rtpengine as Debian builds it, in user space, recording to pcap; it is asked over its `ng` protocol.

use crate::{
    Absent, Program,
    load::{self, Leg, Load},
    sip::audio,
};
use std::{
    collections::BTreeMap,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ADDRESS: &str = "127.0.0.43";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(1);

struct Running {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(calls: usize) -> Result<Program, Absent> {
    if Command::new("rtpengine").arg("--version").output().is_err() {
        return Err(Absent::NotInstalled("rtpengine-daemon"));
    }
    started(calls).map_err(Absent::Failed)
}

fn started(calls: usize) -> Result<Program, String> {
    let error = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(error)?;
    // Free a moment ago; nobody else uses this address.
    let free = UdpSocket::bind((ADDRESS, 0)).and_then(|socket| socket.local_addr()).map_err(error)?;
    let child = Command::new("rtpengine")
        .args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=2", "--table=-1"])
        .args([format!("--interface={ADDRESS}"), format!("--listen-ng={free}")])
        .args(["--port-min=21000", "--port-max=21999", "--recording-method=pcap", "--recording-format=eth"])
        .arg(format!("--recording-dir={}", folder.path().display()))
        .arg(format!("--pidfile={}", folder.path().join("pid").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(error)?;
    let (process, recordings) = (child.id(), folder.path().to_owned());
    let running = Running { child, _folder: folder };
    let control = Control::open(free)?;
    let mut legs = Vec::new();
    for n in 0..calls {
        let sockets = [load::socket().map_err(error)?, load::socket().map_err(error)?];
        let ends = control.call(n, &sockets)?;
        for (side, (socket, end)) in sockets.into_iter().zip(ends).enumerate() {
            legs.push(Leg::new(2 * n + side, socket, end));
        }
    }
    let mut load = Load::new(legs);
    load.run(SETTLING);
    Ok(Program {
        name: "rtpengine",
        process,
        load,
        recordings,
        rounds: Vec::new(),
        _running: Box::new(running),
    })
}

/// The `ng` protocol: a cookie, a space, a bencoded dictionary; the answer has the same cookie.
struct Control {
    socket: UdpSocket,
}

impl Control {
    /// Waits until it answers.
    fn open(to: SocketAddr) -> Result<Self, String> {
        let error = |error: std::io::Error| error.to_string();
        let socket = UdpSocket::bind((load::ADDRESS, 0)).map_err(error)?;
        socket.connect(to).map_err(error)?;
        socket.set_read_timeout(Some(Duration::from_millis(200))).map_err(error)?;
        let (control, until) = (Self { socket }, Instant::now() + PATIENCE);
        while control.ask("ping", &[("command", "ping")]).is_err() {
            if Instant::now() > until {
                return Err(format!("rtpengine does not answer on {to}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(control)
    }

    /// Sets up a recorded call between two sockets of ours; where each of them sends.
    fn call(&self, n: usize, sides: &[UdpSocket; 2]) -> Result<[SocketAddr; 2], String> {
        let id = format!("{n}@peers");
        let offer = [
            ("ICE", "remove"),
            ("call-id", &id),
            ("command", "offer"),
            ("from-tag", "a"),
            ("record call", "yes"),
            ("sdp", &sdp(&sides[0])?),
        ];
        // What comes back is for the other side: where that one sends.
        let for_b = self.ask(&format!("offer{n}"), &offer)?;
        let answer = [
            ("ICE", "remove"),
            ("call-id", &id),
            ("command", "answer"),
            ("from-tag", "a"),
            ("record call", "yes"),
            ("sdp", &sdp(&sides[1])?),
            ("to-tag", "b"),
        ];
        let for_a = self.ask(&format!("answer{n}"), &answer)?;
        let end = |text: &str| audio(text).ok_or_else(|| format!("no audio in the answer: {text}"));
        Ok([end(&for_a)?, end(&for_b)?])
    }

    fn ask(&self, cookie: &str, words: &[(&str, &str)]) -> Result<String, String> {
        let entries: BTreeMap<_, _> = words.iter().copied().collect();
        let words: String = entries
            .iter()
            .map(|(key, value)| format!("{}:{key}{}:{value}", key.len(), value.len()))
            .collect();
        self.socket.send(format!("{cookie} d{words}e").as_bytes()).map_err(|error| error.to_string())?;
        let mut buf = [0; 8_192];
        loop {
            let length =
                self.socket.recv(&mut buf).map_err(|error| format!("no answer to {cookie}: {error}"))?;
            let text = String::from_utf8_lossy(&buf[..length]).into_owned();
            // An answer to an earlier question that came late is passed over.
            if !text.starts_with(cookie) {
                continue;
            }
            if text.contains("6:result5:error") {
                return Err(text);
            }
            return Ok(text);
        }
    }
}

fn sdp(socket: &UdpSocket) -> Result<String, String> {
    let local = socket.local_addr().map_err(|error| error.to_string())?;
    let (ip, port) = (local.ip(), local.port());
    Ok(format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    ))
}
