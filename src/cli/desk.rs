//! Brings a request to the running box, or, when none runs, straight to its data directory under its lock.

use super::{
    CONFIG, DATA, Failure,
    ask::{NoAnswer, RunningBox, Where},
    print,
};
use crate::{
    config::Config,
    id::CallId,
    io::{
        clock::Clock,
        files,
        storage::{self, Desk, Options, Storage, StorageError},
    },
    note::Account,
    recording::request::{Answer, Listing, Refused, Request},
};
use clap::Args;
use std::{
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

/// An index of years is filled in a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// Instead of when it is erased.
const WAITS: &str = "waits for the upstream's receipt; --without-receipt does not";
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which box, or which data directory.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// Address of the box's page, to ask there and not at its own socket.
    #[arg(long, value_name = "ADDR")]
    web: Option<SocketAddr>,
    /// The configuration file, for the address and how long things are kept.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Directory of calls and recordings, used when the box does not run.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
}

/// Where a request goes.
enum Way {
    Running(RunningBox),
    Direct(Box<Storage>),
}

impl Place {
    /// Brings a request; with `done` this waits until what it asked for at once is done.
    pub(super) fn ask(&self, request: &Request, done: Done, command: &str) -> Result<Answer, Failure> {
        match self.way(command)? {
            Way::Running(running) => running.ask(request).map_err(|error| error.failure(command)),
            Way::Direct(storage) => {
                let answer = wait(|| match storage.desk().ask(request) {
                    Err(Refused::Busy) => None,
                    other => Some(other),
                });
                let answer = answer.unwrap_or(Err(Refused::Busy)).map_err(|why| refused(&why, command))?;
                if done == Done::Wait {
                    let erased = || storage.counters().erased.load(Ordering::Relaxed);
                    let all = answer.calls.len().saturating_sub(answer.waiting.len()) as u64;
                    if wait(|| (erased() >= all).then_some(())).is_none() {
                        eprintln!(
                            "note: {} of {all} are erased; the rest follows when the box runs",
                            erased()
                        );
                    }
                }
                storage.shutdown();
                Ok(answer)
            }
        }
    }

    /// What is to come and what is held.
    pub(super) fn listing(&self, command: &str) -> Result<Listing, Failure> {
        match self.way(command)? {
            Way::Running(running) => running.listing().map_err(|error| error.failure(command)),
            Way::Direct(storage) => {
                let desk: Desk = storage.desk();
                let listing = wait(|| desk.listing()).ok_or_else(|| refused(&Refused::Busy, command));
                storage.shutdown();
                listing
            }
        }
    }

    /// Who did what, newest first.
    pub(super) fn audit(&self, limit: usize, command: &str) -> Result<Vec<Account>, Failure> {
        let running = self.running(self.configuration()?.as_ref());
        match running.audit(limit) {
            Ok(audit) => return Ok(audit),
            Err(error @ NoAnswer::Problem { .. }) => return Err(error.failure(command)),
            Err(error) if self.web.is_some() => return Err(error.failure(command)),
            Err(NoAnswer::Unreachable(..) | NoAnswer::Stranger(_)) => {}
        }
        storage::audit(&self.data, limit).map_err(|error| Failure::failed(error, "ringside fsck"))
    }

    /// None if there is no such file: then nothing is configured. With one that is wrong, nobody knows whether there is
    /// an upstream to wait for.
    fn configuration(&self) -> Result<Option<Config>, Failure> {
        let Ok(text) = std::fs::read_to_string(&self.config) else { return Ok(None) };
        let shown = self.config.display();
        let config = Config::parse(&text, &shown.to_string());
        config.map(Some).map_err(|_| {
            let message = format!("{shown} is wrong, and says how long things are kept");
            Failure::failed(message, format!("ringside check-config {shown}"))
        })
    }

    fn running(&self, config: Option<&Config>) -> RunningBox {
        let page = || RunningBox::at(config.map_or(super::ask::USUAL, |config| config.web.listen));
        self.web.map(RunningBox::at).or_else(|| RunningBox::on(&self.data)).unwrap_or_else(page)
    }

    fn way(&self, command: &str) -> Result<Way, Failure> {
        let config = self.configuration()?;
        let running = self.running(config.as_ref());
        match running.listing() {
            Ok(_) | Err(NoAnswer::Problem { .. }) => return Ok(Way::Running(running)),
            Err(error) if self.web.is_some() => return Err(error.failure(command)),
            Err(NoAnswer::Unreachable(..) | NoAnswer::Stranger(_)) => {}
        }
        if !self.data.is_dir() {
            let message = format!("no box answers, and there is no directory {}", self.data.display());
            return Err(Failure::failed(message, format!("{command} --data DIR")));
        }
        let options = config.as_ref().map_or_else(Options::default, Options::of);
        let opened = open(&self.data, &options);
        let storage = opened.map_err(|error| Failure::failed(error, "ringside doctor"))?;
        Ok(Way::Direct(Box::new(storage)))
    }
}

/// Whether to wait for what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Wait,
    Later,
}

/// Says for which calls something is in the journal, and for which it is not.
pub(super) fn say(answer: &Answer, what: &str) {
    for call in &answer.calls {
        let waits = answer.waiting.contains(call);
        print(format_args!("{call} {}", if waits { WAITS } else { what }));
    }
    for (call, why) in &answer.left {
        print(format_args!("{call} left as it is: {why}"));
    }
    if answer.more {
        print(format_args!("there are more calls: ask again"));
    }
}

/// Has the box that runs on a data directory note what was done here; without one there is nobody who notes.
pub(super) fn account(of: &Where, data: &Path, did: &str, on: &str) {
    if !files::is_in_use(data) {
        return;
    }
    if let Err(error) = of.running_on(data).account(&user(), did, on) {
        eprintln!("note: this is not in the audit: {error}");
    }
}

/// The user who runs this, by the system's own book.
pub(super) fn user() -> String {
    let uid = std::fs::metadata("/proc/self").map_or(u32::MAX, |meta| meta.uid()).to_string();
    let book = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let names = book.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    names.unwrap_or_else(|| format!("uid {uid}"))
}

/// A call's id as an argument, for the message.
pub(super) fn about(call: CallId, command: &str) -> String {
    format!("ringside {command} {call}")
}

fn open(data: &Path, options: &Options) -> Result<Storage, StorageError> {
    let clock = Clock::start();
    storage::recover(data, options, clock)?;
    storage::start(data, options, clock, |_| {})
}

fn refused(why: &Refused, command: &str) -> Failure {
    let next = match why {
        Refused::UnknownCall => "ringside calls".to_owned(),
        Refused::Unsaid => format!("{command} --why \"…\""),
        Refused::Not(_) => "ringside erase --list".to_owned(),
        Refused::NotWritten => "ringside doctor".to_owned(),
        Refused::Busy => format!("in a moment, {command}"),
    };
    Failure::failed(why, next)
}

fn wait<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(LOOK_AGAIN);
    }
}
