//! `ringside demo`: a simulated office, its SIP provider, its upstream and a morning's calls, all in this process.

mod play;
#[cfg(feature = "upstream")]
mod upstream;
#[cfg(not(feature = "upstream"))]
#[path = "demo/no_upstream.rs"]
mod upstream;

use super::{Failure, ask::RunningBox, calls, print};
use crate::{
    config::{Config, TrunkMode},
    daemon::{self, Running},
    io::files::RECORDINGS_DIR,
    record::CallRecord,
    sim::provider::{Account, Provider},
};
use clap::Args;
use jiff::tz::TimeZone;
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};
use upstream::Upstream;

/// The box's files, carried along so that the demo runs from anywhere.
const SITE: &str = include_str!("../../board/sim/demo.toml");
const BOARD: [(&str, &[u8]); 3] = [
    ("profile.toml", include_bytes!("../../board/sim/profile.toml")),
    ("office.toml", include_bytes!("../../board/sim/office.toml")),
    ("hello.wav", include_bytes!("../../board/sim/hello.wav")),
];

const NEXT: &str = "ringside demo --exit --data DIR, then ringside calls --data DIR to see what was kept";

#[derive(Args)]
pub(super) struct Arguments {
    /// How many calls to place, 1 or more; past the tenth they start over.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
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
    let upstream = Arc::new(Upstream::start(&data)?);
    let (running, zone) = start_box((&provider, &upstream), &board, &data)?;
    print(format_args!(
        "The box is up: SIP on {}, live page on http://{}/\nIts SIP provider is on {}.\n{}",
        running.sip(),
        running.web(),
        provider.address(),
        upstream.greeting(),
    ));
    let outcome = play_until_woken(arguments, (provider, &upstream), &running, &data);
    let untracked = RunningBox::at(running.web()).counters("ringside_untracked_calls_total");
    running.stop();
    // The board's files are read once, at the start.
    let _ = fs::remove_dir_all(&board);
    let records = calls::load(&data)?;
    show(&records, &data, &zone);
    show_untracked(&untracked.unwrap_or_default());
    outcome.and_then(|()| nothing_else_on_disk(&records, &data))
}

/// Plays the scenario on a thread of its own; returns at its end, or at a signal.
fn play_until_woken(
    arguments: &Arguments,
    (provider, upstream): (Provider, &Arc<Upstream>),
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
    let world = running.world().cloned().ok_or_else(|| failed("the demo's board is not simulated"))?;
    let (data, web, calls) = (data.to_owned(), running.web(), arguments.calls);
    let upstream = Arc::clone(upstream);
    thread::spawn(move || {
        let played = play::Play::new(provider, world, data.clone(), web).play(calls);
        let _ = woken.send(Woken::Done(played.and_then(|()| upstream.check(&data, web))));
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
fn start_box(
    (provider, upstream): (&Provider, &Upstream),
    board: &Path,
    data: &Path,
) -> Result<(Running, TimeZone), Failure> {
    let site = SITE.to_owned() + &upstream.section();
    let mut config = Config::parse(&site, "demo.toml").map_err(failed)?;
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

/// Prints the call table and the files.
fn show(records: &[CallRecord], data: &Path, zone: &TimeZone) {
    print(format_args!("{}\n\nRecordings:", calls::table(records, zone)));
    for path in records.iter().filter_map(|record| record.recording.path.as_ref()) {
        print(format_args!("  {}", data.join(path).display()));
    }
    print(format_args!("\nringside calls --data {} shows them again.", data.display()));
}

/// Prints what is known of the calls that are not tracked.
fn show_untracked(counters: &[(String, u64)]) {
    print(format_args!("\nUntracked calls, of which a count is all that is kept:"));
    for (labels, count) in counters {
        print(format_args!("  {count} {labels}"));
    }
}

/// The only audio in `data` is that of the records.
fn nothing_else_on_disk(records: &[CallRecord], data: &Path) -> Result<(), Failure> {
    let kept = records.iter().filter(|record| record.recording.path.is_some()).count();
    let found = audio_below(&data.join(RECORDINGS_DIR)).map_err(failed)?;
    if found != kept {
        return Err(failed(format!("{found} files of audio are on the disk for {kept} recordings")));
    }
    print(format_args!("The {found} recordings above are all the audio on the disk."));
    Ok(())
}

fn audio_below(folder: &Path) -> io::Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found += audio_below(&entry.path())?;
        } else if entry.file_name().to_string_lossy().contains(".opus") {
            found += 1;
        }
    }
    Ok(found)
}
