//! `ringside demo`: a simulated office, its SIP provider and a morning's calls, all in this process.

use super::{Failure, calls, print};
use crate::{
    audio::wav,
    config::{Config, TrunkMode},
    daemon::{self, Running},
    record::{CallRecord, Ended, RecordingState},
    sim::{
        observe::PhoneSnapshot,
        provider::{Account, CallHandle, Provider, Speech},
        scenario::{Step, When, office_morning},
    },
};
use clap::Args;
use jiff::tz::TimeZone;
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The box's files, carried along so that the demo runs from anywhere.
const SITE: &str = include_str!("../../board/sim/demo.toml");
const BOARD: [(&str, &[u8]); 3] = [
    ("profile.toml", include_bytes!("../../board/sim/profile.toml")),
    ("office.toml", include_bytes!("../../board/sim/office.toml")),
    ("hello.wav", include_bytes!("../../board/sim/hello.wav")),
];
const CALLER: &[u8] = include_bytes!("../../board/sim/caller.wav");

/// How long anything in the demo may take before it has failed.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long the last records may take to be written.
const STORAGE_PATIENCE: Duration = Duration::from_secs(8);
/// Volts between the wires of a phone that is fed and on hook, at least.
const IDLE_VOLTS: f32 = 30.0;
/// How often slow things are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A moment between two things, so that a person can follow.
const BREATH: Duration = Duration::from_millis(600);

const NEXT: &str = "ringside demo --exit --data DIR, then ringside calls --data DIR to see what was kept";

