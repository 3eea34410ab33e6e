//! Receivers, PostgreSQL and an S3 server as they run: real processes that can be killed.

use super::sender::Office;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_ringside");
/// Who may read and write in the test's bucket.
pub const S3_KEY: [&str; 2] =
    ["GK31c2f218a2e44f485b94239e", "b892c0665f0ada8a4755dae98baa3b133590e11dae3bcc1f9d769d67f16c3835"];
/// Short: `s3s-fs` makes one file name of it and of a whole key in base64, and a name has 255 bytes.
pub const BUCKET: &str = "rec";
pub const OPERATOR: &str = "the operator's long token";

/// A receiver. Dropped, it is killed.
pub struct Running {
    child: Child,
    pub base: String,
    arguments: Vec<String>,
    pub port: u16,
}

impl Running {
    /// Starts a receiver on a port of its own and waits until it listens.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        let arguments: Vec<String> =
            arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned()).collect();
        let port = free_port();
        let child = spawn(&arguments, port);
        let mut running = Self { child, base: format!("http://127.0.0.1:{port}"), arguments, port };
        assert!(running.listens(), "a receiver did not start");
        running
    }

    fn listens(&mut self) -> bool {
        let out = self.child.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        line.starts_with("receiving on ")
    }

    /// As a power cut of the process: nothing is brought to an end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port: if its stores do not answer in time more than once, as its supervisor does.
    pub fn start_again(&mut self) {
        for _ in 0..10 {
            self.child = spawn(&self.arguments, self.port);
            if self.listens() {
                return;
            }
            self.child.wait().unwrap();
        }
        panic!("a receiver did not start again");
    }
}

fn spawn(arguments: &[String], port: u16) -> Child {
    Command::new(BINARY)
        .args(["upstream", "run", "--listen", &format!("127.0.0.1:{port}")])
        .args(arguments)
        .env("RINGSIDE_LOG", std::env::var("RINGSIDE_LOG").unwrap_or_else(|_| "error".to_owned()))
        .env("RINGSIDE_OPERATOR_TOKEN", OPERATOR)
        .env("AWS_ACCESS_KEY_ID", S3_KEY[0])
        .env("AWS_SECRET_ACCESS_KEY", S3_KEY[1])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the receiver to its end; what it printed.
pub fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Result<String, String> {
    let out = Command::new(BINARY).arg("upstream").args(arguments).output().unwrap();
    let (good, bad) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    if out.status.success() { Ok(good.trim().to_owned()) } else { Err(bad) }
}

/// Adds a box to a store and gives it its token.
pub fn admit(store: &[String], mut office: Office) -> Office {
    let mut arguments =
        ["box", "add", &office.id.to_string(), "--name", "Bel Air Plumbing"].map(str::to_owned).to_vec();
    arguments.extend_from_slice(store);
    office.token = command(&arguments).unwrap();
    assert_eq!(office.token.len(), 64);
    office
}

pub fn directory(folder: &TempDir) -> Vec<String> {
    vec!["--data".to_owned(), folder.path().to_str().unwrap().to_owned()]
}

/// A port that nobody listens on, below those that the kernel gives to connections going out: on one of theirs,
/// whoever is killed might find a connection when it starts again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another run of these tests beginning in the same moment tries others first.
    let first = u16::try_from(std::process::id() % 1_000).unwrap() * 16;
    loop {
        let port = 16_384 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A private PostgreSQL of Debian's package.
pub struct Database {
    folder: TempDir,
    programs: PathBuf,
    pub port: u16,
}

impl Database {
    /// Starts one; `None`, and why, if there is no PostgreSQL here.
    pub fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let Some(programs) = versions.map(|version| version.path().join("bin")).max() else {
            println!("skipped: there is no PostgreSQL here; apt-get install postgresql");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap();
            assert!(owned.success());
        }
        let database = Self { folder, programs, port: free_port() };
        database.run("initdb", &["--auth=trust", "--username=ringside", "--encoding=UTF8", "--no-locale"]);
        database.start_again();
        Some(database)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        // PostgreSQL refuses to run as root.
        let mut command = Command::new(if is_root() { "runuser" } else { "env" });
        if is_root() {
            command.args(["-u", "postgres", "--"]);
        }
        let command = command.arg(self.programs.join(program)).arg("-D").arg(self.data()).args(arguments);
        let out = command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(out.success(), "{program} {arguments:?}");
    }

    pub fn start_again(&self) {
        let socket = self.folder.path().display();
        let options =
            format!("-p {} -k {socket} -c listen_addresses=127.0.0.1 -c max_connections=200", self.port);
        self.run("pg_ctl", &["-w", "-l", "/dev/null", "-o", &options, "start"]);
    }

    /// As a crash: no checkpoint, the next start recovers.
    pub fn crash(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    pub fn url(&self) -> String {
        format!("postgres://ringside@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    pub fn store(&self) -> Vec<String> {
        vec!["--postgres".to_owned(), self.url()]
    }

    /// The answer to one statement, fields parted by `|`.
    pub fn ask(&self, statement: &str) -> String {
        let out =
            Command::new(self.programs.join("psql")).args(["-tAc", statement, &self.url()]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.crash()));
        drop(done);
    }
}

fn is_root() -> bool {
    Path::new("/root").read_dir().is_ok()
}

/// An S3 server inside of the test, on a directory.
pub struct Bucket {
    pub port: u16,
    pub folder: TempDir,
}

impl Bucket {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder =
            s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(s3s::auth::SimpleAuth::from_single(S3_KEY[0], S3_KEY[1]));
        let service = builder.build().into_shared();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    let service = service.clone();
                    tokio::spawn(async move {
                        let io = hyper_util::rt::TokioIo::new(socket);
                        let http = hyper_util::server::conn::auto::Builder::new(
                            hyper_util::rt::TokioExecutor::new(),
                        );
                        let _ = http.serve_connection(io, service).await;
                    });
                }
            });
        });
        Self { port, folder }
    }

    pub fn arguments(&self) -> Vec<String> {
        bucket_arguments(self.port, "us-east-1")
    }
}

pub fn bucket_arguments(port: u16, region: &str) -> Vec<String> {
    let endpoint = format!("http://127.0.0.1:{port}");
    ["--s3-bucket", BUCKET, "--s3-endpoint", &endpoint, "--s3-region", region].map(str::to_owned).to_vec()
}

/// Waits until something has come true.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < until, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}
