//! Every system call of storage that can fail on a disk fails once: nothing acknowledged is lost, nothing stops.
//!
//! The victim is this binary again; `strace` attaches to it and makes the n-th call of each of its threads fail. What it
//! says goes over a connection, whose calls are none of those that fail.

use crate::{
    calls, disks, is_long,
    judge::{hear, judge},
    storage::call,
};
use ringside::{
    io::{
        clock::Clock,
        storage::{Options, Storage, recover, start},
    },
    recording::lifecycle::Event,
};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

const DIR: &str = "RINGSIDE_TEST_VICTIM_DIR";
const SAY_TO: &str = "RINGSIDE_TEST_VICTIM_SAY_TO";
/// Which failure to look at again: `fsync:EIO:7`.
const AGAIN: &str = "RINGSIDE_FAULT";
const CALLS: u64 = 5;
const RECORDED_MS: usize = 1_000;
/// No send may take as long as a disk that hangs, or the journal's second between two attempts.
const MAX_SEND: Duration = Duration::from_millis(800);
/// For the last acknowledgement: the journal tries again within seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where the victim says something.
#[derive(Clone)]
struct Mouth(Arc<Mutex<TcpStream>>);

impl Mouth {
    fn say(&self, line: &str) {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn report(&self, event: &Event) {
        self.say(&match event {
            Event::Journaled { call, .. } => format!("JOURNALED {call}"),
            Event::Saved { call } => format!("SAVED {call}"),
            Event::Handled { call, .. } => format!("HANDLED {call}"),
            Event::Recorded { call, recording } => {
                let hash = recording.hash.as_deref().unwrap_or("-");
                format!("RECORDED {call} {:?} {} {hash}", recording.state, recording.duration_ms)
            }
        });
    }
}

/// Not a test of its own: the victim.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mouth = Mouth(Arc::new(Mutex::new(TcpStream::connect(std::env::var(SAY_TO).unwrap()).unwrap())));
    io::stdin().read_line(&mut String::new()).unwrap();
    live(Path::new(&dir), &mouth);
    // What follows would print, and fail at it.
    std::process::exit(0);
}

fn live(dir: &Path, mouth: &Mouth) {
    let clock = Clock::start();
    let (done, events) = channel();
    let reporter = mouth.clone();
    let report = move |event: Event| {
        reporter.report(&event);
        let _ = done.send(event);
    };
    let started = recover(dir, &Options::default(), clock).and_then(|recovered| {
        Ok((
            recovered.next_seq,
            start(dir, &Options { ballast_bytes: 1 << 16, ..Options::default() }, clock, report)?,
        ))
    });
    let (first, storage) = match started {
        Ok(started) => started,
        // A disk that fails at the start may stop it; systemd starts again.
        Err(error) => return mouth.say(&format!("REFUSED {error}")),
    };
    let slowest = take_calls(&storage, first, mouth);
    let mut open: BTreeSet<_> = (first..first + CALLS).map(call).collect();
    let deadline = Instant::now() + PATIENCE;
    while !open.is_empty()
        && let Ok(event) = events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        if let Event::Saved { call } = event {
            open.remove(&call);
        }
    }
    let panics = storage.counters().panics.load(Ordering::Relaxed);
    mouth.say(&format!("OPEN {} PANICS {panics} SLOWEST {}", open.len(), slowest.as_millis()));
    storage.shutdown();
    mouth.say("DONE");
}