#[derive(Args)]
pub(super) struct Arguments {
    /// How many calls to place, 1 or more; past the sixth they start over.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    calls: u32,
    /// End after the last call instead of serving the page until Ctrl-C.
    #[arg(long)]
    exit: bool,
    /// Directory for calls and recordings; a fresh one unless given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What ends the wait for the demo.
enum Woken {
    Done(Result<(), Failure>),
    Signal,
}

pub(super) fn demo(arguments: &Arguments) -> Result<(), Failure> {
    let fresh = std::env::temp_dir().join(format!("ringside-demo-{}", std::process::id()));
    let data = arguments.data.clone().unwrap_or_else(|| fresh.join("data"));
    let board = fresh.join("board");
    unpack(&board, &data).map_err(|error| failed(format!("{}: {error}", fresh.display())))?;
    let provider = Provider::start(localhost(0), Account::default()).map_err(failed)?;
    let (running, zone) = start_box(&provider, &board, &data)?;
    print(format_args!(
        "The box is up: SIP on {}, live page on http://{}/\nIts SIP provider is on {}.\n",
        running.sip(),
        running.web(),
        provider.address(),
    ));
    let outcome = play_until_woken(arguments, provider, &running, &data);
    running.stop();
    // The board's files are read once, at the start.
    let _ = fs::remove_dir_all(&board);
    show(&calls::load(&data)?, &data, &zone);
    outcome
}

/// Plays the scenario on a thread of its own; returns at its end, or at a signal.
fn play_until_woken(
    arguments: &Arguments,
    provider: Provider,
    running: &Running,
    data: &Path,
) -> Result<(), Failure> {
    let (woken, wait) = mpsc::channel();
    let signal = woken.clone();
    thread::spawn(move || {
        // Without a handler Ctrl-C ends the process at once, which the files survive.
        if daemon::wait_for_signal().is_ok() {
            let _ = signal.send(Woken::Signal);
        }
    });
    let world = running.world().cloned();
    let phones_are_idle = move || {
        let idle = |phone: &PhoneSnapshot| !phone.off_hook && phone.volts.abs() >= IDLE_VOLTS;
        world.as_ref().is_none_or(|world| world.lock().snapshot().iter().all(idle))
    };
    let (data, calls) = (data.to_owned(), arguments.calls);
    thread::spawn(move || {
        let played = Play { provider, phones_are_idle, data, started: Instant::now() }.play(calls);
        let _ = woken.send(Woken::Done(played));
    });
    match wait.recv() {
        Ok(Woken::Done(played)) if arguments.exit || played.is_err() => played,
        Ok(Woken::Done(_)) => {
            print(format_args!("\nThe page stays up on http://{}/ until Ctrl-C.", running.web()));
            let _ = wait.recv();
            Ok(())
        }
        Ok(Woken::Signal) => Ok(()),
        Err(_) => Err(failed("the demo's thread is gone")),
    }
}

fn failed(message: impl fmt::Display) -> Failure {
    Failure::failed(message, NEXT)
}

const fn localhost(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn unpack(board: &Path, data: &Path) -> io::Result<()> {
    fs::create_dir_all(board)?;
    fs::create_dir_all(data)?;
    BOARD.iter().try_for_each(|(name, content)| fs::write(board.join(name), content))
}

/// Starts the daemon on the demo's site, registered at `provider`.
fn start_box(provider: &Provider, board: &Path, data: &Path) -> Result<(Running, TimeZone), Failure> {
    let mut config = Config::parse(SITE, "demo.toml").map_err(failed)?;
    for trunk in &mut config.trunks {
        if let TrunkMode::Register(account) = &mut trunk.mode {
            account.registrar.port = provider.address().port();
        }
    }
    let zone = TimeZone::get(&config.site.time_zone).map_err(failed)?;
    // The usual addresses if they are free, so that the page is where the documents say; else any.
    let sip = UdpSocket::bind(config.sip.listen).map_or(localhost(0), |_| config.sip.listen);
    let web = TcpListener::bind(config.web.listen).map_or(localhost(0), |_| config.web.listen);
    let options = daemon::Options {
        config,
        config_dir: board.to_owned(),
        config_file: None,
        data: data.to_owned(),
        sip: Some(sip),
        web: Some(web),
    };
    Ok((daemon::start(options).map_err(failed)?, zone))
}

/// The scenario being played.
struct Play<F> {
    provider: Provider,
    phones_are_idle: F,
    data: PathBuf,
    started: Instant,
}

impl<F: Fn() -> bool> Play<F> {
    fn play(&self, calls: u32) -> Result<(), Failure> {
        if self.provider.wait_registered(PATIENCE).is_none() {
            return Err(failed("the box did not register at its provider"));
        }
        self.say("The box has registered at its provider.");
        let samples = wav::decode(CALLER).map_err(failed)?;
        let speech = Speech::Samples(samples.into());
        let mut placed: Vec<(Step, CallHandle)> = Vec::new();
        let mornings = std::iter::repeat_with(|| office_morning(&speech)).flatten();
        for step in mornings.take(calls as usize) {
            self.wait_until(step.when, &placed)?;
            self.say(step.words);
            let handle = self.provider.place(step.plan.clone());
            placed.push((step, handle));
        }
        placed.iter().try_for_each(|(step, handle)| ended_as_expected(step, handle))?;
        self.say("Every call has ended.\n");
        self.wait_stored(placed.iter().filter(|(step, _)| step.tracked).count())
    }

    fn say(&self, words: &str) {
        let seconds = self.started.elapsed().as_secs();
        print(format_args!("{:>2}:{:02}  {words}", seconds / 60, seconds % 60));
    }

    fn wait_until(&self, when: When, placed: &[(Step, CallHandle)]) -> Result<(), Failure> {
        let previous = placed.last().map(|(_, handle)| handle);
        match (when, previous) {
            (When::OfficeIsQuiet, _) => {
                placed.iter().try_for_each(|(step, handle)| ended_as_expected(step, handle))?;
                if !eventually(PATIENCE, &self.phones_are_idle) {
                    return Err(failed("a phone is not on hook with its line fed"));
                }
            }
            (When::PreviousAnswered, Some(previous)) => {
                previous.wait(PATIENCE, |outcome| outcome.answered_after.is_some());
            }
            (When::PreviousRings, Some(previous)) => {
                previous.wait(PATIENCE, |outcome| outcome.rang_after.is_some());
            }
            (When::Now | When::PreviousAnswered | When::PreviousRings, _) => {}
        }
        thread::sleep(BREATH);
        Ok(())
    }

    /// Waits until the journal holds `tracked` calls of this demo, all of them closed.
    fn wait_stored(&self, tracked: usize) -> Result<(), Failure> {
        let closed = |record: &CallRecord| {
            record.outcome.ended != Ended::InProgress && record.recording.state != RecordingState::Writing
        };
        let all_stored = || {
            calls::load(&self.data)
                .is_ok_and(|records| records.iter().filter(|r| closed(r)).count() >= tracked)
        };
        if eventually(STORAGE_PATIENCE, all_stored) {
            return Ok(());
        }
        Err(failed(format!("fewer than {tracked} calls were kept in {}", self.data.display())))
    }
}

/// Waits for the end of a call; it must be the one that the scenario tells.
fn ended_as_expected(step: &Step, handle: &CallHandle) -> Result<(), Failure> {
    let outcome = handle.wait(PATIENCE, |_| false);
    if step.expected.is_met(&outcome) {
        return Ok(());
    }
    let (end, statuses) = (outcome.end, outcome.statuses);
    Err(failed(format!("\"{}\" ended as {end:?} after {statuses:?}", step.words)))
}

/// Waits for `condition`; tells whether it came true in time.
fn eventually(patience: Duration, condition: impl Fn() -> bool) -> bool {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        thread::sleep(LOOK);
    }
    condition()
}

/// Prints the call table and the files.
fn show(records: &[CallRecord], data: &Path, zone: &TimeZone) {
    print(format_args!("{}\n\nRecordings:", calls::table(records, zone)));
    for path in records.iter().filter_map(|record| record.recording.path.as_ref()) {
        print(format_args!("  {}", data.join(path).display()));
    }
    print(format_args!("\nringside calls --data {} shows them again.", data.display()));
}
