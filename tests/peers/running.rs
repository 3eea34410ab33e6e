//! The real program as a process of its own: started on a site that the test writes, watched from outside.

#![allow(dead_code, reason = "tests and benches use different parts")]

use serde_json::Value;
use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take before it has failed; the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// RTP ports of one site: room for 24 phones and the spare ones.
const RTP_PORTS: u16 = 80;
/// Where sites look for RTP ports: below the ephemeral ports of Linux.
const FIRST_RTP_PORT: u16 = 17_000;
const RTP_SITES: u16 = 180;
/// Clock ticks of `/proc` in a second (`sysconf(_SC_CLK_TCK)` on every Linux).
const TICKS_PER_S: f64 = 100.0;

static SITES: AtomicU16 = AtomicU16::new(0);

/// The folder of a site: its board and office, the configuration, what the box keeps.
pub(crate) struct Site {
    dir: tempfile::TempDir,
}

/// The running program; it is killed when the test forgets it.
pub(crate) struct RunningBox {
    child: Child,
    site: Site,
    log: Arc<Mutex<String>>,
    pub(crate) sip: SocketAddr,
    pub(crate) web: SocketAddr,
}

impl Site {
    /// A site on the board `sim` or `sim24`, with the people of `office`, who may say `hello.wav`. `phones` names the
    /// phones that ring for `+13125550100`, 101 and so on; numbers beyond them ring the first phone.
    pub(crate) fn new(board: &str, phones: &[&str], office: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("board").join(board);
        fs::copy(from.join("profile.toml"), site.path("profile.toml")).unwrap();
        fs::write(site.path("office.toml"), office).unwrap();
        fs::copy(from.with_file_name("sim").join("hello.wav"), site.path("hello.wav")).unwrap();
        let config = fs::read_to_string(from.join("ringside.toml")).unwrap();
        fs::write(site.path("site.toml"), one_phone_each(&config, phones)).unwrap();
        site
    }

    /// A file of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives the site a second trunk, which registers there.
    pub(crate) fn register_at(&self, registrar: SocketAddr) {
        let trunk = format!(
            "\n[[trunk]]\nname = \"registrar\"\nmode = \"register\"\nregistrar = \"{registrar}\"\nuser = \"box\"\n\
             password = \"open sesame\"\n"
        );
        self.append(&trunk);
    }

    /// Adds lines to the end of the configuration.
    pub(crate) fn append(&self, lines: &str) {
        let path = self.path("site.toml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + lines).unwrap();
    }

    /// Writes the configuration with RTP ports of its own; parallel sites get different ones.
    pub(crate) fn configure(&self) -> PathBuf {
        let place = (std::process::id() as u16).wrapping_mul(7) + SITES.fetch_add(1, Ordering::Relaxed);
        let first = FIRST_RTP_PORT + place % RTP_SITES * RTP_PORTS;
        let rtp = format!("\n[rtp]\nports = [{first}, {}]\n", first + RTP_PORTS - 1);
        let path = self.path("ringside.toml");
        fs::write(&path, fs::read_to_string(self.path("site.toml")).unwrap() + &rtp).unwrap();
        path
    }

    /// Starts the program `binary` and waits until it takes calls.
    pub(crate) fn start(self, binary: &str) -> RunningBox {
        for _ in 0..5 {
            let config = self.configure();
            let mut command = Command::new(binary);
            command.args(["run", "--sip", "127.0.0.1:0", "--web", "127.0.0.1:0", "--config"]);
            command.arg(config).arg("--data").arg(self.path("data"));
            let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
            let log = Arc::new(Mutex::new(String::new()));
            let lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let kept = Arc::clone(&log);
            std::thread::spawn(move || keep(lines, &kept));
            if let Some((sip, web)) = wait_ready(&mut child, &log) {
                return RunningBox { child, site: self, log, sip, web };
            }
            // Most likely another program has one of the RTP ports.
            eprintln!("{}", lock(&log));
        }
        panic!("the box does not start");
    }
}

/// Tracking numbers and ring groups of one phone each.
fn one_phone_each(config: &str, phones: &[&str]) -> String {
    // What comes behind is the board's own choice of numbers.
    let (mut site, _) = config.split_once("[[tracking_number]]").unwrap();
    site = site.split_once("[[ring_group]]\nname = \"office\"").map_or(site, |(before, _)| before);
    let campaign = "[[campaign]]\nid = \"spring-mailer\"\nname = \"Spring mailer\"\n";
    let site = site.split_once("[[campaign]]").map_or(site, |(before, _)| before);
    let mut config = format!("{site}{campaign}");
    for phone in phones {
        config += &format!("\n[[ring_group]]\nname = \"{phone}\"\nports = [\"{phone}\"]\n");
    }
    for n in 0..phones.len().max(4) {
        let group = phones.get(n).unwrap_or(&phones[0]);
        config += &format!(
            "\n[[tracking_number]]\nnumber = \"{}\"\ncampaign = \"spring-mailer\"\nring_group = \"{group}\"\n\
             forwarding_number = \"+13125550199\"\n",
            number(n)
        );
    }
    config
}

/// The `n`-th tracking number of a site.
pub(crate) fn number(n: usize) -> String {
    format!("+131255501{n:02}")
}

fn keep(lines: impl Iterator<Item = io::Result<String>>, log: &Mutex<String>) {
    for line in lines.map_while(Result::ok) {
        let mut log = lock(log);
        log.push_str(&line);
        log.push('\n');
    }
}

fn lock(log: &Mutex<String>) -> std::sync::MutexGuard<'_, String> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The addresses in the line that says `ready`; `None` if the program ended before.
fn wait_ready(child: &mut Child, log: &Mutex<String>) -> Option<(SocketAddr, SocketAddr)> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let ready = lock(log).lines().find(|line| line.contains(" ready ")).map(str::to_owned);
        if let Some(line) = ready {
            let address =
                |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok());
            return address("sip=").zip(address("web="));
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        sleep(Duration::from_millis(20));
    }
    None
}

impl RunningBox {
    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        lock(&self.log).clone()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A file of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// The call records, as `ringside calls --json` prints them.
    pub(crate) fn calls(&self, binary: &str) -> Vec<Value> {
        let output =
            Command::new(binary).args(["calls", "--json", "--data"]).arg(self.path("data")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The records once there are `wanted`, all are over, and their recordings closed.
    pub(crate) fn finished_calls(&self, binary: &str, wanted: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let calls = self.calls(binary);
            let open = |call: &Value| {
                call["outcome"]["ended"] == "in_progress" || call["recording"]["state"] == "writing"
            };
            if (calls.len() >= wanted && !calls.iter().any(open)) || Instant::now() > until {
                return calls;
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// The body of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.web).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.web).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.contains(" 200 "), "{path}: {answer}");
        body.to_owned()
    }

    /// A counter of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.page("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Resident memory and its highest value so far, in kB.
    pub(crate) fn memory_kb(&self) -> (u64, u64) {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// CPU time used so far by all its threads, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The fields after the name in parentheses; user and system time are the 14th and 15th of all.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        ticks as f64 / TICKS_PER_S
    }

    /// Ends it as an init system does, and waits.
    pub(crate) fn stop(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the box does not stop");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for RunningBox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the box:\n{}", self.log());
        }
        // It may have been stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