/// Takes the calls one by one, so that each has commits of its own; returns how long the slowest took.
fn take_calls(storage: &Storage, first: u64, mouth: &Mouth) -> Duration {
    let mut slowest = Duration::ZERO;
    for seq in first..first + CALLS {
        let is_recorded = seq % 2 == 0;
        if is_recorded {
            mouth.say(&format!("TAPPED {} {RECORDED_MS}", call(seq)));
        }
        let before = Instant::now();
        if is_recorded {
            calls::recorded(storage, seq, RECORDED_MS);
        } else {
            calls::busy(storage, seq);
        }
        slowest = slowest.max(before.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    slowest
}

/// A fault: which calls fail how, and which of them.
#[derive(Clone, Debug)]
struct Fault {
    calls: &'static str,
    error: &'static str,
    /// `3`: the third one; `3+`: and all after it.
    when: String,
}

/// What came of a fault.
struct Outcome {
    /// Whether any call was made to fail.
    was_hit: bool,
    wrong: Vec<String>,
}

struct Victim {
    child: Child,
    connection: TcpStream,
}

impl Victim {
    fn start(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sweep::victim", "--nocapture"])
            .env(DIR, dir)
            .env(SAY_TO, listener.local_addr().unwrap().to_string())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, connection: listener.accept().unwrap().0 }
    }

    /// Lets it go on; whether it ended well, what it said, and what it complained of.
    fn run(mut self) -> (bool, String, String) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let (mut said, mut complaints) = (String::new(), String::new());
        self.connection.read_to_string(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        (self.child.wait().unwrap().success(), said, complaints)
    }
}

/// Attaches `strace`, which makes calls fail from now on.
fn attach(victim: &Victim, fault: &Fault, trace: &Path) -> io::Result<(Child, BufReader<ChildStderr>)> {
    let Fault { calls, error, when } = fault;
    let mut strace = Command::new("strace")
        .args(["-f", "-e", &format!("trace={calls}"), "-e", "signal=none"])
        .args(["-e", &format!("inject={calls}:error={error}:when={when}")])
        .args(["-o", disks::text(trace), "-p", &victim.child.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(strace.stderr.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line)?;
    if line.contains("attached") { Ok((strace, lines)) } else { Err(io::Error::other(line)) }
}

fn inflict(fault: &Fault) -> io::Result<Outcome> {
    let scratch = disks::quick_dir();
    let (dir, trace) = (scratch.path().join("data"), scratch.path().join("trace"));
    // Not the first start: a box that was never set up may refuse.
    let (storage, events) = calls::begin(&dir, Clock::start());
    calls::busy(&storage, 1);
    calls::wait_saved(&events, 1);
    storage.shutdown();
    let mut victim = Victim::start(&dir);
    let (mut strace, mut lines) = match attach(&victim, fault, &trace) {
        Ok(attached) => attached,
        Err(error) => {
            victim.child.kill()?;
            victim.child.wait()?;
            return Err(error);
        }
    };
    let (ended_well, said, complaints) = victim.run();
    lines.read_to_string(&mut String::new())?;
    strace.wait()?;
    let was_hit = fs::read_to_string(&trace)?.contains("(INJECTED)");
    let mut wrong = Vec::new();
    let mut complain = |is_wrong: bool, what: &str| wrong.extend(is_wrong.then(|| what.to_owned()));
    complain(!ended_well, "the victim ended badly");
    if !said.contains("REFUSED") {
        complain(!said.contains("DONE"), "the victim did not end");
        let stays = fault.when.ends_with('+');
        complain(!stays && !said.contains("OPEN 0 PANICS 0 "), "calls left open, or panics");
        let slowest =
            said.rsplit_once("SLOWEST ").and_then(|(_, ms)| ms.split_whitespace().next()?.parse().ok());
        complain(slowest.is_none_or(|ms| Duration::from_millis(ms) > MAX_SEND), "a send waited for the disk");
    }
    let marks =
        said.lines().filter(|line| line.split(' ').nth(1).is_some_and(|call| call.starts_with("cal_")));
    let verdict = judge(&dir, scratch.path(), &hear(marks));
    wrong.extend(verdict.lost);
    wrong.extend(verdict.faults);
    if !wrong.is_empty() {
        wrong.push(said);
        wrong.push(complaints);
    }
    Ok(Outcome { was_hit, wrong })
}

#[test]
fn whichever_call_to_the_disk_fails_nothing_acknowledged_is_lost() {
    const CALLS: [&str; 5] = [
        "write,pwrite64",
        "fsync,fdatasync,sync_file_range",
        "rename,renameat,renameat2",
        "openat",
        "ftruncate,unlink,mkdir",
    ];
    let probe = Fault { calls: "fsync", error: "EIO", when: "9999".to_owned() };
    if let Err(error) = inflict(&probe) {
        println!("skipped: no system call can be made to fail here: {error}");
        return;
    }
    if let Ok(again) = std::env::var(AGAIN) {
        let parts: Vec<&'static str> = again.leak().split(':').collect();
        let fault = Fault { calls: parts[0], error: parts[1], when: parts[2].to_owned() };
        let wrong = inflict(&fault).unwrap().wrong;
        assert!(wrong.is_empty(), "{fault:?}:\n{}", wrong.join("\n"));
        return;
    }
    let most = if is_long() { 200 } else { 40 };
    let sweeps: Vec<(&str, &str)> =
        CALLS.iter().flat_map(|&calls| [(calls, "ENOSPC"), (calls, "EIO")]).collect();
    let (next, hits, failures) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    let try_one = |calls, error, when| {
        let fault = Fault { calls, error, when };
        let outcome = inflict(&fault).unwrap();
        if !outcome.wrong.is_empty() {
            let wrong = outcome.wrong.join("\n");
            failures.lock().unwrap().push(format!("{AGAIN}={calls}:{error}:{}:\n{wrong}", fault.when));
        }
        hits.fetch_add(u64::from(outcome.was_hit), Ordering::Relaxed);
        outcome.was_hit
    };
    let work = || {
        while let Some(&(calls, error)) = sweeps.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let mut reached = 0;
            for when in (1..=most).map(|n| n.to_string()) {
                if !try_one(calls, error, when) {
                    break;
                }
                reached += 1;
            }
            // A disk that goes on failing.
            let from = (1..=reached).skip(2).step_by(if is_long() { 5 } else { most as usize });
            from.for_each(|n| _ = try_one(calls, error, format!("{n}+")));
            println!("{calls}: {error} at {reached} places");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{} failures inflicted", hits.load(Ordering::Relaxed));
    assert!(failures.is_empty(), "{} went wrong:\n{}", failures.len(), failures.join("\n\n"));
}
