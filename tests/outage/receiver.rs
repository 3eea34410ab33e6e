//! A receiver with its records and recordings in a directory, and what is in there.

use crate::shared::web;
use ringside::{
    id::{BoxId, CallId, RecordingId},
    record::CallRecord,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_ringside");

/// A receiver that is stopped at first. Dropped, it is killed.
pub(crate) struct Receiver {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// A record as it was received.
#[derive(Deserialize)]
pub(crate) struct Received {
    /// Its place among all that was received of this box.
    pub(crate) hq_seq: u64,
    /// The newest revision.
    pub(crate) record: CallRecord,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        Self { folder: tempfile::tempdir().unwrap(), port, child: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("upstream").args(arguments).arg("--data").arg(self.folder.path());
        command
    }

    /// Lets a box send; its token.
    pub(crate) fn add(&self, id: BoxId) -> String {
        let output = self.command(&["box", "add", &id.to_string(), "--name", "Miller"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn start(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = self.command(&["run", "--listen", &listen]);
        let mut child = command.env("RINGSIDE_LOG", "warn").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("receiving on "), "the receiver did not start: {line:?}");
        self.child = Some(child);
    }

    /// As a power cut.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A counter of `/metrics`.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        web::metric(SocketAddr::from(([127, 0, 0, 1], self.port)), series) as u64
    }

    /// How many records are here, by the names of their files alone.
    pub(crate) fn count_records(&self, id: BoxId) -> usize {
        let calls = self.folder.path().join("boxes").join(id.to_string()).join("calls");
        let names = fs::read_dir(calls).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".json")).count()
    }

    /// Every record, by its call.
    pub(crate) fn records(&self, id: BoxId) -> BTreeMap<CallId, Received> {
        let calls = self.folder.path().join("boxes").join(id.to_string()).join("calls");
        let read = |path: PathBuf| -> Received { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let files = fs::read_dir(calls).into_iter().flatten().flatten().map(|entry| entry.path());
        let whole = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        whole.map(read).map(|received| (received.record.id, received)).collect()
    }

    fn recordings_dir(&self, id: BoxId) -> PathBuf {
        self.folder.path().join("objects/recordings").join(id.to_string())
    }

    /// How many recordings are here.
    pub(crate) fn count_recordings(&self, id: BoxId) -> usize {
        fs::read_dir(self.recordings_dir(id)).map_or(0, Iterator::count)
    }

    /// The digests of everything that is here as one recording.
    pub(crate) fn digests(&self, id: BoxId, recording: RecordingId) -> Vec<String> {
        let files = fs::read_dir(self.recordings_dir(id).join(recording.to_string()));
        files.into_iter().flatten().flatten().map(|entry| digest(&entry.path())).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// BLAKE3 of a file, hex.
pub(crate) fn digest(path: &Path) -> String {
    blake3::hash(&fs::read(path).unwrap()).to_hex().to_string()
}
