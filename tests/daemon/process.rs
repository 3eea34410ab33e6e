//! The real binary as a child process, and what it left behind.

use super::{site::Site, web};
use ringside::record::{CallRecord, Ended, RecordingState};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_ringside");
/// How long anything may take on a busy machine before the test has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// A running box. Dropped, it is killed.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// From the start of the process to the first `ok` of `/healthz`.
    pub ready_after: Duration,
}

impl Process {
    /// Starts the box and waits until it takes calls on every phone.
    pub fn start(site: &Site) -> Self {
        let started = Instant::now();
        let mut child = Command::new(BINARY)
            .arg("run")
            .arg("--config")
            .arg(site.config_file())
            .arg("--data")
            .arg(site.data())
            .env("RINGSIDE_LOG", "info,ringside::io::line_io=debug")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (errors, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut process = Self { child, log, ready_after: Duration::ZERO };
        process.wait("it is healthy", || {
            web::get(site.web(), "/healthz").is_ok_and(|(status, _)| status == 200)
        });
        process.ready_after = started.elapsed();
        process.wait("every phone line is up", || process.logged("change=Fxs(Up)") >= site.phones());
        process
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        eventually(PATIENCE, &done).unwrap_or_else(|| panic!("{what} did not come true:\n{}", self.log()));
    }

    fn logged(&self, words: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has; how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        (self.child.wait().unwrap(), asked.elapsed())
    }

    /// Waits until it has ended by itself; how, and what it wrote.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        // What it wrote last is still on its way here.
        eventually(PATIENCE, || Arc::strong_count(&self.log) == 1).expect("the log ends");
        (status, self.log())
    }

    /// Memory that is resident, in kB.
    pub fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every call record of the data directory, by the command line.
pub fn calls(site: &Site) -> Vec<CallRecord> {
    let data = site.data();
    let output = Command::new(BINARY).args(["calls", "--json", "--data"]).arg(&data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records, once there are `count` and all of them are closed.
pub fn closed_calls(site: &Site, count: usize) -> Vec<CallRecord> {
    let closed = |record: &CallRecord| {
        record.outcome.ended != Ended::InProgress && record.recording.state != RecordingState::Writing
    };
    let done = || {
        let records = calls(site);
        (records.iter().filter(|record| closed(record)).count() >= count).then_some(records)
    };
    let until = Instant::now() + PATIENCE;
    loop {
        match done() {
            Some(records) => return records,
            None if Instant::now() > until => {
                panic!("{count} closed calls are not there: {:#?}", calls(site))
            }
            None => sleep(20 * LOOK),
        }
    }
}

/// What `verify` finds wrong; `None` if nothing.
pub fn verify(site: &Site) -> Option<String> {
    let output = Command::new(BINARY).args(["verify", "--data"]).arg(site.data()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8_lossy(&text).into_owned())
}

/// Waits for a condition; how long it took, `None` if it did not come true in time.
pub fn eventually(patience: Duration, done: impl Fn() -> bool) -> Option<Duration> {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > patience {
            return None;
        }
        sleep(LOOK);
    }
    Some(started.elapsed())
}
