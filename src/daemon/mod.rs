//! Start and stop order, threads and loops.

use crate::config::Config;
use std::{net::SocketAddr, path::PathBuf};

/// What the daemon runs with.
#[derive(Debug)]
pub struct Options {
    /// The site.
    pub config: Config,
    /// Folder that paths in the configuration are relative to.
    pub config_dir: PathBuf,
    /// Directory of journal, recordings and index; it exists.
    pub data: PathBuf,
}

/// The daemon as the code beside it sees it once everything is up.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where SIP is received.
    pub sip: SocketAddr,
    /// Where the page is served.
    pub web: SocketAddr,
}

impl Running {
    /// Asks the daemon to end its calls and return from [`run`].
    pub fn stop(&self) {}
}

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[error("this build has no daemon")]
pub struct Error;

/// Runs the box until a signal, or `beside` through [`Running::stop`], stops it. `beside` runs on a thread of its own
/// once everything is up.
///
/// # Errors
/// What kept the daemon from starting or going on.
pub fn run(options: Options, beside: impl FnOnce(Running) + Send + 'static) -> Result<(), Error> {
    drop((options, beside));
    Err(Error)
}
