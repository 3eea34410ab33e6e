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
//! | `journal`, `storage` | the truth on the disk, recordings, the index |
//! | `lines-file` | what is known of the lines, on the disk |
//! | `web` | the live page |

mod edges;
mod hardware;
mod line_book;
mod notice;
mod signalling;
mod site;
mod sounds;
mod start;
mod starting;
mod status;
mod stored;

pub use start::start;

use crate::config::Config;
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
}

struct Threads {
    signalling: JoinHandle<crate::io::storage::Storage>,
    stop_media: Arc<AtomicBool>,
    media: JoinHandle<()>,
    lines: JoinHandle<()>,
    stop_web: oneshot::Sender<()>,
    web: JoinHandle<()>,
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

    /// Ends the calls, then the threads in the order of the module's diagram. Storage writes out what it has.
    pub fn stop(self) {
        let Self { inbox, threads, hardware, .. } = self;
        // A signalling thread that is gone has ended its calls.
        let _ = inbox.blocking_send(signalling::Message::Stop);
        let storage = threads.signalling.join();
        // The line thread ends with the last end of its orders, which the signalling thread held.
        let _ = threads.lines.join();
        threads.stop_media.store(true, Ordering::Relaxed);
        let _ = threads.media.join();
        let _ = threads.stop_web.send(());
        let _ = threads.web.join();
        if let Ok(storage) = storage {
            storage.shutdown();
        }
        drop(hardware);
    }
}

/// Runs the daemon until SIGINT or SIGTERM.
///
/// # Errors
/// It cannot start.
pub fn run(options: Options) -> Result<(), StartError> {
    let running = start(options)?;
    tracing::info!(sip = %running.sip, web = %running.web, "ready");
    wait_for_signal()?;
    tracing::info!("stopping");
    running.stop();
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// No signal handler can be had.
pub fn wait_for_signal() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
