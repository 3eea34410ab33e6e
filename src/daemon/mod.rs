//! Start and stop order, threads and loops.
//!
//! ```text
//!   board ─► recover ─► storage ─► sockets ─► media ─► lines ─► signalling (chips are up) ─► web    start
//!   signalling (calls end) ─► lines ─► media ─► web ─► storage (drains)                    stop
//! ```
//! | thread | owns |
//! |---|---|
//! | `signalling` | the switchboard, the SIP socket, every timer |
//! | `media` | the PCM bus, RTP sockets, patches |
//! | `line-io` | the line chips |
//! | `panel` | LEDs and button |
//! | `journal`, `storage` | the truth on the disk, recordings, the index |
//! | `lines-file` | what is known of the lines, on the disk |
//! | `proofs` | proofs of double forwarding, on the disk |
//! | `web` | the live page |
//! | `upstream` | records and recordings on their way upstream |
//! | `webhooks` | what others are told |

mod accounts;
mod directory;
mod edges;
mod hardware;
mod incomplete;
mod line_alarms;
mod line_book;
mod notice;
mod office;
mod office_book;
mod panel;
mod proofs;
mod reset;
mod signalling;
mod site;
mod sounds;
mod start;
mod starting;
mod status;
mod stored;
mod upstream;
mod webhooks;

pub use start::start;

use crate::{config::Config, panel::button::Recordings};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};
use tokio::sync::{mpsc, oneshot};

/// What a run of the daemon is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checked configuration.
    pub config: Config,
    /// Folder of the configuration file; paths in the file are relative to it.
    pub config_dir: PathBuf,
    /// The configuration file itself, which a factory reset sets aside; without it a reset changes nothing.
    pub config_file: Option<PathBuf>,
    /// Data directory; made if it is not there.
    pub data: PathBuf,
    /// SIP address instead of the configured one.
    pub sip: Option<SocketAddr>,
    /// Web address instead of the configured one.
    pub web: Option<SocketAddr>,
}

/// The daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The board profile or the simulated office.
    #[error("board profile {}: {why}", path.display())]
    Board {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A value of the configuration that only shows at the start.
    #[error("configuration: {0}")]
    Configuration(String),
    /// The data directory.
    #[error(transparent)]
    Storage(#[from] crate::io::storage::StorageError),
    /// A socket cannot be bound.
    #[error("{what} {address}: {error}; is another program using it?")]
    Socket {
        /// `SIP`, `web`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
    /// RTP ports cannot be bound.
    #[error(transparent)]
    Rtp(#[from] crate::io::rtp_socket::RtpSocketError),
    /// A thread or a runtime cannot be had.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A running daemon. [`Running::stop`] ends its calls and writes everything out.
pub struct Running {
    sip: SocketAddr,
    web: SocketAddr,
    inbox: mpsc::Sender<signalling::Message>,
    threads: Threads,
    hardware: hardware::Hardware,
    reset: oneshot::Receiver<Recordings>,
}

struct Threads {
    signalling: JoinHandle<crate::io::storage::Storage>,
    stop_media: Arc<AtomicBool>,
    media: JoinHandle<()>,
    lines: JoinHandle<()>,
    panel: JoinHandle<()>,
    stop_web: oneshot::Sender<()>,
    web: JoinHandle<()>,
    proofs: Option<JoinHandle<()>>,
    upstream: Option<crate::io::upstream::Upstream>,
    webhooks: Option<crate::io::webhooks::Webhooks>,
}

impl Running {
    /// The SIP address the daemon is bound to.
    #[must_use]
    pub const fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// The web address the daemon is bound to.
    #[must_use]
    pub const fn web(&self) -> SocketAddr {
        self.web
    }

    /// The analog world of a simulated board.
    #[cfg(feature = "sim")]
    #[must_use]
    pub const fn world(&self) -> Option<&crate::sim::world::SharedWorld> {
        self.hardware.world()
    }

    /// The front panel of a simulated board: what its LEDs show, and a button to be pressed.
    #[cfg(feature = "sim")]
    #[must_use]
    pub const fn panel(&self) -> Option<&crate::sim::panel::SimPanel> {
        self.hardware.panel()
    }

    /// Ends the calls, then the threads in the order of the module's diagram. Storage writes out what it has.
    pub fn stop(self) {
        let Self { inbox, threads, hardware, .. } = self;
        // A signalling thread that is gone has ended its calls.
        let _ = inbox.blocking_send(signalling::Message::Stop);
        let storage = threads.signalling.join();
        // So does the panel's, after it has shown that the box does not run.
        let _ = threads.panel.join();
        // The line thread ends with the last end of its orders, which the signalling thread held.
        let _ = threads.lines.join();
        threads.stop_media.store(true, Ordering::Relaxed);
        let _ = threads.media.join();
        let _ = threads.stop_web.send(());
        let _ = threads.web.join();
        // Nobody is left who could tell the thread of proofs anything.
        let _ = threads.proofs.map(JoinHandle::join);
        drop(threads.upstream);
        drop(threads.webhooks);
        if let Ok(storage) = storage {
            storage.shutdown();
        }
        drop(hardware);
    }
}

/// Runs the daemon until SIGINT or SIGTERM, or until the button asks for a factory reset.
///
/// # Errors
/// It cannot start.
pub fn run(options: Options) -> Result<(), StartError> {
    let data = options.data.clone();
    let mut running = start(options)?;
    tracing::info!(sip = %running.sip, web = %running.web, "ready");
    let reset = runtime()?.block_on(async {
        tokio::select! {
            ended = signalled() => ended.map(|()| None),
            Ok(recordings) = &mut running.reset => Ok(Some(recordings)),
        }
    })?;
    tracing::info!("stopping");
    running.stop();
    if let Some(recordings) = reset {
        reset::finish(recordings, &data);
    }
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// No signal handler can be had.
pub fn wait_for_signal() -> io::Result<()> {
    runtime()?.block_on(signalled())
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
